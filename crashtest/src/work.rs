//! What clients do until the server is gone: several senders, a reader and one who asks for exports, all at once.
//!
//! Senders also repeat what is acknowledged, send conflicting copies of it, and send one body twice at the same time. Every answer is
//! checked at once. Start at [`run`].

use crate::checker::Counts;
use crate::dice::Dice;
use crate::exports::Exports;
use crate::failure::{Failure, Promise, ensure};
use crate::history::{History, Told};
use crate::server::{Answer, Api};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

const SENDERS: u64 = 3;
const SIZES: [u64; 5] = [1, 7, 40, 150, 400];

/// What the clients of one server share.
#[derive(Debug)]
pub struct Work<'a> {
    pub api: Api,
    pub history: &'a History,
    pub exports: &'a Exports,
    /// Set when the server is about to be stopped by other means than going away.
    pub enough: AtomicBool,
    /// Whether answers may also say that the disk fails.
    pub disk_fails: bool,
    failure: Mutex<Option<Failure>>,
}

impl<'a> Work<'a> {
    #[must_use]
    pub fn new(api: Api, history: &'a History, exports: &'a Exports) -> Work<'a> {
        Work { api, history, exports, enough: AtomicBool::new(false), disk_fails: false, failure: Mutex::new(None) }
    }

    /// Lets clients work while `crash` decides when it ends; returns what it returns.
    ///
    /// # Errors
    /// The first promise that a client saw broken.
    pub fn run<T>(&self, dice: &mut Dice, crash: impl FnOnce() -> T) -> Result<T, Failure> {
        let value = std::thread::scope(|scope| {
            for _ in 0..SENDERS {
                let mut dice = dice.fork();
                scope.spawn(move || self.until_gone(|| self.send(&mut dice)));
            }
            scope.spawn(|| self.until_gone(|| self.read()));
            if dice.percent(60) {
                let mut dice = dice.fork();
                scope.spawn(move || self.once(|| self.exports.request(&self.api, self.history, &mut dice)));
            }
            let value = crash();
            self.enough.store(true, Ordering::SeqCst);
            value
        });
        match self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() {
            Some(failure) => Err(failure),
            None => Ok(value),
        }
    }

    /// Repeats a step until it says that the server is gone.
    fn until_gone(&self, mut step: impl FnMut() -> Result<bool, Failure>) {
        loop {
            if self.enough.load(Ordering::SeqCst) || !self.once(&mut step) {
                return;
            }
        }
    }

    fn once(&self, step: impl FnOnce() -> Result<bool, Failure>) -> bool {
        step().unwrap_or_else(|failure| {
            self.history.note(&failure.to_string());
            self.failure.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(failure);
            self.enough.store(true, Ordering::SeqCst);
            false
        })
    }

    fn send(&self, dice: &mut Dice) -> Result<bool, Failure> {
        let old = self.history.acknowledged(dice.number());
        match (dice.below(20), old) {
            (0..3, Some(numbers)) => {
                let size = numbers.end - numbers.start;
                let answer = self.post(numbers.clone(), 0);
                self.expect(answer, Counts::all(0, size, 0), &format!("acknowledged events {numbers:?} sent again"))
            }
            (3, Some(numbers)) => {
                let size = numbers.end - numbers.start;
                let answer = self.post(numbers.clone(), 1);
                self.expect(answer, Counts::all(0, 0, size), &format!("other contents of events {numbers:?}"))
            }
            (4, _) => self.send_twice(*dice.pick(&SIZES)),
            _ => self.send_new(*dice.pick(&SIZES)),
        }
    }

    fn post(&self, numbers: std::ops::Range<u64>, more: i128) -> Answer {
        self.api.post("/v1/usage", &self.history.body(numbers, more))
    }

    /// Whether an answer is as it must be; `false` when there is none.
    fn expect(&self, answer: Answer, expected: Counts, name: &str) -> Result<bool, Failure> {
        match answer {
            None => Ok(false),
            Some((200, text)) => {
                ensure(Counts::of(&text) == Some(expected), Promise::Verdicts, || format!("{name}: {text}"))?;
                Ok(true)
            }
            Some((status, text)) => self.refused(status, &text, name).map(|_| true),
        }
    }

    /// What an answer that is no success says of what was sent.
    fn refused(&self, status: u16, text: &str, name: &str) -> Result<Told, Failure> {
        match status {
            503 => Ok(Told::Refused),
            507 if self.disk_fails => Ok(Told::Refused),
            500 if self.disk_fails => Ok(Told::Unknown),
            _ => Err(Failure::new(Promise::Behaves, format!("{name}: {status} {text}"))),
        }
    }

    fn send_new(&self, size: u64) -> Result<bool, Failure> {
        let numbers = self.history.invoke(size);
        let name = format!("new events {numbers:?}");
        let told = match self.post(numbers.clone(), 0) {
            None => return Ok(false),
            Some((200, text)) => {
                ensure(Counts::of(&text) == Some(Counts::all(size, 0, 0)), Promise::Verdicts, || format!("{name}: {text}"))?;
                Told::Acknowledged
            }
            Some((status, text)) => self.refused(status, &text, &name)?,
        };
        self.history.tell(numbers.start, told);
        Ok(true)
    }

    /// One body from two connections at once: each event is accepted by one of them.
    fn send_twice(&self, size: u64) -> Result<bool, Failure> {
        let numbers = self.history.invoke(size);
        let (one, other) = std::thread::scope(|scope| {
            let one = scope.spawn(|| self.post(numbers.clone(), 0));
            (self.post(numbers.clone(), 0), one.join().expect("a sender does not panic"))
        });
        let name = format!("new events {numbers:?}, sent twice at once");
        let mut accepted = 0;
        let answers = [one, other];
        for (status, text) in answers.iter().flatten() {
            if *status != 200 {
                self.refused(*status, text, &name)?;
                continue;
            }
            let counts = Counts::of(text).ok_or_else(|| Failure::new(Promise::Behaves, format!("{name}: {text}")))?;
            ensure(counts.accepted + counts.duplicate == size, Promise::Verdicts, || format!("{name}: {text}"))?;
            accepted += counts.accepted;
        }
        let answered = answers.iter().flatten().filter(|(status, _)| *status == 200).count();
        ensure(accepted <= size && (answered < 2 || accepted == size), Promise::CountedOnce, || format!("{name}: {answers:?}"))?;
        if answered > 0 {
            self.history.tell(numbers.start, Told::Acknowledged);
        }
        Ok(answered == 2 || answers.iter().all(Option::is_some))
    }

    /// What was acknowledged before the question is in the answer.
    fn read(&self) -> Result<bool, Failure> {
        let (least, _) = self.history.minutes();
        let Some((status, text)) = self.api.get("/enterprises/acme-corp/settings/billing/actions") else { return Ok(false) };
        let (_, most) = self.history.minutes();
        if status != 200 {
            return self.refused(status, &text, "the summary").map(|_| true);
        }
        let found = serde_json::from_str::<serde_json::Value>(&text).map_or(-1, |body| body["total_minutes_used"].as_i64().unwrap_or(-1));
        let found = i128::from(found);
        ensure(found >= least, Promise::Acknowledged, || format!("{found} minutes are shown, {least} are acknowledged"))?;
        ensure(found <= most, Promise::NothingElse, || format!("{found} minutes are shown, {most} were sent"))?;
        Ok(true)
    }
}
