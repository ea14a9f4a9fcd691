//! How long a start takes after a clean stop and after kill -9 with a full tail, and what events take in memory.
//!
//! A server counts as started when it has answered a request. Memory is what the system says that the process holds.

use crate::bench::Bench;
use crate::bodies::Wanted;
use crate::latency::Latencies;
use crate::sending::{Sending, pause};
use crate::server::{DataFolder, Limits, Server};
use crate::table::{BytesEach, Count, Mebibytes, Span, at_most};
use crate::workload::Share;
use anyhow::{Result, ensure};
use std::fs;
use std::time::Duration;

const PART: &str = "start and memory";
const STARTS: usize = 3;
/// A full tail: just below the events that start a seal.
const TAIL_EVENTS_MAX: u64 = 3_900_000;
const MERGED_EVENTS_MAX: u64 = 10_000_000;
const SEALS_BEFORE_MERGE: u64 = 6;
const NEVER: u64 = 1_000_000;
const POLL: Duration = Duration::from_millis(100);
const POLLS_MAX: u32 = 6_000;

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let history = bench.history()?.folder;
    after_clean_stop(bench, &history)?;
    after_kill(bench, &history)?;
    while_merging(bench)
}

fn after_clean_stop(bench: &mut Bench, history: &DataFolder) -> Result<()> {
    let empty = bench.data_folder()?;
    let server = empty.serve(Limits::default())?;
    let nothing = server.memory()?.resident;
    server.stop()?;
    empty.remove()?;
    let (mut times, mut resident) = (Latencies::default(), 0);
    for _ in 0..STARTS {
        let server = history.serve(Limits::default())?;
        times.push(server.began.elapsed());
        resident = server.memory()?.resident;
        server.stop()?;
    }
    let events = bench.size.events;
    let (longest, name) =
        (Span(times.max()), format!("start after a clean stop, {} events of history: longest of {STARTS}", Count(events)));
    bench.table.judge(PART, name, longest, at_most(&longest, &Span(Duration::from_secs(1))));
    let each = BytesEach::of(resident.saturating_sub(nothing), events);
    let name = format!("memory a sealed event at rest (server without events {})", Mebibytes::of_bytes(nothing));
    bench.table.judge(PART, name, each, at_most(&each, &BytesEach(2.0)));
    Ok(())
}

fn after_kill(bench: &mut Bench, history: &DataFolder) -> Result<()> {
    let server = history.serve(Limits::default())?;
    let events = bench.size.events.min(TAIL_EVENTS_MAX);
    let bodies = bench.own_bodies(&Wanted::recorded(&bench.others, bench.others.last(events, Share::Tail)))?;
    let before = server.memory()?.resident;
    let sent = Sending { server: &server, bodies: &bodies, events_per_body: 10_000, events, pace: None }.run()?;
    let each = BytesEach::of(server.memory()?.resident.saturating_sub(before), events);
    bodies.remove()?;
    ensure!(sent.verdicts.rejected == 0 && sent.verdicts.conflict == 0, "events were not taken: {:?}", sent.verdicts);
    let name = format!("memory an event in the tail, {} events", Count(events));
    bench.table.judge(PART, name, each, at_most(&each, &BytesEach(160.0)));
    server.kill()?;
    let server = history.serve(Limits::default())?;
    let time = Span(server.began.elapsed());
    let name = format!("start after kill -9 with {} events in the tail", Count(events));
    bench.table.judge(PART, name, time, at_most(&time, &Span(Duration::from_secs(5))));
    server.stop()?;
    Ok(())
}

/// Merges segments that are there at the start, so that nothing else takes memory.
fn while_merging(bench: &mut Bench) -> Result<()> {
    let (bodies, folder) = (bench.bodies()?, bench.data_folder()?);
    let events = bench.size.events.min(MERGED_EVENTS_MAX);
    let limits = Limits { seal_events: Some(events / SEALS_BEFORE_MERGE), merge_segments: Some(NEVER) };
    let server = folder.serve(limits)?;
    Sending { server: &server, bodies: &bodies, events_per_body: 10_000, events, pace: None }.run()?;
    server.stop()?;
    let segments = files(&folder)?;
    let server = folder.serve(Limits { seal_events: None, merge_segments: Some(2) })?;
    let before = server.memory()?.resident;
    server.forget_peak()?;
    let merged = wait_for_merge(&folder, segments)?;
    let growth = Mebibytes::of_bytes(server.memory()?.peak.saturating_sub(before));
    let name = format!("growth of peak memory while {} events are merged ({segments} files to {merged})", Count(events));
    bench.table.judge(PART, name, growth, at_most(&growth, &Mebibytes(64)));
    finish(server, folder)
}

fn finish(server: Server, folder: DataFolder) -> Result<()> {
    server.stop()?;
    folder.remove()
}

fn files(folder: &DataFolder) -> Result<usize> {
    Ok(fs::read_dir(folder.path.join("segments"))?.count())
}

/// Waits until there are fewer files than the segments had.
fn wait_for_merge(folder: &DataFolder, before: usize) -> Result<usize> {
    for _ in 0..POLLS_MAX {
        let now = files(folder)?;
        if now < before {
            return Ok(now);
        }
        pause(POLL);
    }
    anyhow::bail!("the segments are never merged")
}
