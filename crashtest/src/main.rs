//! `crashtest`: kills, power cuts, I/O errors and planted faults against the real program, by seed and count.
//!
//! The last line of each mode names what ran, with the seed that repeats it as far as the scheduler allows.

#![expect(clippy::print_stdout, reason = "a test program tells what it does")]

use clap::{Parser, Subcommand};
use crashtest::disk::Entries;
use crashtest::run::{Outcome, Plan};
use crashtest::server::Program;
use crashtest::{cut, errors, kill, plant};
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(Debug, Parser)]
struct Arguments {
    #[command(subcommand)]
    mode: Mode,
    /// The program under test
    #[arg(long, global = true, default_value = "target/debug/forgemeter")]
    program: PathBuf,
    /// The seed of the run
    #[arg(long, global = true, default_value_t = 20_261_121)]
    seed: u64,
    /// Crashes
    #[arg(long, global = true, default_value_t = 100)]
    cycles: u32,
    /// Where the logs of a failed run stay
    #[arg(long, global = true, default_value = "target/crashtest")]
    logs: PathBuf,
    /// Unsealed events that start a seal
    #[arg(long, global = true, default_value_t = 1500)]
    seal_events: u32,
    /// A planted fault, by its name; the program must have been built with `--features planted`
    #[arg(long, global = true)]
    planted: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Mode {
    /// Kill -9
    Kill,
    /// Power cuts on a disk that forgets what was not synced
    Cut {
        /// Any sync makes all names durable, as ext4's journal does
        #[arg(long)]
        ext4: bool,
    },
    /// Every n-th I/O error of a script of work, until it passes untouched
    Errors {
        /// The first call that fails
        #[arg(long, default_value_t = 1)]
        first: u64,
        /// Calls from one point to the next
        #[arg(long, default_value_t = 1)]
        step: u64,
        /// Only one of the five ways to fail, counted from 0
        #[arg(long)]
        kind: Option<usize>,
    },
    /// Planted faults, each of which must be caught
    Plant {
        /// Only the fault of this name
        #[arg(long)]
        only: Option<String>,
    },
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let program = Program {
        planted: arguments.planted,
        seal_events: arguments.seal_events,
        ..Program::new(arguments.program.canonicalize().expect("the program under test exists"))
    };
    let plan = Plan { program, seed: arguments.seed, cycles: arguments.cycles, logs: arguments.logs };
    if let (Some(why), false) = (cut::unavailable(), matches!(arguments.mode, Mode::Kill)) {
        println!("NOT RUN, 0 of {}: {why}", plan.cycles);
        return ExitCode::SUCCESS;
    }
    match arguments.mode {
        Mode::Kill => tell("kill", &plan, &kill::run(&plan)),
        Mode::Errors { first, step, kind } => walk(&plan, first, step, kind),
        Mode::Plant { only } => planted(&plan, only.as_deref()),
        Mode::Cut { ext4 } => tell("cut", &plan, &cut::run(&plan, if ext4 { Entries::WithAnySync } else { Entries::WithTheirFolder })),
    }
}

fn walk(plan: &Plan, first: u64, step: u64, kind: Option<usize>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    for (number, kind) in errors::KINDS.into_iter().enumerate().filter(|(number, _)| kind.is_none_or(|kind| kind == *number)) {
        let walk = errors::run(plan, kind, first, step);
        println!("errors {number}, {kind:?}, seed {}, calls {first}, {} …: {walk}", plan.seed, first + step);
        if walk.outcome.failure.is_some() {
            println!("logs: {}", plan.logs.display());
            code = ExitCode::FAILURE;
        }
    }
    code
}

/// Of what broke a promise in a table.
const TOLD_CHARS_MAX: usize = 160;

fn planted(plan: &Plan, only: Option<&str>) -> ExitCode {
    let mut caught = 0;
    let all = plant::run(plan, only, |catch| match &catch.failure {
        Some(failure) => {
            caught += 1;
            let what: String = failure.what.lines().next().unwrap_or_default().chars().take(TOLD_CHARS_MAX).collect();
            println!("{}: caught by {:?} after {} cycles: {:?}: {what}", catch.fault, catch.net, catch.cycles, failure.promise);
        }
        None => println!("{}: NOT CAUGHT by {:?} in {} cycles", catch.fault, catch.net, catch.cycles),
    });
    println!("planted, seed {}: {caught} of {} faults caught", plan.seed, only.map_or(plant::FAULTS.len(), |_| 1));
    if all { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(mode: &str, plan: &Plan, outcome: &Outcome) -> ExitCode {
    println!("{mode}, seed {}: {outcome}", plan.seed);
    if outcome.failure.is_none() {
        return ExitCode::SUCCESS;
    }
    println!("logs: {}", plan.logs.display());
    ExitCode::FAILURE
}
