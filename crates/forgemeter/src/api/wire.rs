//! wire
//!

pub(crate) mod reports;
