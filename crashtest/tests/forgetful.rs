//! The forgetful file system as programs see it: what the kernel is told is what the disk keeps and forgets.
//!
//! Needs FUSE. Where it cannot be used the test says so and checks nothing.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, clippy::print_stdout, reason = "a test may stop at the first surprise")]

use crashtest::cut;
use crashtest::dice::Dice;
use crashtest::disk::fault::{Failure, Fault};
use crashtest::disk::{Disk, Entries};
use crashtest::mount::SharedDisk;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};

#[test]
fn programs_see_a_file_system_that_forgets_what_was_not_synced() {
    if let Some(why) = cut::unavailable() {
        println!("NOT RUN: {why}");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let disk = SharedDisk::new(Disk::new(Entries::WithTheirFolder));
    let session = disk.mount(folder.path()).unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("d")).unwrap();
    let mut kept = File::create_new(path("d/kept.new")).unwrap();
    kept.write_all(&[7; 100_000]).unwrap();
    kept.sync_all().unwrap();
    std::fs::rename(path("d/kept.new"), path("d/kept")).unwrap();
    File::open(path("d")).unwrap().sync_all().unwrap();
    File::open(folder.path()).unwrap().sync_all().unwrap();
    kept.seek(SeekFrom::Start(50_000)).unwrap();
    kept.write_all(&[8; 10]).unwrap();
    kept.set_len(60_000).unwrap();
    std::fs::write(path("d/lost"), "lost").unwrap();
    assert_eq!(std::fs::read(path("d/kept")).unwrap().len(), 60_000);
    let names: Vec<_> = std::fs::read_dir(path("d")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["kept", "lost"]);
    // The first seed after which nothing survives that was not synced.
    let (survivor, _) = disk.lock().cut(&mut Dice::new(seed_of_a_bare_cut()));
    assert!(kept.write_all(b"x").is_err() && File::open(path("d/other")).is_err(), "after the cut the disk is gone");
    drop((kept, session));
    let disk = SharedDisk::new(survivor);
    let session = disk.mount(folder.path()).unwrap();
    assert!(!path("d/lost").exists() && !path("d/kept.new").exists());
    assert!(std::fs::read(path("d/kept")).unwrap() == [7; 100_000]);
    faults_reach_the_program(&disk, &path("d/kept"));
    drop(session);
}

fn seed_of_a_bare_cut() -> u64 {
    (0..).find(|seed| Dice::new(*seed).below(10) < 3).unwrap()
}

fn faults_reach_the_program(disk: &SharedDisk, path: &std::path::Path) {
    let mut file = File::options().read(true).write(true).open(path).unwrap();
    disk.lock().plan(Some(Fault::new(1, Failure::Short, false)));
    assert_eq!(file.write(&[9; 1000]).unwrap(), 500, "a short write");
    disk.lock().plan(Some(Fault::new(2, Failure::Full, false)));
    assert_eq!(file.write(&[9; 10]).unwrap(), 10);
    assert_eq!(file.write(&[9; 10]).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
    disk.lock().plan(Some(Fault::new(1, Failure::Io, true)));
    assert!(file.sync_all().is_err() && file.sync_data().is_err());
    disk.lock().plan(None);
    file.sync_all().unwrap();
    let mut text = Vec::new();
    file.seek(SeekFrom::Start(0)).unwrap();
    file.read_to_end(&mut text).unwrap();
    assert_eq!(text.len(), 100_000);
}
