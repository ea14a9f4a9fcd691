//! legacy
//!
