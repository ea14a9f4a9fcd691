//! The programs that are measured: the real forgemeter binary on a folder of its own, and the hello-world server.
//!
//! Both say on their first line where they listen. A server that is dropped is killed.

use crate::http::Client;
use crate::machine::{self, Memory};
use crate::workload::{OWNERS, USER, Workload, owner_name};
use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The enterprise that owns all organizations of the workload.
pub(crate) const ENTERPRISE: &str = "globex";
const SCOPES: &str = "user,admin:org,manage_billing:enterprise,usage:write";
/// Everything exists from here on, so that all events have their owner.
const SINCE: &str = "2025-12-01T00:00:00Z";

/// Builds the program and says where it lies.
pub(crate) fn build(target: &Path) -> Result<PathBuf> {
    let cargo = option_env!("CARGO").unwrap_or("cargo");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("benches lies in the workspace")?;
    let mut build = Command::new(cargo);
    build.args(["build", "--quiet", "--release", "--locked", "-p", "forgemeter", "--target-dir"]).arg(target).current_dir(root);
    ensure!(build.status()?.success(), "the program cannot be built");
    Ok(target.join("release/forgemeter"))
}

/// A data folder with the accounts of the workload.
#[derive(Debug, Clone)]
pub(crate) struct DataFolder {
    binary: PathBuf,
    pub(crate) path: PathBuf,
    pub(crate) token: String,
    /// What the folder's clock shows when a server starts on it.
    pub(crate) now: String,
}

/// What differs from the program's own settings.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    pub(crate) seal_events: Option<u64>,
    pub(crate) merge_segments: Option<u64>,
}

impl DataFolder {
    /// Makes the folder, its accounts and a token.
    ///
    /// The clock stands at noon of the last day of the run from its first event on: events of the past are taken whenever they come,
    /// and the summaries then show the month that the last events lie in.
    pub(crate) fn create(binary: &Path, path: PathBuf, workload: &Workload) -> Result<DataFolder> {
        let accounts = path.with_extension("toml");
        fs::write(&accounts, accounts_file())?;
        let run = |arguments: &[&str]| {
            let output = Command::new(binary).args(arguments).args(["--now", SINCE, "--data"]).arg(&path).output()?;
            ensure!(output.status.success(), "forgemeter {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
            anyhow::Ok(String::from_utf8(output.stdout)?.trim().to_owned())
        };
        run(&["apply", accounts.to_str().context("a readable path")?])?;
        let token = run(&["token", "create", "--login", USER, "--scopes", SCOPES])?;
        fs::remove_file(accounts)?;
        let now = format!("{}T12:00:00Z", workload.last_month().last_day());
        Ok(DataFolder { binary: binary.to_owned(), path, token, now })
    }

    pub(crate) fn serve(&self, limits: Limits) -> Result<Server> {
        let mut command = Command::new(&self.binary);
        command.env("FORGEMETER_LOG", "warn");
        command.args(["serve", "--listen", "127.0.0.1:0", "--now", &self.now, "--data"]).arg(&self.path);
        for (flag, value) in [("--seal-events", limits.seal_events), ("--merge-segments", limits.merge_segments)] {
            if let Some(value) = value {
                command.args([flag, &value.to_string()]);
            }
        }
        let server = Server::start(command, &self.token)?;
        let ready = server.client()?.send("GET", "/readyz", b"")?;
        ensure!(ready.status == 200, "the server is not ready: {}", ready.status);
        Ok(server)
    }

    pub(crate) fn bytes(&self) -> Result<u64> {
        machine::bytes_below(&self.path)
    }

    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_dir_all(&self.path).with_context(|| self.path.display().to_string())
    }
}

fn accounts_file() -> String {
    let mut text = format!(
        "[[user]]\nlogin = \"{USER}\"\nplan = \"pro\"\n\n[[enterprise]]\nslug = \"{ENTERPRISE}\"\nplan = \"ghec\"\nowners = [\"{USER}\"]\n"
    );
    for owner in 0..OWNERS {
        let login = owner_name(owner);
        write!(text, "\n[[organization]]\nlogin = \"{login}\"\nenterprise = \"{ENTERPRISE}\"\nowners = [\"{USER}\"]\n")
            .expect("a string takes all");
    }
    text
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) token: String,
    /// From the start of the process until it took requests.
    pub(crate) began: Instant,
}

impl Server {
    /// The hello-world server, in a process of its own.
    pub(crate) fn hello() -> Result<Server> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hello");
        Server::start(command, "")
    }

    fn start(mut command: Command, token: &str) -> Result<Server> {
        let began = Instant::now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().with_context(|| format!("{command:?}"))?;
        let output = child.stdout.take().context("its output is piped")?;
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            child.kill()?;
            bail!("{command:?} said {line:?} and not where it listens");
        };
        Ok(Server { address: address.parse()?, child, token: token.to_owned(), began })
    }

    pub(crate) fn client(&self) -> Result<Client> {
        Client::connect(self.address, &self.token)
    }

    pub(crate) fn memory(&self) -> Result<Memory> {
        machine::memory(self.child.id())
    }

    pub(crate) fn forget_peak(&self) -> Result<()> {
        machine::forget_peak(self.child.id())
    }

    /// Processor time that the process has taken.
    pub(crate) fn processor_time(&self) -> Result<Duration> {
        Ok(Duration::from_millis(10 * machine::processor_centiseconds(self.child.id())?))
    }

    /// Asks the server to stop and waits until it has; how long that took.
    pub(crate) fn stop(mut self) -> Result<Duration> {
        let began = Instant::now();
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let status = self.child.wait()?;
        ensure!(status.success(), "the server stopped with {status}");
        Ok(began.elapsed())
    }

    /// Kill -9.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // After a failure elsewhere; a server that was stopped is gone already.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("benches: a server may still run: {}", self.child.id());
        }
    }
}
