//! Replays a recording through a prefix cache, without time passing.
//!
//! Requests come in order of time. Each is looked up and taken in at one
//! instant: it hits the longest run of leading blocks that are all there; then
//! all its blocks become the most recent, touched from the last to the first,
//! so that the start of a prompt outlives its end. Answers are not kept. The
//! cache is empty at the start.
//!
//! An age is the difference of two recorded times as floating-point seconds, as
//! those who publish such figures compute it. Where recorded gaps equal a time to
//! live (some traces cap them at 300 s), rounding then decides; nothing else here
//! depends on it.
//!
//! For LRU one pass answers every capacity and every time to live
//! ([`Distances`]). Other policies take a pass a capacity, side by side, through
//! the cache that simulated ranks use.

mod curve;
mod distances;
mod freshness;
mod prompts;
#[cfg(test)]
mod reference;
mod stored;
#[cfg(test)]
mod tests;

pub use curve::{CurvePoint, MissCurve};
pub use distances::Distances;
pub use freshness::Freshness;
pub use prompts::{Prompt, Prompts, Variant};
pub use stored::StoreReplay;

use crate::factory::Eviction;
use crate::workload::PrefixTree;
use rayon::prelude::*;
use serde::Serialize;

/// What is asked of a replay.
#[derive(Clone, Debug)]
pub struct CacheQuestion {
    /// Which blocks count.
    pub variant: Variant,
    /// Who goes first.
    pub eviction: Eviction,
    /// Capacities in blocks; `None` is without bound. Each goes with each `ttls_s`.
    pub capacities: Vec<Option<u64>>,
    /// How long a block stays after it was touched last, s; `None` is forever.
    pub ttls_s: Vec<Option<f64>>,
}

/// What one cache made of a recording.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CacheAnswer {
    /// Capacity in blocks; `None` without bound.
    pub capacity_blocks: Option<u64>,
    /// Time to live, s; `None` forever.
    pub ttl_s: Option<f64>,
    /// Requests replayed.
    pub requests: u64,
    /// Blocks of all prompts.
    pub blocks: u64,
    /// Of these, found in the cache.
    pub hit_blocks: u64,
    /// Tokens of all prompts.
    pub prompt_tokens: u64,
    /// Of these, in blocks that were found.
    pub hit_tokens: u64,
    /// Capacity in tokens; `None` without bound.
    pub capacity_tokens: Option<u64>,
    /// `hit_blocks` over `blocks`; `None` without a block.
    pub hit_blocks_fraction: Option<f64>,
    /// `hit_tokens` over `prompt_tokens`; `None` without a token.
    pub hit_tokens_fraction: Option<f64>,
    /// Eviction policy.
    pub policy: &'static str,
    /// Which blocks count.
    pub variant: &'static str,
    /// Tokens of a block.
    pub block_tokens: u32,
    /// Blocks that differ, all told: what a cache without bound ends up with.
    pub unique_blocks: u64,
}

/// Hits of one cache.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hits {
    /// Blocks found.
    pub blocks: u64,
    /// Prompt tokens in them.
    pub tokens: u64,
}

/// All that a replay found.
#[derive(Clone, Debug)]
pub struct CacheReplay {
    /// One for each capacity and time to live, in the order asked.
    pub answers: Vec<CacheAnswer>,
    /// For each time to live, in the order asked, what LRU misses by capacity.
    pub curves: Vec<MissCurve>,
    /// Blocks of the largest request, and its number in order of time from 1.
    pub largest: (u32, u64),
}

/// Replays the requests of `tree`.
pub fn replay_cache(tree: &PrefixTree, question: &CacheQuestion) -> CacheReplay {
    let prompts = Prompts::new(tree, question.variant);
    let ttls = &question.ttls_s;
    let distances = Distances::measure(&prompts, ttls);
    // A time to live goes with any policy here, so this one is LRU.
    let hits = if matches!(question.eviction, Eviction::Lru | Eviction::Ttl { .. }) {
        let each = |&capacity| (0..ttls.len()).map(move |ttl| (capacity, ttl));
        let asked = question.capacities.iter().flat_map(each);
        asked.map(|(capacity, ttl)| distances.hits(capacity, ttl)).collect()
    } else {
        through_store(&prompts, question.eviction, &question.capacities, ttls)
    };
    let totals = prompts.totals();
    let asked = question
        .capacities
        .iter()
        .flat_map(|capacity| ttls.iter().map(move |ttl_s| (*capacity, *ttl_s)));
    let answer = |((capacity, ttl_s), hits): ((Option<u64>, Option<f64>), Hits)| CacheAnswer {
        capacity_blocks: capacity,
        ttl_s,
        requests: totals.requests,
        blocks: totals.blocks,
        hit_blocks: hits.blocks,
        prompt_tokens: totals.tokens,
        hit_tokens: hits.tokens,
        capacity_tokens: capacity.map(|c| c.saturating_mul(tree.block_tokens.into())),
        hit_blocks_fraction: fraction(hits.blocks, totals.blocks),
        hit_tokens_fraction: fraction(hits.tokens, totals.tokens),
        policy: question.eviction.name(),
        variant: question.variant.name(),
        block_tokens: tree.block_tokens,
        unique_blocks: distances.unique_blocks(),
    };
    CacheReplay {
        answers: asked.zip(hits).map(answer).collect(),
        curves: (0..ttls.len())
            .map(|ttl| MissCurve::new(&distances, ttl, ttls[ttl], &totals))
            .collect(),
        largest: totals.largest,
    }
}

/// Hits for each capacity with each time to live, a thread a capacity.
fn through_store(
    prompts: &Prompts,
    eviction: Eviction,
    capacities: &[Option<u64>],
    ttls: &[Option<f64>],
) -> Vec<Hits> {
    let replay = StoreReplay::new(prompts);
    let fresh: Vec<Freshness> = ttls.iter().map(|&ttl| Freshness::new(prompts, ttl)).collect();
    let hits: Vec<Vec<Hits>> =
        capacities.par_iter().map(|&capacity| replay.hits(eviction, capacity, &fresh)).collect();
    hits.into_iter().flatten().collect()
}

fn fraction(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}
