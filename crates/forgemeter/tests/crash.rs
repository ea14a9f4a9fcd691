//! Kill -9 at random moments of ingest and of exports, again and again, on one growing folder.
//!
//! An independent count of what each sender was told says what must be there: every acknowledged event once, an unanswered one at most
//! once, nothing else; every export either unfinished or whole and right. This says nothing about power cuts: the kernel outlives the
//! process.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::Duration;

const CYCLES: usize = 200;
const SENDERS: usize = 4;
/// How long anything that must happen may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

const ACCOUNTS: &str = r#"
[[user]]
login = "mona"
plan = "pro"
email = "mona@example.test"

[[enterprise]]
slug = "acme-corp"
name = "Acme"
plan = "ghec"
owners = ["mona"]

[[organization]]
login = "acme"
enterprise = "acme-corp"
plan = "team"
owners = ["mona"]
"#;

fn forgemeter() -> Command {
    Command::new(env!("CARGO_BIN_EXE_forgemeter"))
}

/// The address of a running server; copies of it outlive the server.
#[derive(Clone)]
struct Api {
    url: String,
    token: String,
    agent: ureq::Agent,
}

struct Server {
    process: Child,
    api: Api,
}

impl Server {
    fn start(folder: &Path, token: &str) -> Server {
        let mut serve = forgemeter();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--seal-events", "3000", "--merge-segments", "3", "--data"]).arg(folder);
        let mut process = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the server did not start: {line:?}")).to_owned();
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Server { process, api: Api { url, token: token.to_owned(), agent: config.into() } }
    }

    /// The folder keeps the clock that one start has set.
    fn set_clock(folder: &Path) {
        let mut serve = forgemeter();
        serve.args(["serve", "--listen", "127.0.0.1:0", "--now", "2026-11-20T10:00:00Z", "--data"]).arg(folder);
        let mut process = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Api {
    /// Status and body; nothing when the server is gone.
    fn get(&self, path: &str) -> Option<(u16, String)> {
        let url = if path.starts_with("http") { path.to_owned() } else { format!("{}{path}", self.url) };
        let mut request = self.agent.get(&url);
        if !path.starts_with("http") {
            request = request.header("authorization", &format!("Bearer {}", self.token));
        }
        let mut answer = request.call().ok()?;
        let body = answer.body_mut().with_config().limit(1 << 30).read_to_string().ok()?;
        Some((answer.status().as_u16(), body))
    }

    fn post(&self, path: &str, body: &str) -> Option<(u16, String)> {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", &format!("Bearer {}", self.token));
        let mut answer = request.send(body).ok()?;
        let text = answer.body_mut().read_to_string().ok()?;
        Some((answer.status().as_u16(), text))
    }

    fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path).unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }
}

/// Waits without a sleep: nobody ever sends.
fn wait(duration: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    assert_eq!(receiver.recv_timeout(duration), Err(mpsc::RecvTimeoutError::Timeout));
}

/// A deterministic generator, so that a failure can be repeated as far as the scheduler allows.
fn random(state: &mut u64, limit: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % limit
}

/// One event of one minute; its number is its id.
fn event(number: u64) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"usage.recorded","source":"/crash","id":"e{number}","time":"2026-11-{:02}T10:15:00Z","subject":"acme/r{}","data":{{"sku":"actions_linux","quantity":1,"username":"u{}"}}}}"#,
        1 + number % 19,
        number % 7,
        number % 5,
    )
}

fn batch(numbers: std::ops::Range<u64>) -> String {
    numbers.map(|number| event(number) + "\n").collect()
}

/// What the senders were told, and what they still do not know.
#[derive(Default)]
struct Told {
    acknowledged: AtomicU64,
    unknown: Mutex<Vec<std::ops::Range<u64>>>,
    next: AtomicU64,
}

impl Told {
    /// Sends one new batch; `false` when the server is gone.
    fn send(&self, api: &Api, size: u64) -> bool {
        let first = self.next.fetch_add(size, Ordering::SeqCst);
        let numbers = first..first + size;
        match api.post("/v1/usage", &batch(numbers.clone())) {
            Some((200, body)) => {
                let counts: serde_json::Value = serde_json::from_str(&body).unwrap();
                assert_eq!(counts["accepted"], size, "a new event was not new: {body}");
                self.acknowledged.fetch_add(size, Ordering::SeqCst);
                true
            }
            Some((status, body)) => panic!("{status}: {body}"),
            None => {
                self.unknown.lock().unwrap().push(numbers);
                false
            }
        }
    }

    /// Sends again what was not answered: each batch lies in one group, so it is wholly new or wholly there.
    fn settle(&self, api: &Api) {
        for numbers in self.unknown.lock().unwrap().drain(..) {
            let size = numbers.end - numbers.start;
            let (status, body) = api.post("/v1/usage", &batch(numbers)).unwrap();
            let counts: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!(status, 200, "{body}");
            assert!(counts["accepted"] == size || counts["duplicate"] == size, "a batch was taken in part: {body}");
            self.acknowledged.fetch_add(size, Ordering::SeqCst);
        }
    }
}

fn minutes(api: &Api) -> u64 {
    api.json("/orgs/acme/settings/billing/actions")["total_minutes_used"].as_u64().unwrap()
}

/// Exports by id, with the counts that their rows must lie between and, once downloaded, their bytes.
type Exports = BTreeMap<String, (u64, u64, Option<String>)>;

const REPORTS: &str = "/enterprises/acme-corp/settings/billing/reports";

fn request_export(api: &Api, told: &Told, exports: &Mutex<Exports>) {
    let least = told.acknowledged.load(Ordering::SeqCst);
    let body = r#"{"report_type":"detailed","start_date":"2026-11-01","end_date":"2026-11-30"}"#;
    if let Some((status, answer)) = api.post(REPORTS, body) {
        assert_eq!(status, 202, "{answer}");
        let most = told.next.load(Ordering::SeqCst);
        let export: serde_json::Value = serde_json::from_str(&answer).unwrap();
        exports.lock().unwrap().insert(export["id"].as_str().unwrap().to_owned(), (least, most, None));
    }
}

/// Waits for every export that is not done, and checks each against what it must hold and against what it held before.
fn check_exports(api: &Api, exports: &mut Exports) {
    for (id, (least, most, known)) in exports {
        let urls = completed(api, id);
        let csv: String = urls.iter().map(|url| api.get(url).filter(|answer| answer.0 == 200).unwrap().1).collect();
        let quantities = csv.lines().skip(1).map(|row| row.split("\",\"").nth(3).unwrap().parse::<u64>().unwrap());
        let sum: u64 = quantities.sum();
        assert!(csv.ends_with('\n') && (*least..=*most).contains(&sum), "export {id} holds {sum} minutes, not {least} to {most}");
        match known {
            Some(known) => assert!(*known == csv, "export {id} changed"),
            None => *known = Some(csv),
        }
    }
}

fn completed(api: &Api, id: &str) -> Vec<String> {
    for _ in 0..PATIENCE.as_millis() / 10 {
        let export = api.json(&format!("{REPORTS}/{id}"));
        match export["status"].as_str().unwrap() {
            "completed" => return export["download_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect(),
            "processing" => wait(Duration::from_millis(10)),
            other => panic!("export {id} is {other}"),
        }
    }
    panic!("export {id} was never completed");
}

#[test]
fn kill_9_at_random_moments_loses_nothing_and_counts_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let token = prepare(folder.path());
    let (told, exports) = (Told::default(), Mutex::new(Exports::new()));
    let mut seed = 20_261_121;
    for cycle in 0..CYCLES {
        let server = Server::start(folder.path(), &token);
        let (acknowledged, sent) = (told.acknowledged.load(Ordering::SeqCst), told.next.load(Ordering::SeqCst));
        let found = minutes(&server.api);
        assert!(
            (acknowledged..=sent).contains(&found),
            "cycle {cycle}: {found} minutes, but {acknowledged} are acknowledged and {sent} sent"
        );
        told.settle(&server.api);
        assert_eq!(minutes(&server.api), sent, "cycle {cycle}: after the unanswered batches were sent again");
        if cycle % 10 == 9 {
            check_exports(&server.api, &mut exports.lock().unwrap());
        }
        let delay = Duration::from_micros(5_000 + random(&mut seed, 150_000));
        work_until_killed(server, &told, &exports, cycle, delay);
    }
    let server = Server::start(folder.path(), &token);
    told.settle(&server.api);
    assert_eq!(minutes(&server.api), told.next.load(Ordering::SeqCst));
    check_exports(&server.api, &mut exports.lock().unwrap());
    assert!(exports.lock().unwrap().len() >= CYCLES / 4 && minutes(&server.api) > 10_000, "hardly anything was at work when it was killed");
    server.kill();
}

fn prepare(folder: &Path) -> String {
    let accounts = folder.join("acme.toml");
    std::fs::write(&accounts, ACCOUNTS).unwrap();
    assert!(
        forgemeter()
            .arg("apply")
            .arg(&accounts)
            .args(["--now", "2026-11-20T10:00:00Z", "--data"])
            .arg(folder)
            .output()
            .unwrap()
            .status
            .success()
    );
    Server::set_clock(folder);
    let scopes = "admin:org,manage_billing:enterprise,usage:write";
    let created = forgemeter().args(["token", "create", "--login", "mona", "--scopes", scopes, "--data"]).arg(folder).output().unwrap();
    assert!(created.status.success());
    String::from_utf8(created.stdout).unwrap().trim().to_owned()
}

/// Several senders and one who asks for exports, until the server is killed under them.
fn work_until_killed(server: Server, told: &Told, exports: &Mutex<Exports>, cycle: usize, delay: Duration) {
    let api = &server.api.clone();
    std::thread::scope(|scope| {
        for sender in 0..SENDERS {
            let size = [1, 10, 100, 400][(sender + cycle) % 4];
            scope.spawn(move || while told.send(api, size) {});
        }
        if cycle.is_multiple_of(2) {
            scope.spawn(move || request_export(api, told, exports));
        }
        wait(delay);
        server.kill();
    });
}
