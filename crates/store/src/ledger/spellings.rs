//! How names were first written, for the committer to write them so again.
//!
//! Almost every name comes as it came before, so that exact form is looked up first, without folding its case.

use super::manifest::{NameKey, NameKind};
use billing::account::folded;
use billing::{AccountId, Name};
use std::collections::{BTreeMap, HashMap};

#[derive(Debug, Default)]
pub(crate) struct Spellings {
    /// By owner, for each kind: the first written form of each name, by its folded form.
    names: HashMap<(NameKind, AccountId), HashMap<String, Name>>,
    /// First written forms by themselves.
    exact: HashMap<(NameKind, AccountId), HashMap<Name, Name>>,
}

impl Spellings {
    pub(crate) fn of(stored: BTreeMap<NameKey, Name>) -> Spellings {
        let mut spellings = Spellings::default();
        spellings.add(stored);
        spellings
    }

    pub(crate) fn add(&mut self, more: BTreeMap<NameKey, Name>) {
        for (NameKey { kind, owner, folded }, name) in more {
            self.exact.entry((kind, owner)).or_default().insert(name.clone(), name.clone());
            self.names.entry((kind, owner)).or_default().insert(folded, name);
        }
    }

    pub(crate) fn first(&self, kind: NameKind, owner: AccountId, name: &str) -> Option<Name> {
        if let Some(first) = self.exact.get(&(kind, owner)).and_then(|names| names.get(name)) {
            return Some(first.clone());
        }
        self.names.get(&(kind, owner)).and_then(|names| names.get(&folded(name))).cloned()
    }
}
