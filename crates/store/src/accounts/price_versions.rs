//! Price versions of a description: new ones become facts, known ones must be what they are.
//!
//! What a draft means is left to `billing`. A version is never edited: the same name with other content is refused, because amounts
//! that were made with it must stay explainable.

use super::change::{Change, What, shortened};
use super::draft::Draft;
use super::refusal::{Entry, Place, Problem};
use crate::StoreError;
use crate::facts::FactBody;
use billing::price_book::difference::{Difference, Item, differences};
use billing::price_book::draft::PriceVersionDraft;
use billing::price_book::{PriceBook, PriceVersion};
use std::collections::BTreeMap;

/// Differences that a refusal shows.
const DIFFERENCES_SHOWN_MAX: usize = 3;

pub(super) fn write_price_versions(draft: &mut Draft, entries: &[PriceVersionDraft]) -> Result<(), StoreError> {
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (place, entry) in entries.iter().enumerate() {
        if let Some(earlier) = first.insert(&entry.name, place) {
            let first = Place { entry: Entry::PriceVersion(earlier), key: "name".to_owned() };
            draft.refuse(Entry::PriceVersion(place), "name", Problem::Twice { name: entry.name.clone(), first });
        } else {
            write_price_version(draft, place, entry)?;
        }
    }
    Ok(())
}

fn write_price_version(draft: &mut Draft, place: usize, entry: &PriceVersionDraft) -> Result<(), StoreError> {
    let book = &draft.facts.price_book;
    let version = match entry.complete(book) {
        Ok(version) => version,
        Err(refusals) => {
            for refusal in refusals {
                draft.refuse(Entry::PriceVersion(place), refusal.key, Problem::Price(refusal.problem));
            }
            return Ok(());
        }
    };
    if let Some(known) = book.named(&entry.name) {
        if (PriceVersion { number: known.number, ..version.clone() }) != *known {
            let found: Vec<String> = differences(known, &version).iter().take(DIFFERENCES_SHOWN_MAX).map(shown).collect();
            let problem = Problem::OtherContent { name: entry.name.clone(), differences: found };
            draft.refuse(Entry::PriceVersion(place), "name", problem);
        }
        return Ok(());
    }
    let values = told(draft, entry, &version);
    draft.changes.push(Change { kind: "price_version", name: version.name.clone(), what: What::Created(values) });
    let effective_from = version.effective_from.start();
    draft.write(None, Some(effective_from), FactBody::PriceVersion(Box::new(version)))
}

/// What a new version changes, and what it touches of the past.
fn told(draft: &Draft, entry: &PriceVersionDraft, version: &PriceVersion) -> Vec<(&'static str, String)> {
    let mut values = vec![("effective_from", version.effective_from.to_string())];
    if let Ok(base) = entry.base(&draft.facts.price_book) {
        let changes = differences(&base, version).into_iter().filter(|difference| difference.key != "effective_from");
        let changes: Vec<String> = changes.map(|difference| shown(&difference)).collect();
        values.push(("based_on", base.name));
        let nothing = || "nothing".to_owned();
        values.push(("changes", if changes.is_empty() { nothing() } else { shortened(&changes) }));
    }
    let replaced = replaced(&draft.facts.price_book, version);
    if !replaced.is_empty() {
        values.push(("replaces", shortened(&replaced)));
    }
    let days_back = version.effective_from.days_through(draft.now.day());
    if days_back > 1 {
        values.push(("reaches back", format!("{} days: usage since {} is rated again", days_back - 1, version.effective_from)));
    }
    values
}

/// The versions that hold on some day and hold on no day any more: the last applied wins, also over those with a later first day.
fn replaced(book: &PriceBook, version: &PriceVersion) -> Vec<String> {
    let mut after = book.clone();
    after.apply(version.clone());
    let holds = |book: &PriceBook, number: u32| book.versions().iter().any(|other| book.in_force(other.effective_from).number == number);
    let gone = book.versions().iter().filter(|old| holds(book, old.number) && !holds(&after, old.number));
    gone.map(|version| version.name.clone()).collect()
}

fn shown(difference: &Difference) -> String {
    let value = |value: &Option<String>| value.clone().unwrap_or_else(|| "none".to_owned());
    let change = format!("{} {} → {}", difference.key, value(&difference.before), value(&difference.after));
    match &difference.item {
        Item::Version => change,
        Item::Pool(name) => format!("pool {name} {change}"),
        Item::Sku(name) => format!("{name} {change}"),
    }
}
