//! `forgemeter verify`: makes every derived number of a data folder again from its events, and compares.
//!
//! Works beside a running server and without one, and changes nothing. What is compared is decided in `store::ledger::verify` and
//! `store::exports`; here it is told.

use super::Failure;
use super::folder::{Folder, OpenFolder};
use crate::jobs::export_report;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{self, IsTerminal, Write};
use store::exports::Exports;
use store::ledger::{self, Verification};

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter verify --data acme-data
  forgemeter verify --data acme-data --json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    folder: Folder,
    /// Print what was checked and what differs as one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Serialize)]
struct Told<'a> {
    /// The last place in the ledger that was checked.
    sequence: String,
    events: u64,
    segments: u64,
    blocks: u64,
    marks: usize,
    export_files: u64,
    findings: Vec<ToldFinding<'a>>,
    /// Findings beyond those that are listed.
    unlisted: u64,
}

#[derive(Debug, Serialize)]
struct ToldFinding<'a> {
    file: &'a str,
    what: &'a str,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let OpenFolder { database, facts, .. } = arguments.folder.open()?;
    let exports = Exports::new(database);
    // Listed first: every export is of a place in the ledger that is there by now.
    let listed = exports.all()?;
    let bar = progress_bar();
    let verified = ledger::verify(arguments.folder.path(), &facts, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    });
    bar.finish_and_clear();
    let mut verification = verified?;
    let folder_of = |id: &str| export_report::folder(arguments.folder.path(), id);
    let files = exports.verify(&listed, folder_of, &mut verification)?;
    tell(&verification, files, arguments.json).map_err(|error| Failure::Failed(format!("standard output: {error}")))?;
    judge(&verification)
}

fn tell(verification: &Verification, export_files: u64, json: bool) -> io::Result<()> {
    let findings = &verification.findings;
    let told = Told {
        sequence: verification.sequence.to_string(),
        events: verification.events,
        segments: verification.segments,
        blocks: verification.blocks,
        marks: verification.marks.len(),
        export_files,
        findings: findings.listed.iter().map(|finding| ToldFinding { file: &finding.file, what: &finding.what }).collect(),
        unlisted: findings.unlisted,
    };
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(&told)?);
    }
    for finding in &told.findings {
        writeln!(out, "{}: {}", finding.file, finding.what)?;
    }
    let Told { sequence, events, segments, blocks, marks, export_files, .. } = told;
    writeln!(
        out,
        "{events} events, {segments} segments, {blocks} blocks, {marks} marks, {export_files} export files, as of sequence {sequence}"
    )
}

/// That anything differs is a failure.
fn judge(verification: &Verification) -> Result<(), Failure> {
    let findings = &verification.findings;
    if findings.is_empty() {
        return Ok(());
    }
    let listed = u64::try_from(findings.listed.len()).map_err(|_| store::StoreError::Overflow)?;
    let count = listed.saturating_add(findings.unlisted);
    let more = if findings.unlisted > 0 { format!(", the first {listed} of them listed") } else { String::new() };
    Err(Failure::Failed(format!("{count} findings{more}; keep the folder as it is and restore it from a backup")))
}

/// Events that are checked, on a terminal.
fn progress_bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {human_pos}/{human_len} events {eta}").expect("the template is the one here");
    ProgressBar::new(0).with_style(style)
}
