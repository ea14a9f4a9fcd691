//! The accounts file
//!
