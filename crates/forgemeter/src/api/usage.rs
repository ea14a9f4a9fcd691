//! usage
//!
