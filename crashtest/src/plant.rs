//! Planted faults: each is switched on alone, and one of the other modes must catch it.
//!
//! The program must have been built with `--features planted`. The faults themselves are in `store::planted`, by the same names.

use crate::cut;
use crate::disk::Entries;
use crate::disk::fault::Failure as DiskFailure;
use crate::errors::{self, Kind};
use crate::failure::Failure;
use crate::kill;
use crate::run::{Outcome, Plan};
use crate::server::Program;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Net {
    Kill,
    Cut,
    FullDisk,
    BadDisk,
}

/// Each fault, and the nets that are thrown for it, in turn.
pub const FAULTS: &[(&str, &[Net])] = &[
    ("LedgerNeverSynced", &[Net::Cut]),
    ("LedgerSyncedSeldom", &[Net::Cut]),
    ("AnswerBeforeCommit", &[Net::Kill]),
    ("SegmentUnsynced", &[Net::Cut]),
    ("NamesUnsynced", &[Net::Cut]),
    ("FoldersUnsynced", &[Net::Cut]),
    ("BlocksBeforeSegment", &[Net::Kill]),
    ("WatermarkUnmoved", &[Net::Kill]),
    ("MergedFilesFirst", &[Net::Kill]),
    ("LateLostInMerge", &[Net::Kill]),
    ("IdentityBeforeCommit", &[Net::FullDisk]),
    ("IdentityWithoutSource", &[Net::Kill]),
    ("IdFileIncomplete", &[Net::Kill]),
    ("TotalCountedTwice", &[Net::Kill]),
    ("MarksUnwritten", &[Net::Kill]),
    ("SpellingsUnwritten", &[Net::Kill]),
    ("FullDiskAcknowledged", &[Net::FullDisk]),
    ("FailedSyncRetried", &[Net::BadDisk]),
    ("ExportUnsynced", &[Net::Cut]),
];

/// How a fault was caught, or not.
#[derive(Debug)]
pub struct Catch {
    pub fault: &'static str,
    pub net: Net,
    pub cycles: u32,
    pub failure: Option<Failure>,
}

/// Plants each fault in turn, or the one that is named. A net is thrown for at most `plan.cycles` crashes.
pub fn run(plan: &Plan, only: Option<&str>, mut tell: impl FnMut(&Catch)) -> bool {
    let mut all = true;
    for (fault, nets) in FAULTS.iter().filter(|(fault, _)| only.is_none_or(|only| only == *fault)) {
        let mut caught = false;
        for net in *nets {
            let program = Program { planted: Some((*fault).to_owned()), seal_events: 600, ..plan.program.clone() };
            let (cycles, failure) = throw(&Plan { program, ..plan.clone() }, *net);
            caught = failure.is_some();
            tell(&Catch { fault, net: *net, cycles, failure });
            if caught {
                break;
            }
        }
        all &= caught;
    }
    all
}

/// Every point from the first commit on; the walk ends by itself.
fn walk(plan: &Plan, failure: DiskFailure) -> Outcome {
    const FIRST: u64 = 60;
    errors::run(&Plan { cycles: u32::MAX, ..plan.clone() }, Kind { failure, lasts: false }, FIRST, 1).outcome
}

fn throw(plan: &Plan, net: Net) -> (u32, Option<Failure>) {
    let outcome = match net {
        Net::Kill => kill::run(plan),
        Net::Cut => cut::run(plan, Entries::WithTheirFolder),
        Net::FullDisk => walk(plan, DiskFailure::Full),
        Net::BadDisk => walk(plan, DiskFailure::Io),
    };
    (outcome.cycles, outcome.failure)
}
