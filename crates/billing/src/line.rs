//! Lines: usage of one day with the same key, summed. Reports, endpoints and pools are made from lines; events are read again only
//! for the day on which a pool runs out.
//!
//! The order of a [`LineKey`] is the order of a report. Keeping lines in memory and on disk is left to the store.

use crate::rating::Priced;
use crate::usage::Tokens;
use crate::{AccountId, Amount, Day, Facts, Month, Name, Overflow, Quantity, UnitPrice, UsageEvent, UtcTime};

/// What a line is about. The fields stand in the order in which report rows are sorted; empty names are absent ones.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LineKey {
    pub payer: AccountId,
    pub product: Name,
    pub sku: Name,
    /// The owner's present login: what an organization column shows.
    pub owner_login: Name,
    pub repository: Name,
    pub cost_center: Name,
    pub username: Name,
    pub workflow_path: Name,
    pub model: Name,
    pub price: UnitPrice,
    pub price_version: u32,
    /// Free by a rule of the price book: it is fully discounted and draws from no pool.
    pub free: bool,
    pub public: bool,
    pub owner: AccountId,
}

/// What the events of a line add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LineSums {
    pub quantity: Quantity,
    pub gross: Amount,
    pub tokens: Tokens,
    /// The earliest usage of the line.
    pub first_used_at: UtcTime,
}

impl LineSums {
    /// # Errors
    /// On overflow.
    pub fn plus(self, other: LineSums) -> Result<LineSums, Overflow> {
        Ok(LineSums {
            quantity: self.quantity.plus(other.quantity)?,
            gross: self.gross.plus(other.gross)?,
            tokens: self.tokens.plus(other.tokens)?,
            first_used_at: self.first_used_at.min(other.first_used_at),
        })
    }
}

/// The line that a priced event belongs to.
#[must_use]
pub fn line_key(event: &UsageEvent, priced: &Priced, facts: &Facts) -> LineKey {
    let text = |name: &Option<Name>| name.clone().unwrap_or_else(|| "".into());
    let login = facts.accounts.get(event.owner).map_or("", |account| account.login());
    LineKey {
        payer: priced.payer,
        product: priced.product.clone(),
        sku: event.sku.clone(),
        owner_login: login.into(),
        repository: text(&event.repository),
        cost_center: "".into(),
        username: text(&event.username),
        workflow_path: text(&event.workflow_path),
        model: text(&event.model),
        price: priced.price,
        price_version: priced.price_version,
        free: priced.free,
        public: priced.public,
        owner: event.owner,
    }
}

/// What one event adds to its line.
#[must_use]
pub fn line_sums(event: &UsageEvent, priced: &Priced) -> LineSums {
    LineSums { quantity: event.quantity, gross: priced.gross, tokens: event.tokens, first_used_at: event.used_at }
}

/// A line with its amounts settled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RatedLine {
    pub day: Day,
    pub key: LineKey,
    pub sums: LineSums,
    pub discount: Amount,
}

impl RatedLine {
    /// # Errors
    /// On overflow.
    pub fn net(&self) -> Result<Amount, Overflow> {
        self.sums.gross.minus(self.discount)
    }

    #[must_use]
    pub fn month(&self) -> Month {
        self.day.month()
    }
}
