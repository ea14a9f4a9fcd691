//! What each client did and was told: one entry for each body that was sent, and what became of it.
//!
//! From this alone follows what must be counted: acknowledged events once, refused ones never, those without an answer at most once
//! and whole bodies at that. Every step is also written to a log, which a failed run leaves behind.

use crate::world::Event;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// What is known of a body of new events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// Sent, or about to be, and not answered.
    Unknown,
    Acknowledged,
    /// The server said that nothing was stored.
    Refused,
}

#[derive(Debug, Clone)]
pub struct Body {
    pub numbers: Range<u64>,
    pub told: Told,
}

#[derive(Debug)]
struct State {
    next: u64,
    /// By the number of their first event.
    bodies: BTreeMap<u64, Body>,
    acknowledged_minutes: i128,
    sent_minutes: i128,
    log: std::fs::File,
}

/// Shared by all clients of a folder.
#[derive(Debug)]
pub struct History {
    pub seed: u64,
    state: Mutex<State>,
}

impl History {
    #[must_use]
    pub fn new(seed: u64, log: &Path) -> History {
        let log = std::fs::File::create(log).unwrap();
        let state = State { next: 0, bodies: BTreeMap::new(), acknowledged_minutes: 0, sent_minutes: 0, log };
        History { seed, state: Mutex::new(state) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn note(&self, what: &str) {
        writeln!(self.lock().log, "{what}").unwrap();
    }

    #[must_use]
    pub fn event(&self, number: u64) -> Event {
        Event::new(self.seed, number)
    }

    #[must_use]
    pub fn events(&self, numbers: Range<u64>) -> Vec<Event> {
        numbers.map(|number| self.event(number)).collect()
    }

    /// Lines of JSON.
    #[must_use]
    pub fn body(&self, numbers: Range<u64>, more: i128) -> String {
        self.events(numbers).iter().fold(String::new(), |mut body, event| {
            writeln!(body, "{}", event.json(more)).unwrap();
            body
        })
    }

    /// Takes numbers for a new body, before it is sent.
    pub fn invoke(&self, size: u64) -> Range<u64> {
        let mut state = self.lock();
        let numbers = state.next..state.next + size;
        state.next = numbers.end;
        state.bodies.insert(numbers.start, Body { numbers: numbers.clone(), told: Told::Unknown });
        state.sent_minutes += minutes(&self.events(numbers.clone()));
        writeln!(state.log, "invoke {} {}", numbers.start, numbers.end).unwrap();
        numbers
    }

    pub fn tell(&self, first: u64, told: Told) {
        let mut state = self.lock();
        let body = state.bodies.get_mut(&first).expect("it was invoked");
        let (numbers, news) = (body.numbers.clone(), body.told != Told::Acknowledged && told == Told::Acknowledged);
        body.told = told;
        if news {
            state.acknowledged_minutes += minutes(&self.events(numbers));
        }
        writeln!(state.log, "{told:?} {first}").unwrap();
    }

    /// A copy of everything up to now, in order of numbers.
    #[must_use]
    pub fn bodies(&self) -> Vec<Body> {
        self.lock().bodies.values().cloned().collect()
    }

    /// An acknowledged body, by a number that says which.
    #[must_use]
    pub fn acknowledged(&self, which: u64) -> Option<Range<u64>> {
        let state = self.lock();
        if state.next == 0 {
            return None;
        }
        let mut before = state.bodies.range(..=which % state.next).rev();
        before.find(|(_, body)| body.told == Told::Acknowledged).map(|(_, body)| body.numbers.clone())
    }

    /// Minutes that the enterprise's summary must at least and can at most show.
    #[must_use]
    pub fn minutes(&self) -> (i128, i128) {
        let state = self.lock();
        (state.acknowledged_minutes, state.sent_minutes)
    }

    /// All events that were acknowledged.
    #[must_use]
    pub fn counted(&self) -> Vec<Event> {
        let bodies = self.bodies();
        bodies.into_iter().filter(|body| body.told == Told::Acknowledged).flat_map(|body| self.events(body.numbers)).collect()
    }
}

fn minutes(events: &[Event]) -> i128 {
    events.iter().map(Event::enterprise_minutes).sum()
}
