//! The folder's clock: the system's clock plus the offset that the folder keeps. Nothing else reads the time.
//!
//! `serve --now` and `demo --now` set it; every command on the folder uses it. It never runs below the last committed
//! `received_at`, so that time does not go backwards for events that are already counted.

use crate::StoreError;
use crate::database::Database;
use billing::UtcTime;
use std::sync::Arc;

#[derive(Debug)]
pub struct Clock {}

impl Clock {
    /// The clock of a folder; the system's clock when none was ever set.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(database: Arc<Database>) -> Result<Clock, StoreError> {
        unimplemented!("{database:?}")
    }

    /// Lets the folder's clock show `now` at this moment, and keeps the offset in the folder.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn set(&self, now: UtcTime) -> Result<(), StoreError> {
        unimplemented!("{now}")
    }

    #[must_use]
    pub fn now(&self) -> UtcTime {
        unimplemented!()
    }

    /// From now on the clock never shows less than this.
    pub fn not_before(&self, received_at: UtcTime) {
        unimplemented!("{received_at}")
    }
}
