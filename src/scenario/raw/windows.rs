//! Windows of a long horizon, as written: `[windows]`.

use super::RawWarmUp;
use crate::scenario::units::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which parts of the horizon are simulated.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawWindows {
    /// Which windows: the busiest of each week (`weekly-peaks`), the busiest of
    /// all (`worst`), or some at `random`; in place of `at`.
    pub choose: Option<RawChoose>,
    /// How many are the worst, or drawn at random.
    #[schemars(range(min = 1, max = 1_000))]
    pub count: Option<u32>,
    /// When windows begin, on the local clock, e.g. "2026-11-27T20:00"; in place
    /// of `choose`.
    pub at: Option<Vec<String>>,
    /// How long each is; an hour when absent.
    pub length: Option<Duration>,
    /// Time before each that is simulated and not measured: `auto`, which follows
    /// from sessions and caches, or a duration.
    pub warm_up: Option<RawWarmUp>,
    /// The pool whose tokens rank the hours; all pools when absent.
    pub pool: Option<String>,
}

/// How windows are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawChoose {
    /// Of each week, the one with most tokens to compute.
    WeeklyPeaks,
    /// Those with most tokens to compute.
    Worst,
    /// At random, others in each replication.
    Random,
}
