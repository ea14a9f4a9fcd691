//! `forgemeter apply` and `forgemeter token` as processes on a folder of their own.
//!
//! Their exit codes, what they print where, and that a second process finds what the first one left.

#![allow(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const ACME: &str = r#"
[[enterprise]]
slug = "acme-corp"
owners = ["mona"]
billing_managers = ["hubot"]

[[organization]]
login = "acme"
enterprise = "acme-corp"
plan = "team"
members = ["robot"]
"#;

/// A data folder that vanishes with its test, and a file beside it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    fn run(&self, verbs: &[&str], arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_forgemeter"));
        command.args(verbs).arg("--data").arg(self.data()).args(arguments).output().unwrap()
    }

    fn apply(&self, text: &str, arguments: &[&str]) -> Output {
        let file = self.0.path().join("acme.toml");
        std::fs::write(&file, text).unwrap();
        self.run(&["apply", file.to_str().unwrap()], arguments)
    }
}

fn succeeded(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What a process that failed told on standard error, without the folder of the test.
fn failed(folder: &Folder, output: &Output, code: i32) -> String {
    let told = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{told}");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    told.replace(folder.0.path().to_str().unwrap(), "DIR")
}

#[test]
fn the_first_run_prints_what_it_changes_and_the_second_changes_nothing() {
    let folder = Folder::new();
    assert_eq!(
        succeeded(&folder.apply(ACME, &[])),
        "+ enterprise `acme-corp` (plan ghec; owners mona; billing_managers hubot)\n\
         + organization `acme` (plan team; enterprise acme-corp; members robot)\n\
         + user `mona` (plan free_user)\n\
         + user `hubot` (plan free_user)\n\
         + user `robot` (plan free_user)\n"
    );
    assert_eq!(succeeded(&folder.apply(ACME, &[])), "nothing to change\n");
    assert_eq!(succeeded(&folder.apply(ACME, &["--json"])), "{\"changes\":[]}\n");
    let upgraded = ACME.replace("\"team\"", "\"ghec\"");
    assert_eq!(
        succeeded(&folder.apply(&upgraded, &["--json", "--now", "2026-11-03T10:00:00Z"])),
        "{\"changes\":[{\"action\":\"change\",\"kind\":\"organization\",\"name\":\"acme\",\"key\":\"plan\",\"since\":\"2026-11-03T10:00:00Z\",\
         \"text\":\"~ organization `acme`: plan team → ghec, since 2026-11-03T10:00:00Z\"}]}\n"
    );
}

#[test]
fn a_file_with_mistakes_changes_nothing_and_makes_no_folder() {
    let folder = Folder::new();
    let wrong = ACME.replace("members", "membres").replace("\"team\"", "\"teem\"");
    assert_eq!(
        failed(&folder, &folder.apply(&wrong, &[]), 1),
        "error: one mistake in `DIR/acme.toml`; nothing was changed\n\
         DIR/acme.toml:11: unknown key `membres` in [[organization]]; the nearest known is `members`\n"
    );
    let told = failed(&folder, &folder.apply(&ACME.replace("\"team\"", "\"teem\""), &[]), 1);
    assert!(told.ends_with("DIR/acme.toml:10: plan `teem` is unknown; the nearest known is `team`\n"), "{told}");
    assert!(!folder.data().exists());

    succeeded(&folder.apply(ACME, &[]));
    failed(&folder, &folder.apply(&wrong, &[]), 1);
    assert_eq!(succeeded(&folder.apply(ACME, &[])), "nothing to change\n");
    let missing = folder.run(&["apply", "/nowhere/acme.toml"], &[]);
    assert!(failed(&folder, &missing, 1).starts_with("error: `/nowhere/acme.toml` cannot be read: "));
    failed(&folder, &folder.apply(ACME, &["--now", "yesterday"]), 2);
}

#[test]
fn a_token_is_printed_alone_listed_without_its_secret_and_revoked() {
    let folder = Folder::new();
    succeeded(&folder.apply(ACME, &[]));
    let scopes = ["--login", "MONA", "--scopes", "usage:write,admin:org", "--expires", "90d", "--now", "2026-11-03T10:00:00Z"];
    let created = folder.run(&["token", "create"], &scopes);
    let token = succeeded(&created);
    assert!(token.starts_with("fmt_") && token.trim_end().len() == 40 && token.ends_with('\n'), "{token}");
    assert_eq!(
        String::from_utf8_lossy(&created.stderr),
        "token 1 of `mona`, scopes admin:org, usage:write, valid until 2027-02-01T10:00:00Z; it is shown only now\n"
    );
    let permissions = ["--login", "hubot", "--permissions", "plan:read,usage:write", "--now", "2026-11-03", "--json"];
    let json = succeeded(&folder.run(&["token", "create"], &permissions));
    assert!(json.contains("\"permissions\":{\"plan\":\"read\",\"usage\":\"write\"}") && json.contains("\"token\":\"fmt_"), "{json}");

    let revoked = folder.run(&["token", "revoke", "2"], &["--now", "2026-11-05"]);
    assert_eq!(
        (succeeded(&revoked), String::from_utf8_lossy(&revoked.stderr).into_owned()),
        (String::new(), "token 2 is revoked\n".to_owned())
    );
    let rows: Vec<Vec<String>> =
        succeeded(&folder.run(&["token", "list"], &[])).lines().map(|row| row.split('\t').map(ToOwned::to_owned).collect()).collect();
    assert_eq!(rows[0][..5], ["1", "mona", "admin:org,usage:write", "2026-11-03T10:00:00Z", "2027-02-01T10:00:00Z"]);
    assert_eq!(rows[1], ["2", "hubot", "plan:read,usage:write", "2026-11-03T00:00:00Z", "never", "revoked"]);
    let json = succeeded(&folder.run(&["token", "list"], &["--json"]));
    assert!(json.contains("\"revoked_at\":\"2026-11-05T00:00:00Z\"") && !json.contains("fmt_"), "{json}");
    assert!(!holds(&folder.data(), token.trim_end().as_bytes()), "a file holds the token");

    let unknown = failed(&folder, &folder.run(&["token", "revoke", "7"], &[]), 1);
    assert_eq!(unknown, "error: token 7 does not exist; `forgemeter token list` shows the ids\n");
}

#[test]
fn a_token_that_makes_no_sense_is_refused_by_name() {
    let folder = Folder::new();
    let nowhere = failed(&folder, &folder.run(&["token", "list"], &[]), 1);
    assert_eq!(nowhere, "error: `DIR/data` is no data folder; `forgemeter apply` makes one\n");
    succeeded(&folder.apply(ACME, &[]));
    let table: &[(&[&str], i32, &str)] = &[
        (&["--login", "mona", "--scopes", "admin:orgs"], 2, "error: scope `admin:orgs` is unknown; the nearest known is `admin:org`\n"),
        (&["--login", "mona", "--scopes", ""], 2, "error: scope `` is unknown; the nearest known is `"),
        (&["--login", "mona", "--permissions", "plans:read"], 2, "error: permission `plans` is unknown; the nearest known is `plan`\n"),
        (
            &["--login", "mona", "--permissions", "plan"],
            2,
            "error: permission `plan` does not say how much; write `plan:read` or `plan:write`\n",
        ),
        (
            &["--login", "mona", "--permissions", "plan:read,plan:write"],
            2,
            "error: permission `plan` is given twice; write includes read\n",
        ),
        (
            &["--login", "mina", "--scopes", "repo"],
            1,
            "error: user `mina` is unknown; the nearest known is `mona`; add users with `forgemeter apply`\n",
        ),
        (&["--login", "acme", "--scopes", "repo"], 1, "error: `acme` is an organization; a token belongs to a user\n"),
        (&["--login", "mona"], 2, "error: the following required arguments were not provided"),
        (
            &["--login", "mona", "--scopes", "repo", "--permissions", "plan:read"],
            2,
            "error: the argument '--scopes <SCOPE>' cannot be used with",
        ),
        (
            &["--login", "mona", "--scopes", "repo", "--expires", "soon"],
            2,
            "error: invalid value 'soon' for '--expires <TIME>': `soon` is no length",
        ),
    ];
    for (arguments, code, start) in table {
        let told = failed(&folder, &folder.run(&["token", "create"], arguments), *code);
        assert!(told.starts_with(start), "{told}\n{start}");
    }
    assert_eq!(succeeded(&folder.run(&["token", "list"], &[])), "");
}

fn holds(folder: &Path, needle: &[u8]) -> bool {
    let mut files = std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.any(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
}
