//! Accounts, plans, seats and price versions as an operator describes them, and the facts that bring a folder there.
//!
//! A description is declarative: applied twice it changes nothing, and what it does not mention stays as it is. All of it is
//! applied in one transaction, or, when anything is wrong, nothing and every mistake is told. Reading the description from a file
//! is left to the program. Start at [`apply`].

mod change;
mod draft;
mod names;
mod price_versions;
mod refusal;
mod values;

pub use change::{Change, What};
pub use refusal::{Entry, Place, Problem, Refusal};

use crate::{FactsDatabase, StoreError};
use billing::account::AccountKind;
use billing::allowance::Included;
use billing::price_book::draft::PriceVersionDraft;
use billing::{Facts, UtcTime};
use draft::Draft;

/// The plan of a user that is only mentioned, and of an account that is described without one.
const PLAN_OF_A_NEW_USER: &str = "free_user";
const PLAN_OF_A_NEW_ORGANIZATION: &str = "free_org";
const PLAN_OF_A_NEW_ENTERPRISE: &str = "ghec";

/// What an operator wants the folder to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccountsFile {
    pub accounts: Vec<AccountEntry>,
    pub plans: Vec<PlanEntry>,
    pub seats: Vec<SeatEntry>,
    pub price_versions: Vec<PriceVersionDraft>,
}

/// One account. What is absent stays as it is; a new account without a plan gets the free one of its kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountEntry {
    pub kind: AccountKind,
    /// The login, of an enterprise the slug.
    pub login: String,
    /// Former logins: an account that has one of them is renamed.
    pub previous_logins: Vec<String>,
    pub name: Option<String>,
    pub email: Option<String>,
    pub plan: Option<String>,
    /// The enterprise that an organization belongs to; `Some(None)` lets it leave.
    pub enterprise: Option<Option<String>>,
    pub owners: Option<Vec<String>>,
    pub billing_managers: Option<Vec<String>>,
    pub members: Option<Vec<String>>,
    /// From when on values hold that are changed now; absent, from now on.
    pub since: Option<UtcTime>,
}

impl AccountEntry {
    #[must_use]
    pub fn new(kind: AccountKind, login: &str) -> AccountEntry {
        AccountEntry {
            kind,
            login: login.to_owned(),
            previous_logins: Vec::new(),
            name: None,
            email: None,
            plan: None,
            enterprise: None,
            owners: None,
            billing_managers: None,
            members: None,
            since: None,
        }
    }
}

/// A plan of the operator's own, or other quantities for a built-in one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanEntry {
    pub name: String,
    pub included: Option<Included>,
    pub since: Option<UtcTime>,
}

/// A Copilot licence. User, organization, plan and beginning say which; an absent end stays as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeatEntry {
    pub user: String,
    /// Absent for a user who bought the licence.
    pub organization: Option<String>,
    pub plan: String,
    pub since: UtcTime,
    pub until: Option<UtcTime>,
}

#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// Nothing was changed; each refusal names its place.
    #[error("{} in the description; nothing was changed", mistakes(.0.len()))]
    Refused(Vec<Refusal>),
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn mistakes(count: usize) -> String {
    if count == 1 { "one mistake".to_owned() } else { format!("{count} mistakes") }
}

/// Brings the folder to what the file describes, and tells what that changed: nothing, the second time.
///
/// # Errors
/// When the file contradicts itself or the folder, or the folder cannot be written; then nothing was changed.
pub fn apply(facts: &FactsDatabase, file: &AccountsFile, now: UtcTime) -> Result<Vec<Change>, ApplyError> {
    facts.append(now, |present| {
        let draft = drafted(present, file, now)?;
        Ok((draft.new_facts, draft.changes))
    })
}

/// Whether [`apply`] would take the file, without a folder and without a change.
///
/// # Errors
/// As [`apply`].
pub fn check(facts: &Facts, file: &AccountsFile, now: UtcTime) -> Result<(), ApplyError> {
    drafted(facts, file, now).map(drop)
}

/// What a folder with these facts would know if the file were applied. The result has the number of no stored facts.
///
/// # Errors
/// As [`apply`].
pub fn foresee(facts: &Facts, file: &AccountsFile, now: UtcTime) -> Result<Facts, ApplyError> {
    drafted(facts, file, now).map(|draft| draft.facts)
}

fn drafted(present: &Facts, file: &AccountsFile, now: UtcTime) -> Result<Draft, ApplyError> {
    let mut draft = Draft::new(present.clone(), now);
    // First, so that plans can include the pools of new versions.
    price_versions::write_price_versions(&mut draft, &file.price_versions)?;
    values::write_plans(&mut draft, &file.plans)?;
    let accounts = names::settle(&mut draft, &file.accounts)?;
    values::create_mentioned_users(&mut draft, file)?;
    for (place, entry) in file.accounts.iter().enumerate() {
        if let Some(account) = accounts[place] {
            values::write_account(&mut draft, place, entry, account)?;
        }
    }
    values::write_seats(&mut draft, &file.seats)?;
    if draft.refusals.is_empty() { Ok(draft) } else { Err(ApplyError::Refused(draft.refusals)) }
}

#[cfg(test)]
mod tests;
