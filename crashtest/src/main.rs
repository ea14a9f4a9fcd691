//! `crashtest`: kills, power cuts, I/O errors and planted faults against the real program, by seed and count.
//!
//! The last line of each mode names what ran, with the seed that repeats it as far as the scheduler allows.

#![expect(clippy::print_stdout, reason = "a test program tells what it does")]

use clap::{Parser, Subcommand};
use crashtest::disk::Entries;
use crashtest::run::{Outcome, Plan};
use crashtest::server::Program;
use crashtest::{cut, kill};
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
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let program = Program {
        planted: arguments.planted,
        seal_events: arguments.seal_events,
        ..Program::new(arguments.program.canonicalize().expect("the program under test exists"))
    };
    let plan = Plan { program, seed: arguments.seed, cycles: arguments.cycles, logs: arguments.logs };
    match arguments.mode {
        Mode::Kill => tell("kill", &plan, &kill::run(&plan)),
        Mode::Cut { ext4 } => {
            if let Some(why) = cut::unavailable() {
                println!("cut: NOT RUN, 0 of {} power cuts: {why}", plan.cycles);
                return ExitCode::SUCCESS;
            }
            tell("cut", &plan, &cut::run(&plan, if ext4 { Entries::WithAnySync } else { Entries::WithTheirFolder }))
        }
    }
}

fn tell(mode: &str, plan: &Plan, outcome: &Outcome) -> ExitCode {
    println!("{mode}, seed {}: {outcome}", plan.seed);
    if outcome.failure.is_none() {
        return ExitCode::SUCCESS;
    }
    println!("logs: {}", plan.logs.display());
    ExitCode::FAILURE
}
