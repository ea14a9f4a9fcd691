//! Sealing and merging: the tail becomes a segment, and several segments become one, beside commits.
//!
//! Files are written, synced, read back and compared before one transaction makes them count. A crash leaves orphans; a full disk
//! leaves the tail as it was, and the next look tries again. Late events need nothing special: they lie in a later segment.

use super::commit::{Message, ask};
use super::events_file::{EventRows, sort_key};
use super::generation::Generation;
use super::published::{Published, Shared};
use super::segment::{self, Segment, SegmentPlan};
use super::totals::TotalsByMonth;
use super::{LedgerLimits, block::StoredEvent};
use crate::planted::{Fault, is_planted, pause};
use crate::{Clock, StoreError, random};
use billing::UtcTime;
use std::iter::Peekable;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How often the sealer looks without being called: the age of the tail passes its bound unnoticed otherwise.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// A new segment and what it replaces.
pub(crate) struct Install {
    pub(crate) segment: Arc<Segment>,
    pub(crate) totals: TotalsByMonth,
    pub(crate) replaced: Vec<Arc<Segment>>,
    pub(crate) sealed: Vec<Arc<Generation>>,
    /// Blocks up to here no longer count.
    pub(crate) watermark: Option<u64>,
}

#[derive(Debug)]
pub(crate) struct Sealer {
    shared: Arc<Shared>,
    committer: Mutex<Option<SyncSender<Message>>>,
    limits: LedgerLimits,
    clock: Arc<Clock>,
    /// Held while a seal or a merge is at work: one at a time.
    working: Mutex<()>,
    called: Mutex<Called>,
    wake: Condvar,
}

#[derive(Debug, Default)]
struct Called {
    look: bool,
    stop: bool,
}

impl Sealer {
    pub(crate) fn new(shared: Arc<Shared>, committer: SyncSender<Message>, limits: LedgerLimits, clock: Arc<Clock>) -> Sealer {
        let (working, called) = (Mutex::default(), Mutex::default());
        Sealer { shared, committer: Mutex::new(Some(committer)), limits, clock, working, called, wake: Condvar::new() }
    }

    pub(crate) fn now(&self) -> UtcTime {
        self.clock.now()
    }

    /// Called after each commit; wakes the thread only when there is something to seal.
    pub(crate) fn look(&self) {
        if self.is_due(&self.shared.published()) {
            self.nudge();
        }
    }

    pub(crate) fn nudge(&self) {
        lock(&self.called).look = true;
        self.wake.notify_all();
    }

    pub(crate) fn stop(&self) {
        lock(&self.called).stop = true;
        self.wake.notify_all();
        drop(lock(&self.working));
        drop(lock(&self.committer).take());
    }

    /// The sealer's thread.
    pub(crate) fn run(&self) {
        loop {
            let called = lock(&self.called);
            let (mut called, _) = self
                .wake
                .wait_timeout_while(called, LOOK_INTERVAL, |called| !called.look && !called.stop)
                .unwrap_or_else(PoisonError::into_inner);
            called.look = false;
            if called.stop {
                return;
            }
            drop(called);
            if let Err(error) = self.work() {
                eprintln!("forgemeter: the ledger could not be sealed, it will be tried again: {error}");
            }
        }
    }

    fn work(&self) -> Result<(), StoreError> {
        if self.is_due(&self.shared.published()) {
            self.seal()?;
        }
        let segments = self.shared.published().segments;
        if segments.len() >= self.limits.merge_segments.max(2) {
            self.merge(&segments)?;
        }
        Ok(())
    }

    fn is_due(&self, published: &Published) -> bool {
        let events: u64 = published.generations.iter().map(|generation| generation.events()).sum();
        let oldest = published.generations.iter().find(|generation| generation.events() > 0).map(|generation| generation.began_at);
        let aged = oldest.is_some_and(|began_at| began_at.plus_seconds(self.limits.seal_seconds) <= self.clock.now());
        events >= self.limits.seal_events || aged
    }

    fn committer(&self) -> Result<SyncSender<Message>, StoreError> {
        lock(&self.committer).clone().ok_or(StoreError::Busy)
    }

    /// Seals the whole tail.
    pub(crate) fn seal(&self) -> Result<(), StoreError> {
        let _working = lock(&self.working);
        let committer = self.committer()?;
        let sealed = ask(&committer, Message::CloseGeneration)?;
        let mut events = Vec::new();
        for generation in &sealed {
            events.extend(generation.pick(u64::MAX, |_| true)?);
        }
        if events.is_empty() {
            return Ok(());
        }
        events.sort_unstable_by(|one, other| sort_key(one).cmp(&sort_key(other)));
        let watermark = events.iter().map(|stored| stored.sequence).max();
        let (segment, totals) = self.write(events.into_iter().map(Ok))?;
        self.install(&committer, Install { segment, totals, replaced: Vec::new(), sealed, watermark })
    }

    pub(crate) fn merge_all(&self) -> Result<(), StoreError> {
        let segments = self.shared.published().segments;
        if segments.len() < 2 { Ok(()) } else { self.merge(&segments) }
    }

    fn merge(&self, segments: &[Arc<Segment>]) -> Result<(), StoreError> {
        let _working = lock(&self.working);
        let committer = self.committer()?;
        let late = |stored: &StoredEvent| stored.sequence.is_multiple_of(211) && is_planted(Fault::LateLostInMerge);
        let events = Merged::of(segments)?.filter(|event| !event.as_ref().is_ok_and(late));
        let (segment, totals) = self.write(events)?;
        let replaced = segments.to_vec();
        if is_planted(Fault::MergedFilesFirst) {
            let folder = self.shared.segments_folder();
            let files = replaced.iter().flat_map(|segment| segment.record.file_names());
            segment::remove_files(&files.map(|name| folder.join(name)).collect::<Vec<_>>());
            pause();
        }
        let obsolete: Vec<_> = replaced.iter().flat_map(|segment| segment.record.file_names()).collect();
        self.install(&committer, Install { segment, totals, replaced, sealed: Vec::new(), watermark: None })?;
        let folder = self.shared.segments_folder();
        segment::remove_files(&obsolete.iter().map(|name| folder.join(name)).collect::<Vec<_>>());
        Ok(())
    }

    /// Writes a segment with the present facts and opens it.
    fn write(&self, events: impl Iterator<Item = Result<StoredEvent, StoreError>>) -> Result<(Arc<Segment>, TotalsByMonth), StoreError> {
        let folder = self.shared.segments_folder();
        let facts = self.shared.published().facts;
        let plan = SegmentPlan { folder: &folder, name: random::uuid(), key: &self.shared.key, facts: &facts };
        let (record, totals) = segment::write(&plan, events)?;
        Ok((Arc::new(Segment::open(&folder, record)?), totals))
    }

    fn install(&self, committer: &SyncSender<Message>, install: Install) -> Result<(), StoreError> {
        let folder = self.shared.segments_folder();
        let files = install.segment.record.file_names().map(|name| folder.join(name));
        let installed = ask(committer, |reply| Message::Install(Box::new(install), reply));
        if installed.is_err() {
            segment::remove_files(&files);
        }
        installed
    }
}

/// The events of several segments in one order.
struct Merged {
    sources: Vec<Peekable<EventRows>>,
}

impl Merged {
    fn of(segments: &[Arc<Segment>]) -> Result<Merged, StoreError> {
        let sources = segments.iter().map(|segment| segment.all().map(Iterator::peekable)).collect::<Result<_, _>>()?;
        Ok(Merged { sources })
    }
}

impl Iterator for Merged {
    type Item = Result<StoredEvent, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut least: Option<(usize, &StoredEvent)> = None;
        let mut failed = None;
        for (place, source) in self.sources.iter_mut().enumerate() {
            match source.peek() {
                Some(Ok(stored)) if least.is_none_or(|(_, known)| sort_key(stored) < sort_key(known)) => least = Some((place, stored)),
                Some(Err(_)) => failed = Some(place),
                _ => {}
            }
        }
        let place = failed.or(least.map(|(place, _)| place))?;
        self.sources[place].next()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
