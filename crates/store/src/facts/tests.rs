//! Facts on the real file system: two [`FactsDatabase`]s on one folder stand for two processes.
//!
//! What an accounts file makes of its entries is tested with [`crate::accounts`].

use super::*;
use billing::account::AccountKind;
use billing::allowance::Seat;
use billing::price_book::{PoolScope, PriceVersion};
use billing::{AccountId, Quantity};
use std::path::Path;

/// One process on a folder.
fn open(folder: &Path) -> FactsDatabase {
    FactsDatabase::open(Arc::new(Database::open(folder).unwrap())).unwrap()
}

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

fn now() -> UtcTime {
    time("2026-11-03T10:00:00Z")
}

fn fact(account: u32, since: Option<&str>, body: FactBody) -> NewFact {
    NewFact { account: Some(AccountId(account)), effective_from: since.map(time), body }
}

fn created(account: u32, kind: AccountKind, login: &str) -> NewFact {
    fact(account, None, FactBody::Created { kind, login: login.into() })
}

fn append(facts: &FactsDatabase, new: Vec<NewFact>) -> FactNumber {
    facts.append(now(), |_| Ok::<_, StoreError>((new, ()))).unwrap();
    facts.current().unwrap().number
}

/// The prices of 2026 with one other price and one other pool.
fn price_version(name: &str, from: &str, price: &str) -> NewFact {
    let mut version = Facts::start().price_book.versions()[1].clone();
    version.skus.get_mut("actions_linux").unwrap().price = Some(billing::UnitPrice::parse_exact(price).unwrap());
    version.pools.get_mut("lfs_bandwidth").unwrap().scope = PoolScope::User;
    let version = PriceVersion { name: name.into(), effective_from: Day::parse(from).unwrap(), ..version };
    NewFact { account: None, effective_from: Some(version.effective_from.start()), body: FactBody::PriceVersion(Box::new(version)) }
}

fn enterprise_with_one_organization() -> Vec<NewFact> {
    vec![
        created(1, AccountKind::Enterprise, "acme-corp"),
        created(2, AccountKind::Organization, "Acme"),
        fact(2, None, FactBody::Plan("team".into())),
        fact(2, None, FactBody::Enterprise(None)),
        created(3, AccountKind::User, "mona"),
    ]
}

#[test]
fn what_one_process_appends_the_other_sees_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(folder.path()), open(folder.path()));
    assert_eq!(append(&one, enterprise_with_one_organization()), FactNumber(5));
    let seen = other.current().unwrap();
    assert_eq!(seen.accounts.owner("ACME").map(|account| account.id), Some(AccountId(2)));
    assert_eq!(append(&other, vec![fact(3, None, FactBody::Name(Some("Mona Lisa".into())))]), FactNumber(6));
    assert_eq!(one.current().unwrap().accounts.owner("mona").unwrap().name.as_deref(), Some("Mona Lisa"));
    assert!(Arc::ptr_eq(&other.current().unwrap(), &other.current().unwrap()), "without a commit nothing is read again");
}

#[test]
fn every_kind_of_fact_is_the_same_after_it_was_stored() {
    let folder = tempfile::tempdir().unwrap();
    let seat = Seat {
        user: AccountId(3),
        organization: AccountId(2),
        plan: "own".into(),
        since: now(),
        until: Some(time("2027-01-01T00:00:00Z")),
    };
    let included = [("actions_minutes".into(), Quantity::parse("0.123456789").unwrap())].into_iter().collect();
    let since = Some("2026-12-01T00:00:00Z");
    let mut new = enterprise_with_one_organization();
    new.extend([
        NewFact { account: None, effective_from: None, body: FactBody::Included { plan: "own".into(), included } },
        NewFact { account: None, effective_from: None, body: FactBody::Seat(seat.clone()) },
        fact(2, since, FactBody::Plan("own".into())),
        fact(2, since, FactBody::Enterprise(Some(AccountId(1)))),
        fact(2, None, FactBody::FormerLogin("acme-old".into())),
        fact(2, None, FactBody::Login("acme-new".into())),
        fact(2, None, FactBody::Owners(vec![AccountId(3)])),
        fact(1, None, FactBody::BillingManagers(vec![AccountId(3)])),
        fact(2, None, FactBody::Members(vec![])),
        fact(3, None, FactBody::Email(Some("mona@example.com".into()))),
    ]);
    append(&open(folder.path()), new);
    let facts = open(folder.path()).current().unwrap();
    let acme = facts.accounts.owner("acme").unwrap();
    assert_eq!(acme.logins, ["acme-old", "Acme", "acme-new"]);
    assert_eq!((acme.plan.at(now()).unwrap().as_str(), acme.plan.at(time("2026-12-01T00:00:00Z")).unwrap().as_str()), ("team", "own"));
    assert_eq!(facts.accounts.payer(acme.id, time("2026-12-01T00:00:00Z")), AccountId(1));
    assert_eq!(facts.plans.included("own", "actions_minutes", now()).to_string(), "0.123456789");
    assert_eq!(facts.seats.iter().collect::<Vec<_>>(), [&seat]);
    assert_eq!((acme.owners.at(now()), acme.members.at(now())), (Some(&vec![AccountId(3)]), Some(&vec![])));
    assert_eq!(facts.accounts.enterprise("ACME-corp").unwrap().billing_managers.at(now()), Some(&vec![AccountId(3)]));
    assert_eq!(facts.accounts.owner("mona").unwrap().email.as_deref(), Some("mona@example.com"));
}

#[test]
fn a_number_names_the_same_state_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let facts = open(folder.path());
    append(&facts, enterprise_with_one_organization());
    let states: Vec<Arc<Facts>> = (0..20)
        .map(|step| {
            append(&facts, vec![fact(2, None, FactBody::Login(format!("acme-{step}")))]);
            facts.current().unwrap()
        })
        .collect();
    let fresh = open(folder.path());
    // Twice and backwards, so that states are dropped and replayed.
    for state in states.iter().chain(states.iter().rev()) {
        let former = fresh.as_of(state.number).unwrap();
        assert_eq!(format!("{former:?}"), format!("{state:?}"));
    }
    assert_eq!(fresh.as_of(FactNumber(0)).unwrap().accounts.iter().count(), 0);
    assert!(fresh.state.lock().unwrap().former.len() <= FORMER_STATES_MAX);
    let beyond = fresh.as_of(FactNumber(26)).unwrap_err();
    assert!(beyond.to_string().contains("ends at fact 25"), "{beyond}");
}

#[test]
fn memberships_touch_from_their_day_names_everything_and_the_rest_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let facts = open(folder.path());
    let start = append(&facts, enterprise_with_one_organization());
    assert_eq!(facts.first_day_touched(FactNumber(0), start).unwrap(), None, "what is new has no lines yet");

    let plan = append(&facts, vec![fact(2, Some("2026-01-05T00:00:00Z"), FactBody::Plan("ghec".into()))]);
    let joined = append(&facts, vec![fact(2, Some("2026-02-28T23:59:59Z"), FactBody::Enterprise(Some(AccountId(1))))]);
    let left = append(&facts, vec![fact(2, Some("2026-03-05T00:00:00Z"), FactBody::Enterprise(None))]);
    let renamed = append(&facts, vec![fact(2, None, FactBody::Login("acme-new".into()))]);
    let created_again = append(&facts, vec![created(4, AccountKind::User, "Acme")]);
    let day = |text: &str| Some(Day::parse(text).unwrap());
    let table = [
        (start, start, None),
        (start, plan, None),
        (plan, joined, day("2026-02-28")),
        (joined, left, day("2026-03-05")),
        (plan, left, day("2026-02-28")),
        (left, plan, day("2026-02-28")),
        (left, renamed, Some(Day::BEGINNING)),
        (renamed, created_again, Some(Day::BEGINNING)),
    ];
    for process in [facts, open(folder.path())] {
        for (one, other, touched) in table {
            assert_eq!(process.first_day_touched(one, other).unwrap(), touched, "{one:?} {other:?}");
        }
    }
}

#[test]
fn a_price_version_is_the_same_after_it_was_stored_and_touches_from_its_first_day() {
    let folder = tempfile::tempdir().unwrap();
    let facts = open(folder.path());
    let start = append(&facts, enterprise_with_one_organization());
    let march = append(&facts, vec![price_version("march", "2026-03-01", "0.000000000001")]);
    let february = append(&facts, vec![price_version("february", "2026-02-14", "999999.999999999999")]);
    let FactBody::PriceVersion(written) = price_version("march", "2026-03-01", "0.000000000001").body else { panic!("a price version") };
    let day = |text: &str| Day::parse(text).unwrap();
    for process in [facts, open(folder.path())] {
        let book = &process.current().unwrap().price_book;
        assert_eq!(book.named("march"), Some(&PriceVersion { number: 3, ..(*written).clone() }));
        assert_eq!((book.in_force(day("2026-02-13")).number, book.in_force(day("2026-03-01")).number), (2, 4));
        assert_eq!(process.as_of(march).unwrap().price_book.in_force(day("2026-03-01")).name, "march");
        assert_eq!(process.as_of(start).unwrap().price_book, Facts::start().price_book);
        assert_eq!(process.first_day_touched(start, march).unwrap(), Some(day("2026-03-01")));
        assert_eq!(process.first_day_touched(february, march).unwrap(), Some(day("2026-02-14")));
        assert_eq!(process.first_day_touched(start, february).unwrap(), Some(day("2026-02-14")));
    }
}

#[test]
fn the_body_of_a_price_version_is_read_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let facts = open(folder.path());
    let body = r#"{"name":"own","effective_from":"2026-03-01","skus":[
        {"sku":"own_hours","product":"own","name":"Own hours","unit":"hours","price":"0.125","since":"2026-04-01",
         "pool":"own","weight":"2.5","free_in_public":true,"standard_runner":false},
        {"sku":"other","product":"own","name":"Other","unit":"minutes","price":null,"since":null,
         "pool":null,"weight":"1","free_in_public":false,"standard_runner":true}],
        "pools":{"own":{"counts":"money","unit_price":"0.1","scope":"licences"},
                 "free":{"counts":"quantity","unit_price":null,"scope":"repository_hour"}},
        "free_workflow_paths":["dynamic/"]}"#;
    let connection = rusqlite::Connection::open(folder.path().join("facts.db")).unwrap();
    let insert = |body: &str| {
        connection.execute("INSERT INTO fact (kind, recorded_at, body) VALUES ('price_version', 0, ?1)", [body]).unwrap();
    };
    insert(body);
    let version = facts.current().unwrap().price_book.named("own").unwrap().clone();
    let (own, other) = (&version.skus["own_hours"], &version.skus["other"]);
    assert_eq!(own.price.map(|price| price.to_string()).as_deref(), Some("0.125"));
    assert_eq!((own.since, own.weight.to_string().as_str(), own.pool.as_deref()), (Day::parse("2026-04-01").ok(), "2.5", Some("own")));
    assert_eq!((other.price, other.since, other.pool.as_deref(), other.standard_runner), (None, None, None, true));
    assert_eq!(version.pools["own"].scope, PoolScope::Licences);
    for (right, wrong, told) in [
        ("hours\",\"price", "fortnights\",\"price", "SKU `own_hours`: unit `fortnights` is unknown to this program"),
        ("\"money\"", "\"quantity\"", "pool `own`: it cannot count `quantity`"),
        ("0.125", "-1", "price `-1` is negative"),
    ] {
        connection.execute_batch("DROP TRIGGER IF EXISTS fact_is_never_deleted; DELETE FROM fact").unwrap();
        insert(&body.replacen(right, wrong, 1));
        let database = Arc::new(Database::open(folder.path()).unwrap());
        let error = FactsDatabase::open(database).unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}

#[test]
fn a_former_state_leads_to_a_later_one_that_knows_its_accounts() {
    let folder = tempfile::tempdir().unwrap();
    let facts = open(folder.path());
    let start = append(&facts, enterprise_with_one_organization());
    let joined = append(&facts, vec![fact(2, Some("2026-02-01T00:00:00Z"), FactBody::Enterprise(Some(AccountId(1))))]);
    append(&facts, vec![fact(3, None, FactBody::Name(None))]);
    let fresh = open(folder.path());
    fresh.as_of(start).unwrap();
    assert_eq!(fresh.as_of(joined).unwrap().accounts.payer(AccountId(2), time("2026-03-01T00:00:00Z")), AccountId(1));
}

#[test]
fn a_process_that_dies_in_a_transaction_leaves_nothing_and_blocks_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let survivor = open(folder.path());
    append(&survivor, enterprise_with_one_organization());
    {
        let dying = rusqlite::Connection::open(folder.path().join("facts.db")).unwrap();
        dying.execute_batch("BEGIN IMMEDIATE").unwrap();
        body::insert(&dying, &fact(2, None, FactBody::Plan("ghec".into())), now()).unwrap();
    }
    assert_eq!(survivor.current().unwrap().number, FactNumber(5));
    assert_eq!(append(&survivor, vec![fact(2, None, FactBody::Name(None))]), FactNumber(6));
}

#[test]
fn a_refusal_appends_nothing_and_sees_what_others_wrote() {
    let folder = tempfile::tempdir().unwrap();
    let (one, other) = (open(folder.path()), open(folder.path()));
    append(&other, enterprise_with_one_organization());
    let refused = one.append(now(), |facts| {
        assert_eq!(facts.number, FactNumber(5));
        Err::<(Vec<NewFact>, ()), _>(StoreError::Busy)
    });
    assert!(matches!(refused, Err(StoreError::Busy)));
    assert_eq!(other.current().unwrap().number, FactNumber(5));
}

#[test]
fn facts_cannot_be_edited_and_what_is_damaged_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let facts = open(folder.path());
    append(&facts, enterprise_with_one_organization());
    let connection = rusqlite::Connection::open(folder.path().join("facts.db")).unwrap();
    for edit in ["UPDATE fact SET body = '{}'", "DELETE FROM fact"] {
        assert!(connection.execute_batch(edit).unwrap_err().to_string().contains("a fact is never"));
    }
    let insert = |kind: &str, account: u32, body: &str| {
        let sql = "INSERT INTO fact (kind, account, recorded_at, body) VALUES (?1, ?2, 0, ?3)";
        connection.execute(sql, (kind, account, body)).unwrap();
    };
    insert("horoscope", 2, "null");
    assert!(facts.current().unwrap_err().to_string().contains("fact 6: its kind `horoscope` is unknown"));
    assert!(facts.current().is_err(), "it stays an error");
    for (kind, account, body, what) in [("plan", 2, "{}", "expected a string"), ("plan", 99, "\"team\"", "no fact before it created")] {
        connection.execute_batch("DROP TRIGGER IF EXISTS fact_is_never_deleted; DELETE FROM fact WHERE number > 5").unwrap();
        insert(kind, account, body);
        let error = facts.current().unwrap_err().to_string();
        assert!(error.contains("fact 6") && error.contains(what), "{error}");
    }
}
