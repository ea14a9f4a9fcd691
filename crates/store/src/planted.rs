//! Planted faults: mistakes that a ledger must not make, each switched on alone, so that the tests which must catch them are tested.
//!
//! Only a build with the feature `planted` can have one, and only when it was told which at its start. In every other build
//! [`is_planted`] is a constant and the mistakes are not compiled. Who catches which is in the crate `crashtest`.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// `ledger.db` is written without any sync.
    LedgerNeverSynced,
    /// `ledger.db` is synced at checkpoints only.
    LedgerSyncedSeldom,
    /// A group is answered before its transaction is committed.
    AnswerBeforeCommit,
    /// The manifest names files that were not synced.
    SegmentUnsynced,
    /// The manifest names files whose names were not synced.
    NamesUnsynced,
    /// New folders are not synced into the one above.
    FoldersUnsynced,
    /// Sealed blocks go before the segment is registered.
    BlocksBeforeSegment,
    /// A seal leaves its blocks counting.
    WatermarkUnmoved,
    /// Merged files go before the new segment is registered.
    MergedFilesFirst,
    /// A merge drops some late usage.
    LateLostInMerge,
    /// A refused group's identities stay known.
    IdentityBeforeCommit,
    /// Identity forgets the source.
    IdentityWithoutSource,
    /// Id files miss some ids.
    IdFileIncomplete,
    /// Some events count twice in the totals of a segment.
    TotalCountedTwice,
    /// Marks are not written.
    MarksUnwritten,
    /// Spellings are not written.
    SpellingsUnwritten,
    /// A group that found no room is acknowledged.
    FullDiskAcknowledged,
    /// A failed sync is tried again.
    FailedSyncRetried,
    /// An export is completed before its files are synced.
    ExportUnsynced,
}

#[cfg(not(feature = "planted"))]
#[must_use]
pub const fn is_planted(_: Fault) -> bool {
    false
}

#[cfg(not(feature = "planted"))]
pub(crate) const fn pause() {}

#[cfg(feature = "planted")]
pub use switched::{is_planted, plant};

#[cfg(feature = "planted")]
pub(crate) use switched::pause;

#[cfg(feature = "planted")]
mod switched {
    use super::Fault;
    use std::sync::OnceLock;
    use std::sync::mpsc;
    use std::time::Duration;

    static PLANTED: OnceLock<String> = OnceLock::new();

    /// How long a mistake leaves the door open.
    const DOOR: Duration = Duration::from_millis(60);

    /// Plants the fault of a name, such as `AnswerBeforeCommit`.
    pub fn plant(name: String) {
        PLANTED.set(name).expect("one fault is planted at the start");
    }

    #[must_use]
    pub fn is_planted(fault: Fault) -> bool {
        PLANTED.get().is_some_and(|name| *name == format!("{fault:?}"))
    }

    /// Waits between two steps that belong together, so that a crash can come between them.
    pub(crate) fn pause() {
        let (_sender, receiver) = mpsc::channel::<()>();
        assert!(receiver.recv_timeout(DOOR).is_err(), "nobody sends");
    }
}
