//! The replay by its definition: one cache, one block at a time.

use super::Hits;
use super::prompts::Prompts;
use crate::workload::NO_NODE;
use std::collections::{BTreeMap, HashMap};

/// Hits of an LRU cache of `capacity` blocks that forgets what was not touched
/// for `ttl` seconds.
pub fn hits(prompts: &Prompts, capacity: Option<u64>, ttl: Option<f64>) -> Hits {
    // Blocks by when they were touched last, as a count of touches; and when
    // that was, as a count and in seconds.
    let mut order: BTreeMap<u64, u32> = BTreeMap::new();
    let mut touched: HashMap<u32, (u64, f64)> = HashMap::new();
    let mut touches = 0;
    let mut hits = Hits::default();
    for prompt in prompts.iter() {
        let mut path = Vec::new();
        let mut node = prompt.node;
        while node != NO_NODE {
            path.push(node);
            node = prompts.tree.parent[node as usize];
        }
        let is_there = |node: &&u32| match touched.get(node) {
            Some((_, at_s)) => ttl.is_none_or(|ttl| prompt.at_s - at_s <= ttl),
            None => false,
        };
        let found = path.iter().rev().take_while(is_there).count() as u32;
        let hit = found.min(prompt.hits_max);
        hits.blocks += u64::from(hit);
        hits.tokens +=
            (u64::from(hit) * u64::from(prompts.tree.block_tokens)).min(prompt.tokens.into());
        for node in path {
            touches += 1;
            if let Some((before, _)) = touched.insert(node, (touches, prompt.at_s)) {
                order.remove(&before);
            }
            order.insert(touches, node);
        }
        while capacity.is_some_and(|capacity| order.len() as u64 > capacity) {
            let (_, node) = order.pop_first().expect("more than the capacity");
            touched.remove(&node);
        }
    }
    hits
}
