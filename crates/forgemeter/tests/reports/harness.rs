//! The program as a process, over HTTP: a folder with accounts, a server on it, the calls of a client, and a mailbox.
//! What is expected of the answers is left to the tests.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) const ACCOUNTS: &str = r#"
[[user]]
login = "mona"
email = "mona@example.test"

[[user]]
login = "hubot"

[[enterprise]]
slug = "acme-corp"
name = "Acme"
plan = "team"
owners = ["mona"]

[[enterprise]]
slug = "globex"
plan = "team"
owners = ["mona"]

[[organization]]
login = "acme"
enterprise = "acme-corp"
members = ["hubot"]

[[copilot_seat]]
user = "mona"
organization = "acme"
plan = "copilot_business"
since = 2026-01-01T00:00:00Z
"#;

pub(crate) const REPORTS: &str = "/enterprises/acme-corp/settings/billing/reports";
pub(crate) const NOW: &str = "2026-11-20T10:00:00Z";

pub(crate) fn forgemeter(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_forgemeter")).args(arguments).arg("--data").arg(folder).output().unwrap()
}

pub(crate) fn text(output: Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A folder with accounts, and tokens of the enterprise's owner and of a member.
pub(crate) struct Folder {
    pub(crate) path: tempfile::TempDir,
    pub(crate) owner: String,
    pub(crate) member: String,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        let path = tempfile::tempdir().unwrap();
        let accounts = path.path().join("acme.toml");
        std::fs::write(&accounts, ACCOUNTS).unwrap();
        text(forgemeter(&["apply", accounts.to_str().unwrap(), "--now", NOW], path.path()));
        let token = |login: &str| {
            let scopes = "admin:org,manage_billing:enterprise,usage:write";
            text(forgemeter(&["token", "create", "--login", login, "--scopes", scopes], path.path())).trim().to_owned()
        };
        let (owner, member) = (token("mona"), token("hubot"));
        Folder { path, owner, member }
    }

    pub(crate) fn serve(&self, settings: &[(&str, &str)]) -> Server {
        let mut serve = Command::new(env!("CARGO_BIN_EXE_forgemeter"));
        serve.args(["serve", "--listen", "127.0.0.1:0", "--now", NOW, "--data"]).arg(self.path.path()).envs(settings.iter().copied());
        let mut process = serve.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_else(|| panic!("the server did not start: {line:?}")).to_owned();
        Server { process, url, token: self.owner.clone(), agent: agent() }
    }

    pub(crate) fn report(&self, arguments: &[&str]) -> Output {
        forgemeter(&[&["report", "--enterprise", "acme-corp", "--start", "2026-11-01"], arguments].concat(), self.path.path())
    }
}

pub(crate) fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build().into()
}

pub(crate) struct Server {
    pub(crate) process: Child,
    pub(crate) url: String,
    pub(crate) token: String,
    pub(crate) agent: ureq::Agent,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Server {
    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        let request = self.agent.get(format!("{}{path}", self.url)).header("authorization", format!("Bearer {}", self.token));
        let mut answer = request.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    pub(crate) fn json(&self, path: &str) -> serde_json::Value {
        let (status, body) = self.get(path);
        assert_eq!(status, 200, "{path}: {body}");
        serde_json::from_str(&body).unwrap()
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> (u16, String) {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", format!("Bearer {}", self.token));
        let mut answer = request.send(body).unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    pub(crate) fn use_minutes(&self, numbers: std::ops::Range<u64>) {
        let events: Vec<String> = numbers
            .map(|number| {
                format!(
                    r#"{{"specversion":"1.0","type":"usage.recorded","source":"/r","id":"e{number}","time":"2026-11-{:02}T10:15:00Z","subject":"acme/r{}","data":{{"sku":"actions_linux","quantity":{},"username":"u{}"}}}}"#,
                    1 + number % 19,
                    number % 501,
                    1 + number % 9,
                    number % 307,
                )
            })
            .collect();
        for batch in events.chunks(10_000) {
            let (status, body) = self.post("/v1/usage", &(batch.join("\n") + "\n"));
            assert!(status == 200 && body.contains(&format!("\"accepted\":{}", batch.len())), "{status} {body}");
        }
    }

    /// Creates an export and returns its id.
    pub(crate) fn create(&self, body: &str) -> String {
        let (status, answer) = self.post(REPORTS, body);
        assert_eq!(status, 202, "{answer}");
        let export: serde_json::Value = serde_json::from_str(&answer).unwrap();
        export["id"].as_str().unwrap().to_owned()
    }

    /// Asks until an export has ended well, and returns its links.
    pub(crate) fn completed(&self, id: &str) -> Vec<String> {
        for _ in 0..PATIENCE.as_millis() / 10 {
            let export = self.json(&format!("{REPORTS}/{id}"));
            match export["status"].as_str().unwrap() {
                "completed" => {
                    return export["download_urls"].as_array().unwrap().iter().map(|url| url.as_str().unwrap().to_owned()).collect();
                }
                "processing" => wait(Duration::from_millis(10)),
                other => panic!("export {id} is {other}"),
            }
        }
        panic!("export {id} was never completed");
    }

    pub(crate) fn download(&self, link: &str) -> String {
        let mut answer = self.agent.get(link).call().unwrap();
        assert_eq!(answer.status(), 200, "{link}");
        answer.body_mut().with_config().limit(1 << 30).read_to_string().unwrap()
    }

    pub(crate) fn downloads(&self, id: &str) -> Vec<String> {
        self.completed(id).iter().map(|link| self.download(link)).collect()
    }
}

/// Waits without a sleep: nobody ever sends.
pub(crate) fn wait(duration: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    assert_eq!(receiver.recv_timeout(duration), Err(mpsc::RecvTimeoutError::Timeout));
}

pub(crate) fn wait_until(mut happened: impl FnMut() -> bool) {
    for _ in 0..PATIENCE.as_micros() / 500 {
        if happened() {
            return;
        }
        wait(Duration::from_micros(500));
    }
    panic!("it never happened");
}

/// Speaks SMTP with one client and returns what it was sent.
pub(crate) fn receive_mail(listener: &TcpListener) -> String {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    let mut mail = String::new();
    say("220 mail.example.test ESMTP");
    while let Some(line) = lines.next() {
        mail.push_str(&format!("{line}\n"));
        match line.split([' ', ':']).next().unwrap() {
            "DATA" => {
                say("354 go on");
                lines.by_ref().take_while(|line| line != ".").for_each(|line| mail.push_str(&format!("{line}\n")));
                say("250 queued");
            }
            "QUIT" => {
                say("221 bye");
                break;
            }
            _ => say("250 ok"),
        }
    }
    // Undoes the wrapping of long lines.
    mail.replace("=\n", "").replace("=3D", "=")
}
