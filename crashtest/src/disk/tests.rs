//! What a cut leaves of written, synced, renamed and removed files.
//!
//! Without the kernel: the file system that it sees is tested in `tests/forgetful.rs`.

use super::fault::Failure;
use super::*;
use crate::dice::Dice;

fn name(text: &str) -> &OsStr {
    OsStr::new(text)
}

/// What every cut leaves, whatever the dice say.
fn always(disk: &Disk, check: impl Fn(&Disk, Survival)) {
    for seed in 0..300 {
        let mut disk = Disk { nodes: disk.nodes.clone(), names: disk.names.clone(), fault: None, ..*disk };
        let (survivor, survival) = disk.cut(&mut Dice::new(seed));
        check(&survivor, survival);
        assert_eq!(disk.look_up(ROOT, name("a")), Err(DiskError::Io), "after the cut nothing works");
    }
}

#[test]
fn what_is_synced_with_its_folder_survives_and_the_rest_may_not() {
    let mut disk = Disk::new(Entries::WithTheirFolder);
    let file = disk.create(ROOT, name("a"), false).unwrap();
    disk.write(file, 0, &[1; 10_000], true).unwrap();
    disk.sync(file).unwrap();
    disk.sync_folder(ROOT).unwrap();
    disk.write(file, 0, &[2; 5000], true).unwrap();
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    always(&disk, |survivor, survival| {
        let file = survivor.look_up(ROOT, name("a")).unwrap();
        let bytes = survivor.read(file, 0, 20_000).unwrap();
        assert_eq!((bytes.len(), &bytes[5000..]), (10_000, &[1; 5000][..]));
        let twos = bytes.iter().filter(|byte| **byte == 2).count();
        assert!((survival == Survival::Nothing) <= (twos == 0));
        seen.borrow_mut().insert(twos);
    });
    let seen = seen.into_inner();
    assert!(seen.contains(&0) && seen.contains(&5000) && seen.contains(&4096) && seen.contains(&904), "{seen:?}");
    assert!(seen.iter().any(|twos| twos % 4096 != 0 && *twos < 4096 && twos % 512 == 0), "torn pages: {seen:?}");
}

#[test]
fn a_synced_file_is_lost_without_its_folder_unless_names_follow_any_sync() {
    for (entries, survives) in [(Entries::WithTheirFolder, false), (Entries::WithAnySync, true)] {
        let mut disk = Disk::new(entries);
        let folder = disk.create(ROOT, name("d"), true).unwrap();
        let file = disk.create(folder, name("a"), false).unwrap();
        disk.write(file, 0, b"x", true).unwrap();
        disk.sync(file).unwrap();
        let survivor = disk.survivor(Survival::Nothing, &mut Dice::new(0));
        assert_eq!(survivor.look_up(ROOT, name("d")).is_ok(), survives);
    }
}

#[test]
fn a_rename_survives_whole_or_not_at_all_and_a_removal_may_be_undone() {
    let mut disk = Disk::new(Entries::WithTheirFolder);
    for text in ["a", "gone"] {
        let file = disk.create(ROOT, name(text), false).unwrap();
        disk.write(file, 0, text.as_bytes(), true).unwrap();
        disk.sync(file).unwrap();
    }
    disk.sync_folder(ROOT).unwrap();
    disk.rename((ROOT, name("a")), (ROOT, name("b"))).unwrap();
    disk.remove(ROOT, name("gone")).unwrap();
    let seen = std::cell::RefCell::new(std::collections::BTreeSet::new());
    always(&disk, |survivor, _| {
        let names: Vec<OsString> = survivor.list(ROOT).unwrap().into_iter().map(|(name, _)| name).collect();
        assert_eq!(names.iter().filter(|name| *name == "a" || *name == "b").count(), 1);
        seen.borrow_mut().insert(names);
    });
    assert_eq!(seen.into_inner().len(), 4);
}

#[test]
fn a_failed_sync_forgets_what_it_should_have_written() {
    let mut disk = Disk::new(Entries::WithTheirFolder);
    let file = disk.create(ROOT, name("a"), false).unwrap();
    disk.sync_folder(ROOT).unwrap();
    disk.plan(Some(Fault::new(2, Failure::Io, false)));
    assert_eq!(disk.write(file, 0, b"lost", true), Ok(4));
    assert_eq!(disk.sync(file), Err(DiskError::Io));
    assert_eq!(disk.sync(file), Ok(()), "the next sync says that all is well");
    assert_eq!(disk.read(file, 0, 9).unwrap(), b"lost", "as long as the power is on");
    let survivor = disk.survivor(Survival::Everything, &mut Dice::new(0));
    assert_eq!(survivor.read(file, 0, 9).unwrap(), b"");
}

#[test]
fn faults_hit_the_call_that_they_are_planned_for() {
    let mut disk = Disk::new(Entries::WithTheirFolder);
    let file = disk.create(ROOT, name("a"), false).unwrap();
    disk.plan(Some(Fault::new(2, Failure::Short, false)));
    assert_eq!(disk.write(file, 0, b"12", true), Ok(2));
    assert_eq!(disk.write(file, 2, b"3456", false), Ok(4), "what does not count is not hit");
    assert_eq!(disk.write(file, 6, b"7890", true), Ok(2));
    assert_eq!(disk.hit(), Some(Call::Write));
    disk.plan(Some(Fault::new(1, Failure::Full, true)));
    assert_eq!(disk.create(ROOT, name("b"), false), Err(DiskError::Full));
    assert_eq!(disk.rename((ROOT, name("a")), (ROOT, name("b"))), Err(DiskError::Full));
    disk.plan(None);
    disk.room = 9;
    assert_eq!(disk.write(file, 8, b"xx", true), Err(DiskError::Full));
}
