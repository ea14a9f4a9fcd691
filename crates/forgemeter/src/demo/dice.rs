//! Numbers that look random and are the same for the same seed: SplitMix64 (Steele, Lea, Flood 2014), in integers only.
//!
//! Nothing here is fit for secrets; those come from the store's randomness.

/// A source of numbers for one purpose and day.
#[derive(Debug, Clone)]
pub(super) struct Dice {
    state: u64,
}

const STEP: u64 = 0x9e37_79b9_7f4a_7c15;

impl Dice {
    /// Dice that depend on every part, so that one kind of usage can change without moving the others.
    pub(super) fn new(parts: [u64; 3]) -> Dice {
        let state = parts.into_iter().fold(0, |state, part| mixed(state ^ part.wrapping_add(STEP)));
        Dice { state }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(STEP);
        mixed(self.state)
    }

    /// A number from 0 to below `bound`; 0 when there is none.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        let wide = u128::from(self.next()) * u128::from(bound);
        u64::try_from(wide >> 64).expect("the high half of a product of 64 bits")
    }

    /// A number from `low` to `high`, both included.
    pub(super) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// A number around `middle`, mostly small and sometimes several times as large, as sizes and durations are.
    pub(super) fn skewed(&mut self, middle: u64) -> u64 {
        let spread = self.between(1, 100) * self.between(1, 100);
        middle * spread / 2_500
    }

    /// One of a list, the first twice as likely as the second, three times as likely as the third, and so on (Zipf).
    pub(super) fn early_of<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        let weight = |place: usize| 1_000_000 / (as_u64(place) + 1);
        let total = (0..list.len()).map(weight).sum();
        let mut left = self.below(total);
        let place = (0..list.len()).find(|place| match left.checked_sub(weight(*place)) {
            Some(rest) => {
                left = rest;
                false
            }
            None => true,
        });
        &list[place.unwrap_or(0)]
    }

    /// One of a list, each as likely as its weight says.
    pub(super) fn weighted<'a, T>(&mut self, list: &'a [(u64, T)]) -> &'a T {
        let mut left = self.below(list.iter().map(|(weight, _)| weight).sum());
        for (weight, item) in list {
            if left < *weight {
                return item;
            }
            left -= weight;
        }
        &list[0].1
    }
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length fits 64 bits")
}

fn mixed(state: u64) -> u64 {
    let one = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let two = (one ^ (one >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    two ^ (two >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_numbers_are_those_of_splitmix64() {
        let mut dice = Dice { state: 1_234_567 };
        let numbers: Vec<u64> = (0..3).map(|_| dice.next()).collect();
        assert_eq!(numbers, [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423]);
    }

    #[test]
    fn choices_stay_within_their_list_and_follow_their_weights() {
        let mut dice = Dice::new([1, 2, 3]);
        let list = ["a", "b", "c"];
        let mut early = [0; 3];
        let mut weighted = [0; 2];
        for _ in 0..6_000 {
            let chosen = *dice.early_of(&list);
            early[list.iter().position(|item| *item == chosen).unwrap()] += 1;
            weighted[*dice.weighted(&[(9, 0_usize), (1, 1)])] += 1;
            assert!((5..=7).contains(&dice.between(5, 7)));
        }
        assert!(early[0] > 3_000 && early[1] > 1_300 && early[2] > 800, "{early:?}");
        assert!(weighted[0] > 5_200 && weighted[1] > 450, "{weighted:?}");
        assert_eq!(dice.below(0), 0);
    }

    #[test]
    fn any_changed_part_changes_the_dice() {
        let first = |parts| Dice::new(parts).next();
        let numbers = [first([1, 2, 3]), first([2, 2, 3]), first([1, 3, 3]), first([1, 2, 4]), first([3, 2, 1])];
        assert!(numbers.iter().enumerate().all(|(place, number)| !numbers[..place].contains(number)));
    }
}
