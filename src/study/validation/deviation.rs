//! How far a prediction is from a measurement: of one figure, of a
//! distribution, of many figures.

use crate::metrics::{CDF_FRACTIONS, LatencyRecord};
use crate::statistics::{quantile, quantiles};
use serde::Serialize;

/// Least measured duration that an error is given as a fraction of, s.
const FRACTION_FROM_S: f64 = 1e-3;

/// One figure, measured and simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Deviation {
    /// As measured, s.
    pub measured_s: f64,
    /// As simulated, s.
    pub simulated_s: f64,
    /// Simulated less measured, s.
    pub error_s: f64,
    /// `error_s` as a fraction of what was measured; none below a millisecond,
    /// where a fraction says nothing.
    pub error_fraction: Option<f64>,
}

impl Deviation {
    /// Compares two durations in seconds.
    pub fn new(measured_s: f64, simulated_s: f64) -> Self {
        let error_s = simulated_s - measured_s;
        let error_fraction = (measured_s >= FRACTION_FROM_S).then(|| error_s / measured_s);
        Deviation { measured_s, simulated_s, error_s, error_fraction }
    }
}

/// A distribution, measured and simulated.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// The mean.
    pub mean: Deviation,
    /// The 10 % quantile: calls that hardly waited.
    pub p10: Deviation,
    /// The 25 % quantile.
    pub p25: Deviation,
    /// The median.
    pub p50: Deviation,
    /// The 90 % quantile.
    pub p90: Deviation,
    /// The 95 % quantile.
    pub p95: Deviation,
    /// The 99 % quantile.
    pub p99: Deviation,
}

impl Comparison {
    /// Compares measured values in seconds with a simulated latency; `None`
    /// where either is empty.
    pub fn new(measured: &[f64], simulated: &LatencyRecord) -> Option<Self> {
        let quantiles = quantiles(&mut measured.to_vec(), &CDF_FRACTIONS)?;
        if simulated.count() == 0 {
            return None;
        }
        let mean = measured.iter().sum::<f64>() / measured.len() as f64;
        // The curve has every percent.
        let at = |percent: usize| {
            Deviation::new(quantiles[percent], simulated.known.quantiles()[percent])
        };
        Some(Comparison {
            mean: Deviation::new(mean, simulated.mean),
            p10: at(10),
            p25: at(25),
            p50: at(50),
            p90: at(90),
            p95: at(95),
            p99: at(99),
        })
    }

    /// Every figure with its name.
    pub fn named(&self) -> [(&'static str, Deviation); 7] {
        let Comparison { mean, p10, p25, p50, p90, p95, p99 } = *self;
        let names = ["mean", "p10", "p25", "p50", "p90", "p95", "p99"];
        let figures = [mean, p10, p25, p50, p90, p95, p99];
        std::array::from_fn(|index| (names[index], figures[index]))
    }
}

/// Relative errors of many predictions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Errors {
    /// Predictions.
    pub count: usize,
    /// Median of the absolute relative error.
    pub median_absolute: f64,
    /// Mean of the absolute relative error.
    pub mean_absolute: f64,
    /// Median of the signed relative error: the bias.
    pub median: f64,
}

impl Errors {
    /// Summarizes signed relative errors; `None` where there are none.
    pub fn new(mut errors: Vec<f64>) -> Option<Self> {
        let median = quantile(&mut errors, 0.5)?;
        let mut absolute: Vec<f64> = errors.iter().map(|error| error.abs()).collect();
        // In the order of size, so that the sum does not depend on selection.
        absolute.sort_by(f64::total_cmp);
        Some(Errors {
            count: absolute.len(),
            median_absolute: quantile(&mut absolute.clone(), 0.5)?,
            mean_absolute: absolute.iter().sum::<f64>() / absolute.len() as f64,
            median,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Sample;

    #[test]
    fn errors_are_relative_to_what_was_measured() {
        let deviation = Deviation::new(2.0, 1.5);
        assert_eq!((deviation.error_s, deviation.error_fraction), (-0.5, Some(-0.25)));
        assert_eq!(Deviation::new(1e-5, 1.0).error_fraction, None);
        let errors = Errors::new(vec![0.1, -0.3, 0.2]).unwrap();
        assert_eq!((errors.count, errors.median, errors.median_absolute), (3, 0.1, 0.2));
        assert!((errors.mean_absolute - 0.2).abs() < 1e-12);
        assert_eq!(Errors::new(Vec::new()), None);
    }

    #[test]
    fn both_sides_take_quantiles_alike() {
        let seconds = [4.0, 1.0, 3.0, 2.0, 10.0];
        let mut sample = Sample::new(10);
        seconds.iter().for_each(|s| sample.record((s * 1e10) as u64));
        let same = Comparison::new(&seconds, &LatencyRecord::new(&mut sample)).unwrap();
        for (name, deviation) in same.named() {
            assert!(deviation.error_s.abs() < 1e-9, "{name}: {deviation:?}");
        }
        assert!((same.p90.measured_s - 7.6).abs() < 1e-9);
        assert!(Comparison::new(&[], &LatencyRecord::default()).is_none());
    }
}
