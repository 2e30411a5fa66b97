//! The jackknife: the error of any estimate from what leaving out one
//! replication at a time does to it.
//!
//! For a mean it gives the Student interval exactly; for a ratio of totals it
//! is the usual choice (Miller 1974). Two estimates from the same replications
//! are compared through their leave-one-out values, so that what common random
//! numbers share cancels.

use super::interval::Interval;
use super::student::student_quantile;

/// An estimate, and the same estimate without each replication in turn.
#[derive(Clone, Debug, PartialEq)]
pub struct Jackknife {
    estimate: f64,
    without: Vec<f64>,
}

/// The difference of two estimates from the same replications.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Paired {
    /// First minus second, with its interval.
    pub difference: Interval,
    /// Variance that independent replications would have had over the variance
    /// found: how many times fewer runs the pairing needs. `None` when either
    /// is zero or cannot be told.
    pub variance_reduction: Option<f64>,
}

impl Jackknife {
    /// Of the mean of `values`; `None` without values.
    pub fn mean(values: &[f64]) -> Option<Self> {
        Self::ratio(values, &vec![1.0; values.len()])
    }

    /// Of the ratio of sums; `None` when the denominators, all or all but one,
    /// add up to zero.
    pub fn ratio(numerators: &[f64], denominators: &[f64]) -> Option<Self> {
        assert_eq!(numerators.len(), denominators.len(), "one pair a replication");
        let top: f64 = numerators.iter().sum();
        let bottom: f64 = denominators.iter().sum();
        let pairs = || numerators.iter().zip(denominators);
        if bottom == 0.0 || (pairs().len() > 1 && pairs().any(|(_, b)| bottom - b == 0.0)) {
            return None;
        }
        let without = match pairs().len() {
            1 => Vec::new(),
            _ => pairs().map(|(a, b)| (top - a) / (bottom - b)).collect(),
        };
        Some(Jackknife { estimate: top / bottom, without })
    }

    /// Of `estimate`, of which leaving out each replication makes these.
    pub fn new(estimate: f64, without: Vec<f64>) -> Self {
        Jackknife { estimate, without }
    }

    /// The same spread around another estimate, that of all of which these
    /// replications are parts.
    pub fn around(self, estimate: f64) -> Self {
        Jackknife { estimate, ..self }
    }

    /// The estimate.
    pub fn estimate(&self) -> f64 {
        self.estimate
    }

    /// The estimates without each replication.
    pub(super) fn without(&self) -> &[f64] {
        &self.without
    }

    /// This estimate minus `other`, which must come from the same replications.
    pub fn minus(&self, other: &Jackknife, confidence: f64) -> Paired {
        assert_eq!(self.without.len(), other.without.len(), "the same replications");
        let without = self.without.iter().zip(&other.without).map(|(a, b)| a - b).collect();
        let difference = Jackknife { estimate: self.estimate - other.estimate, without };
        let variance_reduction = match (self.variance(), other.variance(), difference.variance()) {
            (Some(a), Some(b), Some(paired)) if a + b > 0.0 && paired > 0.0 => {
                Some((a + b) / paired)
            }
            _ => None,
        };
        Paired { difference: difference.interval(confidence), variance_reduction }
    }

    /// The estimate with its interval; without ends when one replication
    /// cannot tell the spread.
    pub fn interval(&self, confidence: f64) -> Interval {
        let Some(variance) = self.variance() else {
            return Interval { mean: self.estimate, low: None, high: None };
        };
        let freedom = (self.without.len() - 1) as u32;
        let half = libm::sqrt(variance) * student_quantile(freedom, confidence);
        let (low, high) = (self.estimate - half, self.estimate + half);
        Interval { mean: self.estimate, low: Some(low), high: Some(high) }
    }

    /// Variance of the estimate; `None` with fewer than two replications.
    fn variance(&self) -> Option<f64> {
        let n = self.without.len() as f64;
        let &first = self.without.first()?;
        if self.without.iter().all(|&value| value == first) {
            return Some(0.0);
        }
        let center = self.without.iter().sum::<f64>() / n;
        let squares: f64 =
            self.without.iter().map(|value| (value - center) * (value - center)).sum();
        Some(squares * (n - 1.0) / n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_mean_is_the_student_interval() {
        let values = [1.0, 2.0, 3.0, 4.0, 7.0];
        let jackknife = Jackknife::mean(&values).unwrap().interval(0.95);
        let student = Interval::student(&values).unwrap();
        assert!((jackknife.low.unwrap() - student.low.unwrap()).abs() < 1e-12);
        assert!((jackknife.high.unwrap() - student.high.unwrap()).abs() < 1e-12);
    }

    #[test]
    fn what_two_arms_share_cancels() {
        let shared = [3.0, -1.0, 4.0, 1.0, -5.0, 9.0];
        let slower: Vec<f64> = shared.iter().map(|value| value + 0.5).collect();
        let noisy: Vec<f64> =
            slower.iter().zip([0.1, -0.1, 0.1, -0.1, 0.1, -0.1]).map(|(a, b)| a + b).collect();
        let baseline = Jackknife::mean(&shared).unwrap();
        let exact = Jackknife::mean(&slower).unwrap().minus(&baseline, 0.95);
        assert!((exact.difference.mean - 0.5).abs() < 1e-12);
        assert!(exact.difference.high.unwrap() - exact.difference.low.unwrap() < 1e-9);
        let paired = Jackknife::mean(&noisy).unwrap().minus(&baseline, 0.95);
        assert!(paired.variance_reduction.unwrap() > 1000.0, "{paired:?}");
        // Against itself reversed nothing is shared: no reduction.
        let reversed: Vec<f64> = shared.iter().rev().map(|value| -value).collect();
        let opposed = Jackknife::mean(&reversed).unwrap().minus(&baseline, 0.95);
        assert!(opposed.variance_reduction.unwrap() < 1.1, "{opposed:?}");
    }

    #[test]
    fn degenerate_samples() {
        assert_eq!(Jackknife::mean(&[]), None);
        assert_eq!(Jackknife::ratio(&[1.0, 2.0], &[0.0, 3.0]), None);
        let one = Jackknife::mean(&[2.0]).unwrap();
        assert_eq!(one.interval(0.95), Interval { mean: 2.0, low: None, high: None });
    }
}
