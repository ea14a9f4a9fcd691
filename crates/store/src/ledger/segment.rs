//! Segments: sealed events as three files (events, lines, ids) and the totals of their months.
//!
//! [`write`] makes one from sorted events, for a seal and for a merge alike; [`Segment::open`] reads it back. Which segments count is
//! left to the manifest.

use super::block::StoredEvent;
use super::checked_file::Checksums;
use super::codec::{Broken, Reader, Writer};
use super::events_file::{EventRows, EventsFile, EventsWriter};
use super::id_file::{IdFile, SealedId};
use super::identity::IdentityKey;
use super::lines_file::{LinePart, LinesFile, LinesWriter};
use super::totals::{self, TotalsByMonth};
use crate::planted::{Fault, is_planted};
use crate::{StoreError, durable};
use billing::line::{LineKey, LineSums, line_key, line_sums};
use billing::{Day, FactNumber, Facts, Name, rating};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One day's rows in an events file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DayRows {
    pub(crate) day: Day,
    pub(crate) first: u64,
    pub(crate) rows: u64,
}

/// What the manifest holds of a segment.
#[derive(Debug, Clone)]
pub(crate) struct SegmentRecord {
    /// The part of the file names that is unique to the attempt which wrote them.
    pub(crate) name: String,
    pub(crate) first_sequence: u64,
    pub(crate) last_sequence: u64,
    pub(crate) events: u64,
    /// The facts that its lines and totals were made with.
    pub(crate) facts: FactNumber,
    pub(crate) events_sums: Checksums,
    pub(crate) lines_sums: Checksums,
    pub(crate) ids_sums: Checksums,
    pub(crate) days: Vec<DayRows>,
    pub(crate) parts: Vec<LinePart>,
    /// The first and last day of each SKU, which tell where unrated usage can be.
    pub(crate) skus: BTreeMap<Name, (Day, Day)>,
}

impl SegmentRecord {
    pub(crate) fn file_names(&self) -> [String; 3] {
        file_names(&self.name)
    }

    /// Days, parts and SKUs as bytes of the manifest.
    pub(crate) fn index(&self) -> Vec<u8> {
        let mut out = Writer::default();
        let count = |length: usize| u64::try_from(length).expect("a length fits 64 bits");
        out.number(count(self.days.len()));
        for day in &self.days {
            out.signed(i64::from(day.day.number()));
            out.number(day.first);
            out.number(day.rows);
        }
        out.number(count(self.parts.len()));
        for part in &self.parts {
            out.signed(i64::from(part.day.number()));
            out.number(part.start);
            out.number(count(part.bytes));
        }
        out.number(count(self.skus.len()));
        for (sku, (first, last)) in &self.skus {
            out.text(sku);
            out.signed(i64::from(first.number()));
            out.signed(i64::from(last.number()));
        }
        out.into_bytes()
    }

    /// Reads [`SegmentRecord::index`] back into this record.
    pub(crate) fn read_index(&mut self, bytes: &[u8]) -> Result<(), Broken> {
        let mut reader = Reader::new(bytes);
        for _ in 0..reader.number()? {
            self.days.push(DayRows { day: totals::read_day(&mut reader)?, first: reader.number()?, rows: reader.number()? });
        }
        for _ in 0..reader.number()? {
            self.parts.push(LinePart { day: totals::read_day(&mut reader)?, start: reader.number()?, bytes: reader.size()? });
        }
        for _ in 0..reader.number()? {
            let sku = Name::from(reader.text()?);
            self.skus.insert(sku, (totals::read_day(&mut reader)?, totals::read_day(&mut reader)?));
        }
        if reader.is_done() { Ok(()) } else { Err(Broken) }
    }
}

fn file_names(name: &str) -> [String; 3] {
    [format!("events-{name}.parquet"), format!("lines-{name}.fml"), format!("ids-{name}.fmi")]
}

/// A segment, open for reading.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) record: SegmentRecord,
    events: EventsFile,
    pub(crate) lines: LinesFile,
    pub(crate) ids: IdFile,
}

impl Segment {
    pub(crate) fn open(folder: &Path, record: SegmentRecord) -> Result<Segment, StoreError> {
        let [events, lines, ids] = record.file_names();
        Ok(Segment {
            events: EventsFile::open(folder, &events, record.events_sums.clone())?,
            lines: LinesFile::open(folder, &lines, record.lines_sums.clone(), record.parts.clone())?,
            ids: IdFile::open(folder, &ids, record.ids_sums.clone())?,
            record,
        })
    }

    /// All events, in the order of the file.
    pub(crate) fn all(&self) -> Result<EventRows, StoreError> {
        self.events.rows(0, self.record.events)
    }

    /// The events of a day; nothing when it has none.
    pub(crate) fn day(&self, day: Day) -> Result<Option<EventRows>, StoreError> {
        match self.record.days.binary_search_by_key(&day, |rows| rows.day) {
            Ok(place) => self.record.days.get(place).map(|rows| self.events.rows(rows.first, rows.rows)).transpose(),
            Err(_) => Ok(None),
        }
    }

    pub(crate) fn event(&self, row: u64) -> Result<StoredEvent, StoreError> {
        let missing = || StoreError::damaged(&self.record.name, format!("it has no row {row}"));
        self.events.rows(row, 1)?.next().ok_or_else(missing)?
    }
}

/// Where a segment is written and what makes it.
#[derive(Debug)]
pub(crate) struct SegmentPlan<'a> {
    pub(crate) folder: &'a Path,
    /// Unique to this attempt.
    pub(crate) name: String,
    pub(crate) key: &'a IdentityKey,
    pub(crate) facts: &'a Facts,
}

/// Rows that are written at once.
const ROWS_PER_WRITE: usize = 8_192;

/// Writes a segment from events sorted by [`super::events_file::sort_key`], reads it back and compares. The files have their names
/// and are durable when this returns; nothing counts before the manifest says so.
pub(crate) fn write(
    plan: &SegmentPlan<'_>,
    events: impl Iterator<Item = Result<StoredEvent, StoreError>>,
) -> Result<(SegmentRecord, TotalsByMonth), StoreError> {
    let [events_name, lines_name, ids_name] = file_names(&plan.name);
    let mut making = Making {
        plan,
        events: EventsWriter::create(plan.folder, &events_name)?,
        lines: LinesWriter::create(plan.folder, &lines_name)?,
        ids: Vec::new(),
        waiting: Vec::with_capacity(ROWS_PER_WRITE),
        day_lines: BTreeMap::new(),
        days: Vec::new(),
        skus: BTreeMap::new(),
        totals: TotalsByMonth::new(),
        sequences: (u64::MAX, 0),
    };
    for stored in events {
        making.add(stored?)?;
    }
    let cleanup = Cleanup { folder: plan.folder, names: file_names(&plan.name), armed: true };
    let (record, totals, ids) = making.finish(&ids_name)?;
    verify(plan, &record, &ids)?;
    if !is_planted(Fault::NamesUnsynced) {
        durable::sync_folder(plan.folder).map_err(StoreError::io(plan.folder))?;
    }
    cleanup.keep();
    Ok((record, totals))
}

/// Removes the files of an attempt that failed.
struct Cleanup<'a> {
    folder: &'a Path,
    names: [String; 3],
    armed: bool,
}

impl Cleanup<'_> {
    fn keep(mut self) {
        self.armed = false;
    }
}

impl Drop for Cleanup<'_> {
    fn drop(&mut self) {
        if self.armed {
            remove_files(&self.names.clone().map(|name| self.folder.join(name)));
        }
    }
}

/// Removes files that nothing refers to; what cannot be removed now is an orphan, which the next start removes.
pub(crate) fn remove_files(paths: &[PathBuf]) {
    for path in paths {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                eprintln!("forgemeter: could not remove {}: {error}", path.display())
            }
            _ => {}
        }
    }
}

struct Making<'a> {
    plan: &'a SegmentPlan<'a>,
    events: EventsWriter,
    lines: LinesWriter,
    ids: Vec<SealedId>,
    waiting: Vec<StoredEvent>,
    day_lines: BTreeMap<LineKey, LineSums>,
    days: Vec<DayRows>,
    skus: BTreeMap<Name, (Day, Day)>,
    totals: TotalsByMonth,
    sequences: (u64, u64),
}

impl Making<'_> {
    fn add(&mut self, stored: StoredEvent) -> Result<(), StoreError> {
        let (event, facts) = (&stored.event, self.plan.facts);
        let day = event.used_at.day();
        let row = u64::try_from(self.ids.len()).map_err(|_| StoreError::Overflow)?;
        if self.days.last().is_none_or(|last| last.day != day) {
            self.close_day()?;
            self.days.push(DayRows { day, first: row, rows: 0 });
        }
        if let Some(last) = self.days.last_mut() {
            last.rows = last.rows.saturating_add(1);
        }
        let identity = self.plan.key.identity(event.owner, &event.source, &event.id);
        self.ids.push(SealedId { identity, content: self.plan.key.content(event), row });
        let span = self.skus.entry(event.sku.clone()).or_insert((day, day));
        *span = (span.0.min(day), span.1.max(day));
        self.sequences = (self.sequences.0.min(stored.sequence), self.sequences.1.max(stored.sequence));
        if let Ok(priced) = rating::price(event, facts) {
            totals::add(&mut self.totals, event, &priced, facts)?;
            if row.is_multiple_of(61) && is_planted(Fault::TotalCountedTwice) {
                totals::add(&mut self.totals, event, &priced, facts)?;
            }
            add_line(&mut self.day_lines, line_key(event, &priced, facts), line_sums(event, &priced))?;
        }
        self.waiting.push(stored);
        if self.waiting.len() == ROWS_PER_WRITE {
            self.events.write(&self.waiting)?;
            self.waiting.clear();
        }
        Ok(())
    }

    fn close_day(&mut self) -> Result<(), StoreError> {
        if let Some(last) = self.days.last() {
            let lines: Vec<(&LineKey, &LineSums)> = self.day_lines.iter().collect();
            self.lines.write_day(last.day, &lines)?;
            self.day_lines.clear();
        }
        Ok(())
    }

    fn finish(mut self, ids_name: &str) -> Result<(SegmentRecord, TotalsByMonth, Vec<SealedId>), StoreError> {
        self.close_day()?;
        self.events.write(&self.waiting)?;
        let events_sums = self.events.finish()?;
        let (lines_sums, parts) = self.lines.finish()?;
        self.ids.sort_unstable();
        let record = SegmentRecord {
            name: self.plan.name.clone(),
            first_sequence: self.sequences.0,
            last_sequence: self.sequences.1,
            events: u64::try_from(self.ids.len()).map_err(|_| StoreError::Overflow)?,
            facts: self.plan.facts.number,
            events_sums,
            lines_sums,
            ids_sums: IdFile::write(self.plan.folder, ids_name, &self.ids)?,
            days: self.days,
            parts,
            skus: self.skus,
        };
        Ok((record, self.totals, self.ids))
    }
}

/// Adds to a line; usage of nothing makes none.
pub(crate) fn add_line(lines: &mut BTreeMap<LineKey, LineSums>, key: LineKey, sums: LineSums) -> Result<(), StoreError> {
    if sums.quantity.is_zero() {
        return Ok(());
    }
    match lines.get_mut(&key) {
        Some(known) => *known = known.plus(sums)?,
        None => {
            lines.insert(key, sums);
        }
    }
    Ok(())
}

/// Reads a new segment back: every event must be there, with the identity that its id file says.
fn verify(plan: &SegmentPlan<'_>, record: &SegmentRecord, ids: &[SealedId]) -> Result<(), StoreError> {
    let segment = Segment::open(plan.folder, record.clone())?;
    let sum = |sum: u128, identity: u64| sum.wrapping_add(u128::from(identity));
    let expected = ids.iter().fold(0, |total, id| sum(total, id.identity.prefix()));
    let (mut found, mut count) = (0, 0_u64);
    for stored in segment.all()? {
        let event = stored?.event;
        found = sum(found, plan.key.identity(event.owner, &event.source, &event.id).prefix());
        count = count.saturating_add(1);
    }
    if (found, count) != (expected, record.events) {
        return Err(StoreError::damaged(&record.name, "a new segment does not read back as it was written"));
    }
    Ok(())
}
