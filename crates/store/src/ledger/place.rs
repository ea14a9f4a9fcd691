//! Where a stored event is, for the committer to compare a repeat with it.
//!
//! Finding it is left to identities and id files.

use super::manifest::LedgerFile;
use super::published::Shared;
use crate::StoreError;
use billing::UsageEvent;

/// Where a stored event is.
pub(crate) enum Place {
    Tail(u64),
    Segment(String, u64),
}

impl Place {
    pub(crate) fn event(&self, shared: &Shared) -> Result<UsageEvent, StoreError> {
        let published = shared.published();
        let missing = || StoreError::damaged(LedgerFile::name(), "a known event is missing");
        match self {
            Place::Tail(sequence) => {
                for generation in &published.generations {
                    if let Some(stored) = generation.find(*sequence)? {
                        return Ok(stored.event);
                    }
                }
                Err(missing())
            }
            Place::Segment(name, row) => {
                let segment = published.segments.iter().find(|segment| segment.record.name == *name).ok_or_else(missing)?;
                Ok(segment.event(*row)?.event)
            }
        }
    }
}
