//! What is measured, one file a part, in the order of the targets.
//!
//! A part adds its rows to the table and leaves the folder of the run as it found it, but for the shared history.

pub(crate) mod disk;
pub(crate) mod duckdb;
pub(crate) mod export;
pub(crate) mod identity;
pub(crate) mod ingest;
pub(crate) mod postgres;
pub(crate) mod reads;
pub(crate) mod small;
pub(crate) mod start;

use crate::bench::Bench;
use anyhow::Result;

type Part = fn(&mut Bench) -> Result<()>;

/// Every part. Reads and exports come before what moves the history's clock.
pub(crate) const ALL: [(&str, Part); 9] = [
    ("ingest", ingest::run),
    ("disk", disk::run),
    ("small", small::run),
    ("reads", reads::run),
    ("export", export::run),
    ("identity", identity::run),
    ("start", start::run),
    ("postgres", postgres::run),
    ("duckdb", duckdb::run),
];
