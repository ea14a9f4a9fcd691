//! Enterprises, organizations and users: who owns usage, who pays for it, who may look at it, and since when.
//!
//! An account keeps its id through renames. Everything that can change is a [`History`], because usage belongs to whoever held it
//! at the time of the usage (rulings A7). Reading and writing the accounts file is left to the program.

use crate::UtcTime;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The permanent id of an account within one ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountId(pub u32);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AccountKind {
    Enterprise,
    Organization,
    User,
}

impl fmt::Display for AccountKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AccountKind::Enterprise => "enterprise",
            AccountKind::Organization => "organization",
            AccountKind::User => "user",
        })
    }
}

/// What a user is to an account, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    Owner,
    BillingManager,
    Member,
}

/// The values that something had over time. The first value holds from the beginning; a later one from its `since`. Of all values
/// that were written so far, the last written whose `since` is not later decides (rulings A6, A7).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct History<T> {
    entries: Vec<(Option<UtcTime>, T)>,
}

impl<T> Default for History<T> {
    fn default() -> History<T> {
        History { entries: Vec::new() }
    }
}

impl<T> History<T> {
    /// Adds a value in the order of writing. `None` holds from the beginning.
    pub fn write(&mut self, since: Option<UtcTime>, value: T) {
        self.entries.push((since, value));
    }

    /// Whether this value, and no other, holds from an instant on.
    #[must_use]
    pub fn holds_from(&self, time: UtcTime, value: &T) -> bool
    where
        T: PartialEq,
    {
        let changes = self.entries.iter().filter_map(|entry| entry.0).filter(|since| *since > time);
        std::iter::once(time).chain(changes).all(|since| self.at(since) == Some(value))
    }

    /// The instants from which later values hold.
    pub fn changes(&self) -> impl Iterator<Item = UtcTime> {
        self.entries.iter().filter_map(|entry| entry.0)
    }

    /// Every value that was ever written, in the order of writing.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The value at an instant; nothing when none was ever written.
    #[must_use]
    pub fn at(&self, time: UtcTime) -> Option<&T> {
        let holds = |entry: &&(Option<UtcTime>, T)| entry.0.is_none_or(|since| since <= time);
        self.entries.iter().rev().find(holds).or(self.entries.first()).map(|entry| &entry.1)
    }
}

#[derive(Debug, Clone)]
pub struct Account {
    pub id: AccountId,
    pub kind: AccountKind,
    /// The login or slug as it is shown, the present one last; the others are former names that still resolve.
    pub logins: Vec<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub plan: History<String>,
    /// For an organization: the enterprise that it belongs to.
    pub enterprise: History<Option<AccountId>>,
    pub owners: History<Vec<AccountId>>,
    pub billing_managers: History<Vec<AccountId>>,
    pub members: History<Vec<AccountId>>,
}

impl Account {
    #[must_use]
    pub fn new(id: AccountId, kind: AccountKind, login: String) -> Account {
        Account {
            id,
            kind,
            logins: vec![login],
            name: None,
            email: None,
            plan: History::default(),
            enterprise: History::default(),
            owners: History::default(),
            billing_managers: History::default(),
            members: History::default(),
        }
    }

    /// The present login or slug.
    #[must_use]
    pub fn login(&self) -> &str {
        self.logins.last().map_or("", String::as_str)
    }

    /// The strongest role that a user has here at an instant.
    #[must_use]
    pub fn role_of(&self, user: AccountId, time: UtcTime) -> Option<Role> {
        let held = |history: &History<Vec<AccountId>>| history.at(time).is_some_and(|users| users.contains(&user));
        if held(&self.owners) {
            Some(Role::Owner)
        } else if held(&self.billing_managers) {
            Some(Role::BillingManager)
        } else if held(&self.members) {
            Some(Role::Member)
        } else {
            None
        }
    }
}

/// All accounts. Organizations and users share one space of names, enterprises have another (as on GitHub).
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    accounts: BTreeMap<AccountId, Account>,
    slugs: BTreeMap<String, AccountId>,
    logins: BTreeMap<String, AccountId>,
}

impl Accounts {
    /// Adds or replaces an account. Its present and former names resolve to it from now on; a name that another account took later
    /// belongs to the later one.
    pub fn put(&mut self, account: Account) {
        let names = if account.kind == AccountKind::Enterprise { &mut self.slugs } else { &mut self.logins };
        for former in &account.logins {
            names.entry(folded(former)).or_insert(account.id);
        }
        names.insert(folded(account.login()), account.id);
        self.accounts.insert(account.id, account);
    }

    #[must_use]
    pub fn get(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id)
    }

    pub fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(&id)
    }

    pub fn iter(&self) -> impl Iterator<Item = &Account> {
        self.accounts.values()
    }

    /// The enterprise of a slug, compared without case, former slugs included.
    #[must_use]
    pub fn enterprise(&self, slug: &str) -> Option<&Account> {
        self.slugs.get(&folded(slug)).and_then(|id| self.get(*id))
    }

    /// The organization or user of a login, compared without case, former logins included.
    #[must_use]
    pub fn owner(&self, login: &str) -> Option<&Account> {
        self.logins.get(&folded(login)).and_then(|id| self.get(*id))
    }

    /// The enterprise that an organization belonged to at an instant.
    #[must_use]
    pub fn enterprise_of(&self, organization: AccountId, time: UtcTime) -> Option<AccountId> {
        self.get(organization).and_then(|account| account.enterprise.at(time).copied().flatten())
    }

    /// Who pays for an owner's usage of an instant: its enterprise then, else itself.
    #[must_use]
    pub fn payer(&self, owner: AccountId, time: UtcTime) -> AccountId {
        self.enterprise_of(owner, time).unwrap_or(owner)
    }

    /// Everybody who may have paid for an owner's usage at some time: itself and each enterprise that it ever belonged to.
    #[must_use]
    pub fn payers(&self, owner: AccountId) -> BTreeSet<AccountId> {
        let enterprises = self.get(owner).into_iter().flat_map(|account| account.enterprise.values().copied().flatten());
        enterprises.chain([owner]).collect()
    }

    /// A user's name as it counts in pools: the present login of the account that the name resolves to, else the name itself,
    /// both without case.
    #[must_use]
    pub fn user_key(&self, username: &str) -> String {
        self.owner(username).map_or_else(|| folded(username), |account| folded(account.login()))
    }
}

/// A name as it is compared: without case (rulings B15).
#[must_use]
pub fn folded(name: &str) -> String {
    if name.is_ascii() { name.to_ascii_lowercase() } else { name.to_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn time(text: &str) -> UtcTime {
        UtcTime::parse(text).unwrap()
    }

    #[test]
    fn the_first_value_holds_from_the_beginning_and_the_last_written_wins() {
        let mut plan = History::default();
        assert_eq!(plan.at(time("2026-01-01T00:00:00Z")), None);
        plan.write(Some(time("2026-03-01T00:00:00Z")), "team");
        plan.write(Some(time("2026-06-01T00:00:00Z")), "ghec");
        plan.write(Some(time("2026-05-01T00:00:00Z")), "pro");
        for (at, held) in [
            ("2025-01-01T00:00:00Z", "team"),
            ("2026-04-30T23:59:59Z", "team"),
            ("2026-05-01T00:00:00Z", "pro"),
            ("2026-07-01T00:00:00Z", "pro"),
        ] {
            assert_eq!(plan.at(time(at)), Some(&held), "{at}");
        }
    }

    #[test]
    fn former_names_resolve_without_case_until_somebody_else_takes_them() {
        let mut accounts = Accounts::default();
        let mut acme = Account::new(AccountId(1), AccountKind::Organization, "Acme-Old".into());
        acme.logins.push("Acme".into());
        accounts.put(acme);
        assert_eq!(accounts.owner("ACME").map(|account| account.id), Some(AccountId(1)));
        assert_eq!(accounts.owner("acme-old").map(Account::login), Some("Acme"));
        accounts.put(Account::new(AccountId(2), AccountKind::User, "acme-old".into()));
        assert_eq!(accounts.owner("Acme-OLD").map(|account| account.id), Some(AccountId(2)));
        assert!(accounts.enterprise("acme").is_none());
    }

    #[test]
    fn payers_are_the_owner_and_all_its_enterprises() {
        let mut accounts = Accounts::default();
        let mut acme = Account::new(AccountId(1), AccountKind::Organization, "acme".into());
        for enterprise in [None, Some(AccountId(9)), Some(AccountId(8)), Some(AccountId(9))] {
            acme.enterprise.write(Some(time("2026-03-01T00:00:00Z")), enterprise);
        }
        accounts.put(acme);
        assert_eq!(accounts.payers(AccountId(1)), [1, 8, 9].map(AccountId).into());
    }
}
