//! The usage ledger: events in, durable and counted exactly once; lines and totals out.
//!
//! One committer thread writes `ledger.db` ([`commit`]); a second one seals the tail into segments and merges them ([`seal`]).
//! Readers take a [`Snapshot`], which stands for one sequence number and one state of the facts. What an event is and what it costs
//! is left to `billing`; reading events from JSON to the program. Start at [`Ledger`].

mod block;
mod checked_file;
mod codec;
mod commit;
mod events_file;
mod generation;
mod id_file;
mod identity;
mod lines_file;
mod manifest;
mod place;
mod published;
mod rated_lines;
mod seal;
mod segment;
mod snapshot;
mod spellings;
mod totals;
mod verify;

use crate::{Clock, FactsDatabase, StoreError};
use billing::UsageEvent;
use commit::{Committer, Message, Submission};
use manifest::LedgerFile;
pub use rated_lines::RatedLines;
pub use snapshot::{Snapshot, UnratedUsage};
use std::fmt;
use std::path::Path;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
pub use verify::{FINDINGS_MAX, Finding, Findings, Verification, verify};

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
        match (epoch.parse(), number.parse()) {
            (Ok(epoch), Ok(number)) => Some(Sequence { epoch, number }),
            _ => None,
        }
    }
}

/// What has become of one event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accepted,
    /// The same event with the same content is stored already.
    Duplicate,
    /// The same event with other content is stored already; the first stored holds.
    Conflict {
        field: &'static str,
    },
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

/// What is called with the answer to a body.
pub type Answer = Box<dyn FnOnce(Result<Committed, StoreError>) + Send>;

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

/// Bodies that wait for the committer. More senders than this are told to come back.
const QUEUE_BODIES_MAX: usize = 1024;

/// The ledger of one folder. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Ledger {
    shared: Arc<published::Shared>,
    writing: Option<Arc<Writing>>,
}

/// What only the process that serves the folder has.
#[derive(Debug)]
struct Writing {
    committer: Mutex<Option<SyncSender<Message>>>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    sealer: Arc<seal::Sealer>,
    limits: LedgerLimits,
}

impl Ledger {
    /// Opens the folder's ledger for writing and takes `ledger.lock`.
    ///
    /// # Errors
    /// [`StoreError::Locked`] when another process serves the folder; else when files are missing or damaged.
    pub fn open(folder: &Path, facts: Arc<FactsDatabase>, clock: Arc<Clock>, limits: LedgerLimits) -> Result<Ledger, StoreError> {
        crate::durable::create_folder(&folder.join(published::SEGMENTS)).map_err(StoreError::io(folder))?;
        let file = LedgerFile::open_to_write(folder, published::take_lock(folder)?)?;
        let (shared, loaded) = published::load(folder, &file, facts)?;
        shared.remove_orphans()?;
        let shared = Arc::new(shared);
        let (sender, receiver): (SyncSender<Message>, Receiver<Message>) = sync_channel(QUEUE_BODIES_MAX);
        let sealer = Arc::new(seal::Sealer::new(Arc::clone(&shared), sender.clone(), limits.clone(), Arc::clone(&clock)));
        let committer = Committer::new(file, Arc::clone(&shared), clock, loaded, Arc::clone(&sealer))?;
        let committing = spawn("ledger-commit", move || committer.run(&receiver))?;
        let sealing = {
            let sealer = Arc::clone(&sealer);
            spawn("ledger-seal", move || sealer.run())?
        };
        let writing = Writing { committer: Mutex::new(Some(sender)), threads: Mutex::new(vec![sealing, committing]), sealer, limits };
        Ok(Ledger { shared, writing: Some(Arc::new(writing)) })
    }

    /// Opens the folder's ledger for reading, beside a process that serves it or without one. It shows what was committed by now.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn open_to_read(folder: &Path, facts: Arc<FactsDatabase>) -> Result<Ledger, StoreError> {
        let file = LedgerFile::open_to_read(folder)?;
        let (shared, _) = published::load(folder, &file, facts)?;
        Ok(Ledger { shared: Arc::new(shared), writing: None })
    }

    /// Hands over the events of one body, which lie in exactly one group. `answer` is called once, on the committer's thread, after
    /// the commit that holds the body is durable.
    ///
    /// # Errors
    /// [`StoreError::Busy`] when the queue or the tail is full; then `answer` is dropped without a call.
    pub fn submit(&self, events: Vec<UsageEvent>, answer: Answer) -> Result<(), StoreError> {
        let writing = self.writing.as_ref().ok_or(StoreError::Busy)?;
        if self.shared.tail_events() >= writing.limits.tail_events_max {
            writing.sealer.nudge();
            return Err(StoreError::Busy);
        }
        let submission = Submission::new(events, &self.shared.key, answer);
        let sender = writing.committer.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Busy)?;
        sender.try_send(Message::Submit(submission)).map_err(|_| StoreError::Busy)
    }

    /// [`Ledger::submit`] for a caller that waits.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn commit(&self, events: Vec<UsageEvent>) -> Result<Committed, StoreError> {
        let (sender, receiver) = sync_channel(1);
        let answer: Answer = Box::new(move |result| {
            if sender.send(result).is_err() {
                // The caller waits below for as long as this can be called.
                eprintln!("forgemeter: a commit was answered to nobody");
            }
        });
        self.submit(events, answer)?;
        receiver.recv().map_err(|_| StoreError::Busy)?
    }

    /// Everything acknowledged until now, with the facts and the time of now.
    ///
    /// # Errors
    /// When the facts cannot be read or written down.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let Some(writing) = &self.writing else { return Ok(Snapshot::latest(&self.shared)) };
        if self.shared.facts_database.current()?.number != self.shared.published().facts.number {
            self.mark()?;
        }
        Ok(Snapshot::live(&self.shared, writing.sealer.now()))
    }

    /// Commits a mark that carries the present facts and time and nothing else, and returns its snapshot: from the mark's sequence
    /// the same answers can be made again for ever. Exports begin with one.
    ///
    /// # Errors
    /// As [`Ledger::submit`].
    pub fn mark(&self) -> Result<Snapshot, StoreError> {
        let writing = self.writing.as_ref().ok_or(StoreError::Busy)?;
        let sender = writing.committer.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Busy)?;
        let mark = commit::ask(&sender, Message::Mark)?;
        Snapshot::at_mark(&self.shared, mark)
    }

    /// The ledger as it stood at a sequence.
    ///
    /// # Errors
    /// [`StoreError::NoSuchSequence`].
    pub fn snapshot_at(&self, sequence: Sequence) -> Result<Snapshot, StoreError> {
        let mark = self.shared.mark_at(sequence)?;
        Snapshot::at_mark(&self.shared, manifest::Mark { sequence: sequence.number, ..mark })
    }

    /// Seals the tail now and waits for it. A clean stop does so.
    ///
    /// # Errors
    /// When a file cannot be written; the tail stays as it was.
    pub fn seal(&self) -> Result<(), StoreError> {
        self.writing.as_ref().ok_or(StoreError::Busy)?.sealer.seal()
    }

    /// Merges all segments into one and waits for it.
    ///
    /// # Errors
    /// When a file cannot be written; the segments stay as they were.
    pub fn merge(&self) -> Result<(), StoreError> {
        self.writing.as_ref().ok_or(StoreError::Busy)?.sealer.merge_all()
    }

    /// Refuses new usage, lets the last group finish, seals and closes. Further calls do nothing.
    ///
    /// # Errors
    /// When the seal fails; nothing acknowledged is lost by it.
    pub fn close(&self) -> Result<(), StoreError> {
        let Some(writing) = &self.writing else { return Ok(()) };
        if writing.committer.lock().unwrap_or_else(PoisonError::into_inner).take().is_none() {
            return Ok(());
        }
        let sealed = writing.sealer.seal();
        writing.stop();
        sealed
    }
}

impl Writing {
    fn stop(&self) {
        drop(self.committer.lock().unwrap_or_else(PoisonError::into_inner).take());
        self.sealer.stop();
        for thread in self.threads.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            if thread.join().is_err() {
                eprintln!("forgemeter: a thread of the ledger ended in a panic");
            }
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        self.stop();
    }
}

fn spawn(name: &str, body: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StoreError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(body).map_err(StoreError::io(name))
}
