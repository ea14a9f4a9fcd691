//! Events as texts: a line of CloudEvents JSON for the server, a line of tab-separated values for the baselines.
//!
//! Every name says only its number: what is measured is handling them, and 300 bytes an event is what real jobs have.

use super::{Event, SKUS, Workload, calendar};
use std::fmt;
use std::io::Write;

/// The user who owns the organizations, and some usage.
pub(crate) const USER: &str = "mona";

/// Which type of event a run sends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    UsageRecorded,
    CiJobCompleted,
}

/// How the owner's name is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Spelling {
    AsCreated,
    Shouted,
    /// The user who asks about the others owns it all.
    Personal,
}

/// The login of an owner, by rank.
pub(crate) fn owner_name(owner: u32) -> String {
    Owner(owner, Spelling::AsCreated).to_string()
}

struct Owner(u32, Spelling);

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            Spelling::AsCreated => write!(f, "org-{:03}", self.0),
            Spelling::Shouted => write!(f, "ORG-{:03}", self.0),
            Spelling::Personal => f.write_str(USER),
        }
    }
}

struct Identity(u128);

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Thousandths as a decimal number without zeros at its end.
struct Quantity(u64);

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 1000, self.0 % 1000) {
            (whole, 0) => write!(f, "{whole}"),
            (whole, part) => write!(f, "{whole}.{}", format!("{part:03}").trim_end_matches('0')),
        }
    }
}

/// Runner labels in turn, and the seconds that a job ran at most.
const LABELS: [&str; 5] = ["ubuntu-latest", "ubuntu-24.04", "windows-latest", "macos-15", "ubuntu-8core"];
const JOB_SECONDS_MAX: u64 = 1800;

impl Workload {
    /// Appends event `number` as a line of JSON.
    pub(crate) fn write_json(&self, number: u64, kind: Kind, spelling: Spelling, out: &mut Vec<u8>) {
        let event = self.event(number);
        let kind_name = if kind == Kind::UsageRecorded { "usage.recorded" } else { "ci.job.completed" };
        let head =
            format_args!(r#"{{"specversion":"1.0","type":"{kind_name}","source":"/runners","id":"{}","time":""#, Identity(event.identity));
        out.write_fmt(head).expect("memory takes all");
        calendar::write_time(&self.months, event.time, out);
        let owner = Owner(event.owner, spelling);
        write!(out, r#"","subject":"{owner}/repo-{:05}","data":{{"#, event.repository).expect("memory takes all");
        match kind {
            Kind::UsageRecorded => {
                let (sku, quantity) = (SKUS[event.sku].0, Quantity(event.thousandths));
                write!(out, r#""sku":"{sku}","quantity":{quantity}"#).expect("memory takes all");
            }
            Kind::CiJobCompleted => self.write_job(&event, out),
        }
        let visibility = if event.repository % 10 == 9 { "public" } else { "private" };
        let tail = format_args!(
            r#","username":"user-{:04}","workflow_path":".github/workflows/ci-{:05}.yml","visibility":"{visibility}"}}}}"#,
            event.user, event.workflow
        );
        out.write_fmt(tail).expect("memory takes all");
        out.push(b'\n');
    }

    fn write_job(&self, event: &Event, out: &mut Vec<u8>) {
        let label = LABELS[event.sku % LABELS.len()];
        let number = u64::try_from(event.identity >> 64).expect("half of it");
        let started = event.time.saturating_sub(1 + number % JOB_SECONDS_MAX).max(self.first_month().first_second());
        write!(out, r#""runner_labels":["{label}"],"runner_group":"default","started_at":""#).expect("memory takes all");
        calendar::write_time(&self.months, started, out);
        out.extend_from_slice(br#"","completed_at":""#);
        calendar::write_time(&self.months, event.time, out);
        let (run, job) = (number >> 30, number >> 28);
        write!(out, r#"","conclusion":"success","run_id":{run},"run_attempt":1,"job_id":{job}"#).expect("memory takes all");
    }

    /// Appends event `number` as tab-separated values: id, time, SKU, owner, repository, user, workflow, quantity.
    pub(crate) fn write_tsv(&self, number: u64, out: &mut Vec<u8>) {
        let event = self.event(number);
        write!(out, "{}\t", Identity(event.identity)).expect("memory takes all");
        calendar::write_time(&self.months, event.time, out);
        let names = format_args!(
            "\t{}\t{}\trepo-{:05}\tuser-{:04}\t.github/workflows/ci-{:05}.yml\t{}\n",
            SKUS[event.sku].0,
            Owner(event.owner, Spelling::AsCreated),
            event.repository,
            event.user,
            event.workflow,
            Quantity(event.thousandths)
        );
        out.write_fmt(names).expect("memory takes all");
    }
}
