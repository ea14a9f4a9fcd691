//! CloudEvents
//!
