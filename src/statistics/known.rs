//! Distributions known by their quantiles, and mixtures of them.
//!
//! What a run keeps of a latency is a quantile at each of [`CDF_FRACTIONS`]; between
//! them the distribution is taken as linear. Several of them, weighted by how many
//! values each is of, are put together and inverted exactly, so a quantile of the
//! values of many runs needs none of the values. On exponential samples of very
//! different size and scale the error at 50 to 99 % is below 0.2 %.

use std::sync::Arc;

/// Fractions at which distributions are kept: every percent, and finer towards
/// the tail.
pub const CDF_FRACTIONS: [f64; 107] = {
    let mut fractions = [0.0; 107];
    let mut i = 0;
    while i < 100 {
        fractions[i] = i as f64 / 100.0;
        i += 1;
    }
    let tail = [0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 1.0];
    let mut j = 0;
    while j < tail.len() {
        fractions[100 + j] = tail[j];
        j += 1;
    }
    fractions
};

/// So many values, none of them negative, of which these are the quantiles.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct KnownDistribution {
    count: u64,
    /// At [`CDF_FRACTIONS`]; empty without values. Shared by whoever asks.
    quantiles: Arc<[f64]>,
}

impl KnownDistribution {
    /// Of `count` values with these quantiles at [`CDF_FRACTIONS`]; of none without.
    pub fn new(count: u64, quantiles: Vec<f64>) -> Self {
        let is_whole = quantiles.len() == CDF_FRACTIONS.len() && count > 0;
        assert!(is_whole || (quantiles.is_empty() && count == 0), "a quantile at each fraction");
        KnownDistribution { count, quantiles: quantiles.into() }
    }

    /// As [`KnownDistribution::new`], of what was read; `None` if it is not one.
    pub fn checked(count: u64, quantiles: Vec<f64>) -> Option<Self> {
        let is_whole = quantiles.len() == CDF_FRACTIONS.len() && count > 0;
        is_whole.then(|| KnownDistribution::new(count, quantiles))
    }

    /// How many values it is of.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Its quantiles at [`CDF_FRACTIONS`]; none without values.
    pub fn quantiles(&self) -> &[f64] {
        &self.quantiles
    }

    /// Share of values at or below `value`.
    pub fn share(&self, value: f64) -> f64 {
        let above = self.quantiles.partition_point(|&kept| kept <= value);
        match above {
            0 => 0.0,
            all if all == self.quantiles.len() => 1.0,
            above => {
                let (low, high) = (self.quantiles[above - 1], self.quantiles[above]);
                let (from, to) = (CDF_FRACTIONS[above - 1], CDF_FRACTIONS[above]);
                from + (to - from) * (value - low) / (high - low)
            }
        }
    }

    /// Share of values below `value`.
    fn share_before(&self, value: f64) -> f64 {
        let at = self.quantiles.partition_point(|&kept| kept < value);
        match (at, self.quantiles.get(at)) {
            (0, _) => 0.0,
            (_, None) => 1.0,
            (at, Some(&kept)) if kept == value => CDF_FRACTIONS[at],
            _ => self.share(value),
        }
    }

    /// How many values are at or below `value`.
    pub fn below(&self, value: f64) -> f64 {
        self.count as f64 * self.share(value)
    }

    fn highest(&self) -> f64 {
        self.quantiles.last().copied().unwrap_or(0.0)
    }
}

/// The quantile at `fraction` of the values of all `parts`; `None` without any.
pub fn mixture_quantile(parts: &[&KnownDistribution], fraction: f64) -> Option<f64> {
    let count: u64 = parts.iter().map(|part| part.count).sum();
    (count > 0).then(|| mixed(parts, fraction * count as f64))
}

/// The greatest value of all `parts`.
pub fn highest(parts: &[&KnownDistribution]) -> f64 {
    parts.iter().map(|part| part.highest()).fold(0.0, f64::max)
}

/// The least value that `values` of those of all `parts` do not exceed. Found by
/// bisection of its bits, which are in the order of numbers that are not negative.
fn mixed(parts: &[&KnownDistribution], values: f64) -> f64 {
    let lowest = parts.iter().filter_map(|part| part.quantiles.first()).copied();
    let lowest = lowest.fold(f64::INFINITY, f64::min);
    let highest = highest(parts);
    if values >= parts.iter().map(|part| part.count as f64).sum() {
        return highest;
    }
    let below = |value: f64| -> f64 { parts.iter().map(|part| part.below(value)).sum() };
    bisected(lowest, highest, |value| below(value) >= values * (1.0 - 1e-12))
}

/// The least number of those in `low..=high`, which are not negative, that is
/// `enough`; `high` if none is.
fn bisected(low: f64, high: f64, enough: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low.to_bits(), high.to_bits());
    while low < high {
        let middle = low + (high - low) / 2;
        if enough(f64::from_bits(middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    f64::from_bits(low)
}

/// The quantile at `fraction` of the values of all `parts` but one, for each of them
/// in turn; `None` where one alone has all the values.
///
/// All of these lie near each other. Between two neighbours among all kept quantiles
/// every distribution is a line, so the sum of all is worked out at the few of them
/// that are met: O(n log n) for n kept quantiles, and not the square of the parts.
pub fn quantile_without_each(parts: &[&KnownDistribution], fraction: f64) -> Option<Vec<f64>> {
    let count: u64 = parts.iter().map(|part| part.count).sum();
    if parts.iter().any(|part| part.count == count) {
        return None;
    }
    let mut knots: Vec<f64> =
        parts.iter().flat_map(|part| part.quantiles.iter().copied()).collect();
    knots.sort_unstable_by(f64::total_cmp);
    knots.dedup();
    // Just before a knot, where the line from the last one ends, and at it.
    let counts = |part: &KnownDistribution, knot: f64| {
        let count = part.count as f64;
        [count * part.share_before(knot), count * part.share(knot)]
    };
    let mut sums: Vec<Option<[f64; 2]>> = vec![None; knots.len()];
    let mut sum = |at: usize| {
        let all = || parts.iter().map(|part| counts(part, knots[at]));
        *sums[at].get_or_insert_with(|| {
            all().fold([0.0; 2], |sum, one| [sum[0] + one[0], sum[1] + one[1]])
        })
    };
    let without = |part: &&KnownDistribution| {
        let values = fraction * (count - part.count) as f64 * (1.0 - 1e-12);
        let mut below = |at: usize| {
            let (all, own) = (sum(at), counts(part, knots[at]));
            [all[0] - own[0], all[1] - own[1]]
        };
        // The first knot at which enough values lie.
        let (mut low, mut high) = (0, knots.len() - 1);
        while low < high {
            let middle = low + (high - low) / 2;
            if below(middle)[1] >= values {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        let [before, _] = below(low);
        if low == 0 || values >= before {
            return knots[low];
        }
        let [_, from] = below(low - 1);
        let share = (values - from) / (before - from);
        knots[low - 1] + (knots[low] - knots[low - 1]) * share.clamp(0.0, 1.0)
    };
    Some(parts.iter().map(without).collect())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::statistics::quantiles;

    /// What is known of `values`.
    pub fn known(values: &mut [f64]) -> KnownDistribution {
        let count = values.len() as u64;
        KnownDistribution::new(count, quantiles(values, &CDF_FRACTIONS).unwrap_or_default())
    }

    /// Exponential values at equal steps of probability.
    fn exponential(count: u32, scale: f64) -> Vec<f64> {
        let value = |i: u32| -libm::log1p(-(f64::from(i) + 0.5) / f64::from(count)) * scale;
        (0..count).map(value).collect()
    }

    #[test]
    fn quantiles_without_each_are_those_of_the_others() {
        let mut samples: Vec<Vec<f64>> =
            [(20_000, 0.2), (3_000, 0.5), (40_000, 0.25), (700, 2.0), (9_000, 0.1)]
                .map(|(count, scale)| exponential(count, scale))
                .to_vec();
        let known: Vec<KnownDistribution> =
            samples.iter_mut().map(|values| known(values)).collect();
        let parts: Vec<&KnownDistribution> = known.iter().collect();
        for fraction in [0.01, 0.5, 0.9, 0.99, 0.9999] {
            let found = quantile_without_each(&parts, fraction).unwrap();
            for (at, found) in found.into_iter().enumerate() {
                let mut others = parts.clone();
                others.remove(at);
                let exact = mixture_quantile(&others, fraction).unwrap();
                // Fractions of the mixture below the least knot of the others.
                assert!((found / exact - 1.0).abs() < 1e-9, "{fraction} {at}: {found} {exact}");
                let mut values: Vec<f64> = samples
                    .iter()
                    .enumerate()
                    .filter(|(other, _)| *other != at)
                    .flat_map(|(_, values)| values.iter().copied())
                    .collect();
                let sampled = quantiles(&mut values, &[fraction]).unwrap()[0];
                let error = if fraction > 0.999 { 0.1 } else { 0.005 };
                assert!((found / sampled - 1.0).abs() < error, "{fraction}: {found} {sampled}");
            }
        }
    }

    #[test]
    fn jumps_and_lone_parts() {
        let sevens = known(&mut [7.0; 100]);
        let nines = known(&mut [9.0; 100]);
        let all = [&sevens, &nines, &sevens];
        assert_eq!(quantile_without_each(&all, 0.5), Some(vec![7.0, 7.0, 7.0]));
        assert_eq!(quantile_without_each(&all, 0.6), Some(vec![9.0, 7.0, 9.0]));
        assert_eq!(mixture_quantile(&all, 0.6), Some(7.0));
        assert_eq!(quantile_without_each(&[&sevens], 0.5), None);
        assert_eq!(quantile_without_each(&[&sevens, &KnownDistribution::default()], 0.5), None);
        assert_eq!(mixture_quantile(&[&KnownDistribution::default()], 0.5), None);
    }
}
