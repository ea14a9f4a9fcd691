//! Measures the program and what a user would pick instead, side by side on the same events, and prints one table.
//!
//! `all` runs every part; each part also runs alone. The parts are in [`parts`]; what they share is in [`bench`].

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

mod bench;
mod bodies;
mod hello;
mod http;
mod latency;
mod load;
mod machine;
mod packages;
mod parts;
mod sending;
mod server;
mod table;
mod workload;

use anyhow::{Context, Result, ensure};
use bench::{Bench, Size};
use clap::{Parser, Subcommand};
use std::fs;
use std::io::Write;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(about, after_help = "All temporary data lies in target/benches and is removed at the end; the table stays there as table.md.")]
struct Arguments {
    #[command(subcommand)]
    part: Part,
    /// Events of the run; ten million make a month of usage, 50 million are what the targets are about
    #[arg(long, default_value_t = 10_000_000, global = true, value_parser = clap::value_parser!(u64).range(10_000..))]
    events: u64,
    /// Seconds that each load of small requests lasts
    #[arg(long, default_value_t = 10, global = true, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Part {
    /// Every part, one after the other
    All,
    /// Usage in large and in middle-sized bodies, and commits while it is sealed and merged
    Ingest,
    /// One event a request, from 256 senders and from one
    Small,
    /// The nine summaries, with the whole run as their history
    Reads,
    /// The detailed report of a month
    Export,
    /// Starts after a clean stop and after kill -9, and memory
    Start,
    /// Bytes on disk for an event of each type
    Disk,
    /// Events of a year ago once more
    Identity,
    /// The same events into PostgreSQL
    Postgres,
    /// The same events into DuckDB, and its report
    Duckdb,
    #[command(hide = true)]
    Hello,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let Part::Hello = arguments.part {
        return hello::serve();
    }
    let mut bench = Bench::new(Size { events: arguments.events, time: Duration::from_secs(arguments.seconds) })?;
    let measured = measure(&mut bench, arguments.part);
    // What was measured before a failure is shown too.
    let report = bench.report(&command())?;
    bench.remove_scratch()?;
    writeln!(std::io::stdout(), "{report}")?;
    measured?;
    let path = bench.target.join("benches/table.md");
    fs::write(&path, report).with_context(|| path.display().to_string())
}

fn measure(bench: &mut Bench, part: Part) -> Result<()> {
    match part {
        Part::All => all(bench),
        Part::Ingest => parts::ingest::run(bench),
        Part::Small => parts::small::run(bench),
        Part::Reads => parts::reads::run(bench),
        Part::Export => parts::export::run(bench),
        Part::Start => parts::start::run(bench),
        Part::Disk => parts::disk::run(bench),
        Part::Identity => parts::identity::run(bench),
        Part::Postgres => parts::postgres::run(bench),
        Part::Duckdb => parts::duckdb::run(bench),
        Part::Hello => Ok(()),
    }
}

/// Every part, also after one that failed: it is a row of the table, and the run has failed at the end.
fn all(bench: &mut Bench) -> Result<()> {
    let mut failed = Vec::new();
    for (name, part) in parts::ALL {
        if let Err(error) = part(bench) {
            bench.table.fail(name, &error);
            failed.push(name);
        }
    }
    ensure!(failed.is_empty(), "parts that failed: {}", failed.join(", "));
    Ok(())
}

/// The command as a reader would repeat it.
fn command() -> String {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    format!("cargo run --release -p benches -- {}", arguments.join(" "))
}
