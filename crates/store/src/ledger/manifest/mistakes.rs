//! What is done to `ledger.db` at the points where a fault can be planted. Without one it is what it must be.
//!
//! See [`crate::planted`].

use super::LedgerFile;
use crate::StoreError;
use crate::planted::{Fault, is_planted, pause};
use rusqlite::{DropBehavior, Transaction};

/// How commits are synced: always, at once.
pub(super) fn synchronous() -> &'static str {
    if is_planted(Fault::LedgerNeverSynced) {
        "off"
    } else if is_planted(Fault::LedgerSyncedSeldom) {
        "normal"
    } else {
        "full"
    }
}

/// Commits a group's transaction.
pub(super) fn commit_now(mut transaction: Transaction<'_>) -> rusqlite::Result<()> {
    if is_planted(Fault::AnswerBeforeCommit) {
        transaction.set_drop_behavior(DropBehavior::Ignore);
        return Ok(());
    }
    transaction.commit()
}

impl LedgerFile {
    /// Commits what [`commit_now`] has left open.
    pub(super) fn commit_late(&self) -> rusqlite::Result<()> {
        match is_planted(Fault::AnswerBeforeCommit) && !self.connection.is_autocommit() {
            true => self.connection.execute_batch("COMMIT"),
            false => Ok(()),
        }
    }

    /// Deletes blocks whose segment is not registered yet.
    pub(super) fn forget_blocks(&self, watermark: Option<u64>) -> Result<(), StoreError> {
        if let Some(watermark) = watermark.filter(|_| is_planted(Fault::BlocksBeforeSegment)) {
            self.connection.execute("DELETE FROM block WHERE last_sequence <= ?1", [super::to_sql(watermark)?])?;
            pause();
        }
        Ok(())
    }
}
