//! A disk that forgets: files and folders in memory, each as it is now and as it was last synced.
//!
//! At a power cut everything that was not synced is lost, or survives in part: single writes, pages of them, sectors of a page, names,
//! in any order. A folder's entries are volatile until the folder is synced, which is what POSIX promises and no more; with
//! [`Entries::WithAnySync`] any sync makes all names durable, as ext4's journal does. A failed sync drops what it should have written,
//! as Linux does: the next sync succeeds without it. How the kernel reaches all this is in [`crate::mount`].

mod cut;
pub mod fault;
#[cfg(test)]
mod tests;

pub use cut::Survival;

use fault::{Call, Fault, Outcome};
use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

pub type Ino = u64;

pub const ROOT: Ino = 1;

/// Why an operation failed, as the kernel is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DiskError {
    NotFound,
    Exists,
    NotEmpty,
    NotAFolder,
    Io,
    Full,
}

/// When a name in a folder becomes durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entries {
    /// When its folder is synced.
    WithTheirFolder,
    /// When anything is synced.
    WithAnySync,
}

/// A change that no sync has made durable yet, with its place among all changes.
#[derive(Debug, Clone)]
struct Unsynced<T> {
    order: u64,
    change: T,
}

#[derive(Debug, Clone)]
enum FileChange {
    Write { at: usize, bytes: Vec<u8> },
    Length(usize),
}

impl FileChange {
    fn apply(&self, file: &mut Vec<u8>) {
        match self {
            FileChange::Write { at, bytes } => write_at(file, *at, bytes),
            FileChange::Length(length) => file.resize(*length, 0),
        }
    }
}

fn write_at(file: &mut Vec<u8>, at: usize, bytes: &[u8]) {
    let end = at + bytes.len();
    if file.len() < end {
        file.resize(end, 0);
    }
    file[at..end].copy_from_slice(bytes);
}

/// Names that change together: one, or both of a rename.
type NameChange = Vec<(Ino, OsString, Option<Ino>)>;

#[derive(Debug, Clone)]
enum Node {
    File { now: Vec<u8>, synced: Vec<u8>, unsynced: Vec<Unsynced<FileChange>> },
    Folder { now: BTreeMap<OsString, Ino>, synced: BTreeMap<OsString, Ino> },
}

/// What a node is, for the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    File { bytes: usize },
    Folder,
}

#[derive(Debug)]
pub struct Disk {
    entries: Entries,
    nodes: BTreeMap<Ino, Node>,
    names: Vec<Unsynced<NameChange>>,
    next_ino: Ino,
    next_order: u64,
    is_cut: bool,
    /// Bytes that all files together may have.
    pub room: usize,
    fault: Option<Fault>,
    /// Calls that a fault could have hit, in this mount.
    calls: u64,
}

impl Disk {
    #[must_use]
    pub fn new(entries: Entries) -> Disk {
        let root = Node::Folder { now: BTreeMap::new(), synced: BTreeMap::new() };
        Disk {
            entries,
            nodes: BTreeMap::from([(ROOT, root)]),
            names: Vec::new(),
            next_ino: ROOT + 1,
            next_order: 0,
            is_cut: false,
            room: usize::MAX,
            fault: None,
            calls: 0,
        }
    }

    /// Lets the n-th call from now on fail.
    pub fn plan(&mut self, fault: Option<Fault>) {
        self.fault = fault;
        self.calls = 0;
    }

    /// The call that the planned fault has hit first; nothing when it has not come to it.
    #[must_use]
    pub fn hit(&self) -> Option<Call> {
        self.fault.as_ref().and_then(|fault| fault.hit)
    }

    /// Ends a fault that lasts; one that has not come yet stays planned.
    pub fn heal(&mut self) {
        if let Some(fault) = &mut self.fault {
            fault.lasts = false;
        }
    }

    fn alive(&self) -> Result<(), DiskError> {
        if self.is_cut { Err(DiskError::Io) } else { Ok(()) }
    }

    /// Counts a call and tells what becomes of it.
    fn count(&mut self, call: Call) -> Result<Outcome, DiskError> {
        self.alive()?;
        self.calls += 1;
        let calls = self.calls;
        Ok(self.fault.as_mut().map_or(Outcome::Works, |fault| fault.outcome(call, calls)))
    }

    fn order(&mut self) -> u64 {
        self.next_order += 1;
        self.next_order
    }

    fn node(&self, ino: Ino) -> Result<&Node, DiskError> {
        self.nodes.get(&ino).ok_or(DiskError::NotFound)
    }

    fn folder(&self, ino: Ino) -> Result<&BTreeMap<OsString, Ino>, DiskError> {
        match self.node(ino)? {
            Node::Folder { now, .. } => Ok(now),
            Node::File { .. } => Err(DiskError::NotAFolder),
        }
    }

    fn file(&self, ino: Ino) -> Result<&Vec<u8>, DiskError> {
        match self.node(ino)? {
            Node::File { now, .. } => Ok(now),
            Node::Folder { .. } => Err(DiskError::NotFound),
        }
    }

    pub fn kind(&self, ino: Ino) -> Result<Kind, DiskError> {
        self.alive()?;
        Ok(match self.node(ino)? {
            Node::File { now, .. } => Kind::File { bytes: now.len() },
            Node::Folder { .. } => Kind::Folder,
        })
    }

    pub fn look_up(&self, folder: Ino, name: &OsStr) -> Result<Ino, DiskError> {
        self.alive()?;
        self.folder(folder)?.get(name).copied().ok_or(DiskError::NotFound)
    }

    pub fn list(&self, folder: Ino) -> Result<Vec<(OsString, Ino)>, DiskError> {
        self.alive()?;
        Ok(self.folder(folder)?.iter().map(|(name, ino)| (name.clone(), *ino)).collect())
    }

    pub fn read(&self, ino: Ino, at: usize, length: usize) -> Result<&[u8], DiskError> {
        self.alive()?;
        let file = self.file(ino)?;
        let from = at.min(file.len());
        Ok(&file[from..at.saturating_add(length).min(file.len())])
    }

    /// Writes, and returns how many bytes were taken: fewer when the planned fault says so. `counts` is false for files that no crash
    /// needs, such as SQLite's shared memory.
    pub fn write(&mut self, ino: Ino, at: usize, bytes: &[u8], counts: bool) -> Result<usize, DiskError> {
        self.alive()?;
        let taken = match if counts { self.count(Call::Write)? } else { Outcome::Works } {
            Outcome::Works => bytes.len(),
            Outcome::Short => bytes.len() / 2,
            Outcome::Fails(error) => return Err(error),
        };
        if self.used().saturating_add(taken) > self.room {
            return Err(DiskError::Full);
        }
        self.change(ino, FileChange::Write { at, bytes: bytes[..taken].to_vec() })?;
        Ok(taken)
    }

    fn used(&self) -> usize {
        if self.room == usize::MAX {
            return 0;
        }
        let bytes = |node: &Node| if let Node::File { now, .. } = node { now.len() } else { 0 };
        self.nodes.values().map(bytes).sum()
    }

    pub fn set_length(&mut self, ino: Ino, length: usize, counts: bool) -> Result<(), DiskError> {
        self.alive()?;
        if counts {
            self.count(Call::Length)?.or_fail()?;
        }
        self.change(ino, FileChange::Length(length))
    }

    fn change(&mut self, ino: Ino, change: FileChange) -> Result<(), DiskError> {
        let order = self.order();
        match self.nodes.get_mut(&ino) {
            Some(Node::File { now, unsynced, .. }) => {
                change.apply(now);
                unsynced.push(Unsynced { order, change });
                Ok(())
            }
            _ => Err(DiskError::NotFound),
        }
    }

    /// Makes a file's content durable. When the call fails, what was to be written is forgotten for ever.
    pub fn sync(&mut self, ino: Ino) -> Result<(), DiskError> {
        let outcome = self.count(Call::Sync)?;
        match self.nodes.get_mut(&ino) {
            Some(Node::File { synced, unsynced, .. }) => {
                let changes = std::mem::take(unsynced);
                outcome.or_fail()?;
                changes.iter().for_each(|unsynced| unsynced.change.apply(synced));
            }
            Some(Node::Folder { .. }) => return Err(DiskError::NotFound),
            None => return Err(DiskError::NotFound),
        }
        if self.entries == Entries::WithAnySync {
            self.keep_names(|_| true);
        }
        Ok(())
    }

    /// Makes the names in a folder durable.
    pub fn sync_folder(&mut self, folder: Ino) -> Result<(), DiskError> {
        self.count(Call::SyncFolder)?.or_fail()?;
        self.folder(folder)?;
        let any = self.entries == Entries::WithAnySync;
        self.keep_names(|change| any || change.iter().any(|(changed, _, _)| *changed == folder));
        Ok(())
    }

    fn keep_names(&mut self, keep: impl Fn(&NameChange) -> bool) {
        for unsynced in std::mem::take(&mut self.names) {
            if keep(&unsynced.change) {
                apply_names(&mut self.nodes, &unsynced.change, Side::Synced);
            } else {
                self.names.push(unsynced);
            }
        }
    }

    fn rename_entries(&mut self, change: NameChange) {
        let order = self.order();
        apply_names(&mut self.nodes, &change, Side::Now);
        self.names.push(Unsynced { order, change });
    }

    pub fn create(&mut self, folder: Ino, name: &OsStr, is_folder: bool) -> Result<Ino, DiskError> {
        self.count(if is_folder { Call::CreateFolder } else { Call::Create })?.or_fail()?;
        if self.folder(folder)?.contains_key(name) {
            return Err(DiskError::Exists);
        }
        let ino = self.next_ino;
        self.next_ino += 1;
        let node = match is_folder {
            true => Node::Folder { now: BTreeMap::new(), synced: BTreeMap::new() },
            false => Node::File { now: Vec::new(), synced: Vec::new(), unsynced: Vec::new() },
        };
        self.nodes.insert(ino, node);
        self.rename_entries(vec![(folder, name.to_owned(), Some(ino))]);
        Ok(ino)
    }

    pub fn remove(&mut self, folder: Ino, name: &OsStr) -> Result<(), DiskError> {
        self.count(Call::Remove)?.or_fail()?;
        let ino = self.folder(folder)?.get(name).copied().ok_or(DiskError::NotFound)?;
        if self.folder(ino).is_ok_and(|entries| !entries.is_empty()) {
            return Err(DiskError::NotEmpty);
        }
        self.rename_entries(vec![(folder, name.to_owned(), None)]);
        Ok(())
    }

    pub fn rename(&mut self, (from, name): (Ino, &OsStr), (to, new_name): (Ino, &OsStr)) -> Result<(), DiskError> {
        self.count(Call::Rename)?.or_fail()?;
        let ino = self.folder(from)?.get(name).copied().ok_or(DiskError::NotFound)?;
        self.folder(to)?;
        self.rename_entries(vec![(from, name.to_owned(), None), (to, new_name.to_owned(), Some(ino))]);
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Side {
    Now,
    Synced,
}

fn apply_names(nodes: &mut BTreeMap<Ino, Node>, change: &NameChange, side: Side) {
    for (folder, name, ino) in change {
        let Some(Node::Folder { now, synced }) = nodes.get_mut(folder) else { continue };
        let entries = match side {
            Side::Now => now,
            Side::Synced => synced,
        };
        match ino {
            Some(ino) => drop(entries.insert(name.clone(), *ino)),
            None => drop(entries.remove(name)),
        }
    }
}
