//! Samples of how long things took, and their percentiles: the smallest sample that so many per mille do not exceed.
//!
//! Every sample is kept, so that no percentile is an estimate.

use std::time::Duration;

#[derive(Debug, Clone, Default)]
pub(crate) struct Latencies {
    samples: Vec<Duration>,
    sorted: bool,
}

impl Latencies {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.samples.push(sample);
        self.sorted = false;
    }

    pub(crate) fn append(&mut self, mut others: Latencies) {
        self.samples.append(&mut others.samples);
        self.sorted = false;
    }

    pub(crate) fn count(&self) -> usize {
        self.samples.len()
    }

    /// The least sample that `per_mille` of a thousand samples do not exceed; nothing took no time.
    pub(crate) fn percentile(&mut self, per_mille: usize) -> Duration {
        if !self.sorted {
            self.samples.sort_unstable();
            self.sorted = true;
        }
        let rank = (self.samples.len() * per_mille).div_ceil(1000).max(1);
        self.samples.get(rank - 1).copied().unwrap_or(Duration::ZERO)
    }

    pub(crate) fn p50(&mut self) -> Duration {
        self.percentile(500)
    }

    pub(crate) fn p99(&mut self) -> Duration {
        self.percentile(990)
    }

    pub(crate) fn max(&mut self) -> Duration {
        self.percentile(1000)
    }

    pub(crate) fn mean(&self) -> Duration {
        let count = u32::try_from(self.samples.len()).expect("runs are shorter");
        self.samples.iter().sum::<Duration>().checked_div(count).unwrap_or(Duration::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(millis: impl IntoIterator<Item = u64>) -> Latencies {
        let mut latencies = Latencies::default();
        for sample in millis {
            latencies.push(Duration::from_millis(sample));
        }
        latencies
    }

    #[test]
    fn percentiles_are_samples() {
        let mut hundred = of((1..=100).rev());
        assert_eq!(hundred.p50(), Duration::from_millis(50));
        assert_eq!(hundred.p99(), Duration::from_millis(99));
        assert_eq!((hundred.percentile(991), hundred.max()), (Duration::from_millis(100), Duration::from_millis(100)));
        assert_eq!(hundred.mean(), Duration::from_micros(50_500));
        assert_eq!(of([7]).p99(), Duration::from_millis(7));
    }

    #[test]
    fn nothing_took_no_time() {
        assert_eq!((of([]).p99(), of([]).mean()), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn samples_that_come_later_count() {
        let mut latencies = of([1]);
        assert_eq!(latencies.max(), Duration::from_millis(1));
        latencies.append(of([9, 5]));
        assert_eq!((latencies.max(), latencies.count()), (Duration::from_millis(9), 3));
    }
}
