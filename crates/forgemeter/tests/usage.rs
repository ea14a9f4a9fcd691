//! Usage from outside, with the real program: sent over HTTP and by `ingest`, visible in the next answer, counted once; and the
//! demonstration, as the test suites of client developers start it.
//!
//! Bad input in all its forms is left to the contract runs in `tests/clients`, crashes to `crash.rs`.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

const NOW: &str = "2026-11-10T12:00:00Z";
/// How long anything that must happen may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

const ACCOUNTS: &str = r#"
[[user]]
login = "mona"
plan = "pro"
email = "mona@example.test"

[[user]]
login = "hubot"
plan = "free_user"
email = "hubot@example.test"

[[organization]]
login = "acme"
plan = "team"
owners = ["mona"]
members = ["hubot"]
"#;

fn forgemeter() -> Command {
    Command::new(env!("CARGO_BIN_EXE_forgemeter"))
}

/// A running server, killed with its test.
struct Server {
    process: Child,
    url: String,
    agent: ureq::Agent,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Server {
    fn start(command: &mut Command) -> (Server, String) {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        (Server { process, url: String::new(), agent: config.into() }, line)
    }

    fn get(&self, token: &str, path: &str) -> (u16, Value) {
        let request = self.agent.get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {token}"));
        let mut answer = request.header("user-agent", "test").call().unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
    }

    fn send(&self, token: &str, path: &str, body: &str) -> (u16, Value) {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", format!("Bearer {token}"));
        let mut answer = request.header("user-agent", "test").header("content-type", "application/x-ndjson").send(body).unwrap();
        (answer.status().as_u16(), serde_json::from_str(&answer.body_mut().read_to_string().unwrap()).unwrap())
    }
}

/// A server on a folder with the accounts above, and the tokens of its users.
struct Acme {
    server: Server,
    mona: String,
    hubot: String,
    folder: tempfile::TempDir,
}

impl Acme {
    fn new() -> Acme {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("acme.toml");
        fs::write(&file, ACCOUNTS).unwrap();
        let data = folder.path().join("data");
        let applied = forgemeter().args(["apply", "--now", NOW]).arg(&file).arg("--data").arg(&data).output().unwrap();
        assert!(applied.status.success(), "{applied:?}");
        let (mona, hubot) = (token(&data, "mona", "repo,user,usage:write"), token(&data, "hubot", "user,usage:write"));
        let mut serve = forgemeter();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--now", NOW, "--data"]).arg(&data);
        let (mut server, line) = Server::start(&mut serve);
        server.url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the server did not start: {line:?}")).to_owned();
        Acme { server, mona, hubot, folder }
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn ingest(&self, file: &Path, token: &str, options: &[&str]) -> Output {
        let mut ingest = forgemeter();
        ingest.arg("ingest").arg(file).args(["--url", &self.server.url, "--token", token]).args(options);
        ingest.output().unwrap()
    }

    fn minutes(&self) -> u64 {
        let (status, answer) = self.server.get(&self.mona, "/orgs/acme/settings/billing/actions");
        assert_eq!(status, 200, "{answer}");
        answer["total_minutes_used"].as_u64().unwrap()
    }
}

fn token(data: &Path, login: &str, scopes: &str) -> String {
    let created = forgemeter().args(["token", "create", "--login", login, "--scopes", scopes, "--data"]).arg(data).output().unwrap();
    assert!(created.status.success(), "{created:?}");
    String::from_utf8(created.stdout).unwrap().trim().to_owned()
}

/// One Linux minute of a number.
fn event(number: u64) -> Value {
    json!({
        "specversion": "1.0", "type": "usage.recorded", "source": "/test", "id": format!("e{number}"), "time": "2026-11-03T10:15:00Z",
        "subject": "acme/web", "data": {"sku": "actions_linux", "quantity": 1, "username": "mona"},
    })
}

fn with(mut event: Value, pointer: &str, value: Value) -> Value {
    *event.pointer_mut(pointer).unwrap() = value;
    event
}

fn lines(events: &[Value]) -> String {
    events.iter().fold(String::new(), |mut text, event| {
        writeln!(text, "{event}").unwrap();
        text
    })
}

#[test]
fn usage_is_in_the_very_next_answer_and_is_counted_once() {
    let acme = Acme::new();
    let job = json!({
        "specversion": "1.0", "type": "ci.job.completed", "source": "/forge", "id": "job-9", "time": "2026-11-03T11:00:00Z",
        "subject": "ACME/web",
        "data": {"runner_labels": ["windows-latest"], "started_at": "2026-11-03T10:00:00Z", "completed_at": "2026-11-03T10:04:01Z",
            "conclusion": "success", "run_id": 7, "run_attempt": 1, "job_id": 9},
    });
    let (status, first) = acme.server.send(&acme.mona, "/v1/usage", &lines(&[event(1), job.clone()]));
    assert_eq!((status, &first["accepted"], &first["events"]), (200, &json!(2), &json!([])));
    // Five Windows minutes weigh ten.
    assert_eq!(acme.minutes(), 11);

    let changed = with(event(1), "/data/quantity", json!(2));
    let late = with(event(2), "/time", json!("2026-11-11T12:30:00Z"));
    let late_job = with(with(job.clone(), "/id", json!("job-10")), "/data/completed_at", json!("2026-12-01T00:00:00Z"));
    let again = lines(&[event(1), changed, late, job, late_job, event(3)]);
    let (status, second) = acme.server.send(&acme.mona, "/v1/usage?verdicts=all", &again);
    assert_eq!(status, 200);
    let counts = ["accepted", "duplicate", "conflict", "rejected"].map(|name| second[name].as_u64().unwrap());
    assert_eq!(counts, [1, 2, 1, 2]);
    let verdicts: Vec<_> = second["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (event["line"].as_u64().unwrap(), event["verdict"].as_str().unwrap(), event["field"].as_str().unwrap_or("")))
        .collect();
    let expected = [
        (1, "duplicate", ""),
        (2, "conflict", "data.quantity"),
        (3, "rejected", "time"),
        (4, "duplicate", ""),
        (5, "rejected", "data.completed_at"),
        (6, "accepted", ""),
    ];
    assert_eq!(verdicts, expected);
    assert_eq!(acme.minutes(), 12);
}

#[test]
fn nobody_learns_from_a_verdict_which_accounts_exist() {
    let acme = Acme::new();
    let events = [event(1), with(event(2), "/subject", json!("no-such-owner/web")), with(event(3), "/subject", json!("mona/dotfiles"))];
    let (status, answer) = acme.server.send(&acme.hubot, "/v1/usage", &lines(&events));
    assert_eq!((status, &answer["rejected"]), (200, &json!(3)), "{answer}");
    let events = answer["events"].as_array().unwrap();
    assert!(events.iter().all(|event| event["field"] == "subject" && event["reason"] == events[0]["reason"]), "{answer}");
    assert_eq!(acme.minutes(), 0);
}

#[test]
fn usage_without_a_price_is_listed_for_those_whom_it_concerns() {
    let acme = Acme::new();
    let unpriced = with(with(event(1), "/data/sku", json!("quantum_minutes")), "/data/quantity", json!("0.000000001"));
    let (_, answer) = acme.server.send(&acme.mona, "/v1/usage", &lines(&[unpriced, event(2)]));
    assert_eq!(answer["accepted"], 2);
    let (status, listed) = acme.server.get(&acme.mona, "/v1/unrated");
    assert_eq!(status, 200);
    let unrated = listed["unrated"].as_array().unwrap();
    assert_eq!(unrated.len(), 1, "{listed}");
    let event = &unrated[0];
    assert_eq!(
        (&event["owner"], &event["repository"], &event["sku"], &event["id"]),
        (&json!("acme"), &json!("web"), &json!("quantum_minutes"), &json!("e1"))
    );
    assert_eq!((&event["time"], &event["reason"]), (&json!("2026-11-03T10:15:00Z"), &json!("the SKU is not in the price book")));
    assert!(serde_json::to_string(&event["quantity"]).unwrap().starts_with('1'), "a number: {event}");
    assert_eq!(acme.server.get(&acme.hubot, "/v1/unrated"), (200, json!({"unrated": []})));
}

#[test]
fn a_file_is_ingested_once_however_often_it_is_sent() {
    let acme = Acme::new();
    let events: Vec<Value> = (0..12_000).map(event).collect();
    let mut file: Vec<String> = events.iter().map(Value::to_string).collect();
    file.insert(3, String::new());
    file.insert(6_000, with(event(1), "/data/quantity", json!(7)).to_string());
    file.insert(6_001, "{broken".to_owned());
    file.insert(6_002, "x".repeat(200_000));
    file.insert(6_003, "[1,2]".to_owned());
    let file = acme.write("usage.ndjson", &(file.join("\r\n") + "\n"));
    for (verdict, counts) in [("accepted", "accepted\t12000\nduplicate\t0\n"), ("duplicate", "accepted\t0\nduplicate\t12000\n")] {
        let ingested = acme.ingest(&file, &acme.mona, &[]);
        let (out, told) = (String::from_utf8(ingested.stdout).unwrap(), String::from_utf8(ingested.stderr).unwrap());
        assert_eq!(out, format!("{counts}conflict\t1\nrejected\t3\n"), "{verdict}: {told}");
        assert_eq!(ingested.status.code(), Some(1));
        for line in [
            "line 6001: conflict: `data.quantity` ",
            "line 6002: rejected: `event` ",
            "line 6003: rejected: `event` is longer",
            "line 6004: ",
        ] {
            assert!(told.contains(line), "{line}: {told}");
        }
    }
    assert_eq!(acme.minutes(), 12_000);
}

#[test]
fn ingest_reads_standard_input_and_answers_in_json() {
    let acme = Acme::new();
    let mut ingest = forgemeter();
    ingest.args(["ingest", "-", "--json"]).env("FORGEMETER_URL", &acme.server.url).env("FORGEMETER_TOKEN", &acme.mona);
    let mut child = ingest.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines(&[event(1), event(2)]).as_bytes()).unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(done.status.success());
    let answer: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&answer["accepted"], &answer["events"]), (&json!(2), &json!([])));
    assert!(answer["sequence"].is_string(), "{answer}");
}

#[test]
fn ingest_says_by_its_exit_code_who_is_to_mend_what() {
    let acme = Acme::new();
    let file = acme.write("usage.ndjson", &lines(&(0..20_000).map(event).collect::<Vec<_>>()));
    let reader = token(&acme.folder.path().join("data"), "mona", "repo");
    for wrong in ["fmt_000000000000000000000000000000000000", &reader] {
        let refused = acme.ingest(&file, wrong, &[]);
        assert_eq!(refused.status.code(), Some(4), "{refused:?}");
        assert_eq!(refused.stdout, b"accepted\t0\nduplicate\t0\nconflict\t0\nrejected\t0\n");
    }
    for (file, url) in [("no-such-file", acme.server.url.as_str()), (".", &acme.server.url), ("usage.ndjson", "localhost:8080")] {
        let file = acme.folder.path().join(file);
        let refused = forgemeter().arg("ingest").arg(file).args(["--url", url, "--token", "fmt_x"]).output().unwrap();
        assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    }
    assert_eq!(acme.minutes(), 0);
}

#[test]
fn the_demonstration_serves_each_role_and_leaves_nothing_behind() {
    let temporary = tempfile::tempdir().unwrap();
    let mut command = forgemeter();
    command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--now", NOW]).env("TMPDIR", temporary.path());
    let (mut demo, line) = Server::start(&mut command);
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    demo.url = ready["url"].as_str().unwrap().to_owned();
    assert!(ready["organizations"].as_array().unwrap().len() >= 3);
    let names = ["enterprise", "organizations", "users"].map(|name| ready[name].to_string());
    let enterprise = ready["enterprise"].as_str().unwrap();
    let (organization, user) = (ready["organizations"][0].as_str().unwrap(), ready["users"][0].as_str().unwrap());
    let paths = [
        format!("/enterprises/{enterprise}/settings/billing/actions"),
        format!("/enterprises/{enterprise}/settings/billing/reports"),
        format!("/orgs/{organization}/settings/billing/shared-storage"),
        format!("/users/{user}/settings/billing/packages"),
    ];
    let table = [
        ("enterprise_owner", [200, 200, 200, 404]),
        ("billing_manager", [200, 200, 200, 404]),
        ("organization_owner", [404, 404, 200, 404]),
        ("member", [404, 404, 404, 404]),
        ("user", [404, 404, 404, 200]),
        ("usage_writer", [404, 404, 404, 404]),
    ];
    let token = |role: &str| ready["tokens"][role].as_str().unwrap_or_else(|| panic!("no token of {role}: {names:?}"));
    for (role, statuses) in table {
        let answered = paths.each_ref().map(|path| demo.get(token(role), path).0);
        assert_eq!(answered, statuses, "{role}");
    }
    let minutes = || demo.get(token("enterprise_owner"), &paths[0]).1["total_minutes_used"].as_u64().unwrap();
    let before = minutes();
    assert!(before > 1_000, "{before}");
    let own = with(with(event(1), "/subject", json!(format!("{organization}/web"))), "/data/quantity", json!(100));
    assert_eq!(demo.send(token("usage_writer"), "/v1/usage", &own.to_string()).1["accepted"], 1);
    assert_eq!(minutes(), before + 100);

    let stopped = Command::new("kill").args(["-TERM", &demo.process.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert!(demo.process.wait().unwrap().success());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
}
