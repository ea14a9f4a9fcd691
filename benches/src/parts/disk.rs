//! Bytes on disk for an event, all files of the data folder together, after a clean stop.
//!
//! The history holds `usage.recorded`; a folder of its own holds the same usage as `ci.job.completed`.

use crate::bench::Bench;
use crate::bodies::Wanted;
use crate::sending::Sending;
use crate::server::Limits;
use crate::table::{BytesEach, Count, at_most};
use crate::workload::{Kind, Spelling};
use anyhow::{Result, ensure};

const PART: &str = "disk";
const JOBS_MAX: u64 = 10_000_000;

pub(crate) fn run(bench: &mut Bench) -> Result<()> {
    let history = bench.history()?;
    let recorded = (history.bytes, history.sent.verdicts.accepted);
    tell(bench, "usage.recorded", recorded, 75.0);
    let jobs = jobs(bench)?;
    tell(bench, "ci.job.completed", jobs, 95.0);
    Ok(())
}

fn tell(bench: &mut Bench, kind: &str, (bytes, events): (u64, u64), wanted: f64) {
    let each = BytesEach::of(bytes, events);
    bench.table.judge(PART, format!("`{kind}`, {} events", Count(events)), each, at_most(&each, &BytesEach(wanted)));
}

fn jobs(bench: &mut Bench) -> Result<(u64, u64)> {
    let folder = bench.data_folder()?;
    let server = folder.serve(Limits::default())?;
    let events = bench.size.events.min(JOBS_MAX);
    let wanted = Wanted { workload: &bench.workload, numbers: 0..events, kind: Kind::CiJobCompleted, spelling: Spelling::AsCreated };
    let bodies = bench.own_bodies(&wanted)?;
    let sent = Sending { server: &server, bodies: &bodies, events_per_body: 10_000, events, pace: None }.run()?;
    ensure!(sent.verdicts.rejected == 0 && sent.verdicts.conflict == 0, "jobs were not taken: {:?}", sent.verdicts);
    bodies.remove()?;
    server.stop()?;
    let bytes = folder.bytes()?;
    folder.remove()?;
    Ok((bytes, sent.verdicts.accepted))
}
