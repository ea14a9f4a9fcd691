//! Blocks: the accepted events of one group commit, as one row of `ledger.db`.
//!
//! A block carries every name that its generation has not carried before, so that the blocks of one generation are readable alone.
//! Layout: `FMBL`, version, CRC-32 of the rest, then the header's numbers, the new names, and the events one after the other.

use super::codec::{Broken, Numbering, Reader, Writer};
use crate::StoreError;
use billing::usage::{Job, Tokens};
use billing::{AccountId, Day, Name, Quantity, UsageEvent, UtcTime, Visibility};

const MAGIC: &[u8; 4] = b"FMBL";
const VERSION: u8 = 1;
/// Magic, version, checksum.
const PREFIX_BYTES: usize = 9;

/// An event as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredEvent {
    pub(crate) sequence: u64,
    pub(crate) received_at: UtcTime,
    pub(crate) event: UsageEvent,
}

/// What a block says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BlockHeader {
    pub(crate) generation: u64,
    pub(crate) first_sequence: u64,
    pub(crate) events: u64,
    pub(crate) received_at: UtcTime,
    pub(crate) first_day: Day,
    pub(crate) last_day: Day,
}

impl BlockHeader {
    pub(crate) fn last_sequence(&self) -> u64 {
        self.first_sequence.saturating_add(self.events).saturating_sub(1)
    }
}

/// Encodes the events of a group, which must not be empty; new names are added to the generation's numbering.
pub(crate) fn encode(generation: u64, first_sequence: u64, received_at: UtcTime, events: &[&UsageEvent], names: &mut Numbering) -> Vec<u8> {
    let known = names.len();
    let mut records = Writer::default();
    for event in events {
        write_event(&mut records, event, received_at, names);
    }
    let (first_day, last_day) = days(events);
    let mut body = Writer::default();
    body.number(generation);
    body.number(first_sequence);
    body.number(events.len().try_into().expect("a group has fewer than 2^64 events"));
    body.signed(received_at.microseconds());
    body.signed(i64::from(first_day.number()));
    body.signed(i64::from(last_day.number()));
    let new_names = names.names().get(known..).unwrap_or(&[]);
    body.number(new_names.len().try_into().expect("a group has fewer than 2^64 names"));
    for name in new_names {
        body.text(name);
    }
    body.raw(&records.into_bytes());
    let body = body.into_bytes();
    let mut block = Vec::with_capacity(PREFIX_BYTES.saturating_add(body.len()));
    block.extend_from_slice(MAGIC);
    block.push(VERSION);
    block.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    block.extend_from_slice(&body);
    block
}

/// The first and the last day of a group's usage.
fn days(events: &[&UsageEvent]) -> (Day, Day) {
    let days = || events.iter().map(|event| event.used_at.day());
    (days().min().unwrap_or(Day::BEGINNING), days().max().unwrap_or(Day::BEGINNING))
}

fn write_event(out: &mut Writer, event: &UsageEvent, received_at: UtcTime, names: &mut Numbering) {
    let base = received_at.microseconds();
    out.number(u64::from(names.number(&event.source)));
    out.text(&event.id);
    out.signed(event.time.microseconds() - base);
    out.signed(event.used_at.microseconds() - event.time.microseconds());
    out.number(u64::from(event.owner.0));
    out.number(u64::from(names.number(&event.sku)));
    out.signed_wide(event.quantity.billionths());
    for name in [&event.repository, &event.username, &event.workflow_path, &event.model] {
        write_optional_name(out, name.as_ref(), names);
    }
    let visibility = match event.visibility {
        Visibility::Private => 0,
        Visibility::Internal => 1,
        Visibility::Public => 2,
    };
    let has_tokens = event.tokens != Tokens::default();
    out.number(visibility | (u64::from(has_tokens) << 2) | (u64::from(event.job.is_some()) << 3));
    if has_tokens {
        for count in [event.tokens.input, event.tokens.output, event.tokens.cache_read, event.tokens.cache_write] {
            out.number(count);
        }
    }
    if let Some(job) = &event.job {
        write_job(out, job, base, names);
    }
}

fn write_job(out: &mut Writer, job: &Job, base: i64, names: &mut Numbering) {
    out.number(job.runner_labels.len().try_into().expect("a job has few labels"));
    for label in &job.runner_labels {
        out.number(u64::from(names.number(label)));
    }
    write_optional_name(out, job.runner_group.as_ref(), names);
    write_optional_name(out, job.conclusion.as_ref(), names);
    out.number(job.run_id);
    out.number(job.run_attempt);
    out.number(job.job_id);
    out.signed(job.completed_at.microseconds() - base);
    match job.started_at {
        None => out.number(0),
        Some(started_at) => {
            out.number(1);
            out.signed(job.completed_at.microseconds() - started_at.microseconds());
        }
    }
}

fn write_optional_name(out: &mut Writer, name: Option<&Name>, names: &mut Numbering) {
    out.number(name.map_or(0, |name| u64::from(names.number(name)) + 1));
}

/// Checks a block's prefix and checksum and reads its header; the reader is left at the new names.
fn open<'a>(bytes: &'a [u8], file: &str) -> Result<(BlockHeader, Reader<'a>), StoreError> {
    let damaged = || StoreError::damaged(file, "a block is not what was written");
    let (prefix, body) = bytes.split_at_checked(PREFIX_BYTES).ok_or_else(damaged)?;
    if &prefix[..4] != MAGIC {
        return Err(damaged());
    }
    if prefix[4] != VERSION {
        return Err(StoreError::UnknownVersion {
            file: format!("a block of {file}"),
            found: u32::from(prefix[4]),
            known: u32::from(VERSION),
        });
    }
    if crc32fast::hash(body).to_le_bytes() != prefix[5..] {
        return Err(damaged());
    }
    let mut reader = Reader::new(body);
    let header = read_header(&mut reader).map_err(|Broken| damaged())?;
    Ok((header, reader))
}

fn read_header(reader: &mut Reader<'_>) -> Result<BlockHeader, Broken> {
    Ok(BlockHeader {
        generation: reader.number()?,
        first_sequence: reader.number()?,
        events: reader.number()?,
        received_at: read_time(reader.signed()?)?,
        first_day: read_day(reader)?,
        last_day: read_day(reader)?,
    })
}

/// Reads a block's header alone.
pub(crate) fn header(bytes: &[u8], file: &str) -> Result<BlockHeader, StoreError> {
    open(bytes, file).map(|(header, _)| header)
}

/// Reads a block's header, and adds its new names to those of its generation.
pub(crate) fn decode_names(bytes: &[u8], names: &mut Vec<Name>, file: &str) -> Result<BlockHeader, StoreError> {
    let (header, mut reader) = open(bytes, file)?;
    let mut read = || {
        for _ in 0..reader.number()? {
            names.push(reader.text()?.into());
        }
        Ok(())
    };
    read().map_err(|Broken| StoreError::damaged(file, "a block's names are not what was written"))?;
    Ok(header)
}

/// Reads a block's events with the names of its generation.
pub(crate) fn decode_events(bytes: &[u8], names: &[Name], file: &str) -> Result<Vec<StoredEvent>, StoreError> {
    let (header, mut reader) = open(bytes, file)?;
    let mut read = || {
        for _ in 0..reader.number()? {
            reader.text()?;
        }
        let mut events = Vec::new();
        for sequence in header.first_sequence..=header.last_sequence() {
            let event = read_event(&mut reader, header.received_at, names)?;
            events.push(StoredEvent { sequence, received_at: header.received_at, event });
        }
        if reader.is_done() { Ok(events) } else { Err(Broken) }
    };
    read().map_err(|Broken| StoreError::damaged(file, "a block's events are not what was written"))
}

fn read_event(reader: &mut Reader<'_>, received_at: UtcTime, names: &[Name]) -> Result<UsageEvent, Broken> {
    let base = received_at.microseconds();
    let source = read_name(reader, names)?;
    let id: Name = reader.text()?.into();
    let time = read_offset(reader, base)?;
    let used_at = read_offset(reader, time.microseconds())?;
    let owner = AccountId(reader.small()?);
    let sku = read_name(reader, names)?;
    let quantity = Quantity::from_billionths(reader.signed_wide()?);
    let repository = read_optional_name(reader, names)?;
    let username = read_optional_name(reader, names)?;
    let workflow_path = read_optional_name(reader, names)?;
    let model = read_optional_name(reader, names)?;
    let flags = reader.number()?;
    let visibility = match flags & 3 {
        0 => Visibility::Private,
        1 => Visibility::Internal,
        2 => Visibility::Public,
        _ => return Err(Broken),
    };
    let tokens = if flags & 4 == 0 {
        Tokens::default()
    } else {
        Tokens { input: reader.number()?, output: reader.number()?, cache_read: reader.number()?, cache_write: reader.number()? }
    };
    let job = if flags & 8 == 0 { None } else { Some(read_job(reader, base, names)?) };
    Ok(UsageEvent { source, id, time, used_at, owner, repository, sku, quantity, username, workflow_path, model, visibility, tokens, job })
}

fn read_job(reader: &mut Reader<'_>, base: i64, names: &[Name]) -> Result<Job, Broken> {
    let mut runner_labels = Vec::new();
    for _ in 0..reader.number()? {
        runner_labels.push(read_name(reader, names)?);
    }
    let runner_group = read_optional_name(reader, names)?;
    let conclusion = read_optional_name(reader, names)?;
    let (run_id, run_attempt, job_id) = (reader.number()?, reader.number()?, reader.number()?);
    let completed_at = read_offset(reader, base)?;
    let started_at = match reader.number()? {
        0 => None,
        _ => Some(read_time(completed_at.microseconds().checked_sub(reader.signed()?).ok_or(Broken)?)?),
    };
    Ok(Job { runner_labels, runner_group, conclusion, run_id, run_attempt, job_id, started_at, completed_at })
}

fn read_name(reader: &mut Reader<'_>, names: &[Name]) -> Result<Name, Broken> {
    names.get(reader.size()?).cloned().ok_or(Broken)
}

fn read_optional_name(reader: &mut Reader<'_>, names: &[Name]) -> Result<Option<Name>, Broken> {
    match reader.size()?.checked_sub(1) {
        None => Ok(None),
        Some(number) => names.get(number).cloned().map(Some).ok_or(Broken),
    }
}

fn read_offset(reader: &mut Reader<'_>, base: i64) -> Result<UtcTime, Broken> {
    read_time(base.checked_add(reader.signed()?).ok_or(Broken)?)
}

fn read_time(microseconds: i64) -> Result<UtcTime, Broken> {
    UtcTime::from_microseconds(microseconds).map_err(|_| Broken)
}

fn read_day(reader: &mut Reader<'_>) -> Result<Day, Broken> {
    i32::try_from(reader.signed()?).map(Day::from_number).map_err(|_| Broken)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn time(text: &str) -> UtcTime {
        UtcTime::parse(text).unwrap()
    }

    pub(crate) fn event(id: &str, at: &str) -> UsageEvent {
        UsageEvent {
            source: "/runners/eu-1".into(),
            id: id.into(),
            time: time(at),
            used_at: time(at),
            owner: AccountId(7),
            repository: Some("web".into()),
            sku: "actions_linux".into(),
            quantity: Quantity::whole(12),
            username: Some("mona".into()),
            workflow_path: Some(".github/workflows/ci.yml".into()),
            model: None,
            visibility: Visibility::Private,
            tokens: Tokens::default(),
            job: None,
        }
    }

    fn job_event(id: &str, at: &str) -> UsageEvent {
        let job = Job {
            runner_labels: vec!["ubuntu-latest".into(), "x64".into()],
            runner_group: Some("GitHub Actions".into()),
            conclusion: Some("success".into()),
            run_id: 42,
            run_attempt: 2,
            job_id: u64::MAX,
            started_at: Some(time("2026-11-03T10:00:00Z")),
            completed_at: time(at),
        };
        UsageEvent {
            job: Some(job),
            tokens: Tokens { input: 1, output: 2, cache_read: 3, cache_write: 4 },
            visibility: Visibility::Public,
            ..event(id, at)
        }
    }

    #[test]
    fn blocks_of_a_generation_are_read_back_with_their_names_alone() {
        let received_at = time("2026-11-03T12:00:00Z");
        let mut numbering = Numbering::default();
        let (one, two, three) =
            (event("a", "2026-11-03T10:15:00Z"), job_event("b", "2026-11-02T10:15:00.000001Z"), event("c", "2001-01-01T00:00:00Z"));
        let first = encode(3, 10, received_at, &[&one, &two], &mut numbering);
        let second = encode(3, 12, received_at, &[&three], &mut numbering);
        let mut names = Vec::new();
        let header = decode_names(&first, &mut names, "test").unwrap();
        assert_eq!((header.first_sequence, header.last_sequence(), header.generation), (10, 11, 3));
        assert_eq!((header.first_day.to_string(), header.last_day.to_string()), ("2026-11-02".into(), "2026-11-03".into()));
        decode_names(&second, &mut names, "test").unwrap();
        assert_eq!(names, numbering.names());
        let events = decode_events(&first, &names, "test").unwrap();
        assert_eq!(events.iter().map(|stored| &stored.event).collect::<Vec<_>>(), [&one, &two]);
        assert_eq!(decode_events(&second, &names, "test").unwrap()[0], StoredEvent { sequence: 12, received_at, event: three });
    }

    #[test]
    fn a_flipped_bit_and_an_unknown_version_are_refused_by_name() {
        let one = event("a", "2026-11-03T10:15:00Z");
        let block = encode(1, 1, time("2026-11-03T12:00:00Z"), &[&one], &mut Numbering::default());
        for place in [0, 6, 12, block.len() - 1] {
            let mut flipped = block.clone();
            flipped[place] ^= 1;
            let error = decode_names(&flipped, &mut Vec::new(), "ledger.db").unwrap_err();
            assert!(matches!(error, StoreError::Damaged { ref file, .. } if file == "ledger.db"), "{place}: {error}");
        }
        let mut newer = block.clone();
        newer[4] = 9;
        let error = decode_names(&newer, &mut Vec::new(), "ledger.db").unwrap_err();
        assert_eq!(error.to_string(), "`a block of ledger.db` has version 9, this program knows 1; use a newer program");
        assert!(decode_events(&block[..block.len() - 1], &[], "ledger.db").is_err());
    }
}
