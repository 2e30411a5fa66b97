//! `replay` of a use case as written: recorded sessions of agents.

use super::use_case::{RawPlaces, one_f64};
use crate::scenario::units::Duration;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Recorded sessions of agents, replayed as agents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawReplay {
    /// Its layout; told by its first record when absent.
    pub format: Option<RawReplayFormat>,
    /// The file, relative to the folder of the scenario file; gzip and Zstandard
    /// are unpacked.
    pub path: String,
    /// Pools that serve calls by the model they were recorded with; those of other
    /// models, and without one, go where their kind goes.
    #[serde(default, skip_serializing_if = "RawPlaces::is_empty")]
    pub models: RawPlaces,
    /// When the calls of a session come.
    #[serde(default)]
    pub timing: RawTiming,
    /// Beside `api-scaled`: factor on the recorded time of answers.
    #[schemars(range(min = 0, max = 1e6))]
    pub api_time_scale: Option<f64>,
    /// Factor on recorded pauses and instants.
    #[serde(default = "one_f64")]
    #[schemars(range(min = 0, max = 1e6))]
    pub time_scale: f64,
    /// Longest pause; longer ones are cut. As recorded when absent.
    pub pause_max: Option<Duration>,
    /// How many sessions to take from the beginning of the file; all when absent.
    #[schemars(range(min = 1))]
    pub sessions: Option<u64>,
    /// Without arrivals, every session begins once, this long after the one before;
    /// all at once when absent.
    pub session_gap: Option<Duration>,
    /// What sessions say when arrivals outlast the recording and it begins again.
    #[serde(default)]
    pub repeats: RawRepeats,
    /// Prompt tokens that one prefix id stands for; as the file says when absent.
    #[schemars(range(min = 1, max = 65_536))]
    pub block_tokens: Option<u32>,
    /// Output tokens of turns that do not say; 128 when absent.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub output_tokens: Option<u32>,
}

/// Layout of recorded sessions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawReplayFormat {
    /// JSON sessions of coding agents with requests of t (s), in, out, hash_ids.
    Weka,
    /// JSON lines of conversations whose turns fork and spawn others.
    Dag,
}

/// When the calls of a replayed session come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawTiming {
    /// The recorded pause after what they wait for has ended.
    #[default]
    ThinkOnly,
    /// The same, with answers no earlier than recorded ones, scaled.
    ApiScaled,
    /// At their recorded instants, or when what they wait for has ended.
    Recorded,
}

/// What a recorded session says when it is replayed again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawRepeats {
    /// Another text of the same shape.
    #[default]
    Fresh,
    /// The same text.
    Same,
}
