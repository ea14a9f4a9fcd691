//! `ledger.db`: blocks of the tail, marks, spellings of names, and the manifest of segments.
//!
//! Written only by the process that holds `ledger.lock`, and there only by the committer's thread. The manifest alone decides which
//! files of the folder count. A commit is durable when it returns: WAL with `synchronous=FULL`.

mod mistakes;
mod whole;

use super::checked_file::Checksums;
use super::codec::Broken;
use super::identity::IdentityKey;
use super::segment::SegmentRecord;
use super::totals::{self, TotalsByMonth};
use crate::planted::{Fault, is_planted};
use crate::{StoreError, random};
use billing::month::MonthTotals;
use billing::{AccountId, FactNumber, Month, Name, UtcTime};
use mistakes::{commit_now, synchronous};
use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;
pub(crate) use whole::{Digest, digest};

const VERSION: u32 = 1;
/// Pages of 16 KiB: a block is a blob of many kilobytes.
const PAGE_BYTES: u32 = 16 * 1024;
/// How long a reader waits while another process sets the file up. Readers and the one writer do not wait for each other in WAL.
const BUSY_WAIT: Duration = Duration::from_secs(10);

const SCHEMA: &str = "
CREATE TABLE ledger (version INTEGER NOT NULL, id BLOB NOT NULL, epoch INTEGER NOT NULL, identity_key BLOB NOT NULL, watermark INTEGER NOT NULL);
CREATE TABLE block (last_sequence INTEGER PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE mark (sequence INTEGER PRIMARY KEY, received_at INTEGER NOT NULL, fact_number INTEGER NOT NULL);
CREATE TABLE spelling (kind INTEGER NOT NULL, owner INTEGER NOT NULL, folded TEXT NOT NULL, text TEXT NOT NULL,
                       PRIMARY KEY (kind, owner, folded)) WITHOUT ROWID;
CREATE TABLE segment (number INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, first_sequence INTEGER NOT NULL,
                      last_sequence INTEGER NOT NULL, events INTEGER NOT NULL, fact_number INTEGER NOT NULL,
                      events_length INTEGER NOT NULL, events_sums BLOB NOT NULL, lines_length INTEGER NOT NULL, lines_sums BLOB NOT NULL,
                      ids_length INTEGER NOT NULL, ids_sums BLOB NOT NULL, contents BLOB NOT NULL);
CREATE TABLE month_total (segment INTEGER NOT NULL REFERENCES segment (number) ON DELETE CASCADE, payer INTEGER NOT NULL,
                          month TEXT NOT NULL, body BLOB NOT NULL, PRIMARY KEY (segment, payer, month)) WITHOUT ROWID;
";

/// A sequence number that carries the facts and the time of its moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) sequence: u64,
    pub(crate) received_at: UtcTime,
    pub(crate) facts: FactNumber,
}

/// What kind of name a spelling is of. Repositories belong to their owner; users to nobody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum NameKind {
    Repository,
    User,
}

/// A name as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NameKey {
    pub(crate) kind: NameKind,
    pub(crate) owner: AccountId,
    pub(crate) folded: String,
}

/// What one group commit writes.
#[derive(Debug, Default)]
pub(crate) struct Group<'a> {
    pub(crate) marks: Vec<Mark>,
    pub(crate) spellings: Vec<(&'a NameKey, &'a Name)>,
    /// Its last sequence number and bytes.
    pub(crate) block: Option<(u64, &'a [u8])>,
}

#[derive(Debug)]
pub(crate) struct LedgerFile {
    connection: Connection,
    /// `ledger.lock`, held for as long as this process may write.
    _lock: Option<File>,
    path: PathBuf,
    pub(crate) epoch: u32,
    pub(crate) key: IdentityKey,
}

impl LedgerFile {
    pub(crate) fn name() -> &'static str {
        "ledger.db"
    }

    /// Opens the file for the one process that may write it; creates it when it does not exist.
    pub(crate) fn open_to_write(folder: &Path, lock: File) -> Result<LedgerFile, StoreError> {
        let path = folder.join(LedgerFile::name());
        let mut connection = Connection::open(&path)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "page_size", PAGE_BYTES)?;
        connection.pragma_update(None, "auto_vacuum", "incremental")?;
        connection.pragma_update(None, "journal_mode", "wal")?;
        connection.pragma_update(None, "synchronous", synchronous())?;
        connection.pragma_update(None, "secure_delete", "off")?;
        connection.pragma_update(None, "foreign_keys", "on")?;
        create(&mut connection)?;
        LedgerFile::read_head(connection, path, Some(lock))
    }

    pub(crate) fn open_to_read(folder: &Path) -> Result<LedgerFile, StoreError> {
        let path = folder.join(LedgerFile::name());
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_WAIT)?;
        connection.pragma_update(None, "query_only", "on")?;
        LedgerFile::read_head(connection, path, None)
    }

    fn read_head(connection: Connection, path: PathBuf, lock: Option<File>) -> Result<LedgerFile, StoreError> {
        let head = connection.query_row("SELECT version, epoch, identity_key FROM ledger", [], |row| {
            Ok((row.get::<_, u32>(0)?, row.get::<_, u32>(1)?, row.get::<_, [u8; 32]>(2)?))
        })?;
        if head.0 != VERSION {
            return Err(StoreError::UnknownVersion { file: path.display().to_string(), found: head.0, known: VERSION });
        }
        Ok(LedgerFile { connection, _lock: lock, path, epoch: head.1, key: IdentityKey(head.2) })
    }

    /// Everything read inside sees one state of the file, whatever is committed meanwhile.
    pub(crate) fn read_at_once<T>(&self, read: impl FnOnce(&LedgerFile) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let transaction = self.connection.unchecked_transaction()?;
        let value = read(self)?;
        transaction.commit()?;
        Ok(value)
    }

    pub(crate) fn write_group(&mut self, group: &Group<'_>) -> Result<(), StoreError> {
        self.commit_late()?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for mark in group.marks.iter().filter(|_| !is_planted(Fault::MarksUnwritten)) {
            let mut insert = transaction.prepare_cached("INSERT INTO mark (sequence, received_at, fact_number) VALUES (?1, ?2, ?3)")?;
            insert.execute(params![to_sql(mark.sequence)?, mark.received_at.microseconds(), to_sql(mark.facts.0)?])?;
        }
        for (key, text) in group.spellings.iter().filter(|_| !is_planted(Fault::SpellingsUnwritten)) {
            let mut insert = transaction.prepare_cached("INSERT INTO spelling (kind, owner, folded, text) VALUES (?1, ?2, ?3, ?4)")?;
            insert.execute(params![kind_to_sql(key.kind), key.owner.0, key.folded, &***text])?;
        }
        if let Some((last_sequence, body)) = group.block {
            let mut insert = transaction.prepare_cached("INSERT INTO block (last_sequence, body) VALUES (?1, ?2)")?;
            insert.execute(params![to_sql(last_sequence)?, body])?;
        }
        commit_now(transaction)?;
        Ok(())
    }

    /// Puts a segment in the place of others, and moves the watermark up to which blocks no longer count.
    pub(crate) fn install(
        &mut self,
        record: &SegmentRecord,
        totals: &TotalsByMonth,
        replaced: &[String],
        watermark: Option<u64>,
    ) -> Result<(), StoreError> {
        self.commit_late()?;
        self.forget_blocks(watermark)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        for name in replaced {
            transaction.execute("DELETE FROM segment WHERE name = ?1", [name])?;
        }
        insert_segment(&transaction, record, totals)?;
        if let Some(watermark) = watermark.filter(|_| !is_planted(Fault::WatermarkUnmoved)) {
            transaction.execute("UPDATE ledger SET watermark = max(watermark, ?1)", [to_sql(watermark)?])?;
        }
        transaction.commit()?;
        Ok(())
    }

    /// Deletes a slice of the blocks below the watermark and gives their pages back; `false` when none was left.
    pub(crate) fn drop_blocks(&mut self, limit: u32) -> Result<bool, StoreError> {
        let sql = "DELETE FROM block WHERE last_sequence IN
                   (SELECT last_sequence FROM block WHERE last_sequence <= (SELECT watermark FROM ledger) ORDER BY last_sequence LIMIT ?1)";
        let deleted = self.connection.execute(sql, [limit])?;
        if deleted > 0 {
            self.connection.execute_batch("PRAGMA incremental_vacuum(256)")?;
        }
        Ok(deleted > 0)
    }

    /// The bodies of the blocks of the tail, in order.
    pub(crate) fn blocks(&self) -> Result<Vec<Vec<u8>>, StoreError> {
        let mut select = self
            .connection
            .prepare("SELECT body FROM block WHERE last_sequence > (SELECT watermark FROM ledger) ORDER BY last_sequence")?;
        let bodies = select.query_map([], |row| row.get(0))?;
        Ok(bodies.collect::<Result<_, _>>()?)
    }

    /// The greatest sequence number that anything has.
    pub(crate) fn last_sequence(&self) -> Result<u64, StoreError> {
        let sql =
            "SELECT max(watermark, (SELECT coalesce(max(last_sequence), 0) FROM block), (SELECT coalesce(max(sequence), 0) FROM mark),
                              (SELECT coalesce(max(last_sequence), 0) FROM segment)) FROM ledger";
        from_sql(self.connection.query_row(sql, [], |row| row.get(0))?, &self.path)
    }

    /// The last mark at or before a sequence number.
    pub(crate) fn mark_at(&self, sequence: u64) -> Result<Option<Mark>, StoreError> {
        let sql = "SELECT sequence, received_at, fact_number FROM mark WHERE sequence <= ?1 ORDER BY sequence DESC LIMIT 1";
        let row = self.connection.query_row(sql, [to_sql(sequence)?], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).optional()?;
        row.map(|(sequence, received_at, facts): (i64, i64, i64)| {
            let received_at = UtcTime::from_microseconds(received_at).map_err(|_| self.damaged())?;
            Ok(Mark { sequence: from_sql(sequence, &self.path)?, received_at, facts: FactNumber(from_sql(facts, &self.path)?) })
        })
        .transpose()
    }

    pub(crate) fn spellings(&self) -> Result<BTreeMap<NameKey, Name>, StoreError> {
        let mut select = self.connection.prepare("SELECT kind, owner, folded, text FROM spelling")?;
        let mut rows = select.query([])?;
        let mut spellings = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let kind = if row.get::<_, u8>(0)? == kind_to_sql(NameKind::Repository) { NameKind::Repository } else { NameKind::User };
            let key = NameKey { kind, owner: AccountId(row.get(1)?), folded: row.get(2)? };
            spellings.insert(key, Name::from(row.get::<_, String>(3)?));
        }
        Ok(spellings)
    }

    pub(crate) fn segments(&self) -> Result<Vec<SegmentRecord>, StoreError> {
        let sql = "SELECT name, first_sequence, last_sequence, events, fact_number, events_length, events_sums, lines_length, lines_sums,
                          ids_length, ids_sums, contents FROM segment ORDER BY number";
        let mut select = self.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        let mut segments = Vec::new();
        while let Some(row) = rows.next()? {
            let number = |column: usize| -> Result<u64, StoreError> { from_sql(row.get(column)?, &self.path) };
            let sums = |column: usize| -> Result<Checksums, StoreError> {
                Ok(Checksums::from_bytes(number(column)?, &row.get::<_, Vec<u8>>(column + 1)?))
            };
            let mut record = SegmentRecord {
                name: row.get(0)?,
                first_sequence: number(1)?,
                last_sequence: number(2)?,
                events: number(3)?,
                facts: FactNumber(number(4)?),
                events_sums: sums(5)?,
                lines_sums: sums(7)?,
                ids_sums: sums(9)?,
                days: Vec::new(),
                parts: Vec::new(),
                skus: BTreeMap::new(),
            };
            record.read_index(&row.get::<_, Vec<u8>>(11)?).map_err(|Broken| self.damaged())?;
            segments.push(record);
        }
        Ok(segments)
    }

    /// The totals of a segment for a payer and month, empty when it has no usage of them. `None` when a merge has replaced the segment.
    pub(crate) fn totals(&self, segment: &str, payer: AccountId, month: Month) -> Result<Option<MonthTotals>, StoreError> {
        let sql = "SELECT (SELECT body FROM month_total WHERE segment = number AND payer = ?2 AND month = ?3) FROM segment WHERE name = ?1";
        let mut select = self.connection.prepare_cached(sql)?;
        let body: Option<Option<Vec<u8>>> = select.query_row(params![segment, payer.0, month.to_string()], |row| row.get(0)).optional()?;
        match body {
            None => Ok(None),
            Some(None) => Ok(Some(MonthTotals::default())),
            Some(Some(body)) => totals::decode(&body).map(Some).map_err(|Broken| self.damaged()),
        }
    }

    fn damaged(&self) -> StoreError {
        StoreError::damaged(self.path.display().to_string(), "a row is not what was written")
    }
}

fn create(connection: &mut Connection) -> Result<(), StoreError> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let exists: bool = transaction.query_row("SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'ledger'", [], |row| row.get(0))?;
    if !exists {
        transaction.execute_batch(SCHEMA)?;
        let (id, key) = (random::bytes::<16>(), random::bytes::<32>());
        transaction.execute(
            "INSERT INTO ledger (version, id, epoch, identity_key, watermark) VALUES (?1, ?2, 1, ?3, 0)",
            params![VERSION, id, key],
        )?;
    }
    transaction.commit()?;
    Ok(())
}

fn insert_segment(transaction: &Transaction<'_>, record: &SegmentRecord, totals: &TotalsByMonth) -> Result<(), StoreError> {
    transaction.execute(
        "INSERT INTO segment (name, first_sequence, last_sequence, events, fact_number, events_length, events_sums, lines_length, lines_sums,
                              ids_length, ids_sums, contents) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        params![
            record.name,
            to_sql(record.first_sequence)?,
            to_sql(record.last_sequence)?,
            to_sql(record.events)?,
            to_sql(record.facts.0)?,
            to_sql(record.events_sums.length)?,
            record.events_sums.to_bytes(),
            to_sql(record.lines_sums.length)?,
            record.lines_sums.to_bytes(),
            to_sql(record.ids_sums.length)?,
            record.ids_sums.to_bytes(),
            record.index(),
        ],
    )?;
    let number = transaction.last_insert_rowid();
    for ((payer, month), body) in totals {
        let mut insert = transaction.prepare_cached("INSERT INTO month_total (segment, payer, month, body) VALUES (?1, ?2, ?3, ?4)")?;
        insert.execute(params![number, payer.0, month.to_string(), totals::encode(body)])?;
    }
    Ok(())
}

fn kind_to_sql(kind: NameKind) -> u8 {
    match kind {
        NameKind::Repository => 1,
        NameKind::User => 2,
    }
}

/// SQLite's integers are signed; a ledger ends long before 2⁶³.
fn to_sql(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Overflow)
}

fn from_sql(number: i64, path: &Path) -> Result<u64, StoreError> {
    u64::try_from(number).map_err(|_| StoreError::damaged(path.display().to_string(), "a number is negative"))
}
