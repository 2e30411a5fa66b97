//! Means of what is cut off at a limit: E[min(X, limit)], in closed form.

use super::distribution::{Distribution, Law};

impl Distribution {
    /// The exact mean of the smaller of a draw and `limit`; `None` when it is
    /// infinite or has no closed form.
    pub fn mean_up_to(&self, limit: f64) -> Option<f64> {
        let mean = match self.bounds {
            None => self.law.mean_up_to(limit)?,
            Some((min, _)) if limit <= min => limit,
            Some((min, max)) => {
                let below = self.law.mean_up_to(limit.min(max))?;
                // What is below `min` counts as that.
                let lifted = match min > f64::NEG_INFINITY {
                    true => min - self.law.mean_up_to(min)?,
                    false => 0.0,
                };
                below + lifted
            }
        };
        Some(mean).filter(|mean| mean.is_finite())
    }
}

impl Law {
    fn mean_up_to(&self, limit: f64) -> Option<f64> {
        if limit == f64::INFINITY {
            return self.mean();
        }
        Some(match self {
            Law::Constant(value) => value.min(limit),
            Law::Uniform { low, width } => {
                let inside = (limit - low).clamp(0.0, *width);
                limit.min(*low) + inside - inside * inside / (2.0 * width)
            }
            Law::Exponential { mean } if limit > 0.0 => mean * -libm::expm1(-limit / mean),
            Law::Normal { mean, sd } => {
                let z = (limit - mean) / sd;
                limit - sd * (z * normal_cdf(z) + normal_density(z))
            }
            Law::Lognormal { median, sigma } if limit > 0.0 => {
                let z = libm::log(limit / median) / sigma;
                let mean = median * libm::exp(0.5 * sigma * sigma);
                mean * normal_cdf(z - sigma) + limit * normal_cdf(-z)
            }
            Law::Pareto { minimum, alpha } if limit > *minimum => {
                let ratio = limit / minimum;
                // The survival function, integrated from `minimum` to `limit`.
                let tail = match alpha - 1.0 {
                    0.0 => libm::log(ratio),
                    power => -libm::expm1(-power * libm::log(ratio)) / power,
                };
                minimum * (1.0 + tail)
            }
            Law::Empirical(empirical) => empirical.mean_up_to(limit),
            Law::Mixture { weights, parts } => {
                let means: Option<Vec<f64>> =
                    parts.iter().map(|part| part.mean_up_to(limit)).collect();
                weights.mean(means?.into_iter())
            }
            // No draw is below these.
            Law::Exponential { .. } | Law::Lognormal { .. } | Law::Pareto { .. } => limit,
            Law::Gamma { .. } | Law::Beta { .. } | Law::Weibull { .. } => return None,
            Law::Zipf(_) | Law::Quantiles(_) => return None,
        })
    }
}

fn normal_cdf(z: f64) -> f64 {
    0.5 * libm::erfc(-z * std::f64::consts::FRAC_1_SQRT_2)
}

fn normal_density(z: f64) -> f64 {
    libm::exp(-0.5 * z * z) / libm::sqrt(2.0 * std::f64::consts::PI)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    /// Against means of draws, below, within and above the bulk of each law.
    #[test]
    fn limited_means_are_those_of_draws() {
        let lognormal = Distribution::lognormal(700.0, 1.1).unwrap();
        let parts = vec![(1.0, lognormal.clone()), (3.0, Distribution::constant(40.0).unwrap())];
        let laws = [
            ("constant", Distribution::constant(40.0)),
            ("uniform", Distribution::uniform(-5.0, 30.0)),
            ("exponential", Distribution::exponential(12.0)),
            ("normal", Distribution::normal(3.0, 20.0)),
            ("lognormal", Ok(lognormal.clone())),
            ("bounded", lognormal.with_bounds(300.0, 2_000.0)),
            ("pareto", Distribution::pareto(2.0, 1.5)),
            ("pareto at 1", Distribution::pareto(2.0, 1.0)),
            ("empirical", Distribution::empirical(&[1.0, 7.0, 90.0], &[1.0, 2.0, 1.0])),
            ("mixture", Distribution::mixture(parts)),
        ];
        const DRAWS: u64 = 100_000;
        for (name, law) in laws {
            let law = law.unwrap();
            for limit in [-8.0, 1.0, 9.0, 50.0, 500.0, 5_000.0] {
                let exact = law.mean_up_to(limit).unwrap();
                let mut stream = Streams::new(1, 0).stream(Component::Thinking, 0, 0);
                let draws = (0..DRAWS).map(|_| law.sample(&mut stream).min(limit));
                let (sum, squares) = draws.fold((0.0, 0.0), |(sum, squares), draw| {
                    (sum + (draw - exact), squares + (draw - exact) * (draw - exact))
                });
                let error = squares.sqrt() / DRAWS as f64;
                let off = sum / DRAWS as f64;
                assert!(off.abs() < 4.5 * error + 1e-5 * limit.abs(), "{name} {limit}: {off}");
            }
        }
        // Without a limit it is the mean.
        let lognormal = Distribution::lognormal(700.0, 1.1).unwrap();
        assert_eq!(lognormal.mean_up_to(f64::INFINITY), lognormal.mean());
        assert_eq!(Distribution::pareto(2.0, 1.0).unwrap().mean_up_to(f64::INFINITY), None);
        assert_eq!(Distribution::gamma(2.0, 1.0).unwrap().mean_up_to(3.0), None);
    }
}
