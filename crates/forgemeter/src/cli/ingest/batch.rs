//! Cuts a stream of lines into batches that a server takes, without holding more than one in memory.
//!
//! Lines keep their places: a batch holds blank lines too, so that the server's line numbers and the file's differ by a constant. What
//! is in a line is left to the server, except that a line of any length cannot be.

use super::client::Refused;
use crate::sources::cloud_events::EVENT_BYTES_MAX;
use std::io::{self, BufRead, Read};

/// Lines of one batch; half of what a server takes.
const BATCH_LINES_MAX: u64 = 5_000;
/// What a batch holds at most, but for its last line; a quarter of what a server takes.
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The longest line that is sent: an event with the blanks around it.
const LINE_BYTES_MAX: usize = 2 * EVENT_BYTES_MAX;

/// Lines that are sent together.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Batch {
    /// The place of its first line in the file, from 1.
    pub(super) first_line: u64,
    pub(super) bytes: Vec<u8>,
    /// The lines of the file that were left out, because they are longer than any event.
    pub(super) too_long: Vec<u64>,
    /// The bytes of the file that it covers.
    pub(super) length: u64,
}

/// The batches of a file.
#[derive(Debug)]
pub(super) struct Batches<R> {
    input: R,
    next_line: u64,
}

impl<R: BufRead> Batches<R> {
    pub(super) fn new(input: R) -> Batches<R> {
        Batches { input, next_line: 1 }
    }

    /// The next batch; none at the end of the input.
    pub(super) fn next(&mut self) -> io::Result<Option<Batch>> {
        let mut batch = Batch { first_line: self.next_line, bytes: Vec::new(), too_long: Vec::new(), length: 0 };
        while batch.bytes.len() < BATCH_BYTES_MAX && self.next_line - batch.first_line < BATCH_LINES_MAX {
            if !self.line(&mut batch)? {
                break;
            }
            self.next_line += 1;
        }
        Ok((self.next_line > batch.first_line).then_some(batch))
    }

    /// Appends one line. A line that is too long is passed over and leaves a blank one in its place.
    fn line(&mut self, batch: &mut Batch) -> io::Result<bool> {
        let start = batch.bytes.len();
        let read = bounded(&mut self.input).read_until(b'\n', &mut batch.bytes)?;
        batch.length += u64::try_from(read).expect("a line is short");
        if read > LINE_BYTES_MAX {
            batch.too_long.push(self.next_line);
            let mut ended = batch.bytes.ends_with(b"\n");
            let mut passed = Vec::new();
            while !ended {
                passed.clear();
                let read = bounded(&mut self.input).read_until(b'\n', &mut passed)?;
                batch.length += u64::try_from(read).expect("a line is short");
                ended = read == 0 || passed.ends_with(b"\n");
            }
            batch.bytes.truncate(start);
            batch.bytes.push(b'\n');
        }
        Ok(read > 0)
    }
}

fn bounded<R: BufRead>(input: &mut R) -> io::Take<&mut R> {
    let most = u64::try_from(LINE_BYTES_MAX).expect("the bound of a line is small") + 1;
    input.by_ref().take(most)
}

/// The verdict on a line that was left out.
pub(super) fn too_long(line: u64) -> Refused {
    let reason = Some(format!("is longer than {EVENT_BYTES_MAX} bytes"));
    Refused { line, id: None, verdict: "rejected".to_owned(), field: Some("event".to_owned()), reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<Batch> {
        let mut batches = Batches::new(input);
        let mut all = Vec::new();
        while let Some(batch) = batches.next().unwrap() {
            all.push(batch);
        }
        all
    }

    #[test]
    fn batches_add_up_to_the_file_and_know_their_first_line() {
        let line = format!("{{\"id\":\"{}\"}}\r\n", "x".repeat(1000));
        for (lines, ending) in [(0, ""), (1, "last without an end"), (4_999, ""), (5_000, ""), (12_345, "\n\n x")] {
            let file = line.repeat(lines) + ending;
            let batches = all(file.as_bytes());
            let mut first_line = 1;
            for batch in &batches {
                assert_eq!(batch.first_line, first_line);
                assert!(batch.bytes.len() < BATCH_BYTES_MAX + LINE_BYTES_MAX && batch.too_long.is_empty());
                first_line += u64::try_from(batch.bytes.split_inclusive(|byte| *byte == b'\n').count()).unwrap();
            }
            assert_eq!(batches.iter().flat_map(|batch| batch.bytes.clone()).collect::<Vec<u8>>(), file.as_bytes());
            assert_eq!(batches.iter().map(|batch| batch.length).sum::<u64>(), u64::try_from(file.len()).unwrap());
        }
    }

    #[test]
    fn a_line_longer_than_any_event_leaves_a_blank_one_in_its_place() {
        for (long, ending) in [(LINE_BYTES_MAX, "\n"), (LINE_BYTES_MAX + 1, "\n"), (5 * LINE_BYTES_MAX + 3, "\n"), (5 * LINE_BYTES_MAX, "")]
        {
            let file = ["{}\n", &"x".repeat(long), ending, if ending.is_empty() { "" } else { "{}" }].concat();
            let batches = all(file.as_bytes());
            let rest: &[u8] = if ending.is_empty() { b"{}\n\n" } else { b"{}\n\n{}" };
            assert_eq!(
                batches,
                [Batch { first_line: 1, bytes: rest.to_vec(), too_long: vec![2], length: u64::try_from(file.len()).unwrap() }]
            );
        }
    }
}
