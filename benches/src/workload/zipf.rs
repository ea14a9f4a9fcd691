//! Zipf's law in integers: rank `k` has the weight one `k`th. No float, so that every machine draws the same events.
//!
//! A table of cumulated weights and a binary search; a draw is a scaled random number.

/// The weight of the first rank.
const FIRST: u64 = 1 << 32;

/// Cumulated weights of the ranks from 0.
#[derive(Debug)]
pub(crate) struct Zipf {
    ends: Vec<u64>,
    total: u64,
}

impl Zipf {
    pub(crate) fn new(ranks: u32) -> Zipf {
        let mut total = 0;
        let add = |rank: u32| {
            total += FIRST / u64::from(rank);
            total
        };
        let ends = (1..=ranks).map(add).collect();
        Zipf { ends, total }
    }

    /// The rank, from 0, that a random number falls on.
    pub(crate) fn pick(&self, random: u64) -> u32 {
        let scaled = (u128::from(random) * u128::from(self.total)) >> 64;
        let point = u64::try_from(scaled).expect("it is less than the total");
        u32::try_from(self.ends.partition_point(|end| *end <= point)).expect("a table has few ranks")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_is_reached_and_none_beyond() {
        let zipf = Zipf::new(3);
        assert_eq!((zipf.pick(0), zipf.pick(u64::MAX)), (0, 2));
        // Weights 1, 1/2 and 1/3: the second begins at 6/11 of the range.
        assert_eq!(zipf.pick(u64::MAX / 11 * 6 - (1 << 40)), 0);
        assert_eq!(zipf.pick(u64::MAX / 11 * 6 + (1 << 40)), 1);
    }
}
