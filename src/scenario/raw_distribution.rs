//! Distributions as a user writes them: a number, or a table that names a law.
//!
//! Values are tokens (numbers) or durations (strings with a unit); which one
//! is the type parameter.

use super::tree::At;
use super::units::Duration;
use crate::error::Mistake;
use crate::random::Distribution;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A fixed value, or a law that values are drawn from.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawDistribution<V> {
    /// The same value each time.
    Fixed(V),
    /// A law with its parameters.
    Drawn(Box<RawBounded<V>>),
}

/// A law, with bounds that draws are clamped to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(extend("unevaluatedProperties" = false))]
pub struct RawBounded<V> {
    /// The law.
    #[serde(flatten)]
    pub law: RawLaw<V>,
    /// Smallest value; smaller draws become it.
    pub min: Option<V>,
    /// Largest value; larger draws become it.
    pub max: Option<V>,
}

/// A law by name.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "kebab-case")]
pub enum RawLaw<V> {
    /// The same value each time.
    Constant {
        /// The value.
        value: V,
    },
    /// All values between two bounds alike.
    Uniform {
        /// Lower bound.
        low: V,
        /// Upper bound.
        high: V,
    },
    /// Memoryless.
    Exponential {
        /// Mean.
        mean: V,
    },
    /// The bell curve; negative draws are clamped by `min`.
    Normal {
        /// Mean.
        mean: V,
        /// Standard deviation.
        sd: V,
    },
    /// By `median` and `sigma`, or by `mean` and `cv`.
    Lognormal {
        /// Median.
        median: Option<V>,
        /// Standard deviation of the logarithm.
        sigma: Option<f64>,
        /// Mean.
        mean: Option<V>,
        /// Coefficient of variation: standard deviation over mean.
        cv: Option<f64>,
    },
    /// By `shape` and `scale`, or by `mean` and `cv`.
    Gamma {
        /// Shape.
        shape: Option<f64>,
        /// Scale.
        scale: Option<V>,
        /// Mean.
        mean: Option<V>,
        /// Coefficient of variation: standard deviation over mean.
        cv: Option<f64>,
    },
    /// Shares, by their two shapes.
    Beta {
        /// Shape at 0.
        alpha: f64,
        /// Shape at 1.
        beta: f64,
        /// Largest value; 1 when absent.
        scale: Option<V>,
    },
    /// By `shape` and either `scale` or `mean`.
    Weibull {
        /// Shape.
        shape: f64,
        /// Scale.
        scale: Option<V>,
        /// Mean.
        mean: Option<V>,
    },
    /// A power-law tail.
    Pareto {
        /// Smallest value.
        minimum: V,
        /// Tail exponent.
        alpha: f64,
    },
    /// Ranks 1 to `n`, each `rank^-exponent` as likely as the first.
    Zipf {
        /// Number of ranks.
        #[schemars(range(min = 1))]
        n: u64,
        /// Exponent.
        exponent: f64,
    },
    /// One of a list of values.
    Empirical {
        /// The values.
        values: Vec<V>,
        /// How likely each is, up to a factor; all alike when absent.
        weights: Option<Vec<f64>>,
    },
    /// Quantiles joined by straight lines.
    Quantiles {
        /// Fractions that ascend from 0 to 1.
        fractions: Vec<f64>,
        /// Values that such fractions of draws are below.
        values: Vec<V>,
    },
    /// One of several distributions.
    Mixture {
        /// The distributions and how likely each is.
        parts: Vec<RawPart<V>>,
    },
}

/// A part of a mixture.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawPart<V> {
    /// How likely it is, up to a factor.
    pub weight: f64,
    /// The distribution.
    pub of: RawDistribution<V>,
}

/// What a distribution is over.
pub trait Quantum {
    /// In SI units.
    fn si(&self) -> f64;
}

impl Quantum for f64 {
    fn si(&self) -> f64 {
        *self
    }
}

impl Quantum for Duration {
    fn si(&self) -> f64 {
        self.value
    }
}

impl<V: Quantum> RawDistribution<V> {
    /// The checked distribution; `at` is where it is written.
    pub fn check(&self, at: &At<'_>) -> Result<Distribution, Box<Mistake>> {
        let fix = "see docs/scenario.md, distributions";
        self.build().map_err(|problem| Box::new(at.mistake(problem, fix)))
    }

    /// The checked distribution, or what is wrong with it.
    pub fn build(&self) -> Result<Distribution, String> {
        match self {
            RawDistribution::Fixed(value) => Distribution::constant(value.si()),
            RawDistribution::Drawn(drawn) => {
                let law = drawn.law.build()?;
                if drawn.min.is_none() && drawn.max.is_none() {
                    return Ok(law);
                }
                let min = drawn.min.as_ref().map_or(f64::NEG_INFINITY, V::si);
                let max = drawn.max.as_ref().map_or(f64::INFINITY, V::si);
                law.with_bounds(min, max)
            }
        }
    }
}

impl<V: Quantum> RawLaw<V> {
    fn build(&self) -> Result<Distribution, String> {
        match self {
            RawLaw::Constant { value } => Distribution::constant(value.si()),
            RawLaw::Uniform { low, high } => Distribution::uniform(low.si(), high.si()),
            RawLaw::Exponential { mean } => Distribution::exponential(mean.si()),
            RawLaw::Normal { mean, sd } => Distribution::normal(mean.si(), sd.si()),
            RawLaw::Lognormal { median, sigma, mean, cv } => match (median, sigma, mean, cv) {
                (Some(median), Some(sigma), None, None) => {
                    Distribution::lognormal(median.si(), *sigma)
                }
                (None, None, Some(mean), Some(cv)) => {
                    Distribution::lognormal_mean_cv(mean.si(), *cv)
                }
                _ => Err("lognormal takes `median` and `sigma`, or `mean` and `cv`".to_owned()),
            },
            RawLaw::Gamma { shape, scale, mean, cv } => match (shape, scale, mean, cv) {
                (Some(shape), Some(scale), None, None) => Distribution::gamma(*shape, scale.si()),
                (None, None, Some(mean), Some(cv)) => Distribution::gamma_mean_cv(mean.si(), *cv),
                _ => Err("gamma takes `shape` and `scale`, or `mean` and `cv`".to_owned()),
            },
            RawLaw::Beta { alpha, beta, scale } => {
                Distribution::beta(*alpha, *beta, scale.as_ref().map_or(1.0, V::si))
            }
            RawLaw::Weibull { shape, scale, mean } => match (scale, mean) {
                (Some(scale), None) => Distribution::weibull(*shape, scale.si()),
                (None, Some(mean)) => Distribution::weibull_mean(*shape, mean.si()),
                _ => Err("weibull takes `shape` and either `scale` or `mean`".to_owned()),
            },
            RawLaw::Pareto { minimum, alpha } => Distribution::pareto(minimum.si(), *alpha),
            RawLaw::Zipf { n, exponent } => Distribution::zipf(*n, *exponent),
            RawLaw::Empirical { values, weights } => {
                let alike = || vec![1.0; values.len()];
                let values: Vec<f64> = values.iter().map(V::si).collect();
                Distribution::empirical(&values, &weights.clone().unwrap_or_else(alike))
            }
            RawLaw::Quantiles { fractions, values } => {
                if fractions.len() != values.len() {
                    let (fractions, values) = (fractions.len(), values.len());
                    return Err(format!(
                        "fractions and values must be lists of one length, but there are \
                         {fractions} fractions and {values} values"
                    ));
                }
                let values = values.iter().map(V::si);
                let points: Vec<(f64, f64)> = fractions.iter().copied().zip(values).collect();
                Distribution::quantiles(&points)
            }
            RawLaw::Mixture { parts } => {
                let build = |part: &RawPart<V>| Ok((part.weight, part.of.build()?));
                Distribution::mixture(parts.iter().map(build).collect::<Result<_, String>>()?)
            }
        }
    }
}
