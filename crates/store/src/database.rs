//! database

