//! exports

