//! Generations: the tail of the ledger, from one seal to the next.
//!
//! A generation holds the blocks that were committed since it began, the names that they share, and what their events add up to by
//! month. Blocks are only ever appended; readers take what lies at or before their sequence number. Identities are left to the
//! committer.

use super::block::{self, BlockHeader, StoredEvent};
use super::manifest::LedgerFile;
use super::totals::{self, TotalsByMonth};
use crate::StoreError;
use billing::month::MonthTotals;
use billing::{AccountId, Day, Facts, Month, Name, UsageEvent, UtcTime, rating};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) header: BlockHeader,
    bytes: Vec<u8>,
}

/// The totals of a generation, and the last event that each of them counts.
#[derive(Debug, Default)]
struct Totals {
    by_month: TotalsByMonth,
    last_sequence: BTreeMap<(AccountId, Month), u64>,
}

#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) began_at: UtcTime,
    names: RwLock<Vec<Name>>,
    blocks: Mutex<Vec<Arc<Block>>>,
    totals: Mutex<Totals>,
    events: AtomicU64,
}

impl Generation {
    pub(crate) fn new(number: u64, began_at: UtcTime) -> Generation {
        Generation {
            number,
            began_at,
            names: RwLock::default(),
            blocks: Mutex::default(),
            totals: Mutex::default(),
            events: AtomicU64::new(0),
        }
    }

    /// Appends a durable block; its events count in the totals from here on.
    pub(crate) fn push(&self, bytes: Vec<u8>, facts: &Facts) -> Result<(), StoreError> {
        let header = {
            let mut names = self.names.write().unwrap_or_else(PoisonError::into_inner);
            block::decode_names(&bytes, &mut names, LedgerFile::name())?
        };
        let block = Arc::new(Block { header, bytes });
        let events = self.decode(&block)?;
        self.events.fetch_add(block.header.events, Ordering::Relaxed);
        lock(&self.blocks).push(block);
        add_events(&mut lock(&self.totals), numbered(&events), facts)
    }

    /// [`Generation::push`] for the committer, which still has what it encoded.
    pub(crate) fn push_encoded(&self, bytes: Vec<u8>, new_names: &[Name], events: &[&UsageEvent], facts: &Facts) -> Result<(), StoreError> {
        let header = block::header(&bytes, LedgerFile::name())?;
        self.names.write().unwrap_or_else(PoisonError::into_inner).extend_from_slice(new_names);
        let numbered = (header.first_sequence..).zip(events.iter().copied());
        self.events.fetch_add(header.events, Ordering::Relaxed);
        lock(&self.blocks).push(Arc::new(Block { header, bytes }));
        add_events(&mut lock(&self.totals), numbered, facts)
    }

    /// Counts all blocks afresh, because facts have changed what they come to.
    pub(crate) fn recount(&self, facts: &Facts) -> Result<(), StoreError> {
        let mut recounted = Totals::default();
        for block in self.blocks() {
            add_events(&mut recounted, numbered(&self.decode(&block)?), facts)?;
        }
        *lock(&self.totals) = recounted;
        Ok(())
    }

    pub(crate) fn blocks(&self) -> Vec<Arc<Block>> {
        lock(&self.blocks).clone()
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub(crate) fn decode(&self, block: &Block) -> Result<Vec<StoredEvent>, StoreError> {
        let names = self.names.read().unwrap_or_else(PoisonError::into_inner);
        block::decode_events(&block.bytes, &names, LedgerFile::name())
    }

    /// The events of the blocks that a test of their headers picks, up to a sequence number.
    pub(crate) fn pick(&self, until: u64, wanted: impl Fn(&BlockHeader) -> bool) -> Result<Vec<StoredEvent>, StoreError> {
        let mut picked = Vec::new();
        for block in self.blocks() {
            if block.header.first_sequence <= until && wanted(&block.header) {
                picked.extend(self.decode(&block)?.into_iter().filter(|stored| stored.sequence <= until));
            }
        }
        Ok(picked)
    }

    pub(crate) fn day(&self, day: Day, until: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = self.pick(until, |header| header.first_day <= day && day <= header.last_day)?;
        events.retain(|stored| stored.event.used_at.day() == day);
        Ok(events)
    }

    pub(crate) fn find(&self, sequence: u64) -> Result<Option<StoredEvent>, StoreError> {
        let events = self.pick(sequence, |header| header.first_sequence <= sequence && sequence <= header.last_sequence())?;
        Ok(events.into_iter().find(|stored| stored.sequence == sequence))
    }

    /// What a payer's month adds up to here, and the last event that counts in it.
    pub(crate) fn month(&self, payer: AccountId, month: Month) -> Option<(MonthTotals, u64)> {
        let totals = lock(&self.totals);
        let last = totals.last_sequence.get(&(payer, month))?;
        totals.by_month.get(&(payer, month)).map(|sums| (sums.clone(), *last))
    }

    /// The last event that counts in a payer's month here.
    pub(crate) fn month_last_sequence(&self, payer: AccountId, month: Month) -> Option<u64> {
        lock(&self.totals).last_sequence.get(&(payer, month)).copied()
    }
}

fn numbered(events: &[StoredEvent]) -> impl Iterator<Item = (u64, &UsageEvent)> {
    events.iter().map(|stored| (stored.sequence, &stored.event))
}

fn add_events<'a>(totals: &mut Totals, events: impl Iterator<Item = (u64, &'a UsageEvent)>, facts: &Facts) -> Result<(), StoreError> {
    for (sequence, event) in events {
        if let Ok(priced) = rating::price(event, facts) {
            totals::add(&mut totals.by_month, event, &priced, facts)?;
            totals.last_sequence.insert((priced.payer, event.used_at.month()), sequence);
        }
    }
    Ok(())
}

/// What these locks guard is changed in one step, so a panic elsewhere leaves it whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
