//! GitHub's worked examples and rows of its real exports, as tables that a billing person can check (rating.md section 14).
//!
//! Each table is a list of usage, and what each owner's usage of each SKU must come to on each day.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use billing::account::{Account, AccountKind};
use billing::month::{MonthTotals, RatedMonth};
use billing::price_book::draft::{PoolDraft, PriceVersionDraft, SkuDraft};
use billing::price_book::{PoolCounts, PoolScope};
use billing::rating::{self, DayEvent, Discounts, DrawOrder, Place, Pool, Pools};
use billing::usage::Tokens;
use billing::{AccountId, Amount, Day, Facts, Quantity, UnitPrice, UsageEvent, UtcTime, Visibility};
use proptest::prelude::*;
use std::collections::BTreeMap;

const ENTERPRISE: AccountId = AccountId(1);

/// An enterprise on a plan, with the organizations `org1` and `org2`.
fn facts(plan: &str) -> Facts {
    let mut facts = Facts::start();
    let mut enterprise = Account::new(ENTERPRISE, AccountKind::Enterprise, "corp".into());
    enterprise.plan.write(None, plan.into());
    facts.accounts.put(enterprise);
    for (id, login) in [(2, "org1"), (3, "org2")] {
        let mut organization = Account::new(AccountId(id), AccountKind::Organization, login.into());
        organization.enterprise.write(None, Some(ENTERPRISE));
        facts.accounts.put(organization);
    }
    facts.plans.write("nothing included", None, BTreeMap::new());
    facts
}

/// Usage as `owner sku quantity`, once at an instant or `every hour of` a day, in a private repository unless it says `public`.
fn usage(table: &str) -> Vec<UsageEvent> {
    let mut events = Vec::new();
    for row in table.trim().lines() {
        let words: Vec<&str> = row.split_whitespace().collect();
        let [when, owner, sku, quantity, ..] = words[..] else { panic!("a row needs a time, an owner, a SKU and a quantity: {row}") };
        let instants: Vec<String> = match when.split_once('/') {
            None if when.len() == 10 => vec![format!("{when}T12:00:00Z")],
            None => vec![when.to_owned()],
            Some((day, hours)) => (0..hours.parse::<u32>().unwrap()).map(|hour| format!("{day}T{hour:02}:00:00Z")).collect(),
        };
        for instant in instants {
            let number = events.len();
            let visibility = if words.contains(&"public") { Visibility::Public } else { Visibility::Private };
            let named = |prefix: &str| words.iter().find_map(|word| word.strip_prefix(prefix)).map(Into::into);
            events.push(UsageEvent {
                source: "example".into(),
                id: format!("{number:05}").into(),
                time: UtcTime::parse(&instant).unwrap(),
                used_at: UtcTime::parse(&instant).unwrap(),
                owner: AccountId(if owner == "org1" { 2 } else { 3 }),
                repository: Some(named("repository=").unwrap_or_else(|| "web".into())),
                sku: sku.into(),
                quantity: Quantity::parse(quantity).unwrap(),
                username: named("user="),
                workflow_path: named("workflow="),
                model: None,
                visibility,
                tokens: Tokens::default(),
                job: None,
            });
        }
    }
    events
}

/// A month's pools and, event by event, what the one `rate()` says.
fn rated(events: &[UsageEvent], facts: &Facts) -> (RatedMonth, Vec<(UsageEvent, rating::Rated)>) {
    let now = UtcTime::parse("2027-01-01T00:00:00Z").unwrap();
    let mut totals = MonthTotals::default();
    let mut draws = Vec::new();
    for event in events {
        let priced = rating::price(event, facts).unwrap();
        totals.add(event, &priced, facts).unwrap();
        if let Some((key, draw)) = rating::event_draw(event, &priced, facts).unwrap() {
            draws.push((event.used_at.day(), key, DayEvent::new(event, &priced, draw, facts)));
        }
    }
    let mut pools = rating::settle(&totals, ENTERPRISE, facts, now).unwrap();
    for (key, pool) in &mut pools {
        if let Pool::RunsOut(last) = *pool {
            let of_day = draws.iter().filter(|(on, of, _)| *on == last.day && of == key).map(|(_, _, event)| event.clone());
            *pool = Pool::RanOut(Box::new(rating::cross(facts, key, last, of_day.collect()).unwrap()));
        }
    }
    let (mut hourly, mut given) = (Pools::new(), Discounts::new());
    for day in billing::month::hourly_days(&totals, facts) {
        let of_day = draws
            .iter()
            .filter(|(on, key, _)| *on == day && &*key.pool == "actions_cache")
            .map(|(_, key, event)| (key.clone(), event.clone()));
        let (pools, discounts) = rating::settle_hours(facts, day, of_day.collect(), now).unwrap();
        hourly.extend(pools);
        given.extend(discounts);
    }
    let rate = |event: &UsageEvent| {
        let priced = rating::price(event, facts).unwrap();
        let key = rating::event_draw(event, &priced, facts).unwrap().map(|(key, _)| key);
        let pool = key.and_then(|key| pools.get(&key).or_else(|| hourly.get(&key)));
        rating::rate(priced.gross, priced.free, pool, Place::Event(&DrawOrder::of(event, facts))).unwrap()
    };
    let each = events.iter().map(|event| (event.clone(), rate(event))).collect();
    (RatedMonth::new(&totals, ENTERPRISE, pools.clone(), given, facts).unwrap(), each)
}

/// Rows of `day owner sku quantity gross discount net`, summed over the day.
fn check_with(facts: &Facts, table: &str, expected: &str) {
    let events = usage(table);
    let mut rows: BTreeMap<(Day, u32, String), (Quantity, Amount, Amount)> = BTreeMap::new();
    let (month, each) = rated(&events, facts);
    for (event, rated) in each {
        assert_eq!(rated.gross.minus(rated.discount), Ok(rated.net));
        let row = rows.entry((event.used_at.day(), event.owner.0 - 1, event.sku.to_string())).or_insert((
            Quantity::ZERO,
            Amount::ZERO,
            Amount::ZERO,
        ));
        *row = (row.0.plus(event.quantity).unwrap(), row.1.plus(rated.gross).unwrap(), row.2.plus(rated.discount).unwrap());
    }
    let text: Vec<String> = rows
        .iter()
        .map(|((day, owner, sku), (quantity, gross, discount))| {
            format!("{day} org{owner} {sku} {quantity} {gross} {discount} {}", gross.minus(*discount).unwrap())
        })
        .collect();
    let expected: Vec<String> = expected.trim().lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(text, expected);
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.fold(Amount::ZERO, |sum, amount| sum.plus(amount).unwrap());
    assert_eq!(
        sum(&mut month.totals.iter().map(|total| total.rated.discount)),
        sum(&mut rows.values().map(|row| row.2)),
        "month and days agree"
    );
}

fn check(plan: &str, table: &str, expected: &str) {
    check_with(&facts(plan), table, expected);
}

#[test]
fn w1_and_w2_minutes_over_the_quota_at_the_prices_of_their_year() {
    check(
        "nothing included",
        "2025-11-03 org1 actions_linux 3000
         2025-11-03 org1 actions_windows 2000",
        "2025-11-03 org1 actions_linux 3000 24 0 24
         2025-11-03 org1 actions_windows 2000 32 0 32",
    );
    check(
        "nothing included",
        "2026-11-03 org1 actions_linux 3000
         2026-11-03 org1 actions_windows 2000",
        "2026-11-03 org1 actions_linux 3000 18 0 18
         2026-11-03 org1 actions_windows 2000 20 0 20",
    );
}

#[test]
fn w3_windows_and_macos_minutes_take_2_and_10_of_the_included_minutes_before_2026() {
    check(
        "free_org",
        "2025-11-03T01:00:00Z org1 actions_windows 1000
         2025-11-03T02:00:00Z org1 actions_linux 1",
        "2025-11-03 org1 actions_linux 1 0.008 0 0.008
         2025-11-03 org1 actions_windows 1000 16 16 0",
    );
    check("free_org", "2025-11-03T01:00:00Z org1 actions_macos 1000", "2025-11-03 org1 actions_macos 1000 80 16 64");
}

#[test]
fn a_slim_minute_takes_a_quarter_and_the_pool_of_2026_is_money() {
    check(
        "free_org",
        "2025-11-03T01:00:00Z org1 actions_linux_slim 8000
         2025-11-03T02:00:00Z org1 actions_linux_slim 1",
        "2025-11-03 org1 actions_linux_slim 8001 16.002 16 0.002",
    );
    check(
        "free_org",
        "2026-11-03T01:00:00Z org1 actions_macos 100
         2026-11-03T02:00:00Z org2 actions_linux 1000",
        "2026-11-03 org1 actions_macos 100 6.2 6.2 0
         2026-11-03 org2 actions_linux 1000 6 5.8 0.2",
    );
}

#[test]
fn w7_storage_is_charged_for_the_hours_that_it_was_held() {
    let table: Vec<String> = (1..=10).map(|day| format!("2026-11-{day:02}/24 org1 actions_storage 10")).collect();
    let events = usage(&table.join("\n"));
    let total = events.iter().fold(Quantity::ZERO, |sum, event| sum.plus(event.quantity).unwrap());
    assert_eq!(total, Quantity::whole(2400));
    check("nothing included", "2026-11-01/24 org1 actions_storage 10", "2026-11-01 org1 actions_storage 240 0.0806448 0 0.0806448");
}

#[test]
fn w8_and_w9_cache_over_10_gigabytes_of_a_repository_in_an_hour_is_charged() {
    check(
        "team",
        "2026-03-01T05:00:00Z org1 actions_cache_storage 15
         2026-03-01T05:00:00Z org1 actions_cache_storage 9 repository=api
         2026-03-01T06:00:00Z org1 actions_cache_storage 3",
        "2026-03-01 org1 actions_cache_storage 27 0.002540322 0.002069892 0.00047043",
    );
    check(
        "team",
        "2026-03-01/24 org1 actions_cache_storage 12",
        "2026-03-01 org1 actions_cache_storage 288 0.027096768 0.02258064 0.004516128",
    );
}

#[test]
fn w10_each_image_version_counts_its_size() {
    check(
        "nothing included",
        "2026-11-01/24 org1 actions_custom_image_storage 150
         2026-11-02/24 org1 actions_custom_image_storage 600",
        "2026-11-01 org1 actions_custom_image_storage 3600 0.3387096 0 0.3387096
         2026-11-02 org1 actions_custom_image_storage 14400 1.3548384 0 1.3548384",
    );
}

#[test]
fn w16_storage_and_transfer_over_the_quota_at_a_price_for_a_gigabyte_and_day() {
    let mut facts = facts("team");
    let mut version = facts.price_book.versions()[1].clone();
    let by_the_day = UnitPrice::parse("0.008").unwrap();
    version.skus.get_mut("actions_storage").unwrap().price = Some(by_the_day);
    // The pool of the month: 2 GB for 31 days.
    version.pools.get_mut("shared_storage").unwrap().counts = PoolCounts::Money { unit_price: UnitPrice::parse("0.248").unwrap() };
    version.effective_from = Day::parse("2026-01-01").unwrap();
    facts.price_book.apply(version);
    let table: Vec<String> = (1..=31).map(|day| format!("2026-03-{day:02} org1 actions_storage 150")).collect();
    let (month, _) = rated(&usage(&format!("{}\n2026-03-05 org1 packages_bandwidth 50", table.join("\n"))), &facts);
    let nets: Vec<(String, String)> = month.totals.iter().map(|total| (total.sku.to_string(), total.rated.net.to_string())).collect();
    assert_eq!(nets, [("actions_storage".into(), "36.704".into()), ("packages_bandwidth".into(), "20".into())]);
}

#[test]
fn x1_to_x6_real_rows_are_cut_at_the_ninth_decimal_line_by_line() {
    check(
        "nothing included",
        "2025-11-02 org1 git_lfs_bandwidth 0.057339173
         2025-11-02/24 org1 git_lfs_storage 0.146484375
         2025-11-02/24 org1 actions_storage 0.000000687
         2025-11-03/24 org1 actions_storage 0.000001502
         2025-11-03 org1 copilot_enterprise 0.033333333
         2025-11-03 org2 copilot_for_business 0.033333333",
        "2025-11-02 org1 actions_storage 0.000016488 0 0 0
         2025-11-02 org1 git_lfs_bandwidth 0.057339173 0.005017177 0 0.005017177
         2025-11-02 org1 git_lfs_storage 3.515625 0.000330768 0 0.000330768
         2025-11-03 org1 actions_storage 0.000036048 0 0 0
         2025-11-03 org1 copilot_enterprise 0.033333333 1.299999987 0 1.299999987
         2025-11-03 org2 copilot_for_business 0.033333333 0.633333327 0 0.633333327",
    );
}

/// [`facts`], with a licence of Copilot Business for mona, who belongs to `org1`.
fn facts_with_a_seat(plan: &str) -> Facts {
    let mut facts = facts(plan);
    facts.accounts.put(Account::new(AccountId(4), AccountKind::User, "mona".into()));
    facts.seats.put(billing::allowance::Seat {
        user: AccountId(4),
        organization: AccountId(2),
        plan: "copilot_business".into(),
        since: UtcTime::parse("2025-01-01T00:00:00Z").unwrap(),
        until: None,
    });
    facts
}

#[test]
fn x6_premium_requests_within_the_seats_quota_are_fully_discounted() {
    let facts = facts_with_a_seat("ghec");
    check_with(
        &facts,
        "2025-11-03 org1 copilot_premium_request 12.62 user=Mona",
        "2025-11-03 org1 copilot_premium_request 12.62 0.5048 0.5048 0",
    );
    check_with(
        &facts,
        "2025-11-03T01:00:00Z org1 copilot_premium_request 299 user=mona
         2025-11-03T02:00:00Z org1 coding_agent_premium_request 3 user=mona
         2025-11-03T03:00:00Z org1 copilot_premium_request 1 user=hubot",
        "2025-11-03 org1 coding_agent_premium_request 3 0.12 0.04 0.08
         2025-11-03 org1 copilot_premium_request 300 12 11.96 0.04",
    );
}

#[test]
fn a_version_in_the_middle_of_a_month_changes_prices_but_no_pool_of_that_month() {
    let mut facts = facts_with_a_seat("team");
    for pool in ["premium_requests", "packages_transfer"] {
        let base = facts.price_book.versions()[1].clone();
        let draft = PriceVersionDraft {
            name: format!("other-{pool}"),
            effective_from: Day::parse("2026-03-15").unwrap(),
            based_on: None,
            skus: vec![SkuDraft { sku: "packages_bandwidth".into(), price: UnitPrice::parse("0.4").ok(), ..SkuDraft::default() }],
            removed: Vec::new(),
            pools: vec![PoolDraft {
                pool: pool.into(),
                scope: Some(if base.pools[pool].scope == PoolScope::User { PoolScope::Payer } else { PoolScope::User }),
                ..PoolDraft::default()
            }],
            free_workflow_paths: None,
        };
        let version = draft.complete(&facts.price_book).unwrap();
        facts.price_book.apply(version);
    }
    // The team's 10 GB are shared to the end of March, and so long mona's licence includes 300 requests; in April each user has an
    // own pool of transfer, for which nobody has a licence, and requests have a shared one, which the plan leaves empty.
    check_with(
        &facts,
        "2026-03-14 org1 packages_bandwidth 8 user=mona
         2026-03-16 org1 packages_bandwidth 8 user=hubot
         2026-03-16 org1 copilot_premium_request 200 user=mona
         2026-03-17 org1 copilot_premium_request 200 user=mona
         2026-04-01 org1 packages_bandwidth 8 user=mona
         2026-04-01 org1 copilot_premium_request 200 user=mona",
        "2026-03-14 org1 packages_bandwidth 8 4 4 0
         2026-03-16 org1 copilot_premium_request 200 8 8 0
         2026-03-16 org1 packages_bandwidth 8 3.2 0.8 2.4
         2026-03-17 org1 copilot_premium_request 200 8 4 4
         2026-04-01 org1 copilot_premium_request 200 8 0 8
         2026-04-01 org1 packages_bandwidth 8 3.2 0 3.2",
    );
}

#[test]
fn x7_a_pool_runs_out_in_the_twentieth_hour_across_two_organizations() {
    check(
        "ghec",
        "2025-11-01/24 org1 actions_custom_image_storage 2500
         2025-11-01/24 org2 actions_custom_image_storage 300
         2025-11-02/24 org1 actions_custom_image_storage 1950
         2025-11-02/24 org2 actions_custom_image_storage 300",
        "2025-11-01 org1 actions_custom_image_storage 60000 5.64516 5.64516 0
         2025-11-01 org2 actions_custom_image_storage 7200 0.6774192 0.6774192 0
         2025-11-02 org1 actions_custom_image_storage 46800 4.4032248 3.6411306 0.7620942
         2025-11-02 org2 actions_custom_image_storage 7200 0.6774192 0.5362902 0.141129",
    );
}

#[test]
fn x8_standard_runners_are_free_in_public_repositories_and_draw_nothing() {
    check(
        "nothing included",
        "2026-02-01 org1 actions_linux 67 public
         2026-02-01 org1 actions_linux_arm 29 public",
        "2026-02-01 org1 actions_linux 67 0.402 0.402 0
         2026-02-01 org1 actions_linux_arm 29 0.145 0.145 0",
    );
    check(
        "free_org",
        "2026-02-01T01:00:00Z org1 actions_linux 9000 public
         2026-02-01T02:00:00Z org1 actions_linux 2000",
        "2026-02-01 org1 actions_linux 11000 66 66 0",
    );
}

#[test]
fn x12_larger_runners_are_charged_in_any_repository() {
    check("ghec", "2025-11-03 org1 actions_linux_64_core 2 public", "2025-11-03 org1 actions_linux_64_core 2 0.512 0 0.512");
}

#[test]
fn pages_builds_and_dependabot_are_free_on_standard_runners_only() {
    check(
        "nothing included",
        "2026-02-01 org1 actions_linux 5 workflow=dynamic/pages/pages-build-deployment
         2026-02-01 org1 actions_windows 5 workflow=dynamic/dependabot/dependabot-updates
         2026-02-01 org1 actions_linux_4_core 5 workflow=dynamic/dependabot/dependabot-updates
         2026-02-01 org1 actions_self_hosted_linux 5",
        "2026-02-01 org1 actions_linux 5 0.03 0.03 0
         2026-02-01 org1 actions_linux_4_core 5 0.06 0 0.06
         2026-02-01 org1 actions_self_hosted_linux 5 0 0 0
         2026-02-01 org1 actions_windows 5 0.05 0.05 0",
    );
}

#[test]
fn codespaces_core_hours_weigh_their_cores() {
    // 180 core-hours: 40 hours of 4 cores take 160, so 10 of the next 15 hours of 2 cores are covered.
    check(
        "pro",
        "2026-02-01T01:00:00Z org1 codespaces_compute_d4 40
         2026-02-01T02:00:00Z org1 codespaces_compute_d2 15",
        "2026-02-01 org1 codespaces_compute_d2 15 2.7 1.8 0.9
         2026-02-01 org1 codespaces_compute_d4 40 14.4 14.4 0",
    );
}

/// A month whose days all lie in November 2026.
fn any_usage() -> impl Strategy<Value = Vec<UsageEvent>> {
    let sku = prop::sample::select(vec![
        "actions_linux",
        "actions_macos",
        "actions_storage",
        "packages_bandwidth",
        "actions_cache_storage",
        "actions_linux_8_core",
    ]);
    let row = (1..=28_u32, 0..24_u32, 2..=3_u32, sku, 0..2_000_000_000_000_i128, any::<bool>());
    prop::collection::vec(row, 0..60).prop_map(|rows| {
        let event = |(number, (day, hour, owner, sku, quantity, public)): (usize, (u32, u32, u32, &str, i128, bool))| {
            let mut event = usage(&format!("2026-11-{day:02}T{hour:02}:00:00Z org{} {sku} 1", owner - 1)).remove(0);
            event.id = format!("{number}").into();
            event.quantity = Quantity::from_billionths(quantity);
            event.visibility = if public { Visibility::Public } else { Visibility::Private };
            event
        };
        rows.into_iter().enumerate().map(event).collect()
    })
}

proptest! {
    #[test]
    fn the_order_of_arrival_changes_no_amount(events in any_usage(), seed in any::<usize>()) {
        let facts = facts("free_org");
        let mut shuffled = events.clone();
        let length = shuffled.len().max(1);
        for place in 0..shuffled.len() {
            shuffled.swap(place, seed.wrapping_mul(place + 1) % length);
        }
        let (month, mut each) = rated(&events, &facts);
        let (shuffled_month, mut shuffled_each) = rated(&shuffled, &facts);
        prop_assert_eq!(month, shuffled_month);
        each.sort_by_key(|(event, _)| event.id.clone());
        shuffled_each.sort_by_key(|(event, _)| event.id.clone());
        prop_assert_eq!(each, shuffled_each);
    }

    #[test]
    fn a_pool_never_gives_more_than_it_holds_and_always_what_it_can(events in any_usage()) {
        let facts = facts("free_org");
        let (_, each) = rated(&events, &facts);
        let sum = |wanted: &dyn Fn(&UsageEvent) -> bool, amount: &dyn Fn(&rating::Rated) -> Amount| {
            each.iter().filter(|(event, _)| wanted(event)).fold(0, |sum, (_, rated)| sum + amount(rated).billionths())
        };
        let minutes = |event: &UsageEvent| matches!(&*event.sku, "actions_linux" | "actions_macos") && event.visibility == Visibility::Private;
        let storage = |event: &UsageEvent| &*event.sku == "actions_storage" && event.visibility == Visibility::Private;
        for (wanted, holds) in [(&minutes as &dyn Fn(&UsageEvent) -> bool, 12_000_000_000_i128), (&storage, 122_070_312)] {
            let (gross, discount) = (sum(wanted, &|rated| rated.gross), sum(wanted, &|rated| rated.discount));
            prop_assert_eq!(discount, gross.min(holds));
        }
        for (_, rated) in &each {
            prop_assert!(rated.discount <= rated.gross && rated.net >= Amount::ZERO);
        }
    }
}
