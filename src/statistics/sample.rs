//! Values of one metric of one run: exact while few, a histogram when many.
//!
//! Up to a cap every value is kept (8 bytes each) and quantiles are exact.
//! The value beyond it moves all of them into a log-linear histogram, whose
//! quantiles are within 0.4 %, and frees the memory. Count and mean are exact
//! either way. Recording costs a few ns.

use super::histogram::Histogram;
use super::quantile::quantiles;

/// Values of one metric; see the module text.
#[derive(Clone, Debug)]
pub struct Sample {
    cap: usize,
    sum: u128,
    store: Store,
}

#[derive(Clone, Debug)]
enum Store {
    Exact(Vec<u64>),
    Spilled(Histogram),
}

impl Sample {
    /// An empty sample that keeps up to `cap` exact values.
    pub fn new(cap: usize) -> Self {
        Sample { cap, sum: 0, store: Store::Exact(Vec::new()) }
    }

    /// Adds a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.sum += u128::from(value);
        match &mut self.store {
            Store::Exact(values) if values.len() < self.cap => values.push(value),
            Store::Exact(_) => self.spill(value),
            Store::Spilled(histogram) => histogram.record(value),
        }
    }

    #[cold]
    fn spill(&mut self, value: u64) {
        let mut histogram = self.histogram();
        histogram.record(value);
        self.store = Store::Spilled(histogram);
    }

    /// Whether quantiles are exact.
    pub fn is_exact(&self) -> bool {
        matches!(self.store, Store::Exact(_))
    }

    /// Adds all values of another sample.
    pub fn merge(&mut self, other: &Sample) {
        let count = self.count() + other.count();
        match (&mut self.store, &other.store) {
            (Store::Exact(values), Store::Exact(more)) if count <= self.cap as u64 => {
                values.extend_from_slice(more);
            }
            _ => {
                let mut histogram = self.histogram();
                histogram.merge(&other.histogram());
                self.store = Store::Spilled(histogram);
            }
        }
        self.sum += other.sum;
    }

    /// All values in a histogram.
    fn histogram(&self) -> Histogram {
        match &self.store {
            Store::Exact(values) => {
                let mut histogram = Histogram::new();
                values.iter().for_each(|&value| histogram.record(value));
                histogram
            }
            Store::Spilled(histogram) => histogram.clone(),
        }
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        match &self.store {
            Store::Exact(values) => values.len() as u64,
            Store::Spilled(histogram) => histogram.count(),
        }
    }

    /// The mean, from the exact sum; `None` when empty.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.sum as f64 / self.count() as f64)
    }

    /// The exact sum.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The quantile at `fraction` in 0..=1; `None` when empty. Copies the values kept.
    pub fn quantile(&self, fraction: f64) -> Option<f64> {
        match &self.store {
            Store::Exact(values) => quantiles(&mut values.clone(), &[fraction])?.pop(),
            Store::Spilled(histogram) => histogram.quantile(fraction).map(|value| value as f64),
        }
    }

    /// The quantiles at each of `fractions`; `None` when empty. Reorders the
    /// values kept.
    pub fn quantiles(&mut self, fractions: &[f64]) -> Option<Vec<f64>> {
        match &mut self.store {
            Store::Exact(values) => quantiles(values, fractions),
            Store::Spilled(histogram) => fractions
                .iter()
                .map(|&fraction| histogram.quantile(fraction).map(|value| value as f64))
                .collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spills_beyond_its_cap_and_keeps_count_and_mean() {
        let mut sample = Sample::new(1000);
        assert_eq!((sample.quantile(0.5), sample.mean()), (None, None));
        for value in 1..=1000 {
            sample.record(value * 1000);
        }
        assert!(sample.is_exact());
        assert_eq!(sample.quantile(0.5), Some(500_500.0));
        sample.record(1_001_000);
        assert!(!sample.is_exact());
        assert_eq!((sample.count(), sample.mean()), (1001, Some(501_000.0)));
        let median = sample.quantile(0.5).unwrap();
        assert!((median / 501_000.0 - 1.0).abs() <= 0.004, "{median}");
        sample.record(0);
        assert_eq!(sample.quantiles(&[0.0]), Some(vec![0.0]));
    }

    #[test]
    fn merged_samples_are_the_sample_of_all_values() {
        let sample = |values: std::ops::Range<u64>| {
            let mut sample = Sample::new(1000);
            values.for_each(|value| sample.record(value * value));
            sample
        };
        // Few and few, few and too many, a histogram and few, few and a histogram.
        for (first, second) in [(0..300, 700), (0..300, 1200), (0..1100, 1300), (0..100, 1900)] {
            let mut merged = sample(first.clone());
            merged.merge(&sample(first.end..second));
            let all = sample(0..second);
            assert_eq!(merged.is_exact(), all.is_exact());
            assert_eq!((merged.count(), merged.sum()), (all.count(), all.sum()));
            for fraction in [0.0, 0.31, 0.5, 0.99, 1.0] {
                assert_eq!(merged.quantile(fraction), all.quantile(fraction), "{fraction}");
            }
        }
    }
}
