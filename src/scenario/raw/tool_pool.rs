//! `[[tool_pool]]` as written: workers that run tool calls.

use crate::scenario::units::{Duration, HourPrice, Power};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A pool of workers that run tool calls of agents.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawToolPool {
    /// Name, unique among tool pools.
    pub name: String,
    /// Kind of worker, of the catalog; its values hold where none is given here.
    pub worker: Option<String>,
    /// Workers.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub workers: u32,
    /// Tool calls that a worker runs at once; as its kind, or 1.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub slots: Option<u32>,
    /// Time to start a sandbox up before each call; as its kind, or none.
    pub start_up: Option<Duration>,
    /// Price of a worker; as its kind when absent.
    pub price: Option<HourPrice>,
    /// IT power of a worker; as its kind when absent.
    pub power: Option<Power>,
}
