//! Which lanes have which prefixes in their caches, as far as they have told.
//!
//! For each strand the lanes that hold some of it, and the block where each
//! one's part ends. Who holds a strand holds all that comes before it, so the
//! overlap of a lane with a call lies in the last of the call's strands that the
//! lane holds. Memory follows the strands that are in some cache.

use crate::factory::cache::{CacheEvent, StrandHasher, pieces};
use crate::workload::{Strand, Stretch};
use smallvec::SmallVec;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// A lane that holds a strand up to block `end`.
#[derive(Clone, Copy, Debug)]
pub struct Holder {
    pub lane: u32,
    pub end: u32,
}

/// The holders of one strand.
#[derive(Clone, Debug)]
struct Holders {
    /// First block of the strand.
    first: u32,
    /// By lane.
    lanes: SmallVec<[Holder; 2]>,
}

/// All that lanes have told; see the module text.
#[derive(Clone, Debug)]
pub struct PrefixIndex {
    block_tokens: u32,
    /// Never iterated.
    strands: HashMap<Strand, Holders, BuildHasherDefault<StrandHasher>>,
}

impl PrefixIndex {
    pub fn new(block_tokens: u32) -> Self {
        PrefixIndex { block_tokens, strands: HashMap::default() }
    }

    /// Strands that somebody holds.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.strands.len()
    }

    /// Blocks came into the cache of `lane`, or went.
    pub fn told(&mut self, lane: u32, event: CacheEvent) {
        match event {
            CacheEvent::Stored { strand, first, end } => {
                let new = || Holders { first, lanes: SmallVec::new() };
                let holders = self.strands.entry(strand).or_insert_with(new);
                match holders.find(lane) {
                    Ok(at) => holders.lanes[at].end = holders.lanes[at].end.max(end),
                    Err(at) => holders.lanes.insert(at, Holder { lane, end }),
                }
            }
            CacheEvent::Removed { strand, end } => {
                let holders = self.strands.get_mut(&strand).expect("a strand that was stored");
                let at = holders.find(lane).expect("a lane that holds the strand");
                holders.lanes[at].end = end;
                if end <= holders.first {
                    holders.lanes.remove(at);
                    if holders.lanes.is_empty() {
                        self.strands.remove(&strand);
                    }
                }
            }
        }
    }

    /// Who holds what of a call with this content, in its first `blocks` blocks.
    pub fn path(&self, content: &[Stretch], blocks: u32) -> Path<'_> {
        let mut path = SmallVec::new();
        for piece in pieces(content, self.block_tokens, blocks) {
            let Some(holders) = self.strands.get(&piece.strand) else { break };
            path.push(Part { start: piece.start, end: piece.end, holders: &holders.lanes });
        }
        Path(path)
    }
}

impl Holders {
    fn find(&self, lane: u32) -> Result<usize, usize> {
        self.lanes.binary_search_by_key(&lane, |holder| holder.lane)
    }
}

/// Part of a call within one strand, and the lanes that hold some of it.
#[derive(Clone, Copy, Debug)]
pub struct Part<'i> {
    /// First block.
    pub start: u32,
    /// Block after the last one.
    pub end: u32,
    /// By lane.
    pub holders: &'i [Holder],
}

/// The parts of a call that somebody holds, in order.
pub struct Path<'i>(pub SmallVec<[Part<'i>; 4]>);

impl Path<'_> {
    /// Blocks of the call that `lane` holds from its start on.
    pub fn overlap(&self, lane: u32) -> u32 {
        let held = self.0.iter().rev().find_map(|part| {
            let at = part.holders.binary_search_by_key(&lane, |holder| holder.lane).ok()?;
            Some(part.holders[at].end.min(part.end))
        });
        held.unwrap_or(0)
    }
}
