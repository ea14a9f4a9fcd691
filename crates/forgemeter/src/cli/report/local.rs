//! A report from a data folder, read beside a running server or without one. Nothing in the folder is written.
//!
//! There are no limits of days here: they protect a server, and whoever holds the folder may read all of it.

use super::{Arguments, Failure, Written, WrittenFile};
use crate::cli::folder::ledger_to_read;
use crate::report_csv::{self, CsvWriter, Destination, ReportError, ReportScope};
use billing::report::ReportDays;
use indicatif::ProgressBar;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use store::exports::ExportPart;
use store::{Sequence, Snapshot};

pub(super) fn run(arguments: &Arguments, data: &Path, bar: &ProgressBar) -> Result<Written, Failure> {
    let snapshot = snapshot(data, arguments.at)?;
    let scope = scope(arguments, &snapshot)?;
    let sequence = snapshot.sequence();
    bar.set_message(format!("as of sequence {sequence}"));
    let written = match (&arguments.parts, &arguments.output) {
        (Some(folder), _) => parts(arguments, scope, &snapshot, folder)?,
        (None, Some(file)) => vec![(to_file(scope, &snapshot, file)?, Some(file.clone()))],
        (None, None) => vec![(stream(scope, &snapshot, "standard output".into(), io::stdout().lock())?.1, None)],
    };
    Ok(Written {
        sequence: Some(sequence.to_string()),
        rows: Some(written.iter().map(|(part, _)| part.rows).sum()),
        files: written.iter().map(|(part, path)| WrittenFile::of_part(part, path.as_deref())).collect(),
    })
}

fn snapshot(data: &Path, at: Option<Sequence>) -> Result<Snapshot, Failure> {
    let (_, ledger) = ledger_to_read(data)?;
    Ok(match at {
        Some(sequence) => ledger.snapshot_at(sequence)?,
        None => ledger.snapshot()?,
    })
}

/// What to report. Today is the snapshot's, so that a sequence alone decides the report.
fn scope(arguments: &Arguments, snapshot: &Snapshot) -> Result<ReportScope, Failure> {
    let enterprise = snapshot.facts().accounts.enterprise(&arguments.enterprise);
    let enterprise =
        enterprise.ok_or_else(|| Failure::Failed(format!("enterprise `{}` does not exist in this folder", arguments.enterprise)))?;
    let today = snapshot.time().day();
    let days = ReportDays { first: arguments.start, last: arguments.end.unwrap_or(today).min(today) };
    if days.first > today {
        return Err(Failure::Usage(format!("`--start` lies after {today}, the day of sequence {}", snapshot.sequence())));
    }
    Ok(ReportScope { enterprise: enterprise.id, report_type: arguments.report_type, days })
}

fn stream<W: Write>(scope: ReportScope, snapshot: &Snapshot, path: PathBuf, out: W) -> Result<(W, ExportPart), ReportError> {
    let mut csv = CsvWriter::new(scope.report_type, path, out);
    for row in scope.rows(snapshot, || Ok(()))? {
        csv.row(&row?)?;
    }
    csv.finish(scope.file_name(snapshot.sequence(), 1))
}

/// Writes beside the file and renames: a report that broke off is never taken for a whole one.
fn to_file(scope: ReportScope, snapshot: &Snapshot, file: &Path) -> Result<ExportPart, ReportError> {
    let mut unfinished = file.as_os_str().to_owned();
    unfinished.push(format!(".{}.tmp", std::process::id()));
    let unfinished = PathBuf::from(unfinished);
    let written = File::create(&unfinished).map_err(ReportError::write(&unfinished)).and_then(|out| {
        let (out, part) = stream(scope, snapshot, unfinished.clone(), out)?;
        out.sync_all().map_err(ReportError::write(&unfinished))?;
        std::fs::rename(&unfinished, file).map_err(ReportError::write(file))?;
        Ok(part)
    });
    if written.is_err()
        && let Err(error) = std::fs::remove_file(&unfinished)
        && error.kind() != io::ErrorKind::NotFound
    {
        eprintln!("{}: {error}", unfinished.display());
    }
    written
}

fn parts(
    arguments: &Arguments,
    scope: ReportScope,
    snapshot: &Snapshot,
    folder: &Path,
) -> Result<Vec<(ExportPart, Option<PathBuf>)>, ReportError> {
    std::fs::create_dir_all(folder).map_err(ReportError::write(folder))?;
    let to = Destination { folder, rows_per_part: arguments.rows_per_part, attempt: std::process::id().to_string() };
    let parts = report_csv::write_parts(scope, snapshot, &to, || Ok(()))?;
    Ok(parts.into_iter().map(|part| (part.clone(), Some(folder.join(part.file_name)))).collect())
}
