//! The blocks that one tier keeps, as ranges in the order of their last use.
//!
//! Nobody holds a block of a tier: what is read is copied. So unlike in the
//! cache of a rank any block can go, and there may be holes: the start of a
//! sequence may lie nearer, or have been dropped by another pool.

use super::ranges::{NONE, Range, Ranges};
use super::{Dropped, Store};
use crate::factory::cache::Piece;
use crate::kernel::Time;

/// Blocks of a tier, least recently used first to go. Every verb walks the
/// ranges of one strand; nothing looks at blocks.
#[derive(Clone, Debug)]
pub struct TierStore {
    /// Bytes there is room for, and bytes kept.
    capacity: u64,
    used: u64,
    ranges: Ranges,
    /// Ranges that a use walks, kept for its memory.
    path: Vec<u32>,
}

impl TierStore {
    /// Ranges kept: what its memory and the cost of its verbs follow.
    pub fn ranges(&self) -> usize {
        self.ranges.len()
    }

    /// Makes ranges of all blocks of `piece`, neither of which is in the order
    /// of use, and lists them in `path` by position.
    fn collect(&mut self, piece: Piece, block_bytes: u64, there: Time, path: &mut Vec<u32>) {
        let Piece { strand, start, end } = piece;
        let (mut before, mut at) = self.ranges.around(strand, start);
        let mut block = start;
        while block < end {
            if at != NONE && self.ranges[at].start <= block {
                at = self.carve(at, block, end);
                self.ranges.forget_use(at);
                before = at;
                at = self.ranges[at].behind();
            } else {
                let gap = if at == NONE { end } else { self.ranges[at].start.min(end) };
                self.used += u64::from(gap - block) * block_bytes;
                let added = Range::new(strand, block, gap, block_bytes, there);
                before = self.ranges.insert(added, before);
            }
            path.push(before);
            block = self.ranges[before].end;
        }
    }

    /// Cuts range `at`, which holds block `start`, so that it starts there and
    /// ends at `end` at the latest. Returns the part.
    fn carve(&mut self, at: u32, start: u32, end: u32) -> u32 {
        if self.ranges[at].start < start {
            self.ranges.cut(at, start);
        }
        if self.ranges[at].end > end { self.ranges.cut(at, end) } else { at }
    }
}

impl Store for TierStore {
    fn new(capacity: u64) -> Self {
        TierStore { capacity, used: 0, ranges: Ranges::new(), path: Vec::new() }
    }

    fn capacity(&self) -> u64 {
        self.capacity
    }

    fn used(&self) -> u64 {
        self.used
    }

    fn find(&self, piece: Piece, now: Time) -> (u32, Time) {
        let (mut block, mut there) = (piece.start, now);
        let (_, mut at) = self.ranges.around(piece.strand, block);
        while at != NONE && self.ranges[at].start <= block && block < piece.end {
            let range = &self.ranges[at];
            (block, there) = (range.end.min(piece.end), there.max(range.there));
            at = range.behind();
        }
        (block, there)
    }

    fn absent(&self, piece: Piece) -> u32 {
        let mut absent = piece.end - piece.start;
        let (_, mut at) = self.ranges.around(piece.strand, piece.start);
        while at != NONE && self.ranges[at].start < piece.end {
            let range = &self.ranges[at];
            absent -= range.end.min(piece.end) - range.start.max(piece.start);
            at = range.behind();
        }
        absent
    }

    fn put(&mut self, piece: Piece, block_bytes: u64, there: Time, now: Time) {
        let mut path = std::mem::take(&mut self.path);
        self.collect(piece, block_bytes, there, &mut path);
        for at in path.drain(..).rev() {
            self.ranges.note_use(at, now);
        }
        self.path = path;
    }

    fn take(&mut self, piece: Piece) {
        let (_, mut at) = self.ranges.around(piece.strand, piece.start);
        while at != NONE && self.ranges[at].start < piece.end {
            let start = self.ranges[at].start.max(piece.start);
            let part = self.carve(at, start, piece.end);
            let Range { block_bytes, .. } = self.ranges[part];
            self.used -= u64::from(self.ranges[part].blocks()) * block_bytes;
            at = self.ranges[part].behind();
            self.ranges.forget_use(part);
            self.ranges.remove(part);
        }
    }

    fn shrink(&mut self, dropped: &mut Vec<Dropped>) {
        while self.used > self.capacity {
            let at = self.ranges.oldest();
            let range = &mut self.ranges[at];
            let wanted = (self.used - self.capacity).div_ceil(range.block_bytes);
            let blocks = u64::from(range.blocks()).min(wanted);
            range.end -= blocks as u32;
            self.used -= blocks * range.block_bytes;
            let Range { strand, end: start, there, .. } = *range;
            let piece = Piece { strand, start, end: start + blocks as u32 };
            dropped.push(Dropped { piece, there });
            if range.blocks() == 0 {
                self.ranges.forget_use(at);
                self.ranges.remove(at);
            }
        }
    }
}
