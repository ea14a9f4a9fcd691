//! Re-pricing: what the same usage comes to under other facts, with the difference and its causes.
//!
//! It compares months that were rated twice by the one [`crate::rating::rate`]; it prices nothing itself. Start at [`Repricing`].

use crate::month::{RatedMonth, RatedTotal};
use crate::price_book::PriceBook;
use crate::{AccountId, Amount, Facts, Name, Overflow, Quantity};
use std::collections::BTreeMap;

/// What usage comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sums {
    /// What has a price; usage without one is kept and counts nothing here.
    pub quantity: Quantity,
    pub gross: Amount,
    pub discount: Amount,
    pub net: Amount,
}

/// Why the net amount differs: the three add up to the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Causes {
    /// Other prices for what is charged.
    pub price: Amount,
    /// Other things are charged: a rule of free usage differs, or a SKU has a price in only one of the two.
    pub rules: Amount,
    /// Pools give less (or, when it is negative, more).
    pub pool: Amount,
}

/// One owner's usage of one SKU, as it is and as it would be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repriced {
    pub payer: AccountId,
    pub owner: AccountId,
    pub product: Name,
    pub sku: Name,
    pub before: Sums,
    pub after: Sums,
    pub difference: Amount,
    pub causes: Causes,
}

impl Sums {
    const ZERO: Sums = Sums { quantity: Quantity::ZERO, gross: Amount::ZERO, discount: Amount::ZERO, net: Amount::ZERO };

    fn plus(self, other: Sums) -> Result<Sums, Overflow> {
        Ok(Sums {
            quantity: self.quantity.plus(other.quantity)?,
            gross: self.gross.plus(other.gross)?,
            discount: self.discount.plus(other.discount)?,
            net: self.net.plus(other.net)?,
        })
    }
}

impl Causes {
    const ZERO: Causes = Causes { price: Amount::ZERO, rules: Amount::ZERO, pool: Amount::ZERO };

    fn plus(self, other: Causes) -> Result<Causes, Overflow> {
        Ok(Causes { price: self.price.plus(other.price)?, rules: self.rules.plus(other.rules)?, pool: self.pool.plus(other.pool)? })
    }
}

/// One side of a part of usage that is charged or free by the same rules: an owner's usage of a SKU in a month, public or not.
#[derive(Debug, Clone, Copy)]
struct Side {
    sums: Sums,
    charged_quantity: Quantity,
    charged_gross: Amount,
    pool_discount: Amount,
}

const NOTHING: Side = Side { sums: Sums::ZERO, charged_quantity: Quantity::ZERO, charged_gross: Amount::ZERO, pool_discount: Amount::ZERO };

impl Side {
    fn add(&mut self, total: &RatedTotal) -> Result<(), Overflow> {
        let rated = total.rated;
        let sums = Sums { quantity: total.quantity, gross: rated.gross, discount: rated.discount, net: rated.net };
        self.sums = self.sums.plus(sums)?;
        if !total.free {
            self.charged_quantity = self.charged_quantity.plus(total.quantity)?;
            self.charged_gross = self.charged_gross.plus(rated.gross)?;
            self.pool_discount = self.pool_discount.plus(rated.discount)?;
        }
        Ok(())
    }
}

fn causes(before: &Side, after: &Side) -> Result<Causes, Overflow> {
    let charged = after.charged_gross.minus(before.charged_gross)?;
    let same = before.charged_quantity == after.charged_quantity;
    let (price, rules) = if same { (charged, Amount::ZERO) } else { (Amount::ZERO, charged) };
    Ok(Causes { price, rules, pool: before.pool_discount.minus(after.pool_discount)? })
}

type RowKey = (AccountId, AccountId, Name);

/// The comparison of any number of months.
#[derive(Debug, Default)]
pub struct Repricing {
    rows: BTreeMap<RowKey, (Sums, Sums, Causes)>,
}

impl Repricing {
    /// Adds a payer's month, rated with both; none where nothing has a price.
    ///
    /// # Errors
    /// On overflow.
    pub fn add(&mut self, payer: AccountId, before: Option<&RatedMonth>, after: Option<&RatedMonth>) -> Result<(), Overflow> {
        let mut parts: BTreeMap<(AccountId, &Name, bool), (Side, Side)> = BTreeMap::new();
        for total in before.into_iter().flat_map(|month| &month.totals) {
            parts.entry((total.owner, &total.sku, total.public)).or_insert((NOTHING, NOTHING)).0.add(total)?;
        }
        for total in after.into_iter().flat_map(|month| &month.totals) {
            parts.entry((total.owner, &total.sku, total.public)).or_insert((NOTHING, NOTHING)).1.add(total)?;
        }
        for ((owner, sku, _), (before, after)) in parts {
            let row = self.rows.entry((payer, owner, sku.clone())).or_insert((Sums::ZERO, Sums::ZERO, Causes::ZERO));
            *row = (row.0.plus(before.sums)?, row.1.plus(after.sums)?, row.2.plus(causes(&before, &after)?)?);
        }
        Ok(())
    }

    /// One row for each owner and SKU, by the logins of payer and owner, product and SKU.
    ///
    /// # Errors
    /// On overflow.
    pub fn rows(&self, facts: &Facts) -> Result<Vec<Repriced>, Overflow> {
        let mut rows = Vec::with_capacity(self.rows.len());
        for ((payer, owner, sku), (before, after, causes)) in &self.rows {
            let (product, sku) = (product_of(&facts.price_book, sku), sku.clone());
            let difference = after.net.minus(before.net)?;
            let (payer, owner, before, after, causes) = (*payer, *owner, *before, *after, *causes);
            rows.push(Repriced { payer, owner, product, sku, before, after, difference, causes });
        }
        let login = |id| facts.accounts.get(id).map_or("", |account| account.login());
        rows.sort_by(|a, b| {
            let key = |row: &Repriced| (login(row.payer), row.payer, login(row.owner), row.owner, row.product.clone(), row.sku.clone());
            key(a).cmp(&key(b))
        });
        Ok(rows)
    }
}

/// The sums of rows.
///
/// # Errors
/// On overflow.
pub fn total<'a>(rows: impl IntoIterator<Item = &'a Repriced>) -> Result<(Amount, Amount, Causes), Overflow> {
    let mut sum = (Amount::ZERO, Amount::ZERO, Causes::ZERO);
    for row in rows {
        sum = (sum.0.plus(row.before.net)?, sum.1.plus(row.after.net)?, sum.2.plus(row.causes)?);
    }
    Ok(sum)
}

/// The product of a SKU in the last version that knows it.
fn product_of(book: &PriceBook, sku: &str) -> Name {
    let known = book.versions().iter().rev().find_map(|version| version.skus.get(sku));
    known.map_or_else(|| "".into(), |sku| sku.product.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::UnitPrice;
    use crate::rating::Rated;

    /// A total as `owner sku quantity gross discount`, charged and private unless it says `free` or `public`.
    fn month(table: &str) -> RatedMonth {
        let amount = |text: &str| Amount::from_billionths(Quantity::parse(text).unwrap().billionths());
        let total = |row: &str| {
            let words: Vec<&str> = row.split_whitespace().collect();
            let rated = Rated::new(amount(words[3]), amount(words[4])).unwrap();
            RatedTotal {
                owner: AccountId(words[0].parse().unwrap()),
                sku: words[1].into(),
                price: UnitPrice::ZERO,
                free: words.contains(&"free"),
                public: words.contains(&"public"),
                quantity: Quantity::parse(words[2]).unwrap(),
                rated,
            }
        };
        RatedMonth { totals: table.trim().lines().map(total).collect(), ..RatedMonth::default() }
    }

    fn check(before: &str, after: &str, expected: &str) {
        let mut repricing = Repricing::default();
        repricing.add(AccountId(9), Some(&month(before)), Some(&month(after))).unwrap();
        let rows = repricing.rows(&Facts::start()).unwrap();
        for row in &rows {
            let causes = row.causes.price.plus(row.causes.rules).unwrap().plus(row.causes.pool).unwrap();
            assert_eq!(causes, row.difference, "the causes add up to the difference: {row:?}");
        }
        let shown = rows.iter().map(|row| {
            let Causes { price, rules, pool } = row.causes;
            format!("{} {} {} {}: {price} {rules} {pool}", row.owner.0, row.sku, row.before.net, row.after.net)
        });
        assert_eq!(shown.collect::<Vec<_>>(), expected.trim().lines().map(str::trim).collect::<Vec<_>>());
    }

    #[test]
    fn a_difference_comes_from_prices_rules_and_pools() {
        // A dearer SKU takes more of the pool, so that another one gets less of it.
        check(
            "1 actions_linux 100 0.8 0.8\n1 actions_windows 100 1.6 0.8",
            "1 actions_linux 100 0.6 0.2\n1 actions_windows 100 1 1",
            "1 actions_linux 0 0.4: -0.2 0 0.6\n1 actions_windows 0.8 0: -0.6 0 -0.2",
        );
        // Public usage stays free whatever it costs: its price is no cause.
        check("1 actions_linux 10 0.08 0.08 free public", "1 actions_linux 10 0.06 0.06 free public", "1 actions_linux 0 0: 0 0 0");
        // A free rule that goes, beside a price that falls for the rest.
        check(
            "1 actions_linux 10 0.08 0.08 free public\n1 actions_linux 10 0.08 0",
            "1 actions_linux 10 0.06 0 public\n1 actions_linux 10 0.06 0",
            "1 actions_linux 0.08 0.12: -0.02 0.06 0",
        );
        // A SKU that only one of the two prices.
        check("1 own 5 10 0", "2 actions_linux 1 0.006 0", "1 own 10 0: 0 -10 0\n2 actions_linux 0 0.006: 0 0.006 0");
    }

    #[test]
    fn months_of_one_owner_add_up() {
        let mut repricing = Repricing::default();
        for _ in 0..3 {
            let (before, after) = (month("1 actions_linux 10 0.08 0"), month("1 actions_linux 10 0.06 0.01"));
            repricing.add(AccountId(1), Some(&before), Some(&after)).unwrap();
        }
        let rows = repricing.rows(&Facts::start()).unwrap();
        assert_eq!((rows.len(), &*rows[0].product, rows[0].before.quantity.to_string().as_str()), (1, "actions", "30"));
        let (before, after, causes) = total(&rows).unwrap();
        assert_eq!(
            [before, after, causes.price, causes.rules, causes.pool].map(|amount| amount.to_string()),
            ["0.24", "0.15", "-0.06", "0", "-0.03"]
        );
    }
}
