//! The folder's clock: the system's clock plus the offset that the folder keeps. Nothing else reads the time.
//!
//! `serve --now` and `demo --now` set it; every command on the folder uses it. It never runs below the last committed
//! `received_at`, so that time does not go backwards for events that are already counted.
//!
//! The offset lies in the [`Database`] that all parts of a process share, so that [`Clock::now`] costs no look into the file: a
//! clock that another process sets is noticed whenever the facts are looked at ([`crate::FactsDatabase::current`]).

use crate::database::Database;
use crate::{StoreError, settings};
use billing::UtcTime;
use rusqlite::Connection;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

const OFFSET: &str = "clock_offset_microseconds";
const NO_OFFSET: i64 = 0;

#[derive(Debug)]
pub struct Clock {
    database: Arc<Database>,
    /// Microseconds since 1970 that this process has seen committed.
    not_before: AtomicI64,
}

impl Clock {
    /// The clock of a folder; the system's clock when none was ever set.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(database: Arc<Database>) -> Result<Clock, StoreError> {
        database.read(|connection| reload(connection, &database))?;
        Ok(Clock { database, not_before: AtomicI64::new(UtcTime::MIN.microseconds()) })
    }

    /// Lets the folder's clock show `now` at this moment, and keeps the offset in the folder. What was committed later than `now`
    /// holds: then the clock goes on from there, in this and in every other process.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn set(&self, now: UtcTime) -> Result<(), StoreError> {
        let shown = now.microseconds().max(self.not_before.load(Ordering::SeqCst));
        let offset = shown.saturating_sub(system_microseconds());
        self.database.write(|transaction| settings::put(transaction, OFFSET, &offset))?;
        self.database.clock_offset.store(offset, Ordering::SeqCst);
        Ok(())
    }

    #[must_use]
    pub fn now(&self) -> UtcTime {
        let shown = system_microseconds().saturating_add(self.database.clock_offset.load(Ordering::SeqCst));
        clamped(shown.max(self.not_before.load(Ordering::SeqCst)))
    }

    /// From now on the clock never shows less than this.
    pub fn not_before(&self, received_at: UtcTime) {
        self.not_before.fetch_max(received_at.microseconds(), Ordering::SeqCst);
    }
}

/// Reads the folder's offset again.
pub(crate) fn reload(connection: &Connection, database: &Database) -> Result<(), StoreError> {
    // A folder whose clock was never set has no offset: its clock is the system's.
    let offset: i64 = settings::get(connection, OFFSET)?.unwrap_or(NO_OFFSET);
    database.clock_offset.store(offset, Ordering::SeqCst);
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
fn system_microseconds() -> i64 {
    jiff::Timestamp::now().as_microsecond()
}

/// A system clock outside the years that usage may carry counts as their first or last instant.
fn clamped(microseconds: i64) -> UtcTime {
    let last = UtcTime::END.microseconds() - 1;
    let held = microseconds.clamp(UtcTime::MIN.microseconds(), last);
    UtcTime::from_microseconds(held).expect("it was just held within the range of the type")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FactsDatabase;
    use std::path::Path;

    fn open(folder: &Path) -> (FactsDatabase, Clock) {
        let database = Arc::new(Database::open(folder).unwrap());
        (FactsDatabase::open(Arc::clone(&database)).unwrap(), Clock::open(database).unwrap())
    }

    fn time(text: &str) -> UtcTime {
        UtcTime::parse(text).unwrap()
    }

    #[test]
    fn a_clock_that_one_process_sets_is_the_clock_of_all_and_outlives_them() {
        let folder = tempfile::tempdir().unwrap();
        let (_, server) = open(folder.path());
        let (facts, other) = open(folder.path());
        let (set, soon) = (time("2031-11-03T10:00:00Z"), time("2031-11-03T10:10:00Z"));
        assert!(other.now() < set);
        server.set(set).unwrap();
        assert!((set..soon).contains(&server.now()));
        facts.current().unwrap();
        assert!((set..soon).contains(&other.now()));
        drop((server, other));
        assert!((set..soon).contains(&open(folder.path()).1.now()));
    }

    #[test]
    fn the_clock_never_runs_below_what_was_committed() {
        let folder = tempfile::tempdir().unwrap();
        let (_, clock) = open(folder.path());
        let committed = time("2035-01-01T00:00:00Z");
        clock.not_before(committed);
        clock.not_before(time("2001-01-01T00:00:00Z"));
        assert_eq!(clock.now(), committed);
        clock.set(time("2030-01-01T00:00:00Z")).unwrap();
        assert!(clock.now() >= committed);
        assert!(open(folder.path()).1.now() >= committed, "the other processes of the folder keep to it too");
    }

    #[test]
    fn a_time_past_the_end_of_the_calendar_is_held() {
        let folder = tempfile::tempdir().unwrap();
        let (_, clock) = open(folder.path());
        clock.set(clamped(i64::MAX)).unwrap();
        assert_eq!(clock.now(), clamped(i64::MAX));
        assert_eq!(clamped(i64::MIN), UtcTime::MIN);
    }
}
