//! wire
//!
