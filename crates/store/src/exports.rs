//! Report exports: what was asked for, how far it is, and which files it became. Making the files is left to the program.

use crate::database::Database;
use crate::{Sequence, StoreError};
use billing::report::{ReportDays, ReportType};
use billing::{AccountId, UtcTime};
use std::sync::Arc;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExportStatus {
    Processing,
    Completed { finished_at: UtcTime, parts: Vec<ExportPart> },
    Failed { finished_at: UtcTime, reason: String },
}

/// One file of an export.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExportPart {
    /// The name that a download is offered as.
    pub file_name: String,
    pub rows: u64,
    pub bytes: u64,
    /// Lower-case hex.
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Export {
    /// A lower-case UUID.
    pub id: String,
    pub enterprise: AccountId,
    pub report_type: ReportType,
    pub days: ReportDays,
    pub actor: AccountId,
    pub send_email: bool,
    pub created_at: UtcTime,
    /// Everything the report shows is as of this place in the ledger.
    pub sequence: Sequence,
    /// The price version in force on the report's last day, as recorded with the export.
    pub price_version: u32,
    pub status: ExportStatus,
}

/// The table of exports.
#[derive(Debug)]
pub struct Exports {
    pub(crate) database: Arc<Database>,
}

impl Exports {
    #[must_use]
    pub fn new(database: Arc<Database>) -> Exports {
        Exports { database }
    }

    /// # Errors
    /// When it cannot be read.
    pub fn get(&self, enterprise: AccountId, id: &str) -> Result<Option<Export>, StoreError> {
        unimplemented!("{enterprise:?} {id}")
    }
}
