//! The `[[price_version]]` tables of an accounts file.
//!
//! Words and numbers are checked here; what a version changes, and whether its SKUs and pools are known, is left to `billing`.

use super::Entries;
use crate::toml_file::Section;
use billing::UnitPrice;
use billing::catalog::Unit;
use billing::price_book::PoolScope;
use billing::price_book::draft::{PoolDraft, PriceVersionDraft, SkuDraft, parse_weight};
use store::accounts::Entry;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

const VERSION_KEYS: &[&str] = &["name", "effective_from", "based_on", "sku", "removed", "pools", "free_workflow_paths"];
const SKU_KEYS: &[&str] = &["sku", "product", "name", "unit", "price", "since", "pool", "weight", "free_in_public", "standard_runner"];
const POOL_KEYS: &[&str] = &["counts", "unit_price", "scope"];
const POOL_TITLE: &str = "[price_version.pools.…]";

impl Entries<'_> {
    pub(super) fn price_version(&mut self, section: Section<'_>) {
        self.reading.check_keys(section.title, section.table, VERSION_KEYS);
        let entry = Entry::PriceVersion(self.file.price_versions.len());
        self.note(entry, "", section.line);
        let (name, from) = (self.reading.required(section, "name"), self.reading.required(section, "effective_from"));
        let name = name.and_then(|value| self.noted(entry, "name", value, "name"));
        let from = from.and_then(|value| self.reading.day("effective_from", value));
        let based_on = self.text(entry, section, "based_on");
        let skus = self.skus(entry, section.table);
        let removed = self.texts(entry, "removed", section, "removed").unwrap_or_default();
        let pools = section.table.get("pools").map_or_else(Vec::new, |value| self.pools(entry, value));
        let free_workflow_paths = self.texts(entry, "free_workflow_paths", section, "free_workflow_paths");
        let (Some(name), Some(effective_from)) = (name, from) else { return };
        self.file.price_versions.push(PriceVersionDraft { name, effective_from, based_on, skus, removed, pools, free_workflow_paths });
    }

    fn skus(&mut self, entry: Entry, version: &DeTable<'_>) -> Vec<SkuDraft> {
        let sections = self.reading.sections(version, "sku", "[[price_version.sku]]");
        sections.into_iter().enumerate().filter_map(|(place, section)| self.sku(entry, place, section)).collect()
    }

    fn sku(&mut self, entry: Entry, place: usize, section: Section<'_>) -> Option<SkuDraft> {
        self.reading.check_keys(section.title, section.table, SKU_KEYS);
        self.note(entry, &format!("sku[{place}]."), section.line);
        for (key, value) in section.table {
            let line = self.reading.line(&value.span());
            self.note(entry, &format!("sku[{place}].{}", key.get_ref()), line);
        }
        let sku = self.reading.required(section, "sku").and_then(|value| self.reading.text("sku", value));
        let table = section.table;
        let units: Vec<&str> = Unit::ALL.iter().map(|unit| unit.in_reports()).collect();
        let reading = &mut *self.reading;
        let draft = SkuDraft {
            sku: String::new(),
            product: table.get("product").and_then(|value| reading.text("product", value)),
            name: table.get("name").and_then(|value| reading.text("name", value)),
            unit: table.get("unit").and_then(|value| reading.word("unit", value, &units, Unit::parse)),
            price: table.get("price").and_then(|value| reading.decimal("price", value, "price", UnitPrice::parse_exact)),
            since: table.get("since").and_then(|value| reading.day("since", value)),
            // An empty text takes the SKU out of its pool, as it lets an organization leave its enterprise.
            pool: table.get("pool").and_then(|value| reading.text("pool", value)).map(|pool| (!pool.is_empty()).then_some(pool)),
            weight: table.get("weight").and_then(|value| reading.decimal("weight", value, "weight", parse_weight)),
            free_in_public: table.get("free_in_public").and_then(|value| reading.truth("free_in_public", value)),
            standard_runner: table.get("standard_runner").and_then(|value| reading.truth("standard_runner", value)),
        };
        sku.map(|sku| SkuDraft { sku, ..draft })
    }

    fn pools(&mut self, entry: Entry, value: &Spanned<DeValue<'_>>) -> Vec<PoolDraft> {
        let Some(pools) = value.get_ref().as_table() else {
            self.reading.refuse_type("`pools`", value, "a table of pools");
            return Vec::new();
        };
        pools.iter().filter_map(|(pool, value)| self.pool(entry, pool, value)).collect()
    }

    fn pool(&mut self, entry: Entry, pool: &Spanned<impl AsRef<str>>, value: &Spanned<DeValue<'_>>) -> Option<PoolDraft> {
        let name = pool.get_ref().as_ref();
        self.note(entry, &format!("pools.{name}"), self.reading.line(&pool.span()));
        let Some(table) = value.get_ref().as_table() else {
            self.reading.refuse_type(&format!("`{name}`"), value, "a table with `counts`, `unit_price` and `scope`");
            return None;
        };
        self.reading.check_keys(POOL_TITLE, table, POOL_KEYS);
        let scopes = PoolScope::ALL.map(PoolScope::as_str);
        let counts = |text: &str| match text {
            "money" => Some(true),
            "quantity" => Some(false),
            _ => None,
        };
        let reading = &mut *self.reading;
        Some(PoolDraft {
            pool: name.to_owned(),
            counts_money: table.get("counts").and_then(|value| reading.word("counts", value, &["money", "quantity"], counts)),
            unit_price: table.get("unit_price").and_then(|value| reading.decimal("unit_price", value, "price", UnitPrice::parse_exact)),
            scope: table.get("scope").and_then(|value| reading.word("scope", value, &scopes, PoolScope::parse)),
        })
    }
}
