//! Exports and their jobs on real files, step by step as the worker takes them.
//! Other claims and reopened folders come in between.

use super::*;
use crate::jobs::{Jobs, LEASE_SECONDS};
use billing::Day;
use std::path::Path;

fn time(text: &str) -> UtcTime {
    UtcTime::parse(&format!("2026-11-03T{text}Z")).unwrap()
}

fn open(folder: &Path) -> (Exports, Jobs) {
    let database = Arc::new(Database::open(folder).unwrap());
    (Exports::new(Arc::clone(&database)), Jobs::new(database))
}

fn export(id: &str, created_at: &str) -> Export {
    Export {
        id: id.to_owned(),
        enterprise: AccountId(7),
        report_type: ReportType::PremiumRequest,
        days: ReportDays { first: Day::parse("2026-10-01").unwrap(), last: Day::parse("2026-10-31").unwrap() },
        actor: AccountId(3),
        send_email: false,
        base_url: "http://127.0.0.1:8080".to_owned(),
        created_at: time(created_at),
        sequence: Sequence { epoch: 2, number: u64::from(u32::MAX) + 1 },
        facts: FactNumber(40),
        price_version: 2,
        rows_per_part: 1_000_000,
        status: ExportStatus::Processing,
    }
}

fn parts() -> Vec<ExportPart> {
    let part = |number: u64| ExportPart {
        file_name: format!("usageReport_{number}_ab.csv"),
        rows: number,
        bytes: 10 * number,
        sha256: "ab".repeat(32),
    };
    (1..=12).map(part).collect()
}

#[test]
fn an_export_comes_back_as_it_was_stored_also_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    let export = export("a", "10:00:00.000001");
    assert_eq!(exports.create(&export).unwrap(), Created::Queued);
    assert_eq!(exports.get(AccountId(7), "a").unwrap(), Some(export.clone()));
    assert_eq!(exports.get(AccountId(8), "a").unwrap(), None, "of another enterprise");
    let job = jobs.claim(JobKind::ExportReport, time("10:00:01")).unwrap().unwrap();
    assert!(exports.complete(&job, time("10:00:02"), "forgemeter 0.1.0", &parts()).unwrap());
    drop((exports, jobs));
    let (exports, jobs) = open(folder.path());
    let status = ExportStatus::Completed { finished_at: time("10:00:02"), writer: "forgemeter 0.1.0".to_owned(), parts: parts() };
    assert_eq!(exports.find("a").unwrap(), Some(Export { status, ..export }));
    assert_eq!(jobs.next_due(JobKind::ExportReport).unwrap(), None, "the job is done");
}

#[test]
fn the_list_shows_one_enterprise_with_the_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, _) = open(folder.path());
    for (id, created_at) in [("first", "10:00:00"), ("third", "12:00:00"), ("second", "11:00:00"), ("also third", "12:00:00")] {
        exports.create(&export(id, created_at)).unwrap();
    }
    exports.create(&Export { enterprise: AccountId(8), ..export("foreign", "13:00:00") }).unwrap();
    let ids: Vec<String> = exports.list(AccountId(7)).unwrap().into_iter().map(|export| export.id).collect();
    assert_eq!(ids, ["also third", "third", "second", "first"]);
}

#[test]
fn a_claim_that_was_lost_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    exports.create(&export("a", "10:00:00")).unwrap();
    let lost = jobs.claim(JobKind::ExportReport, time("10:00:00")).unwrap().unwrap();
    assert_eq!(jobs.claim(JobKind::ExportReport, time("10:00:59")).unwrap(), None, "the lease holds");
    assert!(jobs.heartbeat(&lost, time("10:00:59")).unwrap());
    assert_eq!(jobs.claim(JobKind::ExportReport, time("10:01:30")).unwrap(), None, "the heartbeat prolonged it");
    let taken_over = jobs.claim(JobKind::ExportReport, time("10:01:59")).unwrap().unwrap();
    assert_eq!((taken_over.id, taken_over.epoch), (lost.id, lost.epoch + 1));
    let now = time("10:02:00");
    assert!(!jobs.heartbeat(&lost, now).unwrap());
    assert!(!jobs.retry_at(&lost, now).unwrap());
    assert!(!exports.complete(&lost, now, "forgemeter 0.1.0", &parts()).unwrap());
    assert!(!exports.fail(&lost, now, "disk full").unwrap());
    assert!(!jobs.finish(&lost).unwrap());
    assert_eq!(exports.find("a").unwrap().unwrap().status, ExportStatus::Processing);
    assert!(exports.complete(&taken_over, now, "forgemeter 0.1.0", &[]).unwrap());
    assert!(!exports.complete(&taken_over, now, "forgemeter 0.1.0", &parts()).unwrap(), "once only");
    let status = ExportStatus::Completed { finished_at: now, writer: "forgemeter 0.1.0".to_owned(), parts: Vec::new() };
    assert_eq!(exports.find("a").unwrap().unwrap().status, status);
}

#[test]
fn a_new_process_takes_over_what_a_dead_one_held_without_counting_it_as_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    exports.create(&export("a", "10:00:00")).unwrap();
    exports.create(&export("b", "10:00:01")).unwrap();
    let held = jobs.claim(JobKind::ExportReport, time("10:00:02")).unwrap().unwrap();
    drop((exports, jobs));
    let (exports, jobs) = open(folder.path());
    // The folder's clock may have been set back between the two.
    jobs.end_earlier_leases(JobKind::ExportReport, time("09:00:00")).unwrap();
    let again = jobs.claim(JobKind::ExportReport, time("09:00:00")).unwrap().unwrap();
    assert_eq!((again.export.as_str(), again.failures, again.epoch), ("a", 0, held.epoch + 1));
    assert!(exports.fail(&again, time("09:00:01"), "damaged").unwrap());
    let status = ExportStatus::Failed { finished_at: time("09:00:01"), reason: "damaged".to_owned() };
    assert_eq!(exports.find("a").unwrap().unwrap().status, status);
    assert_eq!(jobs.claim(JobKind::ExportReport, time("10:00:02")).unwrap().unwrap().export, "b");
}

#[test]
fn a_failed_attempt_waits_for_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    exports.create(&export("a", "10:00:00")).unwrap();
    let job = jobs.claim(JobKind::ExportReport, time("10:00:00")).unwrap().unwrap();
    assert_eq!(jobs.next_due(JobKind::ExportReport).unwrap(), Some(time("10:00:00").plus_seconds(LEASE_SECONDS)));
    assert!(jobs.retry_at(&job, time("10:05:00")).unwrap());
    assert_eq!(jobs.next_due(JobKind::ExportReport).unwrap(), Some(time("10:05:00")));
    assert_eq!(jobs.claim(JobKind::ExportReport, time("10:04:59")).unwrap(), None);
    assert_eq!(jobs.claim(JobKind::ExportReport, time("10:05:00")).unwrap().unwrap().failures, 1);
}

#[test]
fn the_mail_is_queued_with_the_end_of_the_export_and_fails_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    exports.create(&Export { send_email: true, ..export("a", "10:00:00") }).unwrap();
    exports.create(&export("b", "10:00:01")).unwrap();
    let now = time("10:00:02");
    assert_eq!(jobs.claim(JobKind::SendMail, now).unwrap(), None, "not before the export is there");
    while let Some(job) = jobs.claim(JobKind::ExportReport, now).unwrap() {
        assert!(exports.complete(&job, now, "forgemeter 0.1.0", &parts()).unwrap());
    }
    let mail = jobs.claim(JobKind::SendMail, now).unwrap().unwrap();
    assert_eq!((mail.export.as_str(), jobs.claim(JobKind::SendMail, now).unwrap()), ("a", None), "only where it was asked for");
    assert!(jobs.finish(&mail).unwrap());
    assert!(matches!(exports.find("a").unwrap().unwrap().status, ExportStatus::Completed { .. }));
}

#[test]
fn what_ended_31_days_ago_is_removed_with_its_parts_and_mail() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    for id in ["old", "new", "waiting"] {
        exports.create(&Export { send_email: true, ..export(id, "10:00:00") }).unwrap();
    }
    let claim = || jobs.claim(JobKind::ExportReport, time("10:00:00")).unwrap().unwrap();
    assert!(exports.complete(&claim(), time("10:00:01"), "forgemeter 0.1.0", &parts()).unwrap());
    assert!(exports.fail(&claim(), time("10:00:02"), "damaged").unwrap());
    let later = |text: &str| time(text).plus_seconds(EXPORT_KEPT_SECONDS);
    assert_eq!(exports.expire(later("10:00:00")).unwrap(), Vec::<String>::new());
    assert_eq!(exports.expire(later("10:00:01")).unwrap(), ["old"]);
    assert_eq!(exports.find("old").unwrap(), None);
    assert_eq!(jobs.next_due(JobKind::SendMail).unwrap(), None);
    let left: i64 =
        exports.database.read(|connection| Ok(connection.query_row("SELECT count(*) FROM export_part", [], |row| row.get(0))?)).unwrap();
    assert_eq!(left, 0);
    assert_eq!(exports.expire(later("23:00:00")).unwrap(), ["new"]);
    assert!(exports.find("waiting").unwrap().is_some(), "what has not ended does not expire");
}

#[test]
fn the_queue_has_a_bound() {
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    exports.create(&export("first", "10:00:00")).unwrap();
    exports
        .database
        .write(|transaction| {
            for number in 1..EXPORTS_WAITING_MAX {
                rows::insert(transaction, &export(&number.to_string(), "10:00:01"))?;
                jobs::add(transaction, JobKind::ExportReport, &number.to_string(), time("10:00:01"))?;
            }
            Ok(())
        })
        .unwrap();
    assert_eq!(exports.create(&export("one more", "10:00:02")).unwrap(), Created::QueueFull);
    assert_eq!(exports.find("one more").unwrap(), None);
    let job = jobs.claim(JobKind::ExportReport, time("10:00:03")).unwrap().unwrap();
    exports.complete(&job, time("10:00:04"), "forgemeter 0.1.0", &[]).unwrap();
    assert_eq!(exports.create(&export("one more", "10:00:05")).unwrap(), Created::Queued);
}

#[test]
fn a_file_that_is_gone_bent_or_of_no_place_in_the_ledger_is_found() {
    use crate::ledger::{Findings, Verification};
    let folder = tempfile::tempdir().unwrap();
    let (exports, jobs) = open(folder.path());
    let export = Export { sequence: Sequence { epoch: 1, number: 4 }, ..export("a", "10:00:00") };
    exports.create(&export).unwrap();
    let job = jobs.claim(JobKind::ExportReport, time("10:00:01")).unwrap().unwrap();
    let part = ExportPart { file_name: "one.csv".to_owned(), rows: 1, bytes: 8, sha256: sha256_of(b"\"a\"\n\"b\"\n") };
    exports.complete(&job, time("10:00:02"), "forgemeter 0.1.0", &[part]).unwrap();
    let verified = |bytes: Option<&[u8]>, marks: Vec<u64>| {
        let path = folder.path().join("one.csv");
        match bytes {
            Some(bytes) => std::fs::write(&path, bytes).unwrap(),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let sequence = Sequence { epoch: 1, number: 9 };
        let mut ledger = Verification { sequence, events: 0, segments: 0, blocks: 0, marks, findings: Findings::default() };
        assert_eq!(exports.verify(&exports.all().unwrap(), |_| folder.path().to_owned(), &mut ledger).unwrap(), 1);
        ledger.findings.listed.into_iter().map(|finding| finding.what).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(verified(Some(b"\"a\"\n\"b\"\n"), vec![1, 4]), "");
    assert_eq!(verified(Some(b"\"a\"\n\"b\"\n"), vec![1]), "export `a` is of sequence 1-4, which is no mark");
    assert!(verified(Some(b"\"a\"\n\"c\"\n"), vec![4]).starts_with("its SHA-256 is "));
    assert_eq!(verified(Some(b"\"a\"\n\"b\""), vec![4]), "it has 7 bytes instead of 8");
    assert!(verified(None, vec![4]).contains("No such file"));
}

fn sha256_of(bytes: &[u8]) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}
