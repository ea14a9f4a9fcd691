//! Background jobs: one file each.
//!

pub(crate) mod expire_exports;
pub(crate) mod export_report;
pub(crate) mod send_mail;
