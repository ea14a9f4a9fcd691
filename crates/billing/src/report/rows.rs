//! From rated lines to report rows: lines with the same key become one row (rulings C18), in one pass.
//!
//! Lines come day by day in the order of their keys, which begins with product and SKU and goes on with all names of the detailed
//! report. So its rows, and those of the summarized report, need no more memory than one row; a premium-request or AI row has its user
//! first and its model in the key, and one SKU's day is kept for it. Start at [`rows`].

use super::{ReportType, Row};
use crate::catalog::Unit;
use crate::line::{LineKey, RatedLine};
use crate::price_book::SkuPrice;
use crate::rating::Rated;
use crate::usage::Tokens;
use crate::{AccountId, Amount, Day, Facts, Month, Name, Overflow, Quantity, UnitPrice, UtcTime, allowance};
use std::collections::BTreeMap;
use std::iter::Peekable;

/// Why a row cannot be made. No usage that was accepted and priced leads here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowError {
    #[error("the sum of a row leaves the range of exact amounts")]
    Overflow,
    #[error("a line of `{sku}` names price version {version}, which does not price it")]
    UnknownPrice { sku: Name, version: u32 },
}

impl From<Overflow> for RowError {
    fn from(Overflow: Overflow) -> RowError {
        RowError::Overflow
    }
}

/// The rows of a report, in order, from the payer's rated lines in report order. `now` sizes the quotas of the running month.
pub fn rows<I, E>(report_type: ReportType, payer: AccountId, facts: &Facts, now: UtcTime, lines: I) -> Rows<'_, I::IntoIter>
where
    I: IntoIterator<Item = Result<RatedLine, E>>,
    E: From<RowError>,
{
    Rows { report_type, payer, facts, now, lines: lines.into_iter().peekable(), ready: Vec::new().into_iter(), quotas: None }
}

/// See [`rows`].
pub struct Rows<'a, I: Iterator> {
    report_type: ReportType,
    payer: AccountId,
    facts: &'a Facts,
    now: UtcTime,
    lines: Peekable<I>,
    ready: std::vec::IntoIter<Row>,
    /// What each user's licence includes, for the month that the rows have come to.
    quotas: Option<(Month, BTreeMap<String, Quantity>)>,
}

/// What tells the rows of one group apart, in the order in which they are sorted. The group has one day, product and SKU.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct RowKey {
    username: Name,
    model: Name,
    price: UnitPrice,
    organization: Name,
    repository: Name,
    cost_center: Name,
    workflow_path: Name,
}

#[derive(Debug, Clone, Copy)]
struct Sums {
    quantity: Quantity,
    gross: Amount,
    discount: Amount,
    tokens: Tokens,
}

impl Sums {
    const ZERO: Sums = Sums {
        quantity: Quantity::ZERO,
        gross: Amount::ZERO,
        discount: Amount::ZERO,
        tokens: Tokens { input: 0, output: 0, cache_read: 0, cache_write: 0 },
    };

    fn plus(self, line: &RatedLine) -> Result<Sums, Overflow> {
        Ok(Sums {
            quantity: self.quantity.plus(line.sums.quantity)?,
            gross: self.gross.plus(line.sums.gross)?,
            discount: self.discount.plus(line.discount)?,
            tokens: self.tokens.plus(line.sums.tokens)?,
        })
    }

    /// Nothing used and nothing charged: such a row says nothing. A correction may move money alone, so both are looked at.
    fn is_nothing(self) -> bool {
        self.quantity.is_zero() && self.gross.is_zero() && self.discount.is_zero()
    }
}

impl<I, E> Iterator for Rows<'_, I>
where
    I: Iterator<Item = Result<RatedLine, E>>,
    E: From<RowError>,
{
    type Item = Result<Row, E>;

    fn next(&mut self) -> Option<Result<Row, E>> {
        loop {
            if let Some(row) = self.ready.next() {
                return Some(Ok(row));
            }
            let line = match self.lines.next()? {
                Ok(line) => line,
                Err(error) => return Some(Err(error)),
            };
            match self.group(line) {
                Ok(rows) => self.ready = rows.into_iter(),
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

impl<I, E> Rows<'_, I>
where
    I: Iterator<Item = Result<RatedLine, E>>,
    E: From<RowError>,
{
    /// The rows of the group that begins with a line; takes the group's other lines.
    fn group(&mut self, first: RatedLine) -> Result<Vec<Row>, E> {
        let sku = sku_price(self.facts, &first.key)?;
        let wanted = is_reported(self.report_type, sku);
        let mut sums: BTreeMap<RowKey, Sums> = BTreeMap::new();
        let report_type = self.report_type;
        if wanted {
            add(&mut sums, report_type, &first)?;
        }
        while let Some(line) = self.lines.next_if(|line| line.as_ref().is_ok_and(|line| is_same_group(report_type, &first, line))) {
            if wanted {
                add(&mut sums, report_type, &line?)?;
            }
        }
        sums.retain(|_, sums| !sums.is_nothing());
        sums.into_iter().map(|(key, sums)| Ok(self.row(&first, sku, key, sums)?)).collect()
    }

    fn row(&mut self, line: &RatedLine, sku: &SkuPrice, key: RowKey, sums: Sums) -> Result<Row, RowError> {
        Ok(Row {
            day: line.day,
            product: line.key.product.clone(),
            sku: line.key.sku.clone(),
            quantity: sums.quantity,
            unit: sku.unit,
            price: key.price,
            rated: Rated::new(sums.gross, sums.discount)?,
            monthly_quota: self.monthly_quota(line.day, sku, &key.username),
            username: key.username,
            organization: key.organization,
            repository: key.repository,
            workflow_path: key.workflow_path,
            cost_center: key.cost_center,
            model: key.model,
            tokens: sums.tokens,
        })
    }

    /// What the user's licence includes of the SKU's pool in the month of a day; nothing in reports without that column.
    fn monthly_quota(&mut self, day: Day, sku: &SkuPrice, username: &str) -> Quantity {
        let Some(pool) = sku.pool.as_deref().filter(|_| is_by_user(self.report_type)) else { return Quantity::ZERO };
        let month = day.month();
        if self.quotas.as_ref().is_none_or(|(of, _)| *of != month) {
            self.quotas = Some((month, allowance::user_quotas(self.facts, self.payer, pool, month, self.now)));
        }
        let user = self.facts.accounts.user_key(username);
        self.quotas.as_ref().and_then(|(_, quotas)| quotas.get(&user)).copied().unwrap_or(Quantity::ZERO)
    }
}

/// The SKU as the line's price version has it: a price is a fact and never edited.
fn sku_price<'a>(facts: &'a Facts, key: &LineKey) -> Result<&'a SkuPrice, RowError> {
    let sku = facts.price_book.version(key.price_version).and_then(|version| version.skus.get(&key.sku));
    sku.ok_or_else(|| RowError::UnknownPrice { sku: key.sku.clone(), version: key.price_version })
}

fn is_by_user(report_type: ReportType) -> bool {
    matches!(report_type, ReportType::PremiumRequest | ReportType::AiCredit)
}

/// The premium-request and AI reports show the SKUs that draw from their pool and count its unit, whatever they are called.
fn is_reported(report_type: ReportType, sku: &SkuPrice) -> bool {
    match report_type {
        ReportType::Detailed | ReportType::Summarized => true,
        ReportType::PremiumRequest => sku.unit == Unit::Requests && sku.pool.as_deref() == Some("premium_requests"),
        ReportType::AiCredit => sku.unit == Unit::AiCredits && sku.pool.as_deref() == Some("ai_credits"),
    }
}

/// Whether two lines may add to the same row or have their rows sorted against each other.
fn is_same_group(report_type: ReportType, one: &RatedLine, other: &RatedLine) -> bool {
    let (day, one, other) = (one.day == other.day, &one.key, &other.key);
    let sku = || one.sku == other.sku && one.product == other.product;
    let place = || one.owner_login == other.owner_login && one.repository == other.repository && one.cost_center == other.cost_center;
    let person = || one.username == other.username && one.workflow_path == other.workflow_path;
    day && match report_type {
        ReportType::PremiumRequest | ReportType::AiCredit => sku(),
        ReportType::Summarized => sku() && place(),
        ReportType::Detailed => sku() && place() && person(),
    }
}

fn add(sums: &mut BTreeMap<RowKey, Sums>, report_type: ReportType, line: &RatedLine) -> Result<(), RowError> {
    let row = sums.entry(row_key(report_type, &line.key)).or_insert(Sums::ZERO);
    *row = row.plus(line)?;
    Ok(())
}

fn row_key(report_type: ReportType, key: &LineKey) -> RowKey {
    let shown = |name: &Name, columns: &[ReportType]| if columns.contains(&report_type) { name.clone() } else { "".into() };
    use ReportType::{AiCredit, Detailed, PremiumRequest, Summarized};
    RowKey {
        username: shown(&key.username, &[Detailed, PremiumRequest, AiCredit]),
        model: shown(&key.model, &[PremiumRequest, AiCredit]),
        price: key.price,
        organization: key.owner_login.clone(),
        repository: shown(&key.repository, &[Detailed, Summarized, AiCredit]),
        cost_center: key.cost_center.clone(),
        workflow_path: shown(&key.workflow_path, &[Detailed]),
    }
}

#[cfg(test)]
mod tests;
