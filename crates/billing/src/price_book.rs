//! The price book: which price, unit, pool and free rule a SKU has on a day.
//!
//! A version is complete in itself and never edited. The version in force on a day is the last applied whose effective date is not
//! later than the day (rulings A6). The start book is in [`start`], what an operator writes to make a version in [`draft`], what two
//! versions differ in in [`difference`]; reading books from files is left to the program.

pub mod difference;
pub mod draft;
pub mod start;

use crate::catalog::Unit;
use crate::{Day, Name, Quantity, UnitPrice};
use std::collections::BTreeMap;

/// How a SKU is priced by one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkuPrice {
    pub product: Name,
    pub sku: Name,
    pub display_name: Name,
    pub unit: Unit,
    /// Absent for a SKU that is known but has no published price: its usage is kept as unrated.
    pub price: Option<UnitPrice>,
    /// The first day that the price holds on, when it is later than the version's own.
    pub since: Option<Day>,
    /// The included quantity that its usage draws from.
    pub pool: Option<Name>,
    /// What one unit takes from a pool that counts quantities: 10 for a macOS minute, 4 for an hour of a 4-core codespace. At most
    /// two decimals.
    pub weight: Quantity,
    pub free_in_public: bool,
    /// Standard GitHub-hosted runners: free for the version's free workflow paths.
    pub standard_runner: bool,
}

/// What a pool counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolCounts {
    /// Weighted quantity.
    Quantity,
    /// Gross amounts; the pool holds its quantity × this price.
    Money { unit_price: UnitPrice },
}

/// Who shares a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolScope {
    /// Everything that one payer pays for in a month; the plan says how much.
    Payer,
    /// The same, but each Copilot licence adds its quantity.
    Licences,
    /// Each user of a payer has an own pool in a month; the user's licence says how much.
    User,
    /// Each repository has an own pool in every hour.
    RepositoryHour,
}

impl PoolScope {
    pub const ALL: [PoolScope; 4] = [PoolScope::Payer, PoolScope::Licences, PoolScope::User, PoolScope::RepositoryHour];

    /// The word that price files and stored versions use.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            PoolScope::Payer => "payer",
            PoolScope::Licences => "licences",
            PoolScope::User => "user",
            PoolScope::RepositoryHour => "repository_hour",
        }
    }

    #[must_use]
    pub fn parse(text: &str) -> Option<PoolScope> {
        PoolScope::ALL.into_iter().find(|scope| scope.as_str() == text)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolRule {
    pub counts: PoolCounts,
    pub scope: PoolScope,
}

/// One complete list of prices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceVersion {
    /// Its place in the order of application, from 1.
    pub number: u32,
    pub name: String,
    pub effective_from: Day,
    pub skus: BTreeMap<Name, SkuPrice>,
    pub pools: BTreeMap<Name, PoolRule>,
    /// Workflow paths that begin so are free on standard runners: Pages builds and Dependabot.
    pub free_workflow_paths: Vec<String>,
}

/// All versions, in the order of their application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PriceBook {
    versions: Vec<PriceVersion>,
}

impl PriceBook {
    /// GitHub's published prices: those before 2026 and those since.
    #[must_use]
    pub fn start() -> PriceBook {
        PriceBook { versions: start::versions() }
    }

    /// Adds a version after all others and numbers it.
    pub fn apply(&mut self, mut version: PriceVersion) {
        version.number = u32::try_from(self.versions.len()).map_or(u32::MAX, |count| count.saturating_add(1));
        self.versions.push(version);
    }

    #[must_use]
    pub fn versions(&self) -> &[PriceVersion] {
        &self.versions
    }

    #[must_use]
    pub fn named(&self, name: &str) -> Option<&PriceVersion> {
        self.versions.iter().find(|version| version.name == name)
    }

    /// The book as it was before a version of this name was applied; the whole book when there is none. The first start version is
    /// always in it.
    #[must_use]
    pub fn before(&self, name: &str) -> PriceBook {
        let place = self.versions.iter().position(|version| version.name == name).unwrap_or(self.versions.len());
        PriceBook { versions: self.versions[..place.max(1)].to_vec() }
    }

    #[must_use]
    pub fn version(&self, number: u32) -> Option<&PriceVersion> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version that prices the usage of a day. The first start version holds since the beginning, so there always is one.
    #[must_use]
    pub fn in_force(&self, day: Day) -> &PriceVersion {
        let holds = |version: &&PriceVersion| version.effective_from <= day;
        self.versions.iter().rev().find(holds).unwrap_or_else(|| &self.versions[0])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(sku: &str, day: &str) -> Option<String> {
        let book = PriceBook::start();
        book.in_force(Day::parse(day).unwrap()).skus.get(sku).and_then(|sku| sku.price).map(|price| price.to_string())
    }

    #[test]
    fn prices_change_at_the_start_of_2026() {
        let table = [
            ("actions_linux", "0.008", "0.006"),
            ("actions_windows", "0.016", "0.01"),
            ("actions_macos", "0.08", "0.062"),
            ("actions_linux_slim", "0.002", "0.002"),
            ("actions_linux_arm", "0.005", "0.005"),
            ("actions_linux_64_core", "0.256", "0.162"),
            ("actions_storage", "0.00033602", "0.00033602"),
            ("actions_custom_image_storage", "0.000094086", "0.000094086"),
            ("packages_bandwidth", "0.5", "0.5"),
            ("copilot_premium_request", "0.04", "0.04"),
            ("actions_self_hosted_linux", "0", "0"),
        ];
        for (sku, before, since) in table {
            assert_eq!(price(sku, "2025-12-31").as_deref(), Some(before), "{sku}");
            assert_eq!(price(sku, "2026-01-01").as_deref(), Some(since), "{sku}");
        }
        assert_eq!(price("actions_unknown", "2026-01-01"), None);
    }

    #[test]
    fn the_last_applied_version_that_is_in_force_prices_a_day() {
        let mut book = PriceBook::start();
        let version = |name: &str, from: &str| PriceVersion {
            name: name.into(),
            effective_from: Day::parse(from).unwrap(),
            ..book.versions()[1].clone()
        };
        let (june, march) = (version("june", "2026-06-01"), version("march", "2026-03-01"));
        book.apply(june);
        book.apply(march);
        for (day, name) in [("2026-02-28", "github-2026"), ("2026-03-01", "march"), ("2026-07-01", "march"), ("2025-01-01", "github-2025")]
        {
            assert_eq!(book.in_force(Day::parse(day).unwrap()).name, name, "{day}");
        }
        assert_eq!(book.version(4).map(|version| version.name.as_str()), Some("march"));
        assert_eq!(book.version(0), None);
    }
}
