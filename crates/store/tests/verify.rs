//! `verify` on real folders: clean after commits, seals, merges and restarts, beside a serving process and without one; and every kind
//! of tampering is found and named, also where all checksums are right.

#![allow(clippy::unwrap_used, clippy::tests_outside_test_module, reason = "a test may stop at the first surprise")]

use arrow_array::cast::AsArray;
use arrow_array::types::Decimal128Type;
use arrow_array::{Array, Decimal128Array, RecordBatch};
use billing::account::AccountKind;
use billing::usage::Tokens;
use billing::{AccountId, Quantity, UsageEvent, UtcTime, Visibility};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::properties::WriterProperties;
use rusqlite::Connection;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::database::Database;
use store::facts::{FactBody, NewFact};
use store::ledger::{LedgerLimits, Verification, verify};
use store::{Clock, FactsDatabase, Ledger, StoreError};

const ACME: AccountId = AccountId(1);
const GLOBEX: AccountId = AccountId(2);

fn time(text: &str) -> UtcTime {
    UtcTime::parse(text).unwrap()
}

/// One serving process on a folder.
struct Process {
    facts: Arc<FactsDatabase>,
    clock: Arc<Clock>,
    ledger: Ledger,
}

fn open(folder: &Path) -> Process {
    let database = Arc::new(Database::open(folder).unwrap());
    let facts = Arc::new(FactsDatabase::open(Arc::clone(&database)).unwrap());
    let clock = Arc::new(Clock::open(database).unwrap());
    if facts.current().unwrap().number.0 == 0 {
        clock.set(time("2026-11-18T10:00:00Z")).unwrap();
        for (account, login) in [(ACME, "acme"), (GLOBEX, "globex")] {
            let body = FactBody::Created { kind: AccountKind::Organization, login: login.into() };
            append(&facts, NewFact { account: Some(account), effective_from: None, body });
        }
    }
    // Only the tests seal: the clock is moved by a day below.
    let limits = LedgerLimits { seal_seconds: 1_000_000_000, ..LedgerLimits::default() };
    let ledger = Ledger::open(folder, Arc::clone(&facts), Arc::clone(&clock), limits).unwrap();
    Process { facts, clock, ledger }
}

fn append(facts: &FactsDatabase, new: NewFact) {
    facts.append(time("2026-11-18T10:00:00Z"), |_| Ok::<_, StoreError>((vec![new], ()))).unwrap();
}

fn event(number: u32) -> UsageEvent {
    let at = format!("2026-{:02}-{:02}T{:02}:15:00Z", 10 + number % 2, 1 + number % 9, number % 24);
    UsageEvent {
        source: "/runners".into(),
        id: format!("e{number}").into(),
        time: time(&at),
        used_at: time(&at),
        owner: if number.is_multiple_of(3) { GLOBEX } else { ACME },
        repository: Some(format!("Repo-{}", number % 5).into()),
        sku: if number.is_multiple_of(7) { "no_such_sku".into() } else { "actions_linux".into() },
        quantity: Quantity::whole(number % 11),
        username: Some(format!("user-{}", number % 4).into()),
        workflow_path: Some(".github/workflows/ci.yml".into()),
        model: None,
        visibility: Visibility::Private,
        tokens: Tokens::default(),
        job: None,
    }
}

fn commit(process: &Process, numbers: std::ops::Range<u32>) {
    process.ledger.commit(numbers.map(event).collect()).unwrap();
}

fn verified(folder: &Path) -> Verification {
    let facts = FactsDatabase::open(Arc::new(Database::open(folder).unwrap())).unwrap();
    verify(folder, &facts, |done, total| assert!(done <= total)).unwrap()
}

fn expect_clean(folder: &Path, events: u64, when: &str) {
    let verification = verified(folder);
    assert_eq!(verification.findings.listed, [], "{when}");
    assert_eq!(verification.events, events, "{when}");
}

#[test]
fn a_folder_is_clean_after_commits_seals_merges_restarts_and_changes_of_facts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let process = open(path);
    expect_clean(path, 0, "nothing yet");
    commit(&process, 0..700);
    commit(&process, 600..900);
    expect_clean(path, 900, "blocks, beside the process that serves them");
    process.ledger.seal().unwrap();
    expect_clean(path, 900, "a segment");
    process.clock.set(time("2026-11-19T10:00:00Z")).unwrap();
    commit(&process, 900..1500);
    process.ledger.mark().unwrap();
    expect_clean(path, 1500, "a segment and blocks of another day");
    append(&process.facts, NewFact { account: Some(ACME), effective_from: None, body: FactBody::Login("acme-corp".into()) });
    commit(&process, 1500..1600);
    expect_clean(path, 1600, "a new name");
    process.ledger.seal().unwrap();
    commit(&process, 1500..1700);
    drop(process);
    expect_clean(path, 1700, "two segments with other facts, and a tail");
    let process = open(path);
    process.ledger.merge().unwrap();
    expect_clean(path, 1700, "a merge");
    process.ledger.close().unwrap();
    drop(process);
    let verification = verified(path);
    assert_eq!((verification.segments, verification.blocks), (2, 0));
    assert!(verification.findings.is_empty());
}

/// Two segments, a tail of two generations, marks of two days.
fn prepare(folder: &Path) {
    let process = open(folder);
    commit(&process, 0..400);
    process.ledger.seal().unwrap();
    commit(&process, 400..700);
    process.ledger.seal().unwrap();
    process.clock.set(time("2026-11-19T10:00:00Z")).unwrap();
    commit(&process, 700..800);
    commit(&process, 800..900);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// A folder to tamper with.
struct Victim {
    folder: PathBuf,
    ledger: Connection,
}

impl Victim {
    fn sql(&self, sql: &str) {
        self.ledger.execute_batch(sql).unwrap();
    }

    /// A file of the first segment: `events`, `lines` or `ids`.
    fn file(&self, kind: &str) -> PathBuf {
        let name: String = self.ledger.query_row("SELECT name FROM segment ORDER BY number LIMIT 1", [], |row| row.get(0)).unwrap();
        let ending = match kind {
            "events" => "parquet",
            "lines" => "fml",
            _ => "fmi",
        };
        self.folder.join("segments").join(format!("{kind}-{name}.{ending}"))
    }

    fn flip(&self, kind: &str, place: usize) {
        let mut bytes = std::fs::read(self.file(kind)).unwrap();
        bytes[place] ^= 1;
        std::fs::write(self.file(kind), bytes).unwrap();
    }

    /// Replaces a file and its checksums, as a writer with a mistake would.
    fn rewrite(&self, kind: &str, bytes: &[u8]) {
        std::fs::write(self.file(kind), bytes).unwrap();
        let sums: Vec<u8> = bytes.chunks(16 * 1024).flat_map(|part| crc32fast::hash(part).to_le_bytes()).collect();
        let sql = format!("UPDATE segment SET {kind}_length = ?1, {kind}_sums = ?2 WHERE number = (SELECT min(number) FROM segment)");
        self.ledger.execute(&sql, rusqlite::params![i64::try_from(bytes.len()).unwrap(), sums]).unwrap();
    }

    /// Adds a billionth to the quantity of the first event.
    fn bend_a_quantity(&self) {
        let builder = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(self.file("events")).unwrap()).unwrap();
        let (schema, metadata) = (builder.schema().clone(), builder.metadata().file_metadata().key_value_metadata().cloned());
        let metadata = metadata.unwrap().into_iter().filter(|pair| pair.key != "ARROW:schema").collect();
        let properties = WriterProperties::builder().set_key_value_metadata(Some(metadata)).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), schema.clone(), Some(properties)).unwrap();
        for batch in builder.with_batch_size(1 << 20).build().unwrap() {
            let mut columns = batch.unwrap().columns().to_vec();
            let place = schema.index_of("quantity").unwrap();
            let quantities = columns[place].as_primitive::<Decimal128Type>();
            let bent = (0..quantities.len()).map(|row| Some(quantities.value(row) + i128::from(row == 0)));
            columns[place] = Arc::new(bent.collect::<Decimal128Array>().with_data_type(quantities.data_type().clone()));
            writer.write(&RecordBatch::try_new(schema.clone(), columns).unwrap()).unwrap();
        }
        self.rewrite("events", &writer.into_inner().unwrap());
    }
}

type Tampering = (&'static str, fn(&Victim), &'static [&'static str]);

/// What is done, how, and what findings must say.
const TAMPERINGS: &[Tampering] = &[
    ("a bit of the events file", |victim| victim.flip("events", 2000), &["part 0 does not match its checksum"]),
    ("a bit of the lines file", |victim| victim.flip("lines", 100), &["fml", "checksum"]),
    ("a bit of the id file", |victim| victim.flip("ids", 5000), &["fmi", "checksum"]),
    ("an events file is gone", |victim| std::fs::remove_file(victim.file("events")).unwrap(), &["parquet", "No such file"]),
    ("an id file is gone", |victim| std::fs::remove_file(victim.file("ids")).unwrap(), &["fmi", "No such file"]),
    (
        "a file is cut",
        |victim| {
            let bytes = std::fs::read(victim.file("lines")).unwrap();
            std::fs::write(victim.file("lines"), &bytes[..bytes.len() - 1]).unwrap();
        },
        &["fml", "bytes instead of"],
    ),
    ("a checksum is gone", |victim| victim.sql("UPDATE segment SET ids_sums = x'' WHERE number = 1"), &["its checksums are not those"]),
    (
        "an event's quantity",
        Victim::bend_a_quantity,
        &["has another content", "does not hold what its events come to", "totals of account 2"],
    ),
    (
        "an identity is another",
        |victim| {
            let mut bytes = std::fs::read(victim.file("ids")).unwrap();
            bytes[4096 + 15] ^= 1;
            victim.rewrite("ids", &bytes);
        },
        &["identities are not those of the 400 events", "is missing"],
    ),
    (
        "two rows of the id file are exchanged",
        |victim| {
            let mut bytes = std::fs::read(victim.file("ids")).unwrap();
            let (one, other) = (bytes[4096 + 24], bytes[4096 + 56]);
            (bytes[4096 + 24], bytes[4096 + 56]) = (other, one);
            victim.rewrite("ids", &bytes);
        },
        &["is said to be at row"],
    ),
    (
        "the last identity is gone",
        |victim| {
            let mut bytes = std::fs::read(victim.file("ids")).unwrap();
            bytes[8..16].copy_from_slice(&399_u64.to_le_bytes());
            bytes.truncate(bytes.len() - 32);
            victim.rewrite("ids", &bytes);
        },
        &["its 399 identities", "is missing"],
    ),
    (
        "a line's sums",
        |victim| {
            let mut bytes = std::fs::read(victim.file("lines")).unwrap();
            let last = bytes.len() - 4;
            bytes[last] ^= 2;
            victim.rewrite("lines", &bytes);
        },
        &["fml"],
    ),
    ("the totals of a month are gone", |victim| victim.sql("DELETE FROM month_total WHERE segment = 1 AND payer = 2"), &["are missing"]),
    (
        "the totals of a month are those of another",
        |victim| {
            victim.sql("UPDATE month_total SET body = (SELECT body FROM month_total WHERE segment = 2 AND payer = 1 AND month = '2026-10') WHERE segment = 1 AND payer = 1 AND month = '2026-10'");
        },
        &["the totals of account 1 and month 2026-10", "are not what its events come to"],
    ),
    (
        "totals without events",
        |victim| victim.sql("INSERT INTO month_total SELECT segment, 9, month, body FROM month_total WHERE segment = 1 AND payer = 1"),
        &["has totals of account 9"],
    ),
    (
        "totals of no segment",
        |victim| victim.sql("PRAGMA foreign_keys = off; UPDATE month_total SET segment = 77 WHERE segment = 1"),
        &["belongs to nothing"],
    ),
    (
        "a record's count",
        |victim| victim.sql("UPDATE segment SET last_sequence = last_sequence + 1 WHERE number = 1"),
        &["other sequence numbers"],
    ),
    ("a record's facts", |victim| victim.sql("UPDATE segment SET fact_number = 99 WHERE number = 1"), &["it ends at fact 2"]),
    (
        "a segment is forgotten",
        |victim| victim.sql("PRAGMA foreign_keys = on; DELETE FROM segment WHERE number = 1"),
        &["are those of no event and no mark"],
    ),
    (
        "the first block of the tail is gone",
        |victim| {
            victim.sql(
                "DELETE FROM block WHERE last_sequence = (SELECT min(last_sequence) FROM block, ledger WHERE last_sequence > watermark)",
            )
        },
        &["a block's events are not what was written", "cannot be read"],
    ),
    (
        "a block has a bit more",
        |victim| {
            victim.sql("UPDATE block SET body = CAST(body || x'00' AS BLOB) WHERE last_sequence = (SELECT max(last_sequence) FROM block)")
        },
        &["a block is not what was written"],
    ),
    (
        "a block lies under another number",
        |victim| {
            victim.sql("UPDATE block SET last_sequence = last_sequence + 5 WHERE last_sequence = (SELECT max(last_sequence) FROM block)")
        },
        &["says that it ends at"],
    ),
    (
        "the watermark lies too high",
        |victim| victim.sql("UPDATE ledger SET watermark = watermark + 1000"),
        &["are those of no event and no mark"],
    ),
    (
        "the watermark lies too low",
        |victim| victim.sql("UPDATE ledger SET watermark = 0"),
        &["other events below the watermark than its record says"],
    ),
    (
        "a mark is gone",
        |victim| victim.sql("DELETE FROM mark WHERE sequence = (SELECT max(sequence) FROM mark)"),
        &["but the mark before it is of"],
    ),
    ("every mark is gone", |victim| victim.sql("DELETE FROM mark"), &["has no mark before it", "numbers 1 to 1 are"]),
    (
        "a mark goes back",
        |victim| victim.sql("UPDATE mark SET received_at = 946684800000000 WHERE sequence > 1"),
        &["goes back in time", "received at"],
    ),
    ("a mark knows too much", |victim| victim.sql("UPDATE mark SET fact_number = 50 WHERE sequence > 1"), &["refers to fact 50"]),
    (
        "a mark has an event's number",
        |victim| victim.sql("UPDATE mark SET sequence = 2 WHERE sequence = 1"),
        &["has a sequence number that something else has", "has no mark before it"],
    ),
    ("a spelling is another", |victim| victim.sql("UPDATE spelling SET text = 'REPO-1' WHERE text = 'Repo-1'"), &["is spelled `Repo-1`"]),
    ("a spelling is gone", |victim| victim.sql("DELETE FROM spelling WHERE text = 'user-2'"), &["is spelled `user-2`"]),
];

#[test]
fn every_kind_of_tampering_is_found_and_named() {
    let prepared = tempfile::tempdir().unwrap();
    prepare(prepared.path());
    expect_clean(prepared.path(), 900, "before any tampering");
    let all = tempfile::tempdir().unwrap();
    for (number, (what, tamper, expected)) in TAMPERINGS.iter().enumerate() {
        let folder = all.path().join(number.to_string());
        copy(prepared.path(), &folder);
        let victim = Victim { ledger: Connection::open(folder.join("ledger.db")).unwrap(), folder: folder.clone() };
        tamper(&victim);
        drop(victim);
        let findings: Vec<String> =
            verified(&folder).findings.listed.into_iter().map(|finding| format!("{}: {}", finding.file, finding.what)).collect();
        assert!(!findings.is_empty(), "{what}: nothing was found");
        for wanted in *expected {
            assert!(findings.iter().any(|finding| finding.contains(wanted)), "{what}: no finding says `{wanted}`: {findings:#?}");
        }
    }
}

/// As if the seal had not moved the watermark: the blocks that it sealed count again.
#[test]
fn an_event_that_is_sealed_and_in_the_tail_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let process = open(folder.path());
    commit(&process, 0..100);
    let ledger = Connection::open(folder.path().join("ledger.db")).unwrap();
    ledger.execute_batch("CREATE TEMP TABLE kept AS SELECT * FROM block").unwrap();
    process.ledger.seal().unwrap();
    drop(process);
    ledger.execute_batch("INSERT OR REPLACE INTO block SELECT * FROM kept; UPDATE ledger SET watermark = 0").unwrap();
    drop(ledger);
    let findings = verified(folder.path()).findings;
    let says = |wanted: &str| findings.listed.iter().filter(|finding| finding.what.contains(wanted)).count();
    assert_eq!(says("are the same event: it is counted twice"), 100, "{findings:#?}");
    assert_eq!(says("has a sequence number that something else has"), 100, "{findings:#?}");
}
