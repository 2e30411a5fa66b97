//! How much of each prompt was touched recently enough.

use super::prompts::Prompts;
use crate::workload::NO_NODE;

/// For each request, the leading blocks that are no older than a time to live;
/// without one, all.
#[derive(Clone, Debug, Default)]
pub struct Freshness {
    blocks: Option<Vec<u32>>,
}

impl Freshness {
    /// For a time to live in seconds; `None` is forever.
    pub fn new(prompts: &Prompts, ttl: Option<f64>) -> Self {
        let blocks = ttl.map(|ttl| {
            let parent = &prompts.tree.parent;
            let mut touched: Vec<Option<f64>> = vec![None; parent.len()];
            let mut blocks = Vec::with_capacity(prompts.tree.requests.len());
            for prompt in prompts.iter() {
                let (mut node, mut depth, mut fresh) = (prompt.node, prompt.blocks, 0);
                while node != NO_NODE {
                    let before = touched[node as usize].replace(prompt.at_s);
                    if before.is_some_and(|before| prompt.at_s - before <= ttl) {
                        // Ages grow along a prompt: all before it are fresh too.
                        fresh = fresh.max(depth);
                    }
                    node = parent[node as usize];
                    depth -= 1;
                }
                blocks.push(fresh);
            }
            blocks
        });
        Freshness { blocks }
    }

    /// The fresh blocks of request `number`.
    pub fn of(&self, number: usize) -> u32 {
        self.blocks.as_ref().map_or(u32::MAX, |blocks| blocks[number])
    }
}
