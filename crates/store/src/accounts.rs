//! accounts

