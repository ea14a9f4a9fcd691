//! The detailed report of a month, from the request to the last byte written, and what others notice of it.
//!
//! The rows are downloaded and added up: they must hold exactly the usage that the generator made for that month.

use crate::bench::Bench;
use crate::http::Client;
use crate::load::{self, Outcome, Pace, Plan, Until};
use crate::parts::reads;
use crate::sending::pause;
use crate::server::{ENTERPRISE, Limits, Server};
use crate::table::{Count, Mebibytes, Rate, Span, at_least, at_most};
use crate::workload::{Share, Workload};
use anyhow::{Context, Result, bail, ensure};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PART: &str = "export";
const POLL: Duration = Duration::from_millis(5);
const POLLS_MAX: u32 = 120_000;
/// Requests a second beside an export.
const READS: Rate = Rate(1000.0);
const COMMITS: Rate = Rate(50.0);

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let history = bench.history()?;
    let server = history.folder.serve(Limits::default())?;
    let body = request(&bench.workload);
    let before = server.memory()?.resident;
    server.forget_peak()?;
    let (urls, time) = export(&server, &body)?;
    let growth = server.memory()?.peak.saturating_sub(before);
    // Signed links refuse a token, as those of object stores do.
    let rows = check(&mut Client::connect(server.address, "")?, &urls, &bench.workload)?;
    let rate = Rate::of(rows, time);
    let name = format!("detailed report of a month, {} rows of {} events", Count(rows), Count(bench.baseline_events()));
    bench.table.judge(PART, name, format!("{rate} ({})", Span(time)), at_least(&rate, &Rate(1_500_000.0)));
    let growth = Mebibytes::of_bytes(growth);
    bench.table.judge(PART, "growth of the process's peak memory", growth, at_most(&growth, &Mebibytes(64)));
    bench.figures.export_rows = Some(rows);
    bench.figures.export_rate = Some(rate);
    beside(bench, &server, &body)?;
    server.stop()?;
    Ok(())
}

fn request(workload: &Workload) -> String {
    let month = workload.first_month();
    format!(r#"{{"report_type":"detailed","start_date":"{}","end_date":"{}"}}"#, month.days()[0], month.last_day())
}

/// Asks for a report and waits until it is there: its links, and how long it took.
fn export(server: &Server, body: &str) -> Result<(Vec<String>, Duration)> {
    let mut client = server.client()?;
    let path = format!("/enterprises/{ENTERPRISE}/settings/billing/reports");
    let began = Instant::now();
    let created = client.send("POST", &path, body.as_bytes())?.json()?;
    let path = format!("{path}/{}", created["id"].as_str().context("an export has an id")?);
    for _ in 0..POLLS_MAX {
        let export = client.get_json(&path)?;
        match export["status"].as_str() {
            Some("completed") => {
                let urls = export["download_urls"].as_array().context("a finished export has links")?;
                return Ok((urls.iter().filter_map(|url| Some(url.as_str()?.to_owned())).collect(), began.elapsed()));
            }
            Some("processing") => pause(POLL),
            _ => bail!("the export did not succeed: {export}"),
        }
    }
    bail!("the export is never finished")
}

/// Downloads the report and compares its total with the generator's. Returns its rows.
fn check(client: &mut Client, urls: &[String], workload: &Workload) -> Result<u64> {
    let (mut rows, mut thousandths) = (0, 0);
    for url in urls {
        let path = url.split_once("//").and_then(|(_, rest)| rest.find('/').map(|start| &rest[start..])).context("a link")?;
        let mut header = true;
        client.get_lines(path, |line| {
            if !std::mem::replace(&mut header, false) {
                rows += 1;
                thousandths += quantity(line)?;
            }
            Ok(())
        })?;
    }
    let numbers = (0..workload.events_per_month()).filter(|number| !workload.is_duplicate(*number));
    let expected: u64 = numbers.map(|number| workload.event(number).thousandths).sum();
    ensure!(thousandths == expected, "the report adds up to {thousandths} thousandths, the usage to {expected}");
    Ok(rows)
}

/// The fourth column in thousandths.
fn quantity(row: &str) -> Result<u64> {
    let text = row.split(',').nth(3).with_context(|| format!("a row without a quantity: {row}"))?.trim_matches('"');
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    ensure!(part.len() <= 3, "a quantity finer than the usage: {row}");
    Ok(whole.parse::<u64>()? * 1000 + format!("{part:0<3}").parse::<u64>()?)
}

/// Reads and commits at a steady rate while one export follows the other.
fn beside(bench: &mut Bench, server: &Server, body: &str) -> Result<()> {
    let events = bench.single_events(bench.size.time.as_secs() * 100, Share::BesideExports, &server.token);
    let summaries = reads::requests(&server.token);
    let until = Until::Time(bench.size.time);
    let plan = |requests, rate| Plan { address: server.address, connections: 4, requests, pace: Pace::Fixed(rate), until };
    let (reads, commits) = (plan(&summaries, READS), plan(&events, COMMITS));
    let done = AtomicBool::new(false);
    let (mut reads, mut commits, exports) = std::thread::scope(|scope| {
        let exports = scope.spawn(|| export_until(server, body, &done));
        let commits = scope.spawn(|| load::run(&commits));
        let reads = load::run(&reads);
        let commits = commits.join().expect("a load does not panic");
        done.store(true, Ordering::Relaxed);
        let exports = exports.join().expect("asking for exports does not panic");
        anyhow::Ok((reads?, commits?, exports?))
    })?;
    tell_beside(bench, &mut reads, &mut commits, exports);
    Ok(())
}

fn export_until(server: &Server, body: &str, done: &AtomicBool) -> Result<u64> {
    let mut exports = 0;
    while !done.load(Ordering::Relaxed) {
        export(server, body)?;
        exports += 1;
    }
    Ok(exports)
}

fn tell_beside(bench: &mut Bench, reads: &mut Outcome, commits: &mut Outcome, exports: u64) {
    for (name, outcome, limit) in [("summaries", reads, 10), ("commits of one event", commits, 100)] {
        let p99 = Span(outcome.latencies.p99());
        let figure = format!("{name} at {} during {exports} exports: p99 (longest {})", outcome.rate(), Span(outcome.latencies.max()));
        bench.table.judge(PART, figure, p99, at_most(&p99, &Span(Duration::from_millis(limit))));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_read_exactly() {
        assert_eq!(quantity(r#""2026-01-01","actions","actions_linux","1234.5","minutes""#).unwrap(), 1_234_500);
        assert_eq!(quantity("2026-01-01,actions,actions_linux,7,minutes").unwrap(), 7_000);
        assert!(quantity("a,b,c,0.0001,d").is_err());
        assert!(quantity("a,b").is_err());
    }
}
