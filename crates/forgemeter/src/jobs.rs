//! Background jobs: one file each, and the workers that run them.
//!
//! A job is a row that names an export; the job reads everything else again and may be run any number of times. Two workers, one for
//! exports and one for mail, so that a slow mail server holds up no report. They wake by a nudge or when the next job is due; nothing
//! sleeps while it holds a job. Start at [`start`].

pub(crate) mod expire_exports;
pub(crate) mod export_report;
pub(crate) mod send_mail;

use crate::app::App;
use billing::UtcTime;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use store::StoreError;
use store::jobs::{Job, JobKind};

/// How long a worker waits at most before it looks again.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long a worker waits at least for a job that is not due yet.
const WAIT_MIN: Duration = Duration::from_millis(50);

/// Failed attempts after which a job is given up.
const FAILURES_MAX: u32 = 8;

/// The wait after the first failed attempt, in seconds; each further failure doubles it: 10 seconds to 21 minutes, 42 minutes in all.
const FIRST_WAIT_SECONDS: i64 = 10;

/// Wakes the workers, and tells them to stop.
#[derive(Debug, Default)]
pub(crate) struct Nudge {
    state: Mutex<NudgeState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct NudgeState {
    nudges: u64,
    stopping: bool,
}

impl Nudge {
    /// Says that there is a new job.
    pub(crate) fn nudge(&self) {
        let mut state = self.lock();
        state.nudges = state.nudges.wrapping_add(1);
        self.changed.notify_all();
    }

    fn stop(&self) {
        self.lock().stopping = true;
        self.changed.notify_all();
    }

    /// Whether a job in the middle should give up; it is taken up again at the next start.
    pub(crate) fn is_stopping(&self) -> bool {
        self.lock().stopping
    }

    fn count(&self) -> u64 {
        self.lock().nudges
    }

    /// Waits for a nudge after the first `seen`, for the stop, or for a time.
    fn wait(&self, seen: u64, time: Duration) {
        let waiting = |state: &mut NudgeState| state.nudges == seen && !state.stopping;
        drop(self.changed.wait_timeout_while(self.lock(), time, waiting).unwrap_or_else(PoisonError::into_inner));
    }

    fn lock(&self) -> MutexGuard<'_, NudgeState> {
        // Two plain fields: whoever panicked here left nothing half done.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The running workers.
#[derive(Debug)]
pub(crate) struct Running {
    app: Arc<App>,
    workers: Vec<JoinHandle<()>>,
}

impl Running {
    /// Lets the workers put down what they hold and waits for them.
    pub(crate) fn stop(self) {
        self.app.nudge.stop();
        for worker in self.workers {
            if worker.join().is_err() {
                tracing::error!("a worker of background jobs ended by a panic");
            }
        }
    }
}

/// Starts the workers. Only for the process that holds `ledger.lock`, and once in it.
pub(crate) fn start(app: &Arc<App>) -> Running {
    let worker = |name: &str, kind: JobKind| {
        let app = Arc::clone(app);
        let spawned = std::thread::Builder::new().name(name.to_owned()).spawn(move || work(&app, kind));
        spawned.expect("a system that cannot start two threads can serve nobody")
    };
    let workers = vec![worker("exports", JobKind::ExportReport), worker("mail", JobKind::SendMail)];
    Running { app: Arc::clone(app), workers }
}

/// Clears what an earlier process left half done, so that it is made again.
fn recover(app: &App, kind: JobKind) -> Result<(), StoreError> {
    app.jobs.end_earlier_leases(kind, app.clock.now())?;
    if kind == JobKind::ExportReport { expire_exports::sweep(app) } else { Ok(()) }
}

fn work(app: &App, kind: JobKind) {
    if let Err(error) = recover(app, kind) {
        // Not fatal: leases run out by themselves, and a file that belongs to nobody is in nobody's way.
        tracing::error!(job = ?kind, %error, "cannot clear up after an earlier process");
    }
    while !app.nudge.is_stopping() {
        let seen = app.nudge.count();
        let wait = match run_next(app, kind) {
            Ok(true) => continue,
            Ok(false) => pause(app, kind),
            Err(error) => Err(error),
        };
        let wait = wait.unwrap_or_else(|error| {
            tracing::error!(job = ?kind, %error, "cannot look for jobs");
            WAIT_MAX
        });
        app.nudge.wait(seen, wait);
    }
}

/// Runs the job that is due. `false` when none is.
fn run_next(app: &App, kind: JobKind) -> Result<bool, StoreError> {
    if kind == JobKind::ExportReport {
        expire_exports::run(app)?;
    }
    let Some(job) = app.jobs.claim(kind, app.clock.now())? else { return Ok(false) };
    let attempt = catch_unwind(AssertUnwindSafe(|| match kind {
        JobKind::ExportReport => export_report::run(app, &job),
        JobKind::SendMail => send_mail::run(app, &job),
    }));
    match attempt.unwrap_or_else(|_| Err(JobError::again("the job panicked"))) {
        Ok(()) => {}
        Err(JobError::PutDown) => tracing::info!(job = ?kind, export.id = %job.export, "put down"),
        Err(JobError::Failed { cause, is_final }) => failed(app, &job, &cause, is_final)?,
    }
    Ok(true)
}

/// Why an attempt at a job ended early.
#[derive(Debug)]
pub(crate) enum JobError {
    /// The server stops, or the claim was lost: somebody else goes on with it.
    PutDown,
    Failed {
        cause: String,
        /// Another attempt would end the same way.
        is_final: bool,
    },
}

impl JobError {
    fn again(cause: impl ToString) -> JobError {
        JobError::Failed { cause: cause.to_string(), is_final: false }
    }

    fn for_good(cause: impl ToString) -> JobError {
        JobError::Failed { cause: cause.to_string(), is_final: true }
    }
}

impl From<StoreError> for JobError {
    fn from(error: StoreError) -> JobError {
        match error {
            StoreError::Damaged { .. } | StoreError::UnknownVersion { .. } | StoreError::NoSuchSequence(_) | StoreError::Overflow => {
                JobError::for_good(error)
            }
            StoreError::DiskFull | StoreError::Busy | StoreError::Locked(_) | StoreError::Sqlite(_) | StoreError::Io { .. } => {
                JobError::again(error)
            }
        }
    }
}

fn failed(app: &App, job: &Job, cause: &str, is_final: bool) -> Result<(), StoreError> {
    let now = app.clock.now();
    if is_final || job.failures.saturating_add(1) >= FAILURES_MAX {
        tracing::error!(job = ?job.kind, export.id = %job.export, cause, "given up");
        match job.kind {
            JobKind::ExportReport => app.exports.fail(job, now, cause)?,
            JobKind::SendMail => app.jobs.finish(job)?,
        };
        return Ok(());
    }
    let at = next_attempt(now, job.failures);
    tracing::warn!(job = ?job.kind, export.id = %job.export, cause, next_attempt_at = %at, "failed, tried again later");
    app.jobs.retry_at(job, at)?;
    Ok(())
}

fn next_attempt(now: UtcTime, failures: u32) -> UtcTime {
    let doubled = 1_i64.checked_shl(failures).unwrap_or(i64::MAX);
    now.plus_seconds(FIRST_WAIT_SECONDS.saturating_mul(doubled))
}

/// How long to wait for the next job of a kind.
fn pause(app: &App, kind: JobKind) -> Result<Duration, StoreError> {
    let Some(due) = app.jobs.next_due(kind)? else { return Ok(WAIT_MAX) };
    let microseconds = due.microseconds().saturating_sub(app.clock.now().microseconds()).max(0);
    Ok(Duration::from_micros(microseconds.unsigned_abs()).clamp(WAIT_MIN, WAIT_MAX))
}

#[cfg(test)]
pub(crate) mod tests;
