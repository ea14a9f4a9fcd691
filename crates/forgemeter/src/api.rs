//! Every route in one table, grouped by who calls it.

pub(crate) mod auth;
pub(crate) mod downloads;
pub(crate) mod error;
pub(crate) mod legacy;
pub(crate) mod reports;
pub(crate) mod usage;
pub(crate) mod versions;
pub(crate) mod wire;
