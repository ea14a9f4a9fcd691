//! Exports on a real folder with real workers: the same files over restarts, seals, merges and late usage; one end for every failure.
//! What a client sees of them is tested with the whole program (`tests/reports.rs`).

use super::*;
use crate::config::{Config, Mail, MailTls, Reports};
use crate::report_csv::{self, Destination, ReportScope};
use billing::account::AccountKind;
use billing::report::{ReportDays, ReportType};
use billing::usage::Tokens;
use billing::{AccountId, Day, Quantity, UsageEvent, Visibility};
use sha2::{Digest, Sha256};
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::Path;
use store::database::Database;
use store::exports::{Created, EXPORT_KEPT_SECONDS, Export, ExportPart, ExportStatus};
use store::facts::{FactBody, NewFact};
use store::ledger::{LedgerLimits, Snapshot};
use store::{Clock, FactsDatabase};

const ENTERPRISE: AccountId = AccountId(1);
const MONA: AccountId = AccountId(4);

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

pub(crate) fn config(rows_per_part: u64) -> Config {
    Config { reports: Reports { rows_per_part }, ..Config::default() }
}

pub(crate) fn open(folder: &Path, config: Config) -> Arc<App> {
    let database = Arc::new(Database::open(folder).unwrap());
    let facts = FactsDatabase::open(Arc::clone(&database)).unwrap();
    if facts.current().unwrap().number.0 == 0 {
        Clock::open(database).unwrap().set(time("2026-11-20T10:00:00Z")).unwrap();
        facts.append(time("2026-11-20T10:00:00Z"), |_| Ok::<_, StoreError>((accounts(), ()))).unwrap();
    }
    Arc::new(App::open(folder, config, LedgerLimits::default()).unwrap())
}

fn accounts() -> Vec<NewFact> {
    let fact = |account: u32, body: FactBody| NewFact { account: Some(AccountId(account)), effective_from: None, body };
    let created = |account: u32, kind: AccountKind, login: &str| fact(account, FactBody::Created { kind, login: login.into() });
    vec![
        created(1, AccountKind::Enterprise, "acme-corp"),
        created(2, AccountKind::Organization, "acme"),
        created(3, AccountKind::Organization, "globex"),
        created(4, AccountKind::User, "mona"),
        fact(1, FactBody::Plan("team".into())),
        fact(2, FactBody::Enterprise(Some(ENTERPRISE))),
        fact(3, FactBody::Enterprise(Some(ENTERPRISE))),
        fact(4, FactBody::Email(Some("mona@example.org".into()))),
    ]
}

fn event(number: u32) -> UsageEvent {
    let used_at = time("2026-11-03T00:00:00Z").plus_seconds(i64::from(number) * 977);
    let pick = |names: &[&str], by: u32| names[usize::try_from(number / by).unwrap() % names.len()].into();
    UsageEvent {
        source: "/runners/eu-1".into(),
        id: number.to_string().into(),
        time: used_at,
        used_at,
        owner: AccountId(2 + number % 2),
        repository: Some(pick(&["web", "api", "say \"hi\", ok", "docs"], 1)),
        sku: pick(&["actions_linux", "actions_windows", "copilot_premium_request"], 3),
        quantity: Quantity::whole(1 + number % 50),
        username: Some(pick(&["mona", "hubot", "octocat"], 5)),
        workflow_path: Some(pick(&[".github/workflows/ci.yml", ".github/workflows/release.yml"], 7)),
        model: None,
        visibility: Visibility::Private,
        tokens: Tokens::default(),
        job: None,
    }
}

pub(crate) fn use_something(app: &App, numbers: std::ops::Range<u32>) {
    app.ledger.commit(numbers.map(event).collect()).unwrap();
}

fn export_of(app: &App, snapshot: &Snapshot, id: &str, report_type: ReportType) -> Export {
    Export {
        id: id.to_owned(),
        enterprise: ENTERPRISE,
        report_type,
        days: ReportDays { first: Day::parse("2026-11-01").unwrap(), last: Day::parse("2026-11-20").unwrap() },
        actor: MONA,
        send_email: false,
        base_url: "http://127.0.0.1:8080".to_owned(),
        created_at: snapshot.time(),
        sequence: snapshot.sequence(),
        facts: snapshot.facts().number,
        price_version: 2,
        rows_per_part: app.config.reports.rows_per_part,
        status: ExportStatus::Processing,
    }
}

pub(crate) fn create(app: &App, id: &str) -> Export {
    let export = export_of(app, &app.ledger.mark().unwrap(), id, ReportType::Detailed);
    assert_eq!(app.exports.create(&export).unwrap(), Created::Queued);
    app.nudge.nudge();
    export
}

/// Runs every job that is due, on this thread.
pub(crate) fn run_due(app: &App) {
    for kind in [JobKind::ExportReport, JobKind::SendMail] {
        recover(app, kind).unwrap();
        while run_next(app, kind).unwrap() {}
    }
}

pub(crate) fn parts(app: &App, id: &str) -> Vec<ExportPart> {
    match app.exports.find(id).unwrap().unwrap().status {
        ExportStatus::Completed { parts, .. } => parts,
        other => panic!("{other:?}"),
    }
}

fn text(app: &App, id: &str, part: &ExportPart) -> String {
    let bytes = std::fs::read(export_report::folder(app.database.folder(), id).join(&part.file_name)).unwrap();
    assert_eq!(part.bytes, u64::try_from(bytes.len()).unwrap());
    assert_eq!(part.sha256, report_csv::hex(&Sha256::digest(&bytes)));
    String::from_utf8(bytes).unwrap()
}

pub(crate) fn whole(app: &App, id: &str) -> String {
    let parts = parts(app, id);
    let texts: Vec<String> = parts.iter().map(|part| text(app, id, part)).collect();
    let (header, _) = texts[0].split_once('\n').unwrap();
    let bodies = texts.iter().map(|text| text.strip_prefix(header).unwrap().strip_prefix('\n').unwrap());
    format!("{header}\n{}", bodies.collect::<String>())
}

#[test]
fn the_file_has_the_form_of_githubs_exports() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(1000));
    app.ledger.commit(vec![event(0), event(2), UsageEvent { id: "again".into(), ..event(0) }]).unwrap();
    create(&app, "a");
    run_due(&app);
    let [part] = &parts(&app, "a")[..] else { panic!("one part") };
    assert_eq!(
        text(&app, "a", part),
        "\"date\",\"product\",\"sku\",\"quantity\",\"unit_type\",\"applied_cost_per_quantity\",\"gross_amount\",\"discount_amount\",\
         \"net_amount\",\"username\",\"organization\",\"repository\",\"workflow_path\",\"cost_center_name\"\n\
         \"2026-11-03\",\"actions\",\"actions_linux\",\"3\",\"minutes\",\"0.006\",\"0.018\",\"0.018\",\"0\",\"mona\",\"acme\",\
         \"say \"\"hi\"\", ok\",\".github/workflows/ci.yml\",\"\"\n\
         \"2026-11-03\",\"actions\",\"actions_linux\",\"2\",\"minutes\",\"0.006\",\"0.012\",\"0.012\",\"0\",\"mona\",\"acme\",\
         \"web\",\".github/workflows/ci.yml\",\"\"\n"
    );
    let shape = part.file_name.strip_prefix("usageReport_1_").and_then(|rest| rest.strip_suffix(".csv")).unwrap();
    assert!(shape.len() == 32 && shape.bytes().all(|byte| byte.is_ascii_hexdigit()), "{}", part.file_name);
    assert_eq!(part.rows, 2);
}

#[test]
fn a_report_without_rows_is_a_file_with_a_header() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(1));
    create(&app, "a");
    run_due(&app);
    let parts = parts(&app, "a");
    assert_eq!((parts.len(), parts[0].rows), (1, 0));
    assert_eq!(text(&app, "a", &parts[0]).lines().count(), 1);
}

#[test]
fn rows_past_the_bound_go_on_in_another_part_with_its_own_header() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(1_000_000));
    use_something(&app, 0..500);
    let export = create(&app, "whole");
    run_due(&app);
    let rows = parts(&app, "whole")[0].rows;
    for (id, rows_per_part, count) in [("one", 1, rows), ("seven", 7, rows.div_ceil(7)), ("all but one", rows - 1, 2), ("all", rows, 1)] {
        app.exports.create(&Export { id: id.to_owned(), rows_per_part, ..export.clone() }).unwrap();
        run_due(&app);
        let parts = parts(&app, id);
        assert_eq!(u64::try_from(parts.len()).unwrap(), count, "{id}");
        assert!(parts.iter().rev().skip(1).all(|part| part.rows == rows_per_part), "{id}");
        assert!(parts.iter().zip(1..).all(|(part, number)| part.file_name.starts_with(&format!("usageReport_{number}_"))));
        assert_eq!(whole(&app, id), whole(&app, "whole"), "{id}");
    }
}

#[test]
fn the_same_sequence_gives_the_same_bytes_after_late_usage_a_rename_seals_a_merge_and_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(100));
    use_something(&app, 0..300);
    app.ledger.seal().unwrap();
    use_something(&app, 300..600);
    let first: Vec<Export> = ReportType::ALL
        .into_iter()
        .map(|report_type| export_of(&app, &app.ledger.mark().unwrap(), &format!("{report_type}-0"), report_type))
        .collect();
    let mut rounds = 0;
    let mut check = |app: &App| {
        for export in &first {
            let id = format!("{}-{rounds}", export.report_type);
            app.exports.create(&Export { id: id.clone(), ..export.clone() }).unwrap();
            run_due(app);
            assert_eq!(parts(app, &id), parts(app, &export.id), "{id}");
        }
        rounds += 1;
    };
    check(&app);
    use_something(&app, 600..900);
    check(&app);
    app.ledger.seal().unwrap();
    check(&app);
    let renamed = NewFact { account: Some(AccountId(2)), effective_from: None, body: FactBody::Login("acme-two".into()) };
    app.facts.append(app.clock.now(), |_| Ok::<_, StoreError>((vec![renamed], ()))).unwrap();
    app.ledger.merge().unwrap();
    check(&app);
    drop(app);
    let app = open(folder.path(), config(1));
    check(&app);
    // Beside the server, as `forgemeter report --at` does.
    let reader = store::Ledger::open_to_read(folder.path(), Arc::clone(&app.facts)).unwrap();
    for export in &first {
        let snapshot = reader.snapshot_at(export.sequence).unwrap();
        let out = tempfile::tempdir().unwrap();
        let to = Destination { folder: out.path(), rows_per_part: 100, attempt: "1".to_owned() };
        let scope = ReportScope { enterprise: export.enterprise, report_type: export.report_type, days: export.days };
        assert_eq!(report_csv::write_parts(scope, &snapshot, &to, || Ok(())).unwrap(), parts(&app, &export.id));
    }
}

#[test]
fn a_server_that_stops_puts_an_export_down_and_the_next_one_finishes_it() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(50));
    use_something(&app, 0..200);
    let undisturbed = create(&app, "undisturbed");
    run_due(&app);
    app.exports.create(&Export { id: "a".to_owned(), ..undisturbed }).unwrap();
    // What a kill in the middle leaves: a claim, a finished part, half of another, and a folder that belongs to nobody.
    app.jobs.claim(JobKind::ExportReport, app.clock.now()).unwrap().unwrap();
    let files = export_report::folder(folder.path(), "a");
    std::fs::create_dir_all(&files).unwrap();
    std::fs::write(files.join(&parts(&app, "undisturbed")[0].file_name), "old").unwrap();
    std::fs::write(files.join("half.csv.1.tmp"), "half").unwrap();
    std::fs::create_dir_all(export_report::folder(folder.path(), "nobody's")).unwrap();
    let running = start(&app);
    running.stop();
    drop(app);
    let app = open(folder.path(), config(7));
    let running = start(&app);
    wait_until(|| matches!(app.exports.find("a").unwrap().unwrap().status, ExportStatus::Completed { .. }));
    running.stop();
    assert_eq!(parts(&app, "a"), parts(&app, "undisturbed"));
    let mut names: Vec<String> =
        std::fs::read_dir(&files).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let expected: Vec<String> = parts(&app, "a").into_iter().map(|part| part.file_name).collect();
    assert_eq!(names, expected, "nothing of the broken attempt is left");
    assert!(!export_report::folder(folder.path(), "nobody's").exists());
}

/// Looks again whenever something may have happened; the test runner bounds it.
fn wait_until(mut happened: impl FnMut() -> bool) {
    while !happened() {
        std::thread::yield_now();
    }
}

#[test]
fn a_failure_is_tried_again_a_bounded_number_of_times_and_then_told() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(50));
    run_due(&app);
    let export = create(&app, "a");
    // Where the files should go lies something else, as on a disk with a problem.
    std::fs::remove_dir_all(export_report::exports_folder(folder.path())).unwrap();
    std::fs::write(export_report::exports_folder(folder.path()), "").unwrap();
    for attempt in 1..=FAILURES_MAX {
        let status = app.exports.find("a").unwrap().unwrap().status;
        assert_eq!(status, ExportStatus::Processing, "before attempt {attempt}");
        app.jobs.end_earlier_leases(JobKind::ExportReport, app.clock.now()).unwrap();
        run_next(&app, JobKind::ExportReport).unwrap();
    }
    assert!(matches!(app.exports.find("a").unwrap().unwrap().status, ExportStatus::Failed { .. }));
    std::fs::remove_file(export_report::exports_folder(folder.path())).unwrap();
    app.exports.create(&Export { id: "b".to_owned(), ..export }).unwrap();
    run_due(&app);
    assert_eq!(parts(&app, "b").len(), 1);
}

#[test]
fn what_cannot_succeed_fails_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(50));
    let mut export = export_of(&app, &app.ledger.mark().unwrap(), "a", ReportType::Detailed);
    export.sequence.number += 1_000_000;
    app.exports.create(&export).unwrap();
    run_due(&app);
    let ExportStatus::Failed { reason, .. } = app.exports.find("a").unwrap().unwrap().status else { panic!("not failed") };
    assert!(reason.contains("is not in this ledger"), "{reason}");
}

#[test]
fn files_go_with_the_record_31_days_after_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(50));
    create(&app, "a");
    run_due(&app);
    let files = export_report::folder(folder.path(), "a");
    assert!(files.exists());
    app.clock.set(app.clock.now().plus_seconds(EXPORT_KEPT_SECONDS - 60)).unwrap();
    run_due(&app);
    assert!(files.exists() && app.exports.find("a").unwrap().is_some());
    app.clock.set(app.clock.now().plus_seconds(120)).unwrap();
    run_due(&app);
    assert!(!files.exists() && app.exports.find("a").unwrap().is_none());
}

/// Speaks SMTP with one client and returns what it was sent.
fn receive_mail(listener: &TcpListener, answer_to_data: &str) -> String {
    let (stream, _) = listener.accept().unwrap();
    let mut out = stream.try_clone().unwrap();
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes()).unwrap();
    let mut mail = String::new();
    say("220 mail.example.org ESMTP");
    while let Some(line) = lines.next() {
        mail.push_str(&format!("{line}\n"));
        match line.split([' ', ':']).next().unwrap() {
            "DATA" => {
                say("354 go on");
                lines.by_ref().take_while(|line| line != ".").for_each(|line| mail.push_str(&format!("{line}\n")));
                say(answer_to_data);
            }
            "QUIT" => {
                say("221 bye");
                break;
            }
            _ => say("250 ok"),
        }
    }
    // Undoes the wrapping of long lines.
    mail.replace("=\n", "").replace("=3D", "=")
}

#[test]
fn a_mail_carries_the_links_and_its_failure_does_not_touch_the_export() {
    let folder = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let settings = Mail {
        host: "127.0.0.1".to_owned(),
        port,
        from: "Billing <billing@example.org>".to_owned(),
        tls: MailTls::None,
        username: None,
        password: None,
    };
    let app =
        open(folder.path(), Config { mail: Some(settings), public_url: Some("https://billing.example.org/".to_owned()), ..config(50) });
    let export = export_of(&app, &app.ledger.mark().unwrap(), "a1b2c3d4-e5f6-7890-abcd-ef1234567890", ReportType::Detailed);
    app.exports.create(&Export { send_email: true, ..export.clone() }).unwrap();
    let server = std::thread::spawn(move || [receive_mail(&listener, "451 try again later"), receive_mail(&listener, "250 queued")]);
    run_due(&app);
    let (parts, before) = (parts(&app, &export.id), app.exports.find(&export.id).unwrap());
    assert_eq!(app.jobs.claim(JobKind::SendMail, app.clock.now()).unwrap(), None, "it waits for its next attempt");
    app.clock.set(app.clock.now().plus_seconds(FIRST_WAIT_SECONDS)).unwrap();
    assert!(run_next(&app, JobKind::SendMail).unwrap());
    assert_eq!(app.jobs.next_due(JobKind::SendMail).unwrap(), None, "sent once, and done");
    assert_eq!(app.exports.find(&export.id).unwrap(), before, "the export is as it was");
    let mails = server.join().unwrap();
    for mail in mails {
        let link = format!("https://billing.example.org/downloads/{}/1/{}?expires=", export.id, parts[0].file_name);
        for text in [
            "MAIL FROM:<billing@example.org>",
            "RCPT TO:<mona@example.org>",
            "Message-ID: <a1b2c3d4-e5f6-7890-abcd-ef1234567890@example.org>",
            &link,
        ] {
            assert!(mail.contains(text), "{text}\n--\n{mail}");
        }
    }
}

#[test]
fn a_mail_that_cannot_be_addressed_or_sent_is_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let app = open(folder.path(), config(50));
    let export = export_of(&app, &app.ledger.mark().unwrap(), "a", ReportType::Detailed);
    app.exports.create(&Export { send_email: true, ..export }).unwrap();
    run_due(&app);
    assert_eq!(app.jobs.next_due(JobKind::SendMail).unwrap(), None);
    assert_eq!(parts(&app, "a").len(), 1);
}

#[test]
fn the_wait_after_a_failure_doubles() {
    let now = time("2026-11-03T10:00:00Z");
    for (failures, at) in [(0, "10:00:10"), (1, "10:00:20"), (6, "10:10:40")] {
        assert_eq!(next_attempt(now, failures).to_seconds_text(), format!("2026-11-03T{at}Z"));
    }
    assert!(next_attempt(now, u32::MAX) > now);
}
