//! The values of accounts, plans and seats: what an entry says against what is known, and the facts that make up the difference.
//!
//! The first value of anything holds from the beginning, a changed one from the entry's `since` (rulings A7). Which account an entry
//! means is settled before, in [`super::names`].

use super::change::{Change, What, shortened};
use super::draft::Draft;
use super::names::is_login;
use super::refusal::{Entry, Place, Problem};
use super::{AccountEntry, AccountsFile, PlanEntry, SeatEntry};
use super::{PLAN_OF_A_NEW_ENTERPRISE, PLAN_OF_A_NEW_ORGANIZATION, PLAN_OF_A_NEW_USER};
use crate::StoreError;
use crate::facts::FactBody;
use billing::account::{Account, AccountKind, History};
use billing::allowance::{Included, Seat};
use billing::{AccountId, UtcTime};
use std::collections::{BTreeMap, BTreeSet};

const TEXT_LENGTH_MAX: usize = 255;
const PLAN_NAME_LENGTH_MAX: usize = 100;

pub(super) fn write_plans(draft: &mut Draft, entries: &[PlanEntry]) -> Result<(), StoreError> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        if let Some(earlier) = first.insert(&entry.name, place) {
            let first = Place { entry: Entry::Plan(earlier), key: "name".to_owned() };
            draft.refuse(Entry::Plan(place), "name", Problem::Twice { name: entry.name.clone(), first });
        } else if check_plan(draft, place, entry) {
            write_plan(draft, entry)?;
        }
    }
    Ok(())
}

fn check_plan(draft: &mut Draft, place: usize, entry: &PlanEntry) -> bool {
    let before = draft.refusals.len();
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    if entry.name.is_empty() || entry.name.len() > PLAN_NAME_LENGTH_MAX || !entry.name.bytes().all(allowed) {
        draft.refuse(Entry::Plan(place), "name", Problem::BadPlanName(entry.name.clone()));
    }
    let versions = draft.facts.price_book.versions().iter();
    let known: BTreeSet<String> = versions.flat_map(|version| version.pools.keys()).map(ToString::to_string).collect();
    let pools = entry.included.iter().flat_map(Included::keys).map(ToString::to_string);
    for pool in pools.filter(|pool| !known.contains(pool)) {
        let key = format!("included.{pool}");
        draft.refuse(Entry::Plan(place), key, Problem::UnknownPool { pool, known: known.iter().cloned().collect() });
    }
    draft.refusals.len() == before
}

fn write_plan(draft: &mut Draft, entry: &PlanEntry) -> Result<(), StoreError> {
    let shown = |included: &Included| {
        let pools: Vec<String> = included.iter().map(|(pool, quantity)| format!("{pool} {quantity}")).collect();
        if pools.is_empty() { "nothing".to_owned() } else { pools.join(", ") }
    };
    let since = entry.since.unwrap_or(draft.now);
    let before = draft.facts.plans.get(&entry.name, since).cloned();
    let (since, what, included) = match (before, &entry.included) {
        (Some(_), None) => return Ok(()),
        (Some(_), Some(after)) if draft.facts.plans.holds_from(&entry.name, since, after) => return Ok(()),
        (Some(before), Some(after)) => {
            let what = What::Changed { key: "included", before: Some(shown(&before)), after: Some(shown(after)), since: Some(since) };
            (Some(since), what, after.clone())
        }
        (None, included) => {
            let included = included.iter().flatten().map(|(pool, quantity)| (pool.clone(), *quantity)).collect();
            (None, What::Created(vec![("included", shown(&included))]), included)
        }
    };
    draft.write(None, since, FactBody::Included { plan: entry.name.clone(), included })?;
    draft.changes.push(Change { kind: "plan", name: entry.name.clone(), what });
    Ok(())
}

/// Users that are only named as owner, manager, member or holder of a seat need no entry of their own.
pub(super) fn create_mentioned_users(draft: &mut Draft, file: &AccountsFile) -> Result<(), StoreError> {
    for (place, entry) in file.accounts.iter().enumerate() {
        let lists = [("owners", &entry.owners), ("billing_managers", &entry.billing_managers), ("members", &entry.members)];
        for (key, logins) in lists {
            for (item, login) in logins.iter().flatten().enumerate() {
                mention(draft, Entry::Account(place), || format!("{key}[{item}]"), login)?;
            }
        }
    }
    for (place, entry) in file.seats.iter().enumerate() {
        mention(draft, Entry::Seat(place), || "user".to_owned(), &entry.user)?;
    }
    Ok(())
}

fn mention(draft: &mut Draft, entry: Entry, key: impl FnOnce() -> String, login: &str) -> Result<(), StoreError> {
    match draft.facts.accounts.owner(login).map(|account| account.kind) {
        Some(AccountKind::User) => {}
        Some(is) => draft.refuse(entry, key(), Problem::NotAUser { login: login.to_owned(), is }),
        None if !is_login(login) => draft.refuse(entry, key(), Problem::BadLogin(login.to_owned())),
        None => {
            let user = draft.create(AccountKind::User, login)?;
            write_plan_of(draft, user, PLAN_OF_A_NEW_USER, None)?;
        }
    }
    Ok(())
}

pub(super) fn write_account(draft: &mut Draft, place: usize, entry: &AccountEntry, account: AccountId) -> Result<(), StoreError> {
    let since = entry.since.unwrap_or(draft.now);
    let place = Entry::Account(place);
    let default = draft.is_new(account).then_some(match entry.kind {
        AccountKind::Enterprise => PLAN_OF_A_NEW_ENTERPRISE,
        AccountKind::Organization => PLAN_OF_A_NEW_ORGANIZATION,
        AccountKind::User => PLAN_OF_A_NEW_USER,
    });
    if let Some(plan) = entry.plan.as_deref().or(default)
        && check_plan_is_known(draft, place, plan)
    {
        write_plan_of(draft, account, plan, Some(since))?;
    }
    write_texts(draft, place, entry, account)?;
    if entry.kind == AccountKind::Organization {
        write_enterprise(draft, place, entry, account, since)?;
    }
    write_roles(draft, entry, account, since)
}

fn check_plan_is_known(draft: &mut Draft, place: Entry, plan: &str) -> bool {
    let known = draft.facts.plans.contains(plan);
    if !known {
        let known = draft.facts.plans.names().map(ToOwned::to_owned).collect();
        draft.refuse(place, "plan", Problem::UnknownPlan { plan: plan.to_owned(), known });
    }
    known
}

/// The instant that a value is written with, when it differs from what is known: the first value holds from the beginning.
fn since_of_change<T: PartialEq>(history: &History<T>, since: UtcTime, value: &T) -> Option<Option<UtcTime>> {
    match history.at(since) {
        None => Some(None),
        Some(_) if history.holds_from(since, value) => None,
        Some(_) => Some(Some(since)),
    }
}

fn write_plan_of(draft: &mut Draft, account: AccountId, plan: &str, since: Option<UtcTime>) -> Result<(), StoreError> {
    let Some(known) = draft.facts.accounts.get(account) else { return Ok(()) };
    let asked = since.unwrap_or(draft.now);
    let before = known.plan.at(asked).cloned();
    let Some(since) = since_of_change(&known.plan, asked, &plan.to_owned()) else { return Ok(()) };
    draft.write(Some(account), since, FactBody::Plan(plan.to_owned()))?;
    draft.tell(account, "plan", plan.to_owned(), What::Changed { key: "plan", before, after: Some(plan.to_owned()), since });
    Ok(())
}

fn write_texts(draft: &mut Draft, place: Entry, entry: &AccountEntry, account: AccountId) -> Result<(), StoreError> {
    let known = draft.facts.accounts.get(account);
    let (known_name, known_email) = (known.and_then(|known| known.name.clone()), known.and_then(|known| known.email.clone()));
    let is_text = |text: &str| text.chars().count() <= TEXT_LENGTH_MAX && !text.chars().any(char::is_control);
    if let Some(name) = entry.name.as_ref().filter(|name| known_name.as_ref() != Some(name)) {
        if is_text(name) {
            draft.write(Some(account), None, FactBody::Name(Some(name.clone())))?;
            let what = What::Changed { key: "name", before: known_name, after: Some(name.clone()), since: None };
            draft.tell(account, "name", name.clone(), what);
        } else {
            draft.refuse(place, "name", Problem::BadText);
        }
    }
    if let Some(email) = entry.email.as_ref().filter(|email| known_email.as_ref() != Some(email)) {
        if is_text(email) && is_email(email) {
            draft.write(Some(account), None, FactBody::Email(Some(email.clone())))?;
            let what = What::Changed { key: "email", before: known_email, after: Some(email.clone()), since: None };
            draft.tell(account, "email", email.clone(), what);
        } else {
            draft.refuse(place, "email", Problem::BadEmail(email.clone()));
        }
    }
    Ok(())
}

/// Enough to catch a slip; whether mail arrives there is known when it is sent.
fn is_email(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(local, host)| !local.is_empty() && !host.is_empty() && !host.contains('@')) && !text.contains(char::is_whitespace)
}

/// A new organization gets its enterprise, or that it has none, as its first value: joining later then begins when it begins.
fn write_enterprise(draft: &mut Draft, place: Entry, entry: &AccountEntry, account: AccountId, since: UtcTime) -> Result<(), StoreError> {
    let wanted = match &entry.enterprise {
        None if !draft.is_new(account) => return Ok(()),
        None | Some(None) => None,
        Some(Some(slug)) => match draft.facts.accounts.enterprise(slug) {
            Some(enterprise) => Some(enterprise.id),
            None => {
                let known = logins_of(draft, AccountKind::Enterprise);
                draft.refuse(place, "enterprise", Problem::UnknownEnterprise { enterprise: slug.clone(), known });
                return Ok(());
            }
        },
    };
    let Some(known) = draft.facts.accounts.get(account) else { return Ok(()) };
    let before = known.enterprise.at(since).copied().flatten().map(|id| draft.login(id));
    let Some(since) = since_of_change(&known.enterprise, since, &wanted) else { return Ok(()) };
    draft.write(Some(account), since, FactBody::Enterprise(wanted))?;
    let after = wanted.map(|id| draft.login(id));
    if after.is_some() || before.is_some() {
        let shown = after.clone().unwrap_or_else(|| "none".to_owned());
        draft.tell(account, "enterprise", shown, What::Changed { key: "enterprise", before, after, since });
    }
    Ok(())
}

fn logins_of(draft: &Draft, kind: AccountKind) -> Vec<String> {
    draft.facts.accounts.iter().filter(|account| account.kind == kind).map(|account| account.login().to_owned()).collect()
}

fn write_roles(draft: &mut Draft, entry: &AccountEntry, account: AccountId, since: UtcTime) -> Result<(), StoreError> {
    type HistoryOf = fn(&Account) -> &History<Vec<AccountId>>;
    type BodyOf = fn(Vec<AccountId>) -> FactBody;
    let roles: [(&'static str, &Option<Vec<String>>, HistoryOf, BodyOf); 3] = [
        ("owners", &entry.owners, |account| &account.owners, FactBody::Owners),
        ("billing_managers", &entry.billing_managers, |account| &account.billing_managers, FactBody::BillingManagers),
        ("members", &entry.members, |account| &account.members, FactBody::Members),
    ];
    for (key, logins, history_of, body_of) in roles {
        let (Some(logins), Some(known)) = (logins, draft.facts.accounts.get(account)) else { continue };
        // A login that is no user was refused where users that are only mentioned are created.
        let ids = logins.iter().filter_map(|login| draft.facts.accounts.owner(login)).map(|user| user.id);
        let wanted: Vec<AccountId> = ids.collect::<BTreeSet<AccountId>>().into_iter().collect();
        let history = history_of(known);
        let before = history.at(since).cloned();
        let Some(since) = since_of_change(history, since, &wanted) else { continue };
        let before = before.unwrap_or_else(Vec::new);
        draft.write(Some(account), since, body_of(wanted.clone()))?;
        let names = |ids: &[AccountId], without: &[AccountId]| -> Vec<String> {
            ids.iter().filter(|id| !without.contains(id)).map(|id| draft.login(*id)).collect()
        };
        let (added, removed, all) = (names(&wanted, &before), names(&before, &wanted), names(&wanted, &[]));
        if !all.is_empty() || !removed.is_empty() {
            draft.tell(account, key, shortened(&all), What::Members { key, added, removed, since });
        }
    }
    Ok(())
}

pub(super) fn write_seats(draft: &mut Draft, entries: &[SeatEntry]) -> Result<(), StoreError> {
    let mut first: BTreeMap<(AccountId, AccountId, &str, UtcTime), usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        let Some(seat) = seat_of(draft, place, entry) else { continue };
        match first.insert((seat.user, seat.organization, &entry.plan, seat.since), place) {
            Some(earlier) => {
                let first = Place { entry: Entry::Seat(earlier), key: "user".to_owned() };
                draft.refuse(Entry::Seat(place), "user", Problem::Twice { name: entry.user.clone(), first });
            }
            None => write_seat(draft, seat)?,
        }
    }
    Ok(())
}

/// The seat that an entry means, unless something about it is wrong.
fn seat_of(draft: &mut Draft, place: usize, entry: &SeatEntry) -> Option<Seat> {
    let place = Entry::Seat(place);
    let plan = check_plan_is_known(draft, place, &entry.plan);
    let ends = entry.until.filter(|until| *until <= entry.since);
    if let Some(until) = ends {
        draft.refuse(place, "until", Problem::EndsBeforeItBegins { since: entry.since, until });
    }
    let user = draft.facts.accounts.owner(&entry.user).filter(|user| user.kind == AccountKind::User).map(|user| user.id);
    let organization = match &entry.organization {
        None => user,
        Some(login) => organization_of_seat(draft, place, login),
    };
    let (user, organization) = (user?, organization?);
    let sound = plan && ends.is_none();
    sound.then(|| Seat { user, organization, plan: entry.plan.clone(), since: entry.since, until: entry.until })
}

fn organization_of_seat(draft: &mut Draft, place: Entry, login: &str) -> Option<AccountId> {
    let problem = match draft.facts.accounts.owner(login) {
        Some(account) if account.kind == AccountKind::Organization => return Some(account.id),
        Some(_) => Problem::NotAnOrganization(login.to_owned()),
        None => Problem::UnknownOrganization { organization: login.to_owned(), known: logins_of(draft, AccountKind::Organization) },
    };
    draft.refuse(place, "organization", problem);
    None
}

fn write_seat(draft: &mut Draft, seat: Seat) -> Result<(), StoreError> {
    let known = draft.facts.seats.same(&seat).cloned();
    let name = draft.login(seat.user);
    let shown = |until: Option<UtcTime>| until.map(|until| until.to_string());
    let what = match known {
        Some(known) if seat.until.is_none() || known.until == seat.until => return Ok(()),
        Some(known) => What::Changed { key: "until", before: shown(known.until), after: shown(seat.until), since: None },
        None => {
            let mut values =
                vec![("plan", seat.plan.clone()), ("organization", draft.login(seat.organization)), ("since", seat.since.to_string())];
            values.retain(|(key, _)| *key != "organization" || seat.organization != seat.user);
            values.extend(shown(seat.until).map(|until| ("until", until)));
            What::Created(values)
        }
    };
    draft.write(None, None, FactBody::Seat(seat))?;
    draft.changes.push(Change { kind: "copilot_seat", name, what });
    Ok(())
}
