//! The prefix cache of one rank, whatever its policy.
//!
//! Which policy it is is asked once a verb; what the verb does to run after run
//! is compiled for that policy.

use super::Eviction;
use super::agent_hold::{AgentHold, Hold};
use super::cost_aware::{self, CostAware};
use super::lfu::Lfu;
use super::lru::Lru;
use super::s3_fifo::S3Fifo;
use super::store::{Hit, Published, Store};
use super::ttl::Ttl;
use crate::factory::step_time::PromptTime;
use crate::kernel::Time;
use crate::workload::{Strand, Stretch};

/// KV blocks that can be found again by what they hold: `Store` under the
/// policy that a user chose.
#[derive(Clone, Debug)]
pub enum PrefixStore {
    /// Under [`Eviction::Lru`].
    Lru(Store<Lru>),
    /// Under [`Eviction::Lfu`].
    Lfu(Store<Lfu>),
    /// Under [`Eviction::S3Fifo`].
    S3Fifo(Store<S3Fifo>),
    /// Under [`Eviction::Ttl`].
    Ttl(Store<Ttl>),
    /// Under [`Eviction::CostAware`].
    CostAware(Store<CostAware>),
    /// Under [`Eviction::AgentHold`].
    AgentHold(Store<AgentHold>),
}

/// A verb of the store at hand.
macro_rules! each {
    ($any:expr, $store:ident => $verb:expr) => {
        match $any {
            PrefixStore::Lru($store) => $verb,
            PrefixStore::Lfu($store) => $verb,
            PrefixStore::S3Fifo($store) => $verb,
            PrefixStore::Ttl($store) => $verb,
            PrefixStore::CostAware($store) => $verb,
            PrefixStore::AgentHold($store) => $verb,
        }
    };
}

impl PrefixStore {
    /// An empty store of blocks of `block_tokens` tokens that take `prompt_time`
    /// to compute.
    pub fn new(eviction: Eviction, block_tokens: u32, prompt_time: PromptTime) -> Self {
        match eviction {
            Eviction::Lru => PrefixStore::Lru(Store::new(Lru::new(), block_tokens)),
            Eviction::Lfu => PrefixStore::Lfu(Store::new(Lfu::default(), block_tokens)),
            Eviction::S3Fifo => PrefixStore::S3Fifo(Store::new(S3Fifo::default(), block_tokens)),
            Eviction::Ttl { ttl } => PrefixStore::Ttl(Store::new(Ttl::new(ttl), block_tokens)),
            Eviction::AgentHold { hold } => {
                PrefixStore::AgentHold(Store::new(AgentHold::new(hold), block_tokens))
            }
            Eviction::CostAware => {
                let policy = cost_aware::new(block_tokens, prompt_time);
                PrefixStore::CostAware(Store::new(policy, block_tokens))
            }
        }
    }

    /// The same for places of `full` groups of full attention and `windowed` of
    /// windowed layers.
    pub fn with_groups(self, full: u32, windowed: u32) -> Self {
        match self {
            PrefixStore::Lru(store) => PrefixStore::Lru(store.with_groups(full, windowed)),
            PrefixStore::Lfu(store) => PrefixStore::Lfu(store.with_groups(full, windowed)),
            PrefixStore::S3Fifo(store) => PrefixStore::S3Fifo(store.with_groups(full, windowed)),
            PrefixStore::Ttl(store) => PrefixStore::Ttl(store.with_groups(full, windowed)),
            PrefixStore::CostAware(store) => {
                PrefixStore::CostAware(store.with_groups(full, windowed))
            }
            PrefixStore::AgentHold(store) => {
                PrefixStore::AgentHold(store.with_groups(full, windowed))
            }
        }
    }

    /// The store that keeps what windowed layers cache, in one order with the rest.
    #[inline]
    pub fn windows(&mut self) -> &mut Store<Lru> {
        match self {
            PrefixStore::Lru(store) => store,
            _ => unreachable!("other policies keep no windows"),
        }
    }

    /// Blocks kept.
    #[inline]
    pub fn resident(&self) -> u32 {
        each!(self, store => store.resident())
    }

    /// Blocks kept that nobody uses.
    #[inline]
    pub fn idle(&self) -> u32 {
        each!(self, store => store.idle())
    }

    /// Panics unless the sums are those of the runs one by one. Returns what the
    /// users of all blocks add up to.
    pub fn recount(&self) -> u64 {
        each!(self, store => store.recount())
    }

    /// Runs kept: what its memory and the cost of its verbs follow.
    pub fn runs(&self) -> usize {
        each!(self, store => store.runs())
    }

    /// The blocks of a sequence that are there from its start on, at most `blocks`.
    #[inline]
    pub fn lookup(&self, content: &[Stretch], blocks: u32) -> Hit {
        each!(self, store => store.lookup(content, blocks))
    }

    /// Uses the first `blocks` blocks of a sequence, which are there. Returns how
    /// many of them nobody used before.
    #[inline]
    pub fn acquire(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        each!(self, store => store.acquire(content, blocks))
    }

    /// Adds blocks `from..to` of a sequence, whose first `from` blocks the caller
    /// uses, and uses them too.
    #[inline]
    pub fn publish(&mut self, content: &[Stretch], from: u32, to: u32) -> Published {
        each!(self, store => store.publish(content, from, to))
    }

    /// Ends the use of the first `blocks` blocks of a sequence, from the last to
    /// the first. Returns how many of them nobody uses now.
    #[inline]
    pub fn release(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        each!(self, store => store.release(content, blocks))
    }

    /// [`PrefixStore::release`] for a sequence that says `said` of its blocks, which
    /// policies that hold nothing do not heed.
    #[inline]
    pub fn leave(&mut self, content: &[Stretch], blocks: u32, said: Hold) -> u32 {
        each!(self, store => store.leave(content, blocks, said))
    }

    /// Whether a sequence may keep blocks to itself and [`PrefixStore::retire`]
    /// them, with nothing else turning out different.
    pub fn can_retire(&self) -> bool {
        each!(self, store => store.can_retire())
    }

    /// A sequence that kept blocks to itself ends, and nobody will ever look for
    /// them: `blocks` more are idle, as if they had been published and released.
    #[inline]
    pub fn retire(&mut self, blocks: u32) {
        each!(self, store => store.retire(blocks));
    }

    /// Takes away idle places that make up `blocks` blocks of memory, in the order of
    /// the policy, and tells of each stretch of them but those of windowed layers: its
    /// strand, first place and end. Returns by how many blocks the last place was more
    /// than that.
    #[inline]
    pub fn evict(&mut self, blocks: u32, tell: impl FnMut(Strand, u32, u32)) -> u32 {
        each!(self, store => store.evict(blocks, tell))
    }

    /// Time has come to `now`, for this and all verbs until the next call: blocks
    /// that a policy with a time limit keeps no longer are taken away, and told
    /// of like evicted ones. Other policies know no time.
    #[inline]
    pub fn expire(&mut self, now: Time, tell: impl FnMut(Strand, u32, u32)) {
        each!(self, store => store.expire(now, tell));
    }

    /// The last instant at which all blocks that are idle now are there and as due
    /// as they are, if nobody asks for room; `None`: for good.
    #[inline]
    pub fn all_live_until(&self) -> Option<Time> {
        each!(self, store => store.all_live_until())
    }
}
