//! What facts add up to, one after the other, and which of them touch lines that are already rated.
//!
//! A replay of the same rows always gives the same [`Facts`]; that is what makes a fact number a name for a state of knowledge.

use super::body::{Fact, FactBody};
use crate::StoreError;
use billing::account::{Account, AccountKind, folded};
use billing::{AccountId, Day, FactNumber, Facts, UtcTime};
use std::collections::BTreeMap;

/// The facts that touch lines, small beside all facts: enterprise memberships, names and price versions.
#[derive(Debug, Clone, Default)]
pub(crate) struct Touches {
    entries: Vec<Touch>,
    created: BTreeMap<AccountId, u64>,
}

#[derive(Debug, Clone, Copy)]
struct Touch {
    number: u64,
    from: Day,
    /// The fact that created the account: a state of knowledge before it has no usage of the account that could be touched.
    created: u64,
}

impl Touches {
    /// The touches of facts that go on from these, without those so far.
    pub(crate) fn of(facts: &Facts) -> Touches {
        Touches { entries: Vec::new(), created: facts.accounts.iter().map(|account| (account.id, 0)).collect() }
    }

    /// The first day that a fact with a number greater than `after` and at most `last` touches.
    pub(super) fn first_day(&self, after: FactNumber, last: FactNumber) -> Option<Day> {
        let start = self.entries.partition_point(|touch| touch.number <= after.0);
        let between = self.entries[start..].iter().take_while(|touch| touch.number <= last.0);
        between.filter(|touch| touch.created <= after.0).map(|touch| touch.from).min()
    }

    fn note(&mut self, number: u64, from: Day, created: u64) {
        self.entries.push(Touch { number, from, created });
    }
}

/// Adds one fact to what all facts before it add up to.
pub(crate) fn add(facts: &mut Facts, touches: &mut Touches, fact: Fact) -> Result<(), StoreError> {
    let Fact { number, account, effective_from: since, body } = fact;
    let id = || account.ok_or_else(|| missing(number));
    match body {
        FactBody::Created { kind, login } => create(facts, touches, number, Account::new(id()?, kind, login)),
        FactBody::Login(login) => {
            touches.note(number, Day::BEGINNING, 0);
            let other = |former: &String| folded(former) != folded(&login);
            let mut account = known(facts, id()?, number)?.clone();
            account.logins.retain(other);
            account.logins.push(login);
            facts.accounts.put(account);
        }
        FactBody::FormerLogin(login) => {
            touches.note(number, Day::BEGINNING, 0);
            let mut account = known(facts, id()?, number)?.clone();
            account.logins.insert(0, login);
            facts.accounts.put(account);
        }
        FactBody::Enterprise(enterprise) => {
            let created = touches.created.get(&id()?).copied().ok_or_else(|| missing(number))?;
            let history = &mut known(facts, id()?, number)?.enterprise;
            let first = history.at(UtcTime::MIN).is_none();
            let from = if first { None } else { since };
            touches.note(number, from.map_or(Day::BEGINNING, UtcTime::day), created);
            history.write(since, enterprise);
        }
        FactBody::Name(name) => known(facts, id()?, number)?.name = name,
        FactBody::Email(email) => known(facts, id()?, number)?.email = email,
        FactBody::Plan(plan) => known(facts, id()?, number)?.plan.write(since, plan),
        FactBody::Owners(users) => known(facts, id()?, number)?.owners.write(since, users),
        FactBody::BillingManagers(users) => known(facts, id()?, number)?.billing_managers.write(since, users),
        FactBody::Members(users) => known(facts, id()?, number)?.members.write(since, users),
        FactBody::Included { plan, included } => facts.plans.write(&plan, since, included),
        FactBody::Seat(seat) => facts.seats.put(seat),
        FactBody::PriceVersion(version) => {
            // Pools need no more: the rule of a month's pools is that of its first day.
            touches.note(number, version.effective_from, 0);
            facts.price_book.apply(*version);
        }
    }
    facts.number = FactNumber(number);
    Ok(())
}

fn create(facts: &mut Facts, touches: &mut Touches, number: u64, account: Account) {
    // Until now the name meant the account that had it before: usage under this name changes hands.
    if account.kind != AccountKind::Enterprise && facts.accounts.owner(account.login()).is_some() {
        touches.note(number, Day::BEGINNING, 0);
    }
    touches.created.insert(account.id, number);
    facts.accounts.put(account);
}

fn known(facts: &mut Facts, account: AccountId, number: u64) -> Result<&mut Account, StoreError> {
    facts.accounts.get_mut(account).ok_or_else(|| missing(number))
}

fn missing(number: u64) -> StoreError {
    StoreError::damaged("facts.db", format!("fact {number} is about an account that no fact before it created"))
}
