//! `forgemeter report`: makes a report from a data folder in this process, or lets a server make it and downloads it.
//!
//! From a folder, the same sequence gives the same bytes as the export that a server made there. Both ways end in one CSV, or in the
//! parts that an export has. The ways themselves are in [`local`] and [`remote`].

mod local;
mod remote;

use super::Failure;
use crate::config::ROWS_PER_PART;
use crate::report_csv::ReportError;
use billing::Day;
use billing::report::ReportType;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::Duration;
use store::Sequence;
use store::exports::ExportPart;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter report --data acme-data --enterprise acme --start 2026-11-01 --output november.csv
  forgemeter report --data acme-data --enterprise acme --start 2026-11-01 --at 1-2734 --parts november
  forgemeter report --url https://api.github.com --token ghp_… --enterprise acme --type summarized --start 2026-01-01")]
pub(crate) struct Arguments {
    /// Data folder to read; a server may be running on it
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Address of a server with GitHub's API that makes the report
    #[arg(long, env = "FORGEMETER_URL", value_name = "URL")]
    url: Option<String>,
    /// Token for the server
    #[arg(long, env = "FORGEMETER_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// Slug of the enterprise
    #[arg(long, value_name = "SLUG")]
    enterprise: String,
    /// detailed, summarized, premium_request or ai_credit
    #[arg(long = "type", value_name = "TYPE", default_value = "detailed", value_parser = report_type)]
    report_type: ReportType,
    /// First day, such as 2026-11-01
    #[arg(long, value_name = "DATE", value_parser = day)]
    start: Day,
    /// Last day; without it today in UTC
    #[arg(long, value_name = "DATE", value_parser = day)]
    end: Option<Day>,
    /// Make the report as of this sequence, such as 1-2734; only with --data
    #[arg(long, value_name = "SEQUENCE", value_parser = sequence)]
    at: Option<Sequence>,
    /// Write to this file instead of standard output
    #[arg(long, value_name = "FILE", conflicts_with = "parts")]
    output: Option<PathBuf>,
    /// Write the files of the export into this folder instead of one stream
    #[arg(long, value_name = "DIR")]
    parts: Option<PathBuf>,
    /// Rows in each file of --parts; only with --data
    #[arg(long, value_name = "ROWS", default_value_t = ROWS_PER_PART, value_parser = clap::value_parser!(u64).range(1..))]
    rows_per_part: u64,
    /// Seconds to wait for the server to finish the report
    #[arg(long, value_name = "SECONDS", default_value_t = 1800)]
    wait: u64,
    /// Print what was written as one line of JSON; only with --output or --parts
    #[arg(long)]
    json: bool,
}

fn report_type(text: &str) -> Result<ReportType, String> {
    let names: Vec<&str> = ReportType::ALL.iter().map(|report| report.as_str()).collect();
    ReportType::parse(text).ok_or_else(|| format!("the types are {}", names.join(", ")))
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).map_err(|error| error.to_string())
}

fn sequence(text: &str) -> Result<Sequence, String> {
    Sequence::parse(text).ok_or_else(|| "is no sequence such as 1-2734".to_owned())
}

/// What was written.
#[derive(Debug, Serialize)]
struct Written {
    /// Where the report can be repeated; a server does not say it.
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    files: Vec<WrittenFile>,
}

#[derive(Debug, Serialize)]
struct WrittenFile {
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    bytes: u64,
    sha256: String,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    if arguments.end.is_some_and(|end| end < arguments.start) {
        return Err(Failure::Usage("`--end` lies before `--start`".to_owned()));
    }
    if arguments.json && arguments.output.is_none() && arguments.parts.is_none() {
        return Err(Failure::Usage("`--json` needs `--output` or `--parts`: standard output holds the report".to_owned()));
    }
    let bar = spinner();
    let written = match (&arguments.data, &arguments.url) {
        (Some(data), _) => local::run(&arguments, data, &bar),
        (None, Some(url)) => remote::run(&arguments, url, &bar),
        (None, None) => Err(Failure::Usage("name a folder with `--data` or a server with `--url`".to_owned())),
    };
    bar.finish_and_clear();
    tell(&arguments, &written?)
}

fn tell(arguments: &Arguments, written: &Written) -> Result<(), Failure> {
    if arguments.json {
        let line = serde_json::to_string(written).expect("these structs hold only texts and numbers");
        return writeln!(io::stdout(), "{line}").map_err(|error| Failure::Failed(format!("standard output: {error}")));
    }
    if let (Some(sequence), Some(rows)) = (&written.sequence, written.rows) {
        eprintln!("{rows} rows as of sequence {sequence}; `--at {sequence}` repeats them");
    }
    for file in &written.files {
        if let Some(path) = &file.path {
            eprintln!("{}  {path}", file.sha256);
        }
    }
    Ok(())
}

impl WrittenFile {
    fn of_part(part: &ExportPart, path: Option<&std::path::Path>) -> WrittenFile {
        WrittenFile { path: path.map(|path| path.display().to_string()), bytes: part.bytes, sha256: part.sha256.clone() }
    }
}

const TICK: Duration = Duration::from_millis(200);

/// Shows on a terminal that something is going on.
pub(crate) fn spinner() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {elapsed} {msg}").expect("the template is the one here");
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(TICK);
    bar
}

impl From<ReportError> for Failure {
    fn from(error: ReportError) -> Failure {
        Failure::Failed(error.to_string())
    }
}
