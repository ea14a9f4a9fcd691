//! What can go wrong with the folder, sorted by what the caller does next.
//!
//! How a caller is told is left to the program.

use std::path::PathBuf;

#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing was stored; free space and try again.
    #[error("the disk of the data folder is full; nothing was stored")]
    DiskFull,
    /// Nothing was stored; try again later.
    #[error("the ledger has no room for more usage right now; nothing was stored")]
    Busy,
    /// Another process serves this folder.
    #[error("`{0}` is in use by another process; stop it first")]
    Locked(PathBuf),
    /// A file is not what was written; the folder needs repair from a backup.
    #[error("`{file}` is damaged: {what}")]
    Damaged { file: String, what: String },
    /// A newer program wrote it.
    #[error("`{file}` has version {found}, this program knows {known}; use a newer program")]
    UnknownVersion { file: String, found: u32, known: u32 },
    /// The sequence number is not in this ledger.
    #[error("sequence `{0}` is not in this ledger; see `sequence` in the answers to sent usage")]
    NoSuchSequence(String),
    #[error("a sum leaves the range of exact amounts")]
    Overflow,
    #[error("SQLite: {0}")]
    Sqlite(#[source] rusqlite::Error),
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
}

impl StoreError {
    pub(crate) fn io(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> StoreError {
        let path = path.into();
        move |source| match source.kind() {
            std::io::ErrorKind::StorageFull => StoreError::DiskFull,
            _ => StoreError::Io { path, source },
        }
    }

    pub(crate) fn damaged(file: impl Into<String>, what: impl Into<String>) -> StoreError {
        StoreError::Damaged { file: file.into(), what: what.into() }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> StoreError {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => StoreError::DiskFull,
            _ => StoreError::Sqlite(error),
        }
    }
}

impl From<billing::Overflow> for StoreError {
    fn from(billing::Overflow: billing::Overflow) -> StoreError {
        StoreError::Overflow
    }
}
