//! Price versions on a real ledger: one that reaches back rates usage again and leaves every former snapshot as it was.
//!
//! Supposed facts are held against applied ones: what re-pricing foresees is what the books come to once it is applied.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use billing::account::AccountKind;
use billing::line::RatedLine;
use billing::price_book::draft::{PoolDraft, PriceVersionDraft, SkuDraft};
use billing::usage::Tokens;
use billing::{AccountId, Amount, Day, Month, Quantity, UnitPrice, UsageEvent, UtcTime, Visibility};
use std::path::Path;
use std::sync::Arc;
use store::accounts::{self, AccountEntry, AccountsFile};
use store::database::Database;
use store::ledger::{LedgerLimits, Snapshot};
use store::{Clock, FactsDatabase, Ledger};

struct Process {
    facts: Arc<FactsDatabase>,
    ledger: Ledger,
}

fn now() -> UtcTime {
    UtcTime::parse("2026-04-20T10:00:00Z").unwrap()
}

fn open(folder: &Path) -> Process {
    let database = Arc::new(Database::open(folder).unwrap());
    let facts = Arc::new(FactsDatabase::open(Arc::clone(&database)).unwrap());
    let clock = Arc::new(Clock::open(database).unwrap());
    clock.set(now()).unwrap();
    let ledger = Ledger::open(folder, Arc::clone(&facts), clock, LedgerLimits::default()).unwrap();
    Process { facts, ledger }
}

/// Two organizations that pay for themselves.
fn create_accounts(process: &Process) {
    let organization = |login: &str| AccountEntry { plan: Some("free_org".into()), ..AccountEntry::new(AccountKind::Organization, login) };
    let file = AccountsFile { accounts: vec![organization("acme"), organization("globex")], ..AccountsFile::default() };
    accounts::apply(&process.facts, &file, now()).unwrap();
}

/// From the middle of March, dearer Linux and self-hosted minutes that draw from the minutes pool; from April a smaller pool.
fn dearer() -> AccountsFile {
    let version = |name: &str, from: &str| PriceVersionDraft {
        name: name.into(),
        effective_from: Day::parse(from).unwrap(),
        based_on: None,
        skus: Vec::new(),
        removed: Vec::new(),
        pools: Vec::new(),
        free_workflow_paths: None,
    };
    let sku = |sku: &str, price: &str| SkuDraft {
        sku: sku.into(),
        price: Some(UnitPrice::parse_exact(price).unwrap()),
        pool: Some(Some("actions_minutes".into())),
        ..SkuDraft::default()
    };
    let pool = PoolDraft { pool: "actions_minutes".into(), unit_price: UnitPrice::parse("0.004").ok(), ..PoolDraft::default() };
    let march = PriceVersionDraft {
        skus: vec![sku("actions_linux", "0.01"), sku("actions_self_hosted_linux", "0.002")],
        ..version("march", "2026-03-15")
    };
    let april = PriceVersionDraft { pools: vec![pool], ..version("april", "2026-04-01") };
    AccountsFile { price_versions: vec![march, april], ..AccountsFile::default() }
}

/// Usage of every day from late February to early April: some included, some not, some public, some storage, some unpriced.
fn usage(owner: u32) -> Vec<UsageEvent> {
    let mut events = Vec::new();
    let mut day = Day::parse("2026-02-26").unwrap();
    while day < Day::parse("2026-04-11").unwrap() {
        for (place, (sku, quantity)) in
            [("actions_linux", 90), ("actions_self_hosted_linux", 70), ("actions_cache_storage", 11), ("actions_linux", 5), ("own", 1)]
                .into_iter()
                .enumerate()
        {
            // Pools of single hours are found event by event, which is slow in a debug build.
            if sku == "actions_cache_storage" && day.day_of_month() != 20 {
                continue;
            }
            let used_at = day.start().plus_seconds(i64::try_from(place).unwrap() * 5000 + i64::from(owner));
            events.push(UsageEvent {
                source: "/runners".into(),
                id: format!("{day}-{place}").into(),
                time: used_at,
                used_at,
                owner: AccountId(owner),
                repository: Some("web".into()),
                sku: sku.into(),
                quantity: Quantity::whole(quantity),
                username: None,
                workflow_path: None,
                model: None,
                visibility: if place == 3 { Visibility::Public } else { Visibility::Private },
                tokens: Tokens::default(),
                job: None,
            });
        }
        day = day.next();
    }
    events
}

fn lines(snapshot: &Snapshot) -> Vec<RatedLine> {
    let (first, last) = (Day::parse("2026-02-20").unwrap(), Day::parse("2026-04-12").unwrap());
    let of = |payer| snapshot.lines(AccountId(payer), first, last).unwrap().collect::<Result<Vec<_>, _>>().unwrap();
    [of(1), of(2)].concat()
}

/// The net amount of each month and organization, by the totals and by the lines, which must agree; and the lines.
fn net(snapshot: &Snapshot) -> (Vec<String>, Vec<RatedLine>) {
    let mut shown = Vec::new();
    let lines = lines(snapshot);
    for month in ["2026-02", "2026-03", "2026-04"].map(|month| Month::parse(month).unwrap()) {
        let all = snapshot.months(month).unwrap();
        for payer in [AccountId(1), AccountId(2)] {
            let rated = snapshot.month(payer, month).unwrap();
            assert_eq!(all[&payer], *rated, "one payer alone and all payers at once");
            let of_totals = rated.totals.iter().fold(Amount::ZERO, |sum, total| sum.plus(total.rated.net).unwrap());
            let of_lines = lines.iter().filter(|line| line.month() == month && line.key.payer == payer);
            let of_lines = of_lines.fold(Amount::ZERO, |sum, line| sum.plus(line.net().unwrap()).unwrap());
            assert_eq!(of_totals, of_lines, "{month}");
            shown.push(of_totals.to_string());
        }
    }
    (shown, lines)
}

#[test]
fn a_version_that_reaches_back_rates_usage_again_and_leaves_old_snapshots_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    create_accounts(&process);
    process.ledger.commit(usage(1)).unwrap();
    process.ledger.seal().unwrap();
    process.ledger.commit(usage(2)).unwrap();
    let before = process.ledger.mark().unwrap();
    let figures_before = net(&before);

    let supposed = accounts::foresee(before.facts(), &dearer(), now()).unwrap();
    let foreseen = before.with_facts(Arc::new(supposed));
    let figures_foreseen = net(&foreseen);
    assert!(net(&before) == figures_before, "to suppose changes nothing");
    assert_eq!(figures_foreseen.0[..2], figures_before.0[..2], "February is as it was");
    assert!(figures_foreseen.0[2..] != figures_before.0[2..]);

    accounts::apply(&process.facts, &dearer(), now()).unwrap();
    let check = |process: &Process, after: &str| {
        let live = process.ledger.snapshot().unwrap();
        assert!(net(&live) == figures_foreseen, "{after}: what was foreseen holds");
        let former = process.ledger.snapshot_at(before.sequence()).unwrap();
        assert!(net(&former) == figures_before, "{after}: the former snapshot");
    };
    check(&process, "the application");
    process.ledger.seal().unwrap();
    check(&process, "a seal");
    process.ledger.merge().unwrap();
    check(&process, "a merge");
    drop(process);
    check(&open(folder.path()), "a restart");
}

#[test]
fn the_price_book_in_force_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    create_accounts(&process);
    process.ledger.commit([usage(1), usage(2)].concat()).unwrap();
    process.ledger.seal().unwrap();
    let present = process.ledger.snapshot().unwrap();
    let supposed = present.with_facts(Arc::clone(present.facts()));
    assert!(net(&supposed) == net(&present));
}
