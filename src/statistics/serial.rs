//! Whether neighbours in a series go together: von Neumann's ratio.
//!
//! Sections of one run can be treated as a sample only if they are long enough
//! not to remember each other. For independent normal values the sum of squared
//! successive differences over the sum of squared deviations has the mean 2 and
//! the variance 4 (n - 2) / ((n + 1) (n - 1)) (von Neumann 1941); values that go
//! together bring it down. Of 20 values a lag-one correlation of 0.5 is seen at
//! the 1 % level, of 100 one of 0.23.

/// How much neighbours go together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Serial {
    /// Lag-one correlation.
    pub correlation: f64,
    /// How many standard errors of independent values it is above zero.
    pub score: f64,
}

/// The score that one of a hundred independent series exceeds.
const SCORE_MAX: f64 = 2.326;

impl Serial {
    /// Of independent series of one length; `None` with fewer than three values
    /// in them, or when they do not vary.
    pub fn of(series: &[Vec<f64>]) -> Option<Serial> {
        let ratios: Vec<f64> = series.iter().filter_map(|series| ratio(series)).collect();
        let n = series.first()?.len() as f64;
        if ratios.is_empty() || n < 3.0 {
            return None;
        }
        let count = ratios.len() as f64;
        let ratio = ratios.iter().sum::<f64>() / count;
        let variance = 4.0 * (n - 2.0) / ((n + 1.0) * (n - 1.0)) / count;
        Some(Serial { correlation: 1.0 - 0.5 * ratio, score: (2.0 - ratio) / libm::sqrt(variance) })
    }

    /// Whether that is no accident, at the 1 % level.
    pub fn is_significant(&self) -> bool {
        self.score > SCORE_MAX
    }
}

/// Von Neumann's ratio; `None` when nothing varies.
fn ratio(series: &[f64]) -> Option<f64> {
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let square = |value: f64| value * value;
    let deviations: f64 = series.iter().map(|value| square(value - mean)).sum();
    let steps: f64 = series.windows(2).map(|pair| square(pair[1] - pair[0])).sum();
    (deviations > 0.0).then(|| steps / deviations)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    #[test]
    fn by_hand() {
        // Deviations -1, 0, 1 and steps 1, 1: ratio 1, variance 4 / (4 * 2).
        let found = Serial::of(&[vec![1.0, 2.0, 3.0]]).unwrap();
        assert_eq!((found.correlation, found.score), (0.5, 1.0 / 0.5f64.sqrt()));
        let twice = Serial::of(&[vec![1.0, 2.0, 3.0], vec![3.0, 2.0, 1.0]]).unwrap();
        assert!((twice.score - 2.0).abs() < 1e-12);
        assert_eq!(Serial::of(&[vec![1.0; 9]]), None);
        assert_eq!(Serial::of(&[vec![1.0, 2.0]]), None);
        assert_eq!(Serial::of(&[]), None);
    }

    /// Share of series of `n` values with this lag-one correlation (a first-order
    /// autoregression of uniform noise) that are called significant.
    fn alarms(n: usize, correlation: f64) -> f64 {
        const SERIES: u64 = 4_000;
        let is_alarm = |series: u64| {
            let mut stream = Streams::new(3, series).stream(Component::Arrivals, 0, 0);
            let mut value = 0.0;
            let mut next = || {
                value = correlation * value + stream.unit() - 0.5;
                value
            };
            let series = (0..50 + n).map(|_| next()).skip(50).collect();
            Serial::of(&[series]).is_some_and(|found| found.is_significant())
        };
        (0..SERIES).filter(|&series| is_alarm(series)).count() as f64 / SERIES as f64
    }

    #[test]
    fn false_alarms_and_power() {
        for (n, correlation, low, high) in [
            (20, 0.0, 0.002, 0.018),
            (100, 0.0, 0.004, 0.018),
            (20, 0.6, 0.4, 1.0),
            (20, 0.8, 0.75, 1.0),
            (100, 0.4, 0.9, 1.0),
        ] {
            let found = alarms(n, correlation);
            println!("{n} values, correlation {correlation}: {found}");
            assert!((low..=high).contains(&found), "{n} values, {correlation}: {found}");
        }
    }
}
