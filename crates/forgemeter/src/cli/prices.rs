//! `forgemeter prices`: lists price versions, shows one whole, and shows what two differ in.
//!
//! Without a data folder it knows the start book, GitHub's published prices. Writing versions is left to `forgemeter apply`, what they
//! would change of a bill to `forgemeter reprice`.

use super::Failure;
use super::folder::Folder;
use crate::spelling;
use crate::table::Table;
use billing::price_book::difference::{Item, counts_word, differences};
use billing::price_book::{PoolCounts, PoolRule, PriceBook, PriceVersion, SkuPrice};
use serde::Serialize;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the price versions in the order of their application
    List(Options),
    /// Show the prices of a version
    Show(Show),
    /// Show what version B changes of version A
    Diff(Diff),
}

#[derive(Debug, clap::Args)]
struct Options {
    /// Data folder; without it the built-in versions
    #[arg(long, env = "FORGEMETER_DATA", value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  forgemeter prices show github-2026
  forgemeter prices show --data DIR --pools")]
struct Show {
    /// Name of the version; without it the one in force today, without a data folder the last
    version: Option<String>,
    /// Show the pools of included quantities instead of the SKUs
    #[arg(long)]
    pools: bool,
    #[command(flatten)]
    options: Options,
}

#[derive(Debug, clap::Args)]
#[command(after_help = "Example:
  forgemeter prices diff github-2025 github-2026")]
struct Diff {
    #[arg(value_name = "A")]
    before: String,
    #[arg(value_name = "B")]
    after: String,
    #[command(flatten)]
    options: Options,
}

/// A version as `--json` prints it: decimals are texts, so that no reader bends them.
#[derive(Debug, Serialize)]
struct VersionJson<'a> {
    number: u32,
    name: &'a str,
    effective_from: String,
    skus: Vec<SkuJson<'a>>,
    pools: BTreeMap<&'a str, PoolJson>,
    free_workflow_paths: &'a [String],
}

#[derive(Debug, Serialize)]
struct SkuJson<'a> {
    product: &'a str,
    sku: &'a str,
    name: &'a str,
    unit: &'static str,
    price: Option<String>,
    since: Option<String>,
    pool: Option<&'a str>,
    weight: String,
    free_in_public: bool,
    standard_runner: bool,
}

#[derive(Debug, Serialize)]
struct PoolJson {
    counts: &'static str,
    unit_price: Option<String>,
    scope: &'static str,
}

#[derive(Debug, Serialize)]
struct ListedJson<'a> {
    number: u32,
    name: &'a str,
    effective_from: String,
    skus: usize,
}

#[derive(Debug, Serialize)]
struct DifferenceJson {
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    key: &'static str,
    before: Option<String>,
    after: Option<String>,
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let printed = match arguments.verb {
        Verb::List(options) => list(&open(&options)?.book, options.json),
        Verb::Show(arguments) => show(&arguments)?,
        Verb::Diff(arguments) => {
            let book = open(&arguments.options)?.book;
            diff(named(&book, &arguments.before)?, named(&book, &arguments.after)?, arguments.options.json)
        }
    };
    printed.map_err(|error| Failure::Failed(format!("standard output: {error}")))
}

/// A price book, and the name of the version that is in force today.
struct OpenBook {
    book: PriceBook,
    present: String,
}

fn open(options: &Options) -> Result<OpenBook, Failure> {
    let Some(data) = &options.data else {
        let book = PriceBook::start();
        let present = book.versions().last().map_or_else(String::new, |version| version.name.clone());
        return Ok(OpenBook { book, present });
    };
    let folder = Folder::at(data.clone()).open()?;
    let book = folder.facts.current()?.price_book.clone();
    let present = book.in_force(folder.clock.now().day()).name.clone();
    Ok(OpenBook { book, present })
}

/// The version of a name.
pub(crate) fn named<'a>(book: &'a PriceBook, name: &str) -> Result<&'a PriceVersion, Failure> {
    let known = book.versions().iter().map(|version| version.name.as_str());
    let unknown = || Failure::Failed(format!("price version `{name}` is unknown{}", spelling::advice(name, known)));
    book.named(name).ok_or_else(unknown)
}

fn list(book: &PriceBook, json: bool) -> io::Result<()> {
    if json {
        let listed = book.versions().iter().map(|version| ListedJson {
            number: version.number,
            name: &version.name,
            effective_from: version.effective_from.to_string(),
            skus: version.skus.len(),
        });
        return print_json(&listed.collect::<Vec<_>>());
    }
    let mut table = Table::new(&["NUMBER", "NAME", "EFFECTIVE FROM", "SKUS"]);
    for version in book.versions() {
        let (number, skus) = (version.number.to_string(), version.skus.len().to_string());
        table.push(vec![number, version.name.clone(), version.effective_from.to_string(), skus]);
    }
    table.print()
}

fn show(arguments: &Show) -> Result<io::Result<()>, Failure> {
    let OpenBook { book, present } = open(&arguments.options)?;
    let version = named(&book, arguments.version.as_ref().unwrap_or(&present))?;
    if arguments.options.json {
        return Ok(print_json(&version_json(version)));
    }
    eprintln!("{}, effective from {}", version.name, version.effective_from);
    Ok(if arguments.pools { pools_table(version).print() } else { skus_table(version).print() })
}

fn skus_table(version: &PriceVersion) -> Table {
    let mut table = Table::new(&["PRODUCT", "SKU", "UNIT", "PRICE", "SINCE", "POOL", "WEIGHT", "FREE"]);
    for sku in in_order(version) {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let pool = text(sku.pool.as_ref().map(ToString::to_string));
        let free = match (sku.free_in_public, sku.standard_runner) {
            (true, true) => "public,paths",
            (true, false) => "public",
            (false, true) => "paths",
            (false, false) => "-",
        };
        table.push(vec![
            sku.product.to_string(),
            sku.sku.to_string(),
            sku.unit.to_string(),
            text(sku.price.map(|price| price.to_string())),
            text(sku.since.map(|since| since.to_string())),
            pool,
            sku.weight.to_string(),
            free.to_owned(),
        ]);
    }
    table
}

/// By product, then by SKU.
fn in_order(version: &PriceVersion) -> Vec<&SkuPrice> {
    let mut skus: Vec<&SkuPrice> = version.skus.values().collect();
    skus.sort_by(|a, b| (&a.product, &a.sku).cmp(&(&b.product, &b.sku)));
    skus
}

fn pools_table(version: &PriceVersion) -> Table {
    let mut table = Table::new(&["POOL", "COUNTS", "UNIT PRICE", "SCOPE"]);
    for (pool, rule) in &version.pools {
        let price = unit_price(rule.counts).unwrap_or_else(|| "-".to_owned());
        table.push(vec![pool.to_string(), counts_word(rule.counts).to_owned(), price, rule.scope.as_str().to_owned()]);
    }
    table
}

fn unit_price(counts: PoolCounts) -> Option<String> {
    match counts {
        PoolCounts::Quantity => None,
        PoolCounts::Money { unit_price } => Some(unit_price.to_string()),
    }
}

fn diff(before: &PriceVersion, after: &PriceVersion, json: bool) -> io::Result<()> {
    let found = differences(before, after).into_iter().map(|difference| {
        let (kind, name) = match &difference.item {
            Item::Version => ("version", None),
            Item::Pool(name) => ("pool", Some(name.to_string())),
            Item::Sku(name) => ("sku", Some(name.to_string())),
        };
        DifferenceJson { kind, name, key: difference.key, before: difference.before, after: difference.after }
    });
    if json {
        return print_json(&found.collect::<Vec<_>>());
    }
    let mut table = Table::new(&["KIND", "NAME", "KEY", "A", "B"]);
    for difference in found {
        let text = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
        let (kind, key) = (difference.kind.to_owned(), difference.key.to_owned());
        table.push(vec![kind, text(difference.name), key, text(difference.before), text(difference.after)]);
    }
    table.print()
}

fn version_json(version: &PriceVersion) -> VersionJson<'_> {
    let pool =
        |rule: &PoolRule| PoolJson { counts: counts_word(rule.counts), unit_price: unit_price(rule.counts), scope: rule.scope.as_str() };
    VersionJson {
        number: version.number,
        name: &version.name,
        effective_from: version.effective_from.to_string(),
        skus: in_order(version).into_iter().map(sku_json).collect(),
        pools: version.pools.iter().map(|(name, rule)| (&**name, pool(rule))).collect(),
        free_workflow_paths: &version.free_workflow_paths,
    }
}

fn sku_json(sku: &SkuPrice) -> SkuJson<'_> {
    SkuJson {
        product: &sku.product,
        sku: &sku.sku,
        name: &sku.display_name,
        unit: sku.unit.in_reports(),
        price: sku.price.map(|price| price.to_string()),
        since: sku.since.map(|since| since.to_string()),
        pool: sku.pool.as_deref(),
        weight: sku.weight.to_string(),
        free_in_public: sku.free_in_public,
        standard_runner: sku.standard_runner,
    }
}

fn print_json(value: &impl Serialize) -> io::Result<()> {
    writeln!(io::stdout(), "{}", serde_json::to_string(value)?)
}
