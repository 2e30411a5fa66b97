//! Routers: where in a pool a call is served.
//!
//! One policy a file, the same verbs in each: `choose` a lane, `arrived` when a
//! call went there, `left` when one is done. A lane is a replica; for policies
//! that look for what is in a cache it is a data-parallel rank of a replica,
//! since each rank has its own. A router keeps what it needs to answer without
//! looking at every lane, and hears of what happened there with a delay.

mod kv_aware;
mod late;
mod least_loaded;
mod min_tree;
mod power_of_two;
mod prefix_affinity;
mod prefix_index;
mod round_robin;
mod session_affinity;

use super::cache::CacheEvent;
use super::call::{Call, CallId, Calls};
use crate::kernel::{Span, Time};
use crate::random::Stream;
use crate::workload::{Author, Strand, Stretch};
use kv_aware::KvAware;
use late::{Late, Signal};
use least_loaded::LeastLoaded;
use power_of_two::PowerOfTwo;
use prefix_affinity::PrefixAffinity;
use round_robin::RoundRobin;
use session_affinity::SessionAffinity;

/// How calls are spread over a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Routing {
    /// The policy.
    pub policy: Policy,
    /// How long what happens on a replica takes to be known to the router.
    pub signal_delay: Span,
}

/// A policy that spreads calls over a pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Policy {
    /// Each replica in turn.
    RoundRobin,
    /// The replica with the fewest calls, ties to the one that got there first.
    LeastLoaded,
    /// The less loaded of two replicas drawn at random.
    PowerOfTwo,
    /// The lane where a call costs least, by cache and load.
    KvAware {
        /// What a prompt token to be computed weighs against one in flight.
        overlap_weight: f64,
        /// Scale of the softmax that lanes are drawn by; 0 takes the best.
        temperature: f64,
    },
    /// The lane that served the session before.
    SessionAffinity,
    /// The lane of the prefix that the call shares, or the next one with room.
    PrefixAffinity {
        /// Most calls of a lane, over the mean; at least 1.
        spill_over: f64,
    },
}

impl Policy {
    /// The weight of a KV-aware router that is told none. Dynamo has 1; this one
    /// was the best compromise of first tokens and whole calls over agents, chats,
    /// documents and shared prompts (scenarios/routers.toml, docs/model.md).
    pub const OVERLAP_WEIGHT: f64 = 12.0;

    /// Whether lanes are ranks, not replicas.
    pub fn chooses_ranks(self) -> bool {
        match self {
            Policy::RoundRobin | Policy::LeastLoaded | Policy::PowerOfTwo => false,
            Policy::KvAware { .. } | Policy::SessionAffinity | Policy::PrefixAffinity { .. } => {
                true
            }
        }
    }

    /// Whether it must be told what comes into caches and what goes.
    pub fn watches_caches(self) -> bool {
        matches!(self, Policy::KvAware { .. })
    }

    /// Whether it draws at random.
    pub fn draws(self) -> bool {
        match self {
            Policy::PowerOfTwo => true,
            Policy::KvAware { temperature, .. } => temperature > 0.0,
            _ => false,
        }
    }
}

/// What a router stands before.
#[derive(Clone, Copy, Debug)]
pub struct Fleet {
    /// Replicas, at least 1.
    pub replicas: u32,
    /// Data-parallel ranks of each, at least 1.
    pub ranks: u32,
    /// Tokens in a KV block.
    pub block_tokens: u32,
}

/// The routing policy of a pool, with its state.
#[derive(Clone, Debug)]
pub struct Router {
    state: State,
    late: Late,
    /// Ranks that are lanes of their own; 0 when replicas are lanes.
    ranks: u32,
    /// Prompt tokens booked for each call in flight, by its place, where the
    /// policy counts them.
    booked: Vec<u32>,
}

#[derive(Clone, Debug)]
enum State {
    RoundRobin(RoundRobin),
    LeastLoaded(LeastLoaded),
    PowerOfTwo(PowerOfTwo),
    KvAware(Box<KvAware>),
    SessionAffinity(Box<SessionAffinity>),
    PrefixAffinity(Box<PrefixAffinity>),
}

impl Router {
    /// A router before an idle fleet; `stream` serves policies that draw.
    pub fn new(routing: Routing, fleet: Fleet, stream: Stream) -> Self {
        let Fleet { replicas, ranks, block_tokens } = fleet;
        assert!(replicas > 0 && ranks > 0);
        let ranks = if routing.policy.chooses_ranks() { ranks } else { 0 };
        let lanes = replicas * ranks.max(1);
        let state = match routing.policy {
            Policy::RoundRobin => State::RoundRobin(RoundRobin::new(lanes)),
            Policy::LeastLoaded => State::LeastLoaded(LeastLoaded::new(lanes)),
            Policy::PowerOfTwo => State::PowerOfTwo(PowerOfTwo::new(lanes, stream)),
            Policy::KvAware { overlap_weight, temperature } => State::KvAware(Box::new(
                KvAware::new(lanes, block_tokens, overlap_weight, temperature, stream),
            )),
            Policy::SessionAffinity => {
                State::SessionAffinity(Box::new(SessionAffinity::new(lanes)))
            }
            Policy::PrefixAffinity { spill_over } => {
                State::PrefixAffinity(Box::new(PrefixAffinity::new(lanes, spill_over)))
            }
        };
        Router { state, late: Late::new(routing.signal_delay), ranks, booked: Vec::new() }
    }

    /// The lane that serves call `id`, which goes there now.
    #[inline]
    pub fn choose(&mut self, now: Time, id: CallId, calls: &Calls) -> u32 {
        while let Some((lane, signal)) = self.late.hear(now) {
            self.heard(lane, signal);
        }
        let content = |own| calls.stretches(&calls[id], own);
        let mut own = Stretch { strand: Strand::NONE, until: 0 };
        match &mut self.state {
            State::RoundRobin(router) => router.choose(),
            State::LeastLoaded(router) => {
                let lane = router.choose();
                router.arrived(lane);
                lane
            }
            State::PowerOfTwo(router) => {
                let lane = router.choose();
                router.arrived(lane);
                lane
            }
            State::KvAware(router) => {
                let Call { prompt, given, .. } = calls[id];
                // Where the hit rate is given, no cache has more of one prompt
                // than another has.
                let known = if given.is_some() { &[own][..] } else { content(&mut own) };
                let choice = router.choose(prompt, known);
                let uncached = given.map_or(choice.uncached, |given| prompt - given);
                router.arrived(choice.lane, prompt, uncached);
                let place = id.index() as usize;
                if self.booked.len() <= place {
                    self.booked.resize(place + 1, 0);
                }
                self.booked[place] = uncached;
                choice.lane
            }
            State::SessionAffinity(router) => {
                let lane = router.choose(calls[id].conversation);
                router.arrived(lane);
                lane
            }
            State::PrefixAffinity(router) => {
                let lane = router.choose(shared(content(&mut own)));
                router.arrived(lane);
                lane
            }
        }
    }

    /// The replica of `lane`, and the rank there if the router has chosen one.
    #[inline]
    pub fn place(&self, lane: u32) -> (u32, Option<u32>) {
        match self.ranks {
            0 => (lane, None),
            ranks => (lane / ranks, Some(lane % ranks)),
        }
    }

    /// The prompt of call `id` has been computed.
    #[inline]
    pub fn prefilled(&mut self, now: Time, id: CallId, call: &Call) {
        if let State::KvAware(_) = self.state {
            let uncached = self.booked[id.index() as usize];
            self.signal(now, call.lane, Signal::Prefilled { uncached });
        }
    }

    /// A call is done.
    #[inline]
    pub fn left(&mut self, now: Time, call: &Call) {
        self.signal(now, call.lane, Signal::Left { prompt: call.prompt });
    }

    /// Blocks came into the cache of a rank of `replica`, or went.
    #[inline]
    pub fn told(&mut self, now: Time, replica: u32, rank: u32, event: CacheEvent) {
        self.signal(now, replica * self.ranks + rank, Signal::Cache(event));
    }

    #[inline]
    fn signal(&mut self, now: Time, lane: u32, signal: Signal) {
        if self.late.is_late() {
            self.late.tell(now, lane, signal);
        } else {
            self.heard(lane, signal);
        }
    }

    /// A signal has come through.
    #[inline]
    fn heard(&mut self, lane: u32, signal: Signal) {
        match (&mut self.state, signal) {
            (State::LeastLoaded(router), Signal::Left { .. }) => router.left(lane),
            (State::PowerOfTwo(router), Signal::Left { .. }) => router.left(lane),
            (State::SessionAffinity(router), Signal::Left { .. }) => router.left(lane),
            (State::PrefixAffinity(router), Signal::Left { .. }) => router.left(lane),
            (State::KvAware(router), Signal::Left { prompt }) => router.left(lane, prompt),
            (State::KvAware(router), Signal::Prefilled { uncached }) => {
                router.prefilled(lane, uncached);
            }
            (State::KvAware(router), Signal::Cache(event)) => router.told(lane, event),
            // Nobody else listens to the others.
            (_, Signal::Left { .. } | Signal::Prefilled { .. } | Signal::Cache(_)) => {}
        }
    }
}

/// The longest prefix that a call shares with a group; else what it starts with.
fn shared(content: &[Stretch]) -> Strand {
    let is_shared = |strand: &Strand| strand.is_by(Author::Group);
    let mut shared = content.iter().rev().map(|stretch| stretch.strand).filter(is_shared);
    shared.next().unwrap_or(content[0].strand)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};
    use crate::workload::Content;

    fn router(policy: Policy, delay: Span, replicas: u32, ranks: u32) -> Router {
        let stream = Streams::new(1, 0).stream(Component::Route, 0, 0);
        let fleet = Fleet { replicas, ranks, block_tokens: 16 };
        Router::new(Routing { policy, signal_delay: delay }, fleet, stream)
    }

    /// The router books what it sends at once, and hears late that it is done.
    #[test]
    fn only_what_lanes_tell_is_late() {
        let at = Time::from_ticks;
        let mut router = router(Policy::LeastLoaded, Span::from_ticks(10), 2, 1);
        let mut calls = Calls::default();
        let ids: Vec<CallId> =
            (0..2).map(|number| calls.insert(Call::new(0, number, at(0), 100, 10), None)).collect();
        assert_eq!(
            ids.iter().map(|&id| router.choose(at(0), id, &calls)).collect::<Vec<_>>(),
            [0, 1]
        );
        calls[ids[1]].lane = 1;
        router.left(at(5), &calls[ids[1]]);
        // Both seem to have one call; replica 0 has had it for longer.
        assert_eq!(router.choose(at(14), ids[1], &calls), 0);
        assert_eq!(router.choose(at(15), ids[1], &calls), 1);
    }

    /// Policies that look for caches choose ranks; the others leave that to the replica.
    #[test]
    fn lanes_are_ranks_where_caches_matter() {
        let kv_aware = Policy::KvAware { overlap_weight: 1.0, temperature: 0.0 };
        assert_eq!(router(kv_aware, Span::ZERO, 3, 4).place(7), (1, Some(3)));
        assert_eq!(router(Policy::SessionAffinity, Span::ZERO, 3, 1).place(2), (2, Some(0)));
        assert_eq!(router(Policy::RoundRobin, Span::ZERO, 3, 4).place(2), (2, None));
    }

    #[test]
    fn calls_are_known_by_the_longest_prefix_that_they_share() {
        let strand = |author, number| Strand::new(0, author, number);
        let mut content = Content::new(strand(Author::Group, 1));
        content.turn_off(100, strand(Author::Group, 2));
        content.turn_off(200, strand(Author::Session, 3));
        assert_eq!(shared(content.stretches()), strand(Author::Group, 2));
        let alone = Content::new(strand(Author::Call, 4));
        assert_eq!(shared(alone.stretches()), strand(Author::Call, 4));
    }
}
