//! The TOML that a user writes, mirrored key by key.
//!
//! The doc comments are the descriptions of the JSON schema, and the schema is
//! what `shape` holds a file against: keys, types, units and ranges are stated
//! once, here. Unknown keys are found there too, with the nearest known one,
//! so serde ignores them.

mod batch;
mod demand;
mod pool;
mod region;
mod replay;
mod study;
mod tool_pool;
mod use_case;
mod windows;

pub use batch::*;
pub use demand::*;
pub use pool::*;
pub use region::*;
pub use replay::*;
pub use study::*;
pub use tool_pool::*;
pub use use_case::*;
pub use windows::*;

use super::units::{Duration, Fraction};
use crate::catalog::{RawAgent, RawCalendar, RawHardware, RawModel, RawTier};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A tokenmill scenario.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawScenario {
    /// Version of this format: 1.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1))]
    pub schema: u32,
    /// Name; also the folder of its outputs.
    pub name: String,
    /// Root of all random streams.
    #[serde(default = "one_u64")]
    pub seed: u64,
    /// Independent replications: how many, or how precise figures must be; 32,
    /// or 1 where nothing is random.
    pub replications: Option<RawReplications>,
    /// Calendar instant of time zero, RFC 3339.
    pub start: Option<String>,
    /// When arrivals end; may be absent when every use case ends by itself.
    pub duration: Option<Duration>,
    /// `steady` estimates a sustained state, `terminating` measures a finite
    /// episode; terminating when every use case ends by itself, else steady.
    pub regime: Option<RawRegime>,
    /// Start-up time to remove in the steady regime: `auto` or a duration.
    pub warm_up: Option<RawWarmUp>,
    /// Equal sections of the measured window, for intervals from few long
    /// replications of a steady regime.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 100))]
    pub sections: u32,
    /// Sessions at time zero: `none`, or as many as a `stationary` state has, each as
    /// far as it would be.
    #[serde(default, skip_serializing_if = "RawAtStart::is_none")]
    pub sessions_at_start: RawAtStart,
    /// Windows of a long horizon that are simulated in place of all of it.
    pub windows: Option<RawWindows>,
    /// Parts of the world with users, pools, or both.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub region: Vec<RawRegion>,
    /// Pools of GPUs.
    #[serde(default)]
    pub pool: Vec<RawPool>,
    /// Pools of workers that run tool calls of agents.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tool_pool: Vec<RawToolPool>,
    /// Streams of work.
    #[serde(default)]
    pub use_case: Vec<RawUseCase>,
    /// GPUs to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hardware: Vec<RawHardware>,
    /// Models to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub model: Vec<RawModel>,
    /// Memory tiers to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tier: Vec<RawTier>,
    /// Calendars to add to the catalog, or in place of its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub calendar: Vec<RawCalendar>,
    /// Agents to add to the catalog, or changes to its entries.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agent: Vec<RawAgent>,
    /// Variants that `compare` holds against the scenario as it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub arm: Vec<RawArm>,
    /// What `tokenmill sweep` varies: keys of the scenario by their path.
    pub sweep: Option<RawSweep>,
    /// What `tokenmill seek` looks for.
    pub seek: Option<RawSeek>,
}

/// How many replications run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawReplications {
    /// So many.
    Fixed(#[schemars(range(min = 1, max = 100_000))] u32),
    /// Until figures are precise.
    UntilPrecise(RawStopping),
}

/// When replications are enough.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawStopping {
    /// Largest error of a figure, as a share of its true value.
    /// It holds with 95 % confidence.
    pub precision: Fraction,
    /// Figures that are held to it, by path; mean TTFT, TPOT and end-to-end time
    /// of every use case and $/Mtok of every pool when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<RawPaths>,
    /// Replications after which it is tested first; then at twice that, and so on.
    /// 16 when absent, or `max` where that is less.
    #[schemars(range(min = 8, max = 100_000))]
    pub min: Option<u32>,
    /// Replications after which it is given up.
    #[serde(default = "max_replications")]
    #[schemars(range(min = 8, max = 100_000))]
    pub max: u32,
}

/// Paths of figures, as the keys of summary.json joined by dots.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawPaths {
    /// One figure.
    One(String),
    /// Several figures.
    Several(Vec<String>),
}

/// What results describe.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawRegime {
    /// A sustained state.
    Steady,
    /// A finite episode.
    Terminating,
}

/// Who is under way at time zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawAtStart {
    /// Nobody.
    #[default]
    None,
    /// Those of a steady state.
    Stationary,
}

impl RawAtStart {
    /// Whether nobody is.
    fn is_none(&self) -> bool {
        *self == RawAtStart::None
    }
}

/// How the start-up transient is removed.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawWarmUp {
    /// Found by MSER-5.
    Auto(Auto),
    /// A fixed length.
    Fixed(Duration),
}

/// The word `auto`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Auto {
    /// Chosen by the program.
    Auto,
}

fn one() -> u32 {
    1
}

fn max_replications() -> u32 {
    512
}

fn one_u64() -> u64 {
    1
}
