//! What a rank may hold and compute, and what its cache keeps.

use crate::factory::cache::Eviction;
use crate::factory::kv_groups::BlockNeeds;
use crate::factory::step_time::PromptTime;

/// Limits of one rank.
#[derive(Clone, Copy, Debug)]
pub struct RankLimits {
    /// Most sequences running at once.
    pub max_num_seqs: u32,
    /// Token budget of one step; at least `max_num_seqs`.
    pub max_num_batched_tokens: u32,
    /// Tokens in a KV block.
    pub block_tokens: u32,
    /// Blocks that sequences need.
    pub needs: BlockNeeds,
    /// KV blocks.
    pub blocks: u32,
    /// Blocks that admission leaves free while anything runs.
    pub watermark: u32,
    /// Admission needs room for the whole known sequence.
    pub reserve_full_prompt: bool,
    /// Attention window of windowed layers, tokens.
    pub window: Option<u32>,
    /// What is kept of sequences that have ended; `None`: nothing.
    pub prefix_cache: Option<CacheRules>,
    /// Somebody wants to know what comes into the cache and what goes.
    pub tells_cache: bool,
    /// What prompt tokens take to compute, for policies that weigh it.
    pub prompt_time: PromptTime,
}

impl RankLimits {
    /// Whether windowed layers have places in the prefix cache. Policies other than LRU
    /// order whole prefixes, not windows.
    pub fn keeps_windows(&self) -> bool {
        let is_lru = self.prefix_cache.is_some_and(|rules| rules.eviction == Eviction::Lru);
        is_lru && self.needs.windowed > 0
    }

    /// Whether blocks of the cache are dropped, or held no longer, when their time
    /// is over.
    pub fn can_expire(&self) -> bool {
        use Eviction::{AgentHold, Ttl};
        self.prefix_cache
            .is_some_and(|rules| matches!(rules.eviction, Ttl { .. } | AgentHold { .. }))
    }
}

/// How a rank keeps KV blocks for sequences to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CacheRules {
    /// Which idle blocks go first.
    pub eviction: Eviction,
    /// A block can be hit from the step that computes it, not only after it.
    pub dedup_in_flight: bool,
    /// Blocks of answers are kept too, not only those of prompts.
    pub cache_decoded: bool,
}
