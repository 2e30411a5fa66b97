//! Pools: of GPUs that serve a model, and of workers that run tools.

use crate::catalog::{GpuHour, Hardware, Model, Precision, Scope, Tier};
use crate::factory::{BlockNeeds, CacheRules, KvPlan, Parallelism, Routing, StepTime, Writing};
use crate::kernel::Span;
use std::sync::Arc;

/// A group of identical replicas of one model on one kind of GPU.
#[derive(Clone, Debug)]
pub struct Pool {
    /// Name, unique among pools.
    pub name: String,
    /// The model served.
    pub model: Arc<Model>,
    /// The region it stands in, if the scenario has regions.
    pub region: Option<String>,
    /// The GPU it is served on.
    pub hardware: Arc<Hardware>,
    /// Number formats of weights and KV cache.
    pub precision: Precision,
    /// Number of replicas, at least 1.
    pub replicas: u32,
    /// GPUs within a replica and what they split.
    pub parallelism: Parallelism,
    /// How calls are spread over replicas.
    pub router: Routing,
    /// The serving engine's limits and overheads.
    pub engine: Engine,
    /// KV blocks of one data-parallel rank, term by term.
    pub kv: KvPlan,
    /// Duration of one rank's step.
    pub step_time: StepTime,
    /// The tiers below HBM, from near to far.
    pub offload: Vec<Offload>,
    /// Price of one GPU-hour in dollars, with its origin.
    pub gpu_hour: GpuHour,
    /// Provisioned IT power of one GPU with its host share, in watts, if known.
    pub watts_per_gpu: Option<f64>,
    /// Power usage effectiveness: facility power over IT power.
    pub pue: f64,
}

impl Pool {
    /// GPUs in the whole pool.
    pub fn gpus(&self) -> u32 {
        self.replicas * self.parallelism.gpus()
    }

    /// What its router chooses among.
    pub fn lanes(&self) -> u32 {
        let ranks = if self.router.policy.chooses_ranks() { self.parallelism.data } else { 1 };
        self.replicas * ranks
    }

    /// Whether a call of these lengths can ever be served: it must not exceed
    /// the longest sequence accepted, and its KV tokens (the last sampled token
    /// has none) must fit all blocks of a rank.
    pub fn accepts(&self, prompt: u32, output: u32) -> bool {
        let tokens = u64::from(prompt) + u64::from(output);
        tokens <= u64::from(self.engine.max_model_len)
            && self.needs().peak((tokens - 1) as u32) <= u64::from(self.kv.blocks)
    }

    /// KV blocks that sequences need.
    pub fn needs(&self) -> BlockNeeds {
        self.kv.needs(self.engine.max_num_batched_tokens)
    }

    /// What a report must say about the accuracy of its step times.
    pub fn caveats(&self) -> Vec<String> {
        StepTime::caveats(&self.model, &self.hardware, self.precision, self.parallelism)
    }
}

/// A pool of workers that run tool calls.
#[derive(Clone, Debug)]
pub struct ToolPool {
    /// Name, unique among tool pools.
    pub name: String,
    /// Workers.
    pub workers: u32,
    /// Tool calls that a worker runs at once.
    pub slots: u32,
    /// Time to start a sandbox up before each call.
    pub start_up: Span,
    /// Dollars an hour of a worker, if known.
    pub usd_per_hour: Option<f64>,
    /// IT power of a worker in watts, if known.
    pub watts: Option<f64>,
}

impl ToolPool {
    /// Tool calls that all workers run at once.
    pub fn capacity(&self) -> u32 {
        self.workers * self.slots
    }
}

/// A tier that a pool offloads KV blocks to.
#[derive(Clone, Debug)]
pub struct Offload {
    /// The tier.
    pub tier: Arc<Tier>,
    /// Bytes of it: of one replica if it is a rank's or a replica's own, of all
    /// that share it otherwise.
    pub capacity_bytes: u64,
    /// When it receives blocks.
    pub policy: Writing,
    /// Who shares it.
    pub scope: Scope,
    /// Pools that do, this one included.
    pub sharers: u32,
}

impl Offload {
    /// Bytes that are there for `pool`; what pools share counts in equal parts.
    pub fn bytes_for(&self, pool: &Pool) -> f64 {
        let owners = match self.scope {
            Scope::Rank | Scope::Replica => pool.replicas,
            Scope::Pool | Scope::All => 1,
        };
        self.capacity_bytes as f64 * f64::from(owners) / f64::from(self.sharers)
    }
}

/// Limits and overheads of the serving engine.
#[derive(Clone, Debug)]
pub struct Engine {
    /// Most sequences running at once on one rank.
    pub max_num_seqs: u32,
    /// Token budget of one step of one rank.
    pub max_num_batched_tokens: u32,
    /// Longest sequence (prompt and output) accepted.
    pub max_model_len: u32,
    /// Admission needs room for the whole known sequence, not only its first chunk.
    pub reserve_full_prompt: bool,
    /// Share of the KV blocks that admission leaves free.
    pub kv_watermark: f64,
    /// What is kept of sequences that have ended; `None`: nothing.
    pub prefix_cache: Option<CacheRules>,
    /// Factor on the catalog's step time (software efficiency of the engine).
    pub step_scale: f64,
    /// Factor on what decodes add to a step.
    pub decode_scale: f64,
    /// Host time added to every step.
    pub step_overhead: Span,
}
