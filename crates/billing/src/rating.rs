//! Rating: from usage to gross, discount and net. Every endpoint, report, budget and explanation rests on [`rate`].
//!
//! [`price`] gives an event its price and gross amount. [`draws`] sums a month's draws from each pool by day; [`settle`] finds the
//! day on which a pool runs out, and [`cross`] the event. [`rate`] then says how much of a gross amount is discounted. The result
//! depends on the set of events, never on the order of their arrival.

use crate::allowance::{self, Draw, PoolKey, PoolPart};
use crate::line::LineKey;
use crate::month::{MonthTotals, TotalKey};
use crate::price_book::{PoolCounts, PoolRule, PoolScope, PriceVersion, SkuPrice};
use crate::{AccountId, Amount, Day, Facts, Month, Name, Overflow, Quantity, UnitPrice, UsageEvent, UtcTime, Visibility};
use std::collections::BTreeMap;

/// Whose pool usage draws from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Draws {
    Nothing,
    OfPayer,
    OfUser,
    OfRepositoryHour,
}

/// An event with its price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Priced {
    pub payer: AccountId,
    pub product: Name,
    pub price: UnitPrice,
    pub price_version: u32,
    pub gross: Amount,
    pub free: bool,
    pub public: bool,
    /// The pool of the SKU; free usage draws nothing from it.
    pub pool: Option<Name>,
    pub draws: Draws,
}

/// Why usage has no price yet. It is kept, listed, and priced when the price exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Unrated {
    #[error("the SKU is not in the price book")]
    UnknownSku,
    #[error("the SKU has no price in the version in force")]
    NoPrice,
    #[error("the SKU has no price yet on that day")]
    NotYetPriced,
    #[error("the amount leaves the range of exact amounts")]
    Overflow,
}

/// The price of an event: by the version in force on its UTC day.
///
/// # Errors
/// When there is no price for it.
pub fn price(event: &UsageEvent, facts: &Facts) -> Result<Priced, Unrated> {
    let (version, sku, price) = sku_price(&event.sku, event.used_at.day(), facts)?;
    let free = is_free(version, sku, event);
    Ok(Priced {
        payer: facts.accounts.payer(event.owner, event.used_at),
        product: sku.product.clone(),
        price,
        price_version: version.number,
        gross: price.amount_of(event.quantity).map_err(|Overflow| Unrated::Overflow)?,
        free,
        public: event.visibility == Visibility::Public,
        pool: sku.pool.clone(),
        draws: draws_of(facts, event.used_at.day().month(), sku, free),
    })
}

/// The price of a SKU on a day, with the version that it comes from.
///
/// # Errors
/// When there is none.
pub fn sku_price<'a>(sku: &str, day: Day, facts: &'a Facts) -> Result<(&'a PriceVersion, &'a SkuPrice, UnitPrice), Unrated> {
    let version = facts.price_book.in_force(day);
    let sku = version.skus.get(sku).ok_or(Unrated::UnknownSku)?;
    let price = sku.price.ok_or(Unrated::NoPrice)?;
    if sku.since.is_some_and(|since| day < since) {
        return Err(Unrated::NotYetPriced);
    }
    Ok((version, sku, price))
}

/// Free are public repositories where the SKU says so, and the version's free workflow paths on standard runners (rulings A5).
fn is_free(version: &PriceVersion, sku: &SkuPrice, event: &UsageEvent) -> bool {
    let path = event.workflow_path.as_deref().unwrap_or("");
    let free_path = || version.free_workflow_paths.iter().any(|prefix| path.starts_with(prefix.as_str()));
    (sku.free_in_public && event.visibility == Visibility::Public) || (sku.standard_runner && free_path())
}

/// By the rule of the month, as the pool itself: a version that comes in the middle of a month changes no pool of it.
fn draws_of(facts: &Facts, month: Month, sku: &SkuPrice, free: bool) -> Draws {
    let rule = sku.pool.as_ref().and_then(|pool| rule_of(facts, month, pool));
    match rule.map(|rule| rule.scope) {
        _ if free => Draws::Nothing,
        None => Draws::Nothing,
        Some(PoolScope::Payer | PoolScope::Licences) => Draws::OfPayer,
        Some(PoolScope::User) => Draws::OfUser,
        Some(PoolScope::RepositoryHour) => Draws::OfRepositoryHour,
    }
}

/// The place of an event in the order in which a pool is drawn: time, owner, repository, source, id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DrawOrder {
    pub used_at: UtcTime,
    pub owner: String,
    pub repository: String,
    pub source: Name,
    pub id: Name,
}

impl DrawOrder {
    #[must_use]
    pub fn of(event: &UsageEvent, facts: &Facts) -> DrawOrder {
        let folded = crate::account::folded;
        DrawOrder {
            used_at: event.used_at,
            owner: facts.accounts.get(event.owner).map_or_else(String::new, |account| folded(account.login())),
            repository: event.repository.as_deref().map_or_else(String::new, folded),
            source: event.source.clone(),
            id: event.id.clone(),
        }
    }
}

/// The day on which a pool runs out. Usage is only ever added, so the same sums mean the same draws of that day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastDay {
    pub day: Day,
    /// What the pool holds when the day begins.
    pub left: Draw,
    /// What the whole day draws.
    pub drawn: Draw,
}

/// What has become of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pool {
    /// It holds more than was drawn.
    Open { left: Draw },
    /// It runs out on a day, whose events have to be read for the crossing event.
    RunsOut(LastDay),
    /// It ran out with one event: what was used before it is fully discounted, what was used after it not at all.
    RanOut(Box<Crossing>),
}

/// The event that took the last of a pool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crossing {
    pub last: LastDay,
    pub order: DrawOrder,
    /// What the pool still gave to it.
    pub discount: Amount,
    /// What the pool gave on this day.
    pub day_discounts: Discounts,
}

/// What pools gave, by what they gave it to.
pub type Discounts = BTreeMap<CrossedKey, Amount>;

/// Owner, SKU, price version, and whether the repository is public.
pub type CrossedKey = (AccountId, Name, u32, bool);

/// All pools that a month's usage drew from.
pub type Pools = BTreeMap<PoolKey, Pool>;

/// The pool that a total or a line draws from; nothing for free usage and for SKUs without one. Pools of a repository and hour are
/// left out: only events know their hour.
fn pool_of(facts: &Facts, day: Day, sku: &str, version: u32, free: bool) -> Option<(Name, PoolRule, Quantity)> {
    let sku = facts.price_book.version(version)?.skus.get(sku).filter(|_| !free)?;
    let pool = sku.pool.clone()?;
    let rule = rule_of(facts, day.month(), &pool)?;
    Some((pool, rule, sku.weight))
}

/// The rule of a month's pool is that of the month's first day (rulings A2).
fn rule_of(facts: &Facts, month: Month, pool: &str) -> Option<PoolRule> {
    facts.price_book.in_force(month.first_day()).pools.get(pool).copied()
}

fn draw(rule: PoolRule, weight: Quantity, quantity: Quantity, gross: Amount) -> Result<Draw, Overflow> {
    match rule.counts {
        PoolCounts::Quantity => Draw::of_quantity(quantity, weight),
        PoolCounts::Money { .. } => Draw::of_amount(gross),
    }
}

/// What a month's usage draws from each pool, by day.
///
/// # Errors
/// On overflow.
pub fn draws(totals: &MonthTotals, payer: AccountId, facts: &Facts) -> Result<BTreeMap<PoolKey, BTreeMap<Day, Draw>>, Overflow> {
    let mut pools: BTreeMap<PoolKey, BTreeMap<Day, Draw>> = BTreeMap::new();
    for (key, (quantity, gross)) in &totals.rows {
        let Some((_, rule, weight)) = pool_of(facts, key.day, &key.sku, key.price_version, key.free) else { continue };
        let Some(pool) = total_pool(key, payer, facts) else { continue };
        let days = pools.entry(pool).or_default();
        let drawn = days.entry(key.day).or_insert(Draw::ZERO);
        *drawn = drawn.plus(draw(rule, weight, *quantity, *gross)?)?;
    }
    Ok(pools)
}

/// What becomes of each pool of a month; pools that run out still need [`cross`].
///
/// # Errors
/// On overflow.
pub fn settle(totals: &MonthTotals, payer: AccountId, facts: &Facts, now: UtcTime) -> Result<Pools, Overflow> {
    let mut pools = Pools::new();
    for (key, days) in draws(totals, payer, facts)? {
        let Some(rule) = rule_of(facts, key.month, &key.pool) else { continue };
        let size = allowance::pool_size(facts, rule, &key, now)?;
        pools.insert(key, settle_pool(size, &days)?);
    }
    Ok(pools)
}

fn settle_pool(size: Draw, days: &BTreeMap<Day, Draw>) -> Result<Pool, Overflow> {
    let mut left = size;
    for (day, drawn) in days {
        if *drawn > left {
            return Ok(Pool::RunsOut(LastDay { day: *day, left, drawn: *drawn }));
        }
        left = left.minus(*drawn)?;
    }
    Ok(Pool::Open { left })
}

/// The pool that an event draws from, with what it takes; nothing when it draws nothing.
///
/// # Errors
/// On overflow.
pub fn event_draw(event: &UsageEvent, priced: &Priced, facts: &Facts) -> Result<Option<(PoolKey, Draw)>, Overflow> {
    let day = event.used_at.day();
    let Some((pool, rule, weight)) = pool_of(facts, day, &event.sku, priced.price_version, priced.free) else { return Ok(None) };
    let part = match rule.scope {
        PoolScope::Payer | PoolScope::Licences => PoolPart::Whole,
        PoolScope::User => PoolPart::User(facts.accounts.user_key(event.username.as_deref().unwrap_or(""))),
        PoolScope::RepositoryHour => {
            let repository = crate::account::folded(event.repository.as_deref().unwrap_or(""));
            PoolPart::RepositoryHour(event.owner, repository, event.used_at.hour())
        }
    };
    let key = PoolKey { payer: priced.payer, month: day.month(), pool, part };
    Ok(Some((key, draw(rule, weight, event.quantity, priced.gross)?)))
}

/// An event of the day on which a pool runs out, as [`cross`] reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayEvent {
    pub order: DrawOrder,
    pub owner: AccountId,
    pub sku: Name,
    pub price_version: u32,
    pub price: UnitPrice,
    pub public: bool,
    pub gross: Amount,
    pub draw: Draw,
}

impl DayEvent {
    /// An event with what it draws.
    #[must_use]
    pub fn new(event: &UsageEvent, priced: &Priced, draw: Draw, facts: &Facts) -> DayEvent {
        DayEvent {
            order: DrawOrder::of(event, facts),
            owner: event.owner,
            sku: event.sku.clone(),
            price_version: priced.price_version,
            price: priced.price,
            public: priced.public,
            gross: priced.gross,
            draw,
        }
    }

    fn crossed_key(&self) -> CrossedKey {
        (self.owner, self.sku.clone(), self.price_version, self.public)
    }
}

/// Finds the crossing event among the day's events of one pool, which may come in any order.
///
/// # Errors
/// On overflow, or when the events draw no more than what is left: then they are not all of the day's.
pub fn cross(facts: &Facts, key: &PoolKey, last: LastDay, mut events: Vec<DayEvent>) -> Result<Crossing, Overflow> {
    events.sort_by(|a, b| a.order.cmp(&b.order));
    let mut left = last.left;
    let mut day_discounts = Discounts::new();
    for event in events {
        let crosses = event.draw > left;
        let discount = if crosses { split(facts, key, &event, left)? } else { event.gross };
        let sum = day_discounts.entry(event.crossed_key()).or_insert(Amount::ZERO);
        *sum = sum.plus(discount)?;
        if crosses {
            return Ok(Crossing { last, order: event.order, discount, day_discounts });
        }
        left = left.minus(event.draw)?;
    }
    Err(Overflow)
}

/// What the rest of a pool gives to the event that takes the last of it.
fn split(facts: &Facts, key: &PoolKey, event: &DayEvent, left: Draw) -> Result<Amount, Overflow> {
    let Some((_, rule, weight)) = pool_of(facts, day_of(event), &event.sku, event.price_version, false) else { return Ok(Amount::ZERO) };
    debug_assert_eq!(key.month, day_of(event).month(), "a pool's events lie in its month");
    match rule.counts {
        PoolCounts::Money { .. } => Ok(left.as_amount()),
        PoolCounts::Quantity => event.price.amount_of(left.as_quantity(weight)?),
    }
}

fn day_of(event: &DayEvent) -> Day {
    event.order.used_at.day()
}

/// Gross, discount and net of one piece of usage, where gross − discount = net always holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rated {
    pub gross: Amount,
    pub discount: Amount,
    pub net: Amount,
}

impl Rated {
    /// # Errors
    /// On overflow.
    pub fn new(gross: Amount, discount: Amount) -> Result<Rated, Overflow> {
        Ok(Rated { gross, discount, net: gross.minus(discount)? })
    }
}

/// Where a piece of usage stands towards its pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// A sum of a whole day on which the pool does not run out.
    WholeDay(Day),
    /// One event.
    Event(&'a DrawOrder),
}

/// The one rule of discounts: free usage is fully discounted; usage with a pool is fully discounted before the crossing event, not
/// at all after it, and the crossing event by what was left; other usage is not discounted.
///
/// # Errors
/// On overflow. A sum of the very day on which a pool runs out has no single answer and is refused as well; ask event by event.
pub fn rate(gross: Amount, free: bool, pool: Option<&Pool>, place: Place<'_>) -> Result<Rated, Overflow> {
    let discount = match pool {
        _ if free => gross,
        None => Amount::ZERO,
        Some(Pool::Open { .. }) => gross,
        Some(Pool::RunsOut(last)) => whole_day(gross, place, last.day)?,
        Some(Pool::RanOut(crossing)) => match place {
            Place::Event(order) if *order == crossing.order => crossing.discount,
            Place::Event(order) if *order < crossing.order => gross,
            Place::Event(_) => Amount::ZERO,
            Place::WholeDay(_) => whole_day(gross, place, crossing.last.day)?,
        },
    };
    Rated::new(gross, discount)
}

fn whole_day(gross: Amount, place: Place<'_>, crossing: Day) -> Result<Amount, Overflow> {
    let day = match place {
        Place::WholeDay(day) => day,
        Place::Event(order) => order.used_at.day(),
    };
    match day.cmp(&crossing) {
        std::cmp::Ordering::Less => Ok(gross),
        std::cmp::Ordering::Greater => Ok(Amount::ZERO),
        std::cmp::Ordering::Equal => Err(Overflow),
    }
}

/// The pool that a line draws from.
#[must_use]
pub fn line_pool(key: &LineKey, day: Day, facts: &Facts) -> Option<PoolKey> {
    let (pool, rule, _) = pool_of(facts, day, &key.sku, key.price_version, key.free)?;
    let part = match rule.scope {
        PoolScope::Payer | PoolScope::Licences => PoolPart::Whole,
        PoolScope::User => PoolPart::User(facts.accounts.user_key(&key.username)),
        PoolScope::RepositoryHour => return None,
    };
    Some(PoolKey { payer: key.payer, month: day.month(), pool, part })
}

/// The pool that a month's total draws from.
#[must_use]
pub fn total_pool(key: &TotalKey, payer: AccountId, facts: &Facts) -> Option<PoolKey> {
    let (pool, rule, _) = pool_of(facts, key.day, &key.sku, key.price_version, key.free)?;
    let part = match rule.scope {
        PoolScope::Payer | PoolScope::Licences => PoolPart::Whole,
        PoolScope::User => PoolPart::User(key.user.to_string()),
        PoolScope::RepositoryHour => return None,
    };
    Some(PoolKey { payer, month: key.day.month(), pool, part })
}

/// Whether a total has a pool for each repository and hour, so that its discount has to be found event by event.
#[must_use]
pub fn is_by_hour(key: &TotalKey, facts: &Facts) -> bool {
    pool_of(facts, key.day, &key.sku, key.price_version, key.free).is_some_and(|(_, rule, _)| rule.scope == PoolScope::RepositoryHour)
}

/// The pools of a repository and hour that a day's events draw from, and what those gave in all.
///
/// # Errors
/// On overflow.
pub fn settle_hours(facts: &Facts, day: Day, events: Vec<(PoolKey, DayEvent)>, now: UtcTime) -> Result<(Pools, Discounts), Overflow> {
    let mut by_pool: BTreeMap<PoolKey, Vec<DayEvent>> = BTreeMap::new();
    for (key, event) in events {
        by_pool.entry(key).or_default().push(event);
    }
    let (mut pools, mut discounts) = (Pools::new(), Discounts::new());
    for (key, events) in by_pool {
        let Some(rule) = rule_of(facts, key.month, &key.pool) else { continue };
        let size = allowance::pool_size(facts, rule, &key, now)?;
        let drawn = events.iter().try_fold(Draw::ZERO, |sum, event| sum.plus(event.draw))?;
        let pool = if drawn > size {
            let crossing = cross(facts, &key, LastDay { day, left: size, drawn }, events)?;
            add_discounts(&mut discounts, &crossing.day_discounts)?;
            Pool::RanOut(Box::new(crossing))
        } else {
            add_discounts(&mut discounts, &gross_of(&events)?)?;
            Pool::Open { left: size.minus(drawn)? }
        };
        pools.insert(key, pool);
    }
    Ok((pools, discounts))
}

fn gross_of(events: &[DayEvent]) -> Result<Discounts, Overflow> {
    let mut sums = Discounts::new();
    for event in events {
        let sum = sums.entry(event.crossed_key()).or_insert(Amount::ZERO);
        *sum = sum.plus(event.gross)?;
    }
    Ok(sums)
}

fn add_discounts(sums: &mut Discounts, more: &Discounts) -> Result<(), Overflow> {
    for (key, discount) in more {
        let sum = sums.entry(key.clone()).or_insert(Amount::ZERO);
        *sum = sum.plus(*discount)?;
    }
    Ok(())
}
