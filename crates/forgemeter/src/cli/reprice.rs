//! `forgemeter reprice`: what the same usage would have cost under other prices, by account, product and SKU, and why.
//!
//! It reads the ledger twice, once with the facts of the folder and once with the price versions put on top, and writes nothing. The
//! same folder and file give the same bytes. How a difference is explained is left to [`billing::repricing`].

use super::Failure;
use super::folder::ledger_to_read;
use super::report::spinner;
use crate::accounts_file::{AccountsFileError, Description};
use crate::spelling;
use crate::table::Table;
use crate::toml_file::Mistakes;
use billing::price_book::PriceVersion;
use billing::repricing::{self, Causes, Repriced, Repricing, Sums};
use billing::{AccountId, Facts, Month};
use indicatif::ProgressBar;
use serde::Serialize;
use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;
use store::Snapshot;
use store::accounts::AccountsFile;

/// Months of one run: ten years.
const MONTHS_MAX: usize = 120;

#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  What do the prices of 2026 change for me?
    forgemeter reprice --data DIR --from 2025-10 --to 2025-12 --prices github-2026
  What would a fee of 0.002 USD per self-hosted minute cost me?
    forgemeter reprice --data DIR --from 2026-01 --to 2026-03 --prices self-hosted-fee.toml

A version that is named holds in the whole range; one from a file from its `effective_from` on.
Amounts are net US dollars. PRICE, RULES and POOL say where the difference comes from: other prices, other things
that are charged or free, and what included quantities give less. Usage that neither has a price for is left out.")]
pub(crate) struct Arguments {
    /// Data folder to read; a server may be running on it
    #[arg(long, env = "FORGEMETER_DATA", value_name = "DIR")]
    data: PathBuf,
    /// First month, such as 2026-01
    #[arg(long, value_name = "MONTH", value_parser = month)]
    from: Month,
    /// Last month
    #[arg(long, value_name = "MONTH", value_parser = month)]
    to: Month,
    /// File with [[price_version]] entries, or the name of a version that the folder knows
    #[arg(long, value_name = "FILE|VERSION")]
    prices: String,
    /// Only this account: an enterprise with all that it pays for, an organization or a user
    #[arg(long, value_name = "SLUG")]
    account: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

fn month(text: &str) -> Result<Month, String> {
    Month::parse(text).map_err(|_| "is no month such as 2026-01".to_owned())
}

pub(crate) fn run(arguments: Arguments) -> Result<(), Failure> {
    let months = months(arguments.from, arguments.to)?;
    let (facts, ledger) = ledger_to_read(&arguments.data)?;
    let present = facts.current()?;
    let (supposed, versions) = suppose(&arguments, &present)?;
    let accounts = arguments.account.as_deref().map(|slug| accounts_named(&present, slug)).transpose()?;
    let before = ledger.snapshot()?.with_facts(present);
    let after = before.with_facts(Arc::new(supposed));
    let bar = spinner();
    let rows = compare(&months, &before, &after, &bar);
    bar.finish_and_clear();
    let mut rows = rows?;
    if let Some(accounts) = accounts {
        rows.retain(|row| accounts.contains(&row.payer) || accounts.contains(&row.owner));
    }
    let answer = Answer { arguments: &arguments, snapshot: &before, versions, rows };
    answer.print()
}

fn months(from: Month, to: Month) -> Result<Vec<Month>, Failure> {
    if to < from {
        return Err(Failure::Usage("`--to` lies before `--from`".to_owned()));
    }
    let months: Vec<Month> =
        std::iter::successors(Some(from), |month| Some(month.next())).take_while(|month| *month <= to).take(MONTHS_MAX + 1).collect();
    if months.len() > MONTHS_MAX {
        return Err(Failure::Usage(format!("`--from` to `--to` is more than {MONTHS_MAX} months")));
    }
    Ok(months)
}

/// The present facts with the price versions on top, and the names of those.
fn suppose(arguments: &Arguments, present: &Facts) -> Result<(Facts, Vec<String>), Failure> {
    let wanted = &arguments.prices;
    if let Some(known) = present.price_book.named(wanted) {
        let mut supposed = present.clone();
        supposed.price_book.apply(PriceVersion { effective_from: arguments.from.first_day(), ..known.clone() });
        return Ok((supposed, vec![wanted.clone()]));
    }
    let known = present.price_book.versions().iter().map(|version| version.name.as_str());
    let text = std::fs::read_to_string(wanted).map_err(|error| {
        let advice = spelling::advice(wanted, known);
        Failure::Failed(format!("`{wanted}` is no price version{advice}; as a file it cannot be read: {error}"))
    })?;
    let refused = |mistakes: Mistakes| Failure::Failed(mistakes.of_file(wanted, "nothing was priced").to_string());
    let description = Description::parse(&text).map_err(refused)?;
    let versions = price_versions(&description.file, wanted)?;
    let supposed = description.foresee(present, arguments.to.last_day().end()).map_err(|error| match error {
        AccountsFileError::Mistakes(mistakes) => refused(mistakes),
        AccountsFileError::Store(error) => error.into(),
    })?;
    for version in versions.iter().filter(|name| present.price_book.named(name).is_some()) {
        eprintln!("price version `{version}` is in the books already: it changes nothing");
    }
    for version in description.file.price_versions.iter().filter(|version| version.effective_from > arguments.to.last_day()) {
        eprintln!("price version `{}` begins on {}, after `--to`: it changes nothing here", version.name, version.effective_from);
    }
    Ok((supposed, versions))
}

/// The versions of a file that holds nothing else: what accounts and plans change is no question of prices.
fn price_versions(file: &AccountsFile, name: &str) -> Result<Vec<String>, Failure> {
    if !file.accounts.is_empty() || !file.plans.is_empty() || !file.seats.is_empty() {
        return Err(Failure::Failed(format!(
            "`{name}` holds more than [[price_version]]; leave accounts, plans and seats to `forgemeter apply`"
        )));
    }
    if file.price_versions.is_empty() {
        return Err(Failure::Failed(format!("`{name}` holds no [[price_version]]")));
    }
    Ok(file.price_versions.iter().map(|version| version.name.clone()).collect())
}

/// An enterprise and an organization may have one name: then both are meant.
fn accounts_named(facts: &Facts, slug: &str) -> Result<Vec<AccountId>, Failure> {
    let found = [facts.accounts.enterprise(slug), facts.accounts.owner(slug)];
    let found: Vec<AccountId> = found.into_iter().flatten().map(|account| account.id).collect();
    if found.is_empty() {
        let advice = spelling::advice(slug, facts.accounts.iter().map(|account| account.login()));
        return Err(Failure::Failed(format!("account `{slug}` is unknown{advice}")));
    }
    Ok(found)
}

fn compare(months: &[Month], before: &Snapshot, after: &Snapshot, bar: &ProgressBar) -> Result<Vec<Repriced>, Failure> {
    let overflow = |error: billing::Overflow| Failure::Failed(error.to_string());
    let mut repricing = Repricing::default();
    for month in months {
        bar.set_message(format!("prices {month}"));
        let (mut was, mut would_be) = (before.months(*month)?, after.months(*month)?);
        let payers: BTreeSet<AccountId> = was.keys().chain(would_be.keys()).copied().collect();
        for payer in payers {
            let (was, would_be) = (was.remove(&payer), would_be.remove(&payer));
            repricing.add(payer, was.as_ref(), would_be.as_ref()).map_err(overflow)?;
        }
    }
    repricing.rows(after.facts()).map_err(overflow)
}

/// What is printed, and where it comes from.
struct Answer<'a> {
    arguments: &'a Arguments,
    snapshot: &'a Snapshot,
    versions: Vec<String>,
    rows: Vec<Repriced>,
}

/// Decimals are texts, so that no reader bends them.
#[derive(Debug, Serialize)]
struct AnswerJson<'a> {
    sequence: String,
    from: String,
    to: String,
    prices: &'a [String],
    rows: Vec<RowJson<'a>>,
    total: TotalJson,
}

#[derive(Debug, Serialize)]
struct RowJson<'a> {
    payer: &'a str,
    account: &'a str,
    product: &'a str,
    sku: &'a str,
    before: SumsJson,
    after: SumsJson,
    difference: String,
    causes: CausesJson,
}

#[derive(Debug, Serialize)]
struct SumsJson {
    quantity: String,
    gross: String,
    discount: String,
    net: String,
}

#[derive(Debug, Serialize)]
struct CausesJson {
    price: String,
    rules: String,
    pool: String,
}

#[derive(Debug, Serialize)]
struct TotalJson {
    before: String,
    after: String,
    difference: String,
    causes: CausesJson,
}

impl Answer<'_> {
    fn print(&self) -> Result<(), Failure> {
        let overflow = |error: billing::Overflow| Failure::Failed(error.to_string());
        let (before, after, causes) = repricing::total(&self.rows).map_err(overflow)?;
        let difference = after.minus(before).map_err(overflow)?.to_string();
        let total = TotalJson { before: before.to_string(), after: after.to_string(), difference, causes: causes_json(causes) };
        let printed = if self.arguments.json { self.print_json(total) } else { self.print_table(&total) };
        printed.map_err(|error| Failure::Failed(format!("standard output: {error}")))
    }

    fn print_json(&self, total: TotalJson) -> io::Result<()> {
        let answer = AnswerJson {
            sequence: self.snapshot.sequence().to_string(),
            from: self.arguments.from.to_string(),
            to: self.arguments.to.to_string(),
            prices: &self.versions,
            rows: self.rows.iter().map(|row| self.row_json(row)).collect(),
            total,
        };
        writeln!(io::stdout(), "{}", serde_json::to_string(&answer)?)
    }

    fn print_table(&self, total: &TotalJson) -> io::Result<()> {
        let mut table =
            Table::new(&["PAYER", "ACCOUNT", "PRODUCT", "SKU", "QUANTITY", "NOW", "THEN", "DIFFERENCE", "PRICE", "RULES", "POOL"]);
        for row in &self.rows {
            let quantity = row.before.quantity.max(row.after.quantity).to_string();
            let RowJson { payer, account, product, sku, before, after, difference, causes } = self.row_json(row);
            let named = [payer, account, product, sku].map(ToOwned::to_owned);
            let figures = [quantity, before.net, after.net, difference, causes.price, causes.rules, causes.pool];
            table.push(named.into_iter().chain(figures).collect());
        }
        table.print()?;
        let TotalJson { before, after, difference, causes } = total;
        let CausesJson { price, rules, pool } = causes;
        eprintln!(
            "{before} USD now, {after} USD with {}: {difference} (price {price}, rules {rules}, pool {pool})",
            self.versions.join(", ")
        );
        eprintln!("{} to {}, as of sequence {}", self.arguments.from, self.arguments.to, self.snapshot.sequence());
        Ok(())
    }

    fn row_json<'s>(&'s self, row: &'s Repriced) -> RowJson<'s> {
        RowJson {
            payer: self.login(row.payer),
            account: self.login(row.owner),
            product: &row.product,
            sku: &row.sku,
            before: sums_json(row.before),
            after: sums_json(row.after),
            difference: row.difference.to_string(),
            causes: causes_json(row.causes),
        }
    }

    fn login(&self, account: AccountId) -> &str {
        self.snapshot.facts().accounts.get(account).map_or("", |account| account.login())
    }
}

fn sums_json(sums: Sums) -> SumsJson {
    let Sums { quantity, gross, discount, net } = sums;
    SumsJson { quantity: quantity.to_string(), gross: gross.to_string(), discount: discount.to_string(), net: net.to_string() }
}

fn causes_json(causes: Causes) -> CausesJson {
    CausesJson { price: causes.price.to_string(), rules: causes.rules.to_string(), pool: causes.pool.to_string() }
}
