//! What serves the work: step time, replicas, KV blocks, routers, pools.

mod step_time;

pub use step_time::{Batch, Experts, StepTime};

/// GPUs within a replica and what they split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parallelism {
    /// Tensor parallelism of attention and dense layers.
    pub tensor: u32,
    /// Attention data-parallel ranks, each with its own queue and KV blocks.
    pub data: u32,
    /// Expert parallelism; tensor x data / expert GPUs share one expert.
    pub expert: u32,
}

impl Parallelism {
    /// GPUs in one replica.
    pub fn gpus(self) -> u32 {
        self.tensor * self.data
    }
}

/// KV blocks of one data-parallel rank, term by term.
#[derive(Clone, Debug)]
pub struct KvPlan {
    /// Tokens in one block.
    pub block_tokens: u32,
    /// Blocks of one rank.
    pub blocks: u32,
}
