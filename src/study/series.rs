//! The series that charts are drawn from; kept beside the summary so that a
//! report can be drawn again without running anything.

use super::windows::HorizonSeries;
use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

/// Curves of a run, by use case and by pool, in scenario order.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Series {
    /// By use case.
    pub use_cases: IndexMap<String, UseCaseSeries>,
    /// By pool.
    pub pools: IndexMap<String, PoolSeries>,
    /// What is expected over the horizon that windows were chosen from; absent
    /// where all of it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<HorizonSeries>,
}

/// Latency distributions of one use case, in seconds.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct UseCaseSeries {
    /// Time to first token.
    pub ttft_s: Cdf,
    /// Time to the first token that is not thinking; empty where nothing is thought.
    #[serde(default, skip_serializing_if = "Cdf::is_empty")]
    pub visible_ttft_s: Cdf,
    /// Time per output token.
    pub tpot_s: Cdf,
    /// Inter-token latency.
    pub itl_s: Cdf,
    /// End to end.
    pub e2e_s: Cdf,
    /// Queue wait.
    pub queue_s: Cdf,
}

/// A distribution as quantiles: `value` at each `fraction`, with a band over
/// replications. All vectors have one length; empty when nothing was measured.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Cdf {
    /// Fractions, ascending, in 0..=1.
    pub fraction: Vec<f64>,
    /// Quantile at each fraction, mean over replications with its interval.
    pub value: Band,
}

impl Cdf {
    /// Whether nothing was measured.
    pub fn is_empty(&self) -> bool {
        self.fraction.is_empty()
    }
}

/// A curve with its 95 % band over replications.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Band {
    /// Mean over replications.
    pub mean: Vec<f64>,
    /// Lower edge (equals the mean when one replication ran).
    pub low: Vec<f64>,
    /// Upper edge (equals the mean when one replication ran).
    pub high: Vec<f64>,
}

/// Curves of one pool over time, and its throughput against interactivity.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct PoolSeries {
    /// Sample instants, s.
    pub t_s: Vec<f64>,
    /// Sequences running.
    pub running: Band,
    /// Calls waiting.
    pub waiting: Band,
    /// Share of KV blocks in use, 0..=1.
    pub kv_use: Band,
    /// Closed-form throughput against interactivity for this pool's mean lengths.
    pub frontier: Vec<FrontierPoint>,
    /// Where each replication of this run ended up on it.
    pub operating: Vec<FrontierPoint>,
}

/// One point of throughput against interactivity.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct FrontierPoint {
    /// Sequences running at once on one rank.
    pub concurrency: f64,
    /// Output tokens per second seen by one user.
    pub tok_per_s_per_user: f64,
    /// Output tokens per second and GPU.
    pub output_tok_per_s_per_gpu: f64,
}
