//! The options `--data` and `--now` of the verbs that work on the facts of a data folder, beside a server or without one.
//!
//! Opening the ledger of a folder to serve it is left to [`crate::app`].

use super::Failure;
use crate::instant;
use billing::UtcTime;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::database::Database;
use store::{Clock, FactsDatabase, Ledger, StoreError};

#[derive(Debug, clap::Args)]
pub(crate) struct Folder {
    /// Data folder
    #[arg(long = "data", env = "FORGEMETER_DATA", value_name = "DIR")]
    path: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Now {
    /// The time to act at, such as 2026-11-03T10:00:00Z; else the clock of the data folder decides
    #[arg(long = "now", value_name = "TIME", value_parser = instant::parse)]
    time: Option<UtcTime>,
}

impl Now {
    pub(crate) fn or_of(&self, clock: &Clock) -> UtcTime {
        self.time.unwrap_or_else(|| clock.now())
    }
}

/// What such a verb works with.
pub(crate) struct OpenFolder {
    pub(crate) database: Arc<Database>,
    pub(crate) facts: FactsDatabase,
    pub(crate) clock: Clock,
}

/// Opens facts and ledger of a folder to read them, beside a running server or without one.
pub(crate) fn ledger_to_read(data: &Path) -> Result<(Arc<FactsDatabase>, Ledger), Failure> {
    // Opening would make a new folder of a mistyped name.
    if !data.join("facts.db").is_file() {
        return Err(Failure::Usage(format!("`{}` is no data folder", data.display())));
    }
    if !data.join("ledger.db").is_file() {
        return Err(Failure::Failed(format!("`{}` has no usage yet: no server ever ran on it", data.display())));
    }
    let facts = Arc::new(FactsDatabase::open(Arc::new(Database::open(data)?))?);
    let ledger = Ledger::open_to_read(data, Arc::clone(&facts))?;
    Ok((facts, ledger))
}

impl Folder {
    pub(crate) fn at(path: PathBuf) -> Folder {
        Folder { path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether accounts were ever applied to it or a server ever served it.
    pub(crate) fn exists(&self) -> bool {
        self.path.join("facts.db").exists()
    }

    /// Opens the folder; creates it when it does not exist.
    pub(crate) fn open_or_create(&self) -> Result<OpenFolder, StoreError> {
        let database = Arc::new(Database::open(&self.path)?);
        let facts = FactsDatabase::open(Arc::clone(&database))?;
        let clock = Clock::open(Arc::clone(&database))?;
        Ok(OpenFolder { database, facts, clock })
    }

    /// Opens a folder that exists: a slip in its name must not make an empty one.
    pub(crate) fn open(&self) -> Result<OpenFolder, Failure> {
        if !self.exists() {
            return Err(Failure::Failed(format!("`{}` is no data folder; `forgemeter apply` makes one", self.path.display())));
        }
        Ok(self.open_or_create()?)
    }
}
