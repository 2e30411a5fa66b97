//! What can happen to a call, as the run digest names it.

use crate::factory::{Call, CallId, Outcome};

/// Kinds of happening; the numbers are part of the digest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    Arrived = 1,
    Rejected = 2,
    Scheduled = 3,
    FirstToken = 4,
    Resumed = 5,
    Preempted = 6,
    Finished = 7,
    Fetching = 8,
    Fetched = 9,
    Answering = 10,
    Aborted = 11,
}

/// The kind of `outcome`, and the call it happened to.
#[inline]
pub fn kind(outcome: &Outcome) -> (Kind, CallId) {
    match *outcome {
        Outcome::Scheduled(call) => (Kind::Scheduled, call),
        Outcome::FirstToken(call) => (Kind::FirstToken, call),
        Outcome::Answering(call) => (Kind::Answering, call),
        Outcome::Resumed(call, _) => (Kind::Resumed, call),
        Outcome::Preempted(call) => (Kind::Preempted, call),
        Outcome::Finished(call) => (Kind::Finished, call),
        Outcome::Aborted { call, .. } => (Kind::Aborted, call),
        Outcome::Fetching(call) => (Kind::Fetching, call),
        Outcome::Fetched(call) => (Kind::Fetched, call),
    }
}

/// What happened to `call` and where, in one word: kind, use case, site, replica.
#[inline]
pub fn what(kind: Kind, call: &Call) -> u64 {
    let site = u64::from(call.site) << 24;
    kind as u64 | u64::from(call.use_case) << 8 | site | u64::from(call.lane) << 32
}
