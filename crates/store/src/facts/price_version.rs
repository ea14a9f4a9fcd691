//! A price version as the JSON of its fact: whole, with every number as exact decimal text.
//!
//! The keys and words are read for ever; what a version means is left to `billing`.

use billing::catalog::Unit;
use billing::price_book::difference::counts_word;
use billing::price_book::draft::parse_weight;
use billing::price_book::{PoolCounts, PoolRule, PoolScope, PriceVersion, SkuPrice};
use billing::{Day, UnitPrice};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
pub(super) struct PriceVersionJson {
    name: String,
    effective_from: String,
    skus: Vec<SkuJson>,
    pools: BTreeMap<String, PoolJson>,
    free_workflow_paths: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct SkuJson {
    sku: String,
    product: String,
    name: String,
    unit: String,
    price: Option<String>,
    since: Option<String>,
    pool: Option<String>,
    weight: String,
    free_in_public: bool,
    standard_runner: bool,
}

#[derive(Serialize, Deserialize)]
struct PoolJson {
    counts: String,
    unit_price: Option<String>,
    scope: String,
}

pub(super) fn to_json(version: &PriceVersion) -> PriceVersionJson {
    PriceVersionJson {
        name: version.name.clone(),
        effective_from: version.effective_from.to_string(),
        skus: version.skus.values().map(sku_to_json).collect(),
        pools: version.pools.iter().map(|(pool, rule)| (pool.to_string(), pool_to_json(*rule))).collect(),
        free_workflow_paths: version.free_workflow_paths.clone(),
    }
}

fn sku_to_json(sku: &SkuPrice) -> SkuJson {
    SkuJson {
        sku: sku.sku.to_string(),
        product: sku.product.to_string(),
        name: sku.display_name.to_string(),
        unit: sku.unit.to_string(),
        price: sku.price.map(|price| price.to_string()),
        since: sku.since.map(|since| since.to_string()),
        pool: sku.pool.as_ref().map(ToString::to_string),
        weight: sku.weight.to_string(),
        free_in_public: sku.free_in_public,
        standard_runner: sku.standard_runner,
    }
}

fn pool_to_json(rule: PoolRule) -> PoolJson {
    let unit_price = match rule.counts {
        PoolCounts::Quantity => None,
        PoolCounts::Money { unit_price } => Some(unit_price.to_string()),
    };
    PoolJson { counts: counts_word(rule.counts).to_owned(), unit_price, scope: rule.scope.as_str().to_owned() }
}

/// The version, without its number: that is its place among all versions.
pub(super) fn from_json(json: PriceVersionJson) -> Result<PriceVersion, String> {
    let mut skus = BTreeMap::new();
    for sku in json.skus {
        let named = sku.sku.clone();
        let sku = sku_from_json(sku).map_err(|what| format!("SKU `{named}`: {what}"))?;
        skus.insert(sku.sku.clone(), sku);
    }
    let mut pools = BTreeMap::new();
    for (pool, rule) in json.pools {
        let rule = pool_from_json(&rule).map_err(|what| format!("pool `{pool}`: {what}"))?;
        pools.insert(pool.into(), rule);
    }
    Ok(PriceVersion {
        number: 0,
        name: json.name,
        effective_from: day(&json.effective_from)?,
        skus,
        pools,
        free_workflow_paths: json.free_workflow_paths,
    })
}

fn sku_from_json(sku: SkuJson) -> Result<SkuPrice, String> {
    Ok(SkuPrice {
        product: sku.product.into(),
        sku: sku.sku.into(),
        display_name: sku.name.into(),
        unit: Unit::parse(&sku.unit).ok_or_else(|| format!("unit `{}` is unknown to this program", sku.unit))?,
        price: sku.price.as_deref().map(price).transpose()?,
        since: sku.since.as_deref().map(day).transpose()?,
        pool: sku.pool.map(Into::into),
        weight: parse_weight(&sku.weight).map_err(|error| format!("weight `{}` {error}", sku.weight))?,
        free_in_public: sku.free_in_public,
        standard_runner: sku.standard_runner,
    })
}

fn pool_from_json(pool: &PoolJson) -> Result<PoolRule, String> {
    let unit_price = pool.unit_price.as_deref().map(price).transpose()?;
    let counts = match (pool.counts.as_str(), unit_price) {
        ("quantity", None) => PoolCounts::Quantity,
        ("money", Some(unit_price)) => PoolCounts::Money { unit_price },
        (other, _) => return Err(format!("it cannot count `{other}` with this unit price")),
    };
    let scope = PoolScope::parse(&pool.scope).ok_or_else(|| format!("scope `{}` is unknown to this program", pool.scope))?;
    Ok(PoolRule { counts, scope })
}

fn price(text: &str) -> Result<UnitPrice, String> {
    UnitPrice::parse_exact(text).map_err(|error| format!("price `{text}` {error}"))
}

fn day(text: &str) -> Result<Day, String> {
    Day::parse(text).map_err(|error| format!("`{text}` {error}"))
}
