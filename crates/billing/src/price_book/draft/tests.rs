//! Drafts against the start book: what becomes of them, and every reason for a refusal.
//!
//! Reading drafts from TOML is tested in the program, storing versions in the store.

use super::*;
use crate::price_book::difference::{Item, differences};

fn draft(name: &str) -> PriceVersionDraft {
    PriceVersionDraft {
        name: name.into(),
        effective_from: Day::parse("2026-03-01").unwrap(),
        based_on: None,
        skus: Vec::new(),
        removed: Vec::new(),
        pools: Vec::new(),
        free_workflow_paths: None,
    }
}

fn sku(sku: &str, price: &str) -> SkuDraft {
    SkuDraft { sku: sku.into(), price: UnitPrice::parse(price).ok(), ..SkuDraft::default() }
}

fn pool(pool: &str) -> PoolDraft {
    PoolDraft { pool: pool.into(), ..PoolDraft::default() }
}

/// What a draft changes of the version that it is based on.
fn changes(book: &PriceBook, draft: &PriceVersionDraft) -> Vec<String> {
    let version = draft.complete(book).unwrap();
    let shown = |value: Option<String>| value.unwrap_or_else(|| "none".into());
    let found = differences(&draft.base(book).unwrap(), &version).into_iter().filter(|difference| difference.key != "effective_from");
    found
        .map(|difference| {
            let item = match &difference.item {
                Item::Version => "version",
                Item::Pool(name) | Item::Sku(name) => name,
            };
            format!("{item} {} {} → {}", difference.key, shown(difference.before.clone()), shown(difference.after.clone()))
        })
        .collect()
}

#[test]
fn a_known_sku_needs_only_what_changes() {
    let book = PriceBook::start();
    let march = PriceVersionDraft {
        skus: vec![
            SkuDraft {
                pool: Some(Some("actions_minutes".into())),
                free_in_public: Some(true),
                ..sku("actions_self_hosted_linux", "0.002")
            },
            SkuDraft { pool: Some(None), weight: Some(parse_weight("2.5").unwrap()), ..sku("actions_linux", "") },
            SkuDraft {
                product: Some("forge".into()),
                name: Some("Bare metal".into()),
                unit: Some(Unit::Hours),
                since: Some(Day::parse("2026-04-01").unwrap()),
                ..sku("bare_metal", "1.25")
            },
        ],
        removed: vec!["sandbox_linux".into()],
        pools: vec![
            PoolDraft { unit_price: Some(UnitPrice::parse("0.005").unwrap()), ..pool("actions_minutes") },
            PoolDraft { counts_money: Some(false), scope: Some(PoolScope::User), ..pool("bare_hours") },
        ],
        free_workflow_paths: Some(vec!["dynamic/".into()]),
        ..draft("march")
    };
    let removed = ["free_in_public false", "name Cloud sandbox compute", "pool sandbox", "price 0.000024"];
    let found = changes(&book, &march);
    for expected in [
        "version free_workflow_paths dynamic/pages/, dynamic/dependabot/ → dynamic/",
        "actions_minutes unit_price 0.006 → 0.005",
        "bare_hours counts none → quantity",
        "bare_hours scope none → user",
        "actions_linux pool actions_minutes → none",
        "actions_linux weight 1 → 2.5",
        "actions_self_hosted_linux price 0 → 0.002",
        "actions_self_hosted_linux pool none → actions_minutes",
        "actions_self_hosted_linux free_in_public false → true",
        "bare_metal name none → Bare metal",
        "bare_metal since none → 2026-04-01",
        "bare_metal price none → 1.25",
    ] {
        assert!(found.iter().any(|change| change == expected), "{expected}: {found:#?}");
    }
    for value in removed {
        assert!(found.contains(&format!("sandbox_linux {value} → none")), "{value}: {found:#?}");
    }
    assert!(!found.iter().any(|change| change.starts_with("actions_linux price")));
}

#[test]
fn a_draft_is_based_on_what_held_before_it_whatever_came_later() {
    let mut book = PriceBook::start();
    let march = PriceVersionDraft { skus: vec![sku("actions_linux", "0.004")], removed: vec!["sandbox_linux".into()], ..draft("march") };
    let first = march.complete(&book).unwrap();
    book.apply(first.clone());
    let april = PriceVersionDraft { skus: vec![sku("actions_macos", "0.05")], ..draft("april") };
    assert_eq!(changes(&book, &april), ["actions_macos price 0.062 → 0.05"]);
    let second = april.complete(&book).unwrap();
    assert_eq!(second.skus["actions_linux"].price.map(|price| price.to_string()).as_deref(), Some("0.004"), "it builds on march");
    book.apply(second);
    assert_eq!(march.complete(&book), Ok(first), "and march stays what it was");
    let old = PriceVersionDraft { based_on: Some("github-2025".into()), ..draft("old") };
    assert_eq!(old.complete(&book).unwrap().skus["actions_linux"].price.map(|price| price.to_string()).as_deref(), Some("0.008"));
}

#[test]
fn what_makes_no_sense_is_refused_by_name() {
    let with = |change: &dyn Fn(&mut PriceVersionDraft)| {
        let mut draft = draft("march");
        change(&mut draft);
        draft
    };
    type Change<'a> = &'a dyn Fn(&mut PriceVersionDraft);
    let table: [(Change<'_>, &str); 18] = [
        (&|draft| draft.name = "-march".into(), "name: `-march` cannot name a price version: use 1 to 100"),
        (&|draft| draft.based_on = Some("github-2027".into()), "based_on: price version `github-2027` is unknown"),
        (&|draft| draft.skus = vec![sku("Actions Linux", "1")], "sku[0].sku: `Actions Linux` cannot be a SKU"),
        (&|draft| draft.skus = vec![sku("actions_linux", "1"), sku("actions_linux", "2")], "sku[1].sku: `actions_linux` stands in two"),
        (
            &|draft| draft.skus = vec![sku("actions_linus", "1")],
            "sku[0].: SKU `actions_linus` is new in this version and needs a `product`",
        ),
        (
            &|draft| draft.skus = vec![SkuDraft { product: Some("x".into()), unit: Some(Unit::Hours), ..sku("x", "") }],
            "sku[0].: SKU `x` is new in this version and needs a `price`",
        ),
        (
            &|draft| draft.skus = vec![SkuDraft { product: Some("Big X".into()), ..sku("actions_linux", "") }],
            "sku[0].product: `Big X` cannot be a SKU, product or pool",
        ),
        (
            &|draft| draft.skus = vec![SkuDraft { name: Some("a\tb".into()), ..sku("actions_linux", "") }],
            "sku[0].name: is longer than 255 characters, empty, or holds control characters",
        ),
        (
            &|draft| draft.skus = vec![SkuDraft { pool: Some(Some("minutes".into())), ..sku("actions_linux", "") }],
            "sku[0].pool: pool `minutes` is unknown to this version",
        ),
        (&|draft| draft.removed = vec!["actions_linus".into()], "removed[0]: SKU `actions_linus` is not in the version"),
        (
            &|draft| {
                draft.removed = vec!["actions_linux".into()];
                draft.skus = vec![sku("actions_linux", "1")];
            },
            "sku[0].sku: SKU `actions_linux` is removed and written",
        ),
        (&|draft| draft.pools = vec![pool("Minutes")], "pools.Minutes: `Minutes` cannot be a SKU, product or pool"),
        (
            &|draft| draft.pools = vec![pool("actions_minuts")],
            "pools.actions_minuts: pool `actions_minuts` is new in this version and needs a",
        ),
        (
            &|draft| draft.pools = vec![PoolDraft { counts_money: Some(false), ..pool("own") }],
            "pools.own: pool `own` is new in this version and needs a `scope`",
        ),
        (
            &|draft| draft.pools = vec![PoolDraft { counts_money: Some(true), ..pool("packages_transfer") }],
            "pools.packages_transfer: a pool that counts money needs a `unit_price`",
        ),
        (
            &|draft| draft.pools = vec![PoolDraft { unit_price: UnitPrice::parse("1").ok(), ..pool("packages_transfer") }],
            "pools.packages_transfer: a pool that counts quantities has no `unit_price`",
        ),
        (&|draft| draft.free_workflow_paths = Some(vec!["a/".into(), String::new()]), "free_workflow_paths[1]: is longer than 255"),
        (
            &|draft| draft.free_workflow_paths = Some(vec!["a/".into(); 101]),
            "free_workflow_paths: a price version holds at most 100 free workflow paths",
        ),
    ];
    for (change, expected) in table {
        let refusals = with(change).complete(&PriceBook::start()).unwrap_err();
        let told: Vec<String> = refusals.iter().map(|refusal| format!("{}: {}", refusal.key, refusal.problem)).collect();
        assert!(told.len() == 1 && told[0].starts_with(expected), "{told:?}\n{expected}");
    }
}

#[test]
fn a_weight_has_two_decimals_at_most() {
    let table = [
        ("0", Ok("0")),
        ("0.25", Ok("0.25")),
        ("10", Ok("10")),
        ("1.50", Ok("1.5")),
        ("1000000", Ok("1000000")),
        ("1000000.01", Err(WeightError::OutOfRange)),
        ("-1", Err(WeightError::OutOfRange)),
        ("1e99", Err(WeightError::OutOfRange)),
        ("0.125", Err(WeightError::TooFine)),
        ("ten", Err(WeightError::Malformed)),
    ];
    for (text, expected) in table {
        assert_eq!(parse_weight(text).map(|weight| weight.to_string()), expected.map(str::to_owned), "{text}");
    }
}
