//! versions
//!
