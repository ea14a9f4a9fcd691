//! Events files: sealed events as plain Parquet, each row with its sequence number and all that is needed to print the event again.
//!
//! Rows are sorted by [`sort_key`], which no fact can change, so that files merge without knowing prices or accounts. Columns and
//! types are described in `docs/decisions/0003-segments.md`; any Parquet reader can open the files.

use super::block::StoredEvent;
use super::checked_file::{CheckedFile, Checksums, NewFile};
use crate::StoreError;
use arrow_array::cast::AsArray;
use arrow_array::types::{Date32Type, Decimal128Type, TimestampMicrosecondType, UInt32Type, UInt64Type};
use arrow_array::{
    Array, ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray, TimestampMicrosecondArray, UInt32Array, UInt64Array,
};
use arrow_schema::{DataType, Field, Schema, TimeUnit};
use billing::usage::{Job, Tokens};
use billing::{AccountId, Day, Name, Quantity, UsageEvent, UtcTime, Visibility};
use bytes::{Buf, Bytes};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::{ChunkReader, Length};
use std::collections::HashSet;
use std::path::Path;
use std::sync::Arc;

const VERSION: &str = "1";
const VERSION_KEY: &str = "forgemeter.events.version";

/// Rows that are compressed together and read at once.
pub(crate) const ROWS_PER_GROUP: usize = 65_536;

/// Rows that are decoded at once.
const ROWS_PER_BATCH: usize = 8_192;

/// The order of rows: day, owner, SKU, instant, repository, source, id; the sequence number only for completeness.
pub(crate) fn sort_key(stored: &StoredEvent) -> impl Ord + use<'_> {
    let event = &stored.event;
    (event.used_at.day(), event.owner, &event.sku, event.used_at, &event.repository, &event.source, &event.id, stored.sequence)
}

fn text(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Utf8, nullable)
}

fn instant(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())), nullable)
}

fn count(name: &str, nullable: bool) -> Field {
    Field::new(name, DataType::UInt64, nullable)
}

fn schema() -> Arc<Schema> {
    Arc::new(Schema::new(vec![
        count("sequence", false),
        instant("received_at", false),
        Field::new("posted_on", DataType::Date32, false),
        instant("used_at", false),
        text("type", false),
        text("source", false),
        text("id", false),
        instant("time", false),
        Field::new("owner", DataType::UInt32, false),
        text("repository", true),
        text("sku", false),
        Field::new("quantity", DataType::Decimal128(28, 9), false),
        text("username", true),
        text("workflow_path", true),
        text("model", true),
        text("visibility", false),
        count("input_tokens", false),
        count("output_tokens", false),
        count("cache_read_tokens", false),
        count("cache_write_tokens", false),
        text("runner_labels", true),
        text("runner_group", true),
        text("conclusion", true),
        count("run_id", true),
        count("run_attempt", true),
        count("job_id", true),
        instant("started_at", true),
        instant("completed_at", true),
    ]))
}

/// Writes rows that come sorted.
#[derive(Debug)]
pub(crate) struct EventsWriter {
    writer: ArrowWriter<NewFile>,
    name: String,
}

impl EventsWriter {
    pub(crate) fn create(folder: &Path, name: &str) -> Result<EventsWriter, StoreError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_max_row_group_row_count(Some(ROWS_PER_GROUP))
            .set_key_value_metadata(Some(vec![KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned())]))
            .build();
        let writer = ArrowWriter::try_new(NewFile::create(folder, name)?, schema(), Some(properties)).map_err(parquet_error(name))?;
        Ok(EventsWriter { writer, name: name.to_owned() })
    }

    pub(crate) fn write(&mut self, events: &[StoredEvent]) -> Result<(), StoreError> {
        let batch = RecordBatch::try_new(schema(), columns(events)).map_err(|error| StoreError::damaged(&self.name, error.to_string()))?;
        self.writer.write(&batch).map_err(parquet_error(&self.name))
    }

    pub(crate) fn finish(self) -> Result<Checksums, StoreError> {
        let name = self.name;
        self.writer.into_inner().map_err(parquet_error(&name))?.finish()
    }
}

/// Parquet wraps the errors of the file beneath it; a full disk must stay one.
fn parquet_error(name: &str) -> impl Fn(parquet::errors::ParquetError) -> StoreError {
    let name = name.to_owned();
    move |error| {
        if let parquet::errors::ParquetError::External(source) = &error
            && let Some(source) = source.downcast_ref::<std::io::Error>()
            && source.kind() == std::io::ErrorKind::StorageFull
        {
            return StoreError::DiskFull;
        }
        StoreError::damaged(&name, error.to_string())
    }
}

fn columns(events: &[StoredEvent]) -> Vec<ArrayRef> {
    let texts = |field: fn(&StoredEvent) -> Option<&str>| -> ArrayRef { Arc::new(events.iter().map(field).collect::<StringArray>()) };
    let instants = |field: fn(&StoredEvent) -> Option<UtcTime>| -> ArrayRef {
        let values = events.iter().map(|stored| field(stored).map(UtcTime::microseconds));
        Arc::new(values.collect::<TimestampMicrosecondArray>().with_timezone("UTC"))
    };
    let counts = |field: fn(&StoredEvent) -> Option<u64>| -> ArrayRef { Arc::new(events.iter().map(field).collect::<UInt64Array>()) };
    let job = |stored: &StoredEvent| stored.event.job.clone();
    let labels = events.iter().map(|stored| job(stored).map(|job| join_labels(&job.runner_labels))).collect::<StringArray>();
    let quantities = events.iter().map(|stored| Some(stored.event.quantity.billionths())).collect::<Decimal128Array>();
    vec![
        counts(|stored| Some(stored.sequence)),
        instants(|stored| Some(stored.received_at)),
        Arc::new(events.iter().map(|stored| Some(stored.event.used_at.day().number())).collect::<Date32Array>()),
        instants(|stored| Some(stored.event.used_at)),
        texts(|stored| Some(if stored.event.job.is_some() { "ci.job.completed" } else { "usage.recorded" })),
        texts(|stored| Some(&stored.event.source)),
        texts(|stored| Some(&stored.event.id)),
        instants(|stored| Some(stored.event.time)),
        Arc::new(events.iter().map(|stored| Some(stored.event.owner.0)).collect::<UInt32Array>()),
        texts(|stored| stored.event.repository.as_deref()),
        texts(|stored| Some(&stored.event.sku)),
        Arc::new(quantities.with_data_type(DataType::Decimal128(28, 9))),
        texts(|stored| stored.event.username.as_deref()),
        texts(|stored| stored.event.workflow_path.as_deref()),
        texts(|stored| stored.event.model.as_deref()),
        texts(|stored| Some(stored.event.visibility.as_str())),
        counts(|stored| Some(stored.event.tokens.input)),
        counts(|stored| Some(stored.event.tokens.output)),
        counts(|stored| Some(stored.event.tokens.cache_read)),
        counts(|stored| Some(stored.event.tokens.cache_write)),
        Arc::new(labels),
        texts(|stored| stored.event.job.as_ref().and_then(|job| job.runner_group.as_deref())),
        texts(|stored| stored.event.job.as_ref().and_then(|job| job.conclusion.as_deref())),
        counts(|stored| stored.event.job.as_ref().map(|job| job.run_id)),
        counts(|stored| stored.event.job.as_ref().map(|job| job.run_attempt)),
        counts(|stored| stored.event.job.as_ref().map(|job| job.job_id)),
        instants(|stored| stored.event.job.as_ref().and_then(|job| job.started_at)),
        instants(|stored| stored.event.job.as_ref().map(|job| job.completed_at)),
    ]
}

/// Labels hold no control characters, so a line feed keeps them apart.
fn join_labels(labels: &[Name]) -> String {
    labels.iter().map(|label| &**label).collect::<Vec<_>>().join("\n")
}

impl Length for CheckedFile {
    fn len(&self) -> u64 {
        self.length()
    }
}

/// Parquet's view of a checked file.
#[derive(Debug, Clone)]
struct Source(Arc<CheckedFile>);

impl Length for Source {
    fn len(&self) -> u64 {
        self.0.length()
    }
}

/// Bytes that one sequential read takes from the file at once.
const READ_BYTES: usize = 64 * 1024;

impl ChunkReader for Source {
    type T = bytes::buf::Reader<Bytes>;

    fn get_read(&self, start: u64) -> parquet::errors::Result<Self::T> {
        let rest = self.0.length().saturating_sub(start);
        let length = usize::try_from(rest).unwrap_or(usize::MAX).min(READ_BYTES);
        self.get_bytes(start, length).map(Buf::reader)
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        self.0.read(start, length).map_err(|error| parquet::errors::ParquetError::General(error.to_string()))
    }
}

/// An events file, open for reading.
#[derive(Debug, Clone)]
pub(crate) struct EventsFile {
    file: Arc<CheckedFile>,
}

impl EventsFile {
    pub(crate) fn open(folder: &Path, name: &str, checksums: Checksums) -> Result<EventsFile, StoreError> {
        Ok(EventsFile { file: Arc::new(CheckedFile::open(folder, name, checksums)?) })
    }

    pub(crate) fn file(&self) -> &CheckedFile {
        &self.file
    }

    /// Rows `first` to `first + rows`.
    pub(crate) fn rows(&self, first: u64, rows: u64) -> Result<EventRows, StoreError> {
        let name = self.file.name();
        let builder = ParquetRecordBatchReaderBuilder::try_new(Source(Arc::clone(&self.file))).map_err(parquet_error(name))?;
        check_version(&builder, name)?;
        let (first, rows) =
            (usize::try_from(first).map_err(|_| StoreError::Overflow)?, usize::try_from(rows).map_err(|_| StoreError::Overflow)?);
        let groups = first / ROWS_PER_GROUP..first.saturating_add(rows).div_ceil(ROWS_PER_GROUP).min(builder.metadata().num_row_groups());
        let reader = builder
            .with_row_groups(groups.collect())
            .with_offset(first % ROWS_PER_GROUP)
            .with_limit(rows)
            .with_batch_size(ROWS_PER_BATCH.min(rows.max(1)))
            .build()
            .map_err(parquet_error(name))?;
        Ok(EventRows { reader, name: name.to_owned(), ready: Vec::new().into_iter(), names: HashSet::new() })
    }
}

fn check_version(builder: &ParquetRecordBatchReaderBuilder<Source>, name: &str) -> Result<(), StoreError> {
    let found = builder.metadata().file_metadata().key_value_metadata().and_then(|pairs| pairs.iter().find(|pair| pair.key == VERSION_KEY));
    match found.and_then(|pair| pair.value.as_deref()) {
        Some(VERSION) => Ok(()),
        Some(other) => Err(StoreError::UnknownVersion { file: name.to_owned(), found: other.parse().unwrap_or(u32::MAX), known: 1 }),
        None => Err(StoreError::damaged(name, "it does not say which version it has")),
    }
}

/// Events of a file, in its order.
pub(crate) struct EventRows {
    reader: ParquetRecordBatchReader,
    name: String,
    ready: std::vec::IntoIter<StoredEvent>,
    names: HashSet<Name>,
}

impl std::fmt::Debug for EventRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "EventRows({})", self.name)
    }
}

/// Names that a reader shares between rows before it starts afresh.
const SHARED_NAMES_MAX: usize = 100_000;

impl Iterator for EventRows {
    type Item = Result<StoredEvent, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.ready.next() {
                return Some(Ok(event));
            }
            let batch = match self.reader.next()? {
                Ok(batch) => batch,
                Err(error) => return Some(Err(StoreError::damaged(&self.name, error.to_string()))),
            };
            if self.names.len() > SHARED_NAMES_MAX {
                self.names.clear();
            }
            match Columns::of(&batch).and_then(|columns| columns.events(&mut self.names)) {
                Some(events) => self.ready = events.into_iter(),
                None => return Some(Err(StoreError::damaged(&self.name, "its columns are not what was written"))),
            }
        }
    }
}

/// The columns of a batch by their place in [`schema`].
struct Columns<'a> {
    batch: &'a RecordBatch,
}

impl<'a> Columns<'a> {
    fn of(batch: &'a RecordBatch) -> Option<Columns<'a>> {
        let expected = schema();
        let same = batch.num_columns() == expected.fields().len()
            && expected
                .fields()
                .iter()
                .zip(batch.schema_ref().fields())
                .all(|(one, other)| one.name() == other.name() && one.data_type() == other.data_type());
        same.then_some(Columns { batch })
    }

    fn text(&self, column: usize, row: usize) -> Option<&'a str> {
        let array = self.batch.column(column).as_string::<i32>();
        array.is_valid(row).then(|| array.value(row))
    }

    fn count(&self, column: usize, row: usize) -> Option<u64> {
        let array = self.batch.column(column).as_primitive::<UInt64Type>();
        array.is_valid(row).then(|| array.value(row))
    }

    fn instant(&self, column: usize, row: usize) -> Option<UtcTime> {
        self.optional_instant(column, row).flatten()
    }

    /// `None` when the column holds what is no instant.
    fn optional_instant(&self, column: usize, row: usize) -> Option<Option<UtcTime>> {
        let array = self.batch.column(column).as_primitive::<TimestampMicrosecondType>();
        if array.is_null(row) {
            return Some(None);
        }
        let Ok(time) = UtcTime::from_microseconds(array.value(row)) else { return None };
        Some(Some(time))
    }

    fn events(&self, names: &mut HashSet<Name>) -> Option<Vec<StoredEvent>> {
        (0..self.batch.num_rows()).map(|row| self.event(row, names)).collect()
    }

    fn event(&self, row: usize, names: &mut HashSet<Name>) -> Option<StoredEvent> {
        let mut shared = |text: &str| match names.get(text) {
            Some(name) => name.clone(),
            None => {
                let name: Name = text.into();
                names.insert(name.clone());
                name
            }
        };
        let mut name = |column: usize| self.text(column, row).map(&mut shared);
        let event = UsageEvent {
            source: name(5)?,
            repository: name(9),
            sku: name(10)?,
            username: name(12),
            workflow_path: name(13),
            model: name(14),
            job: self.job(row, &mut name)?,
            id: self.text(6, row)?.into(),
            time: self.instant(7, row)?,
            used_at: self.instant(3, row)?,
            owner: AccountId(self.batch.column(8).as_primitive::<UInt32Type>().value(row)),
            quantity: Quantity::from_billionths(self.batch.column(11).as_primitive::<Decimal128Type>().value(row)),
            visibility: Visibility::parse(self.text(15, row)?)?,
            tokens: Tokens {
                input: self.count(16, row)?,
                output: self.count(17, row)?,
                cache_read: self.count(18, row)?,
                cache_write: self.count(19, row)?,
            },
        };
        let posted_on = Day::from_number(self.batch.column(2).as_primitive::<Date32Type>().value(row));
        let consistent = posted_on == event.used_at.day();
        consistent.then_some(StoredEvent { sequence: self.count(0, row)?, received_at: self.instant(1, row)?, event })
    }

    /// The job of a row: `Some(None)` for a row without one.
    fn job(&self, row: usize, name: &mut impl FnMut(usize) -> Option<Name>) -> Option<Option<Job>> {
        let Some(labels) = self.text(20, row) else { return Some(None) };
        let runner_labels = if labels.is_empty() { Vec::new() } else { labels.split('\n').map(Name::from).collect() };
        Some(Some(Job {
            runner_labels,
            runner_group: name(21),
            conclusion: name(22),
            run_id: self.count(23, row)?,
            run_attempt: self.count(24, row)?,
            job_id: self.count(25, row)?,
            started_at: self.optional_instant(26, row)?,
            completed_at: self.instant(27, row)?,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::super::block::tests::{event, time};
    use super::*;

    fn stored(sequence: u64) -> StoredEvent {
        let mut event = event(&format!("e{sequence}"), "2026-11-03T10:15:00Z");
        if sequence.is_multiple_of(3) {
            event.job = Some(Job {
                runner_labels: vec!["a".into(), "b".into()],
                runner_group: None,
                conclusion: Some("success".into()),
                run_id: sequence,
                run_attempt: 1,
                job_id: u64::MAX,
                started_at: None,
                completed_at: event.used_at,
            });
            event.repository = None;
            event.quantity = Quantity::MAX;
        }
        StoredEvent { sequence, received_at: time("2026-11-03T12:00:00Z"), event }
    }

    #[test]
    fn any_range_of_rows_is_read_back_as_written() {
        let folder = tempfile::tempdir().unwrap();
        let events: Vec<StoredEvent> = (0..150_000).map(stored).collect();
        let mut writer = EventsWriter::create(folder.path(), "events-1.parquet").unwrap();
        for chunk in events.chunks(10_000) {
            writer.write(chunk).unwrap();
        }
        let checksums = writer.finish().unwrap();
        let file = EventsFile::open(folder.path(), "events-1.parquet", checksums).unwrap();
        for (first, rows) in [(0, 1), (65_535, 2), (70_000, 3), (149_999, 1), (0, 0), (131_072, 18_928)] {
            let read: Result<Vec<_>, _> = file.rows(first as u64, rows as u64).unwrap().collect();
            assert!(read.unwrap() == events[first..first + rows], "{first}+{rows}");
        }
    }
}
