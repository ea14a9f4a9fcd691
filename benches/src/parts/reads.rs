//! The nine summaries against hello world: at a quarter of hello world's rate, and as fast as they are answered.
//!
//! The history is the whole run; the same is asked of a folder with next to no history, because the cost must not grow with it.

use crate::bench::Bench;
use crate::bodies::Wanted;
use crate::http;
use crate::load::{self, Outcome, Pace, Plan, Until};
use crate::sending::Sending;
use crate::server::{DataFolder, ENTERPRISE, Limits, Server};
use crate::table::{Count, Rate, Ratio, Span, at_least, at_most};
use crate::workload::{Kind, Share, Spelling, USER, owner_name};
use anyhow::Result;
use std::time::Duration;

const PART: &str = "summaries";
const CONNECTIONS: usize = 64;
/// Events of the folder with next to no history, and of the user.
const FEW_EVENTS: u64 = 10_000;
const USER_EVENTS: u64 = 1_000;

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let history = bench.history()?;
    let hello = Server::hello()?;
    let request = [http::request("GET", "/", "", b"")];
    let mut full = load(bench, &hello, &request, Pace::AsAnswered)?;
    let quarter = full.rate().times(0.25);
    let mut slow = load(bench, &hello, &request, Pace::Fixed(quarter))?;
    hello.kill()?;
    tell(bench, "hello world", &mut full, &mut slow);
    let hello = (full.rate(), slow.latencies.p99());
    let with_history = summaries(bench, &history.folder, quarter, hello)?;
    let few = few_events(bench)?;
    let ratio = with_history.to(few);
    let figure = format!("{} events of history against {}", Count(bench.size.events), Count(FEW_EVENTS));
    bench.table.judge(PART, figure, format!("{ratio} (against {few})"), at_least(&ratio, &Ratio(0.9)));
    Ok(())
}

fn load(bench: &Bench, server: &Server, requests: &[Vec<u8>], pace: Pace) -> Result<Outcome> {
    let until = Until::Time(bench.size.time);
    load::run(&Plan { address: server.address, connections: CONNECTIONS, requests, pace, until })
}

/// Each request once, one at a time.
fn once(server: &Server, requests: &[Vec<u8>]) -> Result<Outcome> {
    load::run(&Plan { address: server.address, connections: 1, requests, pace: Pace::AsAnswered, until: Until::AllSent })
}

fn tell(bench: &mut Bench, who: &str, full: &mut Outcome, slow: &mut Outcome) {
    let name = format!("{who}, {CONNECTIONS} connections (p99 {})", Span(full.latencies.p99()));
    bench.table.tell(PART, name, full.rate());
    let name = format!("{who} at {}: p50 / p99", slow.rate());
    bench.table.tell(PART, name, format!("{} / {}", Span(slow.latencies.p50()), Span(slow.latencies.p99())));
}

/// The nine operations, of the largest organization, of the user and of the enterprise.
pub(crate) fn requests(token: &str) -> Vec<Vec<u8>> {
    let accounts = [format!("/orgs/{}", owner_name(0)), format!("/users/{USER}"), format!("/enterprises/{ENTERPRISE}")];
    let products = ["actions", "packages", "shared-storage"];
    let paths = accounts.iter().flat_map(|account| products.map(|product| format!("{account}/settings/billing/{product}")));
    paths.map(|path| http::request("GET", &path, token, b"")).collect()
}

fn summaries(bench: &mut Bench, folder: &DataFolder, quarter: Rate, hello: (Rate, Duration)) -> Result<Rate> {
    let server = folder.serve(Limits::default())?;
    send_users_events(bench, &server)?;
    let requests = requests(&server.token);
    let mut first = once(&server, &requests)?;
    bench.table.tell(PART, "first answer of each of the nine, one after the other: longest", Span(first.latencies.max()));
    let mut full = load(bench, &server, &requests, Pace::AsAnswered)?;
    let mut slow = load(bench, &server, &requests, Pace::Fixed(quarter))?;
    server.stop()?;
    let name = format!("nine summaries, {CONNECTIONS} connections (p99 {})", Span(full.latencies.p99()));
    let wanted = at_least(&full.rate(), &hello.0.times(0.5)).because("half of hello world's");
    bench.table.judge(PART, name, full.rate(), wanted);
    let p99 = slow.latencies.p99();
    let one = at_most(&Span(p99), &Span(Duration::from_millis(1)));
    let target = one.or(at_most(&Span(p99), &Span(hello.1 * 2)).because("twice hello world's"));
    let name = format!("nine summaries at {}: p99 (p50 {})", slow.rate(), Span(slow.latencies.p50()));
    bench.table.judge(PART, name, Span(p99), target);
    Ok(full.rate())
}

/// Some usage of the user's own, so that their summaries have something to add up.
fn send_users_events(bench: &Bench, server: &Server) -> Result<()> {
    let (kind, spelling) = (Kind::UsageRecorded, Spelling::Personal);
    let numbers = bench.others.last(USER_EVENTS, Share::Personal);
    let bodies = bench.own_bodies(&Wanted { workload: &bench.others, numbers, kind, spelling })?;
    let sending = Sending { server, bodies: &bodies, events_per_body: USER_EVENTS, events: USER_EVENTS, pace: None };
    sending.run()?;
    bodies.remove()
}

fn few_events(bench: &mut Bench) -> Result<Rate> {
    let folder = bench.data_folder()?;
    let server = folder.serve(Limits::default())?;
    let last = bench.size.events;
    let bodies = bench.own_bodies(&Wanted::recorded(&bench.workload, last - FEW_EVENTS..last))?;
    let sending = Sending { server: &server, bodies: &bodies, events_per_body: FEW_EVENTS, events: FEW_EVENTS, pace: None };
    sending.run()?;
    bodies.remove()?;
    send_users_events(bench, &server)?;
    server.stop()?;
    let server = folder.serve(Limits::default())?;
    let requests = requests(&server.token);
    once(&server, &requests)?;
    let outcome = load(bench, &server, &requests, Pace::AsAnswered)?;
    server.stop()?;
    folder.remove()?;
    Ok(outcome.rate())
}
