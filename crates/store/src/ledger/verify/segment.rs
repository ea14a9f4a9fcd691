//! One segment: its files are what was written, and its index, ids, lines and totals are what its events come to.
//!
//! The events are read once, in the order of the file; the lines of one day and the totals are held meanwhile. Lines and totals are
//! made with the facts that the segment names, so later facts change nothing here.

use super::{Check, OpenSegment, named};
use crate::StoreError;
use crate::ledger::block::StoredEvent;
use crate::ledger::checked_file::CheckedFile;
use crate::ledger::events_file::{EventsFile, sort_key};
use crate::ledger::id_file::{IdFile, SealedId};
use crate::ledger::lines_file::Line;
use crate::ledger::manifest::digest;
use crate::ledger::published::SEGMENTS;
use crate::ledger::segment::{DayRows, SegmentRecord, add_line};
use crate::ledger::totals::{self, TotalsByMonth};
use billing::line::{LineKey, LineSums, line_key, line_sums};
use billing::{Day, Facts, Name, rating};
use std::collections::{BTreeMap, BTreeSet};

/// How many events lie between two reports of progress.
const EVENTS_PER_PROGRESS: u64 = 65_536;

/// What the events of a segment add up to so far.
struct Walk<'a> {
    segment: &'a OpenSegment,
    file: String,
    facts: std::sync::Arc<Facts>,
    before: Option<StoredEvent>,
    rows: u64,
    days: Vec<DayRows>,
    skus: BTreeMap<Name, (Day, Day)>,
    sequences: (u64, u64),
    day_lines: BTreeMap<LineKey, LineSums>,
    totals: TotalsByMonth,
    ids: u128,
}

pub(super) fn check(check: &mut Check<'_>, segment: &OpenSegment, watermark: u64, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
    let names = segment.record.file_names().map(|name| format!("{SEGMENTS}/{name}"));
    check_files(check, segment, &names);
    let Ok(events) = &segment.events else {
        check.is_whole = false;
        return Ok(());
    };
    let facts = match check.facts.as_of(segment.record.facts) {
        Ok(facts) => facts,
        Err(error) => {
            check.ledger(format!("the segment `{}`: {error}", segment.record.name));
            check.is_whole = false;
            return Ok(());
        }
    };
    let [file, _, _] = names.clone();
    let mut walk = Walk {
        segment,
        file,
        facts,
        before: None,
        rows: 0,
        days: Vec::new(),
        skus: BTreeMap::new(),
        sequences: (u64::MAX, 0),
        day_lines: BTreeMap::new(),
        totals: TotalsByMonth::new(),
        ids: 0,
    };
    if let Err(error) = walk.read(check, events, progress) {
        check.findings.add(walk.file, error.to_string());
        check.is_whole = false;
        return Ok(());
    }
    walk.check_index(check, watermark);
    walk.check_totals(check);
    match &segment.ids {
        Ok(ids) => walk.check_ids(check, ids, events, &names[2]),
        Err(_) => Ok(()),
    }
}

/// Opens what could be opened part by part.
fn check_files(check: &mut Check<'_>, segment: &OpenSegment, names: &[String; 3]) {
    let files = [
        segment.events.as_ref().map(EventsFile::file),
        segment.lines.as_ref().map(crate::ledger::lines_file::LinesFile::file),
        segment.ids.as_ref().map(IdFile::file),
    ];
    for (file, name) in files.into_iter().zip(names) {
        match file.map(CheckedFile::damaged_parts) {
            Err(error) => check.findings.add(name, error.to_string()),
            Ok(Err(error)) => check.findings.add(name, error.to_string()),
            Ok(Ok(parts)) => {
                for part in parts {
                    check.findings.add(name, format!("part {part} does not match its checksum"));
                }
            }
        }
    }
}

impl Walk<'_> {
    fn record(&self) -> &SegmentRecord {
        &self.segment.record
    }

    fn read(&mut self, check: &mut Check<'_>, events: &EventsFile, progress: &mut dyn FnMut(u64)) -> Result<(), StoreError> {
        for stored in events.rows(0, self.record().events)? {
            self.add(check, stored?)?;
            if check.events.is_multiple_of(EVENTS_PER_PROGRESS) {
                progress(check.events);
            }
        }
        self.close_day(check);
        progress(check.events);
        Ok(())
    }

    fn add(&mut self, check: &mut Check<'_>, stored: StoredEvent) -> Result<(), StoreError> {
        check.event(&stored, &self.file);
        if self.before.as_ref().is_some_and(|before| sort_key(before) >= sort_key(&stored)) {
            check.findings.add(&self.file, format!("{} does not stand in the order of rows", named(&stored)));
        }
        let (event, facts) = (&stored.event, std::sync::Arc::clone(&self.facts));
        let day = event.used_at.day();
        if self.days.last().is_none_or(|last| last.day != day) {
            self.close_day(check);
            self.days.push(DayRows { day, first: self.rows, rows: 0 });
        }
        if let Some(last) = self.days.last_mut() {
            last.rows = last.rows.saturating_add(1);
        }
        let identity = check.key.identity(event.owner, &event.source, &event.id);
        self.ids = self.ids.wrapping_add(fingerprint(SealedId { identity, content: check.key.content(event), row: self.rows }));
        let span = self.skus.entry(event.sku.clone()).or_insert((day, day));
        *span = (span.0.min(day), span.1.max(day));
        self.sequences = (self.sequences.0.min(stored.sequence), self.sequences.1.max(stored.sequence));
        if let Ok(priced) = rating::price(event, &facts) {
            totals::add(&mut self.totals, event, &priced, &facts)?;
            add_line(&mut self.day_lines, line_key(event, &priced, &facts), line_sums(event, &priced))?;
        }
        self.rows = self.rows.saturating_add(1);
        self.before = Some(stored);
        Ok(())
    }

    /// Compares the run of the day that ends with the lines of its events.
    fn close_day(&mut self, check: &mut Check<'_>) {
        let expected = std::mem::take(&mut self.day_lines);
        let (Some(last), Ok(lines)) = (self.days.last(), &self.segment.lines) else { return };
        let day = last.day;
        let [_, file, _] = self.record().file_names();
        if let Some(what) = difference(expected, lines.run(day)) {
            check.findings.add(format!("{SEGMENTS}/{file}"), format!("{day}: {what}"));
        }
    }

    /// Compares what the manifest says of the segment.
    fn check_index(&self, check: &mut Check<'_>, watermark: u64) {
        let record = self.record();
        let mut says = |what: &str, is_right: bool| {
            if !is_right {
                check.ledger(format!("the segment `{}` has other {what} than its record says", record.name));
            }
        };
        says("numbers of events", self.rows == record.events);
        says("sequence numbers", self.sequences == (record.first_sequence, record.last_sequence));
        says("events below the watermark", record.last_sequence <= watermark);
        says("rows by day", self.days == record.days);
        says("days of SKUs", self.skus == record.skus);
        let days: BTreeSet<Day> = self.days.iter().map(|rows| rows.day).collect();
        says("days with lines", record.parts.iter().all(|part| days.contains(&part.day)));
    }

    fn check_totals(&self, check: &mut Check<'_>) {
        let (name, mut stored) = (&self.record().name, self.segment.totals.clone());
        for ((payer, month), totals) in &self.totals {
            let what = match stored.remove(&(*payer, month.to_string())) {
                Some(Some(found)) if found == digest(totals) => continue,
                Some(Some(_)) => "are not what its events come to",
                Some(None) => "are damaged",
                None => "are missing",
            };
            check.ledger(format!("the totals of account {} and month {month} of the segment `{name}` {what}", payer.0));
        }
        for (payer, month) in stored.keys() {
            check.ledger(format!("the segment `{name}` has totals of account {} and month {month}, but no such events", payer.0));
        }
    }

    /// Every event's identity, content hash and row must be in the id file, and nothing else.
    fn check_ids(&self, check: &mut Check<'_>, ids: &IdFile, events: &EventsFile, file: &str) -> Result<(), StoreError> {
        let (mut sum, mut count, mut before) = (0_u128, 0_u64, None);
        for id in ids.records() {
            let Ok(id) = id else { return Ok(()) };
            if before.is_some_and(|before| before >= id.identity) {
                check.findings.add(file, format!("the identity of row {} does not stand in order", id.row));
            }
            before = Some(id.identity);
            sum = sum.wrapping_add(fingerprint(id));
            count = count.saturating_add(1);
        }
        if (sum, count) == (self.ids, self.rows) {
            return Ok(());
        }
        check.findings.add(file, format!("its {count} identities are not those of the {} events", self.rows));
        let mut row = 0;
        for stored in events.rows(0, self.rows)? {
            let stored = stored?;
            let event = &stored.event;
            let identity = check.key.identity(event.owner, &event.source, &event.id);
            let wanted = SealedId { identity, content: check.key.content(event), row };
            match ids.get(identity) {
                Ok(Some(found)) if found == wanted => {}
                Ok(Some(found)) if found.row != row => {
                    check.findings.add(file, format!("{} is said to be at row {}, not {row}", named(&stored), found.row));
                }
                Ok(Some(_)) => check.findings.add(file, format!("{} has another content", named(&stored))),
                Ok(None) => check.findings.add(file, format!("{} is missing", named(&stored))),
                Err(error) => check.findings.add(file, error.to_string()),
            }
            row = row.saturating_add(1);
        }
        Ok(())
    }
}

/// Sums of it tell two sets of ids apart in whatever order they come.
fn fingerprint(id: SealedId) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&id.identity.0);
    bytes[16..24].copy_from_slice(&id.content.to_le_bytes());
    bytes[24..].copy_from_slice(&id.row.to_le_bytes());
    let mut sum = [0; 16];
    blake3::Hasher::new().update(&bytes).finalize_xof().fill(&mut sum);
    u128::from_le_bytes(sum)
}

/// The first difference between the lines that events come to and a stored run.
fn difference(expected: BTreeMap<LineKey, LineSums>, mut run: impl Iterator<Item = Result<Line, StoreError>>) -> Option<String> {
    for (key, sums) in expected {
        match run.next() {
            Some(Ok(line)) if line == (key.clone(), sums) => {}
            Some(Ok((found, _))) if found == key => {
                return Some(format!("the line {} does not hold what its events come to", line_name(&key)));
            }
            Some(Ok((found, _))) => return Some(format!("where the line {} must be, there is {}", line_name(&key), line_name(&found))),
            Some(Err(error)) => return Some(error.to_string()),
            None => return Some(format!("the line {} is missing", line_name(&key))),
        }
    }
    match run.next()? {
        Ok((key, _)) => Some(format!("the line {} is of no event", line_name(&key))),
        Err(error) => Some(error.to_string()),
    }
}

fn line_name(key: &LineKey) -> String {
    format!("`{}` of `{}/{}` by `{}`", key.sku, key.owner_login, key.repository, key.username)
}
