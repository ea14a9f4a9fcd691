//! Access tokens: random, shown once, stored as SHA-256. What a token may do with which account is left to the program.
//!
//! Nothing is kept in memory: every look-up asks the file, so that a revocation acts at once in every process of the folder.

use crate::database::Database;
use crate::{StoreError, random};
use billing::{AccountId, UtcTime};
use rusqlite::{OptionalExtension, Row};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What every token begins with, so that secret scanners and people know one.
const PREFIX: &str = "fmt_";
const SECRET_DIGITS: usize = 30;
const CHECKSUM_DIGITS: usize = 6;

const COLUMNS: &str = "id, user, access, created_at, expires_at, revoked_at";

/// What a token may do at most; the role of its user limits it further.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Grant {
    /// A classic token with scopes such as `admin:org`.
    Scopes(BTreeSet<String>),
    /// A fine-grained token with permissions such as `plan` → `read`.
    Permissions(BTreeMap<String, Access>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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
        let text = new_text();
        let access = serde_json::to_string(&grant).map_err(|error| StoreError::damaged("facts.db", format!("a new token: {error}")))?;
        let columns = (sha256(&text), user.0, access, now.microseconds(), expires_at.map(UtcTime::microseconds));
        let id = self.database.write(|transaction| {
            transaction.execute("INSERT INTO token (sha256, user, access, created_at, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)", columns)?;
            Ok(transaction.last_insert_rowid())
        })?;
        let id = u64::try_from(id).map_err(|_| StoreError::Overflow)?;
        Ok((text, Token { id, user, grant, created_at: now, expires_at, revoked_at: None }))
    }

    /// The token of a text that is neither expired nor revoked at `now`. A text with a wrong checksum costs no look-up.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn find(&self, text: &str, now: UtcTime) -> Result<Option<Token>, StoreError> {
        if !has_checksum(text) {
            return Ok(None);
        }
        let token = self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM token WHERE sha256 = ?1"))?;
            statement.query_row([sha256(text)], |row| Ok(token_of(row))).optional()?.transpose()
        })?;
        let valid = |token: &Token| token.revoked_at.is_none() && token.expires_at.is_none_or(|end| now < end);
        Ok(token.filter(valid))
    }

    /// All tokens ever made, the oldest first.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub fn list(&self) -> Result<Vec<Token>, StoreError> {
        self.database.read(|connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM token ORDER BY id"))?;
            let mut rows = statement.query(())?;
            let mut tokens = Vec::new();
            while let Some(row) = rows.next()? {
                tokens.push(token_of(row)?);
            }
            Ok(tokens)
        })
    }

    /// Revokes at once, in every process of the folder. `false` when there is no such token. A token that is revoked already keeps
    /// the time of its first revocation.
    ///
    /// # Errors
    /// When it cannot be stored.
    pub fn revoke(&self, id: u64, now: UtcTime) -> Result<bool, StoreError> {
        // Ids are counted up from 1; a greater number than the column holds was never given to a token.
        let Ok(id) = i64::try_from(id) else { return Ok(false) };
        self.database.write(|transaction| {
            let mut statement = transaction.prepare_cached("UPDATE token SET revoked_at = coalesce(revoked_at, ?2) WHERE id = ?1")?;
            Ok(statement.execute((id, now.microseconds()))? == 1)
        })
    }
}

fn new_text() -> String {
    let secret = random::base_62(SECRET_DIGITS);
    let checksum = checksum(&secret);
    format!("{PREFIX}{secret}{checksum}")
}

fn checksum(secret: &str) -> String {
    random::number_as_base_62(crc32fast::hash(secret.as_bytes()), CHECKSUM_DIGITS)
}

fn has_checksum(text: &str) -> bool {
    let digits = text.strip_prefix(PREFIX).filter(|digits| digits.len() == SECRET_DIGITS + CHECKSUM_DIGITS);
    let parts = digits.and_then(|digits| digits.split_at_checked(SECRET_DIGITS));
    parts.is_some_and(|(secret, end)| checksum(secret) == end)
}

fn sha256(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn token_of(row: &Row<'_>) -> Result<Token, StoreError> {
    let id = u64::try_from(row.get::<_, i64>(0)?).map_err(|_| StoreError::Overflow)?;
    let damaged = |what: &dyn std::fmt::Display| StoreError::damaged("facts.db", format!("token {id}: {what}"));
    let time = |microseconds: i64| UtcTime::from_microseconds(microseconds).map_err(|error| damaged(&error));
    let access: String = row.get(2)?;
    Ok(Token {
        id,
        user: AccountId(row.get(1)?),
        grant: serde_json::from_str(&access).map_err(|error| damaged(&error))?,
        created_at: time(row.get(3)?)?,
        expires_at: row.get::<_, Option<i64>>(4)?.map(time).transpose()?,
        revoked_at: row.get::<_, Option<i64>>(5)?.map(time).transpose()?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> UtcTime {
        UtcTime::parse(text).unwrap()
    }

    fn open(folder: &std::path::Path) -> Tokens {
        Tokens::new(Arc::new(Database::open(folder).unwrap()))
    }

    fn scopes(words: &[&str]) -> Grant {
        Grant::Scopes(words.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_token_is_found_by_its_text_alone_in_every_process_until_it_is_revoked_in_one() {
        let folder = tempfile::tempdir().unwrap();
        let (one, other) = (open(folder.path()), open(folder.path()));
        let now = time("2026-11-03T10:00:00Z");
        let permissions = Grant::Permissions(BTreeMap::from([("plan".to_owned(), Access::Read), ("usage".to_owned(), Access::Write)]));
        let (text, token) = one.create(AccountId(7), permissions, now, None).unwrap();
        let (_, second) = one.create(AccountId(8), scopes(&["repo", "admin:org"]), now, None).unwrap();
        assert_eq!(other.find(&text, now).unwrap(), Some(token.clone()));
        assert_eq!(other.list().unwrap(), [token.clone(), second.clone()]);

        let later = time("2026-11-04T00:00:00Z");
        assert!(other.revoke(token.id, later).unwrap());
        assert_eq!(one.find(&text, now).unwrap(), None);
        assert!(one.revoke(token.id, time("2026-12-01T00:00:00Z")).unwrap());
        assert_eq!(one.list().unwrap(), [Token { revoked_at: Some(later), ..token }, second]);
        for id in [0, 99, u64::MAX] {
            assert!(!one.revoke(id, now).unwrap());
        }
    }

    #[test]
    fn a_token_ends_at_the_instant_of_its_expiry() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(folder.path());
        let end = time("2027-02-01T00:00:00Z");
        let (text, token) = tokens.create(AccountId(1), scopes(&["repo"]), time("2026-11-03T10:00:00Z"), Some(end)).unwrap();
        assert_eq!(tokens.find(&text, time("2027-01-31T23:59:59.999999Z")).unwrap(), Some(token));
        assert_eq!(tokens.find(&text, end).unwrap(), None);
    }

    #[test]
    fn a_text_that_no_token_can_have_is_not_found() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(folder.path());
        let now = time("2026-11-03T10:00:00Z");
        let (text, _) = tokens.create(AccountId(1), scopes(&["repo"]), now, None).unwrap();
        assert!(text.len() == 40 && has_checksum(&text));
        let mut flipped = text.clone();
        flipped.replace_range(10..11, if &text[10..11] == "a" { "b" } else { "a" });
        let foreign = new_text();
        assert!(has_checksum(&foreign) && !has_checksum(&flipped));
        let wide = format!("fmt_{}", "é".repeat(18));
        for wrong in ["", "fmt_", &flipped, &foreign, &text[1..], &text[..39], &format!("{text}0"), &text.to_uppercase(), &wide] {
            assert_eq!(tokens.find(wrong, now).unwrap(), None, "{wrong}");
        }
    }

    #[test]
    fn the_file_never_holds_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let tokens = open(folder.path());
        let (text, _) = tokens.create(AccountId(1), scopes(&["repo"]), time("2026-11-03T10:00:00Z"), None).unwrap();
        drop(tokens);
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(SECRET_DIGITS).any(|window| window == &text.as_bytes()[4..34]));
        }
    }
}
