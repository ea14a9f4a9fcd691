//! The facts of a folder and their one running number. A fact is a row that is appended and never updated.
//!
//! [`FactsDatabase::current`] is what all facts add up to now; [`FactsDatabase::as_of`] what they added up to at a number;
//! [`FactsDatabase::append`] the only way to add one. Which facts a file of accounts makes is left to [`crate::accounts`].

pub(crate) mod body;
mod price_version;
pub(crate) mod replay;

pub use body::{FactBody, NewFact};

use crate::database::Database;
use crate::{StoreError, clock};
use billing::{Day, FactNumber, Facts, UtcTime};
use replay::Touches;
use rusqlite::Connection;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// How many former states stay in memory: exports and rebuilt days ask for the same few again and again.
const FORMER_STATES_MAX: usize = 8;

/// The facts in `facts.db` of one folder. Any number of processes may have it open.
#[derive(Debug)]
pub struct FactsDatabase {
    database: Arc<Database>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// SQLite's count of the commits that the reading connection did not make itself.
    data_version: Option<i64>,
    current: Arc<Facts>,
    touches: Touches,
    /// What [`FactsDatabase::as_of`] was asked for, the latest last.
    former: VecDeque<Arc<Facts>>,
}

impl FactsDatabase {
    /// # Errors
    /// When the facts cannot be read.
    pub fn open(database: Arc<Database>) -> Result<FactsDatabase, StoreError> {
        let state = State { data_version: None, current: Arc::new(Facts::start()), touches: Touches::default(), former: VecDeque::new() };
        let facts = FactsDatabase { database, state: Mutex::new(state) };
        facts.current()?;
        Ok(facts)
    }

    /// What all facts add up to now. Looks whether another process has written since the last call, which costs microseconds.
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn current(&self) -> Result<Arc<Facts>, StoreError> {
        Ok(Arc::clone(&self.up_to_date()?.current))
    }

    /// What the facts up to a number add up to.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before the number.
    pub fn as_of(&self, number: FactNumber) -> Result<Arc<Facts>, StoreError> {
        let mut state = self.up_to_date()?;
        if number == state.current.number {
            return Ok(Arc::clone(&state.current));
        }
        if number > state.current.number {
            return Err(ends_before(number, state.current.number));
        }
        if let Some(known) = state.former.iter().find(|facts| facts.number == number) {
            return Ok(Arc::clone(known));
        }
        let former = Arc::new(self.replayed(&state, number)?);
        if state.former.len() == FORMER_STATES_MAX {
            state.former.pop_front();
        }
        state.former.push_back(Arc::clone(&former));
        Ok(former)
    }

    /// The first day whose lines differ between two fact numbers: enterprise memberships, price versions and present logins touch
    /// lines, from the day that they take effect on; other facts do not. `None` when nothing differs.
    ///
    /// # Errors
    /// When the file cannot be read, or ends before one of the numbers.
    pub fn first_day_touched(&self, one: FactNumber, other: FactNumber) -> Result<Option<Day>, StoreError> {
        let (after, last) = (one.min(other), one.max(other));
        let state = self.up_to_date()?;
        if last > state.current.number {
            return Err(ends_before(last, state.current.number));
        }
        Ok(state.touches.first_day(after, last))
    }

    /// Appends the facts that `decide` makes of all facts so far, in one transaction: no other writer comes between what it has seen
    /// and what it adds.
    ///
    /// # Errors
    /// Those of `decide`, and when the file cannot be written; then nothing was appended.
    pub fn append<T, E: From<StoreError>>(
        &self,
        recorded_at: UtcTime,
        decide: impl FnOnce(&Facts) -> Result<(Vec<NewFact>, T), E>,
    ) -> Result<T, E> {
        let mut facts = self.current()?;
        // The outer result is the transaction's, the inner one what was decided: a refusal appends nothing.
        self.database.write(|transaction| {
            let mut touches = Touches::default();
            catch_up(transaction, &mut facts, &mut touches)?;
            let (new, value) = match decide(&facts) {
                Ok(decided) => decided,
                Err(refusal) => return Ok(Err(refusal)),
            };
            for fact in &new {
                body::insert(transaction, fact, recorded_at)?;
            }
            Ok(Ok(value))
        })?
    }

    fn up_to_date(&self) -> Result<MutexGuard<'_, State>, StoreError> {
        let mut guard = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let state = &mut *guard;
        self.database.read(|connection| {
            let data_version: i64 = connection.pragma_query_value(None, "data_version", |row| row.get(0))?;
            // A commit between the two looks is read now and looked for once more at the next call.
            if state.data_version != Some(data_version) {
                catch_up(connection, &mut state.current, &mut state.touches)?;
                clock::reload(connection, &self.database)?;
                state.data_version = Some(data_version);
            }
            Ok(())
        })?;
        Ok(guard)
    }

    /// Replays from the nearest state before the number that is at hand.
    fn replayed(&self, state: &State, number: FactNumber) -> Result<Facts, StoreError> {
        let before = state.former.iter().filter(|facts| facts.number < number).max_by_key(|facts| facts.number);
        let mut facts = before.map_or_else(Facts::start, |facts| Facts::clone(facts));
        let mut touches = Touches::of(&facts);
        self.database.read(|connection| {
            let after = facts.number;
            body::read(connection, after, number, |fact| replay::add(&mut facts, &mut touches, fact))
        })?;
        Ok(facts)
    }
}

/// Adds what was appended since. On an error neither the facts nor their touches have changed.
fn catch_up(connection: &Connection, facts: &mut Arc<Facts>, touches: &mut Touches) -> Result<(), StoreError> {
    let mut newer: Option<(Facts, Touches)> = None;
    body::read(connection, facts.number, FactNumber(u64::MAX), |fact| {
        let (newer_facts, newer_touches) = newer.get_or_insert_with(|| (Facts::clone(facts), touches.clone()));
        replay::add(newer_facts, newer_touches, fact)
    })?;
    if let Some((newer_facts, newer_touches)) = newer {
        *facts = Arc::new(newer_facts);
        *touches = newer_touches;
    }
    Ok(())
}

fn ends_before(wanted: FactNumber, last: FactNumber) -> StoreError {
    let (wanted, last) = (wanted.0, last.0);
    StoreError::damaged(
        "facts.db",
        format!("it ends at fact {last}, but the ledger refers to fact {wanted}; restore both files from one backup"),
    )
}

#[cfg(test)]
mod tests;
