//! A mean with its confidence interval.

use super::jackknife::Jackknife;
use super::student::student_quantile;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mean over replications with a 95 % confidence interval.
///
/// `low` and `high` are absent when one replication cannot tell the spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Mean over replications.
    pub mean: f64,
    /// Lower end of the 95 % confidence interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % confidence interval.
    pub high: Option<f64>,
}

impl Interval {
    /// The 95 % Student interval of the mean of independent values, one a
    /// replication; `None` when there is none. Panics on a value that is not
    /// finite.
    pub fn student(values: &[f64]) -> Option<Self> {
        Self::student_at(values, 0.95)
    }

    /// [`Interval::student`] at another confidence, in (0, 1).
    pub fn student_at(values: &[f64], confidence: f64) -> Option<Self> {
        assert!(values.iter().all(|value| value.is_finite()), "not finite: {values:?}");
        let (&first, rest) = values.split_first()?;
        if rest.is_empty() {
            return Some(Interval { mean: first, low: None, high: None });
        }
        if rest.iter().all(|&value| value == first) {
            return Some(Self::constant(first));
        }
        let mean = mean(values);
        let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
        let n = values.len() as f64;
        Some(Self::around(mean, libm::sqrt(squares / (n - 1.0) / n), values.len(), confidence))
    }

    /// A figure that sampling does not touch.
    pub fn constant(value: f64) -> Self {
        Interval { mean: value, low: Some(value), high: Some(value) }
    }

    /// The 95 % interval of a ratio of expectations (dollars a token, share of
    /// calls in time) from one numerator and one denominator a replication.
    ///
    /// The estimate is the ratio of sums, never a mean of ratios; its error is
    /// found by the jackknife over replications. `None` when the denominators,
    /// all or all but one, add up to zero.
    pub fn ratio(numerators: &[f64], denominators: &[f64]) -> Option<Self> {
        Self::ratio_at(numerators, denominators, 0.95)
    }

    /// [`Interval::ratio`] at another confidence, in (0, 1).
    pub fn ratio_at(numerators: &[f64], denominators: &[f64], confidence: f64) -> Option<Self> {
        Some(Jackknife::ratio(numerators, denominators)?.interval(confidence))
    }

    /// The interval of an estimate from a whole run, whose spread is that of the
    /// same statistic over equal sections of the run (sectioning): Student's t on
    /// their deviations from the estimate. Without ends for fewer than two.
    pub fn sectioned(estimate: f64, sections: &[f64], confidence: f64) -> Self {
        if sections.len() < 2 {
            return Interval { mean: estimate, low: None, high: None };
        }
        let squares: f64 =
            sections.iter().map(|value| (value - estimate) * (value - estimate)).sum();
        let n = sections.len() as f64;
        let error = libm::sqrt(squares / (n - 1.0) / n);
        Self::around(estimate, error, sections.len(), confidence)
    }

    /// An interval of the same width around `mean`.
    pub fn moved_to(&self, mean: f64) -> Self {
        let by = mean - self.mean;
        Interval { mean, low: self.low.map(|low| low + by), high: self.high.map(|high| high + by) }
    }

    fn around(mean: f64, error: f64, n: usize, confidence: f64) -> Self {
        let half = error * student_quantile((n - 1) as u32, confidence);
        Interval { mean, low: Some(mean - half), high: Some(mean + half) }
    }
}

/// The mean, summed in the order given.
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn student_interval_by_hand() {
        // Mean 3, variance 2.5, error sqrt(0.5), t(4) = 2.776445.
        let interval = Interval::student(&[1.0, 2.0, 3.0, 4.0, 5.0]).unwrap();
        assert_eq!(interval.mean, 3.0);
        assert!((interval.high.unwrap() - (3.0 + 2.776_445_1 * 0.5f64.sqrt())).abs() < 1e-6);
        assert!((interval.low.unwrap() + interval.high.unwrap() - 6.0).abs() < 1e-12);
        let wide = Interval::student_at(&[1.0, 2.0, 3.0, 4.0, 5.0], 0.99).unwrap();
        assert!((wide.high.unwrap() - (3.0 + 4.604_094_9 * 0.5f64.sqrt())).abs() < 1e-6);
    }

    #[test]
    fn degenerate_samples() {
        assert_eq!(Interval::student(&[]), None);
        let one = Interval::student(&[0.1]).unwrap();
        assert_eq!((one.mean, one.low, one.high), (0.1, None, None));
        // Equal values stay exact: 0.1 summed and divided would not.
        assert_eq!(Interval::student(&[0.1; 3]), Some(Interval::constant(0.1)));
        assert!(std::panic::catch_unwind(|| Interval::student(&[1.0, f64::NAN])).is_err());
    }

    #[test]
    fn sections_by_hand() {
        // Deviations -1, 0, 3 from 2: variance 10/2, error sqrt(5/3), t(2) = 4.302653.
        let interval = Interval::sectioned(2.0, &[1.0, 2.0, 5.0], 0.95);
        let half = 4.302_652_7 * (5.0f64 / 3.0).sqrt();
        assert_eq!(interval.mean, 2.0);
        assert!((interval.high.unwrap() - (2.0 + half)).abs() < 1e-6);
        assert_eq!(Interval::sectioned(2.0, &[1.0], 0.95).low, None);
        // Around their own mean it is the Student interval.
        let student = Interval::student(&[1.0, 2.0, 6.0]).unwrap();
        assert_eq!(Interval::sectioned(3.0, &[1.0, 2.0, 6.0], 0.95), student);
        assert_eq!(student.moved_to(4.0).low.unwrap(), student.low.unwrap() + 1.0);
    }

    #[test]
    fn ratio_by_hand() {
        // Leave-one-out ratios 5/3, 1, 1 around 6/5: squared deviations sum to
        // 8/27, error sqrt(8/27 * 2/3), t(2) = 4.302653.
        let interval = Interval::ratio(&[1.0, 2.0, 3.0], &[2.0, 1.0, 2.0]).unwrap();
        assert_eq!(interval.mean, 1.2);
        let half = 4.302_652_7 * (8.0f64 / 27.0 * 2.0 / 3.0).sqrt();
        assert!((interval.high.unwrap() - (1.2 + half)).abs() < 1e-6);
        assert_eq!(Interval::ratio(&[1.0, 2.0], &[4.0, 8.0]), Some(Interval::constant(0.25)));
        assert_eq!(Interval::ratio(&[1.0], &[0.0]), None);
        assert_eq!(Interval::ratio(&[1.0, 1.0], &[0.0, 2.0]), None);
        assert_eq!(Interval::ratio(&[], &[]), None);
        assert_eq!(Interval::ratio(&[3.0], &[2.0]).unwrap().low, None);
    }
}
