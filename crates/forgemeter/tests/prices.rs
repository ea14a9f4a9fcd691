//! `forgemeter prices`, price versions in `apply`, and `reprice`, as processes on a folder of their own.
//!
//! Usage is put into the folder directly; how it arrives over HTTP is tested in `usage.rs`.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use billing::usage::Tokens;
use billing::{Quantity, UsageEvent, UtcTime, Visibility};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Arc;
use store::database::Database;
use store::ledger::LedgerLimits;
use store::{Clock, FactsDatabase, Ledger};

const ACCOUNTS: &str = r#"
[[enterprise]]
slug = "acme-corp"
plan = "ghec"

[[organization]]
login = "acme"
enterprise = "acme-corp"

[[organization]]
login = "globex"
plan = "free_org"
"#;

const FEE: &str = "[[price_version]]\nname = \"fee\"\neffective_from = 2026-02-01\n\n[[price_version.sku]]\nsku = \"actions_self_hosted_linux\"\nprice = 0.002\n";

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn file(&self, name: &str, text: &str) -> String {
        let file = self.0.path().join(name);
        std::fs::write(&file, text).unwrap();
        file.to_str().unwrap().to_owned()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forgemeter"));
        command.args(arguments).arg("--data").arg(self.data()).output().unwrap()
    }

    fn apply(&self, text: &str) -> Output {
        self.run(&["apply", &self.file("file.toml", text), "--now", "2026-04-20T10:00:00Z"])
    }

    fn reprice(&self, from: &str, to: &str, prices: &str, more: &[&str]) -> Output {
        self.run(&[&["reprice", "--from", from, "--to", to, "--prices", prices], more].concat())
    }

    /// Rows of `day owner sku quantity`, in private repositories unless they say `public`.
    fn use_up(&self, rows: &str) {
        let database = Arc::new(Database::open(&self.data()).unwrap());
        let facts = Arc::new(FactsDatabase::open(Arc::clone(&database)).unwrap());
        let clock = Arc::new(Clock::open(database).unwrap());
        clock.set(UtcTime::parse("2026-04-20T10:00:00Z").unwrap()).unwrap();
        let ledger = Ledger::open(&self.data(), Arc::clone(&facts), clock, LedgerLimits::default()).unwrap();
        let known = facts.current().unwrap();
        let event = |(place, row): (usize, &str)| {
            let words: Vec<&str> = row.split_whitespace().collect();
            let used_at = UtcTime::parse(&format!("{}T12:00:00Z", words[0])).unwrap();
            UsageEvent {
                source: "/test".into(),
                id: place.to_string().into(),
                time: used_at,
                used_at,
                owner: known.accounts.owner(words[1]).unwrap().id,
                repository: Some("web".into()),
                sku: words[2].into(),
                quantity: Quantity::parse(words[3]).unwrap(),
                username: None,
                workflow_path: None,
                model: None,
                visibility: if words.contains(&"public") { Visibility::Public } else { Visibility::Private },
                tokens: Tokens::default(),
                job: None,
            }
        };
        ledger.commit(rows.trim().lines().enumerate().map(event).collect()).unwrap();
        ledger.close().unwrap();
    }
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", told(output));
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn told(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn refused(output: &Output, code: i32) -> String {
    assert_eq!(output.status.code(), Some(code), "{}", told(output));
    told(output)
}

/// The cells of each row, separated by one space.
fn rows(output: &Output) -> Vec<String> {
    succeeded(output).lines().map(|row| row.replace('\t', " ")).collect()
}

fn forgemeter(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forgemeter")).args(arguments).env_remove("FORGEMETER_DATA").output().unwrap()
}

#[test]
fn the_built_in_versions_are_shown_without_a_folder() {
    let listed = rows(&forgemeter(&["prices", "list"]));
    assert!(listed[0].starts_with("1 github-2025 1970-01-01 ") && listed[1].starts_with("2 github-2026 2026-01-01 "), "{listed:?}");
    let shown = rows(&forgemeter(&["prices", "show"]));
    assert!(shown.contains(&"actions actions_macos minutes 0.062 - actions_minutes 10 public,paths".to_owned()), "{shown:?}");
    let shown = rows(&forgemeter(&["prices", "show", "github-2025", "--pools"]));
    assert!(shown.contains(&"actions_minutes quantity - payer".to_owned()), "{shown:?}");
    let json = succeeded(&forgemeter(&["prices", "show", "github-2026", "--json"]));
    assert!(json.contains(
        "{\"product\":\"actions\",\"sku\":\"actions_linux\",\"name\":\"Actions Linux\",\"unit\":\"minutes\",\"price\":\"0.006\","
    ));
    assert!(json.contains("\"actions_minutes\":{\"counts\":\"money\",\"unit_price\":\"0.006\",\"scope\":\"payer\"}"), "{json}");
    let differences = rows(&forgemeter(&["prices", "diff", "github-2025", "github-2026"]));
    assert_eq!(differences[..2], ["version - effective_from 1970-01-01 2026-01-01", "pool actions_minutes counts quantity money"]);
    assert!(differences.contains(&"sku actions_windows price 0.016 0.01".to_owned()));
    let json = succeeded(&forgemeter(&["prices", "diff", "github-2025", "github-2026", "--json"]));
    assert!(
        json.contains("{\"kind\":\"sku\",\"name\":\"actions_linux\",\"key\":\"price\",\"before\":\"0.008\",\"after\":\"0.006\"}"),
        "{json}"
    );
    let unknown = refused(&forgemeter(&["prices", "show", "github-2027"]), 1);
    assert!(unknown.starts_with("error: price version `github-2027` is unknown; the nearest known is `github-202"), "{unknown}");
}

#[test]
fn a_price_version_is_applied_beside_accounts_once_and_never_edited() {
    let folder = Folder::new();
    let applied = succeeded(&folder.apply(&format!("{ACCOUNTS}\n{FEE}")));
    assert!(
        applied.starts_with(
            "+ price_version `fee` (effective_from 2026-02-01; based_on github-2026; changes actions_self_hosted_linux price 0 → 0.002; \
             reaches back 78 days: usage since 2026-02-01 is rated again)\n+ enterprise `acme-corp`"
        ),
        "{applied}"
    );
    assert_eq!(succeeded(&folder.apply(FEE)), "nothing to change\n");
    let shown = rows(&folder.run(&["prices", "show"]));
    assert!(shown.contains(&"actions actions_self_hosted_linux minutes 0.002 - - 1 -".to_owned()), "{shown:?}");
    assert_eq!(
        rows(&folder.run(&["prices", "diff", "github-2026", "fee"])),
        ["version - effective_from 2026-01-01 2026-02-01", "sku actions_self_hosted_linux price 0 0.002"]
    );
    let edited = refused(&folder.apply(&FEE.replace("0.002", "0.003")), 1);
    assert!(
        edited.ends_with(
            "file.toml:2: price version `fee` exists with other content (actions_self_hosted_linux price 0.002 → 0.003); a version is \
             never edited: give this one a new name\n"
        ),
        "{edited}"
    );
    assert_eq!(rows(&folder.run(&["prices", "list"])).len(), 3);
}

/// Values that cannot be read.
const MALFORMED: &str = r#"[[price_version]]
name = "wrong"
effective_from = 2026-03-01T00:00:00Z
from = "x"
[[price_version.sku]]
sku = "actions_linux"
price = -0.1
weight = 0.125
unit = "minute"
free_in_public = "yes"
[[price_version.sku]]
sku = "actions_windows"
price = 1_000_000.01
[[price_version.sku]]
price = 0.0000000000001
[price_version.pools.actions_minutes]
counts = "dollars"
scope = "payers"
[[price_version]]
name = "no day"
"#;

/// Values that make no sense against the start book.
const SENSELESS: &str = r#"[[price_version]]
name = "wrong"
effective_from = 2026-03-01
removed = ["actions_linus"]
[[price_version.sku]]
sku = "actions_macs"
price = 1
[[price_version.sku]]
sku = "actions_linux"
pool = "actions_minute"
[price_version.pools.actions_minuts]
scope = "user"
[[price_version]]
name = "later"
based_on = "github-2062"
effective_from = 2026-03-01
"#;

#[test]
fn every_mistake_of_a_price_version_is_told_with_its_line_and_the_nearest_word() {
    let folder = Folder::new();
    let lines: Vec<String> =
        refused(&folder.apply(MALFORMED), 1).lines().map(|line| line.rsplit("file.toml:").next().unwrap().to_owned()).collect();
    assert_eq!(
        lines[1..],
        [
            "3: `effective_from`: `2026-03-01T00:00:00Z` is not a date such as 2026-11-03",
            "4: unknown key `from` in [[price_version]]; the nearest known is `name`",
            "7: `price`: price `-0.1` is negative",
            "8: `weight`: weight `0.125` has more than two decimals",
            "9: `unit`: `minute` is none of minutes, hours, gigabyte-hours, gigabytes, user-months, requests, ai-credits, tokens, seconds, \
             gigabyte-seconds, gigabyte-months; the nearest known is `minutes`",
            "10: `free_in_public` must be `true` or `false`, not a string",
            "13: `price`: price `1000000.01` is greater than 10^6",
            "14: [[price_version.sku]] needs a `sku`",
            "15: `price`: price `0.0000000000001` has more than twelve decimals",
            "17: `counts`: `dollars` is none of money, quantity; the nearest known is `money`",
            "18: `scope`: `payers` is none of payer, licences, user, repository_hour; the nearest known is `payer`",
            "19: [[price_version]] needs a `effective_from`",
        ]
    );
    let lines: Vec<String> =
        refused(&folder.apply(SENSELESS), 1).lines().map(|line| line.rsplit("file.toml:").next().unwrap().to_owned()).collect();
    assert_eq!(
        lines[1..],
        [
            "4: SKU `actions_linus` is not in the version that this one is based on; the nearest known is `actions_linux`",
            "5: SKU `actions_macs` is new in this version and needs a `product`; the nearest known is `actions_macos`",
            "10: pool `actions_minute` is unknown to this version; the nearest known is `actions_minutes`",
            "11: pool `actions_minuts` is new in this version and needs a `counts`; the nearest known is `actions_minutes`",
            "15: price version `github-2062` is unknown; the nearest known is `github-2026`",
        ]
    );
    assert!(!folder.data().exists());
}

fn example() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/self-hosted-fee.toml").to_str().unwrap().to_owned()
}

#[test]
fn a_fee_on_self_hosted_minutes_is_foreseen_without_touching_the_books() {
    let folder = Folder::new();
    succeeded(&folder.apply(ACCOUNTS));
    // The free plan's 2,000 minutes are 12 USD in 2026: 1,500 hosted minutes take 9 of them, which leaves 3 for the fee.
    folder.use_up(
        "2026-01-10 globex actions_linux 1500\n2026-01-12 globex actions_self_hosted_linux 5000\n2026-01-13 globex actions_linux 100\n\
         2026-01-14 globex actions_self_hosted_linux 400 public\n2026-02-01 acme actions_self_hosted_windows 1000",
    );
    let first = folder.reprice("2026-01", "2026-03", &example(), &[]);
    assert_eq!(
        rows(&first),
        [
            "acme-corp acme actions actions_self_hosted_windows 1000 0 0 0 2 0 -2",
            "globex globex actions actions_linux 1600 0 0.6 0.6 0 0 0.6",
            "globex globex actions actions_self_hosted_linux 5400 0 7 7 10 0 -3",
        ]
    );
    assert!(told(&first).starts_with("0 USD now, 7.6 USD with self-hosted-fee: 7.6 (price 12, rules 0, pool -4.4)\n"), "{}", told(&first));
    assert_eq!(folder.reprice("2026-01", "2026-03", &example(), &[]).stdout, first.stdout);
    assert_eq!(rows(&folder.run(&["prices", "list"])).len(), 2, "the books know nothing of it");

    let acme = folder.reprice("2026-01", "2026-03", &example(), &["--account", "ACME"]);
    assert_eq!(rows(&acme).len(), 1);
    let json = succeeded(&folder.reprice("2026-02", "2026-02", &example(), &["--account", "acme-corp", "--json"]));
    assert_eq!(
        json,
        "{\"sequence\":\"1-6\",\"from\":\"2026-02\",\"to\":\"2026-02\",\"prices\":[\"self-hosted-fee\"],\"rows\":[{\"payer\":\"acme-corp\",\
         \"account\":\"acme\",\"product\":\"actions\",\"sku\":\"actions_self_hosted_windows\",\"before\":{\"quantity\":\"1000\",\"gross\":\"0\",\
         \"discount\":\"0\",\"net\":\"0\"},\"after\":{\"quantity\":\"1000\",\"gross\":\"2\",\"discount\":\"2\",\"net\":\"0\"},\"difference\":\"0\",\
         \"causes\":{\"price\":\"2\",\"rules\":\"0\",\"pool\":\"-2\"}}],\"total\":{\"before\":\"0\",\"after\":\"0\",\"difference\":\"0\",\
         \"causes\":{\"price\":\"2\",\"rules\":\"0\",\"pool\":\"-2\"}}}\n"
    );
    // Once the same file is applied, the books come to what was foreseen, and the file changes nothing more.
    let file = std::fs::read_to_string(example()).unwrap();
    succeeded(&folder.apply(&file));
    let now = rows(&folder.reprice("2026-01", "2026-03", &example(), &[]));
    assert_eq!(now[2], "globex globex actions actions_self_hosted_linux 5400 7 7 0 0 0 0");
    let told = told(&folder.reprice("2026-01", "2026-03", &example(), &[]));
    assert!(told.starts_with("price version `self-hosted-fee` is in the books already: it changes nothing\n"), "{told}");
}

#[test]
fn the_prices_of_2026_are_held_against_the_usage_of_2025() {
    let folder = Folder::new();
    succeeded(&folder.apply(ACCOUNTS));
    // Without a pool, W1 and W2 of GitHub's examples: 3,000 Linux and 2,000 Windows minutes cost 56 USD, 38 since 2026.
    folder.use_up(
        "2025-11-03 globex actions_linux 2000\n2025-11-04 globex actions_linux 3000\n2025-11-05 globex actions_windows 2000\n\
         2025-12-05 globex actions_linux_4_core 10\n2025-12-06 globex own_sku 7",
    );
    let output = folder.reprice("2025-10", "2025-12", "github-2026", &[]);
    assert_eq!(
        rows(&output),
        [
            "globex globex actions actions_linux 5000 24 18 -6 -10 0 4",
            "globex globex actions actions_linux_4_core 10 0.16 0.12 -0.04 -0.04 0 0",
            "globex globex actions actions_windows 2000 32 20 -12 -12 0 0",
        ]
    );
    let own = FEE.replace("fee", "own").replace("2026-02-01", "2025-12-01").replace("actions_self_hosted_linux", "own_sku");
    let own = folder.file("own.toml", &format!("{own}product = \"own\"\nunit = \"hours\"\n"));
    let priced = rows(&folder.reprice("2025-12", "2025-12", &own, &[]));
    assert_eq!(priced[1], "globex globex own own_sku 7 0 0.014 0.014 0 0.014 0");
    assert_eq!(rows(&folder.reprice("2026-01", "2026-02", "github-2025", &[])), Vec::<String>::new());
}

/// First month, last month, prices, further arguments, exit code and how the refusal begins.
type RefusedRun<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], i32, &'a str);

#[test]
fn what_cannot_be_re_priced_is_refused_by_name() {
    let folder = Folder::new();
    let missing = refused(&folder.reprice("2026-01", "2026-02", "github-2025", &[]), 2);
    assert!(missing.contains("is no data folder"), "{missing}");
    succeeded(&folder.apply(ACCOUNTS));
    let unused = refused(&folder.reprice("2026-01", "2026-02", "github-2025", &[]), 1);
    assert!(unused.contains("has no usage yet: no server ever ran on it"), "{unused}");
    folder.use_up("2026-01-10 globex actions_linux 1500");
    let (accounts, nothing) = (folder.file("accounts.toml", &format!("{ACCOUNTS}{FEE}")), folder.file("empty.toml", ""));
    let broken = folder.file("broken.toml", &FEE.replace("0.002", "free"));
    let table: [RefusedRun<'_>; 8] = [
        ("2026-02", "2026-01", "github-2025", &[], 2, "error: `--to` lies before `--from`\n"),
        ("2001-02", "2026-01", "github-2025", &[], 2, "error: `--from` to `--to` is more than 120 months\n"),
        ("2026-1", "2026-02", "github-2025", &[], 2, "error: invalid value '2026-1' for '--from <MONTH>': is no month such as 2026-01\n"),
        (
            "2026-01",
            "2026-02",
            "github-2052",
            &[],
            1,
            "error: `github-2052` is no price version; the nearest known is `github-2025`; as a file",
        ),
        ("2026-01", "2026-02", &accounts, &[], 1, "error: `DIR/accounts.toml` holds more than [[price_version]]; leave accounts, plans"),
        ("2026-01", "2026-02", &nothing, &[], 1, "error: `DIR/empty.toml` holds no [[price_version]]\n"),
        (
            "2026-01",
            "2026-02",
            &broken,
            &[],
            1,
            "error: one mistake in `DIR/broken.toml`; nothing was priced\nDIR/broken.toml:7: this is no TOML",
        ),
        (
            "2026-01",
            "2026-02",
            "github-2025",
            &["--account", "globe"],
            1,
            "error: account `globe` is unknown; the nearest known is `globex`\n",
        ),
    ];
    for (from, to, prices, more, code, expected) in table {
        let told = refused(&folder.reprice(from, to, prices, more), code).replace(folder.0.path().to_str().unwrap(), "DIR");
        assert!(told.starts_with(expected), "{told}\n{expected}");
    }
}
