//! What the parts of a run share: the folder of the run, the program, the events, the table, and what one part made for another.
//!
//! The history is the folder that the large ingest filled; parts that need one let it be made once.

use crate::bodies::{Bodies, Wanted};
use crate::parts::ingest;
use crate::sending::Sent;
use crate::server::{self, DataFolder};
use crate::table::{Rate, Table};
use crate::workload::{Kind, Share, Spelling, Workload};
use crate::{http, machine, packages};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::time::Duration;

/// How much is measured.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Size {
    pub(crate) events: u64,
    /// How long each load of small requests lasts.
    pub(crate) time: Duration,
}

/// The large ingest: its folder after a clean stop, and what it told.
#[derive(Debug, Clone)]
pub(crate) struct History {
    pub(crate) folder: DataFolder,
    pub(crate) sent: Rc<Sent>,
    /// All files of the folder right after the ingest.
    pub(crate) bytes: u64,
}

/// Figures that are compared with those of another part.
#[derive(Debug, Default)]
pub(crate) struct Figures {
    pub(crate) export_rows: Option<u64>,
    pub(crate) export_rate: Option<Rate>,
}

#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) size: Size,
    pub(crate) target: PathBuf,
    pub(crate) scratch: PathBuf,
    pub(crate) binary: PathBuf,
    pub(crate) workload: Workload,
    /// Events that are not in the run.
    pub(crate) others: Workload,
    pub(crate) table: Table,
    pub(crate) figures: Figures,
    bodies: Option<Rc<Bodies>>,
    history: Option<History>,
    batches: Option<Rc<Vec<PathBuf>>>,
    folders: u32,
}

/// Events of one batch of a baseline, as large as the large bodies.
const BATCH_EVENTS: u64 = 10_000;

impl Bench {
    pub(crate) fn new(size: Size) -> Result<Bench> {
        let executable = std::env::current_exe()?;
        // …/target/release/benches
        let target = executable.ancestors().nth(2).context("the harness lies in a target folder")?.to_owned();
        let scratch = target.join("benches").join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&scratch)?;
        let binary = server::build(&target)?;
        let (workload, others) = (Workload::new(size.events), Workload::others(size.events));
        let (table, figures) = (Table::default(), Figures::default());
        Ok(Bench {
            size,
            target,
            scratch,
            binary,
            workload,
            others,
            table,
            figures,
            bodies: None,
            history: None,
            batches: None,
            folders: 0,
        })
    }

    /// A new data folder with the accounts of the workload.
    pub(crate) fn data_folder(&mut self) -> Result<DataFolder> {
        self.folders += 1;
        DataFolder::create(&self.binary, self.scratch.join(format!("data-{}", self.folders)), &self.workload)
    }

    /// All events of the run.
    pub(crate) fn bodies(&mut self) -> Result<Rc<Bodies>> {
        if self.bodies.is_none() {
            eprintln!("benches: writes {} events", self.size.events);
            let wanted = Wanted::recorded(&self.workload, 0..self.size.events);
            self.bodies = Some(Rc::new(Bodies::write(&self.scratch.join("events.ndjson"), &wanted)?));
        }
        Ok(Rc::clone(self.bodies.as_ref().expect("it was just made")))
    }

    /// Events for one part only; it removes the file.
    pub(crate) fn own_bodies(&self, wanted: &Wanted<'_>) -> Result<Bodies> {
        Bodies::write(&self.scratch.join("own.ndjson"), wanted)
    }

    /// A folder with all events of the run, sealed; made by the large ingest.
    pub(crate) fn history(&mut self) -> Result<History> {
        if self.history.is_none() {
            self.history = Some(ingest::large_bodies(self)?);
        }
        Ok(self.history.clone().expect("it was just made"))
    }

    /// Events that the baselines get: a month of them.
    pub(crate) fn baseline_events(&self) -> u64 {
        self.workload.events_per_month().min(self.size.events)
    }

    /// The baselines' events as files of tab-separated values, one a batch.
    pub(crate) fn batches(&mut self) -> Result<Rc<Vec<PathBuf>>> {
        if self.batches.is_none() {
            let folder = self.scratch.join("batches");
            fs::create_dir_all(&folder)?;
            self.batches = Some(Rc::new(write_batches(&self.workload, self.baseline_events(), &folder)?));
        }
        Ok(Rc::clone(self.batches.as_ref().expect("they were just made")))
    }

    /// Requests that each send one event that is not in the run.
    pub(crate) fn single_events(&self, count: u64, share: Share, token: &str) -> Vec<Vec<u8>> {
        let request = |number| {
            let mut body = Vec::new();
            self.others.write_json(number, Kind::UsageRecorded, Spelling::AsCreated, &mut body);
            http::request("POST", "/v1/usage", token, &body)
        };
        self.others.last(count, share).map(request).collect()
    }

    /// The table with what it was made on and with.
    pub(crate) fn report(&self, command: &str) -> Result<String> {
        let machine = machine::describe(&self.scratch)?;
        let version = packages::output("git", &["rev-parse", "--short", "HEAD"]).unwrap_or_else(|_| "unknown".to_owned());
        Ok(format!("Machine: {machine}.\nCommand: `{command}`, at commit {version}.\n\n{}", self.table.markdown()))
    }

    pub(crate) fn remove_scratch(&self) -> Result<()> {
        fs::remove_dir_all(&self.scratch).with_context(|| self.scratch.display().to_string())
    }
}

fn write_batches(workload: &Workload, events: u64, folder: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for first in (0..events).step_by(usize::try_from(BATCH_EVENTS)?) {
        let mut text = Vec::new();
        for number in first..(first + BATCH_EVENTS).min(events) {
            workload.write_tsv(number, &mut text);
        }
        let path = folder.join(format!("{:08}.tsv", first / BATCH_EVENTS));
        fs::write(&path, text)?;
        paths.push(path);
    }
    Ok(paths)
}
