//! The ledger on a real folder: what is accepted counts once, over repeats, seals, merges and restarts, and comes to the same amounts
//! as a plain model that walks all events in order.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use billing::account::AccountKind;
use billing::line::RatedLine;
use billing::usage::Tokens;
use billing::{AccountId, Day, Month, Name, Quantity, UsageEvent, UtcTime, Visibility};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use store::database::Database;
use store::facts::{FactBody, NewFact};
use store::ledger::{LedgerLimits, Snapshot, Verdict};
use store::{Clock, FactsDatabase, Ledger, StoreError};

const ENTERPRISE: AccountId = AccountId(1);
const ACME: AccountId = AccountId(2);
const GLOBEX: AccountId = AccountId(3);
const MONA: AccountId = AccountId(4);

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

fn day(text: &str) -> Day {
    Day::parse(text).unwrap()
}

/// One serving process on a folder.
struct Process {
    facts: Arc<FactsDatabase>,
    ledger: Ledger,
}

fn open(folder: &Path) -> Process {
    open_with(folder, LedgerLimits::default())
}

fn open_with(folder: &Path, limits: LedgerLimits) -> Process {
    let database = Arc::new(Database::open(folder).unwrap());
    let facts = Arc::new(FactsDatabase::open(Arc::clone(&database)).unwrap());
    let clock = Arc::new(Clock::open(database).unwrap());
    if facts.current().unwrap().number.0 == 0 {
        clock.set(time("2026-11-20T10:00:00Z")).unwrap();
        append(&facts, accounts());
    }
    let ledger = Ledger::open(folder, Arc::clone(&facts), clock, limits).unwrap();
    Process { facts, ledger }
}

fn append(facts: &FactsDatabase, new: Vec<NewFact>) {
    facts.append(time("2026-11-20T10:00:00Z"), |_| Ok::<_, StoreError>((new, ()))).unwrap();
}

fn fact(account: AccountId, since: Option<&str>, body: FactBody) -> NewFact {
    NewFact { account: Some(account), effective_from: since.map(time), body }
}

/// An enterprise with two organizations and a small plan, so that its pools run out, and a user of its own.
fn accounts() -> Vec<NewFact> {
    let created = |account, kind, login: &str| fact(account, None, FactBody::Created { kind, login: login.into() });
    let included: BTreeMap<Name, Quantity> =
        [("actions_minutes", 900), ("shared_storage", 2), ("actions_cache", 10), ("packages_transfer", 40)]
            .into_iter()
            .map(|(pool, size)| (pool.into(), Quantity::whole(size)))
            .collect();
    vec![
        created(ENTERPRISE, AccountKind::Enterprise, "acme-corp"),
        created(ACME, AccountKind::Organization, "acme"),
        created(GLOBEX, AccountKind::Organization, "globex"),
        created(MONA, AccountKind::User, "mona"),
        NewFact { account: None, effective_from: None, body: FactBody::Included { plan: "small".into(), included } },
        fact(ENTERPRISE, None, FactBody::Plan("small".into())),
        fact(ACME, None, FactBody::Enterprise(Some(ENTERPRISE))),
        fact(GLOBEX, None, FactBody::Enterprise(Some(ENTERPRISE))),
        fact(MONA, None, FactBody::Plan("pro".into())),
    ]
}

fn event(id: &str, at: &str) -> UsageEvent {
    UsageEvent {
        source: "/runners/eu-1".into(),
        id: id.into(),
        time: time(at),
        used_at: time(at),
        owner: ACME,
        repository: Some("web".into()),
        sku: "actions_linux".into(),
        quantity: Quantity::whole(12),
        username: Some("mona".into()),
        workflow_path: Some(".github/workflows/ci.yml".into()),
        model: None,
        visibility: Visibility::Private,
        tokens: Tokens::default(),
        job: None,
    }
}

fn verdicts(process: &Process, events: &[UsageEvent]) -> Vec<Verdict> {
    process.ledger.commit(events.to_vec()).unwrap().verdicts
}

fn lines(snapshot: &Snapshot, payer: AccountId) -> Vec<RatedLine> {
    snapshot.lines(payer, day("2026-09-01"), day("2026-11-30")).unwrap().collect::<Result<_, _>>().unwrap()
}

fn minutes(process: &Process) -> String {
    let month = process.ledger.snapshot().unwrap().month(ENTERPRISE, Month::parse("2026-11").unwrap()).unwrap();
    month.totals.iter().fold(Quantity::ZERO, |sum, total| sum.plus(total.quantity).unwrap()).to_string()
}

#[test]
fn an_event_counts_once_over_repeats_seals_merges_and_restarts() {
    let folder = tempfile::tempdir().unwrap();
    let first = event("a", "2026-11-03T10:15:00Z");
    let respelled = UsageEvent { repository: Some("WEB".into()), username: Some("Mona".into()), ..first.clone() };
    let other = UsageEvent { quantity: Quantity::whole(13), ..first.clone() };
    let process = open(folder.path());
    assert_eq!(
        verdicts(&process, &[first.clone(), first.clone(), other.clone()]),
        [Verdict::Accepted, Verdict::Duplicate, Verdict::Conflict { field: "data.quantity" }]
    );
    assert_eq!(minutes(&process), "12", "an acknowledged event is in the next answer");
    let check = |process: &Process, after: &str| {
        assert_eq!(
            verdicts(process, &[respelled.clone(), other.clone()]),
            [Verdict::Duplicate, Verdict::Conflict { field: "data.quantity" }],
            "{after}"
        );
        assert_eq!(minutes(process), "12", "{after}");
    };
    check(&process, "the tail");
    process.ledger.seal().unwrap();
    check(&process, "a seal");
    assert_eq!(verdicts(&process, &[event("b", "2026-10-03T10:15:00Z")]), [Verdict::Accepted]);
    process.ledger.seal().unwrap();
    process.ledger.merge().unwrap();
    check(&process, "a merge");
    drop(process);
    let process = open(folder.path());
    check(&process, "a restart");
    process.ledger.close().unwrap();
    drop(process);
    check(&open(folder.path()), "a clean stop");
}

#[test]
fn an_event_too_far_in_the_future_is_refused_but_its_repeat_never() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    let (near, far) = (event("near", "2026-11-21T09:00:00Z"), event("far", "2026-11-21T12:00:00Z"));
    assert_eq!(verdicts(&process, &[near.clone(), far]), [Verdict::Accepted, Verdict::TooFarInFuture]);
    drop(process);
    // The clock goes back, as far as it can: never below what is committed.
    let database = Arc::new(Database::open(folder.path()).unwrap());
    Clock::open(database).unwrap().set(time("2026-11-01T00:00:00Z")).unwrap();
    assert_eq!(verdicts(&open(folder.path()), &[near]), [Verdict::Duplicate]);
}

#[test]
fn only_one_process_serves_a_folder_and_others_may_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    verdicts(&process, &[event("a", "2026-11-03T10:15:00Z")]);
    let clock = Arc::new(Clock::open(Arc::new(Database::open(folder.path()).unwrap())).unwrap());
    let second = Ledger::open(folder.path(), Arc::clone(&process.facts), clock, LedgerLimits::default());
    assert!(matches!(second, Err(StoreError::Locked(_))));
    let reader = Ledger::open_to_read(folder.path(), Arc::clone(&process.facts)).unwrap();
    assert_eq!(lines(&reader.snapshot().unwrap(), ENTERPRISE), lines(&process.ledger.mark().unwrap(), ENTERPRISE));
    assert!(matches!(reader.commit(vec![event("b", "2026-11-03T10:15:00Z")]), Err(StoreError::Busy)));
}

#[test]
fn a_full_tail_refuses_new_usage_and_a_seal_makes_room() {
    let folder = tempfile::tempdir().unwrap();
    let limits = LedgerLimits { tail_events_max: 2, seal_events: 1_000, ..LedgerLimits::default() };
    let process = open_with(folder.path(), limits);
    verdicts(&process, &[event("a", "2026-11-03T10:15:00Z"), event("b", "2026-11-03T10:15:00Z")]);
    assert!(matches!(process.ledger.commit(vec![event("c", "2026-11-03T10:15:00Z")]), Err(StoreError::Busy)));
    assert_eq!(minutes(&process), "24", "reads go on");
    process.ledger.seal().unwrap();
    assert_eq!(verdicts(&process, &[event("c", "2026-11-03T10:15:00Z")]), [Verdict::Accepted]);
}

/// A small deterministic generator, so that a failure can be repeated.
struct Random(usize);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % limit
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[self.below(from.len())]
    }
}

fn random_event(random: &mut Random, number: usize) -> UsageEvent {
    let hour = random.below(24);
    let at = format!("2026-{:02}-{:02}T{hour:02}:{:02}:00Z", 10 + random.below(2), 1 + random.below(12), random.below(60));
    let skus = [
        "actions_linux",
        "actions_macos",
        "actions_linux_8_core",
        "actions_storage",
        "packages_storage",
        "packages_bandwidth",
        "actions_cache_storage",
        "no_such_sku",
    ];
    UsageEvent {
        owner: if random.below(3) == 0 { GLOBEX } else { ACME },
        repository: Some(random.pick(&["web", "api", "Infra"]).into()),
        sku: random.pick(&skus).into(),
        quantity: Quantity::from_billionths(i128::try_from(random.below(40_000_000_000)).unwrap()),
        username: Some(random.pick(&["mona", "hubot"]).into()),
        visibility: if random.below(5) == 0 { Visibility::Public } else { Visibility::Private },
        ..event(&format!("e{number}"), &at)
    }
}

/// Quantity, gross and discount by day, SKU, organization, repository, user and whether it is public.
type Rows = BTreeMap<(Day, String, String, String, String, bool), (i128, i128, i128)>;

/// What each line must come to: a plain walk over all events, in order, pool by pool.
fn model(events: &[UsageEvent], process: &Process) -> Rows {
    let book = process.facts.current().unwrap().price_book.clone();
    let login = |owner| if owner == ACME { "acme" } else { "globex" };
    let mut ordered: Vec<&UsageEvent> = events.iter().collect();
    ordered.sort_by_key(|event| {
        (event.used_at, login(event.owner), event.repository.as_deref().map(str::to_lowercase), event.source.clone(), event.id.clone())
    });
    // What is left of each pool, in billionths of dollars or of gigabytes and gigabyte-hours.
    let mut pools: BTreeMap<String, (i128, bool)> = BTreeMap::new();
    let mut rows = BTreeMap::new();
    for event in ordered {
        let day = event.used_at.day();
        let version = book.in_force(day);
        let Some(sku) = version.skus.get(&event.sku) else { continue };
        let (quantity, price) = (event.quantity.billionths(), sku.price.unwrap().trillionths());
        let gross = quantity * price / 1_000_000_000_000;
        let free = sku.free_in_public && event.visibility == Visibility::Public;
        let hour = event.used_at.microseconds() / 3_600_000_000;
        let (name, size, money) = match &*event.sku {
            "actions_linux" | "actions_macos" => (format!("minutes {}", day.month()), 900 * 6_000_000, true),
            "actions_storage" | "packages_storage" => (format!("storage {}", day.month()), 2 * 250_000_000, true),
            "packages_bandwidth" => (format!("transfer {}", day.month()), 40_000_000_000, false),
            "actions_cache_storage" => (format!("cache {} {:?} {hour}", event.owner.0, event.repository), 10_000_000_000, false),
            _ => (String::new(), 0, true),
        };
        let discount = if free {
            gross
        } else if name.is_empty() {
            0
        } else {
            let (left, ran_out) = pools.entry(name).or_insert((size, false));
            let drawn = if money { gross } else { quantity };
            if *ran_out {
                0
            } else if drawn <= *left {
                *left -= drawn;
                gross
            } else {
                *ran_out = true;
                if money { *left } else { *left * price / 1_000_000_000_000 }
            }
        };
        if quantity > 0 {
            let repository = event.repository.as_deref().unwrap_or("").to_owned();
            let username = event.username.as_deref().unwrap_or("").to_owned();
            let key =
                (day, event.sku.to_string(), login(event.owner).to_owned(), repository, username, event.visibility == Visibility::Public);
            let row: &mut (i128, i128, i128) = rows.entry(key).or_default();
            *row = (row.0 + quantity, row.1 + gross, row.2 + discount);
        }
    }
    rows
}

fn as_rows(lines: &[RatedLine]) -> Rows {
    let row = |line: &RatedLine| {
        let key = &line.key;
        let key =
            (line.day, key.sku.to_string(), key.owner_login.to_string(), key.repository.to_string(), key.username.to_string(), key.public);
        (key, (line.sums.quantity.billionths(), line.sums.gross.billionths(), line.discount.billionths()))
    };
    lines.iter().map(row).collect()
}

#[test]
fn lines_and_months_come_to_what_a_plain_walk_over_all_events_comes_to() {
    for seed in 0..4 {
        let folder = tempfile::tempdir().unwrap();
        let mut process = open(folder.path());
        let mut random = Random(seed);
        let mut sent: Vec<UsageEvent> = Vec::new();
        let mut exports = Vec::new();
        for number in 0..40 {
            let mut batch: Vec<UsageEvent> = (0..random.below(60)).map(|place| random_event(&mut random, number * 100 + place)).collect();
            sent.extend(batch.iter().cloned());
            if !sent.is_empty() && random.below(2) == 0 {
                batch.push(sent[random.below(sent.len())].clone());
            }
            process.ledger.commit(batch).unwrap();
            // Rated now, so that later answers rest on what is known from before.
            process.ledger.snapshot().unwrap().month(ENTERPRISE, Month::parse("2026-10").unwrap()).unwrap();
            match random.below(8) {
                0 => process.ledger.seal().unwrap(),
                1 => process.ledger.merge().unwrap(),
                2 => {
                    drop(process);
                    process = open(folder.path());
                }
                3 => {
                    let snapshot = process.ledger.mark().unwrap();
                    exports.push((snapshot.sequence(), sent.len(), lines(&snapshot, ENTERPRISE)));
                }
                _ => {}
            }
        }
        let expected = model(&sent, &process);
        let live = process.ledger.snapshot().unwrap();
        assert!(as_rows(&lines(&live, ENTERPRISE)) == expected, "seed {seed}: the lines");
        for month in ["2026-10", "2026-11"].map(|month| Month::parse(month).unwrap()) {
            let of_month: Vec<_> = expected.iter().filter(|(key, _)| key.0.month() == month).collect();
            let wanted = of_month.iter().fold((0, 0, 0), |sum, (_, row)| (sum.0 + row.0, sum.1 + row.1, sum.2 + row.2));
            let rated = live.month(ENTERPRISE, month).unwrap();
            let found = rated.totals.iter().fold((0, 0, 0), |sum, total| {
                (sum.0 + total.quantity.billionths(), sum.1 + total.rated.gross.billionths(), sum.2 + total.rated.discount.billionths())
            });
            assert_eq!(found, wanted, "seed {seed}: the totals of {month}");
        }
        process.ledger.seal().unwrap();
        process.ledger.merge().unwrap();
        for (sequence, events, then) in exports {
            let again = lines(&process.ledger.snapshot_at(sequence).unwrap(), ENTERPRISE);
            assert!(again == then, "seed {seed}: the lines as of {sequence} are no longer the same");
            assert!(as_rows(&again) == model(&sent[..events], &process), "seed {seed}: the lines as of {sequence}");
        }
        let unrated = process.ledger.snapshot().unwrap().unrated(&[ACME, GLOBEX], 10_000).unwrap();
        assert_eq!(unrated.len(), sent.iter().filter(|event| &*event.sku == "no_such_sku").count(), "seed {seed}: the unrated usage");
    }
}

#[test]
fn a_change_of_facts_moves_usage_at_once_and_leaves_old_snapshots_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    verdicts(&process, &[event("a", "2026-11-03T10:15:00Z"), event("b", "2026-11-10T10:15:00Z")]);
    process.ledger.seal().unwrap();
    verdicts(&process, &[event("c", "2026-11-04T10:15:00Z"), event("d", "2026-11-11T10:15:00Z")]);
    let before = process.ledger.mark().unwrap();
    let days = |lines: &[RatedLine]| lines.iter().map(|line| line.day.to_string()).collect::<Vec<_>>();
    let all = ["2026-11-03", "2026-11-04", "2026-11-10", "2026-11-11"];
    assert_eq!(days(&lines(&before, ENTERPRISE)), all);
    append(&process.facts, vec![fact(ACME, Some("2026-11-08T00:00:00Z"), FactBody::Enterprise(None))]);
    let after = process.ledger.snapshot().unwrap();
    assert_eq!(days(&lines(&after, ENTERPRISE)), all[..2]);
    assert_eq!(days(&lines(&after, ACME)), all[2..]);
    assert_eq!(minutes(&process), "24");
    process.ledger.seal().unwrap();
    process.ledger.merge().unwrap();
    assert_eq!(days(&lines(&process.ledger.snapshot_at(before.sequence()).unwrap(), ENTERPRISE)), all);
    assert_eq!(days(&lines(&process.ledger.snapshot().unwrap(), ACME)), all[2..]);
}

#[test]
fn names_are_shown_as_they_were_first_written() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    let spelled = |id: &str, repository: &str, username: &str| UsageEvent {
        repository: Some(repository.into()),
        username: Some(username.into()),
        ..event(id, "2026-11-03T10:15:00Z")
    };
    verdicts(&process, &[spelled("a", "Web-App", "Mona"), spelled("b", "web-app", "MONA")]);
    process.ledger.seal().unwrap();
    drop(process);
    let process = open(folder.path());
    verdicts(&process, &[spelled("c", "WEB-APP", "mona")]);
    let shown: Vec<_> = lines(&process.ledger.snapshot().unwrap(), ENTERPRISE)
        .iter()
        .map(|line| (line.key.repository.to_string(), line.key.username.to_string(), line.sums.quantity.to_string()))
        .collect();
    assert_eq!(shown, [("Web-App".to_owned(), "Mona".to_owned(), "36".to_owned())]);
}
