//! The order in which a store gives up blocks: one policy out of several, all
//! with the same verbs.
//!
//! A policy keeps what it has to know of each run beside the runs, so that those
//! stay small, and only sees runs whose blocks are alike in its eyes: it is asked
//! whether a run can grow, where it has to part, and whether two runs can become
//! one again. It chooses among idle runs that end a sequence,
//! and always takes the last block of one.

use super::Eviction;
use super::cost_aware::CostAware;
use super::lfu::Lfu;
use super::lru::Lru;
use super::runs::Runs;
use super::s3_fifo::S3Fifo;
use super::ttl::Ttl;
use crate::factory::step_time::PromptTime;

/// A policy at work.
#[derive(Clone, Debug)]
pub enum Order {
    Lru(Lru),
    Lfu(Lfu),
    S3Fifo(Box<S3Fifo>),
    Ttl(Ttl),
    CostAware(CostAware),
}

/// One verb of the policy at hand.
macro_rules! each {
    ($order:expr, $policy:ident => $verb:expr) => {
        match $order {
            Order::Lru($policy) => $verb,
            Order::Lfu($policy) => $verb,
            Order::S3Fifo($policy) => $verb,
            Order::Ttl($policy) => $verb,
            Order::CostAware($policy) => $verb,
        }
    };
}

impl Order {
    pub fn new(eviction: Eviction, block_tokens: u32, prompt_time: PromptTime) -> Self {
        match eviction {
            Eviction::Lru => Order::Lru(Lru::new()),
            Eviction::Lfu => Order::Lfu(Lfu::default()),
            Eviction::S3Fifo => Order::S3Fifo(Box::default()),
            Eviction::Ttl { ttl } => Order::Ttl(Ttl::new(ttl)),
            Eviction::CostAware => {
                Order::CostAware(super::cost_aware::new(block_tokens, prompt_time))
            }
        }
    }

    /// Whether new blocks are like those of run `at`, which the sequence that
    /// brings them uses alone.
    #[inline]
    pub fn extends(&self, at: u32) -> bool {
        match self {
            Order::Lru(_) | Order::Ttl(_) => true,
            Order::Lfu(policy) => policy.extends(at),
            Order::S3Fifo(policy) => policy.extends(at),
            Order::CostAware(policy) => policy.extends(at),
        }
    }

    /// Run `at` is new.
    #[inline]
    pub fn add(&mut self, at: u32) {
        match self {
            Order::Lru(_) | Order::Ttl(_) => {}
            Order::Lfu(policy) => policy.add(at),
            Order::S3Fifo(policy) => policy.add(at),
            Order::CostAware(policy) => policy.add(at),
        }
    }

    /// One more sequence uses run `at`, which is not idle any more.
    #[inline]
    pub fn hit(&mut self, at: u32) {
        match self {
            Order::Lru(_) | Order::Ttl(_) => {}
            Order::Lfu(policy) => policy.hit(at),
            Order::S3Fifo(policy) => policy.hit(at),
            Order::CostAware(policy) => policy.hit(at),
        }
    }

    /// Run `at` will fall idle. Returns the block from which on it is alike when
    /// it does; what comes before has to be cut off and asked for by itself.
    #[inline]
    pub fn part(&mut self, runs: &Runs, at: u32) -> u32 {
        match self {
            Order::S3Fifo(policy) => policy.part(runs, at),
            Order::Lru(_) | Order::Lfu(_) | Order::Ttl(_) | Order::CostAware(_) => runs[at].start,
        }
    }

    /// Run `at` fell idle.
    #[inline]
    pub fn rest(&mut self, runs: &mut Runs, at: u32) {
        each!(self, policy => policy.rest(runs, at));
    }

    /// Run `at` is no longer idle.
    #[inline]
    pub fn wake(&mut self, runs: &mut Runs, at: u32) {
        each!(self, policy => policy.wake(runs, at));
    }

    /// Run `head` was cut off the front of run `at`.
    #[inline]
    pub fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        each!(self, policy => policy.split(runs, head, at));
    }

    /// Whether idle runs `head` and `at`, its only continuation, are alike.
    #[inline]
    pub fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        each!(self, policy => policy.joins(runs, head, at))
    }

    /// Idle run `head` will be the front of run `at`, which is like it.
    #[inline]
    pub fn merge(&mut self, runs: &mut Runs, head: u32, at: u32) {
        each!(self, policy => policy.merge(runs, head, at));
    }

    /// The run to evict from, and how many of its blocks may go before this has
    /// to be asked again.
    #[inline]
    pub fn victim(&mut self, runs: &Runs) -> Option<(u32, u32)> {
        match self {
            Order::Lru(policy) => Some((policy.victim()?, u32::MAX)),
            Order::Ttl(policy) => Some((policy.victim()?, u32::MAX)),
            Order::Lfu(policy) => Some((policy.victim()?, u32::MAX)),
            Order::CostAware(policy) => Some((policy.victim()?, u32::MAX)),
            Order::S3Fifo(policy) => policy.victim(runs),
        }
    }

    /// Idle run `at` has lost the `blocks` blocks that were its last ones,
    /// perhaps all it had.
    #[inline]
    pub fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32) {
        each!(self, policy => policy.take(runs, at, blocks));
    }

    /// Nothing continues idle run `at` any more.
    #[inline]
    pub fn end(&mut self, runs: &Runs, at: u32) {
        match self {
            Order::Lru(_) | Order::Ttl(_) => {}
            Order::Lfu(policy) => policy.end(runs, at),
            Order::S3Fifo(policy) => policy.end(runs, at),
            Order::CostAware(policy) => policy.end(runs, at),
        }
    }
}
