//! Files of the ledger with a checksum for each part, kept outside the file so that the format stays open, and checked on reading.
//!
//! A new file is written under a temporary name that is never used again, synced, and renamed by [`NewFile::finish`]; only the
//! manifest then makes it count. A crash leaves orphans, nothing else. What is in a file is left to the formats.

use crate::planted::{Fault, is_planted};
use crate::{StoreError, durable};
use bytes::Bytes;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// Bytes under one checksum. A look-up reads one part, so it is a page; larger parts would read more than they need.
pub(crate) const PART_BYTES: usize = 16 * 1024;

/// How the parts of a finished file must read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Checksums {
    pub(crate) length: u64,
    pub(crate) parts: Vec<u32>,
}

impl Checksums {
    /// As bytes of the manifest: four a part.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        self.parts.iter().flat_map(|part| part.to_le_bytes()).collect()
    }

    pub(crate) fn from_bytes(length: u64, bytes: &[u8]) -> Checksums {
        let parts = bytes.as_chunks::<4>().0.iter().map(|part| u32::from_le_bytes(*part)).collect();
        Checksums { length, parts }
    }
}

/// A finished file, open for reading. It stays readable through this handle after a merge has unlinked it.
#[derive(Debug)]
pub(crate) struct CheckedFile {
    file: File,
    name: String,
    checksums: Checksums,
}

impl CheckedFile {
    pub(crate) fn open(folder: &Path, name: &str, checksums: Checksums) -> Result<CheckedFile, StoreError> {
        let path = folder.join(name);
        let file = File::open(&path).map_err(StoreError::io(&path))?;
        let length = file.metadata().map_err(StoreError::io(&path))?.len();
        if length != checksums.length {
            return Err(StoreError::damaged(name, format!("it has {length} bytes instead of {}", checksums.length)));
        }
        let part_bytes = u64::try_from(PART_BYTES).map_err(|_| StoreError::Overflow)?;
        if u64::try_from(checksums.parts.len()).map_err(|_| StoreError::Overflow)? != length.div_ceil(part_bytes) {
            return Err(StoreError::damaged(name, "its checksums are not those of all of its parts"));
        }
        Ok(CheckedFile { file, name: name.to_owned(), checksums })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    pub(crate) fn length(&self) -> u64 {
        self.checksums.length
    }

    /// The numbers of all parts that do not match their checksum, counted from 0.
    pub(crate) fn damaged_parts(&self) -> Result<Vec<usize>, StoreError> {
        let mut damaged = Vec::new();
        let mut start = 0;
        for part in 0..self.checksums.parts.len() {
            let length = usize::try_from(self.checksums.length.saturating_sub(start)).map_err(|_| StoreError::Overflow)?.min(PART_BYTES);
            match self.read(start, length) {
                Ok(_) => {}
                Err(StoreError::Damaged { .. }) => damaged.push(part),
                Err(error) => return Err(error),
            }
            start = start.saturating_add(u64::try_from(length).map_err(|_| StoreError::Overflow)?);
        }
        Ok(damaged)
    }

    /// A range of the file, after the parts that it lies in have been checked.
    pub(crate) fn read(&self, start: u64, length: usize) -> Result<Bytes, StoreError> {
        let part_bytes = u64::try_from(PART_BYTES).map_err(|_| StoreError::Overflow)?;
        let outside = || StoreError::damaged(&self.name, "a range lies outside of it");
        let length = u64::try_from(length).map_err(|_| StoreError::Overflow)?;
        let end = start.checked_add(length).filter(|end| *end <= self.checksums.length).ok_or_else(outside)?;
        let first_part = start / part_bytes;
        let aligned = first_part * part_bytes;
        let aligned_end = (end.div_ceil(part_bytes) * part_bytes).min(self.checksums.length);
        let mut buffer = vec![0; usize::try_from(aligned_end - aligned).map_err(|_| StoreError::Overflow)?];
        self.file.read_exact_at(&mut buffer, aligned).map_err(StoreError::io(&self.name))?;
        let first_part = usize::try_from(first_part).map_err(|_| StoreError::Overflow)?;
        for (part, expected) in buffer.chunks(PART_BYTES).zip(self.checksums.parts.get(first_part..).unwrap_or(&[])) {
            if crc32fast::hash(part) != *expected {
                return Err(StoreError::damaged(&self.name, "a part does not match its checksum"));
            }
        }
        let from = usize::try_from(start - aligned).map_err(|_| StoreError::Overflow)?;
        let to = usize::try_from(end - aligned).map_err(|_| StoreError::Overflow)?;
        Ok(Bytes::from(buffer).slice(from..to))
    }
}

/// A file on its way. Dropped before it is finished, it removes what it wrote.
#[derive(Debug)]
pub(crate) struct NewFile {
    writer: BufWriter<Summing>,
    temporary: PathBuf,
    finished: PathBuf,
    kept: bool,
}

impl NewFile {
    /// The name must be unique to this attempt.
    pub(crate) fn create(folder: &Path, name: &str) -> Result<NewFile, StoreError> {
        let temporary = folder.join(format!("{name}.new"));
        let file = File::create_new(&temporary).map_err(StoreError::io(&temporary))?;
        let summing = Summing { file, length: 0, parts: Vec::new(), hasher: crc32fast::Hasher::new(), in_part: 0 };
        Ok(NewFile { writer: BufWriter::with_capacity(1 << 18, summing), temporary, finished: folder.join(name), kept: false })
    }

    /// Syncs the file and gives it its name. The folder is left to the caller to sync, once for all files of an attempt.
    pub(crate) fn finish(mut self) -> Result<Checksums, StoreError> {
        self.writer.flush().map_err(StoreError::io(&self.temporary))?;
        let summing = self.writer.get_mut();
        summing.close_part();
        let checksums = Checksums { length: summing.length, parts: std::mem::take(&mut summing.parts) };
        if !is_planted(Fault::SegmentUnsynced) {
            durable::sync_file(&summing.file, &self.temporary).map_err(StoreError::io(&self.temporary))?;
        }
        std::fs::rename(&self.temporary, &self.finished).map_err(StoreError::io(&self.temporary))?;
        self.kept = true;
        Ok(checksums)
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept
            && let Err(error) = std::fs::remove_file(&self.temporary)
        {
            // The next start removes what is left over; nothing depends on it.
            eprintln!("forgemeter: could not remove {}: {error}", self.temporary.display());
        }
    }
}

#[derive(Debug)]
struct Summing {
    file: File,
    length: u64,
    parts: Vec<u32>,
    hasher: crc32fast::Hasher,
    in_part: usize,
}

impl Summing {
    fn close_part(&mut self) {
        if self.in_part > 0 {
            let hasher = std::mem::replace(&mut self.hasher, crc32fast::Hasher::new());
            self.parts.push(hasher.finalize());
            self.in_part = 0;
        }
    }
}

impl Write for Summing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = PART_BYTES.saturating_sub(self.in_part);
        let taken = self.file.write(&bytes[..bytes.len().min(room)])?;
        self.hasher.update(&bytes[..taken]);
        self.in_part = self.in_part.saturating_add(taken);
        self.length = self.length.saturating_add(u64::try_from(taken).map_err(io::Error::other)?);
        if self.in_part == PART_BYTES {
            self.close_part();
        }
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(folder: &Path, bytes: &[u8]) -> Checksums {
        let mut file = NewFile::create(folder, "f").unwrap();
        file.write_all(bytes).unwrap();
        file.finish().unwrap()
    }

    #[test]
    fn ranges_are_read_back_and_a_flipped_bit_is_found_where_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let bytes: Vec<u8> = (0..=250).cycle().take(PART_BYTES * 3 + 100).collect();
        let checksums = written(folder.path(), &bytes);
        assert_eq!(Checksums::from_bytes(checksums.length, &checksums.to_bytes()), checksums);
        let file = CheckedFile::open(folder.path(), "f", checksums.clone()).unwrap();
        for (start, length) in [(0, 10), (PART_BYTES - 5, 10), (PART_BYTES * 3 + 90, 10), (0, bytes.len()), (7, 0)] {
            assert_eq!(file.read(start as u64, length).unwrap(), bytes[start..start + length], "{start}+{length}");
        }
        assert!(file.read(bytes.len() as u64, 1).is_err());
        let mut flipped = bytes.clone();
        flipped[PART_BYTES * 2] ^= 1;
        std::fs::write(folder.path().join("f"), &flipped).unwrap();
        let file = CheckedFile::open(folder.path(), "f", checksums.clone()).unwrap();
        assert!(file.read(0, PART_BYTES).is_ok());
        assert_eq!(file.read(PART_BYTES as u64 * 2 + 50, 1).unwrap_err().to_string(), "`f` is damaged: a part does not match its checksum");
        std::fs::write(folder.path().join("f"), &bytes[1..]).unwrap();
        assert!(CheckedFile::open(folder.path(), "f", checksums).is_err());
    }

    #[test]
    fn an_unfinished_file_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        drop(NewFile::create(folder.path(), "g").unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
