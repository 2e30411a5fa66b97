//! A replay through the cache of simulated ranks, for any policy.
//!
//! A request uses what is there, idle blocks make room for the rest by the
//! policy, and all of it falls idle again at once. What is still too much then,
//! because the request alone is larger than the cache, goes too. A block past
//! its time to live is a miss; it is computed again in its place. A recording
//! names no model: the cost-aware policy weighs blocks as llama-3.1-70b in fp8 on
//! four H100 computes them.

use super::Hits;
use super::freshness::Freshness;
use super::prompts::Prompts;
use crate::catalog::Catalog;
use crate::factory::{Eviction, Parallelism, PrefixStore, PromptTime, StepTime};
use crate::workload::{Author, NO_NODE, Strand, Stretch};
use smallvec::SmallVec;

/// The prompts of a recording as a prefix store knows them.
#[derive(Clone, Debug)]
pub struct StoreReplay<'t> {
    prompts: &'t Prompts<'t>,
    /// The strand of each block: that of the one before it for the first block
    /// behind it, a new one for the others.
    strand: Vec<u32>,
    /// The block that each strand turned off behind.
    entry: Vec<u32>,
}

impl<'t> StoreReplay<'t> {
    /// Cuts the tree of `prompts` into strands.
    pub fn new(prompts: &'t Prompts<'t>) -> Self {
        let parent = &prompts.tree.parent;
        let mut strand = vec![0; parent.len()];
        let mut entry = Vec::new();
        let mut is_continued = vec![false; parent.len()];
        for (node, &before) in parent.iter().enumerate() {
            let continues =
                before != NO_NODE && !std::mem::replace(&mut is_continued[before as usize], true);
            strand[node] = match continues {
                true => strand[before as usize],
                false => {
                    entry.push(before);
                    entry.len() as u32 - 1
                }
            };
        }
        StoreReplay { prompts, strand, entry }
    }

    /// Hits of a store of `capacity` blocks, for each of `fresh`.
    pub fn hits(
        &self,
        eviction: Eviction,
        capacity: Option<u64>,
        fresh: &[Freshness],
    ) -> Vec<Hits> {
        let capacity = capacity.map_or(u32::MAX, |blocks| blocks.min(u32::MAX.into()) as u32);
        // A block is the unit here: one "token" each.
        let time = prompt_time().of_blocks(self.prompts.tree.block_tokens);
        let mut store = PrefixStore::new(eviction, 1, time);
        let mut hits = vec![Hits::default(); fresh.len()];
        for (number, prompt) in self.prompts.iter().enumerate() {
            let content = self.content(prompt.node, prompt.blocks);
            let found = store.lookup(&content, prompt.blocks).blocks;
            for (hits, fresh) in hits.iter_mut().zip(fresh) {
                let hit = found.min(prompt.hits_max).min(fresh.of(number));
                hits.blocks += u64::from(hit);
                hits.tokens += self.prompts.tokens_of(hit, &prompt);
            }
            store.acquire(&content, found);
            let wanted = store.resident() + (prompt.blocks - found);
            let surplus = wanted.saturating_sub(capacity).min(store.idle());
            store.evict(surplus, |_, _, _| {});
            store.publish(&content, found, prompt.blocks);
            store.release(&content, prompt.blocks);
            store.evict(store.resident().saturating_sub(capacity), |_, _, _| {});
        }
        hits
    }

    /// The strands of a prompt of `blocks` blocks that ends with `node`.
    fn content(&self, mut node: u32, blocks: u32) -> SmallVec<[Stretch; 4]> {
        let mut content = SmallVec::new();
        let mut until = blocks;
        while node != NO_NODE {
            let number = self.strand[node as usize];
            let strand = Strand::new(0, Author::Trace, number.into());
            content.push(Stretch { strand, until });
            node = self.entry[number as usize];
            until = self.prompts.tree.blocks(node);
        }
        content.reverse();
        content
    }
}

/// What prompt tokens cost on the deployment of the module text.
fn prompt_time() -> PromptTime {
    let catalog = Catalog::embedded();
    let model = catalog.model("llama-3.1-70b").expect("an entry of the catalog");
    let hardware = catalog.hardware("h100-sxm").expect("an entry of the catalog");
    let precision = "fp8".parse().expect("a format");
    let split = Parallelism { tensor: 4, data: 1, expert: 1 };
    StepTime::new(&model, &hardware, precision, split, 1.0, 0.0).prompt_time()
}
