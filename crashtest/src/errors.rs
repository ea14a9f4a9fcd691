//! Every n-th I/O error: one script of work again and again, with the first, the second, the third … call to the disk failing, until the
//! script passes untouched.
//!
//! The program may refuse, or stop with exit code 74, or fail to start with exit code 1; it may not panic, hang, or lose anything.
//! After each run the disk works again, and everything is checked as after a crash. Start at [`run`].

use crate::checker::Counts;
use crate::disk::fault::{Call, Failure as DiskFailure, Fault};
use crate::disk::{Disk, Entries};
use crate::failure::{Failure, Promise, ensure};
use crate::history::Told;
use crate::mount::SharedDisk;
use crate::run::{Outcome, Plan, Run};
use crate::server::{PATIENCE, Program, Server, pause};
use std::collections::BTreeMap;
use std::fmt;
use std::process::ExitStatus;
use std::time::Duration;

/// Bodies of the script, and events in each. They make it seal twice and merge once.
const BODIES: usize = 8;
const EVENTS: u64 = 60;
const SEAL_EVENTS: u32 = 200;
/// How long the script waits for its export; one that failed is tried again much later.
const EXPORT_LOOKS: u32 = 100;
const LOOK: Duration = Duration::from_millis(5);

/// One way for calls to fail.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    pub failure: DiskFailure,
    /// From the n-th call on all fail, until half of the script is over.
    pub lasts: bool,
}

pub const KINDS: [Kind; 5] = [
    Kind { failure: DiskFailure::Io, lasts: false },
    Kind { failure: DiskFailure::Io, lasts: true },
    Kind { failure: DiskFailure::Full, lasts: false },
    Kind { failure: DiskFailure::Full, lasts: true },
    Kind { failure: DiskFailure::Short, lasts: false },
];

/// What a walk over all n came to.
#[derive(Debug, Default)]
pub struct Walk {
    pub outcome: Outcome,
    /// How often each call was hit.
    pub hit: BTreeMap<Call, u32>,
    /// How often the program stopped with 74, did not start, and went on.
    pub stopped: u32,
    pub not_started: u32,
    pub went_on: u32,
    /// Whether the last script passed untouched.
    pub reached_the_end: bool,
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Walk { outcome, hit, stopped, not_started, went_on, reached_the_end } = self;
        write!(f, "{} points, {hit:?}: stopped {stopped}, not started {not_started}, went on {went_on}", outcome.cycles)?;
        write!(f, "{}", if *reached_the_end { "; then the script passed untouched" } else { "; the script was not walked to its end" })?;
        match &outcome.failure {
            None => write!(f, "; every promise held"),
            Some(failure) => write!(f, "; broken: {failure}"),
        }
    }
}

/// Walks over `first`, `first + step`, … until the script passes untouched, or `plan.cycles` points were hit.
#[must_use]
pub fn run(plan: &Plan, kind: Kind, first: u64, step: u64) -> Walk {
    let program = Program { seal_events: SEAL_EVENTS, merge_segments: 3, ..plan.program.clone() };
    let mut walk = Walk::default();
    let mut nth = first;
    while walk.outcome.cycles < plan.cycles && walk.outcome.failure.is_none() && !walk.reached_the_end {
        let mount = tempfile::tempdir().unwrap();
        let disk = SharedDisk::new(Disk::new(Entries::WithTheirFolder));
        let session = disk.mount(mount.path()).expect("FUSE was available a moment ago");
        let mut run = Run::new(&program, Some(&mount.path().join("data")), plan.seed.wrapping_add(nth));
        let failed = point(&mut run, &disk, Fault::new(nth, kind.failure, kind.lasts), &mut walk).err();
        walk.outcome.failure = failed.map(|failure| Failure::new(failure.promise, format!("at call {nth}, {kind:?}: {}", failure.what)));
        if walk.outcome.failure.is_none() && !walk.reached_the_end {
            drop(session);
            let session = again(&mut run, &disk, mount.path());
            walk.outcome.failure =
                session.err().map(|failure| Failure::new(failure.promise, format!("after call {nth}, {kind:?}: {}", failure.what)));
            walk.outcome.cycles += 1;
        }
        run.account(&mut walk.outcome, &plan.logs);
        nth += step;
    }
    walk
}

/// Runs the script with one fault.
fn point(run: &mut Run<'_>, disk: &SharedDisk, fault: Fault, walk: &mut Walk) -> Result<(), Failure> {
    disk.lock().plan(Some(fault));
    let started = run.program.start(&run.data, &run.messages(), &run.token);
    let ended = match started {
        Ok(mut server) => {
            script(run, &mut server, disk)?;
            let status = server.stop(PATIENCE);
            let told = || format!("it ended with {status:?}\n{}", server.messages());
            ensure(status.is_some_and(is_clean), Promise::Behaves, told)?;
            status.and_then(|status| status.code())
        }
        Err(failure) => {
            let clean = failure.what.contains("exit status: 1") || failure.what.contains("exit status: 74");
            ensure(clean && !failure.what.contains("panicked"), Promise::Behaves, || failure.what.clone())?;
            walk.not_started += 1;
            Some(1)
        }
    };
    let call = disk.lock().hit();
    disk.lock().plan(None);
    walk.reached_the_end = call.is_none();
    if let Some(call) = call {
        *walk.hit.entry(call).or_insert(0) += 1;
        match ended {
            Some(74) => walk.stopped += 1,
            Some(0) => walk.went_on += 1,
            _ => {}
        }
    }
    Ok(())
}

/// Success, a refusal to start or to end with a seal, or the stop after a failed write.
fn is_clean(status: ExitStatus) -> bool {
    matches!(status.code(), Some(0 | 1 | 74))
}

/// The work: bodies, an export in the middle, and what was refused once more at the end.
fn script(run: &Run<'_>, server: &mut Server, disk: &SharedDisk) -> Result<(), Failure> {
    let mut refused = Vec::new();
    for number in 0..BODIES {
        if number == BODIES / 2 {
            run.exports.request(&server.api, &run.history, &mut run.dice.clone())?;
            wait_for_export(run, server);
        }
        let numbers = run.history.invoke(EVENTS);
        send(run, server, numbers, &mut refused)?;
    }
    // Now there is room again, or the disk works again: whoever still runs goes on without a restart.
    disk.lock().heal();
    for numbers in std::mem::take(&mut refused) {
        send(run, server, numbers, &mut refused)?;
    }
    Ok(())
}

fn send(run: &Run<'_>, server: &Server, numbers: std::ops::Range<u64>, refused: &mut Vec<std::ops::Range<u64>>) -> Result<(), Failure> {
    let told = match server.api.post("/v1/usage", &run.history.body(numbers.clone(), 0)) {
        None => return Ok(()),
        Some((200, text)) => {
            let name = || format!("events {numbers:?}: {text}\n{}", server.messages());
            ensure(Counts::of(&text) == Some(Counts::all(EVENTS, 0, 0)), Promise::Verdicts, name)?;
            Told::Acknowledged
        }
        Some((503 | 507, _)) => {
            refused.push(numbers.clone());
            Told::Refused
        }
        Some((500, _)) => Told::Unknown,
        Some(other) => return Err(Failure::new(Promise::Behaves, format!("events {numbers:?}: {other:?}"))),
    };
    run.history.tell(numbers.start, told);
    Ok(())
}

fn wait_for_export(run: &Run<'_>, server: &Server) {
    for _ in 0..EXPORT_LOOKS {
        if run.exports.is_empty() || run.exports.is_one_completed(&server.api) {
            return;
        }
        pause(LOOK);
    }
}

/// Cuts the power, mounts what survives on a disk that works, and checks everything.
fn again(run: &mut Run<'_>, disk: &SharedDisk, folder: &std::path::Path) -> Result<(), Failure> {
    let (survivor, survival) = disk.lock().cut(&mut run.dice);
    run.history.note(&format!("cut after the error, {survival:?}"));
    let disk = SharedDisk::new(survivor);
    let session = disk.mount(folder).expect("FUSE was available a moment ago");
    let ended = run.end();
    drop(session);
    ended
}
