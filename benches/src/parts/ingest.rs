//! Usage in bodies of 10,000 and of 1,000 events over 8 connections, and the commits of a steady stream while it is sealed and merged.
//!
//! Bodies lie in a file before the clock starts; the server reads, checks, de-duplicates and stores them, and answers when they are
//! durable. Every count that it tells is compared with the generator's.

use crate::bench::{Bench, History};
use crate::sending::{Sending, Sent};
use crate::server::{DataFolder, Limits, Server};
use crate::table::{BytesEach, Count, Mebibytes, Rate, Ratio, Span, at_least, at_most};
use crate::workload::Workload;
use anyhow::{Result, ensure};
use std::ops::Range;
use std::rc::Rc;
use std::time::Duration;

const PART: &str = "ingest";
const LARGE: u64 = 10_000;
const MIDDLE: u64 = 1_000;
/// Events of a run with the smaller bodies.
const MIDDLE_EVENTS_MAX: u64 = 10_000_000;
/// Runs of fewer events seal more often than the program would by itself, so that sealing is at work in every run.
const OWN_SEALS_FROM: u64 = 10_000_000;
/// The steady stream: so many bodies of 1,000 events a second.
const STEADY_BODIES: Rate = Rate(100.0);
const STEADY_SECONDS_MAX: u64 = 60;
const STEADY_SEALS: u64 = 6;

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    bench.history()?;
    middle_bodies(bench)?;
    steady_stream(bench)
}

/// The large ingest, which leaves the history of other parts.
pub(crate) fn large_bodies(bench: &mut Bench) -> Result<History> {
    let bodies = bench.bodies()?;
    let folder = bench.data_folder()?;
    let server = folder.serve(limits(bench.size.events))?;
    let sending = Sending { server: &server, bodies: &bodies, events_per_body: LARGE, events: bench.size.events, pace: None };
    let sent = sending.run()?;
    check(&bench.workload, &sent)?;
    tell_rate(bench, &sent, LARGE, Rate(400_000.0));
    tell_server(bench, &server, &folder, &sent)?;
    tell_steadiness(bench, &sent);
    let stopped = server.stop()?;
    bench.table.tell(PART, "clean stop after it, sealing the tail", Span(stopped));
    let bytes = folder.bytes()?;
    Ok(History { folder, sent: Rc::new(sent), bytes })
}

fn limits(events: u64) -> Limits {
    Limits { seal_events: (events < OWN_SEALS_FROM).then_some(events / 4), merge_segments: None }
}

/// Every new event was accepted and every repeated one recognized.
fn check(workload: &Workload, sent: &Sent) -> Result<()> {
    let events = sent.events();
    let duplicates = u64::try_from((0..events).filter(|number| workload.is_duplicate(*number)).count())?;
    let verdicts = sent.verdicts;
    let right = verdicts.accepted == events - duplicates && verdicts.duplicate == duplicates;
    ensure!(right, "of {events} events {duplicates} are duplicates, but the server says {verdicts:?}");
    Ok(())
}

fn tell_rate(bench: &mut Bench, sent: &Sent, body: u64, wanted: Rate) {
    let name = format!("{} events in bodies of {}, 8 connections", Count(sent.events()), Count(body));
    bench.table.judge(PART, name, sent.rate(), at_least(&sent.rate(), &wanted));
    let mut latencies = sent.latencies.clone();
    let times = format!("{} / {} / {}", Span(latencies.p50()), Span(latencies.p99()), Span(latencies.max()));
    bench.table.tell(PART, format!("a body of {}: p50 / p99 / longest", Count(body)), times);
    let each = |time: Duration| format!("{:.2} µs", time.as_secs_f64() * 1e6 / crate::table::float(sent.events().max(1)));
    let figure = format!("processor time an event, bodies of {}: server / client", Count(body));
    bench.table.tell(PART, figure, format!("{} / {}", each(sent.server_time), each(sent.client_time)));
    if sent.verdicts.busy > 0 {
        bench.table.tell(PART, format!("bodies of {} that were told to come back", Count(body)), Count(sent.verdicts.busy));
    }
}

fn tell_server(bench: &mut Bench, server: &Server, folder: &DataFolder, sent: &Sent) -> Result<()> {
    bench.table.tell(PART, "peak memory of the server", Mebibytes::of_bytes(server.memory()?.peak));
    let bytes = BytesEach::of(folder.bytes()?, sent.verdicts.accepted);
    bench.table.tell(PART, "disk an event at its end, before the tail is sealed", bytes);
    Ok(())
}

/// Compares the end of the run with its beginning.
fn tell_steadiness(bench: &mut Bench, sent: &Sent) {
    let events = bench.size.events;
    let (early, late): (Range<u64>, Range<u64>) = if events >= 50_000_000 {
        (5_000_000..10_000_000, 45_000_000..50_000_000)
    } else {
        (events / 10..events / 5, events / 10 * 9..events)
    };
    let ratio = sent.rate_between(late.clone()).to(sent.rate_between(early.clone()));
    let figure = format!("events {} to {} against {} to {}", Count(late.start), Count(late.end), Count(early.start), Count(early.end));
    let rates = format!("{ratio} ({} against {})", sent.rate_between(late), sent.rate_between(early));
    bench.table.judge(PART, figure, rates, at_least(&ratio, &Ratio(0.9)));
}

fn middle_bodies(bench: &mut Bench) -> Result<()> {
    let (bodies, folder) = (bench.bodies()?, bench.data_folder()?);
    let events = bench.size.events.min(MIDDLE_EVENTS_MAX);
    let server = folder.serve(limits(events))?;
    let sending = Sending { server: &server, bodies: &bodies, events_per_body: MIDDLE, events, pace: None };
    let sent = sending.run()?;
    check(&bench.workload, &sent)?;
    tell_rate(bench, &sent, MIDDLE, Rate(250_000.0));
    server.stop()?;
    folder.remove()
}

/// A stream that leaves the machine time for other work, sealed and merged again and again: nobody may wait for that.
fn steady_stream(bench: &mut Bench) -> Result<()> {
    let (bodies, folder) = (bench.bodies()?, bench.data_folder()?);
    let events = bench.size.events.min(STEADY_SECONDS_MAX * 100 * MIDDLE);
    let limits = Limits { seal_events: Some(events / STEADY_SEALS), merge_segments: Some(3) };
    let server = folder.serve(limits)?;
    let sending = Sending { server: &server, bodies: &bodies, events_per_body: MIDDLE, events, pace: Some(STEADY_BODIES) };
    let sent = sending.run()?;
    check(&bench.workload, &sent)?;
    let mut latencies = sent.latencies.clone();
    let figure = format!(
        "commits of {} events at {STEADY_BODIES}, sealed every {}, merged by threes: p99 (longest {})",
        Count(MIDDLE),
        Count(events / STEADY_SEALS),
        Span(latencies.max())
    );
    let target = at_most(&Span(latencies.p99()), &Span(Duration::from_millis(100)));
    bench.table.judge(PART, figure, Span(latencies.p99()), target);
    server.stop()?;
    folder.remove()
}
