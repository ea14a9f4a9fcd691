//! Exports as rows of `facts.db`: the one place that knows their columns. A row that no version of this program could have written
//! is reported as damage, never guessed at.

use super::{Export, ExportPart, ExportStatus};
use crate::jobs::time;
use crate::{Sequence, StoreError};
use billing::report::{ReportDays, ReportType};
use billing::{AccountId, Day, FactNumber};
use rusqlite::{Connection, Row, ToSql, Transaction, params};

pub(super) fn insert(transaction: &Transaction<'_>, export: &Export) -> Result<(), StoreError> {
    let sql = "INSERT INTO export (id, enterprise, report_type, first_day, last_day, actor, send_email, base_url, created_at, epoch, sequence, facts, price_version, rows_per_part) \
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)";
    let values = params![
        export.id,
        export.enterprise.0,
        export.report_type.as_str(),
        export.days.first.to_string(),
        export.days.last.to_string(),
        export.actor.0,
        export.send_email,
        export.base_url,
        export.created_at.microseconds(),
        export.sequence.epoch,
        stored(export.sequence.number)?,
        stored(export.facts.0)?,
        export.price_version,
        stored(export.rows_per_part)?,
    ];
    transaction.execute(sql, values)?;
    Ok(())
}

pub(super) fn insert_parts(transaction: &Transaction<'_>, export: &str, parts: &[ExportPart]) -> Result<(), StoreError> {
    let mut statement = transaction
        .prepare("INSERT INTO export_part (export, part, file_name, row_count, bytes, sha256) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    for (number, part) in (1_i64..).zip(parts) {
        statement.execute(params![export, number, part.file_name, stored(part.rows)?, stored(part.bytes)?, part.sha256])?;
    }
    Ok(())
}

/// The exports that a condition on the table selects, the newest first.
pub(super) fn select(connection: &Connection, condition: &str, values: &[&dyn ToSql], limit: usize) -> Result<Vec<Export>, StoreError> {
    let sql = format!(
        "SELECT id, enterprise, report_type, first_day, last_day, actor, send_email, base_url, created_at, epoch, sequence, facts, price_version, rows_per_part, \
         status, finished_at, writer, reason FROM export WHERE {condition} ORDER BY created_at DESC, number DESC LIMIT {limit}"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(values)?;
    let mut exports = Vec::new();
    while let Some(row) = rows.next()? {
        exports.push(export(connection, row)?);
    }
    Ok(exports)
}

fn export(connection: &Connection, row: &Row<'_>) -> Result<Export, StoreError> {
    let id: String = row.get("id")?;
    let report_type: String = row.get("report_type")?;
    Ok(Export {
        enterprise: AccountId(row.get("enterprise")?),
        report_type: ReportType::parse(&report_type).ok_or_else(|| damaged(&id, "report_type"))?,
        days: ReportDays { first: day(&id, row, "first_day")?, last: day(&id, row, "last_day")? },
        actor: AccountId(row.get("actor")?),
        send_email: row.get("send_email")?,
        base_url: row.get("base_url")?,
        created_at: time(row.get("created_at")?)?,
        sequence: Sequence { epoch: row.get("epoch")?, number: count(&id, row, "sequence")? },
        facts: FactNumber(count(&id, row, "facts")?),
        price_version: row.get("price_version")?,
        rows_per_part: count(&id, row, "rows_per_part")?,
        status: status(connection, &id, row)?,
        id,
    })
}

fn status(connection: &Connection, id: &str, row: &Row<'_>) -> Result<ExportStatus, StoreError> {
    let status: String = row.get("status")?;
    match status.as_str() {
        "processing" => Ok(ExportStatus::Processing),
        "completed" => Ok(ExportStatus::Completed {
            finished_at: time(row.get("finished_at")?)?,
            writer: row.get("writer")?,
            parts: parts(connection, id)?,
        }),
        "failed" => Ok(ExportStatus::Failed { finished_at: time(row.get("finished_at")?)?, reason: row.get("reason")? }),
        _ => Err(damaged(id, "status")),
    }
}

fn parts(connection: &Connection, id: &str) -> Result<Vec<ExportPart>, StoreError> {
    let mut statement =
        connection.prepare_cached("SELECT file_name, row_count, bytes, sha256 FROM export_part WHERE export = ?1 ORDER BY part")?;
    let mut rows = statement.query([id])?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        parts.push(ExportPart {
            file_name: row.get("file_name")?,
            rows: count(id, row, "row_count")?,
            bytes: count(id, row, "bytes")?,
            sha256: row.get("sha256")?,
        });
    }
    Ok(parts)
}

fn day(id: &str, row: &Row<'_>, column: &str) -> Result<Day, StoreError> {
    let text: String = row.get(column)?;
    Day::parse(&text).map_err(|_| damaged(id, column))
}

fn count(id: &str, row: &Row<'_>, column: &str) -> Result<u64, StoreError> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| damaged(id, column))
}

/// A count as SQLite keeps it: its integers have a sign.
fn stored(number: u64) -> Result<i64, StoreError> {
    i64::try_from(number).map_err(|_| StoreError::Overflow)
}

fn damaged(id: &str, column: &str) -> StoreError {
    StoreError::damaged("facts.db", format!("`{column}` of export `{id}` has a value that was never written"))
}
