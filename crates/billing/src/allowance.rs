//! Included quantities: what a plan or a licence includes, who shares it, and how much a pool holds in a month.
//!
//! Drawing from a pool is left to [`crate::rating`]. The built-in plans are GitHub's published ones; operators add their own.

use crate::account::{Accounts, History};
use crate::price_book::{PoolCounts, PoolRule, PoolScope};
use crate::{AccountId, Amount, Facts, Month, Name, Overflow, Quantity, UtcTime};
use std::collections::BTreeMap;

/// What is taken from a pool, or left in it: gross amounts or weighted quantities in units of 10⁻¹¹, so that weights with two
/// decimals stay exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Draw(i128);

const DRAWS_PER_BILLIONTH: i128 = 100;
const BILLIONTHS_PER_HUNDREDTH: i128 = 10_000_000;

impl Draw {
    pub const ZERO: Draw = Draw(0);

    /// # Errors
    /// On overflow.
    pub fn of_amount(amount: Amount) -> Result<Draw, Overflow> {
        amount.billionths().checked_mul(DRAWS_PER_BILLIONTH).map(Draw).ok_or(Overflow)
    }

    /// A quantity with a weight of at most two decimals.
    ///
    /// # Errors
    /// On overflow.
    pub fn of_quantity(quantity: Quantity, weight: Quantity) -> Result<Draw, Overflow> {
        let hundredths = weight.billionths().checked_div(BILLIONTHS_PER_HUNDREDTH).ok_or(Overflow)?;
        quantity.billionths().checked_mul(hundredths).map(Draw).ok_or(Overflow)
    }

    /// The money that this draw is, cut to nine decimals.
    #[must_use]
    pub fn as_amount(self) -> Amount {
        Amount::from_billionths(self.0 / DRAWS_PER_BILLIONTH)
    }

    /// The quantity of a weight that this draw covers, cut to nine decimals.
    ///
    /// # Errors
    /// When the weight is zero.
    pub fn as_quantity(self, weight: Quantity) -> Result<Quantity, Overflow> {
        let hundredths = weight.billionths().checked_div(BILLIONTHS_PER_HUNDREDTH).ok_or(Overflow)?;
        self.0.checked_div(hundredths).map(Quantity::from_billionths).ok_or(Overflow)
    }

    /// # Errors
    /// On overflow.
    pub fn plus(self, other: Draw) -> Result<Draw, Overflow> {
        self.0.checked_add(other.0).map(Draw).ok_or(Overflow)
    }

    /// # Errors
    /// On overflow.
    pub fn minus(self, other: Draw) -> Result<Draw, Overflow> {
        self.0.checked_sub(other.0).map(Draw).ok_or(Overflow)
    }
}

/// Which part of a payer's pool usage draws from.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PoolPart {
    Whole,
    /// The pool of one user, by [`Accounts::user_key`].
    User(String),
    /// The pool of one repository (owner, name without case) in one hour.
    RepositoryHour(AccountId, String, crate::period::Hour),
}

/// One pool: an included quantity of a payer and month.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PoolKey {
    pub payer: AccountId,
    pub month: Month,
    pub pool: Name,
    pub part: PoolPart,
}

/// The included quantities of one plan, by pool: minutes, gigabytes, core-hours, requests, credits or US dollars.
pub type Included = BTreeMap<Name, Quantity>;

/// All plans by name, built-in and the operator's own.
#[derive(Debug, Clone, Default)]
pub struct Plans {
    plans: BTreeMap<String, History<Included>>,
}

/// GitHub's plans and licences (allowances.csv; rulings A2: of several rows of one plan and pool the greatest counts, 500 MB is
/// 500/1024 GB).
const BUILT_IN: &[(&str, &[(&str, &str)])] = &[
    (
        "free_user",
        &[
            ("actions_minutes", "2000"),
            ("shared_storage", "0.48828125"),
            ("actions_cache", "10"),
            ("packages_transfer", "1"),
            ("lfs_storage", "10"),
            ("lfs_bandwidth", "10"),
            ("codespaces_core_hours", "120"),
            ("codespaces_storage", "15"),
        ],
    ),
    (
        "pro",
        &[
            ("actions_minutes", "3000"),
            ("shared_storage", "2"),
            ("actions_cache", "10"),
            ("packages_transfer", "10"),
            ("lfs_storage", "10"),
            ("lfs_bandwidth", "10"),
            ("codespaces_core_hours", "180"),
            ("codespaces_storage", "20"),
        ],
    ),
    (
        "free_org",
        &[
            ("actions_minutes", "2000"),
            ("shared_storage", "0.48828125"),
            ("actions_cache", "10"),
            ("packages_transfer", "1"),
            ("lfs_storage", "10"),
            ("lfs_bandwidth", "10"),
        ],
    ),
    (
        "team",
        &[
            ("actions_minutes", "3000"),
            ("shared_storage", "2"),
            ("actions_cache", "10"),
            ("custom_image", "75"),
            ("packages_transfer", "10"),
            ("lfs_storage", "250"),
            ("lfs_bandwidth", "250"),
        ],
    ),
    (
        "ghec",
        &[
            ("actions_minutes", "50000"),
            ("shared_storage", "50"),
            ("actions_cache", "10"),
            ("custom_image", "150"),
            ("packages_transfer", "100"),
            ("lfs_storage", "250"),
            ("lfs_bandwidth", "250"),
        ],
    ),
    ("copilot_free", &[("premium_requests", "50")]),
    ("copilot_pro", &[("premium_requests", "300"), ("ai_credits", "1500")]),
    ("copilot_pro_plus", &[("premium_requests", "1500"), ("ai_credits", "7000")]),
    ("copilot_max", &[("ai_credits", "20000")]),
    ("copilot_business", &[("premium_requests", "300"), ("ai_credits", "1900")]),
    ("copilot_enterprise", &[("premium_requests", "1000"), ("ai_credits", "3900")]),
];

impl Plans {
    #[must_use]
    pub fn start() -> Plans {
        let mut plans = Plans::default();
        for (plan, rows) in BUILT_IN {
            let included =
                rows.iter().map(|(pool, text)| ((*pool).into(), Quantity::parse(text).expect("the built-in plans are checked by a test")));
            plans.write(plan, None, included.collect());
        }
        plans
    }

    pub fn write(&mut self, plan: &str, since: Option<UtcTime>, included: Included) {
        self.plans.entry(plan.to_owned()).or_default().write(since, included);
    }

    /// The instants from which plans include something else.
    pub fn changes(&self) -> impl Iterator<Item = UtcTime> {
        self.plans.values().flat_map(History::changes)
    }

    #[must_use]
    pub fn contains(&self, plan: &str) -> bool {
        self.plans.contains_key(plan)
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.plans.keys().map(String::as_str)
    }

    #[must_use]
    pub fn get(&self, plan: &str, time: UtcTime) -> Option<&Included> {
        self.plans.get(plan).and_then(|history| history.at(time))
    }

    /// Whether a plan includes these quantities, and no others, from an instant on.
    #[must_use]
    pub fn holds_from(&self, plan: &str, time: UtcTime, included: &Included) -> bool {
        self.plans.get(plan).is_some_and(|history| history.holds_from(time, included))
    }

    /// What a plan includes of a pool at an instant; nothing when it does not name the pool.
    #[must_use]
    pub fn included(&self, plan: &str, pool: &str, time: UtcTime) -> Quantity {
        self.get(plan, time).and_then(|included| included.get(pool)).copied().unwrap_or(Quantity::ZERO)
    }
}

/// A Copilot licence of one user. It counts in every month that it was held in, for a moment or longer: added, it counts at once;
/// removed, from the next month on no more (rating C2, L2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    pub user: AccountId,
    /// The organization that granted it, or the user who bought it.
    pub organization: AccountId,
    pub plan: String,
    pub since: UtcTime,
    pub until: Option<UtcTime>,
}

/// What tells one seat from another: its user, organization, beginning and plan.
type SeatKey = (AccountId, AccountId, UtcTime, String);

impl Seat {
    fn key(&self) -> SeatKey {
        (self.user, self.organization, self.since, self.plan.clone())
    }
}

#[derive(Debug, Clone, Default)]
pub struct Seats {
    seats: BTreeMap<SeatKey, Seat>,
}

impl Seats {
    /// Adds a seat; one of the same user, organization, plan and beginning is replaced.
    pub fn put(&mut self, seat: Seat) {
        self.seats.insert(seat.key(), seat);
    }

    /// The known seat of the same user, organization, plan and beginning.
    #[must_use]
    pub fn same(&self, seat: &Seat) -> Option<&Seat> {
        self.seats.get(&seat.key())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Seat> {
        self.seats.values()
    }

    /// The seats of a payer that were held in a month, up to an instant of it.
    fn held<'a>(&'a self, accounts: &'a Accounts, payer: AccountId, month: Month, until: UtcTime) -> impl Iterator<Item = &'a Seat> {
        let start = month.first_day().start();
        self.iter().filter(move |seat| {
            seat.since <= until && seat.until.is_none_or(|end| end > start) && accounts.payer(seat.organization, until) == payer
        })
    }
}

/// The instant whose plan sizes a month's pools: the month's end, for the running month `now` (rulings A7).
fn sizing_time(month: Month, now: UtcTime) -> UtcTime {
    month.last_day().end().min(now)
}

/// The included quantity of a pool as its plan or licences state it, in the unit of the plan.
///
/// # Errors
/// On overflow.
pub fn quota(facts: &Facts, rule: PoolRule, key: &PoolKey, now: UtcTime) -> Result<Quantity, Overflow> {
    let time = sizing_time(key.month, now);
    let seats = || facts.seats.held(&facts.accounts, key.payer, key.month, time);
    let seat_quota = |plan: &str| facts.plans.included(plan, &key.pool, time);
    match (rule.scope, &key.part) {
        (PoolScope::Licences, _) => {
            let mut sum = Quantity::ZERO;
            for seat in seats() {
                sum = sum.plus(seat_quota(&seat.plan))?;
            }
            Ok(sum)
        }
        (PoolScope::User, PoolPart::User(user)) => {
            let of_user = seats()
                .filter(|seat| facts.accounts.get(seat.user).is_some_and(|account| facts.accounts.user_key(account.login()) == *user));
            Ok(of_user.map(|seat| seat_quota(&seat.plan)).max().unwrap_or(Quantity::ZERO))
        }
        _ => Ok(plan_quota(facts, key.payer, &key.pool, time)),
    }
}

/// What each user's licence includes of a pool in a month, by [`Accounts::user_key`]; of several licences the greatest counts.
#[must_use]
pub fn user_quotas(facts: &Facts, payer: AccountId, pool: &str, month: Month, now: UtcTime) -> BTreeMap<String, Quantity> {
    let time = sizing_time(month, now);
    let mut quotas = BTreeMap::new();
    for seat in facts.seats.held(&facts.accounts, payer, month, time) {
        let Some(user) = facts.accounts.get(seat.user) else { continue };
        let included = facts.plans.included(&seat.plan, pool, time);
        let quota = quotas.entry(facts.accounts.user_key(user.login())).or_insert(included);
        *quota = included.max(*quota);
    }
    quotas
}

/// What an account's plan includes of a pool at an instant.
fn plan_quota(facts: &Facts, payer: AccountId, pool: &str, time: UtcTime) -> Quantity {
    let plan = facts.accounts.get(payer).and_then(|account| account.plan.at(time));
    plan.map_or(Quantity::ZERO, |plan| facts.plans.included(plan, pool, time))
}

/// The quota of a payer's plan in a month as endpoints show it (`included_minutes`, `included_gigabytes_bandwidth`).
#[must_use]
pub fn shown_quota(facts: &Facts, payer: AccountId, pool: &str, month: Month, now: UtcTime) -> Quantity {
    plan_quota(facts, payer, pool, sizing_time(month, now))
}

/// How much a pool holds.
///
/// # Errors
/// On overflow.
pub fn pool_size(facts: &Facts, rule: PoolRule, key: &PoolKey, now: UtcTime) -> Result<Draw, Overflow> {
    let quota = quota(facts, rule, key, now)?;
    match rule.counts {
        PoolCounts::Quantity => Draw::of_quantity(quota, Quantity::whole(1)),
        PoolCounts::Money { unit_price } => Draw::of_amount(unit_price.amount_of(quota)?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::account::{Account, AccountKind};
    use crate::price_book::PriceBook;

    fn time(text: &str) -> UtcTime {
        UtcTime::parse(text).unwrap()
    }

    fn facts() -> Facts {
        let mut facts = Facts::start();
        let mut acme = Account::new(AccountId(1), AccountKind::Organization, "acme".into());
        acme.plan.write(None, "team".into());
        acme.plan.write(Some(time("2026-03-15T00:00:00Z")), "ghec".into());
        facts.accounts.put(acme);
        facts.accounts.put(Account::new(AccountId(2), AccountKind::User, "Mona".into()));
        facts
    }

    fn size(facts: &Facts, pool: &str, part: PoolPart, month: &str, now: &str) -> String {
        let key = PoolKey { payer: AccountId(1), month: Month::parse(month).unwrap(), pool: pool.into(), part };
        let rule = PriceBook::start().in_force(key.month.first_day()).pools[pool];
        pool_size(facts, rule, &key, time(now)).unwrap().as_amount().to_string()
    }

    #[test]
    fn minutes_pools_count_weighted_minutes_before_2026_and_money_since() {
        let facts = facts();
        let now = "2027-01-01T00:00:00Z";
        assert_eq!(size(&facts, "actions_minutes", PoolPart::Whole, "2025-12", now), "3000");
        assert_eq!(size(&facts, "actions_minutes", PoolPart::Whole, "2026-01", now), "18");
        assert_eq!(size(&facts, "shared_storage", PoolPart::Whole, "2026-01", now), "0.5");
        assert_eq!(size(&facts, "custom_image", PoolPart::Whole, "2026-04", now), "10.5");
    }

    #[test]
    fn a_month_is_sized_by_the_plan_at_its_end_and_the_running_month_by_todays() {
        let facts = facts();
        assert_eq!(size(&facts, "actions_minutes", PoolPart::Whole, "2026-03", "2026-03-14T00:00:00Z"), "18");
        assert_eq!(size(&facts, "actions_minutes", PoolPart::Whole, "2026-03", "2026-03-15T00:00:00Z"), "300");
        assert_eq!(size(&facts, "actions_minutes", PoolPart::Whole, "2026-02", "2026-04-01T00:00:00Z"), "18");
    }

    #[test]
    fn licences_add_up_for_credits_and_count_alone_for_requests() {
        let mut facts = facts();
        let seat = |plan: &str, since: &str, until: Option<&str>| Seat {
            user: AccountId(2),
            organization: AccountId(1),
            plan: plan.into(),
            since: time(since),
            until: until.map(time),
        };
        facts.seats.put(seat("copilot_business", "2026-06-10T00:00:00Z", Some("2026-07-05T00:00:00Z")));
        facts.seats.put(seat("copilot_enterprise", "2026-07-01T00:00:00Z", None));
        let now = "2026-12-01T00:00:00Z";
        let mona = || PoolPart::User("mona".into());
        assert_eq!(size(&facts, "ai_credits", PoolPart::Whole, "2026-05", now), "0");
        assert_eq!(size(&facts, "ai_credits", PoolPart::Whole, "2026-06", now), "1900");
        assert_eq!(size(&facts, "ai_credits", PoolPart::Whole, "2026-07", now), "5800");
        assert_eq!(size(&facts, "ai_credits", PoolPart::Whole, "2026-08", now), "3900");
        assert_eq!(size(&facts, "premium_requests", mona(), "2026-07", now), "1000");
        assert_eq!(size(&facts, "premium_requests", mona(), "2026-06", now), "300");
        assert_eq!(size(&facts, "premium_requests", PoolPart::User("hubot".into()), "2026-06", now), "0");
        let quotas = user_quotas(&facts, AccountId(1), "ai_credits", Month::parse("2026-07").unwrap(), time(now));
        assert_eq!(quotas, BTreeMap::from([("mona".to_owned(), Quantity::whole(3900))]));
    }
}
