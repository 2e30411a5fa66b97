//! Gaps between arrivals in operational time, in which the expected rate is 1:
//! exponential ones make a Poisson process, more variable ones bursts.

use crate::random::{Distribution, Stream};

/// A law of gaps with a mean of 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Law {
    /// Independent arrivals.
    Exponential,
    /// The Gamma law with this coefficient of variation.
    Gamma {
        /// Coefficient of variation.
        cv: f64,
    },
    /// The Weibull law with this shape; below 1 is burstier than exponential.
    Weibull {
        /// Shape.
        shape: f64,
    },
    /// Like clockwork.
    Constant,
}

/// The gaps of a renewal process.
#[derive(Clone, Debug)]
pub struct Gaps {
    law: Law,
    gap: Distribution,
    /// Gaps as they are met at an arbitrary instant: longer ones more often.
    met: Distribution,
}

impl Gaps {
    /// Gaps of `law`, or why there cannot be any.
    pub fn new(law: Law) -> Result<Gaps, String> {
        let (gap, met) = match law {
            Law::Exponential => (Distribution::exponential(1.0)?, Distribution::exponential(1.0)?),
            Law::Gamma { cv } => {
                // Weighted by its length, Gamma(k, s) is Gamma(k + 1, s).
                let shape = 1.0 / (cv * cv);
                let scale = cv * cv;
                (Distribution::gamma(shape, scale)?, Distribution::gamma(shape + 1.0, scale)?)
            }
            Law::Weibull { shape } => {
                // Weighted by its length, (x / scale)^shape is Gamma(1 + 1 / shape, 1).
                let gap = Distribution::weibull_mean(shape, 1.0)?;
                (gap, Distribution::gamma(1.0 + 1.0 / shape, 1.0)?)
            }
            Law::Constant => (Distribution::constant(1.0)?, Distribution::constant(1.0)?),
        };
        Ok(Gaps { law, gap, met })
    }

    /// The next gap.
    #[inline]
    pub fn next(&self, stream: &mut Stream) -> f64 {
        self.gap.sample(stream)
    }

    /// What is left of the gap that an arbitrary instant falls into, so that the
    /// process is stationary from there on; of constant gaps a whole one, for
    /// clockwork starts with the clock. Exponential gaps have no memory, and their
    /// first is any: a rate that varies has the draws of one that does not.
    pub fn first(&self, stream: &mut Stream) -> f64 {
        let met = self.met.sample(stream);
        match self.law {
            Law::Exponential | Law::Constant => met,
            Law::Gamma { .. } => met * stream.unit(),
            Law::Weibull { shape } => {
                let scale = 1.0 / libm::tgamma(1.0 + 1.0 / shape);
                scale * libm::pow(met, 1.0 / shape) * stream.unit()
            }
        }
    }

    /// Whether they are drawn.
    pub fn is_random(&self) -> bool {
        self.law != Law::Constant
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    /// The mean residual of a stationary renewal process is (1 + cv^2) / 2, and
    /// the mean number of renewals in (0, t] is t.
    #[test]
    fn renewals_are_stationary_from_the_start() {
        let weibull = |shape: f64| {
            let m = |k: f64| libm::tgamma(1.0 + k / shape);
            (m(2.0) / (m(1.0) * m(1.0)) - 1.0).sqrt()
        };
        for (law, cv) in [
            (Law::Exponential, 1.0),
            (Law::Gamma { cv: 2.0 }, 2.0),
            (Law::Gamma { cv: 0.5 }, 0.5),
            (Law::Weibull { shape: 0.6 }, weibull(0.6)),
        ] {
            let gaps = Gaps::new(law).unwrap();
            let n = 40_000u64;
            let (mut residual, mut renewals) = (0.0, 0u64);
            for replication in 0..n {
                let mut stream = Streams::new(7, replication).stream(Component::Arrivals, 1, 0);
                let mut at = gaps.first(&mut stream);
                residual += at;
                while at <= 0.5 {
                    renewals += 1;
                    at += gaps.next(&mut stream);
                }
            }
            let mean = residual / n as f64;
            assert!((mean / ((1.0 + cv * cv) / 2.0) - 1.0).abs() < 0.03, "{law:?}: {mean}");
            let rate = renewals as f64 / n as f64 / 0.5;
            assert!((rate - 1.0).abs() < 0.04, "{law:?}: {rate}");
        }
    }
}
