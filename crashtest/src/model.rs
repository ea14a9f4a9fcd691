//! What a set of events must come to: a plain walk in whole numbers, written from the rules and not from the program.
//!
//! Pools are drawn in order of time, owner, repository, source and id; amounts are cut at nine decimals for each event; the retired
//! summaries count private usage of this month, with weights, and round as their rules say.

use crate::world::{Event, NOW, Pool, SKUS, UNRATED, billionths};
use std::collections::BTreeMap;

/// Date, SKU, organization, repository and user (in lower case), workflow.
pub type RowKey = (String, String, String, String, String, String);

/// Quantity, gross and discount in billionths.
pub type Sums = (i128, i128, i128);

const WHOLE: i128 = 1_000_000_000;

/// What a pool of the plan `small` holds: billionths of dollars or gigabytes.
fn pool_size(pool: Pool) -> i128 {
    match pool {
        Pool::None => 0,
        Pool::Minutes => 3000 * 6_000_000,
        Pool::Transfer => 40 * WHOLE,
        Pool::Storage => 2 * 250_000_000,
    }
}

/// An event and what it came to.
struct Rated<'a> {
    event: &'a Event,
    gross: i128,
    discount: i128,
}

fn payer(event: &Event) -> &'static str {
    if event.owner == "mona" { "mona" } else { "acme-corp" }
}

/// Rates events, which may come in any order. Usage without a price is left out.
fn rate<'a>(events: impl Iterator<Item = &'a Event>) -> Vec<Rated<'a>> {
    let mut ordered: Vec<&Event> = events.filter(|event| SKUS[event.sku].name != UNRATED).collect();
    ordered.sort_by_key(|event| {
        (event.day, event.hour, event.minute, event.owner, event.repository.to_lowercase(), event.source.clone(), event.id.clone())
    });
    let mut pools: BTreeMap<(&str, &str, Pool), (i128, bool)> = BTreeMap::new();
    let mut rated = Vec::new();
    for event in ordered {
        let sku = &SKUS[event.sku];
        let gross = event.quantity * sku.price / 1_000_000_000_000;
        let free = event.is_public && sku.pool != Pool::None;
        let discount = match sku.pool {
            _ if free => gross,
            Pool::None => 0,
            pool => {
                let (left, ran_out) = pools.entry((payer(event), event.month(), pool)).or_insert((pool_size(pool), false));
                let drawn = if pool == Pool::Transfer { event.quantity } else { gross };
                if *ran_out {
                    0
                } else if drawn <= *left {
                    *left -= drawn;
                    gross
                } else {
                    *ran_out = true;
                    if pool == Pool::Transfer { *left * sku.price / 1_000_000_000_000 } else { *left }
                }
            }
        };
        rated.push(Rated { event, gross, discount });
    }
    rated
}

/// The rows of the enterprise's detailed report over both months.
#[must_use]
pub fn rows<'a>(events: impl Iterator<Item = &'a Event>) -> BTreeMap<RowKey, Sums> {
    let mut rows = BTreeMap::new();
    for Rated { event, gross, discount } in rate(events).iter().filter(|rated| payer(rated.event) == "acme-corp") {
        let row: &mut Sums = rows.entry(row_key(event)).or_insert((0, 0, 0));
        *row = (row.0 + event.quantity, row.1 + gross, row.2 + discount);
    }
    rows
}

#[must_use]
pub fn row_key(event: &Event) -> RowKey {
    (
        event.date(),
        SKUS[event.sku].name.to_owned(),
        event.owner.to_owned(),
        event.repository.to_lowercase(),
        event.username.to_lowercase(),
        event.workflow.clone(),
    )
}

/// Reads a detailed report.
///
/// # Errors
/// What is wrong with it.
pub fn parse_report(csv: &str) -> Result<BTreeMap<RowKey, Sums>, String> {
    let mut lines = csv.lines();
    let header = lines.next().ok_or("it has no header")?;
    let names: Vec<&str> = fields(header);
    let column = |name: &str| names.iter().position(|known| *known == name).ok_or(format!("it has no column `{name}`"));
    let keys =
        [column("date")?, column("sku")?, column("organization")?, column("repository")?, column("username")?, column("workflow_path")?];
    let (quantity, gross) = (column("quantity")?, column("gross_amount")?);
    let (discount, net) = (column("discount_amount")?, column("net_amount")?);
    let mut rows: BTreeMap<RowKey, Sums> = BTreeMap::new();
    let mut spellings: BTreeMap<String, String> = BTreeMap::new();
    for line in lines {
        let fields = fields(line);
        let text = |place: usize| fields.get(place).map(|field| (*field).to_owned()).ok_or(format!("a row is short: {line}"));
        let number = |place: usize| text(place).and_then(|text| billionths(&text).ok_or(format!("`{text}` is no decimal")));
        let repository = format!("{}/{}", text(keys[2])?, text(keys[3])?);
        let first = spellings.entry(repository.to_lowercase()).or_insert_with(|| repository.clone());
        if *first != repository {
            return Err(format!("`{first}` is also spelled `{repository}`"));
        }
        let key =
            (text(keys[0])?, text(keys[1])?, text(keys[2])?, text(keys[3])?.to_lowercase(), text(keys[4])?.to_lowercase(), text(keys[5])?);
        if number(gross)? - number(discount)? != number(net)? {
            return Err(format!("gross less discount is not net: {line}"));
        }
        let row = rows.entry(key).or_insert((0, 0, 0));
        *row = (row.0 + number(quantity)?, row.1 + number(gross)?, row.2 + number(discount)?);
    }
    Ok(rows)
}

fn fields(line: &str) -> Vec<&str> {
    let inner = line.strip_prefix('"').and_then(|line| line.strip_suffix('"')).unwrap_or(line);
    inner.split("\",\"").collect()
}

/// What the retired summaries of an account must show: path and JSON.
#[must_use]
pub fn summaries(events: &[Event]) -> Vec<(String, serde_json::Value)> {
    let rated = rate(events.iter());
    let mut expected = Vec::new();
    for (path, owner, weighted) in
        [("orgs/acme", "acme", true), ("orgs/globex", "globex", true), ("users/mona", "mona", true), ("enterprises/acme-corp", "", false)]
    {
        let counts = |rated: &&Rated<'_>| {
            let event = rated.event;
            let owned = if owner.is_empty() { payer(event) == "acme-corp" } else { event.owner == owner };
            owned && event.month() == "2026-11" && !event.is_public
        };
        let shown: Vec<&Rated<'_>> = rated.iter().filter(counts).collect();
        let path = format!("/{path}/settings/billing");
        expected.push((format!("{path}/actions"), actions(&shown, weighted)));
        expected.push((format!("{path}/packages"), packages(&shown)));
        expected.push((format!("{path}/shared-storage"), storage(&shown)));
    }
    expected
}

/// Quantity, gross and net by owner and SKU.
fn totals(shown: &[&Rated<'_>]) -> BTreeMap<(&'static str, usize), Sums> {
    let mut totals = BTreeMap::new();
    for rated in shown {
        let total: &mut Sums = totals.entry((rated.event.owner, rated.event.sku)).or_insert((0, 0, 0));
        *total = (total.0 + rated.event.quantity, total.1 + rated.gross, total.2 + rated.gross - rated.discount);
    }
    totals
}

/// The part of a quantity that is paid for, cut at the ninth decimal.
fn paid(quantity: i128, gross: i128, net: i128) -> i128 {
    if gross == 0 { 0 } else { quantity * net / gross }
}

fn rounded_up(billionths: i128) -> i128 {
    (billionths + WHOLE - 1) / WHOLE
}

fn half_up(billionths: i128) -> i128 {
    (billionths + WHOLE / 2) / WHOLE
}

fn actions(shown: &[&Rated<'_>], weighted: bool) -> serde_json::Value {
    let mut keys: BTreeMap<&str, i128> = ["UBUNTU", "MACOS", "WINDOWS"].map(|key| (key, 0)).into();
    let mut paid_minutes = 0;
    for ((_, sku), (quantity, gross, net)) in totals(shown) {
        let sku = &SKUS[sku];
        if sku.key.is_empty() {
            continue;
        }
        let quantity = if weighted { quantity * sku.weight } else { quantity };
        *keys.entry(sku.key).or_insert(0) += quantity;
        paid_minutes += paid(quantity, gross, net);
    }
    let breakdown: BTreeMap<&str, i128> = keys.into_iter().map(|(key, minutes)| (key, rounded_up(minutes))).collect();
    let number = |value: i128| i64::try_from(value).unwrap();
    serde_json::json!({
        "total_minutes_used": number(breakdown.values().sum()),
        "total_paid_minutes_used": number(rounded_up(paid_minutes)),
        "included_minutes": 3000,
        "minutes_used_breakdown": breakdown.into_iter().map(|(key, minutes)| (key, number(minutes))).collect::<BTreeMap<_, _>>(),
    })
}

fn packages(shown: &[&Rated<'_>]) -> serde_json::Value {
    let (mut used, mut paid_for) = (0, 0);
    for ((_, sku), (quantity, gross, net)) in totals(shown) {
        if SKUS[sku].pool == Pool::Transfer {
            used += quantity;
            paid_for += paid(quantity, gross, net);
        }
    }
    let number = |value: i128| i64::try_from(value).unwrap();
    serde_json::json!({
        "total_gigabytes_bandwidth_used": number(half_up(used)),
        "total_paid_gigabytes_bandwidth_used": number(half_up(paid_for)),
        "included_gigabytes_bandwidth": 40,
    })
}

/// The level of the last full hour goes on until the end of the month.
fn storage(shown: &[&Rated<'_>]) -> serde_json::Value {
    assert!(NOW.starts_with("2026-11-20T10:"), "the figures below are those of that hour");
    let (day, hour, hours) = (31 + 19, 10, 720);
    let hours_left = hours - (19 * 24 + 10);
    let (mut so_far, mut level) = (0, 0);
    for rated in shown.iter().filter(|rated| SKUS[rated.event.sku].pool == Pool::Storage) {
        let event = rated.event;
        if (event.day, event.hour) < (day, hour) {
            so_far += event.quantity;
        }
        if (event.day, event.hour) == (day, hour - 1) {
            level += event.quantity;
        }
    }
    let estimate = so_far + level * hours_left;
    let average = |quantity: i128| i64::try_from((2 * quantity + hours * WHOLE) / (2 * hours * WHOLE)).unwrap();
    serde_json::json!({
        "days_left_in_billing_cycle": 10,
        "estimated_paid_storage_for_month": average((estimate - 2 * WHOLE * hours).max(0)),
        "estimated_storage_for_month": average(estimate),
    })
}

/// How much usage waits for a price.
#[must_use]
pub fn unrated(events: &[Event]) -> usize {
    events.iter().filter(|event| SKUS[event.sku].name == UNRATED).count()
}
