//! The facts of a folder and their one running number. A fact is a row that is appended and never updated.
//!
//! [`FactsDatabase::current`] is what all facts add up to now; [`FactsDatabase::as_of`] what they added up to at a number.

use crate::StoreError;
use crate::database::Database;
use billing::{Day, FactNumber, Facts};
use std::sync::Arc;

/// The facts in `facts.db` of one folder. Any number of processes may have it open.
#[derive(Debug)]
pub struct FactsDatabase {}

impl FactsDatabase {
    /// # Errors
    /// When the facts cannot be read.
    pub fn open(database: Arc<Database>) -> Result<FactsDatabase, StoreError> {
        unimplemented!("{database:?}")
    }

    /// What all facts add up to now. Looks whether another process has written since the last call, which costs microseconds.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn current(&self) -> Result<Arc<Facts>, StoreError> {
        unimplemented!()
    }

    /// What the facts up to a number add up to.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn as_of(&self, number: FactNumber) -> Result<Arc<Facts>, StoreError> {
        unimplemented!("{number:?}")
    }

    /// The first day whose lines differ between two fact numbers: enterprise memberships, price versions and present logins touch
    /// lines, from the day that they take effect on; other facts do not. `None` when nothing differs.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn first_day_touched(&self, one: FactNumber, other: FactNumber) -> Result<Option<Day>, StoreError> {
        unimplemented!("{one:?} {other:?}")
    }
}
