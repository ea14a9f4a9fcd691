//! Reports as CSV, in the form of GitHub's exports: UTF-8 without a byte-order mark, a header row, every field in double quotes, commas,
//! LF at the end of every line. Exports and `forgemeter report` both write through here, so they are the same bytes.
//!
//! Names are written as they are, even those that a spreadsheet would take for a formula: GitHub's readers want the raw value.
//! Nothing here holds more than a row. When files count as finished is left to the callers. Start at [`write_parts`].

use billing::AccountId;
use billing::report::{self, Column, ReportDays, ReportType, Row, RowError};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{self, Write};
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use store::durable;
use store::exports::ExportPart;
use store::planted::{Fault, is_planted};
use store::{Sequence, Snapshot, StoreError};

/// Why a report could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Row(#[from] RowError),
    #[error("{path}: {source}")]
    Write {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// The caller's pulse said so.
    #[error("put down")]
    PutDown,
}

impl ReportError {
    pub(crate) fn write(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> ReportError {
        let path = path.into();
        move |source| ReportError::Write { path, source }
    }
}

/// What a report is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReportScope {
    pub(crate) enterprise: AccountId,
    pub(crate) report_type: ReportType,
    pub(crate) days: ReportDays,
}

/// Lines that are read between two calls of a pulse.
const LINES_PER_PULSE: u32 = 16_384;

impl ReportScope {
    /// The rows as of a snapshot. `pulse` is called every few thousand lines and can end the report.
    pub(crate) fn rows<'a>(
        self,
        snapshot: &'a Snapshot,
        mut pulse: impl FnMut() -> Result<(), ReportError> + 'a,
    ) -> Result<impl Iterator<Item = Result<Row, ReportError>> + 'a, StoreError> {
        let mut unseen: u32 = 0;
        let lines = snapshot.lines(self.enterprise, self.days.first, self.days.last)?.map(move |line| {
            unseen = unseen.wrapping_add(1);
            if unseen.is_multiple_of(LINES_PER_PULSE) {
                pulse()?;
            }
            Ok(line?)
        });
        Ok(report::rows(self.report_type, self.enterprise, snapshot.facts(), snapshot.time(), lines))
    }

    /// The name of a part, counted from 1, in the form that GitHub's files have. Its 32 hex digits follow from what the report shows,
    /// so that the same report has the same names.
    pub(crate) fn file_name(self, sequence: Sequence, part: u64) -> String {
        let kind = match self.report_type {
            ReportType::Detailed | ReportType::Summarized => "usageReport",
            ReportType::PremiumRequest => "premiumRequestUsageReport",
            ReportType::AiCredit => "aiUsageReport",
        };
        let content = format!("{}/{}/{}/{}/{sequence}", self.enterprise.0, self.report_type, self.days.first, self.days.last);
        let digits = hex(&Sha256::digest(content));
        format!("{kind}_{part}_{}.csv", &digits[..32])
    }
}

/// Lower-case hex.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("writing to a string cannot fail");
        text
    })
}

/// Bytes that are collected before they are written out.
const BUFFER_BYTES: usize = 64 * 1024;

/// Writes one file of a report and counts and hashes what it writes.
#[derive(Debug)]
pub(crate) struct CsvWriter<W> {
    columns: &'static [Column],
    out: W,
    /// What errors call the file.
    path: PathBuf,
    buffer: String,
    hash: Sha256,
    bytes: u64,
    rows: u64,
}

impl<W: Write> CsvWriter<W> {
    /// Begins with the header row.
    pub(crate) fn new(report_type: ReportType, path: impl Into<PathBuf>, out: W) -> CsvWriter<W> {
        let columns = report_type.columns();
        let names: Vec<String> = columns.iter().map(|column| format!("\"{}\"", column.name())).collect();
        let mut buffer = String::with_capacity(BUFFER_BYTES.saturating_mul(2));
        buffer.push_str(&names.join(","));
        buffer.push('\n');
        CsvWriter { columns, out, path: path.into(), buffer, hash: Sha256::new(), bytes: 0, rows: 0 }
    }

    pub(crate) fn row(&mut self, row: &Row) -> Result<(), ReportError> {
        for (place, column) in self.columns.iter().enumerate() {
            if place > 0 {
                self.buffer.push(',');
            }
            quoted(*column, row, &mut self.buffer);
        }
        self.buffer.push('\n');
        self.rows = self.rows.saturating_add(1);
        if self.buffer.len() >= BUFFER_BYTES { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), ReportError> {
        self.out.write_all(self.buffer.as_bytes()).map_err(ReportError::write(&self.path))?;
        self.hash.update(self.buffer.as_bytes());
        self.bytes = self.bytes.saturating_add(u64::try_from(self.buffer.len()).expect("a buffer is shorter than 2^64 bytes"));
        self.buffer.clear();
        Ok(())
    }

    /// Writes out the rest; returns the file and what was written.
    pub(crate) fn finish(mut self, file_name: String) -> Result<(W, ExportPart), ReportError> {
        self.flush()?;
        self.out.flush().map_err(ReportError::write(&self.path))?;
        Ok((self.out, ExportPart { file_name, rows: self.rows, bytes: self.bytes, sha256: hex(&self.hash.finalize()) }))
    }
}

/// Adds a field in quotes; a quote in it is doubled.
fn quoted(column: Column, row: &Row, buffer: &mut String) {
    buffer.push('"');
    let start = buffer.len();
    column.write(row, buffer).expect("writing to a string cannot fail");
    if buffer[start..].contains('"') {
        let doubled = buffer[start..].replace('"', "\"\"");
        buffer.replace_range(start.., &doubled);
    }
    buffer.push('"');
}

/// Where the files of a report go.
#[derive(Debug)]
pub(crate) struct Destination<'a> {
    pub(crate) folder: &'a Path,
    pub(crate) rows_per_part: u64,
    /// Tells this attempt's unfinished files from those of any other.
    pub(crate) attempt: String,
}

/// Writes a report as files of at most so many rows, each with its own header row; one without rows has one file. When this returns,
/// all of them are durable under their names. After an error some may lie there, finished ones and one that is not.
pub(crate) fn write_parts(
    scope: ReportScope,
    snapshot: &Snapshot,
    to: &Destination<'_>,
    pulse: impl FnMut() -> Result<(), ReportError>,
) -> Result<Vec<ExportPart>, ReportError> {
    let mut rows = scope.rows(snapshot, pulse)?.peekable();
    let mut parts = Vec::new();
    for number in 1.. {
        let file_name = scope.file_name(snapshot.sequence(), number);
        parts.push(write_part(scope.report_type, file_name, to, &mut rows)?);
        if rows.peek().is_none() {
            break;
        }
    }
    durable::sync_folder(to.folder).map_err(ReportError::write(to.folder))?;
    Ok(parts)
}

fn write_part(
    report_type: ReportType,
    file_name: String,
    to: &Destination<'_>,
    rows: &mut Peekable<impl Iterator<Item = Result<Row, ReportError>>>,
) -> Result<ExportPart, ReportError> {
    let unfinished = to.folder.join(format!("{file_name}.{}.tmp", to.attempt));
    let file = File::create_new(&unfinished).map_err(ReportError::write(&unfinished))?;
    let mut csv = CsvWriter::new(report_type, &unfinished, file);
    while csv.rows < to.rows_per_part {
        let Some(row) = rows.next() else { break };
        csv.row(&row?)?;
    }
    let (file, part) = csv.finish(file_name)?;
    if !is_planted(Fault::ExportUnsynced) {
        durable::sync_file(&file, &unfinished).map_err(ReportError::write(&unfinished))?;
    }
    std::fs::rename(&unfinished, to.folder.join(&part.file_name)).map_err(ReportError::write(&unfinished))?;
    Ok(part)
}
