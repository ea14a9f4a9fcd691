//! A [`Disk`] where programs can use it: a FUSE file system in this process.
//!
//! Shared memory maps work, because reads and maps go through the kernel's page cache; writes reach the disk at once. Locks are left to
//! the kernel. Each mount begins with an empty cache, so that nothing outlives a cut but what the disk kept.

use crate::disk::{Disk, DiskError, Ino, Kind};
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption,
    OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite,
    Request, WriteFlags,
};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// The kernel may believe what it knows: all changes pass through it.
const FOR_EVER: Duration = Duration::from_secs(3600);

const BLOCK_BYTES: u32 = 4096;

/// A disk that is mounted or was; clones are the same one.
#[derive(Debug, Clone)]
pub struct SharedDisk {
    disk: Arc<Mutex<Disk>>,
    /// SQLite's shared memory: no fault hits it, because no crash needs it.
    caches: Arc<Mutex<BTreeSet<Ino>>>,
}

impl SharedDisk {
    #[must_use]
    pub fn new(disk: Disk) -> SharedDisk {
        SharedDisk { disk: Arc::new(Mutex::new(disk)), caches: Arc::default() }
    }

    pub fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Mounts it; dropping the session unmounts.
    ///
    /// # Errors
    /// When FUSE is not available.
    pub fn mount(&self, folder: &Path) -> io::Result<BackgroundSession> {
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("forgetful".to_owned()), MountOption::NoAtime];
        fuser::spawn_mount(self.clone(), folder, &config)
    }

    fn counts(&self, ino: Ino) -> bool {
        !self.caches.lock().unwrap_or_else(PoisonError::into_inner).contains(&ino)
    }

    fn note(&self, ino: Ino, name: &OsStr) {
        if name.to_string_lossy().ends_with("-shm") {
            self.caches.lock().unwrap_or_else(PoisonError::into_inner).insert(ino);
        }
    }

    fn attributes(&self, ino: Ino) -> Result<FileAttr, DiskError> {
        let kind = self.lock().kind(ino)?;
        Ok(attributes(ino, kind))
    }

    /// Looks up or makes a name, and says what the kernel must know of it.
    fn entry(&self, name: &OsStr, found: Result<Ino, DiskError>, reply: ReplyEntry) {
        match found.and_then(|ino| self.attributes(ino)) {
            Ok(attributes) => {
                self.note(attributes.ino.0, name);
                reply.entry(&FOR_EVER, &attributes, Generation(0));
            }
            Err(error) => reply.error(errno(error)),
        }
    }
}

fn attributes(ino: Ino, kind: Kind) -> FileAttr {
    let (file_type, bytes, perm) = match kind {
        Kind::File { bytes } => (FileType::RegularFile, bytes, 0o644),
        Kind::Folder => (FileType::Directory, 0, 0o755),
    };
    let (size, time) = (u64::try_from(bytes).expect("a length fits 64 bits"), SystemTime::UNIX_EPOCH);
    FileAttr {
        ino: INodeNo(ino),
        size,
        blocks: size.div_ceil(512),
        atime: time,
        mtime: time,
        ctime: time,
        crtime: time,
        kind: file_type,
        perm,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        blksize: BLOCK_BYTES,
        flags: 0,
    }
}

fn errno(error: DiskError) -> Errno {
    match error {
        DiskError::NotFound => Errno::ENOENT,
        DiskError::Exists => Errno::EEXIST,
        DiskError::NotEmpty => Errno::ENOTEMPTY,
        DiskError::NotAFolder => Errno::ENOTDIR,
        DiskError::Io => Errno::EIO,
        DiskError::Full => Errno::ENOSPC,
    }
}

fn finish(done: Result<(), DiskError>, reply: ReplyEmpty) {
    match done {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(errno(error)),
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).expect("files of a test fit into memory")
}

impl Filesystem for SharedDisk {
    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let found = self.lock().look_up(parent.0, name);
        self.entry(name, found, reply);
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.attributes(ino.0) {
            Ok(attributes) => reply.attr(&FOR_EVER, &attributes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        ino: INodeNo,
        _: Option<u32>,
        _: Option<u32>,
        _: Option<u32>,
        size: Option<u64>,
        _: Option<fuser::TimeOrNow>,
        _: Option<fuser::TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<fuser::BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        let counts = self.counts(ino.0);
        let set = size.map_or(Ok(()), |size| self.lock().set_length(ino.0, place(size), counts));
        match set.and_then(|()| self.attributes(ino.0)) {
            Ok(attributes) => reply.attr(&FOR_EVER, &attributes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn mkdir(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, reply: ReplyEntry) {
        let made = self.lock().create(parent.0, name, true);
        self.entry(name, made, reply);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        finish(self.lock().remove(parent.0, name), reply);
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        finish(self.lock().remove(parent.0, name), reply);
    }

    fn rename(&self, _: &Request, from: INodeNo, name: &OsStr, to: INodeNo, new_name: &OsStr, _: RenameFlags, reply: ReplyEmpty) {
        finish(self.lock().rename((from.0, name), (to.0, new_name)), reply);
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Without this every opening would throw away the pages of the shared memory that others have mapped.
        reply.opened(FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
    }

    fn create(&self, _: &Request, parent: INodeNo, name: &OsStr, _: u32, _: u32, _: i32, reply: ReplyCreate) {
        let made = self.lock().create(parent.0, name, false);
        match made.and_then(|ino| self.attributes(ino)) {
            Ok(attributes) => {
                self.note(attributes.ino.0, name);
                reply.created(&FOR_EVER, &attributes, Generation(0), FileHandle(0), FopenFlags::FOPEN_KEEP_CACHE);
            }
            Err(error) => reply.error(errno(error)),
        }
    }

    fn read(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, size: u32, _: OpenFlags, _: Option<LockOwner>, reply: ReplyData) {
        match self.lock().read(ino.0, place(offset), place(u64::from(size))) {
            Ok(bytes) => reply.data(bytes),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn write(
        &self,
        _: &Request,
        ino: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let counts = self.counts(ino.0);
        match self.lock().write(ino.0, place(offset), data, counts) {
            Ok(taken) => reply.written(u32::try_from(taken).expect("a write has fewer than 2^32 bytes")),
            Err(error) => reply.error(errno(error)),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        reply.ok();
    }

    fn fsync(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        finish(self.lock().sync(ino.0), reply);
    }

    fn readdir(&self, _: &Request, ino: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let listed = self.lock().list(ino.0);
        let entries = match listed {
            Ok(entries) => entries,
            Err(error) => return reply.error(errno(error)),
        };
        for (number, (name, ino)) in (1..).zip(entries) {
            let kind = self.lock().kind(ino);
            let file_type = if kind == Ok(Kind::Folder) { FileType::Directory } else { FileType::RegularFile };
            if number > offset && reply.add(INodeNo(ino), number, file_type, name) {
                break;
            }
        }
        reply.ok();
    }

    fn fsyncdir(&self, _: &Request, ino: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        finish(self.lock().sync_folder(ino.0), reply);
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        const BLOCKS: u64 = 1 << 20;
        reply.statfs(BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCKS, BLOCK_BYTES, 255, BLOCK_BYTES);
    }
}
