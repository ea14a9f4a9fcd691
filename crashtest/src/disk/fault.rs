//! Faults by number: the n-th call fails, once or from then on. Which calls count is decided in [`super::Disk`].
//!
//! A write can also take only half of its bytes, which is no error and must be gone on with.

use super::DiskError;

/// What a program asks of a disk, as far as it can fail here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Write,
    Length,
    Sync,
    SyncFolder,
    Create,
    CreateFolder,
    Rename,
    Remove,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failure {
    Io,
    Full,
    /// Half of a write is taken. Calls that are no writes fail with an I/O error.
    Short,
}

#[derive(Debug, Clone)]
pub struct Fault {
    pub nth: u64,
    pub failure: Failure,
    /// Every later call fails too.
    pub lasts: bool,
    /// The call that was hit first.
    pub hit: Option<Call>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Works,
    Short,
    Fails(DiskError),
}

impl Outcome {
    pub(super) fn or_fail(self) -> Result<(), DiskError> {
        match self {
            Outcome::Works | Outcome::Short => Ok(()),
            Outcome::Fails(error) => Err(error),
        }
    }
}

impl Fault {
    #[must_use]
    pub fn new(nth: u64, failure: Failure, lasts: bool) -> Fault {
        Fault { nth, failure, lasts, hit: None }
    }

    pub(super) fn outcome(&mut self, call: Call, number: u64) -> Outcome {
        if number < self.nth || (number > self.nth && !self.lasts) {
            return Outcome::Works;
        }
        self.hit.get_or_insert(call);
        match (self.failure, call) {
            (Failure::Short, Call::Write) => Outcome::Short,
            (Failure::Io | Failure::Short, _) => Outcome::Fails(DiskError::Io),
            (Failure::Full, _) => Outcome::Fails(DiskError::Full),
        }
    }
}
