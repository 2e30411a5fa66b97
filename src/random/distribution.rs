//! A checked law to draw from: lengths, think times, durations.
//!
//! Constructors check their parameters once and say what would be right; after
//! that drawing cannot fail. All laws but the gamma, beta and Zipf laws are drawn by
//! inversion of one uniform: the draw never falls when the uniform rises, so
//! arms that change a law's shape stay paired (a mixture takes two uniforms).
//! Cost of a draw: 5-30 ns.

use super::beta::Beta;
use super::discrete::{Empirical, Quantiles, Weights};
use super::gamma::Gamma;
use super::normal::normal_quantile;
use super::streams::{Component, Stream, Streams};
use super::zipf::Zipf;

/// Draws behind a mean for which there is no formula.
const DRAWS: u32 = 10_000;

/// A probability law of one real quantity, perhaps clamped to bounds.
///
/// ```
/// use tokenmill::random::{Component, Distribution, Streams, entity};
///
/// let prompt = Distribution::lognormal(900.0, 0.9)?.with_bounds(1.0, 32_000.0)?;
/// let streams = Streams::new(1, 0); // root seed, replication
/// let tokens = prompt.sample_tokens(&mut streams.stream(Component::Prompt, entity("chat"), 7));
/// assert!((1..=32_000).contains(&tokens));
/// # Ok::<(), String>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Distribution {
    pub(super) law: Law,
    pub(super) bounds: Option<(f64, f64)>,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) enum Law {
    Constant(f64),
    Uniform { low: f64, width: f64 },
    Exponential { mean: f64 },
    Normal { mean: f64, sd: f64 },
    Lognormal { median: f64, sigma: f64 },
    Gamma { shape: f64, scale: f64, standard: Gamma },
    Beta { scale: f64, standard: Box<Beta> },
    Weibull { scale: f64, shape: f64 },
    Pareto { minimum: f64, alpha: f64 },
    Zipf(Zipf),
    Empirical(Empirical),
    Quantiles(Quantiles),
    Mixture { weights: Weights, parts: Box<[Distribution]> },
}

impl From<Law> for Distribution {
    fn from(law: Law) -> Self {
        Distribution { law, bounds: None }
    }
}

/// The largest count that [`Distribution::sample_tokens`] returns.
const TOKENS_MAX: u32 = u32::MAX / 4;

impl Distribution {
    /// Always `value`.
    pub fn constant(value: f64) -> Result<Self, String> {
        finite("value", value)?;
        Ok(Law::Constant(value).into())
    }

    /// Uniform between `low` and `high`.
    pub fn uniform(low: f64, high: f64) -> Result<Self, String> {
        finite("low", low)?;
        finite("high", high)?;
        let width = high - low;
        if !(width > 0.0 && width.is_finite()) {
            return Err(format!("low must be below high, but low is {low} and high is {high}"));
        }
        Ok(Law::Uniform { low, width }.into())
    }

    /// Exponential with the given mean.
    pub fn exponential(mean: f64) -> Result<Self, String> {
        positive("mean", mean)?;
        Ok(Law::Exponential { mean }.into())
    }

    /// Normal with the given mean and standard deviation. Draws can be
    /// negative; see [`Distribution::with_bounds`].
    pub fn normal(mean: f64, sd: f64) -> Result<Self, String> {
        finite("mean", mean)?;
        positive("sd", sd)?;
        Ok(Law::Normal { mean, sd }.into())
    }

    /// Lognormal: exp of a normal around ln(`median`) with standard deviation `sigma`.
    pub fn lognormal(median: f64, sigma: f64) -> Result<Self, String> {
        positive("median", median)?;
        positive("sigma", sigma)?;
        Ok(Law::Lognormal { median, sigma }.into())
    }

    /// Lognormal with the given mean and coefficient of variation (standard
    /// deviation over mean).
    pub fn lognormal_mean_cv(mean: f64, cv: f64) -> Result<Self, String> {
        positive("mean", mean)?;
        positive("cv", cv)?;
        let ratio = libm::hypot(1.0, cv); // mean over median
        Self::lognormal(mean / ratio, libm::sqrt(2.0 * libm::log(ratio))).map_err(|_| {
            format!("a mean of {mean} with a cv of {cv} is beyond the range of numbers")
        })
    }

    /// Gamma with the given shape; its mean is `shape * scale`.
    pub fn gamma(shape: f64, scale: f64) -> Result<Self, String> {
        positive("shape", shape)?;
        positive("scale", scale)?;
        Ok(Law::Gamma { shape, scale, standard: Gamma::new(shape) }.into())
    }

    /// Gamma with the given mean and coefficient of variation.
    pub fn gamma_mean_cv(mean: f64, cv: f64) -> Result<Self, String> {
        positive("mean", mean)?;
        positive("cv", cv)?;
        Self::gamma(1.0 / (cv * cv), mean * cv * cv).map_err(|_| {
            format!("a mean of {mean} with a cv of {cv} is beyond the range of numbers")
        })
    }

    /// Beta with the given shapes, stretched from 0..1 to 0..`scale`; its mean is
    /// `scale * alpha / (alpha + beta)`.
    pub fn beta(alpha: f64, beta: f64, scale: f64) -> Result<Self, String> {
        for (name, shape) in [("alpha", alpha), ("beta", beta)] {
            if !(1e-3..=1e6).contains(&shape) {
                return Err(format!("{name} must be between 0.001 and 1e6, not {shape}"));
            }
        }
        positive("scale", scale)?;
        Ok(Law::Beta { scale, standard: Beta::new(alpha, beta).into() }.into())
    }

    /// Weibull: `scale` times a standard exponential to the power `1 / shape`.
    pub fn weibull(shape: f64, scale: f64) -> Result<Self, String> {
        positive("shape", shape)?;
        positive("scale", scale)?;
        Ok(Law::Weibull { scale, shape }.into())
    }

    /// Weibull with the given shape and mean.
    pub fn weibull_mean(shape: f64, mean: f64) -> Result<Self, String> {
        positive("shape", shape)?;
        positive("mean", mean)?;
        Self::weibull(shape, mean / libm::tgamma(1.0 + 1.0 / shape))
            .map_err(|_| format!("shape must be larger than {shape} for a mean of {mean}"))
    }

    /// Pareto: P(X > x) = (`minimum` / x)^`alpha`.
    pub fn pareto(minimum: f64, alpha: f64) -> Result<Self, String> {
        positive("minimum", minimum)?;
        positive("alpha", alpha)?;
        Ok(Law::Pareto { minimum, alpha }.into())
    }

    /// Zipf on 1..=`n`: P(k) proportional to k^-`exponent`.
    pub fn zipf(n: u64, exponent: f64) -> Result<Self, String> {
        if !(1..=1 << 50).contains(&n) {
            return Err(format!("n must be between 1 and 2^50, not {n}"));
        }
        if !(0.0..=100.0).contains(&exponent) {
            return Err(format!("exponent must be between 0 and 100, not {exponent}"));
        }
        Ok(Law::Zipf(Zipf::new(n, exponent)).into())
    }

    /// One of `values`, with probability proportional to its weight.
    pub fn empirical(values: &[f64], weights: &[f64]) -> Result<Self, String> {
        Ok(Law::Empirical(Empirical::new(values, weights)?).into())
    }

    /// A law known by quantiles: (fraction, value) points from fraction 0 to 1
    /// with straight lines between them.
    pub fn quantiles(points: &[(f64, f64)]) -> Result<Self, String> {
        Ok(Law::Quantiles(Quantiles::new(points)?).into())
    }

    /// A draw from one of the parts, chosen with probability proportional to
    /// its weight.
    pub fn mixture(mut parts: Vec<(f64, Distribution)>) -> Result<Self, String> {
        parts.retain(|part| part.0 != 0.0);
        let (weights, parts): (Vec<f64>, Vec<Distribution>) = parts.into_iter().unzip();
        Ok(Law::Mixture { weights: Weights::new(&weights)?, parts: parts.into() }.into())
    }

    /// The same law with draws clamped to `min..=max` (either may be infinite):
    /// what falls outside counts as the bound. Replaces earlier bounds.
    pub fn with_bounds(self, min: f64, max: f64) -> Result<Self, String> {
        if min <= max && min < f64::INFINITY && max > f64::NEG_INFINITY {
            Ok(Distribution { law: self.law, bounds: Some((min, max)) })
        } else {
            Err(format!("min must be at most max, but min is {min} and max is {max}"))
        }
    }

    /// Draws a value; never NaN, infinite only where a heavy tail overflows.
    #[inline]
    pub fn sample(&self, stream: &mut Stream) -> f64 {
        let draw = self.law.sample(stream);
        match self.bounds {
            Some((min, max)) => draw.clamp(min, max),
            None => draw,
        }
    }

    /// Draws a number of tokens: rounded to the nearest, at least 1, at most
    /// `u32::MAX / 4`.
    #[inline]
    pub fn sample_tokens(&self, stream: &mut Stream) -> u32 {
        // `as` truncates and saturates, so a half more rounds to nearest.
        ((self.sample(stream) + 0.5) as u32).clamp(1, TOKENS_MAX)
    }

    /// The exact mean; `None` when it is infinite, or unknown because of bounds.
    pub fn mean(&self) -> Option<f64> {
        match (self.bounds, &self.law) {
            (Some((min, max)), Law::Constant(value)) => Some(value.clamp(min, max)),
            (Some((min, max)), _) => (min == max).then_some(min),
            (None, law) => law.mean().filter(|mean| mean.is_finite()),
        }
    }

    /// The mean of its draws above zero, estimated where bounds or a heavy tail
    /// leave no formula.
    pub fn expected(&self) -> f64 {
        self.mean().unwrap_or_else(|| {
            let mut stream = Streams::new(0, 0).stream(Component::Think, 0, 0);
            let draws = (0..DRAWS).map(|_| self.sample(&mut stream).max(0.0));
            draws.sum::<f64>() / f64::from(DRAWS)
        })
    }

    /// Whether every draw is the same.
    pub fn is_constant(&self) -> bool {
        matches!(self.law, Law::Constant(_)) || self.bounds.is_some_and(|(min, max)| min == max)
    }
}

impl Law {
    #[inline]
    fn sample(&self, stream: &mut Stream) -> f64 {
        match self {
            Law::Constant(value) => *value,
            Law::Uniform { low, width } => low + width * stream.unit(),
            Law::Exponential { mean } => mean * standard_exponential(stream),
            Law::Normal { mean, sd } => mean + sd * normal_quantile(stream.unit()),
            Law::Lognormal { median, sigma } => {
                median * libm::exp(sigma * normal_quantile(stream.unit()))
            }
            Law::Gamma { scale, standard, .. } => scale * standard.sample(stream),
            Law::Beta { scale, standard } => scale * standard.sample(stream),
            Law::Weibull { scale, shape } => {
                scale * libm::pow(standard_exponential(stream), 1.0 / shape)
            }
            Law::Pareto { minimum, alpha } => {
                minimum * libm::pow(1.0 - stream.unit(), -1.0 / alpha)
            }
            Law::Zipf(zipf) => zipf.sample(stream),
            Law::Empirical(empirical) => empirical.sample(stream),
            Law::Quantiles(quantiles) => quantiles.sample(stream),
            Law::Mixture { weights, parts } => parts[weights.sample(stream)].sample(stream),
        }
    }

    pub(super) fn mean(&self) -> Option<f64> {
        match self {
            Law::Constant(value) => Some(*value),
            Law::Uniform { low, width } => Some(low + 0.5 * width),
            Law::Exponential { mean } | Law::Normal { mean, .. } => Some(*mean),
            Law::Lognormal { median, sigma } => Some(median * libm::exp(0.5 * sigma * sigma)),
            Law::Gamma { shape, scale, .. } => Some(shape * scale),
            Law::Beta { scale, standard } => Some(scale * standard.mean()),
            Law::Weibull { scale, shape } => Some(scale * libm::tgamma(1.0 + 1.0 / shape)),
            Law::Pareto { minimum, alpha } => {
                (*alpha > 1.0).then(|| minimum * (alpha / (alpha - 1.0)))
            }
            Law::Zipf(zipf) => Some(zipf.mean()),
            Law::Empirical(empirical) => Some(empirical.mean()),
            Law::Quantiles(quantiles) => Some(quantiles.mean()),
            Law::Mixture { weights, parts } => {
                let means: Option<Vec<f64>> = parts.iter().map(Distribution::mean).collect();
                means.map(|means| weights.mean(means.into_iter()))
            }
        }
    }
}

/// `1 - unit` is exact, so this grows with the uniform.
#[inline]
fn standard_exponential(stream: &mut Stream) -> f64 {
    -libm::log(1.0 - stream.unit())
}

fn finite(name: &str, value: f64) -> Result<(), String> {
    if value.is_finite() { Ok(()) } else { Err(format!("{name} must be finite, not {value}")) }
}

fn positive(name: &str, value: f64) -> Result<(), String> {
    if value > 0.0 && value.is_finite() {
        Ok(())
    } else {
        Err(format!("{name} must be positive and finite, not {value}"))
    }
}

#[cfg(test)]
#[path = "distribution_tests.rs"]
mod tests;
