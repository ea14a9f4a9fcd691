//! Which account an entry means: a known one, a known one under a new login, or a new one.
//!
//! Renames are settled first and together, so that in one file an account may take a name that another one gives up.

use super::draft::Draft;
use super::refusal::{Entry, Place, Problem};
use super::{AccountEntry, What};
use crate::StoreError;
use crate::facts::FactBody;
use billing::account::{Account, AccountKind, Accounts, folded};
use billing::{AccountId, Facts};
use std::collections::{BTreeMap, BTreeSet};

const LOGIN_LENGTH_MAX: usize = 100;

/// GitHub's letters, digits and hyphens, the underscore of its managed users, and the dot that other forges allow.
pub(super) fn is_login(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= LOGIN_LENGTH_MAX && text.bytes().all(allowed)
}

/// Enterprises have names of their own; organizations and users share theirs.
fn named<'a>(accounts: &'a Accounts, kind: AccountKind, login: &str) -> Option<&'a Account> {
    if kind == AccountKind::Enterprise { accounts.enterprise(login) } else { accounts.owner(login) }
}

/// The account whose present login this is.
fn presently_named<'a>(accounts: &'a Accounts, kind: AccountKind, login: &str) -> Option<&'a Account> {
    named(accounts, kind, login).filter(|account| folded(account.login()) == folded(login))
}

/// Renames and creates accounts. Gives the account of each entry; none where the entry is refused.
pub(super) fn settle(draft: &mut Draft, entries: &[AccountEntry]) -> Result<Vec<Option<AccountId>>, StoreError> {
    let usable = check_logins(draft, entries);
    let renamed = renames(&draft.facts, entries, &usable);
    let mut accounts: Vec<Option<AccountId>> = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let direct = presently_named(&draft.facts.accounts, entry.kind, &entry.login).map(|account| account.id);
        let direct = direct.filter(|id| !renamed.values().any(|moved| moved == id));
        accounts.push(if usable[place] { renamed.get(&place).copied().or(direct) } else { None });
    }
    let refused = check_names(draft, entries, &usable, &accounts);
    for (place, entry) in entries.iter().enumerate() {
        if !usable[place] || refused.contains(&place) {
            accounts[place] = None;
            continue;
        }
        // Renames free their old names before another entry may create an account of that name.
        if let Some(account) = accounts[place] {
            write_login(draft, account, &entry.login)?;
        }
    }
    for (place, entry) in entries.iter().enumerate() {
        if usable[place] && !refused.contains(&place) {
            let account = accounts[place].map_or_else(|| draft.create(entry.kind, &entry.login), Ok)?;
            write_former_logins(draft, account, &entry.previous_logins)?;
            accounts[place] = Some(account);
        }
    }
    Ok(accounts)
}

/// Which entries have a login that an account can have and that no entry before them has.
fn check_logins(draft: &mut Draft, entries: &[AccountEntry]) -> Vec<bool> {
    let mut first: BTreeMap<(bool, String), usize> = BTreeMap::new();
    let mut usable = Vec::with_capacity(entries.len());
    for (place, entry) in entries.iter().enumerate() {
        let before = draft.refusals.len();
        let logins = std::iter::once(("login".to_owned(), &entry.login));
        let previous = entry.previous_logins.iter().enumerate().map(|(item, login)| (format!("previous_logins[{item}]"), login));
        for (key, login) in logins.chain(previous).filter(|(_, login)| !is_login(login)) {
            draft.refuse(Entry::Account(place), key, Problem::BadLogin(login.clone()));
        }
        let name = (entry.kind == AccountKind::Enterprise, folded(&entry.login));
        match first.get(&name) {
            None => {
                first.insert(name, place);
            }
            Some(earlier) => {
                let first = Place { entry: Entry::Account(*earlier), key: "login".to_owned() };
                draft.refuse(Entry::Account(place), "login", Problem::Twice { name: entry.login.clone(), first });
            }
        }
        usable.push(draft.refusals.len() == before);
    }
    usable
}

/// The entries that give a known account a new login. An entry's login may be one that another rename frees, so the search goes on
/// until nothing is found any more: at most once for each entry.
fn renames(facts: &Facts, entries: &[AccountEntry], usable: &[bool]) -> BTreeMap<usize, AccountId> {
    let mut renamed: BTreeMap<usize, AccountId> = BTreeMap::new();
    let mut moved: BTreeSet<AccountId> = BTreeSet::new();
    loop {
        let before = renamed.len();
        for (place, entry) in entries.iter().enumerate().filter(|(place, _)| usable[*place]) {
            let present = |login: &str| {
                let account = presently_named(&facts.accounts, entry.kind, login);
                account.filter(|account| !moved.contains(&account.id))
            };
            if renamed.contains_key(&place) || present(&entry.login).is_some() {
                continue;
            }
            let former = entry.previous_logins.iter().filter_map(|login| present(login));
            if let Some(account) = former.into_iter().find(|account| account.kind == entry.kind) {
                renamed.insert(place, account.id);
                moved.insert(account.id);
            }
        }
        if renamed.len() == before {
            return renamed;
        }
    }
}

/// The entries whose names belong to another account.
fn check_names(draft: &mut Draft, entries: &[AccountEntry], usable: &[bool], accounts: &[Option<AccountId>]) -> BTreeSet<usize> {
    let described: BTreeSet<AccountId> = accounts.iter().flatten().copied().collect();
    let mut problems = Vec::new();
    for (place, entry) in entries.iter().enumerate().filter(|(place, _)| usable[*place]) {
        if let Some(problem) = problem_of_login(&draft.facts.accounts, entry, accounts[place], &described) {
            problems.push((place, "login".to_owned(), problem));
        }
        for (item, previous) in entry.previous_logins.iter().enumerate() {
            if let Some(problem) = problem_of_previous(&draft.facts.accounts, entry, accounts[place], previous) {
                problems.push((place, format!("previous_logins[{item}]"), problem));
            }
        }
    }
    let refused = problems.iter().map(|(place, _, _)| *place).collect();
    for (place, key, problem) in problems {
        draft.refuse(Entry::Account(place), key, problem);
    }
    refused
}

fn problem_of_login(
    accounts: &Accounts,
    entry: &AccountEntry,
    account: Option<AccountId>,
    described: &BTreeSet<AccountId>,
) -> Option<Problem> {
    let login = entry.login.clone();
    if let Some(account) = account.and_then(|id| accounts.get(id)) {
        return (account.kind != entry.kind).then_some(Problem::OtherKind { login, is: account.kind });
    }
    let former = named(accounts, entry.kind, &entry.login).filter(|former| !described.contains(&former.id))?;
    Some(Problem::Former { login, kind: former.kind, present: former.login().to_owned() })
}

fn problem_of_previous(accounts: &Accounts, entry: &AccountEntry, account: Option<AccountId>, previous: &str) -> Option<Problem> {
    let holder = named(accounts, entry.kind, previous)?;
    let own = account.and_then(|id| accounts.get(id));
    let was_own = own.is_some_and(|own| own.logins.iter().any(|login| folded(login) == folded(previous)));
    let other = Some(holder.id) != account && !was_own;
    other.then(|| Problem::OfAnother { previous: previous.to_owned(), kind: holder.kind, present: holder.login().to_owned() })
}

fn write_login(draft: &mut Draft, account: AccountId, login: &str) -> Result<(), StoreError> {
    let before = draft.login(account);
    if before == login {
        return Ok(());
    }
    draft.write(Some(account), None, FactBody::Login(login.to_owned()))?;
    let what = What::Changed { key: "login", before: Some(before), after: Some(login.to_owned()), since: None };
    draft.tell(account, "login", login.to_owned(), what);
    Ok(())
}

/// Names that the account had before this program knew it: usage under them is its usage.
fn write_former_logins(draft: &mut Draft, account: AccountId, previous_logins: &[String]) -> Result<(), StoreError> {
    for previous in previous_logins {
        let known = draft.facts.accounts.get(account).into_iter().flat_map(|account| &account.logins);
        if known.into_iter().any(|login| folded(login) == folded(previous)) {
            continue;
        }
        draft.write(Some(account), None, FactBody::FormerLogin(previous.clone()))?;
        let what = What::Members { key: "previous_logins", added: vec![previous.clone()], removed: Vec::new(), since: None };
        draft.tell(account, "previous_logins", previous.clone(), what);
    }
    Ok(())
}
