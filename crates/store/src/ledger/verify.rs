//! `verify`: makes every derived number of the ledger again from its events, and compares.
//!
//! Beside a running server or without one; nothing is written. One read of `ledger.db` says what must be there: blocks, marks,
//! spellings, segments. Files stay open while they are checked, so that a merge beside it disturbs nothing. Memory holds the
//! identities of the tail and one bit for each event, besides what one day of one segment needs. Start at [`verify`].

mod identities;
mod segment;
mod sequences;
mod tail;

use super::Sequence;
use super::block::StoredEvent;
use super::events_file::EventsFile;
use super::id_file::IdFile;
use super::identity::{Identity, IdentityKey};
use super::lines_file::LinesFile;
use super::manifest::{Digest, LedgerFile, Mark, NameKey, NameKind};
use super::published::{LOADS_MAX, SEGMENTS};
use super::segment::SegmentRecord;
use crate::{FactsDatabase, StoreError};
use billing::account::folded;
use billing::{AccountId, Name};
use sequences::SequenceSet;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The file that it is in, as seen from the data folder.
    pub file: String,
    pub what: String,
}

/// Findings that are listed; the rest is counted.
pub const FINDINGS_MAX: usize = 1000;

/// What was found, in the order in which it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings {
    pub listed: Vec<Finding>,
    pub unlisted: u64,
}

impl Findings {
    pub fn add(&mut self, file: impl Into<String>, what: impl Into<String>) {
        if self.listed.len() < FINDINGS_MAX {
            self.listed.push(Finding { file: file.into(), what: what.into() });
        } else {
            self.unlisted = self.unlisted.saturating_add(1);
        }
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.listed.is_empty()
    }
}

/// What was looked at, and what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// The last sequence number that was looked at.
    pub sequence: Sequence,
    pub events: u64,
    pub segments: u64,
    pub blocks: u64,
    /// The sequence numbers of all marks, in order.
    pub marks: Vec<u64>,
    pub findings: Findings,
}

/// Checks the ledger of a folder. `progress` is called with the events that are done and those that there are.
///
/// # Errors
/// When `ledger.db` cannot be read at all. What can be read and is wrong is a finding.
pub fn verify(folder: &Path, facts: &FactsDatabase, mut progress: impl FnMut(u64, u64)) -> Result<Verification, StoreError> {
    if !LedgerFile::exists(folder)? {
        return nothing_yet(folder);
    }
    let file = LedgerFile::open_to_read(folder)?;
    let mut loads = 1;
    let (manifest, mut check) = loop {
        let loaded = file.read_at_once(|file| load(folder, file, facts, loads == LOADS_MAX))?;
        match loaded {
            Some(loaded) => break loaded,
            // A merge has removed a file between the manifest and the file.
            None => loads += 1,
        }
    };
    let total = manifest.segments.iter().map(|segment| segment.record.events).fold(check.events, u64::saturating_add);
    for segment in &manifest.segments {
        segment::check(&mut check, segment, manifest.watermark, &mut |done| progress(done, total))?;
    }
    if manifest.is_readable {
        identities::check(&mut check, &manifest);
        check.gaps(&manifest);
    }
    Ok(Verification {
        sequence: Sequence { epoch: file.epoch, number: manifest.last_sequence },
        events: check.events,
        segments: u64::try_from(manifest.segments.len()).map_err(|_| StoreError::Overflow)?,
        blocks: check.blocks,
        marks: check.marks.iter().map(|mark| mark.sequence).collect(),
        findings: check.findings,
    })
}

/// A folder that was never served has no ledger, and nothing that belongs to one.
fn nothing_yet(folder: &Path) -> Result<Verification, StoreError> {
    let mut findings = Findings::default();
    let segments = folder.join(SEGMENTS);
    if segments.exists() && std::fs::read_dir(&segments).map_err(StoreError::io(&segments))?.next().is_some() {
        findings.add(LedgerFile::name(), "it is missing, but there are segments");
    }
    Ok(Verification { sequence: Sequence { epoch: 0, number: 0 }, events: 0, segments: 0, blocks: 0, marks: Vec::new(), findings })
}

/// Reads the manifest, opens its files and checks the tail, all in one state of `ledger.db`. `None` when a file was missing.
fn load<'a>(
    folder: &Path,
    file: &LedgerFile,
    facts: &'a FactsDatabase,
    is_last: bool,
) -> Result<Option<(Manifest, Check<'a>)>, StoreError> {
    let complaints = file.complaints()?;
    let manifest = if complaints.is_empty() { Manifest::read(folder, file)? } else { Manifest::default() };
    if manifest.misses_a_file() && !is_last {
        return Ok(None);
    }
    let mut check = Check::new(file, facts)?;
    for complaint in &complaints {
        check.findings.add(LedgerFile::name(), format!("SQLite says: {complaint}"));
    }
    if complaints.is_empty() {
        check.marks(&manifest)?;
        tail::check(&mut check, file)?;
    }
    Ok(Some((manifest, check)))
}

/// What one read of `ledger.db` says of the segments, with their files open.
#[derive(Default)]
struct Manifest {
    watermark: u64,
    last_sequence: u64,
    segments: Vec<OpenSegment>,
    is_readable: bool,
}

/// A segment whose files are open as far as they can be opened.
struct OpenSegment {
    record: SegmentRecord,
    totals: BTreeMap<(AccountId, String), Option<Digest>>,
    events: Result<EventsFile, StoreError>,
    lines: Result<LinesFile, StoreError>,
    ids: Result<IdFile, StoreError>,
}

impl Manifest {
    fn read(folder: &Path, file: &LedgerFile) -> Result<Manifest, StoreError> {
        let folder = folder.join(SEGMENTS);
        let mut segments = Vec::new();
        for record in file.segments()? {
            let [events, lines, ids] = record.file_names();
            segments.push(OpenSegment {
                totals: file.total_digests(&record.name)?,
                events: EventsFile::open(&folder, &events, record.events_sums.clone()),
                lines: LinesFile::open(&folder, &lines, record.lines_sums.clone(), record.parts.clone()),
                ids: IdFile::open(&folder, &ids, record.ids_sums.clone()),
                record,
            });
        }
        Ok(Manifest { watermark: file.watermark()?, last_sequence: file.last_sequence()?, segments, is_readable: true })
    }

    fn misses_a_file(&self) -> bool {
        let missing = |error: &StoreError| matches!(error, StoreError::Io { source, .. } if source.kind() == ErrorKind::NotFound);
        let errors = |segment: &'_ OpenSegment| {
            [segment.events.as_ref().err(), segment.lines.as_ref().err(), segment.ids.as_ref().err()].into_iter().flatten().any(missing)
        };
        self.segments.iter().any(errors)
    }
}

/// What all checks share.
struct Check<'a> {
    facts: &'a FactsDatabase,
    key: IdentityKey,
    marks: Vec<Mark>,
    spellings: BTreeMap<NameKey, Name>,
    sequences: SequenceSet,
    /// The identities of the tail with their sequence numbers, sorted once all are here.
    tail: Vec<(Identity, u64)>,
    events: u64,
    blocks: u64,
    /// Whether every event could be read. Where not, nothing is said about missing ones.
    is_whole: bool,
    findings: Findings,
}

impl<'a> Check<'a> {
    fn new(file: &LedgerFile, facts: &'a FactsDatabase) -> Result<Check<'a>, StoreError> {
        Ok(Check {
            facts,
            key: file.key.clone(),
            marks: file.marks()?,
            spellings: file.spellings()?,
            sequences: SequenceSet::default(),
            tail: Vec::new(),
            events: 0,
            blocks: 0,
            is_whole: true,
            findings: Findings::default(),
        })
    }

    fn ledger(&mut self, what: impl Into<String>) {
        self.findings.add(LedgerFile::name(), what);
    }

    /// Marks stand in order of sequence, time and facts, and refer to facts that exist.
    fn marks(&mut self, manifest: &Manifest) -> Result<(), StoreError> {
        let known = self.facts.current()?.number;
        let mut before: Option<Mark> = None;
        for mark in self.marks.clone() {
            let number = mark.sequence;
            if before.is_some_and(|before| mark.received_at < before.received_at || mark.facts < before.facts) {
                self.ledger(format!("mark {number} goes back in time or in facts behind the mark before it"));
            }
            if mark.facts > known {
                self.ledger(format!("mark {number} refers to fact {}, but `facts.db` ends at {}", mark.facts.0, known.0));
            }
            if number > manifest.last_sequence || !self.sequences.insert(number) {
                self.ledger(format!("mark {number} has a sequence number that something else has"));
            }
            before = Some(mark);
        }
        Ok(())
    }

    /// What holds for every event, wherever it lies.
    fn event(&mut self, stored: &StoredEvent, file: &str) {
        self.events = self.events.saturating_add(1);
        if !self.sequences.insert(stored.sequence) {
            self.findings.add(file, format!("{} has a sequence number that something else has", named(stored)));
        }
        let after = self.marks.partition_point(|mark| mark.sequence < stored.sequence);
        let mark = after.checked_sub(1).and_then(|place| self.marks.get(place));
        match mark {
            None => self.findings.add(file, format!("{} has no mark before it", named(stored))),
            Some(mark) if mark.received_at > stored.received_at || mark.received_at.day() != stored.received_at.day() => {
                let what =
                    format!("{} was received at {}, but the mark before it is of {}", named(stored), stored.received_at, mark.received_at);
                self.findings.add(file, what);
            }
            Some(_) => {}
        }
        self.spelling(stored, file);
    }

    fn spelling(&mut self, stored: &StoredEvent, file: &str) {
        let event = &stored.event;
        let names = [(NameKind::Repository, event.owner, &event.repository), (NameKind::User, AccountId(0), &event.username)];
        for (kind, owner, name) in names {
            let Some(name) = name else { continue };
            let first = self.spellings.get(&NameKey { kind, owner, folded: folded(name) });
            if first != Some(name) {
                let first = first.map_or("nothing", |first| first);
                self.findings.add(file, format!("{} is spelled `{name}`, but the spelling first written is `{first}`", named(stored)));
            }
        }
    }

    /// Every sequence number up to the last one is that of one event or one mark: a gap is something that was lost.
    fn gaps(&mut self, manifest: &Manifest) {
        if !self.is_whole {
            return;
        }
        for (first, last) in self.sequences.gaps(manifest.last_sequence) {
            self.ledger(format!("sequence numbers {first} to {last} are those of no event and no mark"));
        }
    }
}

/// An event as findings call it.
fn named(stored: &StoredEvent) -> String {
    format!("event `{}` of source `{}` (sequence {})", stored.event.id, stored.event.source, stored.sequence)
}
