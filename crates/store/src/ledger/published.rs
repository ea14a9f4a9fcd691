//! What readers see of the ledger: the last published sequence number, the segments and the tail.
//!
//! The committer publishes a group after its commit, never before; a seal and a merge put segments in the place of what they
//! replace in one step. A reader clones [`Published`] and is not disturbed by what comes later.

use super::generation::Generation;
use super::manifest::{LedgerFile, Mark, NameKey};
use super::segment::{Segment, remove_files};
use super::{Sequence, block};
use crate::{FactsDatabase, StoreError};
use billing::{Facts, Name, UtcTime};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

/// The folder of the segments' files.
pub(crate) const SEGMENTS: &str = "segments";

#[derive(Debug, Clone)]
pub(crate) struct Published {
    pub(crate) sequence: u64,
    pub(crate) received_at: UtcTime,
    /// The facts that the tail's totals were made with.
    pub(crate) facts: Arc<Facts>,
    pub(crate) segments: Arc<Vec<Arc<Segment>>>,
    /// Oldest first; the last one takes the next block.
    pub(crate) generations: Vec<Arc<Generation>>,
}

/// What the threads of one open ledger share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) folder: PathBuf,
    pub(crate) epoch: u32,
    pub(crate) key: super::identity::IdentityKey,
    pub(crate) facts_database: Arc<FactsDatabase>,
    published: RwLock<Published>,
    reader: Mutex<LedgerFile>,
    pub(crate) rated: super::snapshot::RatedMonths,
}

/// What the committer needs and nobody else.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) spellings: BTreeMap<NameKey, Name>,
    pub(crate) last_mark: Option<Mark>,
}

impl Shared {
    pub(crate) fn published(&self) -> Published {
        self.published.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn publish(&self, change: impl FnOnce(&mut Published)) {
        change(&mut self.published.write().unwrap_or_else(PoisonError::into_inner));
    }

    pub(crate) fn segments_folder(&self) -> PathBuf {
        self.folder.join(SEGMENTS)
    }

    pub(crate) fn tail_events(&self) -> u64 {
        self.published.read().unwrap_or_else(PoisonError::into_inner).generations.iter().map(|generation| generation.events()).sum()
    }

    /// Reads `ledger.db` beside the committer.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&LedgerFile) -> Result<T, StoreError>) -> Result<T, StoreError> {
        read(&self.reader.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The mark that holds at a sequence.
    pub(crate) fn mark_at(&self, sequence: Sequence) -> Result<Mark, StoreError> {
        let unknown = || StoreError::NoSuchSequence(sequence.to_string());
        if sequence.epoch != self.epoch || sequence.number > self.published().sequence {
            return Err(unknown());
        }
        self.read(|file| file.mark_at(sequence.number))?.ok_or_else(unknown)
    }

    /// Removes files of attempts that a crash cut off: those that the manifest does not name.
    pub(crate) fn remove_orphans(&self) -> Result<(), StoreError> {
        let folder = self.segments_folder();
        let named: BTreeSet<String> = self.published().segments.iter().flat_map(|segment| segment.record.file_names()).collect();
        let mut orphans = Vec::new();
        for entry in std::fs::read_dir(&folder).map_err(StoreError::io(&folder))? {
            let entry = entry.map_err(StoreError::io(&folder))?;
            if !entry.file_name().to_str().is_some_and(|name| named.contains(name)) {
                orphans.push(entry.path());
            }
        }
        remove_files(&orphans);
        Ok(())
    }
}

/// Takes the lock of the one process that may write. It is given back when the file is dropped or the process ends.
pub(crate) fn take_lock(folder: &Path) -> Result<File, StoreError> {
    let path = folder.join("ledger.lock");
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(StoreError::io(&path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked(folder.to_path_buf())),
        Err(TryLockError::Error(error)) => Err(StoreError::io(&path)(error)),
    }
}

/// How often a reader looks at the manifest again because a merge removed a file between the manifest and the file.
pub(crate) const LOADS_MAX: u32 = 5;

/// Reads manifest and tail.
pub(crate) fn load(folder: &Path, file: &LedgerFile, facts_database: Arc<FactsDatabase>) -> Result<(Shared, Loaded), StoreError> {
    let mut loads = 1;
    let (published, loaded) = loop {
        match file.read_at_once(|file| load_once(folder, file, &facts_database)) {
            Err(StoreError::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound && loads < LOADS_MAX => loads += 1,
            other => break other?,
        }
    };
    let shared = Shared {
        folder: folder.to_path_buf(),
        epoch: file.epoch,
        key: file.key.clone(),
        facts_database,
        published: RwLock::new(published),
        reader: Mutex::new(LedgerFile::open_to_read(folder)?),
        rated: super::snapshot::RatedMonths::default(),
    };
    Ok((shared, loaded))
}

fn load_once(folder: &Path, file: &LedgerFile, facts_database: &FactsDatabase) -> Result<(Published, Loaded), StoreError> {
    let segments_folder = folder.join(SEGMENTS);
    let open = |record| Segment::open(&segments_folder, record).map(Arc::new);
    let segments = file.segments()?.into_iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let sequence = file.last_sequence()?;
    let last_mark = file.mark_at(sequence)?;
    let facts = match last_mark {
        Some(mark) => facts_database.as_of(mark.facts)?,
        None => facts_database.current()?,
    };
    let (generations, received_at) = replay(file, &facts)?;
    let received_at = last_mark.map_or(received_at, |mark| received_at.max(mark.received_at));
    let published = Published { sequence, received_at, facts, segments: Arc::new(segments), generations };
    Ok((published, Loaded { spellings: file.spellings()?, last_mark }))
}

/// The generations of the tail, from its blocks, and when the last of them was received.
fn replay(file: &LedgerFile, facts: &Facts) -> Result<(Vec<Arc<Generation>>, UtcTime), StoreError> {
    let mut generations: Vec<Arc<Generation>> = Vec::new();
    let mut received_at = UtcTime::MIN;
    for bytes in file.blocks()? {
        let header = block::header(&bytes, LedgerFile::name())?;
        received_at = received_at.max(header.received_at);
        let generation = match generations.last() {
            Some(last) if last.number == header.generation => Arc::clone(last),
            _ => {
                let began = Arc::new(Generation::new(header.generation, header.received_at));
                generations.push(Arc::clone(&began));
                began
            }
        };
        generation.push(bytes, facts)?;
    }
    Ok((generations, received_at))
}
