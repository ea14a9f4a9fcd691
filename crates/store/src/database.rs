//! `facts.db`: opening it, its migrations, and short transactions. What the tables mean is left to the modules that own them.
//!
//! Any process of the folder may write it; a writer waits for another one's short transaction. A commit is durable when it returns.
//! Reads have a connection of their own: they never wait for the disk of a write, and its `data_version` tells of every commit.

use crate::{StoreError, durable};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicI64;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// One schema change each, in order, never edited after a release.
const MIGRATIONS: &[&str] = &[include_str!("../migrations/0001_facts.sql"), include_str!("../migrations/0002_exports.sql")];

/// How long a writer waits for another process's transaction. Ours take milliseconds; this only catches a stuck one.
const BUSY_WAIT: Duration = Duration::from_secs(10);

/// Each attempt waits for the process that was faster; more than a few means that something else is wrong.
const WAL_ATTEMPTS_MAX: usize = 10;

/// The connections to `facts.db`, shared by the threads of this process.
#[derive(Debug)]
pub struct Database {
    writer: Mutex<Connection>,
    reader: Mutex<Connection>,
    path: PathBuf,
    /// Microseconds that the folder's clock is ahead of the system's, as last read; it belongs to [`crate::clock`].
    pub(crate) clock_offset: AtomicI64,
}

impl Database {
    /// Opens the folder's `facts.db`; creates folder and file when they do not exist.
    ///
    /// # Errors
    /// When it cannot be opened or migrated, or a newer program has migrated it further.
    pub fn open(folder: &Path) -> Result<Database, StoreError> {
        let path = folder.join("facts.db");
        if !path.exists() {
            durable::create_folder(folder).map_err(StoreError::io(folder))?;
        }
        let mut writer = connect(&path)?;
        migrate(&mut writer, &path)?;
        let reader = connect(&path)?;
        reader.pragma_update(None, "query_only", "on")?;
        Ok(Database { writer: Mutex::new(writer), reader: Mutex::new(reader), path, clock_offset: AtomicI64::new(0) })
    }

    /// The folder that the database lies in.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new("."))
    }

    /// Reads.
    ///
    /// # Errors
    /// Those of `read`.
    pub fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&lock(&self.reader))
    }

    /// What SQLite itself finds wrong with the file; nothing when all is well.
    ///
    /// # Errors
    /// When it cannot be read at all.
    pub fn complaints(&self) -> Result<Vec<String>, StoreError> {
        self.read(|connection| {
            let mut select = connection.prepare("PRAGMA integrity_check(100)")?;
            let told = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
            Ok(told.into_iter().filter(|line| line != "ok").collect())
        })
    }

    /// Writes in one transaction: all of it is durable when this returns, or none of it happened.
    ///
    /// # Errors
    /// Those of `write`; then nothing was changed.
    pub fn write<T>(&self, write: impl FnOnce(&Transaction<'_>) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let mut connection = lock(&self.writer);
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = write(&transaction)?;
        transaction.commit().map_err(|error| or_stop(error, &self.path))?;
        Ok(value)
    }
}

/// A commit that the disk refused for another reason than being full ends the process: nobody knows what it holds then.
fn or_stop(error: rusqlite::Error, path: &Path) -> rusqlite::Error {
    match error.sqlite_error_code() {
        Some(ErrorCode::SystemIoFailure | ErrorCode::DatabaseCorrupt) => {
            durable::stop(&format!("{} could not be written: {error}", path.display()))
        }
        _ => error,
    }
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_WAIT)?;
    use_write_ahead_log(&connection, path)?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", "on")?;
    Ok(connection)
}

/// Two processes that switch a new file at the same moment would wait for each other for ever, so SQLite refuses one of them at
/// once. That one waits for a short transaction of its own instead, and finds the file switched.
fn use_write_ahead_log(connection: &Connection, path: &Path) -> Result<(), StoreError> {
    for _ in 0..WAL_ATTEMPTS_MAX {
        let switched = connection.query_row("PRAGMA journal_mode = wal", (), |row| row.get::<_, String>(0));
        match switched {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                let what = format!("SQLite keeps no write-ahead log here (journal mode `{mode}`); move the folder to a local disk");
                return Err(StoreError::damaged(path.display().to_string(), what));
            }
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(StoreError::Busy)
}

fn lock(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic in a reader leaves the connection usable: an open transaction is rolled back when its guard is dropped.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let done: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let known = u32::try_from(MIGRATIONS.len()).map_err(|_| StoreError::Overflow)?;
    if done > known {
        return Err(StoreError::UnknownVersion { file: path.display().to_string(), found: done, known });
    }
    for (number, migration) in (1..=known).zip(MIGRATIONS) {
        if number > done {
            transaction.execute_batch(migration)?;
        }
    }
    transaction.pragma_update(None, "user_version", known)?;
    transaction.commit()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;

    #[test]
    fn many_processes_may_open_a_new_folder_at_the_same_moment() {
        for _ in 0..5 {
            let folder = tempfile::tempdir().unwrap();
            let start = Barrier::new(8);
            std::thread::scope(|scope| {
                for number in 0..8_i64 {
                    scope.spawn({
                        let (start, path) = (&start, folder.path());
                        move || {
                            start.wait();
                            let database = Database::open(path).unwrap();
                            database.write(|transaction| crate::settings::put(transaction, &format!("number {number}"), &number)).unwrap();
                        }
                    });
                }
            });
            let database = Database::open(folder.path()).unwrap();
            for number in 0..8_i64 {
                let stored: Option<i64> =
                    database.read(|connection| crate::settings::get(connection, &format!("number {number}"))).unwrap();
                assert_eq!(stored, Some(number));
            }
        }
    }

    #[test]
    fn a_process_that_switches_a_new_file_waits_for_one_that_writes_to_it() {
        let folder = tempfile::tempdir().unwrap();
        let writer = Connection::open(folder.path().join("facts.db")).unwrap();
        writer.execute_batch("BEGIN IMMEDIATE; CREATE TABLE other (number INTEGER)").unwrap();
        std::thread::scope(|scope| {
            let (opened, is_opened) = std::sync::mpsc::channel();
            scope.spawn(move || opened.send(Database::open(folder.path()).map(drop)).unwrap());
            let early = is_opened.recv_timeout(Duration::from_millis(300));
            assert!(early.is_err(), "it did not wait: {early:?}");
            writer.execute_batch("COMMIT").unwrap();
            is_opened.recv().unwrap().unwrap();
        });
    }

    #[test]
    fn a_file_of_a_newer_program_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("facts.db");
        drop(Database::open(folder.path()).unwrap());
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
        let error = Database::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("facts.db` has version 1000") && error.contains("use a newer program"), "{error}");
    }
}
