//! Senders of one event a request: 256 at once and one alone, beside what the disk and HTTP alone take.
//!
//! Every answer means that the event is durable. The disk is measured on the same folder right before and after.

use crate::bench::Bench;
use crate::latency::Latencies;
use crate::load::{self, Outcome, Pace, Plan, Until};
use crate::machine;
use crate::server::{Limits, Server};
use crate::table::{Rate, Span, at_least, at_most};
use crate::workload::Share;
use anyhow::Result;
use std::time::Duration;

const PART: &str = "small senders";
const CONNECTIONS: usize = 256;
const EVENTS_MAX: u64 = 200_000;
const LONE_EVENTS: u64 = 2_000;
/// The least that the committer would wait for further senders: a lone one must not pay it.
const SHORTEST_HOLD: Duration = Duration::from_micros(200);

/// What an answer costs without us: a durable write, and a request.
struct Floor {
    sync: Latencies,
    hello: Outcome,
    lone_hello: Outcome,
}

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let mut floor = floor(bench)?;
    let folder = bench.data_folder()?;
    let server = folder.serve(Limits::default())?;
    let requests = bench.single_events((bench.size.events / 5).min(EVENTS_MAX), Share::Alone, &server.token);
    let (lone, many) = requests.split_at(usize::try_from(LONE_EVENTS.min(bench.size.events / 10))?);
    let mut lone = send(&server, lone, 1)?;
    let mut many = send(&server, many, CONNECTIONS)?;
    floor.sync.append(machine::sync_times(&bench.scratch)?);
    tell_floor(bench, &mut floor);
    tell_many(bench, &mut floor, &mut many);
    tell_lone(bench, &mut floor, &mut lone);
    server.stop()?;
    folder.remove()
}

fn floor(bench: &Bench) -> Result<Floor> {
    let sync = machine::sync_times(&bench.scratch)?;
    let server = Server::hello()?;
    let requests = [crate::http::request("GET", "/", "", b"")];
    let plan = |connections| Plan {
        address: server.address,
        connections,
        requests: &requests,
        pace: Pace::AsAnswered,
        until: Until::Time(bench.size.time),
    };
    let (hello, lone_hello) = (load::run(&plan(CONNECTIONS))?, load::run(&plan(1))?);
    server.kill()?;
    Ok(Floor { sync, hello, lone_hello })
}

fn send(server: &Server, requests: &[Vec<u8>], connections: usize) -> Result<Outcome> {
    load::run(&Plan { address: server.address, connections, requests, pace: Pace::AsAnswered, until: Until::AllSent })
}

fn tell_floor(bench: &mut Bench, floor: &mut Floor) {
    let sync = format!("{} / {} / {}", Span(floor.sync.p50()), Span(floor.sync.mean()), Span(floor.sync.p99()));
    bench.table.tell(PART, "4 KiB made durable on this disk: p50 / mean / p99", sync);
    bench.table.tell(PART, format!("hello world, {CONNECTIONS} connections"), floor.hello.rate());
    let alone = format!("{} / {}", Span(floor.lone_hello.latencies.p50()), Span(floor.lone_hello.latencies.p99()));
    bench.table.tell(PART, "hello world, one connection: p50 / p99", alone);
}

fn tell_many(bench: &mut Bench, floor: &mut Floor, many: &mut Outcome) {
    let figure = format!("{CONNECTIONS} connections, one event a request");
    let round = floor.sync.mean() + floor.lone_hello.latencies.mean();
    let possible = Rate::of(u64::try_from(CONNECTIONS).expect("few connections"), round);
    let bound = if possible < floor.hello.rate() { possible } else { floor.hello.rate() };
    let wanted = at_least(&many.rate(), &bound.times(2.0 / 3.0));
    let reason = format!("two thirds of the lesser of {possible} and hello world's {}", floor.hello.rate());
    bench.table.judge(PART, figure.clone(), many.rate(), wanted.because(reason));
    let limit = floor.sync.p99() * 3 + Duration::from_millis(10);
    let p99 = many.latencies.p99();
    let target = at_most(&Span(p99), &Span(limit)).because("3 × the disk's p99 + 10 ms");
    bench.table.judge(PART, format!("{figure}: p99 (p50 {})", Span(many.latencies.p50())), Span(p99), target);
}

fn tell_lone(bench: &mut Bench, floor: &mut Floor, lone: &mut Outcome) {
    let p50 = lone.latencies.p50();
    let limit = floor.sync.p50() + floor.lone_hello.latencies.p50() + SHORTEST_HOLD;
    let target = at_most(&Span(p50), &Span(limit)).because("disk + hello world + 0.2 ms: the least that grouping could hold it");
    bench.table.judge(PART, format!("one sender alone: p50 (p99 {})", Span(lone.latencies.p99())), Span(p50), target);
}
