//! A price version as an operator writes it: what it changes of another one, made whole or refused with every reason.
//!
//! Versions are complete in themselves, so a draft is settled once, against the book as it was before the version; settled again, it
//! gives the same version. Reading drafts from files and storing versions is left to the program and the store.

use super::{PoolCounts, PoolRule, PoolScope, PriceBook, PriceVersion, SkuPrice};
use crate::catalog::{Unit, is_sku};
use crate::decimal::{self, DecimalError};
use crate::{Day, Name, Quantity, UnitPrice};
use std::collections::{BTreeMap, BTreeSet};

/// SKUs of one version. GitHub has about eighty.
pub const SKUS_MAX: usize = 10_000;
/// Free workflow paths of one version: each is compared with the path of every event on a standard runner.
pub const FREE_WORKFLOW_PATHS_MAX: usize = 100;
const NAME_LENGTH_MAX: usize = 100;
const TEXT_LENGTH_MAX: usize = 255;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceVersionDraft {
    pub name: String,
    pub effective_from: Day,
    /// The version that holds for everything not written here; absent, the one in force on the first day.
    pub based_on: Option<String>,
    pub skus: Vec<SkuDraft>,
    /// SKUs that the version does not know any more.
    pub removed: Vec<String>,
    pub pools: Vec<PoolDraft>,
    pub free_workflow_paths: Option<Vec<String>>,
}

/// What is written of a SKU; a new one needs its product, unit and price.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SkuDraft {
    pub sku: String,
    pub product: Option<String>,
    pub name: Option<String>,
    pub unit: Option<Unit>,
    pub price: Option<UnitPrice>,
    pub since: Option<Day>,
    /// `Some(None)` takes the SKU out of its pool.
    pub pool: Option<Option<String>>,
    pub weight: Option<Quantity>,
    pub free_in_public: Option<bool>,
    pub standard_runner: Option<bool>,
}

/// What is written of a pool; a new one needs what it counts and its scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoolDraft {
    pub pool: String,
    /// Whether it counts money; else it counts quantities.
    pub counts_money: Option<bool>,
    pub unit_price: Option<UnitPrice>,
    pub scope: Option<PoolScope>,
}

/// What is wrong, with the key that says it, such as `sku[2].pool`, `removed[0]` or `pools.actions_minutes.scope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftRefusal {
    pub key: String,
    pub problem: DraftProblem,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DraftProblem {
    #[error("`{0}` cannot name a price version: use 1 to 100 letters, digits, `-`, `_` and `.`, the first a letter or digit")]
    BadName(String),
    #[error("price version `{name}` is unknown")]
    UnknownVersion { name: String, known: Vec<String> },
    #[error("`{0}` cannot be a SKU, product or pool: use 1 to 100 lower-case letters, digits and `_`, the first a letter")]
    BadWord(String),
    #[error("`{0}` stands in two entries of this version; write one entry for it")]
    SkuTwice(String),
    #[error("SKU `{sku}` is new in this version and needs a `{key}`")]
    NewSku { sku: String, key: &'static str, known: Vec<String> },
    #[error("SKU `{sku}` is not in the version that this one is based on")]
    UnknownSku { sku: String, known: Vec<String> },
    #[error("SKU `{0}` is removed and written in one version; do one of them")]
    RemovedAndWritten(String),
    #[error("pool `{pool}` is unknown to this version")]
    UnknownPool { pool: String, known: Vec<String> },
    #[error("pool `{pool}` is new in this version and needs a `{key}`")]
    NewPool { pool: String, key: &'static str, known: Vec<String> },
    #[error("a pool that counts money needs a `unit_price`: it holds the plan's quantity × this price")]
    MoneyWithoutPrice,
    #[error("a pool that counts quantities has no `unit_price`; leave it away, or write `counts = \"money\"`")]
    QuantityWithPrice,
    #[error("is longer than 255 characters, empty, or holds control characters")]
    BadText,
    #[error("a price version holds at most {max} {what}")]
    TooMany { what: &'static str, max: usize },
}

impl DraftProblem {
    /// The word that is unknown, and those that are known in its place.
    #[must_use]
    pub fn unknown(&self) -> Option<(&str, &[String])> {
        match self {
            DraftProblem::UnknownVersion { name: word, known }
            | DraftProblem::NewSku { sku: word, known, .. }
            | DraftProblem::UnknownSku { sku: word, known }
            | DraftProblem::UnknownPool { pool: word, known }
            | DraftProblem::NewPool { pool: word, known, .. } => Some((word, known)),
            _ => None,
        }
    }
}

/// Why a text is no weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeightError {
    #[error("is not a decimal number")]
    Malformed,
    #[error("is not between 0 and 10^6")]
    OutOfRange,
    #[error("has more than two decimals")]
    TooFine,
}

const WEIGHT_HUNDREDTHS_MAX: i128 = 100_000_000;
const BILLIONTHS_PER_HUNDREDTH: i128 = 10_000_000;

/// A weight from its text: 0 to 10⁶ with at most two decimals, which draws from pools count exactly.
///
/// # Errors
/// When the text is no such number.
pub fn parse_weight(text: &str) -> Result<Quantity, WeightError> {
    let (hundredths, whole) = decimal::parse_cut(text, 2).map_err(|error| match error {
        DecimalError::Malformed => WeightError::Malformed,
        DecimalError::TooLarge => WeightError::OutOfRange,
    })?;
    if text.starts_with('-') || hundredths > WEIGHT_HUNDREDTHS_MAX {
        return Err(WeightError::OutOfRange);
    }
    if !whole {
        return Err(WeightError::TooFine);
    }
    hundredths.checked_mul(BILLIONTHS_PER_HUNDREDTH).map(Quantity::from_billionths).ok_or(WeightError::OutOfRange)
}

impl PriceVersionDraft {
    /// The version that this one is based on: in the book as it was before a version of this name.
    ///
    /// # Errors
    /// When it is named and unknown.
    pub fn base(&self, book: &PriceBook) -> Result<PriceVersion, DraftRefusal> {
        let book = book.before(&self.name);
        let Some(name) = &self.based_on else { return Ok(book.in_force(self.effective_from).clone()) };
        let unknown = || {
            let known = book.versions().iter().map(|version| version.name.clone()).collect();
            refusal("based_on", DraftProblem::UnknownVersion { name: name.clone(), known })
        };
        book.named(name).cloned().ok_or_else(unknown)
    }

    /// The whole version; its number comes with the application.
    ///
    /// # Errors
    /// With everything that is wrong.
    pub fn complete(&self, book: &PriceBook) -> Result<PriceVersion, Vec<DraftRefusal>> {
        let mut refusals = Vec::new();
        if !is_version_name(&self.name) {
            refusals.push(refusal("name", DraftProblem::BadName(self.name.clone())));
        }
        let base = match self.base(book) {
            Ok(base) => base,
            Err(unknown) => {
                refusals.push(unknown);
                return Err(refusals);
            }
        };
        let mut version = PriceVersion { name: self.name.clone(), effective_from: self.effective_from, number: 0, ..base };
        self.write_pools(&mut version, &mut refusals);
        self.remove_skus(&mut version, &mut refusals);
        self.write_skus(&mut version, &mut refusals);
        self.write_paths(&mut version, &mut refusals);
        if refusals.is_empty() { Ok(version) } else { Err(refusals) }
    }

    fn write_pools(&self, version: &mut PriceVersion, refusals: &mut Vec<DraftRefusal>) {
        for draft in &self.pools {
            let refused = |key: &str, problem| refusal(&format!("pools.{}{key}", draft.pool), problem);
            if !is_sku(&draft.pool) {
                refusals.push(refused("", DraftProblem::BadWord(draft.pool.clone())));
                continue;
            }
            match draft.complete(&version.pools) {
                Ok(rule) => _ = version.pools.insert(draft.pool.as_str().into(), rule),
                Err(problem) => refusals.push(refused("", problem)),
            }
        }
    }

    /// A SKU that the base does not know is a slip, or was removed already.
    fn remove_skus(&self, version: &mut PriceVersion, refusals: &mut Vec<DraftRefusal>) {
        for (place, sku) in self.removed.iter().enumerate() {
            if version.skus.remove(sku.as_str()).is_none() {
                let problem = DraftProblem::UnknownSku { sku: sku.clone(), known: version_words(version.skus.keys()) };
                refusals.push(refusal(&format!("removed[{place}]"), problem));
            }
        }
    }

    fn write_skus(&self, version: &mut PriceVersion, refusals: &mut Vec<DraftRefusal>) {
        let mut written = BTreeSet::new();
        for (place, draft) in self.skus.iter().enumerate() {
            let mut refuse = |key: &str, problem| refusals.push(refusal(&format!("sku[{place}].{key}"), problem));
            if !is_sku(&draft.sku) {
                refuse("sku", DraftProblem::BadWord(draft.sku.clone()));
            } else if self.removed.contains(&draft.sku) {
                refuse("sku", DraftProblem::RemovedAndWritten(draft.sku.clone()));
            } else if !written.insert(draft.sku.as_str()) {
                refuse("sku", DraftProblem::SkuTwice(draft.sku.clone()));
            } else {
                match draft.complete(version) {
                    Ok(sku) => _ = version.skus.insert(sku.sku.clone(), sku),
                    Err((key, problem)) => refuse(key, problem),
                }
            }
        }
        if version.skus.len() > SKUS_MAX {
            refusals.push(refusal("sku", DraftProblem::TooMany { what: "SKUs", max: SKUS_MAX }));
        }
    }

    /// An empty path would make every job on a standard runner free.
    fn write_paths(&self, version: &mut PriceVersion, refusals: &mut Vec<DraftRefusal>) {
        let Some(paths) = &self.free_workflow_paths else { return };
        for (place, _) in paths.iter().enumerate().filter(|(_, path)| !is_text(path)) {
            refusals.push(refusal(&format!("free_workflow_paths[{place}]"), DraftProblem::BadText));
        }
        if paths.len() > FREE_WORKFLOW_PATHS_MAX {
            let problem = DraftProblem::TooMany { what: "free workflow paths", max: FREE_WORKFLOW_PATHS_MAX };
            refusals.push(refusal("free_workflow_paths", problem));
        }
        version.free_workflow_paths.clone_from(paths);
    }
}

impl SkuDraft {
    fn complete(&self, version: &PriceVersion) -> Result<SkuPrice, (&'static str, DraftProblem)> {
        let mut sku = match version.skus.get(self.sku.as_str()) {
            Some(known) => known.clone(),
            None => self.new_sku(version)?,
        };
        for (key, word, to) in [("product", &self.product, &mut sku.product), ("name", &self.name, &mut sku.display_name)] {
            let Some(word) = word else { continue };
            match key {
                "product" if !is_sku(word) => return Err((key, DraftProblem::BadWord(word.clone()))),
                _ if !is_text(word) => return Err((key, DraftProblem::BadText)),
                _ => *to = word.as_str().into(),
            }
        }
        match &self.pool {
            Some(Some(pool)) if !version.pools.contains_key(pool.as_str()) => {
                return Err(("pool", DraftProblem::UnknownPool { pool: pool.clone(), known: version_words(version.pools.keys()) }));
            }
            Some(pool) => sku.pool = pool.as_deref().map(Into::into),
            None => {}
        }
        sku.unit = self.unit.unwrap_or(sku.unit);
        sku.price = self.price.or(sku.price);
        sku.since = self.since.or(sku.since);
        sku.weight = self.weight.unwrap_or(sku.weight);
        sku.free_in_public = self.free_in_public.unwrap_or(sku.free_in_public);
        sku.standard_runner = self.standard_runner.unwrap_or(sku.standard_runner);
        Ok(sku)
    }

    /// A SKU that the base does not know, with nothing but what it cannot do without.
    fn new_sku(&self, version: &PriceVersion) -> Result<SkuPrice, (&'static str, DraftProblem)> {
        let missing = |key| ("", DraftProblem::NewSku { sku: self.sku.clone(), key, known: version_words(version.skus.keys()) });
        let (product, unit) = (self.product.as_deref().ok_or_else(|| missing("product"))?, self.unit.ok_or_else(|| missing("unit"))?);
        let price = self.price.ok_or_else(|| missing("price"))?;
        Ok(SkuPrice {
            product: product.into(),
            sku: self.sku.as_str().into(),
            display_name: self.sku.as_str().into(),
            unit,
            price: Some(price),
            since: None,
            pool: None,
            weight: Quantity::whole(1),
            free_in_public: false,
            standard_runner: false,
        })
    }
}

impl PoolDraft {
    fn complete(&self, pools: &BTreeMap<Name, PoolRule>) -> Result<PoolRule, DraftProblem> {
        let known = pools.get(self.pool.as_str());
        let missing = |key| DraftProblem::NewPool { pool: self.pool.clone(), key, known: version_words(pools.keys()) };
        let price_before = known.and_then(|rule| match rule.counts {
            PoolCounts::Money { unit_price } => Some(unit_price),
            PoolCounts::Quantity => None,
        });
        let counts_money = self.counts_money.or(known.map(|_| price_before.is_some())).ok_or_else(|| missing("counts"))?;
        let counts = match (counts_money, self.unit_price) {
            (true, price) => PoolCounts::Money { unit_price: price.or(price_before).ok_or(DraftProblem::MoneyWithoutPrice)? },
            (false, None) => PoolCounts::Quantity,
            (false, Some(_)) => return Err(DraftProblem::QuantityWithPrice),
        };
        let scope = self.scope.or(known.map(|rule| rule.scope)).ok_or_else(|| missing("scope"))?;
        Ok(PoolRule { counts, scope })
    }
}

fn refusal(key: &str, problem: DraftProblem) -> DraftRefusal {
    DraftRefusal { key: key.to_owned(), problem }
}

fn version_words<'a>(words: impl Iterator<Item = &'a Name>) -> Vec<String> {
    words.map(ToString::to_string).collect()
}

fn is_version_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    begins && text.len() <= NAME_LENGTH_MAX && text.bytes().all(allowed)
}

fn is_text(text: &str) -> bool {
    !text.is_empty() && text.len() <= TEXT_LENGTH_MAX && !text.chars().any(char::is_control)
}

#[cfg(test)]
mod tests;
