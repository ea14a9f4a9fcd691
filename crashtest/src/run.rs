//! One folder through many crashes: start, check, work, crash, and again.
//!
//! How it crashes is left to [`crate::kill`] and [`crate::cut`]. A run ends with the first broken promise or the last cycle.

use crate::checker;
use crate::dice::Dice;
use crate::exports::Exports;
use crate::failure::{Failure, Promise, ensure};
use crate::history::History;
use crate::server::{PATIENCE, Program, Server, pause};
use crate::work::Work;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Crashes of one folder, before a new one is begun.
pub const CYCLES_PER_FOLDER: u32 = 20;

/// What to run.
#[derive(Debug, Clone)]
pub struct Plan {
    pub program: Program,
    pub seed: u64,
    pub cycles: u32,
    /// Where the logs of a failed run stay.
    pub logs: PathBuf,
}

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub struct Outcome {
    pub cycles: u32,
    pub folders: u32,
    pub events: u64,
    pub exports: usize,
    pub failure: Option<Failure>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Outcome { cycles, folders, events, exports, .. } = self;
        write!(f, "{cycles} cycles on {folders} folders, {events} events and {exports} exports settled")?;
        match &self.failure {
            None => write!(f, ", every promise held"),
            Some(failure) => write!(f, "; broken: {failure}"),
        }
    }
}

/// One folder and everything that is known of it.
#[derive(Debug)]
pub struct Run<'a> {
    pub program: &'a Program,
    pub data: PathBuf,
    scratch: tempfile::TempDir,
    pub token: String,
    pub history: History,
    pub exports: Exports,
    pub dice: Dice,
}

impl<'a> Run<'a> {
    /// Prepares a folder. `data` need not exist.
    #[must_use]
    pub fn new(program: &'a Program, data: Option<&Path>, seed: u64) -> Run<'a> {
        let scratch = tempfile::tempdir().unwrap();
        let data = data.map_or_else(|| scratch.path().join("data"), Path::to_owned);
        let token = program.prepare(&data, scratch.path());
        let history = History::new(seed, &scratch.path().join("history.log"));
        Run { program, data, scratch, token, history, exports: Exports::default(), dice: Dice::new(seed) }
    }

    #[must_use]
    pub fn messages(&self) -> PathBuf {
        self.scratch.path().join("messages.log")
    }

    /// Starts the server after a crash and checks everything.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn recover(&mut self, with_exports: bool) -> Result<Server, Failure> {
        let verify_first = self.dice.percent(40);
        if verify_first {
            self.program.verify(&self.data)?;
        }
        let server = self.program.start(&self.data, &self.messages(), &self.token)?;
        self.history.note("started");
        self.checked(&server, with_exports)?;
        if !verify_first {
            self.program.verify(&self.data)?;
        }
        Ok(server)
    }

    fn checked(&self, server: &Server, with_exports: bool) -> Result<(), Failure> {
        let told = |failure: Failure| Failure::new(failure.promise, format!("{}\n{}", failure.what, server.messages()));
        checker::check(self.program, &self.data, &server.api, &self.history).map_err(told)?;
        if with_exports { self.exports.check(&server.api, &self.history).map_err(told) } else { Ok(()) }
    }

    /// Lets clients work until `crash` has ended the server.
    ///
    /// # Errors
    /// The first promise that a client saw broken.
    pub fn work<T>(&mut self, server: &mut Server, crash: impl FnOnce(&mut Server, &mut Dice) -> T) -> Result<T, Failure> {
        let mut dice = self.dice.fork();
        let work = Work::new(server.api.clone(), &self.history, &self.exports);
        let value = work.run(&mut self.dice, || {
            pause(Duration::from_millis(5 + dice.below(300)));
            crash(server, &mut dice)
        })?;
        self.history.note("crashed");
        Ok(value)
    }

    /// After the last crash: all is well, also once the server was stopped as it should be.
    ///
    /// # Errors
    /// The first promise that is broken.
    pub fn end(&mut self) -> Result<(), Failure> {
        let mut server = self.recover(true)?;
        let status = server.stop(PATIENCE);
        let stopped = status.is_some_and(|status| status.success());
        ensure(stopped, Promise::Behaves, || format!("it was asked to stop: {status:?}\n{}", server.messages()))?;
        self.program.verify(&self.data)
    }

    /// Adds what this folder came to, and keeps its logs when it failed.
    pub fn account(self, outcome: &mut Outcome, logs: &Path) {
        outcome.folders += 1;
        outcome.events += u64::try_from(self.history.counted().len()).unwrap();
        outcome.exports += self.exports.len();
        if let Some(failure) = &outcome.failure {
            self.history.note(&failure.to_string());
            std::fs::create_dir_all(logs).unwrap();
            for name in ["history.log", "messages.log"] {
                // A folder that never came up has no messages.
                drop(std::fs::copy(self.scratch.path().join(name), logs.join(name)));
            }
        }
    }
}
