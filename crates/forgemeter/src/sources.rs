//! Sources of usage: one file for each format that usage comes in. Each turns bytes into usage events and says of every event that it
//! refuses where it stands, which field is wrong and why. Counting and storing are left to the ledger.

pub(crate) mod cloud_events;
