//! Laws given by a table: weighted values, and quantiles joined by lines.
//!
//! Both are drawn by inversion (a binary search in the cumulative weights) and
//! values are kept in ascending order, so a draw grows with its uniform and
//! what-if arms that reshape a table stay coupled. Alias tables would be O(1)
//! but scramble that order; a search among 1000 values takes some 15 ns.

use super::streams::Stream;

/// Chooses an index with probability proportional to its weight.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Weights {
    cumulative: Box<[f64]>,
}

impl Weights {
    /// Checks the weights: finite, none negative, some positive.
    pub(super) fn new(weights: &[f64]) -> Result<Self, String> {
        if let Some(weight) = weights.iter().find(|weight| !(weight.is_finite() && **weight >= 0.0))
        {
            return Err(format!("weights must be finite and not negative, but one is {weight}"));
        }
        let mut total = 0.0;
        let cumulative: Box<[f64]> = weights
            .iter()
            .map(|weight| {
                total += weight;
                total
            })
            .collect();
        if total > 0.0 && total.is_finite() {
            Ok(Weights { cumulative })
        } else {
            Err(format!("weights must have a positive, finite sum, not {total}"))
        }
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> usize {
        let target = stream.unit() * self.total();
        self.cumulative.partition_point(|&sum| sum <= target).min(self.cumulative.len() - 1)
    }

    /// The mean of `values` under these weights.
    pub(super) fn mean(&self, values: impl Iterator<Item = f64>) -> f64 {
        let mut below = 0.0;
        let mut sum = 0.0;
        for (value, &cumulative) in values.zip(&self.cumulative) {
            sum += value * (cumulative - below);
            below = cumulative;
        }
        sum / self.total()
    }

    fn total(&self) -> f64 {
        self.cumulative[self.cumulative.len() - 1]
    }
}

/// Weighted values.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Empirical {
    values: Box<[f64]>,
    weights: Weights,
}

impl Empirical {
    pub(super) fn new(values: &[f64], weights: &[f64]) -> Result<Self, String> {
        if values.len() != weights.len() || values.is_empty() {
            let (values, weights) = (values.len(), weights.len());
            return Err(format!(
                "values and weights must be lists of one length, at least 1, \
                 but there are {values} values and {weights} weights"
            ));
        }
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            return Err(format!("values must be finite, but one is {value}"));
        }
        let mut pairs: Vec<(f64, f64)> =
            values.iter().copied().zip(weights.iter().copied()).collect();
        pairs.sort_by(|a, b| a.0.total_cmp(&b.0));
        // A value of weight zero is never drawn, not even by rounding at the end.
        pairs.retain(|pair| pair.1 != 0.0);
        let (values, weights): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Ok(Empirical { weights: Weights::new(&weights)?, values: values.into() })
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> f64 {
        self.values[self.weights.sample(stream)]
    }

    pub(super) fn mean_up_to(&self, limit: f64) -> f64 {
        self.weights.mean(self.values.iter().map(|value| value.min(limit)))
    }

    pub(super) fn mean(&self) -> f64 {
        self.weights.mean(self.values.iter().copied())
    }
}

/// Quantiles at ascending fractions from 0 to 1, joined by straight lines.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantiles {
    fractions: Box<[f64]>,
    values: Box<[f64]>,
}

impl Quantiles {
    pub(super) fn new(points: &[(f64, f64)]) -> Result<Self, String> {
        let (fractions, values): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
        let ends = fractions.first() == Some(&0.0) && fractions.last() == Some(&1.0);
        if !ends || !fractions.is_sorted_by(|a, b| a < b) {
            return Err("fractions must ascend from 0 to 1, both included".into());
        }
        if !values.iter().all(|value| value.is_finite()) || !values.is_sorted() {
            return Err("quantiles must be finite and must not descend".into());
        }
        Ok(Quantiles { fractions: fractions.into(), values: values.into() })
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> f64 {
        let unit = stream.unit();
        let right = self.fractions.partition_point(|&fraction| fraction < unit);
        let (from, to) = (self.fractions[right - 1], self.fractions[right]);
        let (low, high) = (self.values[right - 1], self.values[right]);
        low + (high - low) * ((unit - from) / (to - from))
    }

    pub(super) fn mean(&self) -> f64 {
        let pieces = self.fractions.windows(2).zip(self.values.windows(2));
        pieces.map(|(f, v)| (f[1] - f[0]) * (0.5 * v[0] + 0.5 * v[1])).sum()
    }
}
