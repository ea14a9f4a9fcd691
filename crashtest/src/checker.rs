//! The checks after a crash: what was told against what is there.
//!
//! First what the folder shows as it is; then every body without an answer is sent again, which settles it; then everything that can
//! be read must be what the model makes of the acknowledged events. Start at [`check`].

use crate::failure::{Failure, Promise, ensure};
use crate::history::{Body, History, Told};
use crate::model::{self, RowKey, Sums};
use crate::server::{Api, Program};
use crate::world::{Event, OWNERS, SKUS, UNRATED};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Checks a served folder after a crash, and settles what nobody knew.
///
/// # Errors
/// The first promise that is broken.
pub fn check(program: &Program, data: &Path, api: &Api, history: &History) -> Result<(), Failure> {
    let found = report(program, data)?;
    presence(&found, &history.bodies(), history)?;
    settle(api, history, &found)?;
    settled(program, data, api, history)
}

/// Checks a served folder of which everything is known.
///
/// # Errors
/// The first promise that is broken.
pub fn settled(program: &Program, data: &Path, api: &Api, history: &History) -> Result<(), Failure> {
    let events = history.counted();
    let (found, expected) = (report(program, data)?, model::rows(events.iter()));
    same_rows(&found, &expected)?;
    for (path, expected) in model::summaries(&events) {
        let found = api.json(&path)?;
        ensure(found == expected, Promise::Endpoints, || format!("{path} shows {found} instead of {expected}"))?;
    }
    let unrated = api.json("/v1/unrated?per_page=1000")?;
    let (found, expected) = (unrated["unrated"].as_array().map_or(0, Vec::len), model::unrated(&events));
    ensure(found == expected.min(1000), Promise::Endpoints, || format!("{found} events are unrated instead of {expected}"))
}

fn report(program: &Program, data: &Path) -> Result<BTreeMap<RowKey, Sums>, Failure> {
    model::parse_report(&program.report(data)?).map_err(|what| Failure::new(Promise::Endpoints, what))
}

fn same_rows(found: &BTreeMap<RowKey, Sums>, expected: &BTreeMap<RowKey, Sums>) -> Result<(), Failure> {
    for (key, sums) in expected {
        let there = found.get(key);
        ensure(there == Some(sums), promise_of(there, *sums), || format!("the row {key:?} has {there:?} instead of {sums:?}"))?;
    }
    let more = found.keys().find(|key| !expected.contains_key(*key));
    ensure(more.is_none(), Promise::NothingElse, || format!("the row {more:?} is of no event"))
}

fn promise_of(found: Option<&Sums>, expected: Sums) -> Promise {
    match found {
        None => Promise::Acknowledged,
        Some(found) if found.0 < expected.0 => Promise::Acknowledged,
        Some(found) if found.0 > expected.0 => Promise::CountedOnce,
        Some(_) => Promise::Endpoints,
    }
}

/// Whether a report shows an event, and how often. `None` for events that share a row, or have none.
#[must_use]
pub fn shown(rows: &BTreeMap<RowKey, Sums>, event: &Event) -> Option<i128> {
    let has_row = event.workflow != "ci.yml" && event.owner != OWNERS[2] && SKUS[event.sku].name != UNRATED;
    has_row.then(|| rows.get(&model::row_key(event)).map_or(0, |sums| sums.0 / event.quantity))
}

/// What must be and may be in a report, before anything is settled.
///
/// # Errors
/// The first promise that is broken.
pub fn presence(rows: &BTreeMap<RowKey, Sums>, bodies: &[Body], history: &History) -> Result<(), Failure> {
    let mut known = BTreeSet::new();
    for body in bodies {
        let events = history.events(body.numbers.clone());
        let counts: BTreeSet<i128> = events.iter().filter_map(|event| shown(rows, event)).collect();
        let name = || format!("the body of events {:?}, {:?}", body.numbers, body.told);
        let often = counts.iter().copied().max().unwrap_or(0);
        ensure(often <= 1, Promise::CountedOnce, || format!("{} is counted {often} times", name()))?;
        match body.told {
            Told::Acknowledged => {
                let lost = events.iter().find(|event| shown(rows, event) == Some(0));
                ensure(lost.is_none(), Promise::Acknowledged, || format!("{} is lost: {lost:?}", name()))?;
            }
            Told::Refused => ensure(!counts.contains(&1), Promise::NothingElse, || format!("{} is counted", name()))?,
            Told::Unknown => ensure(counts.len() <= 1, Promise::WholeBodies, || format!("{} is there in part", name()))?,
        }
        known.extend(events.iter().map(model::row_key));
    }
    let phantom = rows.keys().find(|key| !known.contains(*key));
    ensure(phantom.is_none(), Promise::NothingElse, || format!("the row {phantom:?} is of no event that was sent"))
}

/// The four counts of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counts {
    pub accepted: u64,
    pub duplicate: u64,
    pub conflict: u64,
    pub rejected: u64,
}

impl Counts {
    #[must_use]
    pub fn of(body: &str) -> Option<Counts> {
        let Ok(answer) = serde_json::from_str::<serde_json::Value>(body) else { return None };
        let count = |name: &str| answer[name].as_u64();
        Some(Counts {
            accepted: count("accepted")?,
            duplicate: count("duplicate")?,
            conflict: count("conflict")?,
            rejected: count("rejected")?,
        })
    }

    /// Whether all events of a body were told the same.
    #[must_use]
    pub fn all(accepted: u64, duplicate: u64, conflict: u64) -> Counts {
        Counts { accepted, duplicate, conflict, rejected: 0 }
    }
}

/// Sends again what was not answered or was refused: each body is wholly new or wholly there, and its verdicts agree with the report.
fn settle(api: &Api, history: &History, rows: &BTreeMap<RowKey, Sums>) -> Result<(), Failure> {
    for body in history.bodies().into_iter().filter(|body| body.told != Told::Acknowledged) {
        let numbers = body.numbers.clone();
        let size = numbers.end - numbers.start;
        let Some((status, text)) = api.post("/v1/usage", &history.body(numbers.clone(), 0)) else {
            return Err(Failure::new(Promise::Behaves, format!("no answer to events {numbers:?}, sent again")));
        };
        let counts = Counts::of(&text).filter(|_| status == 200);
        let name = || format!("events {numbers:?}, {:?} before and sent again: {status} {text}", body.told);
        let Some(counts) = counts else { return Err(Failure::new(Promise::Behaves, name())) };
        let (new, there) = (Counts::all(size, 0, 0), Counts::all(0, size, 0));
        ensure(counts == new || counts == there, Promise::WholeBodies, name)?;
        ensure(body.told != Told::Refused || counts == new, Promise::NothingElse, name)?;
        let seen = history.events(numbers.clone()).iter().find_map(|event| shown(rows, event));
        ensure(seen.is_none_or(|seen| (seen == 1) == (counts == there)), Promise::Verdicts, || format!("{}; shown: {seen:?}", name()))?;
        history.tell(numbers.start, Told::Acknowledged);
    }
    Ok(())
}
