//! What a check found: which promise was broken, and how.
//!
//! Only the program under test can break a promise. A surprise of the test itself is a panic.

use std::fmt;

/// The promises, as far as a run can see them broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Promise {
    /// An acknowledged event is counted.
    Acknowledged,
    /// No event is counted twice.
    CountedOnce,
    /// Nothing is counted that was not sent, or that was refused.
    NothingElse,
    /// A body is taken whole or not at all.
    WholeBodies,
    /// Each event's verdict is the right one.
    Verdicts,
    /// Every read endpoint shows what the events come to.
    Endpoints,
    /// An export is unfinished, or whole, right and the same for ever.
    Exports,
    /// `verify` finds nothing.
    Verify,
    /// The program starts after a crash.
    Starts,
    /// The program answers, stops or refuses; it neither hangs nor panics.
    Behaves,
}

#[derive(Debug, Clone)]
pub struct Failure {
    pub promise: Promise,
    pub what: String,
}

impl Failure {
    pub fn new(promise: Promise, what: impl Into<String>) -> Failure {
        Failure { promise, what: what.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.promise, self.what)
    }
}

/// Fails with a promise unless a condition holds.
///
/// # Errors
/// When it does not.
pub fn ensure(holds: bool, promise: Promise, what: impl FnOnce() -> String) -> Result<(), Failure> {
    if holds { Ok(()) } else { Err(Failure::new(promise, what())) }
}
