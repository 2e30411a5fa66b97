//! Conversations as a file has them.

use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
pub(super) struct RawConversation {
    pub session_id: String,
    #[serde(default)]
    pub turns: Vec<RawTurn>,
    #[serde(default)]
    pub pre_session_spawns: Vec<String>,
    #[serde(default)]
    pub orchestrator: bool,
    #[serde(default)]
    pub spawns: Vec<String>,
    pub rounds: Option<RawRounds>,
    pub think_time_ms: Option<f64>,
    pub context_mode: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawRounds {
    Count(u64),
    Each(Vec<RawRound>),
}

#[derive(Deserialize)]
pub(super) struct RawRound {
    pub spawns: Vec<String>,
    pub think_time_ms: Option<f64>,
}

#[derive(Deserialize)]
pub(super) struct RawTurn {
    #[serde(default)]
    pub messages: Vec<Value>,
    pub max_tokens: Option<u64>,
    #[serde(alias = "prompt_tokens", alias = "input_length")]
    pub input_tokens: Option<u64>,
    #[serde(alias = "completion_tokens", alias = "output_length")]
    pub output_tokens: Option<u64>,
    pub model: Option<String>,
    pub tools: Option<Vec<Value>>,
    pub extra: Option<Value>,
    #[serde(default)]
    pub forks: Vec<RawFork>,
    #[serde(default)]
    pub spawns: Vec<RawSpawn>,
    #[serde(default)]
    pub delay: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawFork {
    Child(String),
    Told {
        child: String,
        #[serde(default)]
        background: bool,
    },
}

#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum RawSpawn {
    Child(String),
    Told { children: Vec<String>, join_at: Option<u32> },
}

/// A file is conversations, or documents with lists of them.
#[derive(Deserialize)]
pub(super) struct RawDocument {
    pub conversations: Vec<RawConversation>,
}
