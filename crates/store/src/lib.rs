//! Facts on disk: accounts, plans, seats, price books, tokens, report exports, jobs, and the usage ledger.
//!
//! Two SQLite files in one folder. `facts.db` may be written by any process of the folder in short transactions; `ledger.db` only by
//! the process that holds `ledger.lock`. What an amount is, is left to `billing`; HTTP and files of accounts to the program.
//! Start at [`ledger`] for usage and at [`facts`] for everything else.

#![cfg_attr(test, allow(clippy::unwrap_used, reason = "a test may stop at the first surprise"))]

pub mod accounts;
pub mod clock;
pub mod database;
pub mod durable;
mod error;
pub mod exports;
pub mod facts;
pub mod jobs;
pub mod ledger;
pub mod planted;
pub mod random;
mod settings;
pub mod tokens;

pub use clock::Clock;
pub use error::StoreError;
pub use facts::FactsDatabase;
pub use ledger::{Ledger, Sequence, Snapshot};
