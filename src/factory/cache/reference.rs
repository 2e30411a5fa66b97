//! The prefix cache by its definition: one block at a time.

use super::{Hit, Published};
use crate::workload::{Strand, Stretch};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug, Default)]
struct Block {
    users: u32,
    /// When it fell idle last, as a count of such moments.
    idle_since: u64,
}

/// Blocks by strand and position.
#[derive(Clone, Debug)]
pub struct ReferenceStore {
    block_tokens: u32,
    blocks: BTreeMap<(Strand, u32), Block>,
    moments: u64,
}

impl ReferenceStore {
    pub fn new(block_tokens: u32) -> Self {
        ReferenceStore { block_tokens, blocks: BTreeMap::new(), moments: 0 }
    }

    /// Block `index` of a sequence belongs to the strand of its last token.
    fn key(&self, content: &[Stretch], index: u32) -> (Strand, u32) {
        let end = (index + 1) * self.block_tokens;
        let stretch = content.iter().find(|stretch| stretch.until >= end).unwrap();
        (stretch.strand, index)
    }

    /// First block and end of what is resident of each strand.
    pub fn strands(&self) -> BTreeMap<Strand, (u32, u32)> {
        let mut strands = BTreeMap::new();
        for &(strand, index) in self.blocks.keys() {
            let (_, end) = strands.entry(strand).or_insert((index, index));
            assert_eq!(*end, index, "a hole in {strand:?}");
            *end = index + 1;
        }
        strands
    }

    pub fn resident(&self) -> u32 {
        self.blocks.len() as u32
    }

    pub fn idle(&self) -> u32 {
        self.blocks.values().filter(|block| block.users == 0).count() as u32
    }

    pub fn lookup(&self, content: &[Stretch], blocks: u32) -> Hit {
        let mut hit = Hit::default();
        while hit.blocks < blocks {
            let Some(block) = self.blocks.get(&self.key(content, hit.blocks)) else { break };
            hit.blocks += 1;
            hit.idle += u32::from(block.users == 0);
        }
        hit
    }

    pub fn acquire(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        let before = self.idle();
        for index in 0..blocks {
            let key = self.key(content, index);
            self.blocks.get_mut(&key).unwrap().users += 1;
        }
        before - self.idle()
    }

    pub fn publish(&mut self, content: &[Stretch], from: u32, to: u32) -> Published {
        let (resident, idle) = (self.resident(), self.idle());
        for index in from..to {
            let key = self.key(content, index);
            self.blocks.entry(key).or_default().users += 1;
        }
        let duplicates = to - from - (self.resident() - resident);
        let added_idle = self.idle();
        Published { duplicates, woken: idle - added_idle }
    }

    pub fn release(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        let before = self.idle();
        for index in (0..blocks).rev() {
            let key = self.key(content, index);
            self.moments += 1;
            let block = self.blocks.get_mut(&key).unwrap();
            block.users -= 1;
            block.idle_since = self.moments;
        }
        self.idle() - before
    }

    /// Evicts the blocks idle for longest and tells which.
    pub fn evict(&mut self, blocks: u32) -> Vec<(Strand, u32)> {
        let mut evicted = Vec::new();
        for _ in 0..blocks {
            let idle = self.blocks.iter().filter(|(_, block)| block.users == 0);
            let (&key, _) = idle.min_by_key(|(_, block)| block.idle_since).unwrap();
            self.blocks.remove(&key);
            evicted.push(key);
        }
        evicted
    }
}
