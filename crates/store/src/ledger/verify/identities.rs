//! No identity twice: a walk over all id files and the tail at once, in order of identity.
//!
//! Memory holds one page of each id file. Whether an id file holds the right identities is left to the check of its segment.

use super::{Check, Manifest, OpenSegment};
use crate::StoreError;
use crate::ledger::id_file::SealedId;
use crate::ledger::identity::Identity;
use crate::ledger::manifest::LedgerFile;
use std::iter::Peekable;

/// Where an identity was found.
#[derive(Clone, Copy)]
enum Found<'a> {
    Segment(&'a OpenSegment, u64),
    Tail(u64),
}

type Source<'a> = Peekable<Box<dyn Iterator<Item = (Identity, Found<'a>)> + 'a>>;

pub(super) fn check(check: &mut Check<'_>, manifest: &Manifest) {
    let tail = std::mem::take(&mut check.tail);
    let in_tail: Box<dyn Iterator<Item = (Identity, Found<'_>)>> =
        Box::new(tail.iter().map(|(identity, sequence)| (*identity, Found::Tail(*sequence))));
    let mut sources: Vec<Source<'_>> = vec![in_tail.peekable()];
    for segment in &manifest.segments {
        let Ok(ids) = &segment.ids else { continue };
        // A page that cannot be read is a finding already.
        let found = |id: SealedId| (id.identity, Found::Segment(segment, id.row));
        let records: Box<dyn Iterator<Item = (Identity, Found<'_>)>> = Box::new(ids.records().map_while(Result::ok).map(found));
        sources.push(records.peekable());
    }
    let mut before: Option<(Identity, Found<'_>)> = None;
    while let Some((identity, found)) = next(&mut sources) {
        if let Some((known, first)) = before
            && known == identity
        {
            let what = format!("{} and {} are the same event: it is counted twice", first.name(), found.name());
            check.findings.add(LedgerFile::name(), what);
        }
        before = Some((identity, found));
    }
}

/// The least identity that is left.
fn next<'a>(sources: &mut [Source<'a>]) -> Option<(Identity, Found<'a>)> {
    let mut least: Option<(usize, Identity)> = None;
    for (place, source) in sources.iter_mut().enumerate() {
        if let Some((identity, _)) = source.peek()
            && least.is_none_or(|(_, known)| *identity < known)
        {
            least = Some((place, *identity));
        }
    }
    sources[least?.0].next()
}

impl Found<'_> {
    fn name(self) -> String {
        match self {
            Found::Tail(sequence) => format!("sequence {sequence} of the tail"),
            Found::Segment(segment, row) => {
                let sequence = segment.events.as_ref().map_err(StoreError::to_string).and_then(|events| {
                    let mut rows = events.rows(row, 1).map_err(|error| error.to_string())?;
                    rows.next().map_or_else(|| Err("no such row".to_owned()), |row| row.map_err(|error| error.to_string()))
                });
                let event = sequence.map_or_else(|error| error, |stored| super::named(&stored));
                format!("row {row} of segment `{}` ({event})", segment.record.name)
            }
        }
    }
}
