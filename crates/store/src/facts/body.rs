//! What a fact says, and how it lies in its row. What facts add up to is left to [`super::replay`].
//!
//! The words in the column `kind` and the JSON in `body` are read for ever: a change here must go on reading what is stored.

use super::price_version;
use crate::StoreError;
use billing::account::AccountKind;
use billing::allowance::{Included, Seat};
use billing::price_book::PriceVersion;
use billing::{AccountId, FactNumber, Quantity, UtcTime};
use rusqlite::{Connection, Row};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One fact that is not written yet: its number and the time of recording come with the writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFact {
    /// The account that it is about; none for plans, seats and price versions.
    pub account: Option<AccountId>,
    /// From when on it holds; `None` from the beginning.
    pub effective_from: Option<UtcTime>,
    pub body: FactBody,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FactBody {
    Created {
        kind: AccountKind,
        login: String,
    },
    /// The account has a new login or slug; the one before still resolves to it.
    Login(String),
    /// A name that the account had before this program knew it.
    FormerLogin(String),
    Name(Option<String>),
    Email(Option<String>),
    Plan(String),
    Enterprise(Option<AccountId>),
    Owners(Vec<AccountId>),
    BillingManagers(Vec<AccountId>),
    Members(Vec<AccountId>),
    /// The included quantities of a plan.
    Included {
        plan: String,
        included: Included,
    },
    Seat(Seat),
    /// A whole list of prices. Its number is its place in the order of application, its name that of no other version.
    PriceVersion(Box<PriceVersion>),
}

/// A fact as it was read back.
#[derive(Debug, Clone)]
pub(crate) struct Fact {
    pub(crate) number: u64,
    pub(crate) account: Option<AccountId>,
    pub(crate) effective_from: Option<UtcTime>,
    pub(crate) body: FactBody,
}

#[derive(Serialize, Deserialize)]
struct CreatedJson {
    kind: String,
    login: String,
}

#[derive(Serialize, Deserialize)]
struct IncludedJson {
    plan: String,
    /// Decimal text by pool.
    included: BTreeMap<String, String>,
}

/// Times are microseconds since 1970.
#[derive(Serialize, Deserialize)]
struct SeatJson {
    user: u32,
    organization: u32,
    plan: String,
    since: i64,
    until: Option<i64>,
}

impl FactBody {
    /// The columns `kind` and `body`.
    fn columns(&self) -> Result<(&'static str, String), StoreError> {
        Ok(match self {
            FactBody::Created { kind, login } => ("account", json(&CreatedJson { kind: kind.to_string(), login: login.clone() })?),
            FactBody::Login(login) => ("login", json(login)?),
            FactBody::FormerLogin(login) => ("former_login", json(login)?),
            FactBody::Name(name) => ("name", json(name)?),
            FactBody::Email(email) => ("email", json(email)?),
            FactBody::Plan(plan) => ("plan", json(plan)?),
            FactBody::Enterprise(enterprise) => ("enterprise", json(&enterprise.map(|id| id.0))?),
            FactBody::Owners(users) => ("owners", ids_json(users)?),
            FactBody::BillingManagers(users) => ("billing_managers", ids_json(users)?),
            FactBody::Members(users) => ("members", ids_json(users)?),
            FactBody::Included { plan, included } => {
                let included = included.iter().map(|(pool, quantity)| (pool.to_string(), quantity.to_string())).collect();
                ("included", json(&IncludedJson { plan: plan.clone(), included })?)
            }
            FactBody::Seat(seat) => ("seat", json(&seat_json(seat))?),
            FactBody::PriceVersion(version) => ("price_version", json(&price_version::to_json(version))?),
        })
    }

    fn from_columns(kind: &str, body: &str) -> Result<FactBody, String> {
        Ok(match kind {
            "account" => {
                let CreatedJson { kind, login } = parsed(body)?;
                FactBody::Created { kind: account_kind(&kind)?, login }
            }
            "login" => FactBody::Login(parsed(body)?),
            "former_login" => FactBody::FormerLogin(parsed(body)?),
            "name" => FactBody::Name(parsed(body)?),
            "email" => FactBody::Email(parsed(body)?),
            "plan" => FactBody::Plan(parsed(body)?),
            "enterprise" => FactBody::Enterprise(parsed::<Option<u32>>(body)?.map(AccountId)),
            "owners" => FactBody::Owners(ids(body)?),
            "billing_managers" => FactBody::BillingManagers(ids(body)?),
            "members" => FactBody::Members(ids(body)?),
            "included" => included(parsed(body)?)?,
            "seat" => FactBody::Seat(seat(parsed(body)?)?),
            "price_version" => FactBody::PriceVersion(Box::new(price_version::from_json(parsed(body)?)?)),
            other => return Err(format!("its kind `{other}` is unknown to this program; use a newer program")),
        })
    }
}

/// Appends a fact and gives it the next number.
pub(super) fn insert(connection: &Connection, fact: &NewFact, recorded_at: UtcTime) -> Result<FactNumber, StoreError> {
    let (kind, body) = fact.body.columns()?;
    let mut statement =
        connection.prepare_cached("INSERT INTO fact (kind, account, effective_from, recorded_at, body) VALUES (?1, ?2, ?3, ?4, ?5)")?;
    let account = fact.account.map(|account| account.0);
    let number = statement.insert((kind, account, fact.effective_from.map(UtcTime::microseconds), recorded_at.microseconds(), body))?;
    u64::try_from(number).map(FactNumber).map_err(|_| StoreError::Overflow)
}

/// Calls `each` with every fact whose number is greater than `after` and at most `last`, in the order of their numbers.
pub(super) fn read(
    connection: &Connection,
    after: FactNumber,
    last: FactNumber,
    mut each: impl FnMut(Fact) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, kind, account, effective_from, body FROM fact WHERE number > ?1 AND number <= ?2 ORDER BY number",
    )?;
    let bound = |number: FactNumber| i64::try_from(number.0).unwrap_or(i64::MAX);
    let mut rows = statement.query((bound(after), bound(last)))?;
    while let Some(row) = rows.next()? {
        each(fact_of(row)?)?;
    }
    Ok(())
}

fn fact_of(row: &Row<'_>) -> Result<Fact, StoreError> {
    let number = u64::try_from(row.get::<_, i64>(0)?).map_err(|_| StoreError::Overflow)?;
    let damaged = |what: String| StoreError::damaged("facts.db", format!("fact {number}: {what}"));
    let kind: String = row.get(1)?;
    let body: String = row.get(4)?;
    let effective_from: Option<i64> = row.get(3)?;
    Ok(Fact {
        number,
        account: row.get::<_, Option<u32>>(2)?.map(AccountId),
        effective_from: effective_from.map(time).transpose().map_err(damaged)?,
        body: FactBody::from_columns(&kind, &body).map_err(damaged)?,
    })
}

fn json(value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|error| StoreError::damaged("facts.db", format!("a fact cannot be written as JSON: {error}")))
}

fn ids_json(users: &[AccountId]) -> Result<String, StoreError> {
    json(&users.iter().map(|id| id.0).collect::<Vec<u32>>())
}

fn seat_json(seat: &Seat) -> SeatJson {
    SeatJson {
        user: seat.user.0,
        organization: seat.organization.0,
        plan: seat.plan.clone(),
        since: seat.since.microseconds(),
        until: seat.until.map(UtcTime::microseconds),
    }
}

fn parsed<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| error.to_string())
}

fn ids(body: &str) -> Result<Vec<AccountId>, String> {
    Ok(parsed::<Vec<u32>>(body)?.into_iter().map(AccountId).collect())
}

fn account_kind(text: &str) -> Result<AccountKind, String> {
    let kinds = [AccountKind::Enterprise, AccountKind::Organization, AccountKind::User];
    kinds.into_iter().find(|kind| kind.to_string() == text).ok_or_else(|| format!("`{text}` is no kind of account"))
}

fn included(json: IncludedJson) -> Result<FactBody, String> {
    let mut included = Included::new();
    for (pool, text) in json.included {
        let quantity = Quantity::parse(&text).map_err(|error| format!("quantity `{text}` {error}"))?;
        included.insert(pool.into(), quantity);
    }
    Ok(FactBody::Included { plan: json.plan, included })
}

fn seat(json: SeatJson) -> Result<Seat, String> {
    Ok(Seat {
        user: AccountId(json.user),
        organization: AccountId(json.organization),
        plan: json.plan,
        since: time(json.since)?,
        until: json.until.map(time).transpose()?,
    })
}

fn time(microseconds: i64) -> Result<UtcTime, String> {
    UtcTime::from_microseconds(microseconds).map_err(|error| format!("time {microseconds} {error}"))
}
