//! Identity: which event is the same as which. Exact, for every event ever accepted, without a horizon.
//!
//! An event is the same when owner account, source and id are: 16 bytes of BLAKE3, keyed with the ledger's own random key so that
//! nobody can construct two events with one identity. Beside it stand 8 bytes of hash of its content, which tell a harmless repeat
//! from a conflict. The ids of the tail are held in memory; those of sealed events in id files ([`super::id_file`]).

use billing::account::folded;
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
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&owner.0.to_le_bytes());
        for field in [source, id] {
            hash_text(&mut hasher, field);
        }
        let mut bytes = [0; 16];
        hasher.finalize_xof().fill(&mut bytes);
        Identity(bytes)
    }

    /// A hash of what the event says beside its identity, in canonical form: numbers by value, names that compare without case
    /// folded, absent values apart from empty ones (rulings B14).
    pub(crate) fn content(&self, event: &UsageEvent) -> u64 {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        for (field, value) in content_fields(event) {
            hash_text(&mut hasher, field);
            hash_text(&mut hasher, &value);
        }
        let mut bytes = [0; 8];
        hasher.finalize_xof().fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&u64::try_from(text.len()).expect("a length fits 64 bits").to_le_bytes());
    hasher.update(text.as_bytes());
}

/// The present content fields of an event, by the name that its sender knows them by. A job's SKU and minutes follow from its other
/// fields and from rules that may change, so they are not content.
fn content_fields(event: &UsageEvent) -> Vec<(&'static str, String)> {
    let mut fields = vec![("type", if event.job.is_some() { "ci.job.completed" } else { "usage.recorded" }.to_owned())];
    fields.push(("time", event.time.microseconds().to_string()));
    let mut optional = |name: &'static str, value: Option<String>| fields.extend(value.map(|value| (name, value)));
    optional("subject", event.repository.as_deref().map(folded));
    optional("data.username", event.username.as_deref().map(folded));
    optional("data.workflow_path", event.workflow_path.as_deref().map(str::to_owned));
    optional("data.visibility", Some(event.visibility.as_str().to_owned()));
    match &event.job {
        None => {
            let tokens = event.tokens;
            let count = |count: u64| (count != 0).then(|| count.to_string());
            optional("data.sku", Some(event.sku.to_string()));
            optional("data.quantity", Some(event.quantity.billionths().to_string()));
            optional("data.model", event.model.as_deref().map(str::to_owned));
            optional("data.input_tokens", count(tokens.input));
            optional("data.output_tokens", count(tokens.output));
            optional("data.cache_read_tokens", count(tokens.cache_read));
            optional("data.cache_write_tokens", count(tokens.cache_write));
        }
        Some(job) => {
            let labels: Vec<&str> = job.runner_labels.iter().map(|label| &**label).collect();
            optional("data.runner_labels", Some(labels.join("\n")));
            optional("data.runner_group", job.runner_group.as_deref().map(str::to_owned));
            optional("data.conclusion", job.conclusion.as_deref().map(str::to_owned));
            optional("data.run_id", Some(job.run_id.to_string()));
            optional("data.run_attempt", Some(job.run_attempt.to_string()));
            optional("data.job_id", Some(job.job_id.to_string()));
            optional("data.started_at", job.started_at.map(|time| time.microseconds().to_string()));
            optional("data.completed_at", Some(job.completed_at.microseconds().to_string()));
        }
    }
    fields
}

/// The first field in which two events of one identity differ.
pub(crate) fn differing_field(stored: &UsageEvent, sent: &UsageEvent) -> &'static str {
    let (stored, sent) = (content_fields(stored), content_fields(sent));
    let differs = |one: &[(&'static str, String)], other: &[(&'static str, String)]| {
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
