//! A tier by its definition: one block at a time.

use super::{Dropped, Store};
use crate::factory::cache::Piece;
use crate::kernel::Time;
use crate::workload::Strand;
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Block {
    bytes: u64,
    there: Time,
    /// When it was used last, as a count of such moments.
    used: u64,
}

/// Blocks by strand and position.
#[derive(Clone, Debug)]
pub struct ReferenceTier {
    capacity: u64,
    blocks: BTreeMap<(Strand, u32), Block>,
    moments: u64,
}

impl Store for ReferenceTier {
    fn new(capacity: u64) -> Self {
        ReferenceTier { capacity, blocks: BTreeMap::new(), moments: 0 }
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn used(&self) -> u64 {
        self.blocks.values().map(|block| block.bytes).sum()
    }

    fn find(&self, piece: Piece, now: Time) -> (u32, Time) {
        let (mut end, mut there) = (piece.start, now);
        while end < piece.end {
            let Some(block) = self.blocks.get(&(piece.strand, end)) else { break };
            there = there.max(block.there);
            end += 1;
        }
        (end, there)
    }

    fn absent(&self, piece: Piece) -> u32 {
        let blocks = piece.start..piece.end;
        blocks.filter(|&block| !self.blocks.contains_key(&(piece.strand, block))).count() as u32
    }

    fn put(&mut self, piece: Piece, bytes: u64, there: Time, _now: Time) {
        for block in (piece.start..piece.end).rev() {
            self.moments += 1;
            let fresh = Block { bytes, there, used: 0 };
            self.blocks.entry((piece.strand, block)).or_insert(fresh).used = self.moments;
        }
    }

    fn take(&mut self, piece: Piece) {
        for block in piece.start..piece.end {
            self.blocks.remove(&(piece.strand, block));
        }
    }

    fn shrink(&mut self, dropped: &mut Vec<Dropped>) {
        let mut used = self.used();
        if used <= self.capacity {
            return;
        }
        // Looking for the oldest block again for each that is dropped made this the
        // square of the blocks of a prompt.
        let mut oldest: Vec<((Strand, u32), Block)> =
            self.blocks.iter().map(|(&at, &block)| (at, block)).collect();
        oldest.sort_by_key(|(_, block)| block.used);
        for ((strand, start), Block { bytes, there, .. }) in oldest {
            if used <= self.capacity {
                return;
            }
            self.blocks.remove(&(strand, start));
            used -= bytes;
            dropped.push(Dropped { piece: Piece { strand, start, end: start + 1 }, there });
        }
    }
}
