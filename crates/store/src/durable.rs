//! Files and names that outlive a power cut: what has to be synced, and what a failed sync means.
//!
//! A name is durable once its folder is synced; so a new folder is synced into the one above it. After a failed sync nobody knows what
//! the disk holds, and the next one would say that all is well: so it ends the process, and the next start recovers from what is
//! there. Only a full disk is told to the caller, who removes what was being written.

use crate::planted::{Fault, is_planted};
use std::fs::File;
use std::io;
use std::path::Path;

/// The exit code after a failed write or sync, as `sysexits` has it for input and output errors.
pub(crate) const EXIT_IO: i32 = 74;

/// Makes the content of a file durable.
///
/// # Errors
/// When the disk is full.
pub fn sync_file(file: &File, path: &Path) -> io::Result<()> {
    match file.sync_all() {
        Err(_) if is_planted(Fault::FailedSyncRetried) => file.sync_all(),
        synced => or_stop(synced, path),
    }
}

/// Makes new, renamed and removed names in a folder durable.
///
/// # Errors
/// When the folder cannot be opened, or the disk is full.
pub fn sync_folder(folder: &Path) -> io::Result<()> {
    or_stop(File::open(folder)?.sync_all(), folder)
}

/// Creates a folder and those above it as far as they are missing, and makes their names durable. One that exists is made durable
/// too: whoever created it may have been killed before.
///
/// # Errors
/// When it cannot be created.
pub fn create_folder(folder: &Path) -> io::Result<()> {
    let above = folder.parent().map(|above| if above.as_os_str().is_empty() { Path::new(".") } else { above });
    if let Some(above) = above.filter(|above| !above.exists()) {
        create_folder(above)?;
    }
    match std::fs::create_dir(folder) {
        Err(error) if !folder.is_dir() => return Err(error),
        Ok(()) | Err(_) => {}
    }
    above.filter(|_| !is_planted(Fault::FoldersUnsynced)).map_or(Ok(()), sync_folder)
}

fn or_stop(synced: io::Result<()>, path: &Path) -> io::Result<()> {
    match synced {
        Err(error) if error.kind() != io::ErrorKind::StorageFull => stop(&format!("{} could not be synced: {error}", path.display())),
        other => other,
    }
}

/// Ends the process without another write: what is on the disk is what the next start recovers from.
pub(crate) fn stop(what: &str) -> ! {
    eprintln!("forgemeter: {what}; the process stops");
    std::process::exit(EXIT_IO)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_created_with_those_above_it_and_may_exist() {
        let above = tempfile::tempdir().unwrap();
        let folder = above.path().join("a/b/c");
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        assert!(folder.is_dir());
        std::fs::write(folder.join("file"), "").unwrap();
        assert!(create_folder(&folder.join("file")).is_err());
    }
}
