//! Bodies of usage, written to a file before anything is timed, so that sending them costs the client next to nothing.
//!
//! One file holds all events of a run line by line; a body is a range of it. The kernel copies it to the socket.

use crate::workload::{Kind, Spelling, Workload};
use anyhow::{Context, Result};
use std::fs::{self, File};
use std::io::Write;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Events between two known places of the file; the size of a body is a multiple of it.
pub(crate) const CHUNK_EVENTS: u64 = 1000;
/// Chunks that one thread writes at a time.
const CHUNKS_AT_ONCE: usize = 100;

/// A file of events with the byte at which each chunk begins, and the end.
#[derive(Debug)]
pub(crate) struct Bodies {
    path: PathBuf,
    places: Vec<u64>,
}

/// Which events are written, and how.
#[derive(Debug, Clone)]
pub(crate) struct Wanted<'a> {
    pub(crate) workload: &'a Workload,
    pub(crate) numbers: Range<u64>,
    pub(crate) kind: Kind,
    pub(crate) spelling: Spelling,
}

impl Wanted<'_> {
    pub(crate) fn recorded(workload: &Workload, numbers: Range<u64>) -> Wanted<'_> {
        Wanted { workload, numbers, kind: Kind::UsageRecorded, spelling: Spelling::AsCreated }
    }

    /// Chunk `number` of the wanted events.
    fn chunk(&self, number: u64) -> Vec<u8> {
        let first = self.numbers.start + number * CHUNK_EVENTS;
        let mut text = Vec::with_capacity(400 * 1024);
        for event in first..(first + CHUNK_EVENTS).min(self.numbers.end) {
            self.workload.write_json(event, self.kind, self.spelling, &mut text);
        }
        text
    }
}

impl Bodies {
    pub(crate) fn write(path: &Path, wanted: &Wanted<'_>) -> Result<Bodies> {
        let mut file = File::create(path).with_context(|| path.display().to_string())?;
        let chunks = (wanted.numbers.end - wanted.numbers.start).div_ceil(CHUNK_EVENTS);
        let (mut places, mut place) = (vec![0], 0);
        let mut numbers = (0..chunks).peekable();
        while numbers.peek().is_some() {
            let round: Vec<Vec<u64>> = (0..cores()).map(|_| numbers.by_ref().take(CHUNKS_AT_ONCE).collect()).collect();
            for text in in_parallel(&round, wanted).into_iter().flatten() {
                file.write_all(&text)?;
                place += u64::try_from(text.len()).expect("a chunk fits memory");
                places.push(place);
            }
        }
        // What is written back later would be measured with whatever runs then.
        file.sync_data()?;
        Ok(Bodies { path: path.to_owned(), places })
    }

    pub(crate) fn open(&self) -> Result<File> {
        File::open(&self.path).with_context(|| self.path.display().to_string())
    }

    /// The byte ranges of the bodies of so many events each.
    pub(crate) fn ranges(&self, events: u64) -> Vec<Range<u64>> {
        assert!(events.is_multiple_of(CHUNK_EVENTS), "bodies are whole chunks");
        let step = usize::try_from(events / CHUNK_EVENTS).expect("bodies are small");
        let last = self.places.len() - 1;
        (0..last).step_by(step).map(|chunk| self.places[chunk]..self.places[(chunk + step).min(last)]).collect()
    }

    pub(crate) fn remove(self) -> Result<()> {
        fs::remove_file(&self.path).with_context(|| self.path.display().to_string())
    }
}

fn in_parallel(round: &[Vec<u64>], wanted: &Wanted<'_>) -> Vec<Vec<Vec<u8>>> {
    std::thread::scope(|scope| {
        let threads: Vec<_> =
            round.iter().map(|chunks| scope.spawn(|| chunks.iter().map(|chunk| wanted.chunk(*chunk)).collect())).collect();
        threads.into_iter().map(|thread| thread.join().expect("a generator does not panic")).collect()
    })
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_hold_the_events_in_order() {
        let path = std::env::temp_dir().join(format!("benches-bodies-{}", std::process::id()));
        let workload = Workload::new(25_500);
        let bodies = Bodies::write(&path, &Wanted::recorded(&workload, 0..25_500)).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let ranges = bodies.ranges(10_000);
        let lines = |range: &Range<u64>| {
            text[usize::try_from(range.start).unwrap()..usize::try_from(range.end).unwrap()].lines().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(ranges.iter().map(|range| lines(range).len()).collect::<Vec<_>>(), [10_000, 10_000, 5_500]);
        let mut event = Vec::new();
        workload.write_json(20_000, Kind::UsageRecorded, Spelling::AsCreated, &mut event);
        assert_eq!(lines(&ranges[2])[0], String::from_utf8(event).unwrap().trim_end());
        assert_eq!(bodies.ranges(1000).len(), 26);
        bodies.remove().unwrap();
        assert!(!path.exists());
    }
}
