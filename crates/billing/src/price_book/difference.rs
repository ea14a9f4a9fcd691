//! What two price versions differ in, key by key.
//!
//! Values are shown in their exact text. How a difference is laid out is left to the program.

use super::{PoolCounts, PoolRule, PriceVersion, SkuPrice};
use crate::Name;
use std::collections::BTreeSet;

/// What a difference is about, in the order in which differences come.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// The version as a whole.
    Version,
    Pool(Name),
    Sku(Name),
}

/// One key with another value; absent values are none, those of what one version does not know as well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub item: Item,
    pub key: &'static str,
    pub before: Option<String>,
    pub after: Option<String>,
}

type Value = (&'static str, Option<String>);

/// Everything in which `after` differs from `before`, but their names and numbers.
#[must_use]
pub fn differences(before: &PriceVersion, after: &PriceVersion) -> Vec<Difference> {
    let mut found = Vec::new();
    compare(&mut found, &Item::Version, &version_values(before), &version_values(after));
    let pools: BTreeSet<&Name> = before.pools.keys().chain(after.pools.keys()).collect();
    for pool in pools {
        let values = |version: &PriceVersion| pool_values(version.pools.get(pool));
        compare(&mut found, &Item::Pool(pool.clone()), &values(before), &values(after));
    }
    let skus: BTreeSet<&Name> = before.skus.keys().chain(after.skus.keys()).collect();
    for sku in skus {
        let values = |version: &PriceVersion| sku_values(version.skus.get(sku));
        compare(&mut found, &Item::Sku(sku.clone()), &values(before), &values(after));
    }
    found
}

fn compare(found: &mut Vec<Difference>, item: &Item, before: &[Value], after: &[Value]) {
    for ((key, before), (_, after)) in before.iter().zip(after) {
        if before != after {
            found.push(Difference { item: item.clone(), key, before: before.clone(), after: after.clone() });
        }
    }
}

fn version_values(version: &PriceVersion) -> [Value; 2] {
    let paths = version.free_workflow_paths.join(", ");
    [("effective_from", Some(version.effective_from.to_string())), ("free_workflow_paths", Some(paths))]
}

/// What a pool counts, in the word that price files and stored versions use.
#[must_use]
pub fn counts_word(counts: PoolCounts) -> &'static str {
    match counts {
        PoolCounts::Quantity => "quantity",
        PoolCounts::Money { .. } => "money",
    }
}

fn pool_values(rule: Option<&PoolRule>) -> [Value; 3] {
    let unit_price = rule.and_then(|rule| match rule.counts {
        PoolCounts::Quantity => None,
        PoolCounts::Money { unit_price } => Some(unit_price.to_string()),
    });
    [
        ("counts", rule.map(|rule| counts_word(rule.counts).to_owned())),
        ("unit_price", unit_price),
        ("scope", rule.map(|rule| rule.scope.as_str().to_owned())),
    ]
}

fn sku_values(sku: Option<&SkuPrice>) -> [Value; 9] {
    [
        ("product", sku.map(|sku| sku.product.to_string())),
        ("name", sku.map(|sku| sku.display_name.to_string())),
        ("unit", sku.map(|sku| sku.unit.to_string())),
        ("price", sku.and_then(|sku| sku.price).map(|price| price.to_string())),
        ("since", sku.and_then(|sku| sku.since).map(|since| since.to_string())),
        ("pool", sku.and_then(|sku| sku.pool.as_ref()).map(ToString::to_string)),
        ("weight", sku.map(|sku| sku.weight.to_string())),
        ("free_in_public", sku.map(|sku| sku.free_in_public.to_string())),
        ("standard_runner", sku.map(|sku| sku.standard_runner.to_string())),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::price_book::PriceBook;

    #[test]
    fn the_prices_of_2026_differ_in_runners_and_in_what_the_minutes_pool_counts() {
        let book = PriceBook::start();
        let found = differences(&book.versions()[0], &book.versions()[1]);
        let shown = |difference: &Difference| {
            let shown = |value: &Option<String>| value.clone().unwrap_or_default();
            format!("{:?} {} {} {}", difference.item, difference.key, shown(&difference.before), shown(&difference.after))
        };
        let lines: Vec<String> = found.iter().map(shown).collect();
        assert_eq!(
            lines[..4],
            [
                "Version effective_from 1970-01-01 2026-01-01",
                "Pool(\"actions_minutes\") counts quantity money",
                "Pool(\"actions_minutes\") unit_price  0.006",
                "Sku(\"actions_linux\") price 0.008 0.006",
            ]
        );
        assert!(lines[3..].iter().all(|line| line.contains(" price ")), "{lines:?}");
        assert_eq!(differences(&book.versions()[1], &book.versions()[1]), []);
    }

    #[test]
    fn a_sku_that_one_version_does_not_know_differs_in_every_value() {
        let book = PriceBook::start();
        let before = book.versions()[1].clone();
        let mut after = before.clone();
        after.skus.remove("copilot_enterprise");
        let found = differences(&before, &after);
        let keys: Vec<&str> = found.iter().map(|difference| difference.key).collect();
        assert_eq!(keys, ["product", "name", "unit", "price", "weight", "free_in_public", "standard_runner"]);
        assert!(found.iter().all(|difference| difference.after.is_none()));
    }
}
