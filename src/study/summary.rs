//! The summary: every figure of a run, with its interval.
//!
//! This is what `summary.json` holds and `run --json` prints; docs/outputs.md
//! describes it key by key. Names end in their unit. Additions keep `schema`;
//! a changed meaning raises it.

use super::windows::{HorizonSummary, WindowSummary};
use super::{PoolArrivals, Precision, UseCaseArrivals};
use crate::statistics::Interval;
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Every figure of a run.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// Version of this layout: 1.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Version of tokenmill.
    pub version: String,
    /// Root seed.
    pub seed: u64,
    /// Replications run.
    pub replications: u32,
    /// Sections of each replication that intervals are taken over; 1: the
    /// replications themselves.
    pub sections: u32,
    /// How precise figures are that were to be; absent where `replications` is
    /// a number.
    pub precision: Option<Precision>,
    /// Fold of every event of every replication, 16 hexadecimal digits.
    pub digest: String,
    /// `steady` or `terminating`.
    pub regime: String,
    /// Time removed at the start, s.
    pub warm_up_s: f64,
    /// Time measured after it (mean over replications), s.
    pub measured_s: f64,
    /// Of an episode, how long calls arrived (mean over replications), s: until its
    /// duration or, without one, until the last call of a source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals_s: Option<f64>,
    /// Of an episode, how long after that its last answer came, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drain_s: Option<f64>,
    /// What the reader must know before any figure; they lead every output.
    pub warnings: Vec<String>,
    /// What figures rest on: estimates, stand-ins, methods.
    pub notes: Vec<String>,
    /// By use case, in scenario order.
    pub use_cases: IndexMap<String, UseCaseSummary>,
    /// By pool, in scenario order.
    pub pools: IndexMap<String, PoolSummary>,
    /// By tool pool, in scenario order; absent where there is none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tool_pools: IndexMap<String, ToolPoolSummary>,
    /// The whole factory.
    pub total: TotalSummary,
    /// The horizon that windows were chosen from; absent where all of it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub horizon: Option<HorizonSummary>,
    /// Its windows that ran, in order of time; absent where all of it ran.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSummary>,
}

/// Runs of one kind of agent that ended in the measured time, sub-agents included
/// in its counts. Figures a run are of runs that ended with their last answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct AgentSummary {
    /// The pool that serves it.
    pub pool: String,
    /// Runs that ended with their last answer, all replications together.
    pub runs: u64,
    /// Runs that failed: too many retries, or a prompt too long to be served.
    pub failed: u64,
    /// Runs that nobody waited for any more.
    pub abandoned: u64,
    /// Runs that ended in any way, per second.
    pub runs_per_s: Option<Interval>,
    /// From the start of a run to its last answer, s.
    pub run_s: Latency,
    /// What a run would take if nobody else were served and the cache never evicted, s.
    #[serde(default)]
    pub alone_s: Mean,
    /// Latency of all runs over that; absent where a recording is replayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amplification: Option<Interval>,
    /// Share of runs that ended with their last answer before the deadline.
    pub success_fraction: Option<Interval>,
    /// Model calls a run.
    pub calls_per_run: Option<Interval>,
    /// Prompt tokens a run.
    pub prompt_tokens_per_run: Option<Interval>,
    /// Of these, tokens found in the cache.
    pub cached_tokens_per_run: Option<Interval>,
    /// Output tokens a run.
    pub output_tokens_per_run: Option<Interval>,
    /// Of these, thinking tokens.
    pub thinking_tokens_per_run: Option<Interval>,
    /// Tool calls a run.
    pub tool_calls_per_run: Option<Interval>,
    /// Sub-agents a run.
    pub sub_agents_per_run: Option<Interval>,
    /// Compactions a run.
    pub compactions_per_run: Option<Interval>,
    /// Repeated turns and calls a run.
    pub retries_per_run: Option<Interval>,
    /// Dollars a run: its share of all pools and tool pools that it used, idle time
    /// included; absent where a pool has no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_run: Option<Interval>,
    /// Dollars of all runs, failed and abandoned ones too, over those that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usd_per_success: Option<Interval>,
    /// Joules a run, shared as dollars are, at the estimated mean power of the pools;
    /// absent where that of a pool is unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joules_per_run: Option<Interval>,
    /// Joules of all runs over those that succeeded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joules_per_success: Option<Interval>,
    /// Parts of the mean latency of a run, s: they add up to it.
    pub path: IndexMap<String, Mean>,
    /// The same by band of percentiles of run latency.
    pub bands: IndexMap<String, IndexMap<String, Mean>>,
    /// The same by turn, means over all replications; turns from the 100th on count as it.
    pub by_turn: Vec<TurnSummary>,
}

/// One turn of the runs of an agent.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TurnSummary {
    /// Its number, from 1.
    pub turn: u32,
    /// Runs that had it.
    pub runs: u64,
    /// Parts of its mean latency, s.
    pub path: IndexMap<String, f64>,
}

/// Figures of one pool of tool workers.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ToolPoolSummary {
    /// Workers.
    pub workers: u32,
    /// Tool calls that they run at once.
    pub slots: u32,
    /// Share of the slots that run a call.
    pub utilization: Option<Interval>,
    /// Tool calls that began to run, per second.
    pub calls_per_s: Option<Interval>,
    /// Mean tool calls waiting.
    pub waiting_mean: Option<Interval>,
    /// Wait of a tool call, s.
    pub wait_s: Mean,
    /// Share of tool calls that waited.
    pub waited_fraction: Option<Interval>,
    /// Dollars an hour of all workers; absent without a price.
    pub usd_per_hour: Option<Interval>,
    /// IT power of all workers, W; absent where it is not known.
    pub it_watts: Option<f64>,
}

/// Figures of one use case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UseCaseSummary {
    /// The pool that serves it; several are joined by a comma.
    pub pool: String,
    /// Calls measured, all replications together.
    pub calls: u64,
    /// Calls refused because they can never fit, all replications together.
    pub rejected: u64,
    /// Calls that were aborted because whoever waited for them had waited too long, all
    /// replications together; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub given_up: u64,
    /// Calls that were aborted because their answer was not needed any more, all
    /// replications together; absent where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub called_off: u64,
    /// Calls that finished, per second.
    pub calls_per_s: Option<Interval>,
    /// Mean prompt tokens a call.
    pub prompt_tokens_mean: Option<Interval>,
    /// Share of prompt tokens found in the cache; absent without a cache.
    pub cache_hit_fraction: Option<Interval>,
    /// What HBM (`hbm`) and the tiers below it supplied, from near to far; absent
    /// without a cache.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tiers: IndexMap<String, SuppliedSummary>,
    /// Mean output tokens a call.
    pub output_tokens_mean: Option<Interval>,
    /// What calls think before they answer; absent where none does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thinking: Option<ThinkingSummary>,
    /// Its agents, that of sessions first; absent where calls are no agents'.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub agents: IndexMap<String, AgentSummary>,
    /// Its sessions; absent where calls stand by themselves.
    pub sessions: Option<SessionsSummary>,
    /// Its batch jobs; absent where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jobs: Option<JobsSummary>,
    /// Time to first token of any kind, s.
    pub ttft_s: Latency,
    /// Time to the first token that is not thinking, s; absent where nothing is thought.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visible_ttft_s: Option<Latency>,
    /// Time per output token after the first, s (calls of one token have none).
    pub tpot_s: Latency,
    /// Gap before each token after the first, s; weighted by token.
    pub itl_s: Latency,
    /// Arrival to last token, s.
    pub e2e_s: Latency,
    /// Arrival to first scheduling, s.
    pub queue_s: Latency,
    /// On the network, there and back, s: the part of the mean TTFT before that of
    /// `queue_s`; absent without a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_s: Option<Mean>,
    /// Fetching KV blocks for it from a tier, s: the part of the mean TTFT between
    /// those of `queue_s` and `prefill_s`; absent without tiers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fetch_s: Option<Mean>,
    /// First scheduling to first token, s.
    pub prefill_s: Mean,
    /// Preemptions a call.
    pub preemptions_per_call: Option<Interval>,
    /// Share of calls that kept every bound of the SLO; absent without an SLO.
    pub goodput_fraction: Option<Interval>,
    /// Good calls per second; absent without an SLO.
    pub goodput_calls_per_s: Option<Interval>,
    /// Whether every promised statistic was kept (by its mean over replications).
    pub slo_met: Option<bool>,
    /// Dollars an hour: its part of the cost of its pools, idle time included, by GPU
    /// time.
    #[serde(default)]
    pub usd_per_hour: Option<Interval>,
    /// The same a call.
    pub usd_per_call: Option<Interval>,
    /// The same without idle time: what the GPU time of its calls costs.
    #[serde(default)]
    pub usage_usd_per_call: Option<Interval>,
    /// What happened while calls arrived; absent where it is no episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<UseCaseArrivals>,
    /// By the region of its users, in scenario order; absent where they are not told
    /// apart.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub regions: IndexMap<String, RegionSummary>,
}

/// What users in one region see.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct RegionSummary {
    /// Calls measured, all replications together.
    pub calls: u64,
    /// Calls measured, per second.
    pub calls_per_s: Option<Interval>,
    /// Time to first token, network included, s.
    pub ttft_s: Latency,
    /// Sending to last token, network included, s.
    pub e2e_s: Latency,
    /// On the network, there and back, s; absent without a network.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network_s: Option<Mean>,
    /// Share of calls that kept every bound of the SLO; absent without an SLO.
    pub goodput_fraction: Option<Interval>,
    /// Share of calls that each pool served.
    pub served_fraction: IndexMap<String, Option<Interval>>,
}

/// What HBM or a tier below it supplied to the calls of a use case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SuppliedSummary {
    /// Share of prompt tokens.
    pub hit_fraction: Option<Interval>,
    /// Mean prompt tokens a call.
    pub hit_tokens_mean: Option<Interval>,
    /// Mean KV blocks a call.
    pub hit_blocks_mean: Option<Interval>,
}

/// What the calls of a use case think before they answer.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ThinkingSummary {
    /// Share of calls that think.
    pub calls_fraction: Option<Interval>,
    /// Share of calls whose thinking the budget cuts.
    pub cut_fraction: Option<Interval>,
    /// Share of all output tokens that is thinking.
    pub output_fraction: Option<Interval>,
    /// Mean thinking tokens of a call that thinks.
    pub tokens_mean: Option<Interval>,
    /// Their median.
    pub tokens_p50: Option<Interval>,
    /// Their 90th percentile.
    pub tokens_p90: Option<Interval>,
    /// Their 95th percentile.
    pub tokens_p95: Option<Interval>,
    /// Their 99th percentile.
    pub tokens_p99: Option<Interval>,
    /// Most of any call, mean over replications.
    pub tokens_max: Option<Interval>,
}

/// What became of the batch jobs of a use case.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct JobsSummary {
    /// Jobs released, all replications together as in what follows.
    pub released: u64,
    /// Jobs done.
    pub done: u64,
    /// Jobs done by their deadline.
    pub on_time: u64,
    /// Jobs done after it.
    pub late: u64,
    /// Jobs not done when the run was cut off.
    pub unfinished: u64,
    /// Share of jobs that were done by their deadline.
    pub on_time_fraction: Option<Interval>,
    /// Release to end of jobs done, s.
    pub makespan_s: Mean,
    /// Deadline to end, s; 0 of jobs on time.
    pub lateness_s: Mean,
    /// The most of these, s.
    pub lateness_max_s: f64,
}

/// What became of the sessions of a use case in the measured time.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SessionsSummary {
    /// Sessions that began, all replications together.
    pub began: u64,
    /// Sessions that ended with their last turn.
    pub completed: u64,
    /// Sessions that ended early: a prompt grew longer than the pool takes.
    pub aborted: u64,
    /// Sessions that began, per second.
    pub began_per_s: Option<Interval>,
    /// Mean turns answered of those that ended.
    pub turns_mean: Option<Interval>,
}

/// Statistics of one latency metric.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Latency {
    /// Mean.
    pub mean: Option<Interval>,
    /// Median.
    pub p50: Option<Interval>,
    /// 90th percentile.
    pub p90: Option<Interval>,
    /// 95th percentile.
    pub p95: Option<Interval>,
    /// 99th percentile.
    pub p99: Option<Interval>,
    /// `exact`, or `histogram` (within 0.4 %): ITL, which has a value a token, and what
    /// has more than a million values a replication, all use cases together; `mixture` where
    /// windows are put together by the quantiles that each of them keeps.
    pub method: String,
}

/// A mean alone.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct Mean {
    /// Mean.
    pub mean: Option<Interval>,
}

/// Figures of one pool.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PoolSummary {
    /// GPUs.
    pub gpus: u32,
    /// Replicas.
    pub replicas: u32,
    /// KV blocks of one rank.
    pub kv_blocks: u64,
    /// Whether the load can be sustained; null where that is not known. Unless true,
    /// steady-state figures are withheld.
    pub stable: Option<bool>,
    /// Why it is not known, and what would help; absent where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doubt: Option<String>,
    /// Calls per second the pool completes when it is never idle, from runs that have
    /// settled; only when unstable.
    pub sustainable_calls_per_s: Option<Interval>,
    /// Calls per second that open arrivals bring; absent without any.
    pub offered_calls_per_s: Option<f64>,
    /// Calls per second that the pool can finish: a closed-form estimate from mean lengths,
    /// with a prefix cache that never evicts.
    pub capacity_calls_per_s: Option<f64>,
    /// Share of time in which replicas were stepping.
    pub utilization: Option<Interval>,
    /// Mean sequences running.
    pub running_mean: Option<Interval>,
    /// Mean calls waiting.
    pub waiting_mean: Option<Interval>,
    /// Mean share of KV blocks in use.
    pub kv_use_mean: Option<Interval>,
    /// Largest share of KV blocks in use on any rank.
    pub kv_use_peak: Option<Interval>,
    /// Preemptions per second.
    pub preemptions_per_s: Option<Interval>,
    /// Output tokens per second and GPU.
    pub output_tok_per_s_per_gpu: Option<Interval>,
    /// Prompt tokens per second and GPU.
    pub input_tok_per_s_per_gpu: Option<Interval>,
    /// Output tokens per second seen by one user: 1 / mean ITL.
    pub tok_per_s_per_user: Option<Interval>,
    /// Share of prompt tokens found in the cache; absent without a cache.
    pub cache_hit_fraction: Option<Interval>,
    /// Prompt tokens computed per second and GPU: those not found in the cache, and
    /// what was computed again after preemptions.
    pub computed_tok_per_s_per_gpu: Option<Interval>,
    /// Of these, tokens that had been computed before, per second and GPU.
    #[serde(default)]
    pub recomputed_tok_per_s_per_gpu: Option<Interval>,
    /// Dollars an hour of GPU time that computing the cached tokens would have
    /// taken: the marginal time of their prefill, no queueing.
    pub cache_saved_usd_per_hour: Option<Interval>,
    /// HBM (`hbm`) and the tiers below it, from near to far; absent without a cache.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub tiers: IndexMap<String, TierSummary>,
    /// Dollars per million tokens.
    pub usd_per_mtok: UsdPerMtok,
    /// Dollars an hour by what its GPUs did.
    #[serde(default)]
    pub usd_per_hour: UsdPerHour,
    /// Tokens (input and output) per second and megawatt of provisioned facility power.
    pub tok_per_s_per_mw: Option<Interval>,
    /// The same of the time in which calls arrived; absent where it is no episode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrivals: Option<PoolArrivals>,
}

/// Figures of HBM or of a tier below it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TierSummary {
    /// Room for KV blocks in the whole pool, bytes; what pools share in equal parts.
    pub capacity_bytes: f64,
    /// Share of prompt tokens that it supplied.
    pub hit_fraction: Option<Interval>,
    /// Prompt tokens that it supplied, per second.
    pub hit_tok_per_s: Option<Interval>,
    /// KV blocks that it supplied, per second.
    pub hit_blocks_per_s: Option<Interval>,
    /// Bytes fetched from it, per second, all GPUs; absent for HBM, as all below.
    pub read_bytes_per_s: Option<Interval>,
    /// Bytes written to it, per second, all GPUs.
    pub written_bytes_per_s: Option<Interval>,
    /// Share of time in which its links were busy towards GPUs.
    pub read_utilization: Option<Interval>,
    /// Share of time in which its links were busy from GPUs.
    pub write_utilization: Option<Interval>,
    /// Dollars an hour of GPU time that computing what it supplied would have
    /// taken: the marginal time of their prefill, no queueing. An estimate.
    pub saved_usd_per_hour: Option<Interval>,
    /// What it costs, dollars an hour; absent if it has no price.
    pub usd_per_hour: Option<f64>,
    /// The difference of the two.
    pub net_usd_per_hour: Option<Interval>,
}

/// The pool's cost, idle time included, by kind of token: each kind bears the GPU time
/// that it took, and idle time in proportion to that.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UsdPerMtok {
    /// Of prompt tokens that were computed, over these.
    pub input: Option<Interval>,
    /// Of prompt tokens that a cache had, over these.
    pub cached_input: Option<Interval>,
    /// Of output tokens, over these.
    pub output: Option<Interval>,
    /// The whole cost over prompt and output tokens, as InferenceX publishes it.
    pub total: Option<Interval>,
}

/// The pool's cost an hour by what its GPUs did; the parts add up to the total.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub struct UsdPerHour {
    /// Computing prompts.
    pub input: Option<Interval>,
    /// Reading what a cache had, and waiting for it to be fetched.
    pub cached_input: Option<Interval>,
    /// Decoding.
    pub output: Option<Interval>,
    /// Nothing.
    pub idle: Option<Interval>,
    /// All of it.
    pub total: Option<Interval>,
}

/// Figures of the whole factory.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct TotalSummary {
    /// Dollars an hour for all pools; absent if one has no price.
    pub usd_per_hour: Option<Interval>,
    /// Mean facility power, MW.
    pub mean_mw: Option<Interval>,
    /// Provisioned facility power, MW.
    pub peak_mw: Option<Interval>,
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}
