//! The state of knowledge that a description leads to, built fact by fact before anything is written.
//!
//! Each fact is added to the draft in the way that a replay will add it, so that later entries see what earlier ones did.

use super::change::{Change, What};
use super::refusal::{Entry, Place, Problem, Refusal};
use crate::StoreError;
use crate::facts::body::Fact;
use crate::facts::replay::{self, Touches};
use crate::facts::{FactBody, NewFact};
use billing::account::AccountKind;
use billing::{AccountId, Facts, UtcTime};
use std::collections::BTreeMap;

pub(super) struct Draft {
    pub(super) facts: Facts,
    pub(super) now: UtcTime,
    pub(super) new_facts: Vec<NewFact>,
    pub(super) changes: Vec<Change>,
    pub(super) refusals: Vec<Refusal>,
    touches: Touches,
    last_id: AccountId,
    /// The accounts that are new, with the places of their changes.
    created: BTreeMap<AccountId, usize>,
}

impl Draft {
    pub(super) fn new(facts: Facts, now: UtcTime) -> Draft {
        let touches = Touches::of(&facts);
        // Ids are counted up from 1 and never given again: no account is ever deleted.
        let last_id = facts.accounts.iter().map(|account| account.id).max().unwrap_or(AccountId(0));
        let (new_facts, changes, refusals) = (Vec::new(), Vec::new(), Vec::new());
        Draft { facts, now, new_facts, changes, refusals, touches, last_id, created: BTreeMap::new() }
    }

    pub(super) fn refuse(&mut self, entry: Entry, key: impl Into<String>, problem: Problem) {
        self.refusals.push(Refusal { place: Place { entry, key: key.into() }, problem });
    }

    pub(super) fn write(&mut self, account: Option<AccountId>, effective_from: Option<UtcTime>, body: FactBody) -> Result<(), StoreError> {
        let number = self.facts.number.0.checked_add(1).ok_or(StoreError::Overflow)?;
        replay::add(&mut self.facts, &mut self.touches, Fact { number, account, effective_from, body: body.clone() })?;
        self.new_facts.push(NewFact { account, effective_from, body });
        Ok(())
    }

    /// Creates an account that is nothing yet but its login.
    pub(super) fn create(&mut self, kind: AccountKind, login: &str) -> Result<AccountId, StoreError> {
        let id = AccountId(self.last_id.0.checked_add(1).ok_or(StoreError::Overflow)?);
        self.last_id = id;
        self.write(Some(id), None, FactBody::Created { kind, login: login.to_owned() })?;
        self.created.insert(id, self.changes.len());
        self.changes.push(Change { kind: kind_word(kind), name: login.to_owned(), what: What::Created(Vec::new()) });
        Ok(id)
    }

    pub(super) fn is_new(&self, account: AccountId) -> bool {
        self.created.contains_key(&account)
    }

    /// Tells of a value: as a detail of an account that is new, else as a change of its own.
    pub(super) fn tell(&mut self, account: AccountId, key: &'static str, shown: String, what: What) {
        if let Some(place) = self.created.get(&account) {
            if let What::Created(values) = &mut self.changes[*place].what {
                values.push((key, shown));
            }
        } else if let Some(known) = self.facts.accounts.get(account) {
            let change = Change { kind: kind_word(known.kind), name: known.login().to_owned(), what };
            self.changes.push(change);
        }
    }

    pub(super) fn login(&self, account: AccountId) -> String {
        self.facts.accounts.get(account).map_or_else(|| format!("account {}", account.0), |account| account.login().to_owned())
    }
}

fn kind_word(kind: AccountKind) -> &'static str {
    match kind {
        AccountKind::Enterprise => "enterprise",
        AccountKind::Organization => "organization",
        AccountKind::User => "user",
    }
}
