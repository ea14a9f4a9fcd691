//! Identity without a horizon: events of a year ago once more, with another spelling of their owner's name, and what it costs new ones.
//!
//! The same new events go into the history and into an empty folder; the difference is what looking through the history takes.

use crate::bench::Bench;
use crate::bodies::{Bodies, Wanted};
use crate::sending::{Sending, Sent};
use crate::server::{DataFolder, Limits};
use crate::table::{Count, Ratio, Span, at_least};
use crate::workload::{Kind, Share, Spelling};
use anyhow::{Result, ensure};

const PART: &str = "identity";
const OLD_EVENTS_MAX: u64 = 1_000_000;
const NEW_EVENTS_MAX: u64 = 2_000_000;
const BODY: u64 = 10_000;

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let mut history = bench.history()?.folder;
    // The first events were used in January 2026.
    "2027-02-01T12:00:00Z".clone_into(&mut history.now);
    old_events(bench, &history)?;
    let events = (bench.size.events / 5).min(NEW_EVENTS_MAX);
    let bodies = bench.own_bodies(&Wanted::recorded(&bench.others, bench.others.last(events, Share::BesideHistory)))?;
    let with_history = send(&history, &bodies, events)?;
    let empty = bench.data_folder()?;
    let without = send(&empty, &bodies, events)?;
    empty.remove()?;
    bodies.remove()?;
    let ratio = with_history.rate().to(without.rate());
    let figure = format!("{} new events beside {} sealed ones, against an empty ledger", Count(events), Count(bench.size.events));
    let rates = format!("{ratio} ({} against {})", with_history.rate(), without.rate());
    bench.table.judge(PART, figure, rates, at_least(&ratio, &Ratio(0.8)));
    Ok(())
}

fn old_events(bench: &mut Bench, history: &DataFolder) -> Result<()> {
    let events = (bench.size.events / 10).min(OLD_EVENTS_MAX);
    let wanted = Wanted { workload: &bench.workload, numbers: 0..events, kind: Kind::UsageRecorded, spelling: Spelling::Shouted };
    let bodies = bench.own_bodies(&wanted)?;
    let sent = send(history, &bodies, events)?;
    bodies.remove()?;
    ensure!(sent.verdicts.duplicate == events, "events of a year ago were taken for new ones: {:?}", sent.verdicts);
    let mut latencies = sent.latencies.clone();
    let figure =
        format!("{} events of a year ago, owners in capitals: all duplicates (p99 of a body {})", Count(events), Span(latencies.p99()));
    bench.table.tell(PART, figure, sent.rate());
    Ok(())
}

fn send(folder: &DataFolder, bodies: &Bodies, events: u64) -> Result<Sent> {
    let server = folder.serve(Limits::default())?;
    let sent = Sending { server: &server, bodies, events_per_body: BODY, events, pace: None }.run()?;
    server.stop()?;
    Ok(sent)
}
