//! downloads
//!
