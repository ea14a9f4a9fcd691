//! Sources of usage: one file for each format that usage comes in.
//!

pub(crate) mod cloud_events;
