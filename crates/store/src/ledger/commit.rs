//! The committer: the one thread that writes `ledger.db`.
//!
//! It takes what waits as one group, decides for each event whether it is new, writes the new ones as one block in one transaction,
//! and only then publishes the block and answers. That transaction is the only commit point. A full disk refuses the group; any
//! other failed write stops the process, because nobody can know what the disk then holds.

use super::block;
use super::codec::Numbering;
use super::generation::Generation;
use super::identity::{Identity, IdentityKey, IdentitySet, Known, differing_field};
use super::manifest::{Group, LedgerFile, Mark, NameKey, NameKind};
use super::place::Place;
use super::published::{Loaded, Published, Shared};
use super::seal::{Install, Sealer};
use super::spellings::Spellings;
use super::{Answer, Committed, Sequence, Verdict};
use crate::planted::{Fault, is_planted};
use crate::{Clock, StoreError, durable};
use billing::account::folded;
use billing::{AccountId, Facts, Name, UsageEvent, UtcTime};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TryRecvError, sync_channel};
use std::time::{Duration, Instant};

/// How far past the clock an event's time may lie.
const FUTURE_SECONDS_MAX: i64 = 24 * 3600;
/// Events and bytes of one group; a larger single body goes alone.
const GROUP_EVENTS_MAX: usize = 10_000;
/// The shortest wait for further senders.
const GROUP_WAIT_MIN: Duration = Duration::from_micros(200);
/// The longest wait for further senders, however slow the disk.
const GROUP_WAIT_MAX: Duration = Duration::from_millis(10);
/// Blocks that are deleted at once after a seal, so that no group waits long for it.
const BLOCKS_PER_SLICE: u32 = 32;

/// A body of events with what can be computed before the committer sees it.
pub(crate) struct Submission {
    events: Vec<Prepared>,
    answer: Answer,
}

struct Prepared {
    event: UsageEvent,
    identity: Identity,
    content: u64,
}

impl Submission {
    pub(crate) fn new(events: Vec<UsageEvent>, key: &IdentityKey, answer: Answer) -> Submission {
        let prepare = |event: UsageEvent| Prepared {
            identity: key.identity(event.owner, &event.source, &event.id),
            content: key.content(&event),
            event,
        };
        Submission { events: events.into_iter().map(prepare).collect(), answer }
    }
}

/// Where the answer to a question goes.
pub(crate) type Reply<T> = SyncSender<Result<T, StoreError>>;

/// What the committer is asked to do.
pub(crate) enum Message {
    Submit(Submission),
    Mark(Reply<Mark>),
    /// Begin a new generation and hand over all others.
    CloseGeneration(Reply<Vec<Arc<Generation>>>),
    Install(Box<Install>, Reply<()>),
}

/// Asks and waits.
pub(crate) fn ask<T>(sender: &SyncSender<Message>, message: impl FnOnce(Reply<T>) -> Message) -> Result<T, StoreError> {
    let (reply, answer) = sync_channel(1);
    sender.send(message(reply)).map_err(|_| StoreError::Busy)?;
    answer.recv().map_err(|_| StoreError::Busy)?
}

fn reply<T>(to: &Reply<T>, answer: Result<T, StoreError>) {
    if to.send(answer).is_err() {
        eprintln!("forgemeter: a caller of the ledger went away before its answer");
    }
}

pub(crate) struct Committer {
    file: LedgerFile,
    shared: Arc<Shared>,
    clock: Arc<Clock>,
    sealer: Arc<Sealer>,
    spellings: Spellings,
    last_mark: Option<Mark>,
    /// The identities of each generation of the tail, by its number.
    identities: BTreeMap<u64, IdentitySet>,
    numbering: Numbering,
    blocks_to_drop: bool,
    last_group: usize,
    last_commit: Instant,
    last_commit_took: Duration,
}

/// What a group has decided but not yet written.
#[derive(Default)]
struct Decided {
    accepted: Vec<(Identity, u64, UsageEvent)>,
    by_identity: HashMap<Identity, usize>,
    spellings: BTreeMap<NameKey, Name>,
    verdicts: Vec<Vec<Verdict>>,
}

impl Committer {
    pub(crate) fn new(
        file: LedgerFile,
        shared: Arc<Shared>,
        clock: Arc<Clock>,
        loaded: Loaded,
        sealer: Arc<Sealer>,
    ) -> Result<Committer, StoreError> {
        let published = shared.published();
        clock.not_before(published.received_at);
        let mut identities = BTreeMap::new();
        for generation in &published.generations {
            let mut set = IdentitySet::default();
            for stored in generation.pick(u64::MAX, |_| true)? {
                let identity = shared.key.identity(stored.event.owner, &stored.event.source, &stored.event.id);
                set.insert(identity, Known { content: shared.key.content(&stored.event), sequence: stored.sequence });
            }
            identities.insert(generation.number, set);
        }
        let mut committer = Committer {
            file,
            shared,
            clock,
            sealer,
            spellings: Spellings::of(loaded.spellings),
            last_mark: loaded.last_mark,
            identities,
            numbering: Numbering::default(),
            blocks_to_drop: true,
            last_group: 1,
            last_commit: Instant::now(),
            last_commit_took: Duration::ZERO,
        };
        committer.begin_generation();
        Ok(committer)
    }

    /// Works until nobody can ask any more.
    pub(crate) fn run(mut self, receiver: &Receiver<Message>) {
        let mut next = None;
        loop {
            let message = match next.take() {
                Some(message) => message,
                None => match self.wait(receiver) {
                    Some(message) => message,
                    None => return,
                },
            };
            match message {
                Message::Submit(first) => next = self.group(first, receiver),
                Message::Mark(to) => {
                    let mark = self.mark();
                    reply(&to, mark);
                }
                Message::CloseGeneration(to) => {
                    let closed = self.close_generation();
                    reply(&to, Ok(closed));
                }
                Message::Install(install, to) => {
                    let installed = self.install(*install);
                    reply(&to, installed);
                }
            }
        }
    }

    /// The next message; while none waits, sealed blocks are deleted slice by slice.
    fn wait(&mut self, receiver: &Receiver<Message>) -> Option<Message> {
        while self.blocks_to_drop {
            match receiver.try_recv() {
                Ok(message) => return Some(message),
                Err(TryRecvError::Disconnected) => return None,
                Err(TryRecvError::Empty) => self.drop_blocks(),
            }
        }
        let Ok(message) = receiver.recv() else { return None };
        Some(message)
    }

    fn drop_blocks(&mut self) {
        match self.file.drop_blocks(BLOCKS_PER_SLICE) {
            Ok(more) => self.blocks_to_drop = more,
            // Deleting needs a little space for the log; the blocks do not count, so it can wait for the next seal.
            Err(StoreError::DiskFull) => self.blocks_to_drop = false,
            Err(error) => stop(&error),
        }
    }

    /// Collects a group around its first body and commits it. A message that is no body ends the group and is returned.
    fn group(&mut self, first: Submission, receiver: &Receiver<Message>) -> Option<Message> {
        let mut events = first.events.len();
        let mut group = vec![first];
        let mut next = None;
        let wait = (self.last_commit_took / 2).clamp(GROUP_WAIT_MIN, GROUP_WAIT_MAX);
        while events < GROUP_EVENTS_MAX {
            let message = match receiver.try_recv() {
                Err(TryRecvError::Empty) if group.len() < self.last_group => {
                    let left = wait.saturating_sub(self.last_commit.elapsed());
                    match receiver.recv_timeout(left) {
                        Ok(message) => message,
                        Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => break,
                    }
                }
                Ok(message) => message,
                Err(_) => break,
            };
            match message {
                Message::Submit(body) if events.saturating_add(body.events.len()) <= GROUP_EVENTS_MAX => {
                    events = events.saturating_add(body.events.len());
                    group.push(body);
                }
                other => {
                    next = Some(other);
                    break;
                }
            }
        }
        self.last_group = group.len();
        self.commit(group);
        next
    }

    fn commit(&mut self, group: Vec<Submission>) {
        let (bodies, answers): (Vec<Vec<Prepared>>, Vec<Answer>) = group.into_iter().map(|body| (body.events, body.answer)).unzip();
        let began = Instant::now();
        let outcome = self.decide_and_write(bodies);
        self.last_commit = Instant::now();
        self.last_commit_took = self.last_commit.duration_since(began);
        match outcome {
            Ok((sequence, verdicts)) => {
                for (answer, verdicts) in answers.into_iter().zip(verdicts) {
                    answer(Ok(Committed { sequence, verdicts }));
                }
            }
            Err(error) => {
                for answer in answers {
                    answer(Err(refusal(&error)));
                }
            }
        }
        self.sealer.look();
    }

    fn decide_and_write(&mut self, bodies: Vec<Vec<Prepared>>) -> Result<(Sequence, Vec<Vec<Verdict>>), StoreError> {
        let facts = self.shared.facts_database.current()?;
        let now = self.clock.now().max(self.shared.published().received_at);
        let mut decided = Decided::default();
        for body in bodies {
            let mut verdicts = Vec::with_capacity(body.len());
            for prepared in body {
                verdicts.push(self.decide(prepared, now, &mut decided)?);
            }
            decided.verdicts.push(verdicts);
        }
        let sequence = self.write(&mut decided, &facts, now)?;
        Ok((Sequence { epoch: self.shared.epoch, number: sequence }, decided.verdicts))
    }

    fn decide(&self, prepared: Prepared, now: UtcTime, decided: &mut Decided) -> Result<Verdict, StoreError> {
        let Prepared { mut event, identity, content } = prepared;
        if let Some(place) = decided.by_identity.get(&identity) {
            let (_, known, first) = &decided.accepted[*place];
            return Ok(if *known == content { Verdict::Duplicate } else { Verdict::Conflict { field: differing_field(first, &event) } });
        }
        if let Some((known, stored)) = self.known(identity)? {
            return match known == content {
                true => Ok(Verdict::Duplicate),
                false => Ok(Verdict::Conflict { field: differing_field(&stored.event(&self.shared)?, &event) }),
            };
        }
        let latest = now.plus_seconds(FUTURE_SECONDS_MAX);
        if event.time > latest || event.used_at > latest {
            return Ok(Verdict::TooFarInFuture);
        }
        self.spell(&mut event, decided);
        decided.by_identity.insert(identity, decided.accepted.len());
        decided.accepted.push((identity, content, event));
        Ok(Verdict::Accepted)
    }

    /// The content hash of a stored event, and where it is.
    fn known(&self, identity: Identity) -> Result<Option<(u64, Place)>, StoreError> {
        for set in self.identities.values().rev() {
            if let Some(known) = set.get(identity) {
                return Ok(Some((known.content, Place::Tail(known.sequence))));
            }
        }
        for segment in self.shared.published().segments.iter() {
            if let Some(sealed) = segment.ids.get(identity)? {
                return Ok(Some((sealed.content, Place::Segment(segment.record.name.clone(), sealed.row))));
            }
        }
        Ok(None)
    }

    /// Writes the event's names as they were first written (rulings B15).
    fn spell(&self, event: &mut UsageEvent, decided: &mut Decided) {
        let owner = event.owner;
        for (kind, owner, name) in
            [(NameKind::Repository, owner, &mut event.repository), (NameKind::User, AccountId(0), &mut event.username)]
        {
            if let Some(name) = name
                && let Some(first) = self.spellings.first(kind, owner, name)
            {
                *name = first;
            } else if let Some(name) = name {
                let key = NameKey { kind, owner, folded: folded(name) };
                *name = decided.spellings.entry(key).or_insert_with(|| name.clone()).clone();
            }
        }
    }

    /// Writes what was decided, publishes it, and returns the sequence number that holds it all.
    fn write(&mut self, decided: &mut Decided, facts: &Arc<Facts>, now: UtcTime) -> Result<u64, StoreError> {
        let published = self.shared.published();
        if decided.accepted.is_empty() {
            return Ok(published.sequence);
        }
        let mut sequence = published.sequence;
        let mark = self.mark_due(facts, now).then(|| {
            sequence = sequence.saturating_add(1);
            Mark { sequence, received_at: now, facts: facts.number }
        });
        let first = sequence.saturating_add(1);
        let generation = active(&published)?;
        let events: Vec<&UsageEvent> = decided.accepted.iter().map(|accepted| &accepted.2).collect();
        let names_before = self.numbering.len();
        let bytes = block::encode(generation.number, first, now, &events, &mut self.numbering);
        let last = first.saturating_add(u64::try_from(events.len()).map_err(|_| StoreError::Overflow)?).saturating_sub(1);
        let group = Group { marks: mark.into_iter().collect(), spellings: decided.spellings.iter().collect(), block: Some((last, &bytes)) };
        if is_planted(Fault::IdentityBeforeCommit) {
            self.remember(generation.number, first, decided);
        }
        if let Err(error) = self.write_group(&group) {
            self.numbering.truncate(names_before);
            return Err(error);
        }
        self.spellings.add(std::mem::take(&mut decided.spellings));
        self.last_mark = mark.or(self.last_mark);
        self.remember(generation.number, first, decided);
        self.take_facts(facts);
        let new_names = self.numbering.names().get(names_before..).unwrap_or(&[]);
        applied(generation.push_encoded(bytes, new_names, &events, facts));
        self.finish(last, now);
        Ok(last)
    }

    fn remember(&mut self, generation: u64, first: u64, decided: &Decided) {
        let identities = self.identities.entry(generation).or_default();
        for (sequence, (identity, content, _)) in (first..).zip(&decided.accepted) {
            identities.insert(*identity, Known { content: *content, sequence });
        }
    }

    /// A mark is due when facts have changed, and once in every UTC day: between marks neither facts nor pool sizes change.
    fn mark_due(&self, facts: &Facts, now: UtcTime) -> bool {
        self.last_mark.is_none_or(|mark| mark.facts != facts.number || mark.received_at.day() != now.day())
    }

    fn mark(&mut self) -> Result<Mark, StoreError> {
        let facts = self.shared.facts_database.current()?;
        let published = self.shared.published();
        let now = self.clock.now().max(published.received_at);
        let mark = Mark { sequence: published.sequence.saturating_add(1), received_at: now, facts: facts.number };
        self.write_group(&Group { marks: vec![mark], ..Group::default() })?;
        self.last_mark = Some(mark);
        self.take_facts(&facts);
        self.finish(mark.sequence, now);
        Ok(mark)
    }

    fn write_group(&mut self, group: &Group<'_>) -> Result<(), StoreError> {
        match self.file.write_group(group) {
            Err(StoreError::DiskFull) if is_planted(Fault::FullDiskAcknowledged) => Ok(()),
            Err(StoreError::DiskFull) => Err(StoreError::DiskFull),
            Err(error) => stop(&error),
            Ok(()) => Ok(()),
        }
    }

    /// Lets the tail's totals follow facts that have changed what its events come to.
    fn take_facts(&self, facts: &Arc<Facts>) {
        let published = self.shared.published();
        if published.facts.number == facts.number {
            return;
        }
        let touched = applied(self.shared.facts_database.first_day_touched(published.facts.number, facts.number));
        if touched.is_some() {
            for generation in &published.generations {
                applied(generation.recount(facts));
            }
        }
        self.shared.publish(|published| published.facts = Arc::clone(facts));
    }

    fn finish(&self, sequence: u64, now: UtcTime) {
        self.clock.not_before(now);
        self.shared.publish(|published| {
            published.sequence = sequence;
            published.received_at = now;
        });
    }

    fn begin_generation(&mut self) {
        let published = self.shared.published();
        let number = published.generations.last().map_or(published.sequence, |last| last.number).saturating_add(1);
        self.numbering = Numbering::default();
        let generation = Arc::new(Generation::new(number, self.clock.now()));
        self.shared.publish(|published| published.generations.push(generation));
    }

    /// All generations with events, after a new one has begun.
    fn close_generation(&mut self) -> Vec<Arc<Generation>> {
        if self.shared.tail_events() == 0 {
            return Vec::new();
        }
        self.begin_generation();
        let mut closed = self.shared.published().generations;
        closed.pop();
        closed
    }

    fn install(&mut self, install: Install) -> Result<(), StoreError> {
        let replaced: Vec<String> = install.replaced.iter().map(|segment| segment.record.name.clone()).collect();
        let record = &install.segment.record;
        match self.file.install(record, &install.totals, &replaced, install.watermark) {
            Err(StoreError::DiskFull) => return Err(StoreError::DiskFull),
            Err(error) => stop(&error),
            Ok(()) => {}
        }
        let sealed: Vec<u64> = install.sealed.iter().map(|generation| generation.number).collect();
        self.shared.publish(|published| {
            let mut segments: Vec<_> =
                published.segments.iter().filter(|segment| !replaced.contains(&segment.record.name)).cloned().collect();
            segments.push(Arc::clone(&install.segment));
            published.segments = Arc::new(segments);
            published.generations.retain(|generation| !sealed.contains(&generation.number));
        });
        self.identities.retain(|number, _| !sealed.contains(number));
        self.blocks_to_drop = true;
        Ok(())
    }
}

fn active(published: &Published) -> Result<Arc<Generation>, StoreError> {
    published.generations.last().cloned().ok_or_else(|| StoreError::damaged(LedgerFile::name(), "no generation is open"))
}

/// What every other body of a refused group is told.
fn refusal(error: &StoreError) -> StoreError {
    match error {
        StoreError::DiskFull => StoreError::DiskFull,
        StoreError::Busy => StoreError::Busy,
        other => StoreError::damaged(LedgerFile::name(), other.to_string()),
    }
}

/// Applying a committed block cannot fail: what could not be applied is refused before. If it does, memory and disk have come apart.
fn applied<T>(result: Result<T, StoreError>) -> T {
    match result {
        Ok(value) => value,
        Err(error) => stop(&error),
    }
}

/// Ends the process: what is on the disk is what the next start recovers from.
fn stop(error: &StoreError) -> ! {
    durable::stop(&format!("the ledger could not be written: {error}"))
}
