//! Routers: which replica of a pool serves a call.
//!
//! One policy a file, the same verbs in each: `choose` a replica, `arrived`
//! when a call went there, `left` when one is done. A router keeps what it
//! needs to answer without looking at every replica.

mod least_loaded;
mod power_of_two;
mod round_robin;

use crate::random::Stream;
use least_loaded::LeastLoaded;
use power_of_two::PowerOfTwo;
use round_robin::RoundRobin;

/// A policy that spreads calls over the replicas of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Routing {
    /// Each replica in turn.
    RoundRobin,
    /// The replica with the fewest calls, ties to the one that got there first.
    LeastLoaded,
    /// The less loaded of two replicas drawn at random.
    PowerOfTwo,
}

/// The routing policy of a pool, with its state.
#[derive(Clone, Debug)]
pub struct Router(Policy);

#[derive(Clone, Debug)]
enum Policy {
    RoundRobin(RoundRobin),
    LeastLoaded(LeastLoaded),
    PowerOfTwo(PowerOfTwo),
}

impl Router {
    /// A router over `replicas` idle replicas; `stream` serves policies that draw.
    pub fn new(policy: Routing, replicas: u32, stream: Stream) -> Self {
        assert!(replicas > 0);
        Router(match policy {
            Routing::RoundRobin => Policy::RoundRobin(RoundRobin::new(replicas)),
            Routing::LeastLoaded => Policy::LeastLoaded(LeastLoaded::new(replicas)),
            Routing::PowerOfTwo => Policy::PowerOfTwo(PowerOfTwo::new(replicas, stream)),
        })
    }

    /// The replica that serves the next call.
    #[inline]
    pub fn choose(&mut self) -> u32 {
        match &mut self.0 {
            Policy::RoundRobin(router) => router.choose(),
            Policy::LeastLoaded(router) => router.choose(),
            Policy::PowerOfTwo(router) => router.choose(),
        }
    }

    /// A call was sent to `replica`.
    #[inline]
    pub fn arrived(&mut self, replica: u32) {
        match &mut self.0 {
            Policy::RoundRobin(_) => {}
            Policy::LeastLoaded(router) => router.arrived(replica),
            Policy::PowerOfTwo(router) => router.arrived(replica),
        }
    }

    /// A call of `replica` is done.
    #[inline]
    pub fn left(&mut self, replica: u32) {
        match &mut self.0 {
            Policy::RoundRobin(_) => {}
            Policy::LeastLoaded(router) => router.left(replica),
            Policy::PowerOfTwo(router) => router.left(replica),
        }
    }
}
