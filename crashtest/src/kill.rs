//! Kill -9 at random moments: of work, of the start after a crash, of a stop.
//!
//! This says nothing about power cuts: the kernel outlives the process and keeps what was never synced.

use crate::failure::Failure;
use crate::run::{CYCLES_PER_FOLDER, Outcome, Plan, Run};
use crate::server::{PATIENCE, pause};
use std::time::Duration;

#[must_use]
pub fn run(plan: &Plan) -> Outcome {
    let mut outcome = Outcome::default();
    while outcome.cycles < plan.cycles && outcome.failure.is_none() {
        let mut run = Run::new(&plan.program, None, plan.seed.wrapping_add(u64::from(outcome.folders)));
        let cycles = CYCLES_PER_FOLDER.min(plan.cycles - outcome.cycles);
        outcome.failure = folder(&mut run, cycles, &mut outcome.cycles).err();
        run.account(&mut outcome, &plan.logs);
    }
    outcome
}

fn folder(run: &mut Run<'_>, cycles: u32, done: &mut u32) -> Result<(), Failure> {
    for cycle in 0..cycles {
        if run.dice.percent(15) {
            // In the middle of recovery.
            let starting = run.program.spawn(&run.data, &run.messages());
            pause(Duration::from_millis(run.dice.below(60)));
            starting.kill();
        }
        let mut server = run.recover(cycle % 5 == 4)?;
        run.work(&mut server, |server, dice| {
            if dice.percent(15) {
                // It may have sealed by then, or be in the middle of it.
                let patience = if dice.percent(50) { PATIENCE } else { Duration::from_millis(dice.below(50)) };
                server.stop(patience);
            }
            server.kill();
        })?;
        *done += 1;
    }
    run.end()
}
