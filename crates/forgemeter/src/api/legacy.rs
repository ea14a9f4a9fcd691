//! The retired summaries of the running month, for an organization, a user, or an enterprise: Actions minutes, Packages transfer,
//! shared storage. What they add up to is left to [`billing::legacy`].
//!
//! GitHub itself has answered all of them with 410 since 2025. `--retired-endpoints 410` does the same, but only to callers who would
//! have got the figures: a wrong token stays 401, a hidden account 404, so that a client's handling of those is tested as well.

use super::auth::Caller;
use super::error::ApiError;
use super::wire::legacy::{ActionsBillingUsage, CombinedBillingUsage, PackagesBillingUsage};
use super::{blocking, json};
use crate::app::App;
use axum::extract::{Extension, Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use billing::legacy::{self, Minutes, Shown};
use billing::month::RatedMonth;
use billing::{AccountId, AccountKind, Month, Quantity, UtcTime, allowance};
use std::collections::BTreeSet;
use std::sync::Arc;
use store::{Snapshot, StoreError};

/// Which summary.
#[derive(Debug, Clone, Copy)]
enum Summary {
    Actions,
    Packages,
    SharedStorage,
}

macro_rules! handlers {
    ($($name:ident: $account:ident, $summary:ident;)+) => {$(
        pub(crate) async fn $name(State(app): State<Arc<App>>, Extension(caller): Extension<Caller>, Path(login): Path<String>) -> Result<Response, ApiError> {
            let account = caller.$account(&app, &login)?;
            summary(app, account, Summary::$summary).await
        }
    )+};
}

handlers! {
    organization_actions: organization, Actions;
    organization_packages: organization, Packages;
    organization_shared_storage: organization, SharedStorage;
    user_actions: user, Actions;
    user_packages: user, Packages;
    user_shared_storage: user, SharedStorage;
    enterprise_actions: enterprise, Actions;
    enterprise_packages: enterprise, Packages;
    enterprise_shared_storage: enterprise, SharedStorage;
}

async fn summary(app: Arc<App>, account: AccountId, summary: Summary) -> Result<Response, ApiError> {
    blocking(move || {
        let reading = Reading::of(&app, account)?;
        if app.config.retired_gone {
            return Err(gone(reading.kind));
        }
        match summary {
            Summary::Actions => reading.actions(),
            Summary::Packages => reading.packages(),
            Summary::SharedStorage => reading.shared_storage(),
        }
    })
    .await
}

/// GitHub's answer of today. Its page for enterprises was not seen; they get that of organizations.
fn gone(kind: AccountKind) -> ApiError {
    ApiError::new(StatusCode::GONE, "This endpoint has been moved.").documented_at(match kind {
        AccountKind::User => "https://gh.io/billing-api-updates-user",
        AccountKind::Organization | AccountKind::Enterprise => "https://gh.io/billing-api-updates-org",
    })
}

/// One look at the ledger on behalf of one account.
struct Reading {
    snapshot: Snapshot,
    now: UtcTime,
    account: AccountId,
    kind: AccountKind,
}

impl Reading {
    fn of(app: &App, account: AccountId) -> Result<Reading, ApiError> {
        let snapshot = app.ledger.snapshot()?;
        let kind = snapshot.facts().accounts.get(account).map(|account| account.kind).ok_or_else(ApiError::not_found)?;
        let now = snapshot.time();
        Ok(Reading { snapshot, now, account, kind })
    }

    fn actions(&self) -> Result<Response, ApiError> {
        let minutes = if self.kind == AccountKind::Enterprise { Minutes::AsUsed } else { Minutes::Weighted };
        let months = self.months(&[self.now.month()])?;
        let billing = legacy::actions_billing(self.shown(&months), minutes, self.quota("actions_minutes"))?;
        json(StatusCode::OK, &ActionsBillingUsage::from(billing))
    }

    fn packages(&self) -> Result<Response, ApiError> {
        let months = self.months(&[self.now.month()])?;
        let billing = legacy::packages_billing(self.shown(&months), self.quota("packages_transfer"))?;
        json(StatusCode::OK, &PackagesBillingUsage::from(billing))
    }

    fn shared_storage(&self) -> Result<Response, ApiError> {
        let month = self.now.month();
        // The month of the last full hour, which is the month before in the first hour of a month.
        let before = month.first_day().minus_days(1).month();
        let months = if self.now.hour() == month.first_day().start().hour() { vec![before, month] } else { vec![month] };
        let months = self.months(&months)?;
        let billing = legacy::shared_storage_billing(self.shown(&months), self.quota("shared_storage"), self.now)?;
        json(StatusCode::OK, &CombinedBillingUsage::from(billing))
    }

    /// The months of everybody who may have paid for the account's usage.
    fn months(&self, months: &[Month]) -> Result<Vec<Arc<RatedMonth>>, StoreError> {
        let payers = match self.kind {
            AccountKind::Enterprise => BTreeSet::from([self.account]),
            AccountKind::Organization | AccountKind::User => self.snapshot.facts().accounts.payers(self.account),
        };
        let wanted = payers.iter().flat_map(|payer| months.iter().map(|month| (*payer, *month)));
        wanted.map(|(payer, month)| self.snapshot.month(payer, month)).collect()
    }

    fn shown<'a>(&self, months: &'a [Arc<RatedMonth>]) -> Shown<'a> {
        Shown { months, owner: (self.kind != AccountKind::Enterprise).then_some(self.account) }
    }

    /// What the plan of the account that owns the pool includes: for an organization of an enterprise, the enterprise's.
    fn quota(&self, pool: &str) -> Quantity {
        let facts = self.snapshot.facts();
        let payer = facts.accounts.payer(self.account, self.now);
        allowance::shown_quota(facts, payer, pool, self.now.month(), self.now)
    }
}
