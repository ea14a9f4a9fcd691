//! Power cuts at random moments: the server works on a disk that forgets what was not synced.
//!
//! The disk fails at once for everybody; only then the server is killed, so that nothing can be acknowledged on the strength of what
//! came after. Start at [`run`].

use crate::disk::{Disk, Entries, Survival};
use crate::failure::Failure;
use crate::mount::SharedDisk;
use crate::run::{CYCLES_PER_FOLDER, Outcome, Plan, Run};
use crate::server::{Server, pause};
use fuser::BackgroundSession;
use std::path::Path;
use std::time::Duration;

/// A mounted disk, and what the cut left of it.
struct Power<'a> {
    folder: &'a Path,
    disk: SharedDisk,
    session: Option<BackgroundSession>,
}

impl<'a> Power<'a> {
    fn on(disk: Disk, folder: &'a Path) -> Power<'a> {
        let disk = SharedDisk::new(disk);
        let session = Some(disk.mount(folder).expect("FUSE was available a moment ago"));
        Power { folder, disk, session }
    }

    /// Unmounts what is left of the old disk and mounts the new one.
    fn back(&mut self, disk: Disk) {
        drop(self.session.take());
        *self = Power::on(disk, self.folder);
    }
}

/// Why FUSE cannot be used here; nothing when it can.
#[must_use]
pub fn unavailable() -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let mounted = SharedDisk::new(Disk::new(Entries::WithTheirFolder)).mount(folder.path());
    mounted.err().map(|error| format!("FUSE is not available: {error}"))
}

#[must_use]
pub fn run(plan: &Plan, entries: Entries) -> Outcome {
    let mut outcome = Outcome::default();
    while outcome.cycles < plan.cycles && outcome.failure.is_none() {
        let mount = tempfile::tempdir().unwrap();
        let mut power = Power::on(Disk::new(entries), mount.path());
        let seed = plan.seed.wrapping_add(u64::from(outcome.folders));
        let mut run = Run::new(&plan.program, Some(&mount.path().join("data")), seed);
        let cycles = CYCLES_PER_FOLDER.min(plan.cycles - outcome.cycles);
        outcome.failure = folder(&mut run, &mut power, cycles, &mut outcome.cycles).err();
        run.account(&mut outcome, &plan.logs);
    }
    outcome
}

fn folder(run: &mut Run<'_>, power: &mut Power<'_>, cycles: u32, done: &mut u32) -> Result<(), Failure> {
    for cycle in 0..cycles {
        if run.dice.percent(15) {
            // In the middle of recovery.
            let starting = run.program.spawn(&run.data, &run.messages());
            pause(Duration::from_millis(run.dice.below(100)));
            let (survivor, survival) = power.disk.lock().cut(&mut run.dice);
            starting.kill();
            run.history.note(&format!("cut at the start, {survival:?}"));
            power.back(survivor);
        }
        let mut server = run.recover(cycle % 5 == 4)?;
        let disk = power.disk.clone();
        let (survivor, survival) = run.work(&mut server, |server, dice| cut(&disk, server, dice))?;
        run.history.note(&format!("cut, {survival:?}"));
        drop(server);
        power.back(survivor);
        *done += 1;
    }
    run.end()
}

fn cut(disk: &SharedDisk, server: &mut Server, dice: &mut crate::dice::Dice) -> (Disk, Survival) {
    let cut = disk.lock().cut(dice);
    server.kill();
    cut
}
