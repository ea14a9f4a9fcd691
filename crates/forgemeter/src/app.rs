//! The parts that every request and job needs, put together once.
//!
//! What they do is left to them; nothing else opens a data folder to serve it.

use crate::api::usage::{BODIES_BYTES_MAX, BodyBudget};
use crate::config::Config;
use crate::jobs::Nudge;
use std::path::Path;
use std::sync::Arc;
use store::database::Database;
use store::exports::Exports;
use store::jobs::Jobs;
use store::ledger::LedgerLimits;
use store::tokens::Tokens;
use store::{Clock, FactsDatabase, Ledger, StoreError};

/// What a running server works with. Shared by reference; everything in it may be used from any thread.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) database: Arc<Database>,
    pub(crate) facts: Arc<FactsDatabase>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) tokens: Tokens,
    pub(crate) exports: Exports,
    pub(crate) jobs: Jobs,
    /// Wakes the workers of background jobs.
    pub(crate) nudge: Nudge,
    pub(crate) ledger: Ledger,
    pub(crate) bodies: BodyBudget,
    pub(crate) config: Config,
}

impl App {
    /// Opens a data folder to serve it.
    pub(crate) fn open(folder: &Path, config: Config, limits: LedgerLimits) -> Result<App, StoreError> {
        let database = Arc::new(Database::open(folder)?);
        let facts = Arc::new(FactsDatabase::open(Arc::clone(&database))?);
        let clock = Arc::new(Clock::open(Arc::clone(&database))?);
        let ledger = Ledger::open(folder, Arc::clone(&facts), Arc::clone(&clock), limits)?;
        let tokens = Tokens::new(Arc::clone(&database));
        let exports = Exports::new(Arc::clone(&database));
        let jobs = Jobs::new(Arc::clone(&database));
        let bodies = BodyBudget::new(BODIES_BYTES_MAX);
        Ok(App { database, facts, clock, tokens, exports, jobs, nudge: Nudge::default(), ledger, bodies, config })
    }
}
