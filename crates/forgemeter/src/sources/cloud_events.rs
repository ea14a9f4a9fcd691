//! CloudEvents 1.0 in JSON: a body becomes usage events, each with its line, or with the reason why it is refused.
//!
//! What is wrong with one event stays with that event; only a body that cannot be split into events is refused whole. Numbers are read
//! from their text, never through a float. Identity, retries and the upper bound of `time` are left to the ledger: a retry of an
//! accepted event has to be recognised before its time is judged. Start at [`decode`]; [`body`] splits, [`event`] checks one event.

mod body;
mod event;
mod field;

use billing::{AccountId, Name, UsageEvent};

pub(crate) use body::{BodyError, Form};

/// The greatest number of events in one body.
pub(crate) const EVENTS_MAX: usize = 10_000;
/// The greatest length of one event. CloudEvents asks every consumer to take at least this much.
pub(crate) const EVENT_BYTES_MAX: usize = 64 * 1024;

/// One event of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The line in NDJSON, blank ones counted; the place in a batch; both from 1.
    pub(crate) line: usize,
    /// The event's id, as far as it could be read.
    pub(crate) id: Option<Name>,
    pub(crate) event: Result<UsageEvent, Rejection>,
}

/// Why an event is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// The field to mend, such as `data.quantity`; `event` when it is no event at all.
    pub(crate) field: &'static str,
    pub(crate) reason: String,
}

impl Rejection {
    fn new(field: &'static str, reason: impl Into<String>) -> Rejection {
        Rejection { field, reason: reason.into() }
    }
}

/// Reads all events of a body. `owner_of` finds the account of an owner's login that the sender may send usage of; whether there is no
/// such account or no such right makes no difference, so that nobody can ask which accounts exist.
pub(crate) fn decode(body: &[u8], form: Form, mut owner_of: impl FnMut(&str) -> Option<AccountId>) -> Result<Vec<Entry>, BodyError> {
    let parts = body::split(body, form)?;
    Ok(parts.into_iter().map(|part| entry(part, &mut owner_of)).collect())
}

fn entry(part: body::Part<'_>, owner_of: &mut impl FnMut(&str) -> Option<AccountId>) -> Entry {
    let mut id = None;
    let event = match text(part.bytes) {
        Ok(text) => event::decode(text, &mut id, owner_of),
        Err(rejection) => Err(rejection),
    };
    Entry { line: part.line, id, event }
}

fn text(bytes: &[u8]) -> Result<&str, Rejection> {
    if bytes.len() > EVENT_BYTES_MAX {
        return Err(Rejection::new("event", format!("is longer than {EVENT_BYTES_MAX} bytes")));
    }
    std::str::from_utf8(bytes).map_err(|error| Rejection::new("event", format!("is not UTF-8 at byte {}", error.valid_up_to() + 1)))
}

#[cfg(test)]
mod tests;
