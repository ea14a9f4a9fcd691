//! `forgemeter demo`: serves the demonstration, and says how to talk to it.
//!
//! Without `--data` it lives in a temporary folder that goes when the server stops. What is in it is made by [`crate::demo`], how it is
//! presented is left to [`welcome`].

mod welcome;

use super::Failure;
use crate::app::App;
use crate::config::{self, Config};
use crate::demo::world::{BILLING_MANAGER, ENTERPRISE_OWNER, MEMBER, ORGANIZATION_OWNER, USAGE_WRITER, USER};
use crate::demo::{self, FillError};
use crate::{instant, server};
use billing::UtcTime;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs::DirBuilder;
use std::io::{self, ErrorKind, IsTerminal};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use store::ledger::LedgerLimits;
use store::random;
use store::tokens::Grant;
use welcome::Welcome;

const PORT: u16 = 8080;
/// What is logged: its standard output is for people, and they see it beside the log.
const LOG: &str = "warn";
const TICK: Duration = Duration::from_millis(100);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter demo
  forgemeter demo --json --listen 127.0.0.1:0 --now 2026-11-03T10:00:00Z")]
pub(crate) struct Arguments {
    /// Print one line of JSON when the server is ready: its address, its accounts and a token for each role
    #[arg(long)]
    json: bool,
    /// Address to listen on; port 0 picks a free one. Without it 127.0.0.1:8080, or a free port when that is taken
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Another number makes other usage; the same number and time make the same
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
    /// What the clock shows at the start, such as 2026-11-03T10:00:00Z; without it the present
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    now: Option<UtcTime>,
    /// Keep the data in this folder
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// The roles that get a token, whose token it is, and the scopes with which the role may do all it may.
const ROLES: [(&str, &str, &[&str]); 6] = [
    ("enterprise_owner", ENTERPRISE_OWNER, &["admin:enterprise", "admin:org", "repo", "user", "usage:write"]),
    ("billing_manager", BILLING_MANAGER, &["manage_billing:enterprise", "admin:org", "repo", "user", "usage:write"]),
    ("organization_owner", ORGANIZATION_OWNER, &["admin:org", "repo", "user", "usage:write"]),
    ("member", MEMBER, &["admin:org", "repo", "user", "usage:write"]),
    ("user", USER, &["user", "usage:write"]),
    ("usage_writer", USAGE_WRITER, &["usage:write"]),
];

impl From<FillError> for Failure {
    fn from(error: FillError) -> Failure {
        match error {
            FillError::Foreign(_) | FillError::OtherSeed { .. } | FillError::TooEarly => Failure::Usage(error.to_string()),
            other => Failure::Failed(other.to_string()),
        }
    }
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    server::log_to_stderr(LOG)?;
    let listener = listen(arguments.listen)?;
    let folder = Folder::new(arguments.data)?;
    let app = App::open(folder.path(), Config::default(), LedgerLimits::default())?;
    if let Some(now) = arguments.now {
        app.clock.set(now)?;
    }
    let bar = spinner();
    demo::fill(&app, arguments.seed, arguments.now)?;
    bar.finish_and_clear();
    let tokens = tokens(&app)?;
    let now = app.clock.now();
    let app = Arc::new(app);
    server::serve(app, listener, |address| {
        let welcome = Welcome { url: format!("http://{address}"), tokens, now };
        // Who started the server has gone, or cannot read it: it serves all the same.
        drop(if arguments.json { welcome.print_json() } else { welcome.print_text() });
    })
}

/// The default port may be taken by a server in earnest; a port that was asked for is meant.
fn listen(wanted: Option<SocketAddr>) -> Result<TcpListener, Failure> {
    let address = wanted.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)));
    let bound = match TcpListener::bind(address) {
        Err(error) if error.kind() == ErrorKind::AddrInUse && wanted.is_none() => TcpListener::bind((Ipv4Addr::LOCALHOST, 0)),
        bound => bound,
    };
    bound.map_err(|error| Failure::Failed(format!("cannot listen on {address}: {error}; name another one with --listen")))
}

fn spinner() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_message("making three months of usage");
    bar.set_style(ProgressStyle::with_template("{spinner} {msg}").expect("the template is the one before"));
    bar.enable_steady_tick(TICK);
    bar
}

fn tokens(app: &App) -> Result<Vec<(&'static str, String)>, Failure> {
    let facts = app.facts.current()?;
    let token = |(role, login, scopes): (&'static str, &str, &[&str])| {
        let user = facts.accounts.owner(login).ok_or_else(|| Failure::Failed(format!("the demonstration has lost its user `{login}`")))?;
        let grant = Grant::Scopes(scopes.iter().map(|scope| (*scope).to_owned()).collect());
        let (text, _) = app.tokens.create(user.id, grant, app.clock.now(), None)?;
        Ok((role, text))
    };
    ROLES.into_iter().map(token).collect()
}

/// The folder of the data.
enum Folder {
    Kept(PathBuf),
    /// Removed at the end.
    Temporary(PathBuf),
}

impl Folder {
    fn new(kept: Option<PathBuf>) -> Result<Folder, Failure> {
        if let Some(kept) = kept {
            return Ok(Folder::Kept(kept));
        }
        let path = config::temporary_folder().join(format!("forgemeter-demo-{}", random::base_62(12)));
        create_private(&path).map_err(|error| Failure::Failed(format!("`{}` cannot be made: {error}", path.display())))?;
        Ok(Folder::Temporary(path))
    }

    fn path(&self) -> &Path {
        match self {
            Folder::Kept(path) | Folder::Temporary(path) => path,
        }
    }
}

/// A folder that nobody else can look into: the temporary files of a system are everybody's.
fn create_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::DirBuilderExt::mode(&mut DirBuilder::new(), 0o700).create(path);
    #[cfg(not(unix))]
    DirBuilder::new().create(path)
}

impl Drop for Folder {
    fn drop(&mut self) {
        if let Folder::Temporary(path) = self
            && let Err(error) = std::fs::remove_dir_all(&*path)
        {
            eprintln!("`{}` is left behind: {error}", path.display());
        }
    }
}
