//! The rated lines of a payer, day by day in report order.
//!
//! A day is a merge of sorted runs: one for each segment, one for the tail. On a day on which a pool runs out, and on days with pools
//! of single hours, it is made from the events instead, because only they know on which side of the crossing they lie. Memory holds
//! the lines of one day of the tail at most.

use super::Snapshot;
use super::lines_file::Line;
use super::segment::add_line;
use crate::StoreError;
use billing::line::{LineKey, LineSums, RatedLine, line_key, line_sums};
use billing::month::RatedMonth;
use billing::rating::{self, DrawOrder, Place, Pool, Pools};
use billing::{AccountId, Amount, Day, Month};
use std::collections::BTreeMap;
use std::iter::Peekable;
use std::sync::Arc;

type Lines = Box<dyn Iterator<Item = Result<Line, StoreError>> + Send>;
type Rated = Box<dyn Iterator<Item = Result<RatedLine, StoreError>> + Send>;

/// See [`Snapshot::lines`].
pub struct RatedLines {
    snapshot: Snapshot,
    payer: AccountId,
    next: Day,
    last: Day,
    month: Option<(Month, Arc<RatedMonth>)>,
    day: Rated,
    failed: bool,
}

impl std::fmt::Debug for RatedLines {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RatedLines({} to {})", self.next, self.last)
    }
}

impl RatedLines {
    pub(super) fn new(snapshot: Snapshot, payer: AccountId, first: Day, last: Day) -> RatedLines {
        RatedLines { snapshot, payer, next: first, last, month: None, day: Box::new(std::iter::empty()), failed: false }
    }

    fn month(&mut self, month: Month) -> Result<Arc<RatedMonth>, StoreError> {
        match &self.month {
            Some((known, rated)) if *known == month => Ok(Arc::clone(rated)),
            _ => {
                let rated = self.snapshot.month(self.payer, month)?;
                self.month = Some((month, Arc::clone(&rated)));
                Ok(rated)
            }
        }
    }

    fn open_day(&mut self, day: Day) -> Result<Rated, StoreError> {
        let month = self.month(day.month())?;
        if month.totals.is_empty() {
            return Ok(Box::new(std::iter::empty()));
        }
        let crosses = |pool: &Pool| matches!(pool, Pool::RanOut(crossing) if crossing.last.day == day);
        if month.hourly_days.contains(&day) || month.pools.values().any(crosses) {
            return self.day_of_events(day, &month);
        }
        self.day_of_runs(day, month)
    }

    /// The lines of a day on which every line lies on one side of its pool's end.
    fn day_of_runs(&self, day: Day, month: Arc<RatedMonth>) -> Result<Rated, StoreError> {
        let snapshot = &self.snapshot;
        let mut sources: Vec<Peekable<Lines>> = Vec::new();
        let mut loose = BTreeMap::new();
        let payer = self.payer;
        for segment in snapshot.published.segments.iter().filter(|segment| segment.record.first_sequence <= snapshot.until) {
            if snapshot.serves(segment, day)? {
                let of_payer = move |line: &Result<Line, StoreError>| line.as_ref().map_or(true, |(key, _)| key.payer == payer);
                let run: Lines = Box::new(segment.lines.run(day).filter(of_payer));
                sources.push(run.peekable());
            } else {
                snapshot.each_of_segment(segment, day, &mut |stored| add_event(&mut loose, snapshot, payer, &stored.event))?;
            }
        }
        for generation in &snapshot.published.generations {
            for stored in generation.day(day, snapshot.until_live())? {
                add_event(&mut loose, snapshot, payer, &stored.event)?;
            }
        }
        let loose: Lines = Box::new(loose.into_iter().map(Ok));
        sources.push(loose.peekable());
        let facts = Arc::clone(snapshot.facts());
        let rate = move |(key, sums): Line| {
            let pool = rating::line_pool(&key, day, &facts).and_then(|pool| month.pools.get(&pool));
            let discount = rating::rate(sums.gross, key.free, pool, Place::WholeDay(day))?.discount;
            Ok(RatedLine { day, key, sums, discount })
        };
        Ok(Box::new(Merged { sources }.map(move |line| line.and_then(&rate))))
    }

    /// The lines of a day on which a pool runs out, each event rated on its own side.
    fn day_of_events(&self, day: Day, month: &RatedMonth) -> Result<Rated, StoreError> {
        let (snapshot, facts) = (&self.snapshot, self.snapshot.facts());
        let hours = if month.hourly_days.contains(&day) { snapshot.settle_hours(self.payer, day)?.0 } else { Pools::new() };
        let mut lines: BTreeMap<LineKey, LineSums> = BTreeMap::new();
        let mut discounts: BTreeMap<LineKey, Amount> = BTreeMap::new();
        snapshot.each_event(day, &mut |stored| {
            let event = &stored.event;
            let Ok(priced) = rating::price(event, facts) else { return Ok(()) };
            if priced.payer != self.payer || event.quantity.is_zero() {
                return Ok(());
            }
            let pool = rating::event_draw(event, &priced, facts)?.and_then(|(key, _)| month.pools.get(&key).or_else(|| hours.get(&key)));
            let order = DrawOrder::of(event, facts);
            let rated = rating::rate(priced.gross, priced.free, pool, Place::Event(&order))?;
            let key = line_key(event, &priced, facts);
            let discount = discounts.entry(key.clone()).or_insert(Amount::ZERO);
            *discount = discount.plus(rated.discount)?;
            add_line(&mut lines, key, line_sums(event, &priced))
        })?;
        let rated = lines.into_iter().map(move |(key, sums)| {
            let discount = discounts.get(&key).copied().ok_or(StoreError::Overflow)?;
            Ok(RatedLine { day, key, sums, discount })
        });
        Ok(Box::new(rated))
    }
}

fn add_event(
    lines: &mut BTreeMap<LineKey, LineSums>,
    snapshot: &Snapshot,
    payer: AccountId,
    event: &billing::UsageEvent,
) -> Result<(), StoreError> {
    match rating::price(event, snapshot.facts()) {
        Ok(priced) if priced.payer == payer => add_line(lines, line_key(event, &priced, snapshot.facts()), line_sums(event, &priced)),
        _ => Ok(()),
    }
}

impl Iterator for RatedLines {
    type Item = Result<RatedLine, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.failed {
            match self.day.next() {
                Some(Ok(line)) => return Some(Ok(line)),
                Some(Err(error)) => {
                    self.failed = true;
                    return Some(Err(error));
                }
                None if self.next > self.last => return None,
                None => {
                    let day = self.next;
                    self.next = day.next();
                    match self.open_day(day) {
                        Ok(lines) => self.day = lines,
                        Err(error) => {
                            self.failed = true;
                            return Some(Err(error));
                        }
                    }
                }
            }
        }
        None
    }
}

/// Sorted runs as one, with equal keys summed.
struct Merged {
    sources: Vec<Peekable<Lines>>,
}

impl Merged {
    /// The place of the source with the least key; a failed source comes before all.
    fn least(&mut self) -> Option<usize> {
        let mut least: Option<(usize, &LineKey)> = None;
        let mut failed = None;
        for (place, source) in self.sources.iter_mut().enumerate() {
            match source.peek() {
                Some(Ok((key, _))) if least.is_none_or(|(_, known)| key < known) => least = Some((place, key)),
                Some(Err(_)) => failed = Some(place),
                _ => {}
            }
        }
        failed.or(least.map(|(place, _)| place))
    }
}

impl Iterator for Merged {
    type Item = Result<Line, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.least()?;
        let (key, mut sums) = match self.sources[place].next()? {
            Ok(line) => line,
            failed => return Some(failed),
        };
        for source in &mut self.sources {
            while let Some(Ok((_, more))) = source.next_if(|line| matches!(line, Ok((other, _)) if *other == key)) {
                match sums.plus(more) {
                    Ok(sum) => sums = sum,
                    Err(overflow) => return Some(Err(overflow.into())),
                }
            }
        }
        Some(Ok((key, sums)))
    }
}
