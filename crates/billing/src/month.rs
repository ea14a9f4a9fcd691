//! A payer's month: what its usage adds up to by day, owner and SKU, and what that comes to once its pools are settled.
//!
//! Pools and summaries need no more than this; repositories, workflows and models stay in the lines. Keeping totals in memory and on
//! disk is left to the store.

use crate::period::Hour;
use crate::rating::{self, Discounts, Draws, Place, Pool, Pools, Priced, Rated};
use crate::{AccountId, Amount, Day, Facts, Name, Overflow, Quantity, UnitPrice, UsageEvent};
use std::collections::{BTreeMap, BTreeSet};

/// What month totals keep apart: enough for pools and summaries, without repositories, workflows and models.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TotalKey {
    pub day: Day,
    pub owner: AccountId,
    pub sku: Name,
    pub price: UnitPrice,
    pub price_version: u32,
    pub free: bool,
    pub public: bool,
    /// The user whose pool is drawn, for SKUs with a pool for each user; else empty.
    pub user: Name,
}

/// The totals of one payer and month.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonthTotals {
    pub rows: BTreeMap<TotalKey, (Quantity, Amount)>,
    /// Gigabyte-hours of shared storage of private and internal repositories, by owner and hour: the level that estimates go on.
    pub storage_hours: BTreeMap<(AccountId, Hour), Quantity>,
}

impl MonthTotals {
    /// Adds the totals of other events of the same payer and month.
    ///
    /// # Errors
    /// On overflow.
    pub fn merge(&mut self, other: &MonthTotals) -> Result<(), Overflow> {
        for (key, (quantity, gross)) in &other.rows {
            let row = self.rows.entry(key.clone()).or_insert((Quantity::ZERO, Amount::ZERO));
            *row = (row.0.plus(*quantity)?, row.1.plus(*gross)?);
        }
        for (key, quantity) in &other.storage_hours {
            let level = self.storage_hours.entry(*key).or_insert(Quantity::ZERO);
            *level = level.plus(*quantity)?;
        }
        Ok(())
    }

    /// Counts one priced event.
    ///
    /// # Errors
    /// On overflow.
    pub fn add(&mut self, event: &UsageEvent, priced: &Priced, facts: &Facts) -> Result<(), Overflow> {
        if event.quantity.is_zero() {
            return Ok(());
        }
        let user = match priced.draws {
            Draws::OfUser => facts.accounts.user_key(event.username.as_deref().unwrap_or("")).into(),
            Draws::Nothing | Draws::OfPayer | Draws::OfRepositoryHour => "".into(),
        };
        let key = TotalKey {
            day: event.used_at.day(),
            owner: event.owner,
            sku: event.sku.clone(),
            price: priced.price,
            price_version: priced.price_version,
            free: priced.free,
            public: priced.public,
            user,
        };
        let row = self.rows.entry(key).or_insert((Quantity::ZERO, Amount::ZERO));
        *row = (row.0.plus(event.quantity)?, row.1.plus(priced.gross)?);
        if priced.pool.as_deref() == Some("shared_storage") && !priced.public {
            let level = self.storage_hours.entry((event.owner, event.used_at.hour())).or_insert(Quantity::ZERO);
            *level = level.plus(event.quantity)?;
        }
        Ok(())
    }
}

/// What one owner's usage of one SKU at one price comes to in a month.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedTotal {
    pub owner: AccountId,
    pub sku: Name,
    pub price: UnitPrice,
    pub free: bool,
    pub public: bool,
    pub quantity: Quantity,
    pub rated: Rated,
}

/// A payer's month: totals, the pools that they drew from, and the hourly levels of shared storage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RatedMonth {
    pub totals: Vec<RatedTotal>,
    pub pools: Pools,
    /// Days with usage whose pools are those of a repository and hour.
    pub hourly_days: BTreeSet<Day>,
    pub storage_hours: BTreeMap<(AccountId, Hour), Quantity>,
}

/// What sums share: everything of a total but its day and user.
type SumKey = (AccountId, Name, u32, bool, bool, UnitPrice);

impl RatedMonth {
    /// Rates a month whose pools are settled and crossed; `crossed` is what the pools of repositories and hours gave.
    ///
    /// # Errors
    /// On overflow, or when a pool that runs out was not crossed.
    pub fn new(
        totals: &MonthTotals,
        payer: AccountId,
        pools: Pools,
        mut crossed: Discounts,
        facts: &Facts,
    ) -> Result<RatedMonth, Overflow> {
        let mut sums: BTreeMap<SumKey, (Quantity, Amount, Amount)> = BTreeMap::new();
        for pool in pools.values() {
            let Pool::RanOut(crossing) = pool else { continue };
            for (key, discount) in &crossing.day_discounts {
                let sum = crossed.entry(key.clone()).or_insert(Amount::ZERO);
                *sum = sum.plus(*discount)?;
            }
        }
        for (key, (quantity, gross)) in &totals.rows {
            let discount = whole_day_discount(key, payer, *gross, &pools, facts)?;
            let sum_key = (key.owner, key.sku.clone(), key.price_version, key.free, key.public, key.price);
            let sum = sums.entry(sum_key).or_insert((Quantity::ZERO, Amount::ZERO, Amount::ZERO));
            *sum = (sum.0.plus(*quantity)?, sum.1.plus(*gross)?, sum.2.plus(discount)?);
        }
        let hourly_days = hourly_days(totals, facts);
        let mut rated = RatedMonth { totals: Vec::new(), pools, hourly_days, storage_hours: totals.storage_hours.clone() };
        for ((owner, sku, version, free, public, price), (quantity, gross, discount)) in sums {
            let on_the_day = if free { None } else { crossed.remove(&(owner, sku.clone(), version, public)) };
            let discount = discount.plus(on_the_day.unwrap_or(Amount::ZERO))?;
            rated.totals.push(RatedTotal { owner, sku, price, free, public, quantity, rated: Rated::new(gross, discount)? });
        }
        Ok(rated)
    }
}

/// The days of a month on which something draws from the pool of a repository and hour.
#[must_use]
pub fn hourly_days(totals: &MonthTotals, facts: &Facts) -> BTreeSet<Day> {
    totals.rows.keys().filter(|key| rating::is_by_hour(key, facts)).map(|key| key.day).collect()
}

/// The discount of a day's total; what a pool gave on the day that it ran out is added from the crossing instead.
fn whole_day_discount(key: &TotalKey, payer: AccountId, gross: Amount, pools: &Pools, facts: &Facts) -> Result<Amount, Overflow> {
    let pool = rating::total_pool(key, payer, facts).and_then(|pool| pools.get(&pool));
    if let Some(Pool::RanOut(crossing)) = pool
        && crossing.last.day == key.day
    {
        return Ok(Amount::ZERO);
    }
    Ok(rating::rate(gross, key.free, pool, Place::WholeDay(key.day))?.discount)
}
