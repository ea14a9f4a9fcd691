//! export_report
//!
