//! Who calls, and what they may do: one decision over the kind of operation, the token and the caller's standing with the account.
//!
//! The choice of 401, 403 and 404 follows what GitHub was seen to do: who may not know of an account gets 404; a classic token without
//! the scope gets 404, a fine-grained one without the permission 403; a member without the role gets 403 for an enterprise and 404
//! for an organization (rulings C20). Reading the credential is left to [`super::admission`]; start at [`decide`].

use super::error::ApiError;
use crate::app::App;
use billing::account::Account;
use billing::{AccountId, AccountKind, Facts, Role, UtcTime};
use std::sync::Arc;
use store::tokens::{Access, Grant, Token};

/// What an operation needs of its caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OperationKind {
    /// Looks at no credential: health, signed downloads.
    Open,
    /// Needs none, but refuses a wrong one.
    Public,
    /// Reads the billing of an organization.
    Organization,
    /// Reads the billing of the user who asks.
    User,
    /// Reads the billing of an enterprise.
    EnterpriseRead,
    /// Changes something about the billing of an enterprise.
    EnterpriseWrite,
    /// Sends usage.
    Usage,
    /// Lists usage that waits for a price: of all accounts whose billing the caller may see or whose usage the caller may send.
    Unrated,
}

impl OperationKind {
    /// The scopes of classic tokens, any of which will do, in the order of `x-accepted-oauth-scopes`.
    pub(crate) fn scopes(self) -> &'static [&'static str] {
        match self {
            OperationKind::Open | OperationKind::Public => &[],
            OperationKind::Organization => &["admin:org", "repo"],
            OperationKind::User => &["user"],
            OperationKind::EnterpriseRead | OperationKind::EnterpriseWrite => &["admin:enterprise", "manage_billing:enterprise"],
            OperationKind::Usage => &["usage:write"],
            OperationKind::Unrated => &["admin:enterprise", "admin:org", "manage_billing:enterprise", "repo", "usage:write", "user"],
        }
    }

    /// The permissions of fine-grained tokens, any of which will do. GitHub's pages name `enterprise_administration` for reports, its
    /// newer description `enterprise_billing` for reading them as well.
    pub(crate) fn permissions(self) -> &'static [(&'static str, Access)] {
        match self {
            OperationKind::Open | OperationKind::Public => &[],
            OperationKind::Organization => &[("organization_administration", Access::Read)],
            OperationKind::User => &[("plan", Access::Read)],
            OperationKind::EnterpriseRead => &[("enterprise_administration", Access::Write), ("enterprise_billing", Access::Read)],
            OperationKind::EnterpriseWrite => &[("enterprise_administration", Access::Write)],
            OperationKind::Usage => &[("usage", Access::Write)],
            OperationKind::Unrated => &[
                ("organization_administration", Access::Read),
                ("plan", Access::Read),
                ("enterprise_administration", Access::Write),
                ("enterprise_billing", Access::Read),
                ("usage", Access::Write),
            ],
        }
    }

    /// Whether a token covers this kind of operation on any account at all.
    fn is_covered_by(self, grant: &Grant) -> bool {
        match grant {
            Grant::Scopes(scopes) => self.scopes().iter().any(|scope| scopes.contains(*scope)),
            Grant::Permissions(permissions) => {
                self.permissions().iter().any(|(name, least)| permissions.get(*name).is_some_and(|granted| granted >= least))
            }
        }
    }
}

/// What a user is to an account, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Standing {
    Stranger,
    Member,
    BillingManager,
    Owner,
    /// The account is the user's own.
    Own,
}

impl Standing {
    /// The standing of a user with an account at an instant. Owners and billing managers of an enterprise are so for its
    /// organizations; members of its organizations are members of the enterprise.
    pub(crate) fn of(facts: &Facts, user: AccountId, account: &Account, time: UtcTime) -> Standing {
        if account.id == user {
            return Standing::Own;
        }
        let own = Standing::from_role(account.role_of(user, time));
        let other = match account.kind {
            AccountKind::User => Standing::Stranger,
            AccountKind::Organization => {
                let enterprise = account.enterprise.at(time).copied().flatten().and_then(|id| facts.accounts.get(id));
                let above = enterprise.map_or(Standing::Stranger, |enterprise| Standing::from_role(enterprise.role_of(user, time)));
                if above > Standing::Member { above } else { Standing::Stranger }
            }
            AccountKind::Enterprise if own == Standing::Stranger && is_member_below(facts, user, account.id, time) => Standing::Member,
            AccountKind::Enterprise => Standing::Stranger,
        };
        own.max(other)
    }

    fn from_role(role: Option<Role>) -> Standing {
        match role {
            None => Standing::Stranger,
            Some(Role::Member) => Standing::Member,
            Some(Role::BillingManager) => Standing::BillingManager,
            Some(Role::Owner) => Standing::Owner,
        }
    }
}

/// Whether a user has any role in an organization of an enterprise.
fn is_member_below(facts: &Facts, user: AccountId, enterprise: AccountId, time: UtcTime) -> bool {
    let belongs = |account: &&Account| account.enterprise.at(time).copied().flatten() == Some(enterprise);
    facts.accounts.iter().filter(belongs).any(|account| account.role_of(user, time).is_some())
}

/// Why a caller is turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refusal {
    /// As if the account did not exist.
    Hidden,
    /// The fine-grained token lacks the permission.
    NoPermission,
    /// The caller belongs to the account and lacks the role.
    NoRole,
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        match refusal {
            Refusal::Hidden => ApiError::not_found(),
            Refusal::NoPermission => ApiError::forbidden("Resource not accessible by personal access token"),
            Refusal::NoRole => ApiError::forbidden("Must be an owner or billing manager of the enterprise."),
        }
    }
}

/// The one decision: whether a token may do a kind of operation on an account that its user stands so with.
fn decide(kind: OperationKind, grant: &Grant, standing: Standing) -> Result<(), Refusal> {
    if standing == Standing::Stranger {
        return Err(Refusal::Hidden);
    }
    if !kind.is_covered_by(grant) {
        return Err(uncovered(grant));
    }
    match (kind, standing) {
        (OperationKind::EnterpriseRead | OperationKind::EnterpriseWrite, Standing::Member) => Err(Refusal::NoRole),
        (_, Standing::Member | Standing::Stranger) => Err(Refusal::Hidden),
        (_, Standing::BillingManager | Standing::Owner | Standing::Own) => Ok(()),
    }
}

fn uncovered(grant: &Grant) -> Refusal {
    match grant {
        Grant::Scopes(_) => Refusal::Hidden,
        Grant::Permissions(_) => Refusal::NoPermission,
    }
}

/// An authenticated caller, with the facts that the decision rests on. Handlers take it as `Extension<Caller>`.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) token: Token,
    pub(crate) user: AccountId,
    pub(crate) facts: Arc<Facts>,
    /// What the operation that is called needs.
    pub(crate) kind: OperationKind,
}

impl Caller {
    /// The enterprise of a slug, for an owner or billing manager of it whose token covers enterprise billing.
    pub(crate) fn enterprise(&self, app: &App, slug: &str) -> Result<AccountId, ApiError> {
        let kind = if self.kind == OperationKind::EnterpriseWrite { OperationKind::EnterpriseWrite } else { OperationKind::EnterpriseRead };
        self.admit(app, kind, self.facts.accounts.enterprise(slug).filter(|account| account.kind == AccountKind::Enterprise))
    }

    /// The organization of a login, for those who may see its billing.
    pub(crate) fn organization(&self, app: &App, login: &str) -> Result<AccountId, ApiError> {
        let account = self.facts.accounts.owner(login).filter(|account| account.kind == AccountKind::Organization);
        self.admit(app, OperationKind::Organization, account)
    }

    /// The user of a login, for the user alone.
    pub(crate) fn user(&self, app: &App, login: &str) -> Result<AccountId, ApiError> {
        let account = self.facts.accounts.owner(login).filter(|account| account.kind == AccountKind::User);
        self.admit(app, OperationKind::User, account)
    }

    fn admit(&self, app: &App, kind: OperationKind, account: Option<&Account>) -> Result<AccountId, ApiError> {
        let account = account.ok_or_else(ApiError::not_found)?;
        decide(kind, &self.token.grant, Standing::of(&self.facts, self.user, account, app.clock.now()))?;
        Ok(account.id)
    }

    /// For operations without an account in their path: whether the token covers them for some account. Which accounts, is asked for
    /// each by one of the two functions below.
    pub(crate) fn check_token(&self) -> Result<(), ApiError> {
        if self.kind.is_covered_by(&self.token.grant) { Ok(()) } else { Err(uncovered(&self.token.grant).into()) }
    }

    /// Whether this caller may send usage of an owner: `usage:write`, and the owner is the user or one that the user owns or manages.
    pub(crate) fn may_send_usage_of(&self, app: &App, owner: AccountId) -> bool {
        self.may(OperationKind::Usage, owner, app.clock.now())
    }

    /// Whether this caller may know what usage of an owner waits for a price: who may send it, and who may see the billing of the
    /// owner or of its enterprise.
    pub(crate) fn may_see_unrated_usage_of(&self, app: &App, owner: AccountId) -> bool {
        let now = app.clock.now();
        let Some(account) = self.facts.accounts.get(owner) else { return false };
        let billing = if account.kind == AccountKind::User { OperationKind::User } else { OperationKind::Organization };
        let above = || account.enterprise.at(now).copied().flatten();
        [OperationKind::Usage, billing].into_iter().any(|kind| self.may(kind, owner, now))
            || above().is_some_and(|enterprise| self.may(OperationKind::EnterpriseRead, enterprise, now))
    }

    fn may(&self, kind: OperationKind, account: AccountId, now: UtcTime) -> bool {
        let Some(account) = self.facts.accounts.get(account) else { return false };
        decide(kind, &self.token.grant, Standing::of(&self.facts, self.user, account, now)).is_ok()
    }
}

#[cfg(test)]
mod tests;
