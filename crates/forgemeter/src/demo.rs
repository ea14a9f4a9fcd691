//! The demonstration: a believable enterprise with three months of usage, the same for the same seed and time.
//!
//! [`fill`] writes accounts and usage into a folder, through the same doors as an operator's. The usage is made in [`usage`] from the
//! accounts in [`world`]; nothing here is kept when the program ends, unless the folder is.

mod dice;
mod usage;
pub(crate) mod world;

use crate::app::App;
use billing::{Day, UsageEvent, UtcTime};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, sync_channel};
use store::StoreError;
use store::accounts::ApplyError;
use world::World;

/// The seed of the usage unless another is asked for.
pub(crate) const SEED: u64 = 1;
/// Whole months of usage before the running one.
const MONTHS_BEFORE: usize = 3;
/// Events of one commit.
const BATCH_EVENTS: usize = 10_000;
/// Batches that wait for the ledger.
const BATCHES_AHEAD: usize = 2;
/// Lies in a folder that the demonstration filled, and says with what.
const MARKER: &str = "demo.json";

/// What a folder was filled with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Marker {
    seed: u64,
    /// RFC 3339.
    until: String,
    /// False from the first write to the last.
    complete: bool,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum FillError {
    #[error("`{0}` holds accounts that are not the demonstration's; name an empty folder with --data")]
    Foreign(PathBuf),
    #[error("`{folder}` holds the demonstration of seed {seed}; leave out --seed, or name an empty folder with --data")]
    OtherSeed { folder: PathBuf, seed: u64 },
    #[error("the demonstration needs {MONTHS_BEFORE} months of usage before now; set --now to 2000-04-01T00:00:00Z or later")]
    TooEarly,
    #[error("`{0}` is not what the demonstration wrote there; name an empty folder with --data")]
    Marker(PathBuf),
    #[error("{path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    #[error(transparent)]
    Accounts(#[from] ApplyError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Fills the app's folder with accounts and usage up to `now`, else its clock's time, unless it is filled already. A folder that was left in the
/// middle is filled up: what it holds comes again with the same identities.
pub(crate) fn fill(app: &App, seed: Option<u64>, now: Option<UtcTime>) -> Result<(), FillError> {
    let folder = app.database.folder();
    let known = read_marker(folder)?;
    if let (Some(marker), Some(seed)) = (&known, seed)
        && marker.seed != seed
    {
        return Err(FillError::OtherSeed { folder: folder.to_owned(), seed: marker.seed });
    }
    let (seed, until) = match &known {
        Some(marker) if marker.complete => return Ok(()),
        Some(marker) => (marker.seed, UtcTime::parse(&marker.until).map_err(|_| FillError::Marker(folder.join(MARKER)))?),
        None if app.facts.current()?.number.0 > 0 => return Err(FillError::Foreign(folder.to_owned())),
        None => (seed.unwrap_or(SEED), now.unwrap_or_else(|| app.clock.now())),
    };
    let first = first_day(until).ok_or(FillError::TooEarly)?;
    let marker = Marker { seed, until: until.to_string(), complete: false };
    write_marker(folder, &marker)?;
    store::accounts::apply(&app.facts, &world::accounts(first), until)?;
    commit_usage(app, seed, first, until)?;
    write_marker(folder, &Marker { complete: true, ..marker })
}

/// The first day of the month that lies [`MONTHS_BEFORE`] before an instant's; none before the first day that usage can carry.
fn first_day(until: UtcTime) -> Option<Day> {
    let mut first = until.month().first_day();
    for _ in 0..MONTHS_BEFORE {
        first = first.minus_days(1).month().first_day();
    }
    (first >= UtcTime::MIN.day()).then_some(first)
}

/// Makes the usage on one thread and commits it on this one.
fn commit_usage(app: &App, seed: u64, first: Day, until: UtcTime) -> Result<(), FillError> {
    let facts = app.facts.current()?;
    let world = World::new(&facts);
    std::thread::scope(|scope| {
        let (sender, batches): (_, Receiver<Vec<UsageEvent>>) = sync_channel(BATCHES_AHEAD);
        scope.spawn(move || {
            let mut batch = Vec::with_capacity(BATCH_EVENTS);
            let mut day = first;
            while day <= until.day() {
                for event in usage::events_of(&world, &facts, seed, day, until) {
                    batch.push(event);
                    if batch.len() == BATCH_EVENTS && sender.send(std::mem::take(&mut batch)).is_err() {
                        return;
                    }
                }
                day = day.next();
            }
            // When nobody listens a commit has failed, which the other side tells.
            drop(sender.send(batch));
        });
        for batch in batches {
            app.ledger.commit(batch)?;
        }
        Ok(())
    })
}

fn read_marker(folder: &Path) -> Result<Option<Marker>, FillError> {
    let path = folder.join(MARKER);
    match std::fs::read(&path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map(Some).map_err(|_| FillError::Marker(path)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(FillError::Io { path, source }),
    }
}

fn write_marker(folder: &Path, marker: &Marker) -> Result<(), FillError> {
    let path = folder.join(MARKER);
    let temporary = folder.join("demo.json.new");
    let text = serde_json::to_string(marker).expect("a number, a text and a flag are JSON");
    let written = std::fs::write(&temporary, text + "\n").and_then(|()| std::fs::rename(&temporary, &path));
    written.map_err(|source| FillError::Io { path, source })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use billing::account::AccountKind;
    use store::accounts::{AccountEntry, AccountsFile};
    use store::ledger::LedgerLimits;

    const NOW: &str = "2026-11-03T10:15:00Z";

    fn app(folder: &Path) -> App {
        let app = App::open(folder, Config::default(), LedgerLimits::default()).unwrap();
        app.clock.set(UtcTime::parse(NOW).unwrap()).unwrap();
        app
    }

    fn marker(seed: u64, complete: bool) -> Marker {
        Marker { seed, until: NOW.to_owned(), complete }
    }

    #[test]
    fn usage_begins_with_the_month_three_months_before() {
        let first = |time: &str| first_day(UtcTime::parse(time).unwrap()).map(|day| day.to_string());
        assert_eq!(first(NOW).as_deref(), Some("2026-08-01"));
        assert_eq!(first("2026-02-28T23:59:59Z").as_deref(), Some("2025-11-01"));
        assert_eq!(first("2000-03-31T00:00:00Z"), None);
        assert_eq!(first("2000-04-01T00:00:00Z").as_deref(), Some("2000-01-01"));
    }

    #[test]
    fn a_folder_that_somebody_else_uses_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        let accounts = vec![AccountEntry::new(AccountKind::User, "octocat")];
        let file = AccountsFile { accounts, ..AccountsFile::default() };
        store::accounts::apply(&app.facts, &file, app.clock.now()).unwrap();
        assert!(matches!(fill(&app, None, None), Err(FillError::Foreign(_))));
        assert!(!folder.path().join(MARKER).exists());
    }

    #[test]
    fn a_filled_folder_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        write_marker(folder.path(), &marker(3, true)).unwrap();
        assert!(matches!(fill(&app, Some(4), None), Err(FillError::OtherSeed { seed: 3, .. })));
        fill(&app, None, None).unwrap();
        assert_eq!(app.facts.current().unwrap().number.0, 0);
        std::fs::write(folder.path().join(MARKER), "{").unwrap();
        assert!(matches!(fill(&app, None, None), Err(FillError::Marker(_))));
    }

    #[test]
    fn usage_that_was_committed_before_comes_again_as_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let app = app(folder.path());
        let until = UtcTime::parse(NOW).unwrap();
        store::accounts::apply(&app.facts, &world::accounts(first_day(until).unwrap()), until).unwrap();
        let commit_from = |days| {
            commit_usage(&app, 1, until.day().minus_days(days), until).unwrap();
            app.ledger.snapshot().unwrap().sequence()
        };
        let (one_day, two_days) = (commit_from(0), commit_from(1));
        assert!(two_days.number > one_day.number + 1_000);
        assert_eq!(commit_from(1), two_days);
    }
}
