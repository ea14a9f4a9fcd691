//! The answers about usage: counts, a verdict for each event, and usage without a price.
//!
//! Exact decimals go out as JSON numbers, written from their text. What a verdict means is left to the ledger.

use crate::sources::cloud_events::Rejection;
use billing::{Facts, Name, Quantity};
use serde::Serialize;
use serde_json::value::RawValue;
use store::ledger::{Committed, Sequence, UnratedUsage, Verdict};

/// What is known about an event of a body once the events that can be counted went to the ledger.
#[derive(Debug)]
pub(super) struct Sent {
    pub(super) line: usize,
    pub(super) id: Option<Name>,
    /// Why it was refused at the door; none when the ledger decides.
    pub(super) rejection: Option<Rejection>,
    /// The field that says when it was used.
    pub(super) time_field: &'static str,
}

/// Which events an answer lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Listed {
    NotAccepted,
    All,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer<'a> {
    accepted: usize,
    duplicate: usize,
    conflict: usize,
    rejected: usize,
    sequence: String,
    events: Vec<EventAnswer<'a>>,
}

#[derive(Debug, Serialize)]
struct EventAnswer<'a> {
    line: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

impl<'a> Answer<'a> {
    /// Joins the ledger's verdicts, which are in the order of the events that it was given, with what was refused at the door.
    pub(super) fn new(sent: &'a [Sent], committed: &Committed, listed: Listed) -> Answer<'a> {
        let mut answer =
            Answer { accepted: 0, duplicate: 0, conflict: 0, rejected: 0, sequence: committed.sequence.to_string(), events: Vec::new() };
        let mut verdicts = committed.verdicts.iter();
        for event in sent {
            match &event.rejection {
                Some(rejection) => answer.reject(event, rejection.field, rejection.reason.clone()),
                None => answer.count(event, *verdicts.next().expect("the ledger answers each event"), listed),
            }
        }
        assert!(verdicts.next().is_none(), "the ledger answers each event once");
        answer
    }

    fn count(&mut self, event: &'a Sent, verdict: Verdict, listed: Listed) {
        match verdict {
            Verdict::Accepted => {
                self.accepted += 1;
                if listed == Listed::All {
                    self.list(event, "accepted", None, None);
                }
            }
            Verdict::Duplicate => {
                self.duplicate += 1;
                self.list(event, "duplicate", None, None);
            }
            Verdict::Conflict { field } => {
                self.conflict += 1;
                let reason = "an event with this source and id is stored with another value here; the first stored holds";
                self.list(event, "conflict", Some(field), Some(reason.to_owned()));
            }
            Verdict::TooFarInFuture => self.reject(event, event.time_field, "is more than 24 hours ahead of the server's clock".to_owned()),
        }
    }

    fn reject(&mut self, event: &'a Sent, field: &'static str, reason: String) {
        self.rejected += 1;
        self.list(event, "rejected", Some(field), Some(reason));
    }

    fn list(&mut self, event: &'a Sent, verdict: &'static str, field: Option<&'static str>, reason: Option<String>) {
        self.events.push(EventAnswer { line: event.line, id: event.id.as_deref(), verdict, field, reason });
    }
}

#[derive(Debug, Serialize)]
pub(super) struct UnratedAnswer<'a> {
    unrated: Vec<UnratedEvent<'a>>,
}

#[derive(Debug, Serialize)]
struct UnratedEvent<'a> {
    sequence: String,
    time: String,
    owner: &'a str,
    repository: Option<&'a str>,
    source: &'a str,
    id: &'a str,
    sku: &'a str,
    quantity: Box<RawValue>,
    reason: String,
}

impl<'a> UnratedAnswer<'a> {
    pub(super) fn new(usage: &'a [UnratedUsage], facts: &'a Facts, epoch: u32) -> UnratedAnswer<'a> {
        let unrated = usage.iter().map(|usage| UnratedEvent {
            sequence: Sequence { epoch, number: usage.sequence }.to_string(),
            time: usage.event.used_at.to_string(),
            owner: facts.accounts.get(usage.event.owner).map_or("", |account| account.login()),
            repository: usage.event.repository.as_deref(),
            source: &usage.event.source,
            id: &usage.event.id,
            sku: &usage.event.sku,
            quantity: number(usage.event.quantity),
            reason: usage.reason.to_string(),
        });
        UnratedAnswer { unrated: unrated.collect() }
    }
}

/// The exact decimal as a JSON number.
fn number(quantity: Quantity) -> Box<RawValue> {
    RawValue::from_string(quantity.to_string()).expect("a quantity is written as a JSON number")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(line: usize, rejection: Option<(&'static str, &str)>) -> Sent {
        let rejection = rejection.map(|(field, reason)| Rejection { field, reason: reason.to_owned() });
        Sent { line, id: (line != 4).then(|| format!("e{line}").into()), rejection, time_field: "time" }
    }

    fn answer(listed: Listed) -> String {
        let sent = [sent(1, None), sent(2, None), sent(4, Some(("event", "is not a JSON object"))), sent(5, None), sent(6, None)];
        let verdicts = vec![Verdict::Accepted, Verdict::Duplicate, Verdict::Conflict { field: "data.quantity" }, Verdict::TooFarInFuture];
        let committed = Committed { sequence: Sequence { epoch: 1, number: 77 }, verdicts };
        serde_json::to_string(&Answer::new(&sent, &committed, listed)).unwrap()
    }

    #[test]
    fn every_event_has_its_verdict_in_the_order_of_the_body() {
        let listed = concat!(
            r#"{"line":2,"id":"e2","verdict":"duplicate"},"#,
            r#"{"line":4,"verdict":"rejected","field":"event","reason":"is not a JSON object"},"#,
            r#"{"line":5,"id":"e5","verdict":"conflict","field":"data.quantity","reason":"an event with this source and id is stored with another value here; the first stored holds"},"#,
            r#"{"line":6,"id":"e6","verdict":"rejected","field":"time","reason":"is more than 24 hours ahead of the server's clock"}"#,
        );
        let counts = r#"{"accepted":1,"duplicate":1,"conflict":1,"rejected":2,"sequence":"1-77","events":["#;
        assert_eq!(answer(Listed::NotAccepted), format!("{counts}{listed}]}}"));
        assert_eq!(answer(Listed::All), format!("{counts}{{\"line\":1,\"id\":\"e1\",\"verdict\":\"accepted\"}},{listed}]}}"));
    }

    #[test]
    fn a_quantity_goes_out_with_all_its_digits() {
        for text in ["0.000000001", "1000000000000", "12.5", "0"] {
            assert_eq!(number(Quantity::parse(text).unwrap()).get(), text);
        }
    }
}
