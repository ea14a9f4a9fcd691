//! The real program: preparing a folder, serving it, asking it over HTTP, stopping it in every way.
//!
//! What the answers must be is left to the checks.

use crate::failure::{Failure, Promise};
use crate::world::{ACCOUNTS, ENTERPRISE, NOW, SCOPES};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

/// How long anything may take before it counts as hung.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// The program under test.
#[derive(Debug, Clone)]
pub struct Program {
    pub path: PathBuf,
    /// The name of a planted fault; only a program that was built for it knows any.
    pub planted: Option<String>,
    /// Events that start a seal, and segments that start a merge.
    pub seal_events: u32,
    pub merge_segments: u32,
}

impl Program {
    #[must_use]
    pub fn new(path: PathBuf) -> Program {
        Program { path, planted: None, seal_events: 1500, merge_segments: 3 }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.env_clear().stdin(Stdio::null());
        command
    }

    /// Runs a verb to its end.
    #[must_use]
    pub fn run(&self, arguments: &[&str], data: &Path) -> Output {
        self.command().args(arguments).arg("--data").arg(data).output().expect("the program can be run")
    }

    /// Makes a folder with accounts and returns a token. The folder of accounts is another one.
    #[must_use]
    pub fn prepare(&self, data: &Path, scratch: &Path) -> String {
        let accounts = scratch.join("accounts.toml");
        std::fs::write(&accounts, ACCOUNTS).unwrap();
        let applied = self.run(&["apply", accounts.to_str().unwrap(), "--now", NOW], data);
        assert!(applied.status.success(), "{}", String::from_utf8_lossy(&applied.stderr));
        let created = self.run(&["token", "create", "--login", "mona", "--scopes", SCOPES], data);
        assert!(created.status.success(), "{}", String::from_utf8_lossy(&created.stderr));
        String::from_utf8(created.stdout).unwrap().trim().to_owned()
    }

    /// Starts a server without waiting for it. Its messages go to a file, which each start begins anew.
    #[must_use]
    pub fn spawn(&self, data: &Path, messages: &Path) -> Starting {
        let (seal, merge) = (self.seal_events.to_string(), self.merge_segments.to_string());
        let mut serve = self.command();
        // A planted fault is for the server alone: who checks it must be sound.
        if let Some(planted) = &self.planted {
            serve.env("FORGEMETER_PLANTED", planted);
        }
        serve.args(["serve", "--listen", "127.0.0.1:0", "--now", NOW, "--seal-events", &seal, "--merge-segments", &merge, "--data"]);
        serve.arg(data).stdout(Stdio::piped()).stderr(std::fs::File::create(messages).unwrap());
        let mut process = serve.spawn().expect("the program can be run");
        let output = process.stdout.take().unwrap();
        let (sender, receiver) = mpsc::channel();
        std::thread::spawn(move || {
            let (mut line, mut output) = (String::new(), BufReader::new(output));
            if output.read_line(&mut line).is_ok() {
                // Nobody may listen any more.
                drop(sender.send(line));
            }
            drop(output.read_to_end(&mut Vec::new()));
        });
        Starting { process, first_line: receiver, messages: messages.to_owned() }
    }

    /// Starts a server and waits until it takes requests.
    ///
    /// # Errors
    /// When it does not.
    pub fn start(&self, data: &Path, messages: &Path, token: &str) -> Result<Server, Failure> {
        self.spawn(data, messages).wait(token)
    }

    /// What `verify` says.
    ///
    /// # Errors
    /// When it finds anything.
    pub fn verify(&self, data: &Path) -> Result<(), Failure> {
        let output = self.run(&["verify"], data);
        if output.status.success() {
            return Ok(());
        }
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Err(Failure::new(Promise::Verify, text.lines().take(20).collect::<Vec<_>>().join("\n")))
    }

    /// The enterprise's detailed report of both months, as of now, as CSV.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn report(&self, data: &Path) -> Result<String, Failure> {
        let output = self.run(&["report", "--enterprise", ENTERPRISE, "--start", "2026-10-01", "--end", "2026-11-30"], data);
        let told = String::from_utf8_lossy(&output.stderr);
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap()),
            // A ledger in which nothing was ever committed has no day.
            false if told.contains("the day of sequence 1-0") => Ok(EMPTY_REPORT.to_owned()),
            false => Err(Failure::new(Promise::Endpoints, format!("no report: {told}"))),
        }
    }
}

const EMPTY_REPORT: &str = concat!(
    r#""date","sku","organization","repository","username","workflow_path","quantity","gross_amount","discount_amount","net_amount""#,
    "\n"
);

/// A server that may not be ready yet.
#[derive(Debug)]
pub struct Starting {
    process: Child,
    first_line: mpsc::Receiver<String>,
    messages: PathBuf,
}

impl Starting {
    /// Waits until it takes requests.
    ///
    /// # Errors
    /// When it ends or hangs instead.
    pub fn wait(mut self, token: &str) -> Result<Server, Failure> {
        let line = self.first_line.recv_timeout(PATIENCE).unwrap_or_default();
        if let Some(url) = line.trim().strip_prefix("listening on ") {
            return Ok(Server { api: Api::new(url, token), process: self.process, messages: self.messages });
        }
        drop(self.process.kill());
        let status = self.process.wait().unwrap();
        let messages = std::fs::read_to_string(&self.messages).unwrap_or_default();
        Err(Failure::new(Promise::Starts, format!("it ended with {status}: {}", messages.trim())))
    }

    pub fn kill(mut self) {
        drop(self.process.kill());
        self.process.wait().unwrap();
    }
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    pub api: Api,
    process: Child,
    messages: PathBuf,
}

impl Server {
    pub fn kill(&mut self) {
        drop(self.process.kill());
        self.process.wait().unwrap();
    }

    /// Asks it to stop, as a system does, and waits no longer than a time; `None` when it still runs then.
    pub fn stop(&mut self, time: Duration) -> Option<ExitStatus> {
        let id = self.process.id().to_string();
        Command::new("kill").args(["-TERM", &id]).status().expect("`kill` can be run");
        self.ended_within(time)
    }

    /// How it ended, when it ends in time.
    pub fn ended_within(&mut self, time: Duration) -> Option<ExitStatus> {
        const LOOK: Duration = Duration::from_millis(5);
        let mut waited = Duration::ZERO;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return Some(status);
            }
            if waited >= time {
                return None;
            }
            pause(LOOK);
            waited += LOOK;
        }
    }

    /// What it told on standard error since its start.
    #[must_use]
    pub fn messages(&self) -> String {
        std::fs::read_to_string(&self.messages).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Waits without a sleep: nobody ever sends.
pub fn pause(time: Duration) {
    let (_sender, receiver) = mpsc::channel::<()>();
    assert!(receiver.recv_timeout(time).is_err(), "nobody sends");
}

/// A server's address; copies outlive it.
#[derive(Debug, Clone)]
pub struct Api {
    url: String,
    token: String,
    agent: ureq::Agent,
}

/// Status and body. No answer means that nobody knows what happened.
pub type Answer = Option<(u16, String)>;

/// More than any answer here has.
const ANSWER_BYTES_MAX: u64 = 1 << 30;

impl Api {
    fn new(url: &str, token: &str) -> Api {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        Api { url: url.to_owned(), token: token.to_owned(), agent: config.into() }
    }

    /// A path of the server, or a whole address, which gets no token.
    #[must_use]
    pub fn get(&self, path: &str) -> Answer {
        let request = match path.starts_with("http") {
            true => self.agent.get(path),
            false => self.agent.get(format!("{}{path}", self.url)).header("authorization", self.bearer()),
        };
        let Ok(mut answer) = request.call() else { return None };
        let Ok(body) = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string() else { return None };
        Some((answer.status().as_u16(), body))
    }

    #[must_use]
    pub fn post(&self, path: &str, body: &str) -> Answer {
        let request = self.agent.post(format!("{}{path}", self.url)).header("authorization", self.bearer());
        let Ok(mut answer) = request.send(body) else { return None };
        let Ok(text) = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string() else { return None };
        Some((answer.status().as_u16(), text))
    }

    fn bearer(&self) -> String {
        format!("Bearer {}", self.token)
    }

    /// The JSON of a path that must answer 200.
    ///
    /// # Errors
    /// When it does not.
    pub fn json(&self, path: &str) -> Result<serde_json::Value, Failure> {
        match self.get(path) {
            Some((200, body)) => {
                serde_json::from_str(&body).map_err(|error| Failure::new(Promise::Endpoints, format!("{path}: {error}: {body}")))
            }
            other => Err(Failure::new(Promise::Behaves, format!("{path}: {other:?}"))),
        }
    }
}
