//! What applying a description changes, as a value and as one line of text.
//!
//! The line is for people; what reads changes by program takes the value.

use billing::UtcTime;
use std::fmt;

/// Names that are shown of a list; the rest is counted.
const NAMES_SHOWN_MAX: usize = 10;

/// One change: something new, or one value of something that was there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The table of the accounts file: `organization`, `plan`, `copilot_seat`, `price_version`, ….
    pub kind: &'static str,
    /// Login, slug or name; of a seat its user.
    pub name: String,
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It is new, with these values by key.
    Created(Vec<(&'static str, String)>),
    Changed {
        key: &'static str,
        before: Option<String>,
        after: Option<String>,
        since: Option<UtcTime>,
    },
    /// A list of names has others now.
    Members {
        key: &'static str,
        added: Vec<String>,
        removed: Vec<String>,
        since: Option<UtcTime>,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if matches!(self.what, What::Created(_)) { '+' } else { '~' };
        write!(f, "{sign} {} `{}`", self.kind, self.name)?;
        match &self.what {
            What::Created(values) if values.is_empty() => Ok(()),
            What::Created(values) => {
                let values: Vec<String> = values.iter().map(|(key, value)| format!("{key} {value}")).collect();
                write!(f, " ({})", values.join("; "))
            }
            What::Changed { key, before, after, since } => {
                let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
                write!(f, ": {key} {} → {}", shown(before), shown(after))?;
                write_since(f, *since)
            }
            What::Members { key, added, removed, since } => {
                let signed = |sign: &str, names: &[String]| (!names.is_empty()).then(|| format!("{sign} {}", shortened(names)));
                let parts: Vec<String> = [signed("+", added), signed("−", removed)].into_iter().flatten().collect();
                write!(f, ": {key} {}", parts.join(" "))?;
                write_since(f, *since)
            }
        }
    }
}

fn write_since(f: &mut fmt::Formatter<'_>, since: Option<UtcTime>) -> fmt::Result {
    since.map_or(Ok(()), |since| write!(f, ", since {since}"))
}

/// The first names of a list and how many more there are.
pub(super) fn shortened(names: &[String]) -> String {
    let shown = &names[..names.len().min(NAMES_SHOWN_MAX)];
    match names.len() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
