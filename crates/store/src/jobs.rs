//! The queue of background jobs: rows that name an export and what is to be done with it.
//!
//! A worker claims a row with a lease and keeps it by heartbeats. Every claim raises the row's epoch, and whatever a worker writes in
//! the end is conditional on it: a worker that lost its lease changes nothing. What a job does is left to the program. Start at
//! [`Jobs::claim`].

use crate::StoreError;
use crate::database::Database;
use billing::UtcTime;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::sync::Arc;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobKind {
    ExportReport,
    SendMail,
}

impl JobKind {
    fn as_str(self) -> &'static str {
        match self {
            JobKind::ExportReport => "export_report",
            JobKind::SendMail => "send_mail",
        }
    }
}

/// A claimed job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    pub id: i64,
    pub kind: JobKind,
    /// The id of the export that it is about.
    pub export: String,
    /// The number of this claim among all of the job's claims.
    pub epoch: i64,
    /// How many attempts reported a failure. An attempt that a kill ended is none.
    pub failures: u32,
}

/// How long a claim holds without a heartbeat.
pub const LEASE_SECONDS: i64 = 60;

/// The table of jobs.
#[derive(Debug)]
pub struct Jobs {
    database: Arc<Database>,
}

impl Jobs {
    #[must_use]
    pub fn new(database: Arc<Database>) -> Jobs {
        Jobs { database }
    }

    /// Ends the leases that earlier processes had on jobs of a kind and makes every one due. Only the process that holds `ledger.lock` runs jobs, so
    /// whoever held a lease before it is dead.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn end_earlier_leases(&self, kind: JobKind, now: UtcTime) -> Result<(), StoreError> {
        self.database.write(|transaction| {
            let sql = "UPDATE job SET lease_until = NULL, next_attempt_at = min(next_attempt_at, ?2) WHERE kind = ?1";
            transaction.execute(sql, params![kind.as_str(), now.microseconds()])?;
            Ok(())
        })
    }

    /// Takes the job of a kind that has waited longest and is due, and whose lease, if it has one, has run out.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn claim(&self, kind: JobKind, now: UtcTime) -> Result<Option<Job>, StoreError> {
        let due = "SELECT id FROM job WHERE kind = ?1 AND next_attempt_at <= ?2 AND coalesce(lease_until, 0) <= ?2 ORDER BY next_attempt_at, id LIMIT 1";
        let sql = format!("UPDATE job SET epoch = epoch + 1, lease_until = ?3 WHERE id = ({due}) RETURNING id, export, epoch, failures");
        let lease_until = now.plus_seconds(LEASE_SECONDS);
        self.database.write(|transaction| {
            let values = params![kind.as_str(), now.microseconds(), lease_until.microseconds()];
            let job = transaction.query_row(&sql, values, |row| {
                Ok(Job { id: row.get(0)?, kind, export: row.get(1)?, epoch: row.get(2)?, failures: row.get(3)? })
            });
            Ok(job.optional()?)
        })
    }

    /// Keeps a claim for another [`LEASE_SECONDS`]. `false` when somebody else has claimed the job: then the worker has to stop.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn heartbeat(&self, job: &Job, now: UtcTime) -> Result<bool, StoreError> {
        let lease_until = now.plus_seconds(LEASE_SECONDS);
        self.database.write(|transaction| {
            let sql = "UPDATE job SET lease_until = ?3 WHERE id = ?1 AND epoch = ?2";
            Ok(transaction.execute(sql, params![job.id, job.epoch, lease_until.microseconds()])? == 1)
        })
    }

    /// Removes a job that is done or given up. `false` when the claim was lost.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn finish(&self, job: &Job) -> Result<bool, StoreError> {
        self.database.write(|transaction| finish(transaction, job))
    }

    /// Gives a job back after a failed attempt. `false` when the claim was lost.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn retry_at(&self, job: &Job, at: UtcTime) -> Result<bool, StoreError> {
        self.database.write(|transaction| {
            let sql = "UPDATE job SET lease_until = NULL, failures = failures + 1, next_attempt_at = ?3 WHERE id = ?1 AND epoch = ?2";
            Ok(transaction.execute(sql, params![job.id, job.epoch, at.microseconds()])? == 1)
        })
    }

    /// When the next job of a kind becomes due; nothing when none waits.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn next_due(&self, kind: JobKind) -> Result<Option<UtcTime>, StoreError> {
        self.database.read(|connection| {
            let sql = "SELECT min(max(next_attempt_at, coalesce(lease_until, 0))) FROM job WHERE kind = ?1";
            let due: Option<i64> = connection.query_row(sql, [kind.as_str()], |row| row.get(0))?;
            due.map(time).transpose()
        })
    }
}

/// Adds a job in the transaction that makes it necessary. One that already waits is left as it is.
pub(crate) fn add(transaction: &Transaction<'_>, kind: JobKind, export: &str, now: UtcTime) -> Result<(), StoreError> {
    let sql = "INSERT INTO job (kind, export, next_attempt_at) VALUES (?1, ?2, ?3) ON CONFLICT (kind, export) DO NOTHING";
    transaction.execute(sql, params![kind.as_str(), export, now.microseconds()])?;
    Ok(())
}

/// Removes a job within a transaction that depends on its claim.
pub(crate) fn finish(transaction: &Transaction<'_>, job: &Job) -> Result<bool, StoreError> {
    Ok(transaction.execute("DELETE FROM job WHERE id = ?1 AND epoch = ?2", params![job.id, job.epoch])? == 1)
}

pub(crate) fn waiting(connection: &Connection, kind: JobKind) -> Result<i64, StoreError> {
    Ok(connection.query_row("SELECT count(*) FROM job WHERE kind = ?1", [kind.as_str()], |row| row.get(0))?)
}

/// An instant as `facts.db` keeps it.
pub(crate) fn time(microseconds: i64) -> Result<UtcTime, StoreError> {
    UtcTime::from_microseconds(microseconds).map_err(|_| StoreError::damaged("facts.db", "an instant lies outside the years 2000 to 9998"))
}
