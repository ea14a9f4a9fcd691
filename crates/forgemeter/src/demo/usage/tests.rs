//! What the demonstration promises: the same usage again, enough of it, every product, and pools that run out.
//!
//! The facts are those of a folder that the demonstration's accounts were applied to.

use super::*;
use crate::demo::{first_day, world};
use billing::account::AccountKind;
use billing::allowance::PoolKey;
use billing::month::MonthTotals;
use billing::{AccountId, Month};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};
use store::FactsDatabase;
use store::database::Database;

const NOW: &str = "2026-11-03T10:15:00Z";

fn facts(until: UtcTime) -> Arc<Facts> {
    let folder = tempfile::tempdir().unwrap();
    let facts = FactsDatabase::open(Arc::new(Database::open(folder.path()).unwrap())).unwrap();
    store::accounts::apply(&facts, &world::accounts(first_day(until).unwrap()), until).unwrap();
    facts.current().unwrap()
}

fn all_events(facts: &Facts, until: UtcTime) -> Vec<UsageEvent> {
    let world = World::new(facts);
    let mut day = first_day(until).unwrap();
    let mut events = Vec::new();
    while day <= until.day() {
        events.extend(events_of(&world, facts, 1, day, until));
        day = day.next();
    }
    events
}

/// The usage up to [`NOW`], which several tests look at.
fn events_until_now() -> &'static (Arc<Facts>, Vec<UsageEvent>) {
    static EVENTS: OnceLock<(Arc<Facts>, Vec<UsageEvent>)> = OnceLock::new();
    EVENTS.get_or_init(|| {
        let facts = facts(time(NOW));
        let events = all_events(&facts, time(NOW));
        (facts, events)
    })
}

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

#[test]
fn the_accounts_are_an_enterprise_with_organizations_and_repositories() {
    let facts = facts(time(NOW));
    let of_kind = |kind| facts.accounts.iter().filter(|account| account.kind == kind).count();
    assert_eq!((of_kind(AccountKind::Enterprise), of_kind(AccountKind::Organization)), (1, 4));
    assert_eq!(facts.seats.iter().count(), world::SEATS + 1);
    let world = World::new(&facts);
    let repositories: usize = world.organizations.iter().map(|owner| owner.repositories.len()).sum();
    assert!(repositories >= 40, "{repositories}");
    assert!(world.organizations.iter().all(|owner| owner.people.len() >= 20));
}

#[test]
fn the_same_seed_and_time_make_the_same_usage_and_another_seed_another() {
    let until = time(NOW);
    let facts = facts(until);
    let world = World::new(&facts);
    let day = until.day().minus_days(9);
    let events = events_of(&world, &facts, 7, day, until);
    assert_eq!(events, events_of(&world, &facts, 7, day, until));
    assert_ne!(events, events_of(&world, &facts, 8, day, until));
    assert!(events.iter().all(|event| event.used_at.day() <= day.next()));
}

#[test]
fn there_are_enough_events_of_their_own_until_now_whenever_now_is() {
    let february = time("2026-05-01T00:00:00Z");
    let short = all_events(&facts(february), february);
    for (until, events) in [(february, &short), (time(NOW), &events_until_now().1)] {
        assert!(events.len() >= 200_000, "{until}: {}", events.len());
        assert!(events.iter().all(|event| event.used_at <= until && event.time <= until));
        let identities: BTreeSet<_> = events.iter().map(|event| (event.owner, &event.source, &event.id)).collect();
        assert_eq!(identities.len(), events.len());
    }
}

#[test]
fn every_product_and_every_sku_with_a_price_is_used() {
    let (facts, events) = events_until_now();
    let used: BTreeSet<&Name> = events.iter().map(|event| &event.sku).collect();
    let priced = facts.price_book.in_force(time(NOW).day()).skus.values().filter(|sku| sku.price.is_some());
    let unused: Vec<&str> = priced.map(|sku| &*sku.sku).filter(|sku| !used.iter().any(|used| &***used == *sku)).collect();
    assert_eq!(unused, [""; 0]);
    assert!(events.iter().any(|event| &*event.sku == "actions_unknown"), "something waits for a price");
}

#[test]
fn pools_run_out_within_each_whole_month() {
    let (facts, events) = events_until_now();
    let mut totals: BTreeMap<(AccountId, Month), MonthTotals> = BTreeMap::new();
    for event in events {
        if let Ok(priced) = rating::price(event, facts) {
            totals.entry((priced.payer, event.used_at.month())).or_default().add(event, &priced, facts).unwrap();
        }
    }
    let enterprise = facts.accounts.enterprise(world::ENTERPRISE).unwrap().id;
    for month in ["2026-08", "2026-09", "2026-10"] {
        let month = Month::parse(month).unwrap();
        let pools = rating::settle(&totals[&(enterprise, month)], enterprise, facts, time(NOW)).unwrap();
        let ran_out: BTreeMap<&str, u8> = pools
            .iter()
            .filter_map(|(PoolKey { pool, .. }, outcome)| match outcome {
                rating::Pool::RunsOut(last) => Some((&**pool, last.day.day_of_month())),
                _ => None,
            })
            .collect();
        for pool in ["actions_minutes", "shared_storage", "packages_transfer", "ai_credits"] {
            assert!(ran_out.get(pool).is_some_and(|day| (5..=28).contains(day)), "{month} {pool}: {ran_out:?}");
        }
    }
}
