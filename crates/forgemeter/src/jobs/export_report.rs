//! Makes the files of one report export.
//!
//! Everything is read as of the export's place in the ledger, and the files' names follow from the export: an attempt that a kill or
//! a full disk ended leaves nothing that counts, and the next one makes the same files. They count once the one transaction at the
//! end has marked the export as completed. Start at [`run`].

use super::JobError;
use crate::app::App;
use crate::report_csv::{self, Destination, ReportError, ReportScope};
use billing::UtcTime;
use std::io;
use std::path::{Path, PathBuf};
use store::StoreError;
use store::durable;
use store::exports::{Export, ExportPart, ExportStatus};
use store::jobs::{Job, LEASE_SECONDS};

/// What is recorded as the writer of an export's files.
const WRITER: &str = concat!("forgemeter ", env!("CARGO_PKG_VERSION"));

/// Where all exports of a data folder lie.
pub(crate) fn exports_folder(data: &Path) -> PathBuf {
    data.join("exports")
}

/// Where the files of one export lie. Its id is ours, never a caller's text.
pub(crate) fn folder(data: &Path, id: &str) -> PathBuf {
    exports_folder(data).join(id)
}

pub(super) fn run(app: &App, job: &Job) -> Result<(), JobError> {
    let processing = |export: &Export| export.status == ExportStatus::Processing;
    let Some(export) = app.exports.find(&job.export)?.filter(processing) else {
        app.jobs.finish(job)?;
        return Ok(());
    };
    let parts = match write(app, job, &export) {
        Ok(parts) => parts,
        Err(ReportError::PutDown) => return Err(JobError::PutDown),
        Err(error) => {
            // What was written may be what filled the disk.
            clear(&folder(app.database.folder(), &export.id)).map_err(JobError::again)?;
            return Err(error.into());
        }
    };
    let completed = app.exports.complete(job, app.clock.now(), WRITER, &parts);
    if matches!(completed, Err(StoreError::DiskFull)) {
        // Nothing was recorded, and as long as the files fill the disk nothing will be.
        clear(&folder(app.database.folder(), &export.id)).map_err(JobError::again)?;
    }
    if !completed? {
        return Err(JobError::PutDown);
    }
    app.nudge.nudge();
    let rows: u64 = parts.iter().map(|part| part.rows).sum();
    tracing::info!(export.id = %export.id, sequence = %export.sequence, rows, parts = parts.len(), "export completed");
    Ok(())
}

fn write(app: &App, job: &Job, export: &Export) -> Result<Vec<ExportPart>, ReportError> {
    let snapshot = app.ledger.snapshot_at(export.sequence)?;
    let folder = folder(app.database.folder(), &export.id);
    clear(&folder).map_err(ReportError::write(&folder))?;
    durable::create_folder(&folder).map_err(ReportError::write(&folder))?;
    let scope = ReportScope { enterprise: export.enterprise, report_type: export.report_type, days: export.days };
    let to = Destination { folder: &folder, rows_per_part: export.rows_per_part, attempt: job.epoch.to_string() };
    let mut last = app.clock.now();
    report_csv::write_parts(scope, &snapshot, &to, || pulse(app, job, &mut last))
}

/// Keeps the claim, and ends the attempt when the server stops or the claim is lost.
fn pulse(app: &App, job: &Job, last: &mut UtcTime) -> Result<(), ReportError> {
    if app.nudge.is_stopping() {
        return Err(ReportError::PutDown);
    }
    let now = app.clock.now();
    if now >= last.plus_seconds(LEASE_SECONDS / 4) {
        *last = now;
        if !app.jobs.heartbeat(job, now)? {
            return Err(ReportError::PutDown);
        }
    }
    Ok(())
}

/// Removes what an earlier attempt left.
fn clear(folder: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

impl From<ReportError> for JobError {
    fn from(error: ReportError) -> JobError {
        match error {
            ReportError::PutDown => JobError::PutDown,
            ReportError::Store(error) => error.into(),
            ReportError::Row(error) => JobError::for_good(error),
            ReportError::Write { .. } => JobError::again(error),
        }
    }
}
