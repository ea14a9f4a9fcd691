//! Removes exports that ended long enough ago, first the record, then the files; and, at start, files that belong to no finished
//! export: what a kill between two steps left behind.

use super::export_report;
use crate::app::App;
use std::path::Path;
use store::StoreError;
use store::exports::ExportStatus;

/// Removes what has expired. A folder that cannot be removed is left for the next [`sweep`].
pub(super) fn run(app: &App) -> Result<(), StoreError> {
    for id in app.exports.expire(app.clock.now())? {
        remove(&export_report::folder(app.database.folder(), &id));
        tracing::info!(export.id = %id, "expired");
    }
    Ok(())
}

/// Removes the folders of exports that are not finished or no longer known. Only for the start: no export may be running.
pub(super) fn sweep(app: &App) -> Result<(), StoreError> {
    let exports = export_report::exports_folder(app.database.folder());
    let io = |source| StoreError::Io { path: exports.clone(), source };
    store::durable::create_folder(&exports).map_err(io)?;
    for entry in std::fs::read_dir(&exports).map_err(io)? {
        let entry = entry.map_err(io)?;
        // What has a name that is no text was not put here by this program, but it lies in a folder that is ours alone.
        let export = entry.file_name().to_str().map(|id| app.exports.find(id)).transpose()?.flatten();
        if !export.is_some_and(|export| matches!(export.status, ExportStatus::Completed { .. })) {
            remove(&entry.path());
        }
    }
    Ok(())
}

fn remove(path: &Path) {
    let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
    match removed {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => tracing::warn!(path = %path.display(), %error, "cannot remove"),
        Ok(()) | Err(_) => {}
    }
}
