//! Id files: the identities of sealed events, sorted, each with its content hash and its row in the events file.
//!
//! A look-up reads one page: the first identity of each page is held in memory. Layout: a first page with `FMID`, version and
//! count, then pages of records of 32 bytes: identity, content hash, row.

use super::checked_file::{CheckedFile, Checksums, NewFile};
use super::identity::Identity;
use crate::StoreError;
use crate::planted::{Fault, is_planted};
use std::io::Write;
use std::path::Path;

const MAGIC: &[u8; 4] = b"FMID";
const VERSION: u32 = 1;
const PAGE_BYTES: usize = 4096;
const RECORD_BYTES: usize = 32;
const RECORDS_PER_PAGE: usize = PAGE_BYTES / RECORD_BYTES;

/// A sealed event's identity, content hash and row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct SealedId {
    pub(crate) identity: Identity,
    pub(crate) content: u64,
    pub(crate) row: u64,
}

#[derive(Debug)]
pub(crate) struct IdFile {
    file: CheckedFile,
    count: usize,
    /// The prefix of the first identity of each page.
    pages: Vec<u64>,
}

impl IdFile {
    /// Writes ids, which must be sorted; returns the file's checksums.
    pub(crate) fn write(folder: &Path, name: &str, ids: &[SealedId]) -> Result<Checksums, StoreError> {
        let kept: Vec<SealedId>;
        let ids = if is_planted(Fault::IdFileIncomplete) {
            kept = ids.iter().filter(|id| !id.row.is_multiple_of(97)).copied().collect();
            &kept
        } else {
            ids
        };
        let mut file = NewFile::create(folder, name)?;
        let mut page = vec![0; PAGE_BYTES];
        page[..4].copy_from_slice(MAGIC);
        page[4..8].copy_from_slice(&VERSION.to_le_bytes());
        page[8..16].copy_from_slice(&u64::try_from(ids.len()).map_err(|_| StoreError::Overflow)?.to_le_bytes());
        file.write_all(&page).map_err(StoreError::io(name))?;
        for id in ids {
            let mut record = [0; RECORD_BYTES];
            record[..16].copy_from_slice(&id.identity.0);
            record[16..24].copy_from_slice(&id.content.to_le_bytes());
            record[24..].copy_from_slice(&id.row.to_le_bytes());
            file.write_all(&record).map_err(StoreError::io(name))?;
        }
        file.finish()
    }

    /// Opens a file and reads it once, for the first identity of each page and the checksums of all.
    pub(crate) fn open(folder: &Path, name: &str, checksums: Checksums) -> Result<IdFile, StoreError> {
        let file = CheckedFile::open(folder, name, checksums)?;
        let head = file.read(0, PAGE_BYTES)?;
        if &head[..4] != MAGIC {
            return Err(StoreError::damaged(name, "it is no id file"));
        }
        let found = u32::from_le_bytes(bytes_at(&head, 4));
        if found != VERSION {
            return Err(StoreError::UnknownVersion { file: name.to_owned(), found, known: VERSION });
        }
        let count = usize::try_from(u64::from_le_bytes(bytes_at(&head, 8))).map_err(|_| StoreError::Overflow)?;
        let mut id_file = IdFile { file, count, pages: Vec::new() };
        for page in 0..count.div_ceil(RECORDS_PER_PAGE) {
            let records = id_file.page(page)?;
            id_file.pages.extend(records.first().map(|record| record.identity.prefix()));
        }
        Ok(id_file)
    }

    fn page(&self, page: usize) -> Result<Vec<SealedId>, StoreError> {
        let first = page * RECORDS_PER_PAGE;
        let records = RECORDS_PER_PAGE.min(self.count.saturating_sub(first));
        let start = u64::try_from((page + 1) * PAGE_BYTES).map_err(|_| StoreError::Overflow)?;
        let bytes = self.file.read(start, records * RECORD_BYTES)?;
        let record = |bytes: &[u8; RECORD_BYTES]| SealedId {
            identity: Identity(bytes_at(bytes, 0)),
            content: u64::from_le_bytes(bytes_at(bytes, 16)),
            row: u64::from_le_bytes(bytes_at(bytes, 24)),
        };
        Ok(bytes.as_chunks::<RECORD_BYTES>().0.iter().map(record).collect())
    }

    /// All records in the order of the file, page by page.
    pub(crate) fn records(&self) -> impl Iterator<Item = Result<SealedId, StoreError>> + '_ {
        (0..self.pages.len()).flat_map(|page| match self.page(page) {
            Ok(records) => records.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }

    pub(crate) fn file(&self) -> &CheckedFile {
        &self.file
    }

    pub(crate) fn get(&self, identity: Identity) -> Result<Option<SealedId>, StoreError> {
        let prefix = identity.prefix();
        // Identities with one prefix may begin on the page before the first page that begins with it.
        let first = self.pages.partition_point(|page| *page < prefix).saturating_sub(1);
        let last = self.pages.partition_point(|page| *page <= prefix);
        for page in first..last.max(first.saturating_add(1)).min(self.pages.len()) {
            let records = self.page(page)?;
            if let Ok(place) = records.binary_search_by(|record| record.identity.cmp(&identity)) {
                return Ok(records.get(place).copied());
            }
        }
        Ok(None)
    }
}

fn bytes_at<const LENGTH: usize>(bytes: &[u8], start: usize) -> [u8; LENGTH] {
    let mut field = [0; LENGTH];
    field.copy_from_slice(&bytes[start..start + LENGTH]);
    field
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u32) -> SealedId {
        let hash = blake3::hash(&number.to_le_bytes());
        SealedId { identity: Identity(bytes_at(hash.as_bytes(), 0)), content: u64::from(number), row: u64::from(number) * 3 }
    }

    #[test]
    fn every_id_is_found_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        for count in [0_u32, 1, 127, 128, 129, 5000] {
            let mut ids: Vec<SealedId> = (0..count).map(id).collect();
            ids.sort();
            let name = format!("ids-{count}");
            let checksums = IdFile::write(folder.path(), &name, &ids).unwrap();
            let file = IdFile::open(folder.path(), &name, checksums).unwrap();
            for wanted in &ids {
                assert_eq!(file.get(wanted.identity).unwrap(), Some(*wanted));
            }
            for number in count..count + 500 {
                assert_eq!(file.get(id(number).identity).unwrap(), None);
            }
        }
    }

    #[test]
    fn ids_with_one_prefix_are_told_apart_across_pages() {
        let folder = tempfile::tempdir().unwrap();
        let same_prefix = |number: u16| {
            let mut bytes = [7; 16];
            bytes[14..].copy_from_slice(&number.to_be_bytes());
            SealedId { identity: Identity(bytes), content: 0, row: u64::from(number) }
        };
        let ids: Vec<SealedId> = (0..400).map(same_prefix).collect();
        let checksums = IdFile::write(folder.path(), "ids", &ids).unwrap();
        let file = IdFile::open(folder.path(), "ids", checksums).unwrap();
        for wanted in &ids {
            assert_eq!(file.get(wanted.identity).unwrap(), Some(*wanted));
        }
        assert_eq!(file.get(same_prefix(400).identity).unwrap(), None);
    }
}
