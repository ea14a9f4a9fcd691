//! Our style, as a test: what a reviewer would otherwise have to count.
//!
//! Reads every source file of the workspace as text; it knows comments, strings, braces and no more Rust than that. A finding is
//! mended, or, for a reason, listed in [`EXCEPTIONS`], which may only shrink: the tests also fail when a listed finding is gone.

#[path = "tidy/source.rs"]
mod source;

use source::{Source, functions};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

/// Findings that stand for a reason: rule, file, how many, why.
const EXCEPTIONS: &[(Rule, &str, usize, &str)] = &[];

const FUNCTION_LINES_MAX: usize = 70;
const BILLING_FUNCTION_LINES_MAX: usize = 40;
const FILE_LINES_MAX: usize = 500;
const HEADER_LINES: std::ops::RangeInclusive<usize> = 2..=12;

/// Which crates a crate may depend on. A further crate, or a further arrow, is a decision to write down.
const ARROWS: &[(&str, &[&str])] = &[("billing", &[]), ("store", &["billing"]), ("forgemeter", &["billing", "store"])];

const BILLING_DEPENDENCIES_BELOW: usize = 8;

/// Parts of crate names that `billing` may not depend on: clock, disk, network, async, SQL, JSON.
const NOT_IN_BILLING: &str =
    "arrow axum bytes chrono csv futures getrandom hyper lettre parquet rand reqwest rusqlite serde sqlx tokio toml tracing ureq uuid";

/// What swallows or bends a figure without a word.
const SWALLOWING: &[&str] = &["f32", "f64", "unwrap_or(0)", "unwrap_or_default()", ".ok()", "let _ ="];

const NUMBER_TYPES: &[&str] = &["u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "char", "_"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "manager", "service", "helper", "helpers", "misc", "processor"];

/// What must come from one place, and the place.
const ONE_PLACE: &[(&str, &str)] = &[
    ("SystemTime::now", "crates/store/src/clock.rs"),
    ("Timestamp::now", "crates/store/src/clock.rs"),
    ("Zoned::now", "crates/store/src/clock.rs"),
    ("getrandom::", "crates/store/src/random.rs"),
    ("Uuid::new_v", "crates/store/src/random.rs"),
    ("env::var", "crates/forgemeter/src/config.rs"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rule {
    FunctionLines,
    FileLines,
    Arrows,
    Swallowing,
    Casts,
    Names,
    Headers,
    Reminders,
    OnePlace,
}

struct Finding {
    file: String,
    line: usize,
    what: String,
}

impl Finding {
    fn in_source(source: &Source, line: usize, what: String) -> Finding {
        Finding { file: source.path.clone(), line, what }
    }
}

#[test]
fn every_function_fits_a_screen() {
    let mut findings = Vec::new();
    for source in sources() {
        for function in functions(&source.code) {
            let in_billing = source.path.starts_with("crates/billing/src") && !source.is_test(function.first);
            let most = if in_billing { BILLING_FUNCTION_LINES_MAX } else { FUNCTION_LINES_MAX };
            let lines = function.last - function.first + 1;
            if lines > most {
                findings.push(Finding::in_source(
                    &source,
                    function.first,
                    format!("`{}` has {lines} lines, more than {most}", function.name),
                ));
            }
        }
    }
    expect_none(Rule::FunctionLines, findings);
}

#[test]
fn every_file_can_be_read_in_one_sitting() {
    let mut findings = Vec::new();
    for source in sources() {
        let lines = (1..=source.code.lines().count()).filter(|line| source.is_integration_test() || !source.is_test(*line)).count();
        if lines > FILE_LINES_MAX {
            findings.push(Finding::in_source(&source, 1, format!("{lines} lines without its test module, more than {FILE_LINES_MAX}")));
        }
    }
    expect_none(Rule::FileLines, findings);
}

#[test]
fn arrows_between_crates_point_one_way() {
    let names: Vec<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let mut findings = Vec::new();
    for folder in entries(&root().join("crates")) {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a crate's folder has a name").to_owned();
        let file = format!("crates/{name}/Cargo.toml");
        let manifest = read(&root().join(&file));
        let Some((_, allowed)) = ARROWS.iter().find(|(known, _)| *known == name) else {
            findings.push(Finding { file, line: 1, what: "a crate without a row in ARROWS".to_owned() });
            continue;
        };
        for (line, dependency) in dependencies(&manifest) {
            if names.contains(&dependency.as_str()) && !allowed.contains(&dependency.as_str()) {
                findings.push(Finding { file: file.clone(), line, what: format!("`{name}` may not depend on `{dependency}`") });
            }
        }
        for missing in allowed.iter().filter(|arrow| !dependencies(&manifest).iter().any(|(_, dependency)| dependency == *arrow)) {
            findings.push(Finding { file: file.clone(), line: 1, what: format!("the arrow to `{missing}` is gone") });
        }
    }
    expect_none(Rule::Arrows, findings);
}

#[test]
fn billing_depends_on_few_crates_and_on_none_that_reaches_outside() {
    let file = "crates/billing/Cargo.toml";
    let dependencies = dependencies(&read(&root().join(file)));
    let mut findings = Vec::new();
    if dependencies.len() >= BILLING_DEPENDENCIES_BELOW {
        findings.push(Finding { file: file.to_owned(), line: 1, what: format!("{} dependencies", dependencies.len()) });
    }
    for (line, dependency) in dependencies {
        if dependency.split(['-', '_']).any(|part| NOT_IN_BILLING.split(' ').any(|banned| part == banned)) {
            findings.push(Finding { file: file.to_owned(), line, what: format!("`billing` may not depend on `{dependency}`") });
        }
    }
    expect_none(Rule::Arrows, findings);
}

#[test]
fn no_figure_is_swallowed_or_bent() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.holds_figures()) {
        for (line, text) in source.production_lines() {
            for banned in SWALLOWING.iter().filter(|banned| contains_word(text, banned)) {
                findings.push(Finding::in_source(source, line, format!("`{banned}`")));
            }
        }
    }
    expect_none(Rule::Swallowing, findings);
}

#[test]
fn no_number_is_cast() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| source.holds_figures()) {
        for (line, text) in source.production_lines() {
            let targets = text.split(" as ").skip(1).map(|rest| rest.split(|c: char| !c.is_alphanumeric() && c != '_').next());
            for target in targets.flatten().filter(|target| NUMBER_TYPES.contains(target)) {
                if !text.trim_start().starts_with("use ") {
                    findings.push(Finding::in_source(
                        source,
                        line,
                        format!("cast to `{target}`; `From` and `TryFrom` say what can go wrong"),
                    ));
                }
            }
        }
    }
    expect_none(Rule::Casts, findings);
}

#[test]
fn every_name_says_what_is_inside() {
    let mut findings = Vec::new();
    for source in sources() {
        let parts = source.path.trim_end_matches(".rs").split('/').filter_map(|part| part.rsplit(['_', '-']).next());
        for part in parts.filter(|part| EMPTY_NAMES.contains(part)) {
            findings.push(Finding::in_source(&source, 1, format!("a file or folder named `{part}`")));
        }
        for (line, text) in (1..).zip(source.code.lines()) {
            for name in declared_names(text) {
                if EMPTY_NAMES.contains(&last_word(name).as_str()) {
                    findings.push(Finding::in_source(&source, line, format!("`{name}` ends in a word that says nothing")));
                }
            }
        }
    }
    expect_none(Rule::Names, findings);
}

#[test]
fn every_module_says_what_it_is_and_is_not() {
    let mut findings = Vec::new();
    for source in sources() {
        let header = source.text.lines().take_while(|line| line.starts_with("//!"));
        // A table, such as the glossary of `billing`, is read when it is looked for.
        let lines = header.filter(|line| !line.starts_with("//! |")).count();
        if !HEADER_LINES.contains(&lines) {
            findings.push(Finding::in_source(&source, 1, format!("the module begins with {lines} lines of `//!`, not {HEADER_LINES:?}")));
        }
    }
    expect_none(Rule::Headers, findings);
}

#[test]
fn nothing_is_left_for_later() {
    let reminders = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("X", "XX")];
    let mut findings = Vec::new();
    for source in sources() {
        for (line, text) in (1..).zip(source.text.lines()) {
            for reminder in reminders.iter().filter(|reminder| contains_word(text, reminder)) {
                findings.push(Finding::in_source(&source, line, format!("`{reminder}`: do it, or open an issue")));
            }
        }
    }
    expect_none(Rule::Reminders, findings);
}

#[test]
fn clock_chance_and_environment_enter_in_one_place_each() {
    let mut findings = Vec::new();
    for source in sources().iter().filter(|source| !source.is_integration_test()) {
        for (line, text) in source.production_lines() {
            for (call, place) in ONE_PLACE.iter().filter(|(call, place)| text.contains(call) && source.path != *place) {
                findings.push(Finding::in_source(source, line, format!("`{call}` belongs in {place}")));
            }
        }
    }
    expect_none(Rule::OnePlace, findings);
}

/// Fails with every finding that is not listed, and with every listed one that is gone.
fn expect_none(rule: Rule, findings: Vec<Finding>) {
    let mut by_file: BTreeMap<String, Vec<Finding>> = BTreeMap::new();
    for finding in findings {
        by_file.entry(finding.file.clone()).or_default().push(finding);
    }
    let mut report = String::new();
    for (_, file, listed, why) in EXCEPTIONS.iter().filter(|exception| exception.0 == rule) {
        let found = by_file.get(*file).map_or(0, Vec::len);
        if found <= *listed {
            by_file.remove(*file);
        }
        if found < *listed {
            writeln!(report, "{file}: EXCEPTIONS lists {listed} ({why}), found {found}: let the list shrink").expect("a string takes all");
        }
    }
    for finding in by_file.into_values().flatten() {
        writeln!(report, "{}:{}: {}", finding.file, finding.line, finding.what).expect("a string takes all");
    }
    assert!(report.is_empty(), "{rule:?}:\n{report}");
}

/// The names of the types, traits and modules that a line declares.
fn declared_names(code: &str) -> impl Iterator<Item = &str> {
    let words: Vec<&str> = code.split(|c: char| !c.is_alphanumeric() && c != '_').filter(|word| !word.is_empty()).collect();
    let pairs: Vec<(&str, &str)> = words.windows(2).map(|pair| (pair[0], pair[1])).collect();
    pairs.into_iter().filter(|(word, _)| ["struct", "enum", "trait", "type", "mod", "union"].contains(word)).map(|(_, name)| name)
}

/// `UsageManager` and `usage_manager` end in `manager`.
fn last_word(name: &str) -> String {
    let part = name.rsplit('_').next().expect("a split has a first part");
    let start = part.rfind(|c: char| c.is_uppercase());
    part[start.unwrap_or(0)..].to_lowercase()
}

/// Whether the text contains the needle, and not as a part of a longer word.
fn contains_word(text: &str, needle: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(needle).any(|(at, _)| {
        let before = text[..at].chars().next_back().is_some_and(is_word) && needle.starts_with(is_word);
        let after = text[at + needle.len()..].chars().next().is_some_and(is_word) && needle.ends_with(is_word);
        !before && !after
    })
}

/// The dependencies of a manifest with their lines, those of tests included.
fn dependencies(manifest: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut in_dependencies = false;
    for (line, text) in (1..).zip(manifest.lines().map(str::trim)) {
        if let Some(section) = text.strip_prefix('[') {
            let section = section.trim_end_matches(']');
            in_dependencies = section.ends_with("dependencies");
            if let Some((kind, name)) = section.rsplit_once('.').filter(|(kind, _)| kind.ends_with("dependencies")) {
                assert!(!kind.is_empty() && !name.is_empty(), "line {line}: {text}");
                found.push((line, name.to_owned()));
            }
        } else if in_dependencies && !text.is_empty() && !text.starts_with('#') {
            let name = text.split(['=', '.', ' ']).next().expect("a split has a first part");
            found.push((line, name.to_owned()));
        }
    }
    found
}

fn sources() -> Vec<Source> {
    let mut files = Vec::new();
    for folder in entries(&root().join("crates")) {
        collect_sources(&folder, &mut files);
    }
    collect_sources(&root().join("benches"), &mut files);
    assert!(files.len() > 10, "the workspace has more sources than {}", files.len());
    let path = |file: &Path| file.strip_prefix(root()).expect("below the root").to_str().expect("a readable path").replace('\\', "/");
    files.iter().map(|file| Source::new(path(file), read(file))).collect()
}

fn collect_sources(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in entries(folder) {
        if entry.is_dir() {
            collect_sources(&entry, files);
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            files.push(entry);
        }
    }
}

/// The entries of a folder by name, so that every report comes in the same order.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let listing = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("a readable folder").path()).collect();
    paths.sort();
    paths
}

fn read(file: &Path) -> String {
    fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

fn root() -> &'static Path {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in crates/");
    crates.parent().expect("crates/ lies in the workspace")
}
