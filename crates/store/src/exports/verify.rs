//! Whether finished exports are what was recorded: their place in the ledger, and files with the size, rows and SHA-256 that they had.
//!
//! An export that expires meanwhile is no finding. Whether a file holds the right rows is left to making it again:
//! `forgemeter report --at` gives the same bytes.

use super::{Export, ExportPart, ExportStatus, Exports};
use crate::StoreError;
use crate::ledger::Verification;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// Bytes that are read at once.
const READ_BYTES: usize = 256 * 1024;

impl Exports {
    /// Checks exports that were listed before the ledger was verified; `folder_of` tells where the files of an id lie. Adds to the
    /// findings and returns how many files there are.
    ///
    /// # Errors
    /// When `facts.db` cannot be read.
    pub fn verify(&self, exports: &[Export], folder_of: impl Fn(&str) -> PathBuf, ledger: &mut Verification) -> Result<u64, StoreError> {
        let mut files = 0_u64;
        for what in self.database.complaints()? {
            ledger.findings.add("facts.db", format!("SQLite says: {what}"));
        }
        for id in self.without_job()? {
            ledger.findings.add("facts.db", format!("export `{id}` is processing, but has no job"));
        }
        for export in exports {
            let sequence = export.sequence;
            if sequence.epoch == ledger.sequence.epoch && ledger.marks.binary_search(&sequence.number).is_err() {
                ledger.findings.add("facts.db", format!("export `{}` is of sequence {sequence}, which is no mark", export.id));
            }
            let ExportStatus::Completed { parts, .. } = &export.status else { continue };
            files = files.saturating_add(u64::try_from(parts.len()).map_err(|_| StoreError::Overflow)?);
            if parts.is_empty() {
                ledger.findings.add("facts.db", format!("export `{}` is completed, but has no file", export.id));
            }
            for part in parts {
                if let Some(what) = difference(&folder_of(&export.id).join(&part.file_name), part)
                    && self.find(&export.id)?.is_some()
                {
                    ledger.findings.add(format!("exports/{}/{}", export.id, part.file_name), what);
                }
            }
        }
        Ok(files)
    }

    /// The exports that nobody will ever make.
    fn without_job(&self) -> Result<Vec<String>, StoreError> {
        self.database.read(|connection| {
            let sql = "SELECT id FROM export WHERE status = 'processing' \
                       AND NOT EXISTS (SELECT 1 FROM job WHERE kind = 'export_report' AND job.export = export.id)";
            let mut select = connection.prepare(sql)?;
            let ids = select.query_map([], |row| row.get(0))?;
            Ok(ids.collect::<Result<_, _>>()?)
        })
    }
}

/// In what a file is not what was recorded of it.
fn difference(path: &Path, part: &ExportPart) -> Option<String> {
    let (bytes, lines, sha256) = match read(path) {
        Ok(found) => found,
        Err(error) => return Some(error.to_string()),
    };
    if bytes != part.bytes {
        return Some(format!("it has {bytes} bytes instead of {}", part.bytes));
    }
    if sha256 != part.sha256 {
        return Some(format!("its SHA-256 is {sha256} instead of {}", part.sha256));
    }
    // The first line is the header row.
    (lines.checked_sub(1) != Some(part.rows)).then(|| format!("it has {lines} lines, header included, for {} rows", part.rows))
}

/// Size, lines and SHA-256 of a file.
fn read(path: &Path) -> std::io::Result<(u64, u64, String)> {
    let mut file = File::open(path)?;
    let (mut bytes, mut lines, mut hash) = (0_u64, 0_u64, Sha256::new());
    let mut buffer = vec![0; READ_BYTES];
    loop {
        let read = file.read(&mut buffer)?;
        let Some(chunk) = buffer.get(..read).filter(|chunk| !chunk.is_empty()) else { break };
        bytes = bytes.saturating_add(u64::try_from(read).map_err(std::io::Error::other)?);
        lines = lines.saturating_add(u64::try_from(chunk.iter().filter(|byte| **byte == b'\n').count()).map_err(std::io::Error::other)?);
        hash.update(chunk);
    }
    let sha256 = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok((bytes, lines, sha256))
}
