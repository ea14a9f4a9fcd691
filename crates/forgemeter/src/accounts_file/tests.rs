//! Accounts files as text: what is read, and what is refused on which line.
//!
//! What the entries change in a folder is tested in the store; the whole command in `tests/apply.rs`.

use super::*;
use billing::Quantity;

const EVERY_KEY: &str = r#"
[[enterprise]]
slug = "acme-corp"
previous_slugs = ["acme-inc"]
name = "Acme"
plan = "ghec"
owners = ["mona"]
billing_managers = []
since = 2026-11-01

[[organization]]
login = "acme"
previous_logins = ["acme-old"]
name = "Acme"
enterprise = "acme-corp"
plan = "own"
owners = ["mona"]
billing_managers = ["hubot"]
members = ["robot"]
since = 2026-11-01T02:00:00+02:00

[[organization]]
login = "globex"
enterprise = ""

[[user]]
login = "mona"
previous_logins = ["lisa"]
name = "Mona"
plan = "pro"
email = "mona@example.com"
since = "2026-11-01T00:00:00Z"

[[plan]]
name = "own"
included = { actions_minutes = 3000, shared_storage = 0.1, packages_transfer = "1e1", ai_credits = +1_000 }

[[copilot_seat]]
user = "robot"
organization = "acme"
plan = "copilot_business"
since = 2026-11-01
until = "2026-12-01"
"#;

fn parsed(text: &str) -> AccountsFile {
    match Description::parse(text) {
        Ok(description) => description.file,
        Err(mistakes) => panic!("{}", mistakes.of_file("file", "refused")),
    }
}

/// The mistakes of a file against a new folder, without the first line, which counts them.
fn mistakes(text: &str) -> Vec<String> {
    let mistakes = match Description::parse(text) {
        Err(mistakes) => mistakes,
        Ok(description) => match description.check(&Facts::start(), UtcTime::MIN) {
            Err(AccountsFileError::Mistakes(mistakes)) => mistakes,
            other => panic!("{other:?}"),
        },
    };
    mistakes.of_file("f", "refused").to_string().lines().skip(1).map(ToOwned::to_owned).collect()
}

#[test]
fn every_key_of_every_table_is_read() {
    let file = parsed(EVERY_KEY);
    let since = UtcTime::parse("2026-11-01T00:00:00Z").unwrap();
    let names = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<String>>();
    let [corp, acme, globex, mona] = &file.accounts[..] else { panic!("{file:?}") };
    let expected = AccountEntry {
        previous_logins: names(&["acme-inc"]),
        name: Some("Acme".into()),
        plan: Some("ghec".into()),
        owners: Some(names(&["mona"])),
        billing_managers: Some(vec![]),
        since: Some(since),
        ..AccountEntry::new(AccountKind::Enterprise, "acme-corp")
    };
    assert_eq!(*corp, expected);
    assert_eq!(
        (acme.enterprise.clone(), acme.members.clone(), acme.since),
        (Some(Some("acme-corp".into())), Some(names(&["robot"])), Some(since))
    );
    assert_eq!((globex.enterprise.clone(), globex.members.clone()), (Some(None), None));
    assert_eq!(
        (mona.email.as_deref(), mona.previous_logins.clone(), mona.since),
        (Some("mona@example.com"), names(&["lisa"]), Some(since))
    );
    let included = file.plans[0].included.clone().unwrap();
    let quantities: Vec<String> = included.iter().map(|(pool, quantity)| format!("{pool} {quantity}")).collect();
    assert_eq!(quantities, ["actions_minutes 3000", "ai_credits 1000", "packages_transfer 10", "shared_storage 0.1"]);
    assert_eq!(file.seats[0].until, UtcTime::parse("2026-12-01T00:00:00Z").ok());
    assert_eq!(parsed(""), AccountsFile::default());
}

#[test]
fn quantities_never_pass_through_a_float() {
    let file = parsed("[[plan]]\nname = \"own\"\nincluded = { shared_storage = 100000000000.123456789, ai_credits = 0.000000001 }");
    let included = file.plans[0].included.clone().unwrap();
    assert_eq!(included["shared_storage"], Quantity::parse("100000000000.123456789").unwrap());
    assert_eq!(included["ai_credits"], Quantity::from_billionths(1));
}

#[test]
fn every_mistake_is_told_with_its_line_and_the_nearest_known_word() {
    let text = r#"
[[organisation]]
login = "acme"

[[organization]]
login = "globex"
onwers = ["mona"]
members = "mona"
plan = 3
since = 2026-11-01T10:00:00

[user]
login = "mona"

[[plan]]
included = { actions_minutes = true }

[[plan]]
name = "own"
included = { actions_minutes = -1, shared_storage = nan, ai_credits = 0x10,
  premium_requests = "many" }

[[copilot_seat]]
user = "mona"
since = 2026-13-01
"#;
    let without_the_bad_date = text.replace("2026-13-01", "true");
    assert_eq!(
        mistakes(&without_the_bad_date),
        [
            "f:2: unknown table `organisation`; the nearest known is `organization`",
            "f:7: unknown key `onwers` in [[organization]]; the nearest known is `owners`",
            "f:8: `members` must be an array of strings, not a string",
            "f:9: `plan` must be a string, not an integer",
            "f:10: `since`: `2026-11-01T10:00:00` is not an RFC 3339 date-time such as 2026-11-03T10:15:00Z; a date such as 2026-11-03 \
             will do as well",
            "f:12: write [[user]], with two brackets, above each entry",
            "f:15: [[plan]] needs a `name`",
            "f:20: `actions_minutes`: quantity `-1` is negative",
            "f:20: `ai_credits` must be a decimal number, not an integer",
            "f:20: `shared_storage`: quantity `nan` is not a decimal number",
            "f:21: `premium_requests`: quantity `many` is not a decimal number",
            "f:23: [[copilot_seat]] needs a `plan`",
            "f:25: `since` must be a date or a date-time, not a boolean",
        ]
    );
    let broken = mistakes(text);
    assert!(broken.len() == 1 && broken[0].starts_with("f:25: this is no TOML: "), "{broken:?}");
    assert!(mistakes("[[user]]\nlogin = \"mona\"\nlogin = \"hubot\"\n")[0].starts_with("f:3: this is no TOML: duplicate key"));
}

#[test]
fn what_only_the_folder_can_tell_has_its_line_too() {
    let text = r#"[[enterprise]]
slug = "acme-corp"
owners = [
  "mona",
  "mo na",
]

[[organization]]
login = "acme"
enterprise = "acme-crop"
plan = "teem"

[[user]]
login = "Acme"
name = "a	b"

[[plan]]
name = "own"
included = { actions_minutes = 1,
  actions_minuets = 1 }

[[copilot_seat]]
user = "mona"
organization = "acne"
plan = "copilot_buisness"
since = 2026-11-01
until = 2026-10-01
"#;
    assert_eq!(
        mistakes(text),
        [
            "f:5: `mo na` cannot be a login: use 1 to 100 letters, digits, `-`, `_` and `.`, the first a letter or digit",
            "f:10: enterprise `acme-crop` is unknown; add an `[[enterprise]]` entry for it; the nearest known is `acme-corp`",
            "f:11: plan `teem` is unknown; the nearest known is `team`",
            "f:14: `Acme` stands in two entries; write one entry for it; the first is on line 9",
            "f:20: pool `actions_minuets` is unknown to the price book; the nearest known is `actions_minutes`",
            "f:24: organization `acne` is unknown; add an `[[organization]]` entry for it; the nearest known is `acme`",
            "f:25: plan `copilot_buisness` is unknown; the nearest known is `copilot_business`",
            "f:27: the seat ends at 2026-10-01T00:00:00Z, not after its beginning at 2026-11-01T00:00:00Z",
        ]
    );
    assert_eq!(
        mistakes("[[user]]\nlogin = \"mona\"\nname = \"a\\tb\"\n"),
        ["f:3: `name` is longer than 255 characters or holds control characters"]
    );
}
