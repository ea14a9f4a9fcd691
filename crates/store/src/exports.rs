//! Report exports: what was asked for, how far it is, and which files it became. Making the files is left to the program.
//!
//! An export and its job are born in one transaction, and so are its end and the mail that follows from it: after a kill there is
//! either nothing, an export that still has its job, or a finished export. Start at [`Exports::create`] and [`Exports::complete`].

mod rows;
mod verify;

use crate::database::Database;
use crate::jobs::{self, Job, JobKind};
use crate::{Sequence, StoreError};
use billing::report::{ReportDays, ReportType};
use billing::{AccountId, FactNumber, UtcTime};
use rusqlite::params;
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportStatus {
    Processing,
    Completed {
        finished_at: UtcTime,
        /// The version of the program that wrote the files.
        writer: String,
        parts: Vec<ExportPart>,
    },
    Failed {
        finished_at: UtcTime,
        reason: String,
    },
}

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPart {
    /// The name that a download is offered as.
    pub file_name: String,
    pub rows: u64,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// A lower-case UUID.
    pub id: String,
    pub enterprise: AccountId,
    pub report_type: ReportType,
    pub days: ReportDays,
    pub actor: AccountId,
    pub send_email: bool,
    /// The address that the request came to: where the links of a mail lead.
    pub base_url: String,
    pub created_at: UtcTime,
    /// Everything the report shows is as of this place in the ledger.
    pub sequence: Sequence,
    /// The facts that hold at that place.
    pub facts: FactNumber,
    /// The price version in force on the report's last day, as recorded with the export.
    pub price_version: u32,
    /// Where its files are cut. Kept, so that a restart with other settings makes the same files.
    pub rows_per_part: u64,
    pub status: ExportStatus,
}

/// Exports that may wait to be made; more are refused until some are done.
pub const EXPORTS_WAITING_MAX: i64 = 1000;

/// The most exports that one list shows. GitHub's list has no pages.
pub const EXPORTS_LISTED_MAX: usize = 1000;

/// More exports than one folder can hold: they expire.
const EXPORTS_MAX: usize = 10_000_000;

/// How long a finished or failed export is kept, in seconds: 31 days, as GitHub keeps them.
pub const EXPORT_KEPT_SECONDS: i64 = 31 * 86_400;

/// What became of a new export.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Created {
    Queued,
    /// [`EXPORTS_WAITING_MAX`] are waiting; nothing was stored.
    QueueFull,
}

/// The table of exports.
#[derive(Debug)]
pub struct Exports {
    pub(crate) database: Arc<Database>,
}

impl Exports {
    #[must_use]
    pub fn new(database: Arc<Database>) -> Exports {
        Exports { database }
    }

    /// Stores a new export together with the job that makes it.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn create(&self, export: &Export) -> Result<Created, StoreError> {
        self.database.write(|transaction| {
            if jobs::waiting(transaction, JobKind::ExportReport)? >= EXPORTS_WAITING_MAX {
                return Ok(Created::QueueFull);
            }
            rows::insert(transaction, export)?;
            jobs::add(transaction, JobKind::ExportReport, &export.id, export.created_at)?;
            Ok(Created::Queued)
        })
    }

    /// The export of an id, when it is one of the enterprise.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, enterprise: AccountId, id: &str) -> Result<Option<Export>, StoreError> {
        Ok(self.find(id)?.filter(|export| export.enterprise == enterprise))
    }

    /// The export of an id, whoever's it is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn find(&self, id: &str) -> Result<Option<Export>, StoreError> {
        self.database.read(|connection| Ok(rows::select(connection, "id = ?1", &[&id], 1)?.pop()))
    }

    /// The exports of an enterprise, the newest first, at most [`EXPORTS_LISTED_MAX`].
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn list(&self, enterprise: AccountId) -> Result<Vec<Export>, StoreError> {
        self.database.read(|connection| rows::select(connection, "enterprise = ?1", &[&enterprise.0], EXPORTS_LISTED_MAX))
    }

    /// Every export, of whatever enterprise.
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn all(&self) -> Result<Vec<Export>, StoreError> {
        self.database.read(|connection| rows::select(connection, "true", &[], EXPORTS_MAX))
    }

    /// Marks an export as completed, removes its job and queues the mail that was asked for. `false` when the claim was lost; then
    /// nothing changed.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn complete(&self, job: &Job, now: UtcTime, writer: &str, parts: &[ExportPart]) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let sql = "UPDATE export SET status = 'completed', finished_at = ?2, writer = ?3 WHERE id = ?1 AND status = 'processing'";
            if !jobs::finish(transaction, job)? || transaction.execute(sql, params![job.export, now.microseconds(), writer])? != 1 {
                return Ok(false);
            }
            rows::insert_parts(transaction, &job.export, parts)?;
            let wanted: bool = transaction.query_row("SELECT send_email FROM export WHERE id = ?1", [&job.export], |row| row.get(0))?;
            if wanted {
                jobs::add(transaction, JobKind::SendMail, &job.export, now)?;
            }
            Ok(true)
        })
    }

    /// Marks an export as failed and removes its job. `false` when the claim was lost; then nothing changed.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn fail(&self, job: &Job, now: UtcTime, reason: &str) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let sql = "UPDATE export SET status = 'failed', finished_at = ?2, reason = ?3 WHERE id = ?1 AND status = 'processing'";
            Ok(jobs::finish(transaction, job)? && transaction.execute(sql, params![job.export, now.microseconds(), reason])? == 1)
        })
    }

    /// Removes the records of exports that ended [`EXPORT_KEPT_SECONDS`] ago and returns their ids, whose files may go then.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn expire(&self, now: UtcTime) -> Result<Vec<String>, StoreError> {
        let ended_by = now.plus_seconds(EXPORT_KEPT_SECONDS.saturating_neg());
        self.database.write(|transaction| {
            let mut statement = transaction.prepare("DELETE FROM export WHERE finished_at <= ?1 RETURNING id")?;
            let ids = statement.query_map([ended_by.microseconds()], |row| row.get(0))?;
            Ok(ids.collect::<Result<Vec<String>, _>>()?)
        })
    }
}

#[cfg(test)]
mod tests;
