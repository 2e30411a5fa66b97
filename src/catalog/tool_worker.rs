//! Workers that run tool calls, and the TOML they are read from.

use super::origin::Confidence;
use crate::scenario::units::Duration;
use serde::{Deserialize, Serialize};

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ToolWorkerFile {
    pub(super) tool_worker: Vec<ToolWorker>,
}

/// A kind of worker that runs tool calls.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolWorker {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// Its cores.
    pub cores: u32,
    /// Tool calls that it runs at once.
    pub slots: u32,
    /// Time to start a sandbox up before each call.
    pub start_up: Duration,
    /// Dollars an hour, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usd_per_hour: Option<f64>,
    /// IT power in watts, if known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watts: Option<f64>,
    /// Where its values were read.
    pub source: String,
    /// How far to trust them.
    pub confidence: Confidence,
}
