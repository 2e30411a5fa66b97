//! LRU for all capacities at once, by stack distances (Mattson et al., 1970).
//!
//! The distance of a block is its place in the order of recency when it is asked
//! for, from 1: it is there exactly if the capacity is no less. As a prompt is
//! touched from its end to its start, a block is always more recent than those
//! behind it: distances grow along a prompt, and the run of leading blocks that
//! hit at capacity C are those with a distance of at most C. Ages grow along it
//! as well, so the same holds for a time to live, and for both together.
//!
//! What a request leaves in the order of recency is one stretch: what is touched
//! again later is always the start of its prompt. So the order is a sequence of
//! stretches, one a request, and a prompt meets a stretch of each earlier
//! request that it shares blocks with: a query of a Fenwick tree over requests
//! for each, instead of one a block. What remains to do a block is to note who
//! touched it last.

use super::Hits;
use super::prompts::{Prompt, Prompts};
use crate::workload::NO_NODE;

/// Hits of an LRU cache of any capacity, for some times to live.
#[derive(Clone, Debug)]
pub struct Distances {
    /// For each time to live: hits of a cache of so many blocks, up to as many
    /// as there are.
    hits: Vec<Vec<Hits>>,
}

/// Nobody touched the block yet.
const NOBODY: u32 = u32::MAX;

impl Distances {
    /// Replays `prompts` for each of `ttls`, in seconds; `None` is forever.
    pub fn measure(prompts: &Prompts, ttls: &[Option<f64>]) -> Self {
        let mut counts = Counts::new(prompts, ttls);
        let parent = &prompts.tree.parent;
        let requests = &prompts.tree.requests;
        let mut last = vec![NOBODY; parent.len()];
        let mut stretches = Fenwick::new(requests.len());
        for (number, prompt) in prompts.iter().enumerate() {
            let number = number as u32;
            let mut node = prompt.node;
            let mut from = prompt.blocks;
            while node != NO_NODE {
                // Blocks `from..to` of the prompt were touched last by one request.
                let toucher = last[node as usize];
                let to = from;
                while node != NO_NODE && last[node as usize] == toucher {
                    last[node as usize] = number;
                    node = parent[node as usize];
                    from -= 1;
                }
                if toucher != NOBODY {
                    let newer = stretches.after(toucher);
                    stretches.subtract(toucher, to - from);
                    let age = prompt.at_s - requests[toucher as usize].at_s;
                    counts.add(&prompt, from, to, newer, age);
                }
            }
            stretches.add(number, prompt.blocks);
        }
        counts.finish(stretches.total as usize)
    }

    /// Hits of a cache of `capacity` blocks with time to live number `ttl`.
    pub fn hits(&self, capacity: Option<u64>, ttl: usize) -> Hits {
        let all = self.unique_blocks();
        self.hits[ttl][capacity.unwrap_or(all).min(all) as usize]
    }

    /// Blocks that differ: a larger cache hits no more.
    pub fn unique_blocks(&self) -> u64 {
        self.hits.first().map_or(0, |hits| hits.len() as u64 - 1)
    }
}

/// Hits by distance, as differences between neighboring distances.
struct Counts {
    block_tokens: u64,
    ttls: Vec<Option<f64>>,
    /// Times to live in growing order, without repeats.
    ages: Vec<f64>,
    /// For each of `ages`, and at last for what is older than all of them.
    by_age: Vec<ByDistance>,
}

/// Hits by distance.
struct ByDistance {
    /// How many more hits have this distance than the one below.
    rise: Vec<i64>,
    /// Tokens that the blocks of this distance lack to be full.
    short: Vec<u64>,
}

impl Counts {
    fn new(prompts: &Prompts, ttls: &[Option<f64>]) -> Self {
        let mut ages: Vec<f64> = ttls.iter().copied().flatten().collect();
        ages.sort_by(f64::total_cmp);
        ages.dedup();
        let distances = prompts.tree.parent.len() + 2;
        let empty = |_| ByDistance { rise: vec![0; distances], short: vec![0; distances] };
        Counts {
            block_tokens: prompts.tree.block_tokens.into(),
            ttls: ttls.to_vec(),
            by_age: (0..=ages.len()).map(empty).collect(),
            ages,
        }
    }

    /// Blocks `from..to` of a prompt come after `newer` others in the order of
    /// recency and were touched `age` ago.
    #[inline]
    fn add(&mut self, prompt: &Prompt, from: u32, to: u32, newer: u32, age: f64) {
        let to = to.min(prompt.hits_max);
        if to <= from {
            return;
        }
        let which = self.ages.partition_point(|&ttl| ttl < age);
        let counts = &mut self.by_age[which];
        let first = newer as usize + 1;
        counts.rise[first] += 1;
        counts.rise[first + (to - from) as usize] -= 1;
        // Only what reaches beyond the last token, of which there is hardly any.
        let tokens = u64::from(prompt.tokens);
        let full = (tokens / self.block_tokens).min(to.into()) as u32;
        for block in full.max(from)..to {
            let lack = (u64::from(block) + 1) * self.block_tokens - tokens;
            counts.short[first + (block - from) as usize] += lack.min(self.block_tokens);
        }
    }

    /// Sums up to each distance; no block has a larger one than `distance_max`.
    fn finish(self, distance_max: usize) -> Distances {
        let of_ttl = |ttl: &Option<f64>| {
            let ages = match ttl {
                None => self.by_age.len(),
                Some(ttl) => self.ages.partition_point(|age| age <= ttl),
            };
            let (mut rate, mut hits) = (0, Hits::default());
            let each = |distance: usize| {
                for counts in &self.by_age[..ages] {
                    rate += counts.rise[distance];
                    hits.tokens = hits.tokens.wrapping_sub(counts.short[distance]);
                }
                hits.blocks += rate as u64;
                // Never below zero once the blocks' tokens are there.
                hits.tokens = hits.tokens.wrapping_add(rate as u64 * self.block_tokens);
                hits
            };
            (0..=distance_max).map(each).collect()
        };
        Distances { hits: self.ttls.iter().map(of_ttl).collect() }
    }
}

/// Sums over ranges of a list that changes (Fenwick, 1994).
struct Fenwick {
    tree: Vec<u32>,
    total: u32,
}

impl Fenwick {
    fn new(length: usize) -> Self {
        Fenwick { tree: vec![0; length + 1], total: 0 }
    }

    fn add(&mut self, index: u32, value: u32) {
        self.total += value;
        self.change(index, value);
    }

    fn subtract(&mut self, index: u32, value: u32) {
        self.total -= value;
        self.change(index, value.wrapping_neg());
    }

    /// Partial sums wrap around together, so a negative change is a wrapped one.
    fn change(&mut self, index: u32, value: u32) {
        let mut at = index as usize + 1;
        while let Some(sum) = self.tree.get_mut(at) {
            *sum = sum.wrapping_add(value);
            at += at & at.wrapping_neg();
        }
    }

    /// The sum of what is behind `index`.
    fn after(&self, index: u32) -> u32 {
        let mut at = index as usize + 1;
        let mut sum = self.total;
        while at > 0 {
            sum = sum.wrapping_sub(self.tree[at]);
            at &= at - 1;
        }
        sum
    }
}
