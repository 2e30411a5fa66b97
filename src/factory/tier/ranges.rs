//! Ranges of KV blocks in two orders: by position in their strand, by last use.
//!
//! A range is a stretch of neighboring blocks of one strand that were used last
//! in one go. Within a range the last block counts as the older one, as a
//! sequence lets go of its blocks from its end to its start. Ranges that are
//! neighbors in both orders become one again, so that a session that grows turn
//! by turn stays one range.

use crate::factory::cache::StrandHasher;
use crate::kernel::Time;
use crate::workload::Strand;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;
use std::ops::{Index, IndexMut};

pub const NONE: u32 = u32::MAX;

/// Blocks `start..end` of a strand, counted from the start of its sequences.
#[derive(Clone, Copy, Debug)]
pub struct Range {
    pub strand: Strand,
    pub start: u32,
    pub end: u32,
    /// Bytes of one of its blocks.
    pub block_bytes: u64,
    /// When all of it has been written.
    pub there: Time,
    /// Neighbors in the strand, by position.
    before: u32,
    behind: u32,
    /// Neighbors in the order of use.
    older: u32,
    newer: u32,
}

impl Range {
    /// A range in neither order.
    pub fn new(strand: Strand, start: u32, end: u32, block_bytes: u64, there: Time) -> Self {
        let (before, behind, older, newer) = (NONE, NONE, NONE, NONE);
        Range { strand, start, end, block_bytes, there, before, behind, older, newer }
    }

    pub fn blocks(&self) -> u32 {
        self.end - self.start
    }

    /// The range after it in its strand.
    pub fn behind(&self) -> u32 {
        self.behind
    }
}

/// All ranges of a store.
#[derive(Clone, Debug)]
pub struct Ranges {
    ranges: Vec<Range>,
    free: Vec<u32>,
    /// First range of each strand. Never iterated.
    heads: HashMap<Strand, u32, BuildHasherDefault<StrandHasher>>,
    oldest: u32,
    newest: u32,
}

impl Ranges {
    pub fn new() -> Self {
        let (ranges, free, heads) = (Vec::new(), Vec::new(), HashMap::default());
        Ranges { ranges, free, heads, oldest: NONE, newest: NONE }
    }

    /// Number of ranges.
    pub fn len(&self) -> usize {
        self.ranges.len() - self.free.len()
    }

    /// The range used longest ago.
    pub fn oldest(&self) -> u32 {
        self.oldest
    }

    /// Around `block` of a strand: the last range that ends at or before it, and
    /// the first that reaches beyond it.
    #[inline]
    pub fn around(&self, strand: Strand, block: u32) -> (u32, u32) {
        let mut before = NONE;
        let mut at = self.heads.get(&strand).copied().unwrap_or(NONE);
        while at != NONE && self[at].end <= block {
            before = at;
            at = self[at].behind;
        }
        (before, at)
    }

    /// Adds a range behind `before`, a range of its strand or `NONE`; it was not
    /// used yet.
    pub fn insert(&mut self, mut range: Range, before: u32) -> u32 {
        range.before = before;
        range.behind = match before {
            NONE => self.heads.get(&range.strand).copied().unwrap_or(NONE),
            before => self[before].behind,
        };
        let at = match self.free.pop() {
            Some(at) => {
                self.ranges[at as usize] = range;
                at
            }
            None => {
                self.ranges.push(range);
                (self.ranges.len() - 1) as u32
            }
        };
        match before {
            NONE => _ = self.heads.insert(range.strand, at),
            before => self[before].behind = at,
        }
        if range.behind != NONE {
            self[range.behind].before = at;
        }
        at
    }

    /// Takes out a range that is not in the order of use.
    pub fn remove(&mut self, at: u32) {
        let Range { strand, before, behind, .. } = self[at];
        match (before, behind) {
            (NONE, NONE) => _ = self.heads.remove(&strand),
            (NONE, behind) => _ = self.heads.insert(strand, behind),
            (before, behind) => self[before].behind = behind,
        }
        if behind != NONE {
            self[behind].before = before;
        }
        self.free.push(at);
    }

    /// Cuts range `at` before block `cut`, which lies inside of it: it keeps what
    /// comes after. Returns the new range before the cut.
    pub fn cut(&mut self, at: u32, cut: u32) -> u32 {
        let rest = self[at];
        debug_assert!(rest.start < cut && cut < rest.end);
        let head = self.insert(Range { end: cut, ..rest }, rest.before);
        self[at].start = cut;
        // What comes after is the older part.
        let newer = std::mem::replace(&mut self[at].newer, head);
        (self[head].older, self[head].newer) = (at, newer);
        match newer {
            NONE => self.newest = head,
            newer => self[newer].older = head,
        }
        head
    }

    /// Range `at` leaves the order of use.
    pub fn forget_use(&mut self, at: u32) {
        let Range { older, newer, .. } = self[at];
        match older {
            NONE => self.oldest = newer,
            older => self[older].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => self[newer].older = older,
        }
    }

    /// Range `at`, not in the order of use, is used at `now`. It becomes part of
    /// the one used before it where nothing will ever tell them apart.
    pub fn note_use(&mut self, at: u32, now: Time) {
        let older = self.newest;
        if older != NONE && self.is_one(at, older, now) {
            let first = self[at];
            let range = &mut self[older];
            (range.start, range.there) = (first.start, range.there.max(first.there));
            self.remove(at);
            return;
        }
        self.newest = at;
        (self[at].older, self[at].newer) = (older, NONE);
        match older {
            NONE => self.oldest = at,
            older => self[older].newer = at,
        }
    }

    /// Whether range `next` continues range `at` and is there as soon.
    fn is_one(&self, at: u32, next: u32, now: Time) -> bool {
        let (first, rest) = (&self[at], &self[next]);
        first.behind == next
            && first.end == rest.start
            && first.block_bytes == rest.block_bytes
            && (first.there == rest.there || first.there.max(rest.there) <= now)
    }
}

impl Index<u32> for Ranges {
    type Output = Range;
    #[inline]
    fn index(&self, at: u32) -> &Range {
        &self.ranges[at as usize]
    }
}

impl IndexMut<u32> for Ranges {
    #[inline]
    fn index_mut(&mut self, at: u32) -> &mut Range {
        &mut self.ranges[at as usize]
    }
}
