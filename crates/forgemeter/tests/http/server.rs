//! A data folder with accounts, a server process on it, and a client that shows an answer as it came over the wire.
//!
//! No client library: tests of headers, framing and time-outs must see every byte.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// How long anything that must happen may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) const NOW: &str = "2026-11-10T12:30:00Z";

/// An enterprise with one organization, an organization and a user that pay for themselves, and strangers.
const ACCOUNTS: &str = r#"
[[plan]]
name = "archive"
included = { actions_minutes = 3000, packages_transfer = 10, shared_storage = 25 }

[[enterprise]]
slug = "big"
plan = "ghec"
owners = ["root"]
billing_managers = ["bill"]

[[organization]]
login = "Inside"
previous_logins = ["old-inside"]
enterprise = "big"
plan = "team"
owners = ["olga"]
billing_managers = ["bob"]
members = ["mel"]

[[organization]]
login = "alone"
plan = "archive"
owners = ["mona"]

[[user]]
login = "mona"
plan = "archive"
"#;

pub(super) struct Folder(tempfile::TempDir);

impl Folder {
    pub(super) fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        let users = ["root", "bill", "olga", "bob", "mel", "eve"].map(|login| format!("[[user]]\nlogin = \"{login}\"\n"));
        folder.apply(&format!("{ACCOUNTS}{}", users.concat()));
        folder
    }

    pub(super) fn apply(&self, accounts: &str) {
        let file = self.0.path().join("accounts.toml");
        std::fs::write(&file, accounts).unwrap();
        self.run(&["apply", file.to_str().unwrap(), "--now", NOW]);
    }

    pub(super) fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Output {
        let output = forgemeter().args(arguments).arg("--data").arg(self.data()).output().unwrap();
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output
    }

    /// A token by its rights: `repo,user` or `plan:read`.
    pub(super) fn token(&self, login: &str, kind: &str, rights: &str) -> String {
        let output = self.run(&["token", "create", "--login", login, kind, rights]);
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn scopes(&self, login: &str, scopes: &str) -> String {
        self.token(login, "--scopes", scopes)
    }

    pub(super) fn serve(&self, options: &[&str]) -> Server {
        let mut command = forgemeter();
        command.args(["serve", "--listen", "127.0.0.1:0", "--now", NOW, "--data"]).arg(self.data()).args(options);
        Server::start(command)
    }
}

pub(super) fn forgemeter() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_forgemeter"));
    command.env("FORGEMETER_LOG", "warn");
    command
}

pub(super) struct Server {
    process: Child,
    pub(super) address: String,
}

impl Server {
    pub(super) fn start(mut command: Command) -> Server {
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            let mut told = String::new();
            process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
            panic!("the server did not start: {line:?} {told}");
        };
        Server { process, address: address.to_owned() }
    }

    pub(super) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream
    }

    /// An answer to a request with these header lines.
    pub(super) fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Answer {
        let mut stream = self.connect();
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        let headers: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        write!(stream, "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\n{length}{headers}\r\n{body}", self.address).unwrap();
        Answer::read(&mut stream)
    }

    pub(super) fn get(&self, path: &str, token: &str) -> Answer {
        self.ask("GET", path, &[&bearer(token)], "")
    }

    /// Sends usage events, one a line, all of which must be new.
    pub(super) fn send(&self, token: &str, events: &[String]) {
        let answer = self.ask("POST", "/v1/usage", &[&bearer(token), "content-type: application/x-ndjson"], &events.join("\n"));
        assert!(answer.body.starts_with(&format!("{{\"accepted\":{},", events.len())), "{}", answer.body);
    }

    /// The signal that asks the server to stop.
    pub(super) fn terminate(&self) {
        let status = Command::new("kill").args(["-TERM", &self.process.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process; its exit code and what it said.
    pub(super) fn wait(mut self) -> (Option<i32>, String) {
        let mut told = String::new();
        self.process.stderr.take().unwrap().read_to_string(&mut told).unwrap();
        (self.process.wait().unwrap().code(), told)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

pub(super) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// One usage event of a private repository, used as it stands.
pub(super) fn usage(repository: &str, id: &str, time: &str, sku: &str, quantity: &str) -> String {
    format!(
        r#"{{"specversion":"1.0","type":"usage.recorded","source":"/http","id":"{id}","time":"{time}","subject":"{repository}","data":{{"sku":"{sku}","quantity":"{quantity}"}}}}"#
    )
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

impl Answer {
    /// Reads to the end of the connection.
    pub(super) fn read(stream: &mut TcpStream) -> Answer {
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let text = String::from_utf8(bytes).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap()).map(|(name, value)| (name.to_owned(), value.to_owned()));
        Answer { status, headers: headers.collect(), body: body.to_owned() }
    }

    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }
}
