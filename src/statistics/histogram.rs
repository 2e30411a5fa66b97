//! A log-linear histogram of integers.
//!
//! Each octave is cut into 128 buckets of equal width, so a value is known
//! within 0.4 % (half a bucket over its lower edge is at most 1/256), over all
//! of `u64`; values below 256 are exact. Counts are integers: histograms merge
//! in any order to the same bits. Storage spans the buckets seen (60 KB when it
//! is all of them) and recording costs a few ns. Count and sum are exact.

const OCTAVE_BITS: u32 = 7;

/// Counts of values in buckets of at most 0.8 % width; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Histogram {
    /// Bucket that `counts[0]` belongs to.
    first: usize,
    counts: Vec<u64>,
    count: u64,
    sum: u128,
    /// Least and greatest value; meaningless while `count` is 0.
    least: u64,
    greatest: u64,
}

impl Histogram {
    /// An empty histogram.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value.
    #[inline]
    pub fn record(&mut self, value: u64) {
        self.record_n(value, 1);
    }

    /// Adds a value `n` times.
    #[inline]
    pub fn record_n(&mut self, value: u64, n: u64) {
        if n > 0 {
            self.note(value, value, n, u128::from(value) * u128::from(n));
            self.add(bucket(value), n);
        }
    }

    /// Adds `first`, `first + increment`, ... (`steps` values), each `weight`
    /// times, as a loop would but at a cost of the buckets crossed.
    pub fn record_progression(&mut self, first: u64, increment: u64, steps: u64, weight: u64) {
        if steps == 0 || weight == 0 {
            return;
        }
        let growth = increment.checked_mul(steps - 1).expect("the last value fits");
        let last = first.checked_add(growth).expect("the last value fits");
        // The sum is (first + last) * steps / 2, doubled to stay whole.
        let doubled = (u128::from(first) + u128::from(last)) * u128::from(steps);
        let n = steps.checked_mul(weight).expect("the count fits");
        self.note(first, last, n, doubled / 2 * u128::from(weight));
        let end = bucket(last);
        let (mut value, mut left) = (first, steps);
        loop {
            let at = bucket(value);
            if at == end {
                return self.add(at, left * weight);
            }
            // Not the last bucket, so the increment is positive.
            let here = (upper(at) - value) / increment + 1;
            self.add(at, here * weight);
            left -= here;
            value += here * increment;
        }
    }

    /// Adds all values of another histogram.
    pub fn merge(&mut self, other: &Histogram) {
        if other.count > 0 {
            self.note(other.least, other.greatest, other.count, other.sum);
            for (index, &n) in other.counts.iter().enumerate() {
                if n > 0 {
                    self.add(other.first + index, n);
                }
            }
        }
    }

    /// How many values were added.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The exact sum of all values.
    pub fn sum(&self) -> u128 {
        self.sum
    }

    /// The mean, from the exact sum; `None` when empty.
    pub fn mean(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum as f64 / self.count as f64)
    }

    /// The quantile at `fraction` in 0..=1: the middle of the bucket that holds
    /// the order statistic nearest to position `fraction * (count - 1)`, kept
    /// within the least and greatest value. `None` when empty.
    pub fn quantile(&self, fraction: f64) -> Option<u64> {
        assert!((0.0..=1.0).contains(&fraction), "fraction {fraction} is not in 0..=1");
        let last = self.count.checked_sub(1)?;
        let rank = ((fraction * last as f64 + 0.5) as u64).min(last);
        match rank {
            0 => return Some(self.least),
            rank if rank == last => return Some(self.greatest),
            _ => {}
        }
        let mut below = 0;
        let index = self.counts.iter().position(|&n| {
            below += n;
            below > rank
        });
        let at = self.first + index.expect("the counts add up");
        let middle = lower(at) + (upper(at) - lower(at)) / 2;
        Some(middle.clamp(self.least, self.greatest))
    }

    /// Number of the bucket that `value` belongs to.
    #[inline]
    pub fn bucket(value: u64) -> usize {
        bucket(value)
    }

    /// The buckets that hold values, ascending: least and greatest value that
    /// belongs there, and the count.
    pub fn buckets(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let held = self.counts.iter().enumerate().filter(|(_, n)| **n > 0);
        held.map(|(index, &n)| (lower(self.first + index), upper(self.first + index), n))
    }

    #[inline]
    fn note(&mut self, least: u64, greatest: u64, n: u64, sum: u128) {
        if self.count == 0 || least < self.least {
            self.least = least;
        }
        if greatest > self.greatest {
            self.greatest = greatest;
        }
        self.count += n;
        self.sum += sum;
    }

    #[inline]
    fn add(&mut self, at: usize, n: u64) {
        if at.wrapping_sub(self.first) >= self.counts.len() {
            self.reach(at);
        }
        self.counts[at - self.first] += n;
    }

    /// Extends the storage to bucket `at`, in whole quarters of an octave.
    #[cold]
    fn reach(&mut self, at: usize) {
        const QUARTER: usize = 1 << (OCTAVE_BITS - 2);
        let (from, to) = (at / QUARTER * QUARTER, (at / QUARTER + 1) * QUARTER);
        if self.counts.is_empty() {
            self.first = from;
        } else if from < self.first {
            self.counts.splice(0..0, std::iter::repeat_n(0, self.first - from));
            self.first = from;
        }
        if to - self.first > self.counts.len() {
            self.counts.resize(to - self.first, 0);
        }
    }
}

/// Equal when they count the same in every bucket and have the same sum.
impl PartialEq for Histogram {
    fn eq(&self, other: &Self) -> bool {
        let ends = |of: &Self| (of.count > 0).then_some((of.least, of.greatest));
        self.sum == other.sum && ends(self) == ends(other) && self.buckets().eq(other.buckets())
    }
}
impl Eq for Histogram {}

/// How far values of this size are shifted so that 8 bits remain: 0 below 256.
#[inline]
fn bucket(value: u64) -> usize {
    let shift = 63 - OCTAVE_BITS - (value | 1 << OCTAVE_BITS).leading_zeros();
    ((shift as usize) << OCTAVE_BITS) + (value >> shift) as usize
}

/// Bits shifted out of the values in bucket `at`.
fn shift(at: usize) -> u32 {
    ((at >> OCTAVE_BITS) as u32).saturating_sub(1)
}

/// Least value in bucket `at`.
fn lower(at: usize) -> u64 {
    let shift = shift(at);
    ((at - ((shift as usize) << OCTAVE_BITS)) as u64) << shift
}

/// Greatest value in bucket `at`.
fn upper(at: usize) -> u64 {
    lower(at) + ((1 << shift(at)) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn buckets_tile_the_integers() {
        let last = bucket(u64::MAX);
        assert_eq!((lower(0), upper(last), last), (0, u64::MAX, 7423));
        for at in 0..last {
            assert_eq!(upper(at) + 1, lower(at + 1), "{at}");
            assert_eq!((bucket(lower(at)), bucket(upper(at))), (at, at));
            let half = (upper(at) - lower(at)) as f64 / 2.0;
            assert!(half <= 0.004 * lower(at) as f64, "{at}");
        }
    }

    #[test]
    fn figures_by_hand() {
        let mut histogram = Histogram::new();
        assert_eq!((histogram.quantile(0.5), histogram.mean()), (None, None));
        for value in 0..=100 {
            histogram.record(value);
        }
        assert_eq!(
            [0.0, 0.5, 0.99, 1.0].map(|p| histogram.quantile(p)),
            [0, 50, 99, 100].map(Some)
        );
        assert_eq!(histogram.mean(), Some(50.0));
        let mut equal = Histogram::new();
        equal.record_n(123_456_789, 7);
        assert_eq!(equal.quantile(0.5), Some(123_456_789));
        assert!(size_of_val(&equal) <= 88 && equal.counts.len() <= 32);
    }

    /// Values of all magnitudes.
    fn value() -> impl Strategy<Value = u64> {
        (any::<u64>(), 0..64u32).prop_map(|(value, shift)| value >> shift)
    }

    fn histogram(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&value| histogram.record(value));
        histogram
    }

    proptest! {
        #[test]
        fn a_progression_equals_its_loop(
            first in value(),
            increment in value(),
            steps in 0u64..300,
            weight in 0u64..50,
        ) {
            prop_assume!(u128::from(first) + u128::from(increment) * 300 < u128::from(u64::MAX));
            let (mut at_once, mut by_loop) = (Histogram::new(), Histogram::new());
            at_once.record_progression(first, increment, steps, weight);
            for step in 0..steps {
                by_loop.record_n(first + step * increment, weight);
            }
            prop_assert_eq!(at_once, by_loop);
        }

        #[test]
        fn merging_is_order_free(
            parts in prop::collection::vec(prop::collection::vec(value(), 0..20), 0..5),
        ) {
            let (mut forward, mut backward) = (Histogram::new(), Histogram::new());
            parts.iter().for_each(|part| forward.merge(&histogram(part)));
            parts.iter().rev().for_each(|part| backward.merge(&histogram(part)));
            prop_assert_eq!(&forward, &backward);
            prop_assert_eq!(forward, histogram(&parts.concat()));
        }

        #[test]
        fn quantiles_are_within_0_4_percent(
            mut values in prop::collection::vec(value(), 1..200),
            fraction in 0.0..=1.0,
        ) {
            let estimate = histogram(&values).quantile(fraction).unwrap();
            values.sort_unstable();
            let exact = values[(fraction * (values.len() - 1) as f64 + 0.5) as usize];
            prop_assert!(estimate.abs_diff(exact) as f64 <= 0.004 * exact as f64);
        }
    }
}
