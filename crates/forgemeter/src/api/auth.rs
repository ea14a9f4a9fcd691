//! Who calls, and what they may do: one decision for each operation and account (the order of checks and the choice of 401, 403 and
//! 404 follow what GitHub was seen to do).

use super::error::ApiError;
use crate::app::App;
use billing::{AccountId, Facts};
use std::sync::Arc;
use store::tokens::Token;

/// An authenticated caller, with the facts that the decision rests on. Handlers take it as `Extension<Caller>`.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) token: Token,
    pub(crate) user: AccountId,
    pub(crate) facts: Arc<Facts>,
}

impl Caller {
    /// The enterprise of a slug, for an owner or billing manager of it whose token covers enterprise billing.
    pub(crate) fn enterprise(&self, app: &App, slug: &str) -> Result<AccountId, ApiError> {
        let _ = (app, slug);
        Err(ApiError::not_found())
    }

    /// The organization of a login, for those who may see its billing.
    pub(crate) fn organization(&self, app: &App, login: &str) -> Result<AccountId, ApiError> {
        let _ = (app, login);
        Err(ApiError::not_found())
    }

    /// The user of a login, for the user alone.
    pub(crate) fn user(&self, app: &App, login: &str) -> Result<AccountId, ApiError> {
        let _ = (app, login);
        Err(ApiError::not_found())
    }

    /// Whether this caller may send usage of an owner: `usage:write`, and the owner is the user or one that the user owns or manages.
    pub(crate) fn may_send_usage_of(&self, app: &App, owner: AccountId) -> bool {
        let _ = (app, owner);
        false
    }
}
