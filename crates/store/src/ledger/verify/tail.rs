//! The blocks of the tail: each is what was written, and stands in order after what is sealed.
//!
//! What holds for every event is left to [`Check::event`].

use super::Check;
use crate::StoreError;
use crate::ledger::block::{self, BlockHeader};
use crate::ledger::manifest::LedgerFile;
use billing::{Name, UtcTime};

/// Where the walk over the blocks is.
struct Walk {
    generation: Option<u64>,
    names: Vec<Name>,
    last_sequence: u64,
    received_at: UtcTime,
}

pub(super) fn check(check: &mut Check<'_>, file: &LedgerFile) -> Result<(), StoreError> {
    let mut walk = Walk { generation: None, names: Vec::new(), last_sequence: file.watermark()?, received_at: UtcTime::MIN };
    file.each_block(|key, bytes| {
        check.blocks = check.blocks.saturating_add(1);
        if let Err(error) = check_block(check, &mut walk, key, bytes) {
            // A name that is missing here is missing in every later block of the generation.
            check.is_whole = false;
            check.ledger(format!("the block up to sequence {key} cannot be read: {error}"));
        }
        Ok(())
    })?;
    check.tail.sort_unstable();
    Ok(())
}

fn check_block(check: &mut Check<'_>, walk: &mut Walk, key: u64, bytes: &[u8]) -> Result<(), StoreError> {
    let generation = block::header(bytes, LedgerFile::name())?.generation;
    if walk.generation != Some(generation) {
        walk.generation = Some(generation);
        walk.names.clear();
    }
    let header = block::decode_names(bytes, &mut walk.names, LedgerFile::name())?;
    check_header(check, walk, key, &header);
    walk.last_sequence = walk.last_sequence.max(header.last_sequence());
    walk.received_at = walk.received_at.max(header.received_at);
    for stored in block::decode_events(bytes, &walk.names, LedgerFile::name())? {
        let day = stored.event.used_at.day();
        if day < header.first_day || day > header.last_day {
            check.ledger(format!("the block up to sequence {key} holds usage outside the days that it names"));
        }
        let event = &stored.event;
        check.tail.push((check.key.identity(event.owner, &event.source, &event.id), stored.sequence));
        check.event(&stored, LedgerFile::name());
    }
    Ok(())
}

fn check_header(check: &mut Check<'_>, walk: &Walk, key: u64, header: &BlockHeader) {
    if header.last_sequence() != key {
        check.ledger(format!("the block up to sequence {key} says that it ends at {}", header.last_sequence()));
    }
    if header.first_sequence <= walk.last_sequence {
        check.ledger(format!("the block up to sequence {key} begins at {}, before the one before it ends", header.first_sequence));
    }
    if header.received_at < walk.received_at {
        check.ledger(format!("the block up to sequence {key} was received before the one before it"));
    }
}
