//! Keys of a use case that say how demand varies: growth, the course of year,
//! week and day, and what cannot be foreseen.

use crate::scenario::raw_distribution::RawDistribution;
use crate::scenario::units::{Duration, Fraction, GrowthRate};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How demand grows.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawGrowth {
    /// Compound growth, e.g. "9.7 %/month".
    Rate(GrowthRate),
    /// One cause.
    One(RawCause),
    /// Several causes, which multiply.
    Several(Vec<RawCause>),
}

impl RawGrowth {
    /// All causes.
    pub fn causes(&self) -> Vec<RawCause> {
        match self {
            RawGrowth::Rate(rate) => vec![RawCause::Compound { rate: rate.clone() }],
            RawGrowth::One(cause) => vec![cause.clone()],
            RawGrowth::Several(causes) => causes.clone(),
        }
    }
}

/// A cause of growth.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "cause", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub enum RawCause {
    /// The same percentage each period.
    Compound {
        /// Percentage a period.
        rate: GrowthRate,
    },
    /// Demand doubles again and again.
    Doubling {
        /// Time in which it doubles; a distribution is drawn once a replication.
        every: RawDistribution<Duration>,
    },
    /// Logistic adoption: fast at first, then less and less.
    Adoption {
        /// Time in which demand doubles while it is far below the ceiling.
        doubling: Duration,
        /// Where it ends, as a multiple of demand at the start.
        #[schemars(range(min = 1.000001, max = 1e9))]
        ceiling: f64,
    },
    /// A launch or an end.
    Launch {
        /// When: a date, or a date and time, in the time zone of the use case.
        at: String,
        /// What demand is multiplied by from then on.
        #[schemars(range(min = 0, max = 1e6))]
        factor: f64,
        /// Time it takes to get there; none when absent.
        ramp: Option<Duration>,
    },
}

/// The course of a day and a week.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawProfile {
    /// One of the catalog's.
    Named(String),
    /// Its own.
    Own(RawHours),
}

/// Hourly values of a day, and days of a week; their scale does not matter.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawHours {
    /// 24 values, the first for the hour after midnight.
    pub weekday: Vec<f64>,
    /// The same on Saturdays and Sundays; as on other days when absent.
    pub weekend: Option<Vec<f64>>,
    /// 7 values for the days from Monday to Sunday; all alike when absent.
    pub days: Option<Vec<f64>>,
}

/// What cannot be foreseen.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawVariability {
    /// Days that differ from the forecast.
    pub day_noise: Option<RawDayNoise>,
    /// Gaps between arrivals; exponential, as of independent users, when absent.
    pub gaps: Option<RawGaps>,
    /// States that demand changes between.
    pub states: Option<RawStates>,
    /// Crowds that come at random.
    pub crowds: Option<RawCrowds>,
    /// Customers of very different size, each with its own arrivals.
    pub tenants: Option<RawTenants>,
}

/// Days that differ from the forecast.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawDayNoise {
    /// Standard deviation of a day's demand over what was forecast.
    pub cv: Fraction,
    /// Correlation of neighboring days.
    #[serde(default)]
    #[schemars(range(min = -0.99, max = 0.99))]
    pub correlation: f64,
}

/// Gaps between arrivals, in units of their mean.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "distribution", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub enum RawGaps {
    /// Independent arrivals.
    Exponential {},
    /// The Gamma law.
    Gamma {
        /// Standard deviation over mean; above 1 is bursty.
        #[schemars(range(min = 0.05, max = 20))]
        cv: f64,
    },
    /// The Weibull law.
    Weibull {
        /// Shape; below 1 is bursty.
        #[schemars(range(min = 0.15, max = 20))]
        shape: f64,
    },
    /// Like clockwork.
    Constant {},
}

/// States that demand changes between.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawStates {
    /// One chain of states.
    One(Vec<RawState>),
    /// Several chains, which change by themselves; their factors multiply.
    Several(Vec<Vec<RawState>>),
}

impl RawStates {
    /// All chains.
    pub fn chains(&self) -> Vec<&[RawState]> {
        match self {
            RawStates::One(states) => vec![states],
            RawStates::Several(chains) => chains.iter().map(Vec::as_slice).collect(),
        }
    }
}

/// A state of demand.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawState {
    /// Rate in it, relative to the other states.
    #[schemars(range(min = 0, max = 1e6))]
    pub factor: f64,
    /// How long it lasts in the mean.
    pub mean: Duration,
}

/// Crowds that come at random.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawCrowds {
    /// Mean time between them.
    pub every: Duration,
    /// What one adds when it comes, as a multiple of demand without it.
    pub peak: RawDistribution<f64>,
    /// Time in which it falls to 37 %.
    pub decay: Duration,
}

/// Customers, each with its own arrivals.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawTenants {
    /// How many.
    #[schemars(range(min = 1, max = 10_000))]
    pub count: u32,
    /// Demand of the k-th falls as k to the power of this; 0: all alike.
    #[serde(default)]
    #[schemars(range(min = 0, max = 10))]
    pub zipf: f64,
    /// How long one is active in the mean; always when absent.
    pub on: Option<Duration>,
    /// How long one is silent in between, in the mean.
    pub off: Option<Duration>,
}
