//! Snapshots: the ledger as it stands at one sequence number, with one state of the facts.
//!
//! Stored totals and lines are used where they count exactly the events and the facts of the snapshot; where they do not, the same
//! figures are made again from the events. So an old snapshot gives the same bytes for ever. Lines are in [`super::rated_lines`].

use super::block::StoredEvent;
use super::generation::Generation;
use super::manifest::Mark;
use super::published::{Published, Shared};
use super::segment::Segment;
use super::{RatedLines, Sequence};
use crate::StoreError;
use billing::allowance::PoolKey;
use billing::month::{self, MonthTotals, RatedMonth};
use billing::rating::{self, DayEvent, Discounts, LastDay, Pool, Pools, Unrated};
use billing::{AccountId, Amount, Day, FactNumber, Facts, Month, UsageEvent, UtcTime};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The ledger as it stands at one sequence, with the facts and the time that hold there.
#[derive(Debug, Clone)]
pub struct Snapshot {
    pub(super) shared: Arc<Shared>,
    pub(super) published: Published,
    facts: Arc<Facts>,
    time: UtcTime,
    pub(super) until: u64,
    /// A live snapshot may show usage that was acknowledged after it was taken.
    live: bool,
    /// Its facts are not those of any number: no stored line or total was made with them.
    supposed: bool,
}

/// An event that waits for its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnratedUsage {
    pub sequence: u64,
    pub event: UsageEvent,
    pub reason: Unrated,
}

/// Rated months that are kept for the next question.
const RATED_MONTHS_MAX: usize = 1024;

/// Months as live snapshots rated them last.
#[derive(Debug, Default)]
pub(crate) struct RatedMonths {
    months: Mutex<BTreeMap<(AccountId, Month), RatedOnce>>,
}

#[derive(Debug, Clone)]
struct RatedOnce {
    stamp: Stamp,
    rated_at: UtcTime,
    /// From then on pools may have other sizes.
    holds_until: Option<UtcTime>,
    month: Arc<RatedMonth>,
}

/// What a rated month depends on: the last event of it in the tail, the last sealed event of all, and the facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    tail: Option<u64>,
    sealed: Option<u64>,
    facts: FactNumber,
}

impl Snapshot {
    /// What is acknowledged now, in the process that serves the folder.
    pub(super) fn live(shared: &Arc<Shared>, now: UtcTime) -> Snapshot {
        let published = shared.published();
        let (facts, until) = (Arc::clone(&published.facts), published.sequence);
        Snapshot { shared: Arc::clone(shared), published, facts, time: now, until, live: true, supposed: false }
    }

    /// What was committed when the folder was opened to read.
    pub(super) fn latest(shared: &Arc<Shared>) -> Snapshot {
        let published = shared.published();
        let (facts, time, until) = (Arc::clone(&published.facts), published.received_at, published.sequence);
        Snapshot { shared: Arc::clone(shared), published, facts, time, until, live: false, supposed: false }
    }

    pub(super) fn at_mark(shared: &Arc<Shared>, mark: Mark) -> Result<Snapshot, StoreError> {
        let facts = shared.facts_database.as_of(mark.facts)?;
        Ok(Snapshot {
            shared: Arc::clone(shared),
            published: shared.published(),
            facts,
            time: mark.received_at,
            until: mark.sequence,
            live: false,
            supposed: false,
        })
    }

    /// The same usage as it would be with other facts, which need not be stored anywhere. Its figures are made from the events.
    #[must_use]
    pub fn with_facts(&self, facts: Arc<Facts>) -> Snapshot {
        Snapshot { facts, live: false, supposed: true, ..self.clone() }
    }

    #[must_use]
    pub fn sequence(&self) -> Sequence {
        Sequence { epoch: self.shared.epoch, number: self.until }
    }

    #[must_use]
    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// The instant that sizes the pools of the running month.
    #[must_use]
    pub fn time(&self) -> UtcTime {
        self.time
    }

    /// What a payer's usage of one month comes to.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn month(&self, payer: AccountId, month: Month) -> Result<Arc<RatedMonth>, StoreError> {
        if !self.live {
            return Ok(Arc::new(self.rate_month(payer, month, None)?));
        }
        let stamp = self.stamp(payer, month);
        if let Some(known) = self.shared.rated.get(payer, month, stamp, self.time) {
            return Ok(known);
        }
        let before = self.shared.rated.with_facts(payer, month, self.facts.number);
        let rated = Arc::new(self.rate_month(payer, month, before.as_deref())?);
        let holds_until = self.facts.next_change(self.time);
        self.shared.rated.put(payer, month, RatedOnce { stamp, rated_at: self.time, holds_until, month: Arc::clone(&rated) });
        Ok(rated)
    }

    /// Taken before the totals are read, so that what is committed meanwhile makes it stale.
    fn stamp(&self, payer: AccountId, month: Month) -> Stamp {
        let tail = self.published.generations.iter().filter_map(|generation| generation.month_last_sequence(payer, month)).max();
        let sealed = self.published.segments.iter().map(|segment| segment.record.last_sequence).max();
        Stamp { tail, sealed, facts: self.facts.number }
    }

    /// What a month comes to for every payer with rated usage in it: made from the month's events, which are read once for all.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn months(&self, month: Month) -> Result<BTreeMap<AccountId, RatedMonth>, StoreError> {
        let mut all: BTreeMap<AccountId, MonthTotals> = BTreeMap::new();
        let (first, last) = (month.first_day(), month.last_day());
        let mut count = |event: &UsageEvent| match rating::price(event, &self.facts) {
            Ok(priced) => Ok(all.entry(priced.payer).or_default().add(event, &priced, &self.facts)?),
            Err(_) => Ok(()),
        };
        for segment in self.published.segments.iter().filter(|segment| segment.record.first_sequence <= self.until) {
            let mut day = first;
            while day <= last {
                self.each_of_segment(segment, day, &mut |stored| count(&stored.event))?;
                day = day.next();
            }
        }
        for generation in &self.published.generations {
            let picked = generation.pick(self.until_live(), |header| header.first_day <= last && first <= header.last_day)?;
            picked.iter().filter(|stored| stored.event.used_at.month() == month).try_for_each(|stored| count(&stored.event))?;
        }
        all.iter().map(|(payer, totals)| Ok((*payer, self.rate_totals(*payer, totals, None)?))).collect()
    }

    fn rate_month(&self, payer: AccountId, month: Month, known: Option<&RatedMonth>) -> Result<RatedMonth, StoreError> {
        self.rate_totals(payer, &self.totals(payer, month)?, known)
    }

    fn rate_totals(&self, payer: AccountId, totals: &MonthTotals, known: Option<&RatedMonth>) -> Result<RatedMonth, StoreError> {
        let facts = &*self.facts;
        let mut pools = rating::settle(totals, payer, facts, self.time)?;
        self.cross(payer, &mut pools, known)?;
        let mut hourly = Discounts::new();
        for day in month::hourly_days(totals, facts) {
            for (key, discount) in self.settle_hours(payer, day)?.1 {
                let sum = hourly.entry(key).or_insert(Amount::ZERO);
                *sum = sum.plus(discount)?;
            }
        }
        Ok(RatedMonth::new(totals, payer, pools, hourly, facts)?)
    }

    /// What a payer's month adds up to, from stored totals where they count the right events.
    fn totals(&self, payer: AccountId, month: Month) -> Result<MonthTotals, StoreError> {
        let mut totals = MonthTotals::default();
        for segment in self.published.segments.iter().filter(|segment| segment.record.first_sequence <= self.until) {
            let stored = match self.serves(segment, month.last_day())? {
                true => self.shared.read(|file| file.totals(&segment.record.name, payer, month))?,
                false => None,
            };
            match stored {
                Some(stored) => totals.merge(&stored)?,
                None => self.count_segment(&mut totals, segment, payer, month)?,
            }
        }
        for generation in &self.published.generations {
            self.add_generation(&mut totals, generation, payer, month)?;
        }
        Ok(totals)
    }

    fn count_segment(&self, totals: &mut MonthTotals, segment: &Segment, payer: AccountId, month: Month) -> Result<(), StoreError> {
        let mut day = month.first_day();
        while day <= month.last_day() {
            self.each_of_segment(segment, day, &mut |stored| self.count(totals, payer, &stored.event))?;
            day = day.next();
        }
        Ok(())
    }

    /// Whether a segment's lines and totals up to a day count exactly what this snapshot counts.
    pub(super) fn serves(&self, segment: &Segment, last_day: Day) -> Result<bool, StoreError> {
        if self.supposed || segment.record.last_sequence > self.until {
            return Ok(false);
        }
        let touched = self.shared.facts_database.first_day_touched(segment.record.facts, self.facts.number)?;
        Ok(touched.is_none_or(|day| day > last_day))
    }

    fn add_generation(&self, totals: &mut MonthTotals, generation: &Generation, payer: AccountId, month: Month) -> Result<(), StoreError> {
        if !self.supposed && self.published.facts.number == self.facts.number {
            match generation.month(payer, month) {
                None => return Ok(()),
                Some((sums, last)) if self.live || last <= self.until => return Ok(totals.merge(&sums)?),
                Some(_) => {}
            }
        }
        let (first, last) = (month.first_day(), month.last_day());
        for stored in generation.pick(self.until, |header| header.first_day <= last && first <= header.last_day)? {
            if stored.event.used_at.month() == month {
                self.count(totals, payer, &stored.event)?;
            }
        }
        Ok(())
    }

    fn count(&self, totals: &mut MonthTotals, payer: AccountId, event: &UsageEvent) -> Result<(), StoreError> {
        match rating::price(event, &self.facts) {
            Ok(priced) if priced.payer == payer => Ok(totals.add(event, &priced, &self.facts)?),
            _ => Ok(()),
        }
    }

    /// Every event of a day that counts here, in no particular order.
    pub(super) fn each_event(&self, day: Day, each: &mut dyn FnMut(&StoredEvent) -> Result<(), StoreError>) -> Result<(), StoreError> {
        for segment in self.published.segments.iter().filter(|segment| segment.record.first_sequence <= self.until) {
            self.each_of_segment(segment, day, each)?;
        }
        for generation in &self.published.generations {
            for stored in generation.day(day, self.until_live())? {
                each(&stored)?;
            }
        }
        Ok(())
    }

    /// A live snapshot counts whatever is published when it looks, as its totals do.
    pub(super) fn until_live(&self) -> u64 {
        if self.live { u64::MAX } else { self.until }
    }

    pub(super) fn each_of_segment(
        &self,
        segment: &Segment,
        day: Day,
        each: &mut dyn FnMut(&StoredEvent) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let Some(rows) = segment.day(day)? else { return Ok(()) };
        for stored in rows {
            let stored = stored?;
            if stored.sequence <= self.until {
                each(&stored)?;
            }
        }
        Ok(())
    }

    /// Finds the crossing event of every pool that runs out; each day is read once, however many pools run out on it. A crossing that
    /// is known from before holds as long as its day draws the same.
    fn cross(&self, payer: AccountId, pools: &mut Pools, known: Option<&RatedMonth>) -> Result<(), StoreError> {
        let mut days: BTreeMap<Day, BTreeMap<PoolKey, (LastDay, Vec<DayEvent>)>> = BTreeMap::new();
        for (key, pool) in pools.iter_mut() {
            let Pool::RunsOut(last) = *pool else { continue };
            match known.and_then(|known| known.pools.get(key)) {
                Some(Pool::RanOut(crossing)) if crossing.last == last => *pool = Pool::RanOut(crossing.clone()),
                _ => {
                    days.entry(last.day).or_default().insert(key.clone(), (last, Vec::new()));
                }
            }
        }
        for (day, mut waiting) in days {
            self.each_draw(payer, day, &mut |key, event| {
                if let Some((_, events)) = waiting.get_mut(&key) {
                    events.push(event);
                }
            })?;
            for (key, (last, events)) in waiting {
                let crossing = rating::cross(&self.facts, &key, last, events)?;
                pools.insert(key, Pool::RanOut(Box::new(crossing)));
            }
        }
        Ok(())
    }

    /// Every draw of a payer on a day.
    fn each_draw(&self, payer: AccountId, day: Day, each: &mut dyn FnMut(PoolKey, DayEvent)) -> Result<(), StoreError> {
        self.each_event(day, &mut |stored| {
            let Ok(priced) = rating::price(&stored.event, &self.facts) else { return Ok(()) };
            if priced.payer == payer
                && let Some((key, draw)) = rating::event_draw(&stored.event, &priced, &self.facts)?
            {
                each(key, DayEvent::new(&stored.event, &priced, draw, &self.facts));
            }
            Ok(())
        })
    }

    /// The pools of repositories and hours of a day, and what they gave.
    pub(super) fn settle_hours(&self, payer: AccountId, day: Day) -> Result<(Pools, Discounts), StoreError> {
        let mut draws = Vec::new();
        self.each_draw(payer, day, &mut |key, event| {
            if matches!(key.part, billing::allowance::PoolPart::RepositoryHour(..)) {
                draws.push((key, event));
            }
        })?;
        Ok(rating::settle_hours(&self.facts, day, draws, self.time)?)
    }

    /// The rated lines of a payer from `first` to `last`, both included, in report order. Memory does not grow with their number.
    ///
    /// # Errors
    /// When files are missing or damaged; so can each item.
    pub fn lines(&self, payer: AccountId, first: Day, last: Day) -> Result<RatedLines, StoreError> {
        Ok(RatedLines::new(self.clone(), payer, first, last))
    }

    /// Usage without a price of the given owners: the newest `limit` of it, oldest first.
    ///
    /// # Errors
    /// When files are missing or damaged.
    pub fn unrated(&self, owners: &[AccountId], limit: usize) -> Result<Vec<UnratedUsage>, StoreError> {
        let mut found = BTreeMap::new();
        let mut look = |stored: StoredEvent| {
            let counts = stored.sequence <= self.until_live() && owners.contains(&stored.event.owner);
            if let (true, Err(reason)) = (counts, rating::price(&stored.event, &self.facts)) {
                found.insert(stored.sequence, UnratedUsage { sequence: stored.sequence, event: stored.event, reason });
                if found.len() > limit {
                    found.pop_first();
                }
            }
        };
        for segment in self.published.segments.iter().filter(|segment| self.may_be_unrated(segment)) {
            for stored in segment.all()? {
                look(stored?);
            }
        }
        for generation in &self.published.generations {
            generation.pick(self.until_live(), |_| true)?.into_iter().for_each(&mut look);
        }
        Ok(found.into_values().collect())
    }

    /// Whether some SKU of a segment has no price on some day of it.
    fn may_be_unrated(&self, segment: &Segment) -> bool {
        let facts = &*self.facts;
        let starts: Vec<Day> = facts.price_book.versions().iter().map(|version| version.effective_from).collect();
        segment.record.skus.iter().any(|(sku, (first, last))| {
            let between = starts.iter().filter(|day| first <= *day && *day <= last);
            std::iter::once(first).chain(between).any(|day| rating::sku_price(sku, *day, facts).is_err())
        })
    }
}

impl RatedMonths {
    fn get(&self, payer: AccountId, month: Month, stamp: Stamp, time: UtcTime) -> Option<Arc<RatedMonth>> {
        let months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        let known = months.get(&(payer, month))?;
        let holds = known.stamp == stamp && known.rated_at <= time && known.holds_until.is_none_or(|until| time < until);
        holds.then(|| Arc::clone(&known.month))
    }

    /// The month as it was rated last with the same facts, however old.
    fn with_facts(&self, payer: AccountId, month: Month, facts: FactNumber) -> Option<Arc<RatedMonth>> {
        let months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        months.get(&(payer, month)).filter(|known| known.stamp.facts == facts).map(|known| Arc::clone(&known.month))
    }

    fn put(&self, payer: AccountId, month: Month, rated: RatedOnce) {
        let mut months = self.months.lock().unwrap_or_else(PoisonError::into_inner);
        if months.len() >= RATED_MONTHS_MAX {
            months.pop_first();
        }
        months.insert((payer, month), rated);
    }
}
