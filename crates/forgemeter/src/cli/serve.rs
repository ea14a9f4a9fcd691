//! `forgemeter serve`: opens a data folder and serves it until SIGTERM or SIGINT.
//!
//! Which settings there are and which origin of one wins is left to [`crate::config`]; the serving to [`crate::server`].

use super::Failure;
use crate::app::App;
use crate::config::Settings;
use crate::{instant, server};
use billing::UtcTime;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::Arc;

/// Each setting may also stand in the environment (`FORGEMETER_LISTEN`) or in the file of `--config`.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter serve --data ./data
  forgemeter serve --data ./data --listen 127.0.0.1:0 --now 2026-11-03T10:00:00Z
  forgemeter serve --config forgemeter.toml

The first line on standard output names the address once requests are taken. SIGTERM and SIGINT stop the server: requests under way
finish, and usage is sealed.")]
pub(crate) struct Arguments {
    /// Data folder; made when it does not exist
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// Address to listen on; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Let the folder's clock show this time from now on, such as 2026-11-03T10:00:00Z
    #[arg(long, value_name = "TIME", value_parser = instant::parse)]
    now: Option<UtcTime>,
    /// File with settings, in TOML
    #[arg(long, value_name = "FILE", env = "FORGEMETER_CONFIG")]
    config: Option<PathBuf>,
    /// Address that download links and mails name, such as https://billing.example.com
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Whether the retired summaries answer (200), or say that they are gone as GitHub's do today (410) [default: 200]
    #[arg(long, value_name = "STATUS", value_parser = ["200", "410"])]
    retired_endpoints: Option<String>,
    /// Unsealed events that start a seal
    #[arg(long, value_name = "N")]
    seal_events: Option<String>,
    /// Segments that start a merge
    #[arg(long, value_name = "N")]
    merge_segments: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let flags = vec![
        ("data", arguments.data),
        ("listen", arguments.listen),
        ("public_url", arguments.public_url),
        ("retired_endpoints", arguments.retired_endpoints),
        ("ledger.seal_events", arguments.seal_events),
        ("ledger.merge_segments", arguments.merge_segments),
    ];
    let settings = Settings::load(flags, arguments.config.as_deref())?;
    server::log_to_stderr(&settings.log)?;
    let app = Arc::new(App::open(&settings.data, settings.config, settings.limits)?);
    if let Some(now) = arguments.now {
        app.clock.set(now)?;
    }
    let listener = listen(&settings.listen)?;
    server::serve(app, listener, |address| {
        // A closed standard output is no reason not to serve.
        if let Err(error) = writeln!(std::io::stdout(), "listening on http://{address}") {
            tracing::warn!(%error, "cannot say on standard output where the server listens");
        }
    })
}

/// Takes an address to listen on.
pub(crate) fn listen(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| Failure::Failed(format!("cannot listen on `{address}`: {error}")))
}
