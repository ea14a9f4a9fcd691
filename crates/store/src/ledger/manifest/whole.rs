//! Reading whole tables of `ledger.db`, for `verify`.
//!
//! Nothing here is written, and nothing is held that grows with the usage.

use super::{BUSY_WAIT, LedgerFile, Mark, from_sql};
use crate::StoreError;
use crate::ledger::codec::Broken;
use crate::ledger::totals;
use billing::month::MonthTotals;
use billing::{AccountId, FactNumber, UtcTime};
use rusqlite::{Connection, OpenFlags};
use std::collections::BTreeMap;
use std::path::Path;

/// What a stored month total is compared by.
pub(crate) type Digest = [u8; 32];

/// Complaints of SQLite that are told.
const COMPLAINTS_MAX: u32 = 100;

impl LedgerFile {
    /// Whether a folder has a ledger: a first start that was cut off may have left a file without tables.
    pub(crate) fn exists(folder: &Path) -> Result<bool, StoreError> {
        let path = folder.join(LedgerFile::name());
        if !path.exists() {
            return Ok(false);
        }
        let connection = Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(BUSY_WAIT)?;
        let sql = "SELECT count(*) > 0 FROM sqlite_schema WHERE name = 'ledger'";
        Ok(connection.query_row(sql, [], |row| row.get(0))?)
    }

    /// What SQLite itself finds wrong with the file; nothing when all is well.
    pub(crate) fn complaints(&self) -> Result<Vec<String>, StoreError> {
        let mut select = self.connection.prepare(&format!("PRAGMA integrity_check({COMPLAINTS_MAX})"))?;
        let told = select.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        let mut select = self.connection.prepare("PRAGMA foreign_key_check")?;
        let loose = select.query_map([], |row| Ok(format!("a row of `{}` belongs to nothing", row.get::<_, String>(0)?)))?;
        let loose = loose.take(usize::try_from(COMPLAINTS_MAX).map_err(|_| StoreError::Overflow)?).collect::<Result<Vec<String>, _>>()?;
        Ok(told.into_iter().filter(|line| line != "ok").chain(loose).collect())
    }

    pub(crate) fn watermark(&self) -> Result<u64, StoreError> {
        from_sql(self.connection.query_row("SELECT watermark FROM ledger", [], |row| row.get(0))?, &self.path)
    }

    pub(crate) fn marks(&self) -> Result<Vec<Mark>, StoreError> {
        let mut select = self.connection.prepare("SELECT sequence, received_at, fact_number FROM mark ORDER BY sequence")?;
        let mut rows = select.query([])?;
        let mut marks = Vec::new();
        while let Some(row) = rows.next()? {
            let received_at = UtcTime::from_microseconds(row.get(1)?).map_err(|_| self.damaged())?;
            let facts = FactNumber(from_sql(row.get(2)?, &self.path)?);
            marks.push(Mark { sequence: from_sql(row.get(0)?, &self.path)?, received_at, facts });
        }
        Ok(marks)
    }

    /// Calls with each block of the tail, in order: its key and its bytes.
    pub(crate) fn each_block(&self, mut each: impl FnMut(u64, &[u8]) -> Result<(), StoreError>) -> Result<(), StoreError> {
        let sql = "SELECT last_sequence, body FROM block WHERE last_sequence > (SELECT watermark FROM ledger) ORDER BY last_sequence";
        let mut select = self.connection.prepare(sql)?;
        let mut rows = select.query([])?;
        while let Some(row) = rows.next()? {
            let body = row.get_ref(1)?.as_blob().map_err(rusqlite::Error::from)?;
            each(from_sql(row.get(0)?, &self.path)?, body)?;
        }
        Ok(())
    }

    /// The digest of each month total of a segment; `None` for one whose bytes cannot be read.
    pub(crate) fn total_digests(&self, segment: &str) -> Result<BTreeMap<(AccountId, String), Option<Digest>>, StoreError> {
        let sql = "SELECT payer, month, body FROM month_total JOIN segment ON segment = number WHERE name = ?1";
        let mut select = self.connection.prepare(sql)?;
        let mut rows = select.query([segment])?;
        let mut digests = BTreeMap::new();
        while let Some(row) = rows.next()? {
            let body = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
            let digest = match totals::decode(body) {
                Ok(totals) => Some(digest(&totals)),
                Err(Broken) => None,
            };
            digests.insert((AccountId(row.get(0)?), row.get(1)?), digest);
        }
        Ok(digests)
    }
}

pub(crate) fn digest(totals: &MonthTotals) -> Digest {
    blake3::hash(&totals::encode(totals)).into()
}
