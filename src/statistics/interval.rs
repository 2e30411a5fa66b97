//! A mean with its confidence interval.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A mean over replications with a 95 % confidence interval.
///
/// `low` and `high` are absent when one replication cannot tell the spread.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Mean over replications.
    pub mean: f64,
    /// Lower end of the 95 % confidence interval.
    pub low: Option<f64>,
    /// Upper end of the 95 % confidence interval.
    pub high: Option<f64>,
}
