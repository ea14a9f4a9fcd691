//! Descriptions applied to real folders: what they print, and what the facts say afterwards.
//!
//! Reading the TOML file has its own tests in the program.

use super::*;
use crate::database::Database;
use billing::price_book::PoolScope;
use billing::price_book::draft::{PoolDraft, SkuDraft};
use billing::{AccountId, Day, Quantity, UnitPrice};
use std::sync::Arc;

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

fn now() -> UtcTime {
    time("2026-11-03T10:00:00Z")
}

/// A folder with one process on it.
struct Folder {
    folder: tempfile::TempDir,
    facts: FactsDatabase,
}

impl Folder {
    fn new() -> Folder {
        let folder = tempfile::tempdir().unwrap();
        let facts = FactsDatabase::open(Arc::new(Database::open(folder.path()).unwrap())).unwrap();
        Folder { folder, facts }
    }

    /// Applies twice: the second time nothing may change.
    fn apply(&self, file: &AccountsFile) -> Vec<String> {
        let changes = apply(&self.facts, file, now()).unwrap();
        let number = self.facts.current().unwrap().number;
        assert_eq!(apply(&self.facts, file, time("2026-11-04T00:00:00Z")).unwrap(), [], "the second run");
        assert_eq!(self.facts.current().unwrap().number, number);
        changes.iter().map(ToString::to_string).collect()
    }

    fn refusals(&self, file: &AccountsFile) -> Vec<String> {
        let number = self.facts.current().unwrap().number;
        let Err(ApplyError::Refused(refusals)) = apply(&self.facts, file, now()) else { panic!("it was applied") };
        assert_eq!(self.facts.current().unwrap().number, number, "nothing is changed");
        refusals.iter().map(|refusal| format!("{:?}.{}: {}", refusal.place.entry, refusal.place.key, refusal.problem)).collect()
    }

    fn id(&self, login: &str) -> Option<AccountId> {
        self.facts.current().unwrap().accounts.owner(login).map(|account| account.id)
    }
}

fn accounts(accounts: Vec<AccountEntry>) -> AccountsFile {
    AccountsFile { accounts, ..AccountsFile::default() }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(ToString::to_string).collect()
}

fn organization(login: &str) -> AccountEntry {
    AccountEntry::new(AccountKind::Organization, login)
}

fn renamed(kind: AccountKind, login: &str, previous: &[&str]) -> AccountEntry {
    AccountEntry { previous_logins: names(previous), ..AccountEntry::new(kind, login) }
}

fn acme() -> AccountsFile {
    let enterprise = AccountEntry { owners: Some(names(&["mona"])), ..AccountEntry::new(AccountKind::Enterprise, "acme-corp") };
    let acme = AccountEntry {
        plan: Some("own".into()),
        enterprise: Some(Some("ACME-corp".into())),
        members: Some(names(&["hubot", "mona", "hubot"])),
        ..organization("acme")
    };
    let mona =
        AccountEntry { email: Some("mona@example.com".into()), name: Some("Mona".into()), ..AccountEntry::new(AccountKind::User, "Mona") };
    let included = [("shared_storage".into(), Quantity::whole(25))].into_iter().collect();
    AccountsFile {
        accounts: vec![enterprise, acme, organization("globex"), mona],
        plans: vec![PlanEntry { name: "own".into(), included: Some(included), since: None }],
        seats: vec![SeatEntry {
            user: "robot".into(),
            organization: Some("acme".into()),
            plan: "copilot_business".into(),
            since: time("2026-11-01T00:00:00Z"),
            until: None,
        }],
        ..AccountsFile::default()
    }
}

#[test]
fn a_new_folder_gets_everything_and_users_that_are_only_mentioned() {
    let folder = Folder::new();
    let changes = folder.apply(&acme());
    assert_eq!(
        changes,
        [
            "+ plan `own` (included shared_storage 25)",
            "+ enterprise `acme-corp` (plan ghec; owners Mona)",
            "+ organization `acme` (plan own; enterprise acme-corp; members Mona, hubot)",
            "+ organization `globex` (plan free_org)",
            "+ user `Mona` (plan free_user; name Mona; email mona@example.com)",
            "+ user `hubot` (plan free_user)",
            "+ user `robot` (plan free_user)",
            "+ copilot_seat `robot` (plan copilot_business; organization acme; since 2026-11-01T00:00:00Z)",
        ]
    );
    let other = FactsDatabase::open(Arc::new(Database::open(folder.folder.path()).unwrap())).unwrap().current().unwrap();
    let long_ago = time("2001-01-01T00:00:00Z");
    let acme = other.accounts.owner("acme").unwrap();
    assert_eq!(acme.plan.at(long_ago).map(String::as_str), Some("own"), "first values hold from the beginning");
    assert_eq!(other.accounts.payer(acme.id, long_ago), other.accounts.enterprise("acme-corp").unwrap().id);
    assert_eq!(other.seats.iter().count(), 1);
}

#[test]
fn a_changed_value_holds_from_its_since_and_what_is_not_mentioned_stays() {
    let folder = Folder::new();
    folder.apply(&acme());
    let june = time("2026-06-01T00:00:00Z");
    let acme = AccountEntry {
        plan: Some("ghec".into()),
        members: Some(names(&["robot", "mona"])),
        enterprise: Some(None),
        ..organization("acme")
    };
    let globex = AccountEntry { enterprise: Some(Some("acme-corp".into())), since: Some(june), ..organization("globex") };
    let mut file = accounts(vec![acme, globex]);
    file.plans = vec![PlanEntry {
        name: "own".into(),
        included: Some([("ai_credits".into(), Quantity::whole(7))].into_iter().collect()),
        since: Some(june),
    }];
    file.seats = super::tests::acme().seats;
    file.seats[0].until = Some(time("2026-12-01T00:00:00Z"));
    assert_eq!(
        folder.apply(&file),
        [
            "~ plan `own`: included shared_storage 25 → ai_credits 7, since 2026-06-01T00:00:00Z",
            "~ organization `acme`: plan own → ghec, since 2026-11-03T10:00:00Z",
            "~ organization `acme`: enterprise acme-corp → none, since 2026-11-03T10:00:00Z",
            "~ organization `acme`: members + robot − hubot, since 2026-11-03T10:00:00Z",
            "~ organization `globex`: enterprise none → acme-corp, since 2026-06-01T00:00:00Z",
            "~ copilot_seat `robot`: until none → 2026-12-01T00:00:00Z",
        ]
    );
    let facts = folder.facts.current().unwrap();
    let (acme, globex) = (folder.id("acme").unwrap(), folder.id("globex").unwrap());
    let enterprise = facts.accounts.enterprise("acme-corp").map(|account| account.id);
    let table = [
        (acme, "2026-11-03T09:59:59Z", enterprise),
        (acme, "2026-11-03T10:00:00Z", None),
        (globex, "2026-05-31T23:59:59Z", None),
        (globex, "2026-06-01T00:00:00Z", enterprise),
    ];
    for (account, at, held) in table {
        assert_eq!(facts.accounts.enterprise_of(account, time(at)), held, "{account:?} {at}");
    }
    assert_eq!(facts.accounts.owner("mona").unwrap().email.as_deref(), Some("mona@example.com"));
    assert_eq!(folder.apply(&accounts(vec![organization("acme")])), names(&[]));
}

#[test]
fn a_value_from_an_earlier_instant_on_replaces_what_was_written_for_later_ones() {
    let folder = Folder::new();
    let plan = |plan: &str, since: Option<&str>| {
        accounts(vec![AccountEntry { plan: Some(plan.into()), since: since.map(time), ..organization("acme") }])
    };
    folder.apply(&plan("team", None));
    assert_eq!(
        folder.apply(&plan("ghec", Some("2027-01-01T00:00:00Z"))),
        ["~ organization `acme`: plan team → ghec, since 2027-01-01T00:00:00Z"]
    );
    assert_eq!(
        folder.apply(&plan("team", Some("2026-12-01T00:00:00Z"))),
        ["~ organization `acme`: plan team → team, since 2026-12-01T00:00:00Z"]
    );
    let facts = folder.facts.current().unwrap();
    assert_eq!(facts.accounts.owner("acme").unwrap().plan.at(time("2028-01-01T00:00:00Z")).map(String::as_str), Some("team"));
}

#[test]
fn an_account_keeps_its_id_through_renames() {
    use AccountKind::{Enterprise, Organization, User};
    let folder = Folder::new();
    let first = accounts(vec![
        organization("acme"),
        organization("globex"),
        AccountEntry::new(User, "mona"),
        AccountEntry::new(Enterprise, "corp"),
    ]);
    folder.apply(&first);
    let (acme, globex) = (folder.id("acme"), folder.id("globex"));
    // `acme` becomes `initech`, `globex` takes the name `acme`, a new organization takes `globex`.
    let file = accounts(vec![
        renamed(Organization, "initech", &["acme"]),
        renamed(Organization, "acme", &["globex"]),
        organization("globex"),
        renamed(User, "Mona", &["monalisa"]),
        renamed(Enterprise, "corporation", &["corp"]),
    ]);
    assert_eq!(
        folder.apply(&file),
        [
            "~ organization `initech`: login acme → initech",
            "~ organization `acme`: login globex → acme",
            "~ user `Mona`: login mona → Mona",
            "~ enterprise `corporation`: login corp → corporation",
            "+ organization `globex` (plan free_org)",
            "~ user `Mona`: previous_logins + monalisa",
        ]
    );
    assert_eq!((folder.id("initech"), folder.id("ACME")), (acme, globex));
    assert!(folder.id("globex").is_some_and(|new| Some(new) != globex && Some(new) != acme));
    assert_eq!(folder.id("monalisa"), folder.id("mona"));
    let facts = folder.facts.current().unwrap();
    assert_eq!(facts.accounts.enterprise("CORP").map(billing::Account::login), Some("corporation"));
    // And back to a name that it once had.
    assert_eq!(folder.apply(&accounts(vec![renamed(User, "monalisa", &["mona"])])), ["~ user `monalisa`: login Mona → monalisa"]);
    assert_eq!(folder.facts.current().unwrap().accounts.owner("mona").unwrap().logins, ["Mona", "monalisa"]);
}

#[test]
fn a_new_account_takes_its_former_logins_with_it() {
    let folder = Folder::new();
    let file = accounts(vec![renamed(AccountKind::Organization, "acme", &["acme-old", "acme"])]);
    assert_eq!(folder.apply(&file), ["+ organization `acme` (previous_logins acme-old; plan free_org)"]);
    assert_eq!(folder.id("ACME-OLD"), folder.id("acme"));
}

#[test]
fn names_that_mean_two_accounts_are_refused() {
    use AccountKind::{Organization, User};
    let folder = Folder::new();
    folder.apply(&accounts(vec![organization("acme"), organization("globex"), AccountEntry::new(User, "mona")]));
    folder.apply(&accounts(vec![renamed(Organization, "initech", &["acme"])]));
    let table: &[(Vec<AccountEntry>, &str)] = &[
        (vec![organization("acme")], "Account(0).login: `acme` is the former login of organization `initech`; write `initech` here"),
        (
            vec![renamed(Organization, "globex", &["initech"])],
            "Account(0).previous_logins[0]: `initech` belongs to organization `initech`; two",
        ),
        (vec![renamed(Organization, "globex", &["acme"])], "Account(0).previous_logins[0]: `acme` belongs to organization `initech`; two"),
        (vec![renamed(Organization, "hooli", &["mona"])], "Account(0).previous_logins[0]: `mona` belongs to user `mona`; two accounts"),
        (vec![AccountEntry::new(User, "Globex")], "Account(0).login: `Globex` is already an organization; choose another login"),
        (vec![organization("MONA")], "Account(0).login: `MONA` is already a user; choose another login"),
        (vec![organization("hooli"), AccountEntry::new(User, "Hooli")], "Account(1).login: `Hooli` stands in two entries"),
    ];
    for (entries, start) in table {
        let refusals = folder.refusals(&accounts(entries.clone()));
        assert!(refusals.len() == 1 && refusals[0].starts_with(start), "{refusals:?}");
    }
    // With the account that had the name before in the same file, it is clear that another one is meant.
    folder.apply(&accounts(vec![organization("acme"), renamed(Organization, "initech", &["acme"])]));
    assert_ne!(folder.id("acme"), folder.id("initech"));
}

#[test]
fn every_mistake_is_told_and_nothing_is_changed() {
    let folder = Folder::new();
    let mut file = acme();
    file.accounts[1].enterprise = Some(Some("acme-crop".into()));
    file.accounts[1].plan = Some("teem".into());
    file.accounts[1].owners = Some(names(&["globex", "mo na"]));
    file.accounts[3].email = Some("mona at example.com".into());
    file.accounts[3].name = Some("Mo\nna".into());
    file.accounts.push(organization("-acme"));
    file.accounts.push(organization(&"a".repeat(101)));
    let included = [("actions_minuets".into(), Quantity::whole(1))].into_iter().collect();
    file.plans.push(PlanEntry { name: "other".into(), included: Some(included), since: None });
    file.plans.push(PlanEntry { name: "other plan".into(), included: None, since: None });
    file.plans.push(PlanEntry { name: "own".into(), included: None, since: None });
    let seat = file.seats[0].clone();
    file.seats.push(seat.clone());
    file.seats.push(SeatEntry { organization: Some("mona".into()), ..seat.clone() });
    file.seats.push(SeatEntry {
        organization: Some("acne".into()),
        plan: "copilot".into(),
        user: "globex".into(),
        until: Some(seat.since),
        ..seat
    });
    let refusals = folder.refusals(&file);
    let starts = [
        "Plan(1).included.actions_minuets: pool `actions_minuets` is unknown to the price book",
        "Plan(2).name: `other plan` cannot name a plan",
        "Plan(3).name: `own` stands in two entries",
        "Account(4).login: `-acme` cannot be a login",
        "Account(5).login: `aaaa",
        "Account(1).owners[0]: `globex` is an organization, not a user",
        "Account(1).owners[1]: `mo na` cannot be a login",
        "Seat(3).user: `globex` is an organization, not a user",
        "Account(1).plan: plan `teem` is unknown",
        "Account(1).enterprise: enterprise `acme-crop` is unknown",
        "Account(3).name: is longer than 255 characters or holds control characters",
        "Account(3).email: `mona at example.com` is no mail address",
        "Seat(1).user: `robot` stands in two entries",
        "Seat(2).organization: `mona` is a user, not an organization",
        "Seat(3).plan: plan `copilot` is unknown",
        "Seat(3).until: the seat ends at 2026-11-01T00:00:00Z, not after its beginning at 2026-11-01T00:00:00Z",
        "Seat(3).organization: organization `acne` is unknown",
    ];
    assert_eq!(refusals.len(), starts.len(), "{refusals:#?}");
    for (refusal, start) in refusals.iter().zip(starts) {
        assert!(refusal.starts_with(start), "{refusal}\n{start}");
    }
    assert_eq!(folder.id("acme"), None);
}

#[test]
fn long_lists_of_names_are_counted() {
    let people: Vec<String> = (10..30).map(|number| format!("user-{number}")).collect();
    let folder = Folder::new();
    let changes = folder.apply(&accounts(vec![AccountEntry { members: Some(people), ..organization("acme") }]));
    assert_eq!(
        changes[0],
        "+ organization `acme` (plan free_org; members user-10, user-11, user-12, user-13, user-14, user-15, user-16, user-17, user-18, \
         user-19 and 10 more)"
    );
}

/// The fee on self-hosted minutes, from March on.
fn fee(name: &str, from: &str, price: &str) -> PriceVersionDraft {
    let sku = SkuDraft { sku: "actions_self_hosted_linux".into(), price: UnitPrice::parse_exact(price).ok(), ..SkuDraft::default() };
    PriceVersionDraft {
        name: name.into(),
        effective_from: Day::parse(from).unwrap(),
        based_on: None,
        skus: vec![sku],
        removed: Vec::new(),
        pools: Vec::new(),
        free_workflow_paths: None,
    }
}

fn versions(price_versions: Vec<PriceVersionDraft>) -> AccountsFile {
    AccountsFile { price_versions, ..AccountsFile::default() }
}

#[test]
fn price_versions_are_announced_with_what_they_touch_and_change_nothing_the_second_time() {
    let folder = Folder::new();
    let next_year = versions(vec![fee("next-year", "2027-01-01", "0.003")]);
    assert_eq!(
        folder.apply(&next_year),
        [
            "+ price_version `next-year` (effective_from 2027-01-01; based_on github-2026; changes actions_self_hosted_linux price 0 → 0.003)"
        ]
    );
    let fee_from_march = versions(vec![fee("fee", "2026-03-01", "0.002")]);
    assert_eq!(
        folder.apply(&fee_from_march),
        ["+ price_version `fee` (effective_from 2026-03-01; based_on github-2026; changes actions_self_hosted_linux price 0 → 0.002; \
          replaces next-year; reaches back 247 days: usage since 2026-03-01 is rated again)"]
    );
    let again = versions(vec![fee("fee-again", "2026-03-01", "0.002")]);
    assert!(folder.apply(&again)[0].contains("(effective_from 2026-03-01; based_on fee; changes nothing; replaces fee; "));
    assert_eq!(folder.apply(&next_year), Vec::<String>::new(), "whatever was applied since");
}

#[test]
fn a_price_version_is_never_edited() {
    let folder = Folder::new();
    folder.apply(&versions(vec![fee("fee", "2026-03-01", "0.002")]));
    assert_eq!(
        folder.refusals(&versions(vec![fee("fee", "2026-03-02", "0.004")])),
        ["PriceVersion(0).name: price version `fee` exists with other content (effective_from 2026-03-01 → 2026-03-02, \
          actions_self_hosted_linux price 0.002 → 0.004); a version is never edited: give this one a new name"]
    );
    let start = folder.refusals(&versions(vec![fee("github-2026", "2026-01-01", "0.002")]));
    assert!(start[0].starts_with("PriceVersion(0).name: price version `github-2026` exists with other content"), "{start:?}");
    assert_eq!(
        folder.refusals(&versions(vec![fee("twice", "2026-03-02", "0"), fee("twice", "2026-03-02", "0"), fee("-", "2026-03-02", "0")])),
        [
            "PriceVersion(1).name: `twice` stands in two entries; write one entry for it",
            "PriceVersion(2).name: `-` cannot name a price version: use 1 to 100 letters, digits, `-`, `_` and `.`, the first a letter or digit",
        ]
    );
}

#[test]
fn a_plan_can_include_a_pool_of_a_version_of_the_same_file_and_what_is_foreseen_is_not_stored() {
    let folder = Folder::new();
    let pool = PoolDraft { pool: "bare_hours".into(), counts_money: Some(false), scope: Some(PoolScope::Payer), unit_price: None };
    let version = PriceVersionDraft { pools: vec![pool], ..fee("own", "2026-03-01", "0.002") };
    let included = [("bare_hours".into(), Quantity::whole(25))].into_iter().collect();
    let file =
        AccountsFile { plans: vec![PlanEntry { name: "own".into(), included: Some(included), since: None }], ..versions(vec![version]) };
    let present = folder.facts.current().unwrap();
    let foreseen = foresee(&present, &file, now()).unwrap();
    assert_eq!(foreseen.price_book.in_force(now().day()).name, "own");
    assert_eq!(folder.facts.current().unwrap().number, present.number);
    assert_eq!(folder.apply(&file).len(), 2);
}
