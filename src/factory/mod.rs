//! What serves the work: step time, replicas, KV blocks, routers, pools.

mod memory;
mod parallelism;
mod roofline;
mod shard;
mod step_time;

pub use memory::{KvPlan, MemoryTerm, Misfit, Placement};
pub use parallelism::Parallelism;
pub use step_time::{Batch, Experts, StepTime};
