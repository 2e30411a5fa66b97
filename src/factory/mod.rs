//! What serves the work: step time, replicas, KV blocks, routers, pools.
//!
//! Bottom up: [`StepTime`] (built by `roofline` from the catalog) says how long
//! a batch takes; `blocks` and `running` keep the state of a batch in numbers
//! that do not grow with it; `rank` schedules; [`Replica`] steps its ranks
//! together; [`Pool`] puts a [`Router`] before replicas. The simulation sees
//! replicas only as an [`Engine`].

mod agenda;
mod blocks;
mod cache;
mod call;
mod engine;
mod memory;
mod parallelism;
mod pool;
mod rank;
mod replica;
mod roofline;
mod router;
mod running;
mod segment;
mod serve;
mod shard;
mod step_time;
mod tier;
mod tool_pool;
mod work;

#[cfg(test)]
pub(crate) use cache::ReferenceStore;
pub use cache::{CacheEvent, Eviction, Hit, Hold, Piece, PrefixStore, Published};
pub use call::{Call, CallId, Calls, Gone, Waiter, Why};
pub use engine::{Engine, EngineSpec, Load, Next, Progress, Rescheduled};
pub use memory::{KvPlan, MemoryTerm, Misfit, Placement};
pub use parallelism::Parallelism;
pub use pool::Pool;
pub use rank::{CacheRules, Outcome, RankLimits};
pub use replica::Replica;
pub use router::{Fleet, Policy, Router, Routing};
pub use segment::Segment;
pub use serve::Serve;
pub use step_time::{Batch, Experts, GroupTokens, PromptTime, StepTime};
#[cfg(test)]
pub(crate) use tier::ReferenceTier;
pub use tier::{
    Channel, Count, Credit, Dropped, LEVELS_MAX, Level, Link, Pace, Part, Parts, Seats, Store,
    TierStore, Tiers, View, Writing,
};

pub use tool_pool::{ToolPool, ToolPoolRecord};
pub use work::{Chunks, GRAINS, Ledger, StepWork, UseCaseWork, WorkRates};

/// Most steps planned at once; longer stretches are planned again, to the same effect.
const STEPS_MAX: u64 = 1 << 20;
