//! Products, SKUs and units: the words that usage is counted in, and which SKU a job's runner belongs to.
//!
//! Prices are left to [`crate::price_book`]. The list of SKUs is open: a well-formed SKU that nobody priced is kept as unrated.

use std::fmt;

/// The unit of a SKU, in the two spellings that GitHub uses: reports write the first, the usage endpoints the second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unit {
    Minutes,
    Hours,
    GigabyteHours,
    Gigabytes,
    UserMonths,
    Requests,
    AiCredits,
    Tokens,
    Seconds,
    GigabyteSeconds,
    GigabyteMonths,
}

impl Unit {
    pub const ALL: [Unit; 11] = [
        Unit::Minutes,
        Unit::Hours,
        Unit::GigabyteHours,
        Unit::Gigabytes,
        Unit::UserMonths,
        Unit::Requests,
        Unit::AiCredits,
        Unit::Tokens,
        Unit::Seconds,
        Unit::GigabyteSeconds,
        Unit::GigabyteMonths,
    ];

    /// The spelling of report columns.
    #[must_use]
    pub fn in_reports(self) -> &'static str {
        self.spellings().0
    }

    /// The spelling of the usage endpoints.
    #[must_use]
    pub fn in_api(self) -> &'static str {
        self.spellings().1
    }

    fn spellings(self) -> (&'static str, &'static str) {
        match self {
            Unit::Minutes => ("minutes", "Minutes"),
            Unit::Hours => ("hours", "hours"),
            Unit::GigabyteHours => ("gigabyte-hours", "GigabyteHours"),
            Unit::Gigabytes => ("gigabytes", "gigabytes"),
            Unit::UserMonths => ("user-months", "UserMonths"),
            Unit::Requests => ("requests", "requests"),
            Unit::AiCredits => ("ai-credits", "ai-credits"),
            Unit::Tokens => ("tokens", "tokens"),
            Unit::Seconds => ("seconds", "seconds"),
            Unit::GigabyteSeconds => ("gigabyte-seconds", "gigabyte-seconds"),
            Unit::GigabyteMonths => ("gigabyte-months", "gigabyte-months"),
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<Unit> {
        Unit::ALL.into_iter().find(|unit| unit.in_reports() == text)
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_reports())
    }
}

/// The greatest length of a SKU.
pub const SKU_LENGTH_MAX: usize = 100;

/// Whether a text can be a SKU: lower-case letters, digits and underscores, beginning with a letter, as all of GitHub's are.
#[must_use]
pub fn is_sku(text: &str) -> bool {
    let inside = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    text.len() <= SKU_LENGTH_MAX && text.starts_with(|first: char| first.is_ascii_lowercase()) && text.bytes().all(inside)
}

/// The SKU of a job by the labels of its runner (sources.md section 1); letter case does not matter. Self-hosted runners go by
/// their operating system; larger runners by labels that name their size, such as `ubuntu-22.04-8core` or `linux_8_core`. Any other
/// label is `actions_unknown`, which no start price book prices: the usage is kept as unrated until an operator prices it.
#[must_use]
pub fn runner_sku(labels: &[impl AsRef<str>]) -> String {
    let labels: Vec<String> = labels.iter().map(|label| label.as_ref().to_lowercase()).collect();
    if labels.iter().any(|label| label == "self-hosted") {
        let system = ["linux", "windows", "macos"].into_iter().find(|system| labels.iter().any(|label| label == system));
        return format!("actions_self_hosted_{}", system.unwrap_or("unknown"));
    }
    labels.iter().find_map(|label| hosted_sku(label)).unwrap_or_else(|| "actions_unknown".to_owned())
}

fn hosted_sku(label: &str) -> Option<String> {
    if label == "ubuntu-slim" {
        return Some("actions_linux_slim".to_owned());
    }
    if let Some(rest) = label.strip_prefix("macos-") {
        let size = if rest.ends_with("-xlarge") {
            "_xl"
        } else if rest.ends_with("-large") {
            "_l"
        } else {
            ""
        };
        return Some(format!("actions_macos{size}"));
    }
    let (system, rest) = [("linux", "ubuntu-"), ("windows", "windows-"), ("linux", "linux_"), ("windows", "windows_")]
        .into_iter()
        .find_map(|(system, prefix)| label.strip_prefix(prefix).map(|rest| (system, rest)))?;
    let words: Vec<&str> = rest.split(['-', '_']).collect();
    let arm = if words.contains(&"arm") || words.contains(&"arm64") { "_arm" } else { "" };
    let gpu = if words.contains(&"gpu") { "_gpu" } else { "" };
    match cores(&words) {
        Some(cores) => {
            Some(format!("actions_{system}_{cores}_core{}{arm}{gpu}", if cores == "2" && arm.is_empty() { "_advanced" } else { "" }))
        }
        None => Some(format!("actions_{system}{arm}")),
    }
}

/// The size in `8core`, `8-core`, `8-cores` or `8_core`.
fn cores<'a>(words: &[&'a str]) -> Option<&'a str> {
    let sized = |text: &'a str| Some(text).filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let joined = words.iter().find_map(|word| word.strip_suffix("cores").or(word.strip_suffix("core")).and_then(sized));
    let apart = || words.windows(2).find(|pair| pair[1] == "core" || pair[1] == "cores").and_then(|pair| sized(pair[0]));
    joined.or_else(apart)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_label_that_names_a_runner_decides() {
        let table: [(&[&str], &str); 18] = [
            (&["ubuntu-latest"], "actions_linux"),
            (&["Ubuntu-24.04"], "actions_linux"),
            (&["ubuntu-slim"], "actions_linux_slim"),
            (&["ubuntu-24.04-arm"], "actions_linux_arm"),
            (&["windows-latest"], "actions_windows"),
            (&["windows-11-arm"], "actions_windows_arm"),
            (&["macos-15"], "actions_macos"),
            (&["macos-latest-large"], "actions_macos_l"),
            (&["macos-15-xlarge"], "actions_macos_xl"),
            (&["ubuntu-22.04-8core"], "actions_linux_8_core"),
            (&["ubuntu-latest-16-cores"], "actions_linux_16_core"),
            (&["linux_4_core_arm"], "actions_linux_4_core_arm"),
            (&["windows_4_core_gpu"], "actions_windows_4_core_gpu"),
            (&["ubuntu-latest-2core"], "actions_linux_2_core_advanced"),
            (&["self-hosted", "linux", "x64"], "actions_self_hosted_linux"),
            (&["gpu", "self-hosted"], "actions_self_hosted_unknown"),
            (&["our-fast-runner"], "actions_unknown"),
            (&[], "actions_unknown"),
        ];
        for (labels, sku) in table {
            assert_eq!(runner_sku(labels), sku, "{labels:?}");
        }
    }

    #[test]
    fn a_sku_is_lower_snake_case() {
        for (text, well_formed) in
            [("actions_linux", true), ("a1", true), ("", false), ("1a", false), ("Actions Linux", false), ("x\u{e9}", false)]
        {
            assert_eq!(is_sku(text), well_formed, "{text}");
        }
        assert!(is_sku(&"a".repeat(SKU_LENGTH_MAX)));
        assert!(!is_sku(&"a".repeat(SKU_LENGTH_MAX + 1)));
    }
}
