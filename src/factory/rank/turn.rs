//! A step boundary: what a rank sees at it, and what comes out of it.

use crate::factory::call::{CallId, Calls};
use crate::factory::engine::EngineSpec;
use crate::factory::tier::{TierStore, Tiers};
use crate::factory::work::Ledger;
use crate::kernel::{Span, Time};

/// What happened to a call at a step boundary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It entered the batch.
    Scheduled(CallId),
    /// Its first output token was sampled.
    FirstToken(CallId),
    /// Its first output token after thinking was sampled.
    Answering(CallId),
    /// A preempted call sampled its next token, this long after the one before.
    Resumed(CallId, Span),
    /// It went back to the queue.
    Preempted(CallId),
    /// It left the queue while blocks are fetched for it.
    Fetching(CallId),
    /// They have arrived.
    Fetched(CallId),
    /// Its last output token was sampled; nothing of it is left in the rank.
    Finished(CallId),
    /// It left before that, since nobody waited for it any more.
    Aborted {
        /// The call.
        call: CallId,
        /// It was in the batch, and not waiting.
        was_running: bool,
    },
}

/// What a rank sees and changes while a step starts.
pub struct Turn<'a> {
    /// What the replicas of the pool have in common.
    pub spec: &'a EngineSpec,
    /// The replica within its pool.
    pub replica: u32,
    /// The boundary's instant.
    pub now: Time,
    /// Number of the step that starts.
    pub step: u64,
    /// The calls in flight.
    pub calls: &'a mut Calls,
    /// What happened, in order.
    pub outcomes: &'a mut Vec<Outcome>,
    /// Sequences decoding, by use case.
    pub decoding: &'a mut [u32],
    /// The tiers below HBM.
    pub tiers: &'a mut Tiers<TierStore>,
    /// What calls took of the pool's GPU time.
    pub ledger: &'a mut Ledger,
    /// What each sequence, and each call that fetches, has taken of what the replica
    /// did for all, in grains.
    pub counters: Counters,
}

/// What a replica did for all of its sequences, in parts, since it was there. They
/// wrap; differences do not within the years that a sequence lasts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// What each sequence took of the rest of steps.
    pub shared: u64,
    /// What each call that fetches took of waiting with nothing to step.
    pub held: u64,
}
