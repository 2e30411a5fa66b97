//! `[[pool]]` as written: replicas, engine, router, offload tiers.

use crate::catalog::Scope;
use crate::scenario::units::{Bytes, Duration, Fraction, HourPrice, Power};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A group of identical replicas of one model on one kind of GPU.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawPool {
    /// Name, unique among pools.
    pub name: String,
    /// Model served, a name of the catalog (`tokenmill catalog models`).
    pub model: String,
    /// GPU it is served on, a name of the catalog (`tokenmill catalog hardware`).
    pub hardware: String,
    /// Region that it stands in.
    pub region: Option<String>,
    /// Number of replicas.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub replicas: u32,
    /// GPUs that split every layer.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_024))]
    pub tensor_parallel: u32,
    /// Attention ranks within a replica, each with its own queue and KV cache.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_024))]
    pub data_parallel: u32,
    /// GPUs that split the experts of a mixture-of-experts model.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_024))]
    pub expert_parallel: u32,
    /// Number format of the weights.
    #[serde(default = "bf16")]
    pub precision: String,
    /// Number format of the KV cache; `bf16` when absent, whatever the weights are.
    pub kv_precision: Option<String>,
    /// Price of one GPU-hour, in place of the catalog's.
    pub price_per_gpu_hour: Option<HourPrice>,
    /// Provisioned IT power of one GPU with its host share, in place of the catalog's.
    pub power_per_gpu: Option<Power>,
    /// Facility power over IT power, in place of the catalog's.
    #[schemars(range(min = 1, max = 10))]
    pub pue: Option<f64>,
    /// How calls are spread over replicas.
    #[serde(default)]
    pub router: RawRouter,
    /// Limits and overheads of the serving engine.
    #[serde(default)]
    pub engine: RawEngine,
    /// Tiers below HBM that KV blocks are offloaded to, from near to far.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub offload: Vec<RawOffload>,
}

/// A tier that KV blocks are offloaded to.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawOffload {
    /// The tier, a name of the catalog (`tokenmill catalog tiers`).
    pub tier: String,
    /// How much of it: of each replica, or of all that share it; the catalog's
    /// share of the GPUs when absent.
    pub capacity: Option<Bytes>,
    /// When it receives blocks.
    #[serde(default)]
    pub policy: RawOffloadPolicy,
    /// Who shares it, in place of the catalog's.
    pub scope: Option<Scope>,
}

/// When a tier receives KV blocks.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawOffloadPolicy {
    /// As they are computed.
    #[default]
    WriteThrough,
    /// When their sequence ends or is preempted.
    WriteBack,
    /// When the next nearer tier, or HBM, drops them.
    OnEvict,
}

/// How calls are spread over replicas.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct RawRouter {
    /// The policy.
    #[serde(default)]
    pub policy: RawPolicy,
    /// What a prompt token to be computed weighs against one in flight, for `kv-aware`.
    #[schemars(range(min = 0, max = 100))]
    pub overlap_weight: Option<f64>,
    /// Scale of the softmax that `kv-aware` draws by; 0 takes the least cost.
    #[schemars(range(min = 0, max = 1_000))]
    pub temperature: Option<f64>,
    /// Most calls of a replica over the mean, for `prefix-affinity`.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub spill_over: Option<f64>,
    /// How long what happens on a replica takes to be known to the router.
    pub signal_delay: Option<Duration>,
}

/// A routing policy.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawPolicy {
    /// Each replica in turn.
    RoundRobin,
    /// The replica with the fewest calls.
    #[default]
    LeastLoaded,
    /// The less loaded of two drawn at random.
    PowerOfTwo,
    /// The least cost, by what caches hold and what replicas have to do.
    KvAware,
    /// The one that served the session before.
    SessionAffinity,
    /// The one that serves calls which start alike, or the next with room.
    PrefixAffinity,
}

/// Limits and overheads of the serving engine; names are vLLM's where it has one.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
#[serde(default)]
pub struct RawEngine {
    /// Most sequences running at once on one rank; by the GPU when absent.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub max_num_seqs: Option<u32>,
    /// Token budget of one step of one rank; by the GPU when absent.
    #[schemars(range(min = 1, max = 100_000_000))]
    pub max_num_batched_tokens: Option<u32>,
    /// Tokens in one KV block.
    #[schemars(range(min = 1, max = 65_536))]
    pub block_tokens: u32,
    /// Longest sequence accepted, prompt and output; the model's when absent.
    #[schemars(range(min = 1))]
    pub max_model_len: Option<u32>,
    /// Admit a call only when its whole known sequence fits.
    pub reserve_full_prompt: bool,
    /// Share of the KV blocks that admission leaves free.
    pub kv_watermark: Fraction,
    /// Keep the KV blocks of sequences that have ended, for prompts that start alike.
    pub prefix_caching: bool,
    /// Which of the kept blocks that nobody uses goes first when room is needed.
    pub eviction: RawEviction,
    /// A block can be hit from the step that computes it; false for engines that
    /// publish a block when it has been computed.
    pub dedup_in_flight: bool,
    /// Keep the blocks of answers too, not only those of prompts.
    pub cache_decoded: bool,
    /// Share of a GPU's memory that the engine may use.
    pub gpu_memory_utilization: Fraction,
    /// KV blocks of one rank, in place of the computed count.
    #[schemars(range(min = 1))]
    pub kv_blocks: Option<u32>,
    /// Memory for KV blocks on each GPU, in place of what is computed.
    pub kv_memory: Option<Bytes>,
    /// Factor on the catalog's step time.
    #[schemars(range(min = 0.01, max = 100))]
    pub step_scale: f64,
    /// Factor on what decodes add to a step; all of it where no prompt is computed.
    #[schemars(range(min = 0.01, max = 100))]
    pub decode_scale: f64,
    /// Host time added to every step.
    pub step_overhead: Duration,
}

/// An eviction policy by its name alone, or with parameters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum RawEviction {
    /// With default parameters.
    Name(RawEvictionName),
    /// With parameters.
    Table(RawEvictionTable),
}

/// Names of eviction policies.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RawEvictionName {
    /// What was used longest ago.
    Lru,
    /// What the fewest sequences have used since it came.
    Lfu,
    /// What was used once, found out by a small queue before a main one.
    S3Fifo,
    /// What was not used for longer than a time to live, 5 minutes unless stated.
    Ttl,
    /// What saves the fewest seconds of prefill.
    CostAware,
    /// What was used longest ago, but contexts of agents that wait for tools last,
    /// for a minute unless stated.
    AgentHold,
}

/// Eviction policies with their parameters.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "policy", rename_all = "kebab-case")]
#[schemars(deny_unknown_fields)]
pub enum RawEvictionTable {
    /// What was used longest ago.
    Lru,
    /// What the fewest sequences have used since it came.
    Lfu,
    /// What was used once, found out by a small queue before a main one.
    S3Fifo,
    /// What was not used for longer than a time to live.
    Ttl {
        /// How long a block stays that nobody uses; 5 minutes when absent.
        ttl: Option<Duration>,
    },
    /// What saves the fewest seconds of prefill.
    CostAware,
    /// What was used longest ago, but contexts of agents that wait for tools last.
    AgentHold {
        /// How long such a context is held; 60 s when absent.
        hold: Option<Duration>,
    },
}

fn one() -> u32 {
    1
}

fn bf16() -> String {
    "bf16".to_owned()
}
