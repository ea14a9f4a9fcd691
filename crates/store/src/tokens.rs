//! Access tokens: random, shown once, stored as SHA-256. What a token may do with which account is left to the program.

use crate::StoreError;
use crate::database::Database;
use billing::{AccountId, UtcTime};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a token may do at most; the role of its user limits it further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Grant {
    /// A classic token with scopes such as `admin:org`.
    Scopes(BTreeSet<String>),
    /// A fine-grained token with permissions such as `plan` → `read`.
    Permissions(BTreeMap<String, Access>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    Read,
    /// Includes reading.
    Write,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    pub id: u64,
    pub user: AccountId,
    pub grant: Grant,
    pub created_at: UtcTime,
    pub expires_at: Option<UtcTime>,
    pub revoked_at: Option<UtcTime>,
}

#[derive(Debug)]
pub struct Tokens {
    database: Arc<Database>,
}

impl Tokens {
    #[must_use]
    pub fn new(database: Arc<Database>) -> Tokens {
        Tokens { database }
    }

    /// Makes a token and returns its text (`fmt_…`, with a checksum), which is nowhere else.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn create(&self, user: AccountId, grant: Grant, now: UtcTime, expires_at: Option<UtcTime>) -> Result<(String, Token), StoreError> {
        unimplemented!("{user:?} {grant:?} {now} {expires_at:?} {:?}", self.database)
    }

    /// The token of a text that is neither expired nor revoked at `now`. A text with a wrong checksum costs no look-up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn find(&self, text: &str, now: UtcTime) -> Result<Option<Token>, StoreError> {
        unimplemented!("{text} {now}")
    }

    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, StoreError> {
        unimplemented!()
    }

    /// Revokes at once, in every process of the folder. `false` when there is no such token.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn revoke(&self, id: u64, now: UtcTime) -> Result<bool, StoreError> {
        unimplemented!("{id} {now}")
    }
}
