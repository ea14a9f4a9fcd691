//! Lines files: the lines of a segment as sorted runs, one a day, in report order.
//!
//! A run is valid for the facts that it was made with; the manifest holds them, and where each part lies. Parts are readable alone:
//! each begins with its own names. Layout: `FMLN` and version, then parts of at most [`ROWS_PER_PART`] rows of one day.

use super::checked_file::{CheckedFile, Checksums, NewFile};
use super::codec::{Broken, Numbering, Reader, Writer};
use crate::StoreError;
use billing::line::{LineKey, LineSums};
use billing::usage::Tokens;
use billing::{AccountId, Amount, Day, Name, Quantity, UnitPrice, UtcTime};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

const MAGIC: &[u8; 4] = b"FMLN";
const VERSION: u32 = 1;
const HEAD_BYTES: usize = 8;

/// Rows that are read at once.
const ROWS_PER_PART: usize = 2048;

/// Where a part of a run lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LinePart {
    pub(crate) day: Day,
    pub(crate) start: u64,
    pub(crate) bytes: usize,
}

pub(crate) type Line = (LineKey, LineSums);

#[derive(Debug)]
pub(crate) struct LinesWriter {
    file: NewFile,
    name: String,
    parts: Vec<LinePart>,
    written: u64,
}

impl LinesWriter {
    pub(crate) fn create(folder: &Path, name: &str) -> Result<LinesWriter, StoreError> {
        let mut file = NewFile::create(folder, name)?;
        file.write_all(MAGIC).and_then(|()| file.write_all(&VERSION.to_le_bytes())).map_err(StoreError::io(name))?;
        Ok(LinesWriter { file, name: name.to_owned(), parts: Vec::new(), written: 8 })
    }

    /// Writes the run of a day. Days come in order, and the lines of a day sorted.
    pub(crate) fn write_day(&mut self, day: Day, lines: &[(&LineKey, &LineSums)]) -> Result<(), StoreError> {
        for rows in lines.chunks(ROWS_PER_PART) {
            let part = encode(day, rows);
            self.file.write_all(&part).map_err(StoreError::io(&self.name))?;
            self.parts.push(LinePart { day, start: self.written, bytes: part.len() });
            self.written = self.written.saturating_add(u64::try_from(part.len()).map_err(|_| StoreError::Overflow)?);
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Result<(Checksums, Vec<LinePart>), StoreError> {
        Ok((self.file.finish()?, self.parts))
    }
}

fn encode(day: Day, rows: &[(&LineKey, &LineSums)]) -> Vec<u8> {
    let (mut names, mut body) = (Numbering::default(), Writer::default());
    for (key, sums) in rows {
        write_row(&mut body, day, key, sums, &mut names);
    }
    let mut part = Writer::default();
    part.number(names.len().try_into().expect("a part has fewer than 2^64 names"));
    for name in names.names() {
        part.text(name);
    }
    part.number(rows.len().try_into().expect("a part has fewer than 2^64 rows"));
    part.raw(&body.into_bytes());
    part.into_bytes()
}

fn write_row(out: &mut Writer, day: Day, key: &LineKey, sums: &LineSums, names: &mut Numbering) {
    out.number(u64::from(key.payer.0));
    for name in [&key.product, &key.sku, &key.owner_login, &key.repository, &key.cost_center, &key.username, &key.workflow_path, &key.model]
    {
        out.number(u64::from(names.number(name)));
    }
    out.signed_wide(key.price.trillionths());
    out.number(u64::from(key.price_version));
    let has_tokens = sums.tokens != Tokens::default();
    out.number(u64::from(key.free) | (u64::from(key.public) << 1) | (u64::from(has_tokens) << 2));
    out.number(u64::from(key.owner.0));
    out.signed_wide(sums.quantity.billionths());
    out.signed_wide(sums.gross.billionths());
    out.signed(sums.first_used_at.microseconds() - day.start().microseconds());
    if has_tokens {
        for count in [sums.tokens.input, sums.tokens.output, sums.tokens.cache_read, sums.tokens.cache_write] {
            out.number(count);
        }
    }
}

fn decode(day: Day, bytes: &[u8]) -> Result<Vec<Line>, Broken> {
    let mut reader = Reader::new(bytes);
    let mut names = Vec::new();
    for _ in 0..reader.number()? {
        names.push(Name::from(reader.text()?));
    }
    let mut rows = Vec::new();
    for _ in 0..reader.number()? {
        rows.push(read_row(&mut reader, day, &names)?);
    }
    if reader.is_done() { Ok(rows) } else { Err(Broken) }
}

fn read_row(reader: &mut Reader<'_>, day: Day, names: &[Name]) -> Result<Line, Broken> {
    let payer = AccountId(reader.small()?);
    let name = |reader: &mut Reader<'_>| names.get(reader.size()?).cloned().ok_or(Broken);
    let (product, sku, owner_login, repository) = (name(reader)?, name(reader)?, name(reader)?, name(reader)?);
    let (cost_center, username, workflow_path, model) = (name(reader)?, name(reader)?, name(reader)?, name(reader)?);
    let price = UnitPrice::from_trillionths(reader.signed_wide()?);
    let price_version = reader.small()?;
    let flags = reader.number()?;
    let owner = AccountId(reader.small()?);
    let quantity = Quantity::from_billionths(reader.signed_wide()?);
    let gross = Amount::from_billionths(reader.signed_wide()?);
    let first_used_at = day.start().microseconds().checked_add(reader.signed()?).ok_or(Broken)?;
    let first_used_at = UtcTime::from_microseconds(first_used_at).map_err(|_| Broken)?;
    let tokens = if flags & 4 == 0 {
        Tokens::default()
    } else {
        Tokens { input: reader.number()?, output: reader.number()?, cache_read: reader.number()?, cache_write: reader.number()? }
    };
    let (free, public) = (flags & 1 == 1, flags & 2 == 2);
    let key = LineKey {
        payer,
        product,
        sku,
        owner_login,
        repository,
        cost_center,
        username,
        workflow_path,
        model,
        price,
        price_version,
        free,
        public,
        owner,
    };
    Ok((key, LineSums { quantity, gross, tokens, first_used_at }))
}

/// A lines file, open for reading.
#[derive(Debug, Clone)]
pub(crate) struct LinesFile {
    file: Arc<CheckedFile>,
    parts: Arc<Vec<LinePart>>,
}

impl LinesFile {
    pub(crate) fn open(folder: &Path, name: &str, checksums: Checksums, parts: Vec<LinePart>) -> Result<LinesFile, StoreError> {
        let file = CheckedFile::open(folder, name, checksums)?;
        let head = file.read(0, HEAD_BYTES)?;
        if &head[..4] != MAGIC {
            return Err(StoreError::damaged(name, "it is no lines file"));
        }
        let found = head[4..].first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        if found != VERSION {
            return Err(StoreError::UnknownVersion { file: name.to_owned(), found, known: VERSION });
        }
        Ok(LinesFile { file: Arc::new(file), parts: Arc::new(parts) })
    }

    pub(crate) fn file(&self) -> &CheckedFile {
        &self.file
    }

    /// The run of a day; empty when the file has none.
    pub(crate) fn run(&self, day: Day) -> impl Iterator<Item = Result<Line, StoreError>> + Send + use<> {
        let first = self.parts.partition_point(|part| part.day < day);
        let last = self.parts.partition_point(|part| part.day <= day);
        let (file, parts) = (Arc::clone(&self.file), Arc::clone(&self.parts));
        (first..last).flat_map(move |part| match read_part(&file, parts[part]) {
            Ok(rows) => rows.into_iter().map(Ok).collect::<Vec<_>>(),
            Err(error) => vec![Err(error)],
        })
    }
}

fn read_part(file: &CheckedFile, part: LinePart) -> Result<Vec<Line>, StoreError> {
    let bytes = file.read(part.start, part.bytes)?;
    decode(part.day, &bytes).map_err(|Broken| StoreError::damaged(file.name(), "its lines are not what was written"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(number: u32) -> Line {
        let key = LineKey {
            payer: AccountId(1),
            product: "actions".into(),
            sku: "actions_linux".into(),
            owner_login: "acme".into(),
            repository: format!("r{number:05}").into(),
            cost_center: "".into(),
            username: "mona".into(),
            workflow_path: "".into(),
            model: "".into(),
            price: UnitPrice::parse("0.006").unwrap(),
            price_version: 2,
            free: number.is_multiple_of(2),
            public: number.is_multiple_of(3),
            owner: AccountId(2),
        };
        let tokens =
            if number.is_multiple_of(5) { Tokens { input: 1, output: 2, cache_read: 0, cache_write: u64::MAX } } else { Tokens::default() };
        let first_used_at = UtcTime::parse("2026-11-03T23:59:59.999999Z").unwrap();
        (key, LineSums { quantity: Quantity::whole(number), gross: Amount::from_billionths(i128::from(number)), tokens, first_used_at })
    }

    #[test]
    fn the_run_of_each_day_is_read_back_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let lines: Vec<Line> = (0..5000).map(line).collect();
        let rows: Vec<(&LineKey, &LineSums)> = lines.iter().map(|line| (&line.0, &line.1)).collect();
        let days = ["2026-11-02", "2026-11-03", "2026-11-05"].map(|day| Day::parse(day).unwrap());
        let mut writer = LinesWriter::create(folder.path(), "lines").unwrap();
        writer.write_day(days[0], &rows[..1]).unwrap();
        writer.write_day(days[1], &rows).unwrap();
        writer.write_day(days[2], &rows[1..3]).unwrap();
        let (checksums, parts) = writer.finish().unwrap();
        let file = LinesFile::open(folder.path(), "lines", checksums, parts).unwrap();
        for (day, expected) in
            [(days[0], &lines[..1]), (days[1], &lines[..]), (days[2], &lines[1..3]), (days[0].minus_days(1), &lines[..0])]
        {
            let run: Result<Vec<Line>, _> = file.run(day).collect();
            assert!(run.unwrap() == expected, "{day}");
        }
    }
}
