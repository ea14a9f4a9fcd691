//! A set of sequence numbers: one bit for each number, in pieces, so that a damaged number that is far too great costs one piece.
//! What the numbers belong to is left to the checks.

use std::collections::BTreeMap;

/// Numbers in one piece.
const PIECE: u64 = 64 * WORDS;
const WORDS: u64 = 1024;

#[derive(Debug, Default)]
pub(super) struct SequenceSet {
    pieces: BTreeMap<u64, Vec<u64>>,
}

impl SequenceSet {
    /// `false` when it was there already.
    pub(super) fn insert(&mut self, number: u64) -> bool {
        let words = usize::try_from(WORDS).expect("a small constant fits");
        let piece = self.pieces.entry(number / PIECE).or_insert_with(|| vec![0; words]);
        let (word, bit) = place(number);
        let was = piece[word] & bit != 0;
        piece[word] |= bit;
        !was
    }

    fn contains(&self, number: u64) -> bool {
        let (word, bit) = place(number);
        self.pieces.get(&(number / PIECE)).is_some_and(|piece| piece[word] & bit != 0)
    }

    /// The ranges from 1 to `last`, both included, that are not in the set.
    pub(super) fn gaps(&self, last: u64) -> Vec<(u64, u64)> {
        let mut gaps: Vec<(u64, u64)> = Vec::new();
        let mut number = 1;
        while number <= last {
            let end = (number / PIECE).saturating_add(1).saturating_mul(PIECE).min(last.saturating_add(1));
            let missing = |number: &u64| !self.contains(*number);
            match self.pieces.contains_key(&(number / PIECE)) {
                false => extend(&mut gaps, number, end - 1),
                true => (number..end).filter(missing).for_each(|number| extend(&mut gaps, number, number)),
            }
            number = end;
        }
        gaps
    }
}

fn extend(gaps: &mut Vec<(u64, u64)>, first: u64, last: u64) {
    match gaps.last_mut() {
        Some(gap) if gap.1.saturating_add(1) == first => gap.1 = last,
        _ => gaps.push((first, last)),
    }
}

fn place(number: u64) -> (usize, u64) {
    let word = usize::try_from(number % PIECE / 64).expect("a piece has few words");
    (word, 1 << (number % 64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_the_set_once_and_gaps_are_ranges() {
        let mut set = SequenceSet::default();
        for number in (1..10).chain(12..=PIECE).chain([3 * PIECE + 5]) {
            assert!(set.insert(number), "{number}");
        }
        assert!(!set.insert(12));
        assert_eq!(set.gaps(9), []);
        assert_eq!(set.gaps(PIECE), [(10, 11)]);
        assert_eq!(set.gaps(3 * PIECE + 6), [(10, 11), (PIECE + 1, 3 * PIECE + 4), (3 * PIECE + 6, 3 * PIECE + 6)]);
    }
}
