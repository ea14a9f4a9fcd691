//! The usage ledger: events in, durable and counted once; lines and totals out.

mod block;
mod checked_file;
mod codec;
mod events_file;
mod id_file;
mod identity;

use crate::{Clock, FactsDatabase, StoreError};
use billing::line::RatedLine;
use billing::rating::Unrated;
use billing::{AccountId, Day, Facts, Month, UsageEvent, UtcTime};
use std::fmt;
use std::path::Path;
use std::sync::Arc;

/// A place in the ledger: everything up to it is counted, with the facts and the time that hold there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence {
    pub epoch: u32,
    pub number: u64,
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.epoch, self.number)
    }
}

impl Sequence {
    /// Reads `1-1234`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Sequence> {
        let (epoch, number) = text.split_once('-')?;
        Some(Sequence { epoch: epoch.parse().ok()?, number: number.parse().ok()? })
    }
}

/// What has become of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// The same event with the same content is stored already.
    Duplicate,
    /// The same event with other content is stored already; the first stored holds.
    Conflict { field: &'static str },
    /// Its time lies more than 24 hours after the clock's. A repeat of an accepted event is never told so.
    TooFarInFuture,
}

/// The answer to one body: durable when it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    pub sequence: Sequence,
    /// One for each event, in the order of the body.
    pub verdicts: Vec<Verdict>,
}

/// Settings of a ledger that tests make small.
#[derive(Debug, Clone)]
pub struct LedgerLimits {
    /// Unsealed events that start a seal.
    pub seal_events: u64,
    /// The age of the oldest unsealed event that starts a seal.
    pub seal_seconds: i64,
    /// Unsealed events at which new usage is refused until a seal made room.
    pub tail_events_max: u64,
    /// Segments that start a merge.
    pub merge_segments: usize,
}

impl Default for LedgerLimits {
    fn default() -> LedgerLimits {
        LedgerLimits { seal_events: 4_000_000, seal_seconds: 3600, tail_events_max: 8_000_000, merge_segments: 8 }
    }
}

/// The ledger of one folder. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Ledger {}

impl Ledger {
    /// Opens the folder's ledger for writing and takes `ledger.lock`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process serves the folder; else when files are missing or damaged.
    pub fn open(folder: &Path, facts: Arc<FactsDatabase>, clock: Arc<Clock>, limits: LedgerLimits) -> Result<Ledger, StoreError> {
        unimplemented!("{folder:?} {facts:?} {clock:?} {limits:?}")
    }

    /// Opens the folder's ledger for reading, beside a process that serves it or without one.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn open_to_read(folder: &Path, facts: Arc<FactsDatabase>) -> Result<Ledger, StoreError> {
        unimplemented!("{folder:?} {facts:?}")
    }

    /// Hands over the events of one body, which lie in exactly one group. `answer` is called once, on the committer's thread, after
    /// the commit that holds the body is durable.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the queue or the tail is full; then `answer` is dropped without a call.
    pub fn submit(&self, events: Vec<UsageEvent>, answer: Box<dyn FnOnce(Result<Committed, StoreError>) + Send>) -> Result<(), StoreError> {
        let _ = (events, answer);
        unimplemented!()
    }

    /// [`Ledger::submit`] for a caller that waits.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn commit(&self, events: Vec<UsageEvent>) -> Result<Committed, StoreError> {
        let _ = events;
        unimplemented!()
    }

    /// Everything acknowledged until now, with the facts and the time of now.
    ///
    /// # Errors
    /// When the facts cannot be read.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        unimplemented!()
    }

    /// Commits a mark that carries the present facts and time and nothing else, and returns its snapshot: from the mark's sequence
    /// the same answers can be made again for ever. Exports begin with one.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn mark(&self) -> Result<Snapshot, StoreError> {
        unimplemented!()
    }

    /// The ledger as it stood at a sequence.
    ///
    /// # Errors
    /// [`StoreError::NoSuchSequence`].
    pub fn snapshot_at(&self, sequence: Sequence) -> Result<Snapshot, StoreError> {
        unimplemented!("{sequence}")
    }

    /// Seals the tail now and waits for it. A clean stop does so.
    ///
    /// # Errors
    /// When a file cannot be written; the tail stays as it was.
    pub fn seal(&self) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Merges all segments into one and waits for it.
    ///
    /// # Errors
    /// When a file cannot be written; the segments stay as they were.
    pub fn merge(&self) -> Result<(), StoreError> {
        unimplemented!()
    }

    /// Refuses new usage, lets the last group finish, seals and closes.
    ///
    /// # Errors
    /// When the seal fails; nothing acknowledged is lost by it.
    pub fn close(&self) -> Result<(), StoreError> {
        unimplemented!()
    }
}

/// The ledger as it stands at one sequence, with the facts and the time that hold there.
#[derive(Debug, Clone)]
pub struct Snapshot {}

impl Snapshot {
    #[must_use]
    pub fn sequence(&self) -> Sequence {
        unimplemented!()
    }

    #[must_use]
    pub fn facts(&self) -> &Arc<Facts> {
        unimplemented!()
    }

    /// The instant that sizes the pools of the running month.
    #[must_use]
    pub fn time(&self) -> UtcTime {
        unimplemented!()
    }

    /// What a payer's usage of one month comes to.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn month(&self, payer: AccountId, month: Month) -> Result<Arc<billing::month::RatedMonth>, StoreError> {
        unimplemented!("{payer:?} {month}")
    }

    /// The rated lines of a payer from `first` to `last`, both included, in report order. Memory does not grow with their number.
    ///
    /// # Errors
    /// When files are missing or damaged; so can each item.
    pub fn lines(&self, payer: AccountId, first: Day, last: Day) -> Result<RatedLines, StoreError> {
        unimplemented!("{payer:?} {first} {last}")
    }

    /// Usage without a price of the given owners, newest last, at most `limit` of it.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn unrated(&self, owners: &[AccountId], limit: usize) -> Result<Vec<UnratedUsage>, StoreError> {
        unimplemented!("{owners:?} {limit}")
    }
}

/// An event that waits for its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnratedUsage {
    pub sequence: u64,
    pub event: UsageEvent,
    pub reason: Unrated,
}

/// See [`Snapshot::lines`].
#[derive(Debug)]
pub struct RatedLines {}

impl Iterator for RatedLines {
    type Item = Result<RatedLine, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        unimplemented!()
    }
}
