//! Exports that clients asked for: each must become whole, hold what was acknowledged before it was asked for and nothing that was
//! sent after, and stay the same bytes for ever.
//!
//! A request without an answer may have made an export that nobody knows of; `verify` looks at those too.

use crate::checker::shown;
use crate::dice::Dice;
use crate::failure::{Failure, Promise, ensure};
use crate::history::{Body, History, Told};
use crate::model;
use crate::server::{Api, PATIENCE, pause};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

const PATH: &str = "/enterprises/acme-corp/settings/billing/reports";
const LOOK: Duration = Duration::from_millis(10);

#[derive(Debug)]
struct Asked {
    /// What was known when it was asked for.
    before: Vec<Body>,
    /// The first number that was not yet taken when the answer came.
    after: u64,
    bytes: Option<String>,
}

/// The exports of a folder by id.
#[derive(Debug, Default)]
pub struct Exports {
    asked: Mutex<BTreeMap<String, Asked>>,
}

impl Exports {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Asked>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// Asks for a detailed report of this month; `false` when there was no answer.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn request(&self, api: &Api, history: &History, dice: &mut Dice) -> Result<bool, Failure> {
        pause(Duration::from_millis(dice.below(100)));
        let before = history.bodies();
        let Some((status, text)) = api.post(PATH, r#"{"report_type":"detailed","start_date":"2026-11-01"}"#) else { return Ok(false) };
        if status == 500 || status == 503 || status == 507 {
            history.note(&format!("export refused: {status} {text}"));
            return Ok(true);
        }
        let export = serde_json::from_str::<serde_json::Value>(&text).unwrap_or_default();
        let Some(id) = export["id"].as_str().filter(|_| status == 202) else {
            return Err(Failure::new(Promise::Behaves, format!("an export: {status} {text}")));
        };
        let after = history.bodies().last().map_or(0, |body| body.numbers.end);
        history.note(&format!("export {id}"));
        self.lock().insert(id.to_owned(), Asked { before, after, bytes: None });
        Ok(true)
    }

    /// Whether the first export is completed, as far as the server says.
    #[must_use]
    pub fn is_one_completed(&self, api: &Api) -> bool {
        let first = self.lock().keys().next().cloned();
        let answer = first.and_then(|id| api.get(&format!("{PATH}/{id}")));
        answer.is_none_or(|(_, text)| text.contains("\"completed\""))
    }

    /// Waits until every export is made and checks each.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn check(&self, api: &Api, history: &History) -> Result<(), Failure> {
        for (id, asked) in self.lock().iter_mut() {
            let csv = download(api, id)?;
            if let Some(bytes) = &asked.bytes {
                ensure(*bytes == csv, Promise::Exports, || format!("export {id} has changed"))?;
                continue;
            }
            let rows = model::parse_report(&csv).map_err(|what| Failure::new(Promise::Exports, format!("export {id}: {what}")))?;
            for body in &asked.before {
                let events = history.events(body.numbers.clone());
                for event in events.iter().filter(|event| event.month() == "2026-11") {
                    let least = i128::from(body.told == Told::Acknowledged);
                    let often = shown(&rows, event).unwrap_or(least);
                    let name = || format!("export {id} shows event {} {often} times, {:?} before", event.number, body.told);
                    ensure((least..=1).contains(&often), Promise::Exports, name)?;
                }
            }
            let counted: BTreeMap<_, _> = model::rows(history.events(0..asked.after).iter());
            let more = rows.iter().find(|(key, sums)| counted.get(*key).is_none_or(|most| sums.0 > most.0));
            ensure(more.is_none(), Promise::Exports, || format!("export {id} shows {more:?}, which was not sent then"))?;
            asked.bytes = Some(csv);
        }
        Ok(())
    }
}

/// The parts of an export, once it is completed, without the headers of all but the first.
fn download(api: &Api, id: &str) -> Result<String, Failure> {
    let mut waited = Duration::ZERO;
    loop {
        let export = api.json(&format!("{PATH}/{id}"))?;
        match export["status"].as_str() {
            Some("completed") => {
                let urls = export["download_urls"].as_array().cloned().unwrap_or_default();
                let mut csv = String::new();
                for url in urls.iter().filter_map(|url| url.as_str()) {
                    match api.get(url) {
                        Some((200, part)) => csv.push_str(&part),
                        other => return Err(Failure::new(Promise::Exports, format!("export {id}: {other:?}"))),
                    }
                }
                return Ok(csv);
            }
            Some("processing") if waited < PATIENCE => {
                pause(LOOK);
                waited += LOOK;
            }
            _ => return Err(Failure::new(Promise::Exports, format!("export {id} is {export} after {waited:?}"))),
        }
    }
}
