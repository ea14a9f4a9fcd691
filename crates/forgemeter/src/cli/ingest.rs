//! `forgemeter ingest`: sends a file of usage events to a server, batch by batch, and ends with the four counts.
//!
//! A batch whose answer was lost is sent again: what the server has stored already comes back as `duplicate`, never twice in a bill.
//! So the whole command may be repeated as well. Cutting a file into batches is left to [`batch`], asking the server to [`client`].

mod batch;
mod client;

use super::Failure;
use batch::{Batch, Batches};
use client::{Client, Refused};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufReader, IsTerminal, Read, Write};
use std::time::Duration;

/// Refused events that are told one by one; the rest is counted.
const REFUSED_TOLD_MAX: usize = 20;

const TICK: Duration = Duration::from_millis(200);

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter ingest jobs.ndjson --url http://127.0.0.1:8080 --token fmt_…
  collector | FORGEMETER_URL=… FORGEMETER_TOKEN=… forgemeter ingest - --json")]
pub(crate) struct Arguments {
    /// File of usage events, one a line (NDJSON); `-` reads standard input
    file: String,
    /// Address of the server, such as http://127.0.0.1:8080
    #[arg(long, env = "FORGEMETER_URL")]
    url: String,
    /// Token with the scope `usage:write`
    #[arg(long, env = "FORGEMETER_TOKEN", hide_env_values = true)]
    token: String,
    /// Print the counts and the refused events as one line of JSON
    #[arg(long)]
    json: bool,
}

/// What has become of everything that was sent.
#[derive(Debug, Default, Serialize)]
struct Totals {
    accepted: u64,
    duplicate: u64,
    conflict: u64,
    rejected: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<String>,
    /// The first rejected and conflicting events, with their line in the file.
    events: Vec<Refused>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let client = Client::new(&arguments.url, &arguments.token)?;
    let (input, length) = open(&arguments.file)?;
    let bar = progress_bar(length);
    let mut totals = Totals::default();
    let sent = send_all(&client, Batches::new(BufReader::new(input)), &bar, &mut totals);
    bar.finish_and_clear();
    print(&totals, arguments.json).map_err(|error| Failure::Failed(format!("standard output: {error}")))?;
    sent?;
    judge(&totals, arguments.json)
}

fn open(file: &str) -> Result<(Box<dyn Read>, Option<u64>), Failure> {
    if file == "-" {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(file).map_err(|error| Failure::Usage(format!("`{file}` cannot be read: {error}")))?;
    let metadata = opened.metadata().map_err(|error| Failure::Usage(format!("`{file}` cannot be read: {error}")))?;
    if metadata.is_dir() {
        return Err(Failure::Usage(format!("`{file}` is a folder; name a file, or `-` for standard input")));
    }
    // A pipe or a device has no length.
    Ok((Box::new(opened), metadata.is_file().then_some(metadata.len())))
}

fn progress_bar(length: Option<u64>) -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, template) = match length {
        Some(length) => (ProgressBar::new(length), "{bar:40} {bytes}/{total_bytes} {eta} {msg}"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes} {elapsed} {msg}"),
    };
    bar.set_style(ProgressStyle::with_template(template).expect("the template is one of the two above"));
    bar.enable_steady_tick(TICK);
    bar
}

fn send_all(client: &Client, mut batches: Batches<impl io::BufRead>, bar: &ProgressBar, totals: &mut Totals) -> Result<(), Failure> {
    while let Some(batch) = batches.next().map_err(|error| Failure::Failed(format!("the input cannot be read: {error}")))? {
        let line = batch.first_line;
        let length = batch.length;
        send(client, batch, bar, totals).map_err(|failure| stopped(failure, line))?;
        bar.inc(length);
        bar.set_message(format!("{} accepted, {} duplicate", totals.accepted, totals.duplicate));
    }
    Ok(())
}

fn send(client: &Client, batch: Batch, bar: &ProgressBar, totals: &mut Totals) -> Result<(), Failure> {
    totals.rejected += u64::try_from(batch.too_long.len()).expect("a batch has few lines");
    let mut refused: Vec<Refused> = batch.too_long.iter().map(|line| batch::too_long(*line)).collect();
    if !batch.bytes.trim_ascii().is_empty() {
        let answer = client.send(&batch.bytes, |text| bar.suspend(|| eprintln!("{text}")))?;
        totals.accepted += answer.accepted;
        totals.duplicate += answer.duplicate;
        totals.conflict += answer.conflict;
        totals.rejected += answer.rejected;
        totals.sequence = Some(answer.sequence);
        let in_file = |event: Refused| Refused { line: batch.first_line + event.line - 1, ..event };
        refused.extend(answer.events.into_iter().filter(|event| event.verdict != "duplicate").map(in_file));
    }
    refused.sort_by_key(|event| event.line);
    let room = REFUSED_TOLD_MAX.saturating_sub(totals.events.len());
    totals.events.extend(refused.into_iter().take(room));
    Ok(())
}

/// A failure in the middle, with what to do about it.
fn stopped(failure: Failure, line: u64) -> Failure {
    let more = format!("stopped before line {line}; run the same command again, what is stored already counts as duplicate");
    match failure {
        Failure::Failed(text) => Failure::Failed(format!("{text}\n{more}")),
        Failure::NotAuthorized(text) => Failure::NotAuthorized(format!("{text}\n{more}")),
        usage @ Failure::Usage(_) => usage,
    }
}

fn print(totals: &Totals, json: bool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    if json {
        return writeln!(out, "{}", serde_json::to_string(totals)?);
    }
    let terminal = out.is_terminal();
    for (name, count) in
        [("accepted", totals.accepted), ("duplicate", totals.duplicate), ("conflict", totals.conflict), ("rejected", totals.rejected)]
    {
        if terminal { writeln!(out, "{name:<10}{count:>12}")? } else { writeln!(out, "{name}\t{count}")? }
    }
    out.flush()
}

/// Tells which events were refused; that there are any is a failure.
fn judge(totals: &Totals, json: bool) -> Result<(), Failure> {
    let refused = totals.conflict + totals.rejected;
    if refused == 0 {
        return Ok(());
    }
    if !json {
        for event in &totals.events {
            eprintln!("{event}");
        }
    }
    let told = u64::try_from(totals.events.len()).expect("at most REFUSED_TOLD_MAX events are told");
    let rest = if refused > told { format!(", the first {told} of them told") } else { String::new() };
    Err(Failure::Failed(format!("{refused} events were not taken{rest}; mend them and send them again")))
}
