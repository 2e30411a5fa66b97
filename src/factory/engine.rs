//! What the simulation asks of an engine, whichever way it computes the answer.
//!
//! [`Replica`](super::Replica) jumps over uneventful steps; the oracle in the
//! tests takes them one by one. Both are driven through this trait, so that
//! everything around them is the same.

use super::cache::CacheEvent;
use super::call::{CallId, Calls};
use super::rank::{Outcome, RankLimits};
use super::segment::Segment;
use super::step_time::StepTime;
use super::tier::{Level, Store, Tiers};
use super::work::{Ledger, WorkRates};
use crate::kernel::Time;
use std::sync::Arc;

/// What the replicas of a pool have in common.
#[derive(Clone, Debug)]
pub struct EngineSpec {
    /// Limits of each rank.
    pub limits: Arc<RankLimits>,
    /// Data-parallel ranks of a replica, at least 1.
    pub ranks: u32,
    /// Duration of a rank's step.
    pub step_time: StepTime,
    /// What the things in a step add to it.
    pub rates: WorkRates,
    /// The tiers below HBM, from near to far.
    pub offload: Vec<Level>,
}

/// What an engine waits for after a boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// It steps until this boundary.
    Boundary(Time),
    /// Nothing runs until a transfer is over at this instant, or a call comes.
    Transfer(Time),
    /// Nothing is left to do.
    Nothing,
}

/// What an arrival, or an abort, did to the schedule of its engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rescheduled {
    /// The engine was idle and must be woken at this instant.
    Wake,
    /// The engine's boundary moved to this instant.
    Boundary(Time),
    /// Nothing moved.
    Unmoved,
}

/// Steps that an engine has taken.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// The steps; every decoding sequence got one token at the end of each.
    pub segment: Segment,
    /// KV blocks in use at their end on the fullest rank.
    pub blocks_used: u64,
    /// Of what all ranks stepped, what no sequence added itself, in grains.
    pub rest: i128,
}

/// How busy an engine is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Sequences in the batch.
    pub running: u32,
    /// Calls waiting, in the queue or for a transfer.
    pub waiting: u32,
    /// KV blocks in use, all ranks.
    pub blocks_used: u64,
}

/// An inference engine of one replica.
pub trait Engine {
    /// What knows the blocks in a tier.
    type Store: Store;

    /// An idle engine, replica `number` of its pool.
    fn new(spec: &EngineSpec, number: u32, use_cases: usize) -> Self;

    /// Takes in a call, on `rank` if its router has chosen one.
    fn enqueue(&mut self, now: Time, call: CallId, rank: Option<u32>, calls: &Calls)
    -> Rescheduled;

    /// Call `id` is no longer waited for: it leaves at the next step boundary, with
    /// what it has computed by then, unless it ends there. To be told once, when all
    /// steps that end by `now` have ended.
    fn abort(&mut self, now: Time, id: CallId) -> Rescheduled;

    /// GPU time that call `id` has taken by `now`, in grains.
    fn worked(&self, spec: &EngineSpec, now: Time, id: CallId, calls: &Calls) -> u64;

    /// Accounts for the steps that have ended by `now`, between boundaries.
    fn settle(&mut self, spec: &EngineSpec, now: Time) -> Option<Progress>;

    /// Accounts for the steps up to the boundary that is due now.
    fn finish_segment(&mut self, spec: &EngineSpec) -> Option<Progress>;

    /// Enters in the ledger what calls have taken by `now`, when all steps that have
    /// ended by then are settled.
    fn settle_work(&mut self, spec: &EngineSpec, now: Time, calls: &mut Calls, ledger: &mut Ledger);

    /// Use cases whose only sequences in the current step are prompts.
    fn prompting(&self) -> &[u16];

    /// A step boundary: tells what the last step brought, decides the next one
    /// and returns what comes after it.
    fn turn(
        &mut self,
        spec: &EngineSpec,
        now: Time,
        calls: &mut Calls,
        tiers: &mut Tiers<Self::Store>,
        ledger: &mut Ledger,
        outcomes: &mut Vec<Outcome>,
    ) -> Next;

    /// Sequences that get a token at the end of the current step, by use case.
    fn decoding(&self) -> &[u32];

    /// Recounts what the engine keeps as sums and panics where they are wrong;
    /// returns the tokens that its calls have sampled.
    fn recount(&self, calls: &Calls) -> u64;

    /// Tells what came into the caches of its ranks and what went since the last
    /// time, if [`RankLimits::tells_cache`]. To be asked right after a turn that
    /// something came out of: between such turns evictions may be told late.
    fn tell_caches(&mut self, tell: impl FnMut(u32, CacheEvent));

    /// How busy it is.
    fn load(&self, now: Time) -> Load;
}
