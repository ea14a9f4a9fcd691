//! Identity: which event is the same as which. Exact, for every event ever accepted, without a horizon.
//!
//! An event is the same when owner account, source and id are: 16 bytes of BLAKE3, keyed with the ledger's own random key so that
//! nobody can construct two events with one identity. Beside it stand 8 bytes of hash of its content, which tell a harmless repeat
//! from a conflict. The ids of the tail are held in memory; those of sealed events in id files ([`super::id_file`]).

use crate::planted::{Fault, is_planted};
use billing::account::folded;
use billing::usage::Job;
use billing::{AccountId, UsageEvent};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Identity(pub(crate) [u8; 16]);

impl Identity {
    /// The first eight bytes, which order identities coarsely and spread them evenly.
    pub(crate) fn prefix(self) -> u64 {
        let [a, b, c, d, e, f, g, h, ..] = self.0;
        u64::from_be_bytes([a, b, c, d, e, f, g, h])
    }
}

/// The ledger's key of identities; it is in every backup and never changes.
#[derive(Clone)]
pub(crate) struct IdentityKey(pub(crate) [u8; 32]);

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("IdentityKey(…)")
    }
}

impl IdentityKey {
    pub(crate) fn identity(&self, owner: AccountId, source: &str, id: &str) -> Identity {
        let mut bytes = Vec::with_capacity(ROOM_BYTES);
        bytes.extend_from_slice(&owner.0.to_le_bytes());
        let source = if is_planted(Fault::IdentityWithoutSource) { "" } else { source };
        push_field(&mut bytes, source.as_bytes());
        push_field(&mut bytes, id.as_bytes());
        let hash = blake3::keyed_hash(&self.0, &bytes);
        let (identity, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        Identity(*identity)
    }

    /// A hash of what the event says beside its identity, in canonical form: numbers by value, names that compare without case
    /// folded, absent values apart from empty ones (rulings B14).
    pub(crate) fn content(&self, event: &UsageEvent) -> u64 {
        let mut bytes = Vec::with_capacity(ROOM_BYTES);
        each_field(event, &mut |_, number, value| {
            bytes.push(number);
            push_field(&mut bytes, value);
        });
        let hash = blake3::keyed_hash(&self.0, &bytes);
        let (content, _) = hash.as_bytes().split_first_chunk().expect("a hash has 32 bytes");
        u64::from_le_bytes(*content)
    }
}

/// Room for the fields of a common event, so that collecting them asks for memory once.
const ROOM_BYTES: usize = 256;

fn push_field(bytes: &mut Vec<u8>, field: &[u8]) {
    bytes.extend_from_slice(&u32::try_from(field.len()).expect("a field is far shorter than 4 GiB").to_le_bytes());
    bytes.extend_from_slice(field);
}

/// Calls with the present content fields of an event: the name that its sender knows a field by, a number for it that never changes,
/// and its canonical value. A job's SKU and minutes follow from its other fields and from rules that may change, so they are not
/// content.
fn each_field(event: &UsageEvent, each: &mut dyn FnMut(&'static str, u8, &[u8])) {
    each("type", 0, &[u8::from(event.job.is_some())]);
    each("time", 1, &event.time.microseconds().to_le_bytes());
    let mut name = |field, number, name: Option<&str>, folds: bool| match name {
        None => {}
        Some(name) if folds && name.bytes().any(|byte| byte.is_ascii_uppercase() || !byte.is_ascii()) => {
            each(field, number, folded(name).as_bytes())
        }
        Some(name) => each(field, number, name.as_bytes()),
    };
    name("subject", 2, event.repository.as_deref(), true);
    name("data.username", 3, event.username.as_deref(), true);
    name("data.workflow_path", 4, event.workflow_path.as_deref(), false);
    name("data.visibility", 5, Some(event.visibility.as_str()), false);
    match &event.job {
        None => each_recorded_field(event, each),
        Some(job) => each_job_field(job, each),
    }
}

fn each_recorded_field(event: &UsageEvent, each: &mut dyn FnMut(&'static str, u8, &[u8])) {
    each("data.sku", 6, event.sku.as_bytes());
    each("data.quantity", 7, &event.quantity.billionths().to_le_bytes());
    if let Some(model) = &event.model {
        each("data.model", 8, model.as_bytes());
    }
    let tokens = event.tokens;
    let counts = [
        ("data.input_tokens", 9, tokens.input),
        ("data.output_tokens", 10, tokens.output),
        ("data.cache_read_tokens", 11, tokens.cache_read),
        ("data.cache_write_tokens", 12, tokens.cache_write),
    ];
    for (field, number, count) in counts {
        if count != 0 {
            each(field, number, &count.to_le_bytes());
        }
    }
}

fn each_job_field(job: &Job, each: &mut dyn FnMut(&'static str, u8, &[u8])) {
    let labels: Vec<&str> = job.runner_labels.iter().map(|label| &**label).collect();
    each("data.runner_labels", 13, labels.join("\n").as_bytes());
    for (field, number, name) in [("data.runner_group", 14, &job.runner_group), ("data.conclusion", 15, &job.conclusion)] {
        if let Some(name) = name {
            each(field, number, name.as_bytes());
        }
    }
    for (field, number, count) in
        [("data.run_id", 16, job.run_id), ("data.run_attempt", 17, job.run_attempt), ("data.job_id", 18, job.job_id)]
    {
        each(field, number, &count.to_le_bytes());
    }
    if let Some(started_at) = job.started_at {
        each("data.started_at", 19, &started_at.microseconds().to_le_bytes());
    }
    each("data.completed_at", 20, &job.completed_at.microseconds().to_le_bytes());
}

/// The first field in which two events of one identity differ.
pub(crate) fn differing_field(stored: &UsageEvent, sent: &UsageEvent) -> &'static str {
    let fields = |event: &UsageEvent| {
        let mut fields: Vec<(&'static str, Vec<u8>)> = Vec::new();
        each_field(event, &mut |field, _, value| fields.push((field, value.to_vec())));
        fields
    };
    let (stored, sent) = (fields(stored), fields(sent));
    let differs = |one: &[(&'static str, Vec<u8>)], other: &[(&'static str, Vec<u8>)]| {
        one.iter().find(|field| !other.contains(field)).map(|field| field.0)
    };
    differs(&sent, &stored).or_else(|| differs(&stored, &sent)).unwrap_or("data")
}

/// What is known of an accepted event whose identity is in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Known {
    pub(crate) content: u64,
    pub(crate) sequence: u64,
}

/// How many parts a set has, so that the growth of one stalls no commit for long.
const SHARDS: usize = 64;

/// The identities of one generation's events.
#[derive(Debug)]
pub(crate) struct IdentitySet {
    shards: Vec<HashMap<Identity, Known, BuildHasherDefault<PrefixHasher>>>,
}

impl Default for IdentitySet {
    fn default() -> IdentitySet {
        IdentitySet { shards: (0..SHARDS).map(|_| HashMap::default()).collect() }
    }
}

impl IdentitySet {
    pub(crate) fn get(&self, identity: Identity) -> Option<Known> {
        self.shards[shard(identity)].get(&identity).copied()
    }

    pub(crate) fn insert(&mut self, identity: Identity, known: Known) {
        self.shards[shard(identity)].insert(identity, known);
    }
}

fn shard(identity: Identity) -> usize {
    usize::from(identity.0[15]) % SHARDS
}

/// Identities are hashes already: their first eight bytes spread them well enough.
#[derive(Debug, Default)]
pub(crate) struct PrefixHasher(u64);

impl Hasher for PrefixHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some((prefix, _)) = bytes.split_first_chunk::<8>() {
            self.0 = u64::from_le_bytes(*prefix);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::tests::{event, time};
    use super::*;

    #[test]
    fn identity_is_owner_source_and_id_byte_for_byte() {
        let key = IdentityKey([1; 32]);
        let one = key.identity(AccountId(1), "s", "id");
        assert_eq!(one, key.identity(AccountId(1), "s", "id"));
        for other in [
            key.identity(AccountId(2), "s", "id"),
            key.identity(AccountId(1), "S", "id"),
            key.identity(AccountId(1), "si", "d"),
            key.identity(AccountId(1), "s", "ID"),
            IdentityKey([2; 32]).identity(AccountId(1), "s", "id"),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn content_is_compared_by_value_and_names_the_field_that_differs() {
        let key = IdentityKey([1; 32]);
        let one = event("a", "2026-11-03T10:15:00Z");
        let same = UsageEvent { repository: Some("WEB".into()), username: Some("Mona".into()), ..one.clone() };
        assert_eq!(key.content(&one), key.content(&same));
        let table = [
            ("time", UsageEvent { time: time("2026-11-03T10:15:01Z"), ..one.clone() }),
            ("subject", UsageEvent { repository: None, ..one.clone() }),
            ("data.quantity", UsageEvent { quantity: billing::Quantity::whole(13), ..one.clone() }),
            ("data.username", UsageEvent { username: None, ..one.clone() }),
            ("data.visibility", UsageEvent { visibility: billing::Visibility::Internal, ..one.clone() }),
            ("data.model", UsageEvent { model: Some("x".into()), ..one.clone() }),
        ];
        for (field, other) in table {
            assert_ne!(key.content(&one), key.content(&other), "{field}");
            assert_eq!(differing_field(&one, &other), field);
            assert_eq!(differing_field(&other, &one), field);
        }
    }
}
