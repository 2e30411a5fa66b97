//! Days that are better or worse than forecast.

use crate::random::{Distribution, Stream};

/// Day-to-day noise: lognormal factors with a mean of 1, whose logarithms follow
/// an autoregression of order 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DayNoise {
    /// Standard deviation of the factor.
    pub cv: f64,
    /// Correlation of the logarithms of neighboring days, in (-1, 1).
    pub correlation: f64,
}

/// The factors of one replication.
#[derive(Clone, Debug)]
pub struct Noise {
    /// Variance of the logarithm.
    variance: f64,
    correlation: f64,
    normal: Distribution,
    stream: Stream,
    /// Days drawn so far, and the standard normal value of the last one.
    days: usize,
    value: f64,
}

impl Noise {
    /// Noise drawn from `stream`.
    pub fn new(spec: DayNoise, stream: Stream) -> Noise {
        Noise {
            variance: libm::log1p(spec.cv * spec.cv),
            correlation: spec.correlation,
            normal: Distribution::normal(0.0, 1.0).expect("a law"),
            stream,
            days: 0,
            value: 0.0,
        }
    }

    /// The factor of the `day`-th day, from 0; days are asked for in order.
    pub fn on(&mut self, day: usize) -> f64 {
        while self.days <= day {
            let fresh = self.normal.sample(&mut self.stream);
            // The first day is drawn from the law that all days have.
            let kept = if self.days == 0 { 0.0 } else { self.correlation };
            self.value = kept * self.value + (1.0 - kept * kept).sqrt() * fresh;
            self.days += 1;
        }
        libm::exp(self.variance.sqrt() * self.value - self.variance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    #[test]
    fn factors_have_their_mean_spread_and_correlation() {
        let spec = DayNoise { cv: 0.3, correlation: 0.6 };
        let mut noise = Noise::new(spec, Streams::new(1, 0).stream(Component::DayNoise, 1, 0));
        let n = 200_000;
        let factors: Vec<f64> = (0..n).map(|day| noise.on(day)).collect();
        let mean = factors.iter().sum::<f64>() / n as f64;
        let square = |f: &f64| (f - mean) * (f - mean);
        let cv = (factors.iter().map(square).sum::<f64>() / n as f64).sqrt() / mean;
        // Standard errors, autocorrelation included, are about .0013 and .0015.
        assert!((mean - 1.0).abs() < 0.005, "{mean}");
        assert!((cv - 0.3).abs() < 0.006, "{cv}");
        let logs: Vec<f64> = factors.iter().map(|f| f.ln()).collect();
        let mean = logs.iter().sum::<f64>() / n as f64;
        let covariance: f64 = logs.windows(2).map(|w| (w[0] - mean) * (w[1] - mean)).sum();
        let variance: f64 = logs.iter().map(|l| (l - mean) * (l - mean)).sum();
        assert!((covariance / variance - 0.6).abs() < 0.01, "{}", covariance / variance);
    }
}
