//! `batch` of a use case as written: jobs with deadlines.

use crate::scenario::raw_distribution::RawDistribution;
use crate::scenario::units::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Jobs of many calls that must be done by a deadline.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawBatch {
    /// When jobs come, in place of `every`: at a local time such as "02:00" of each
    /// day, or once, at a date or a date and time.
    pub at: Option<String>,
    /// Time from one job to the next, the first at time zero.
    pub every: Option<Duration>,
    /// Calls of a job, or sessions.
    pub calls: RawDistribution<f64>,
    /// Time in which it must be done.
    pub deadline: Duration,
    /// Its calls are submitted while their pool holds fewer calls than this share of
    /// the sequences that it may run.
    #[serde(default = "fill")]
    pub fill: f64,
    /// Most calls of a job that wait or run at once; as many as its pools may run when
    /// absent.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub concurrency: Option<u32>,
    /// How long before the deadline it no longer yields; when absent, when the rest is
    /// only enough at its own pace.
    pub rush: Option<Duration>,
}

fn fill() -> f64 {
    0.7
}
