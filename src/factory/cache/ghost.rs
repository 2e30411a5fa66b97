//! Names of blocks that were thrown out lately, without the blocks.
//!
//! Kept as stretches, like the blocks themselves were: of neighbors that were
//! thrown out one after the other, the last one first. A block that is recalled
//! splits a stretch, one that is forgotten shortens the oldest at its end.

use crate::workload::Strand;
use std::collections::BTreeMap;

/// A strand and the first block of a stretch.
type Key = (Strand, u32);

#[derive(Clone, Copy, Debug)]
struct Stretch {
    end: u32,
    /// When its first block was thrown out, as a count of blocks that were; the
    /// ones behind it were just before.
    turn: u64,
}

/// First in, first out; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Ghost {
    stretches: BTreeMap<Key, Stretch>,
    /// Stretches by their turn.
    turns: BTreeMap<u64, Key>,
    /// Blocks thrown out so far.
    thrown: u64,
    blocks: u64,
}

impl Ghost {
    /// Blocks `start..end` of a strand were thrown out, the last one first.
    pub fn remember(&mut self, strand: Strand, start: u32, end: u32) {
        self.blocks += u64::from(end - start);
        self.thrown += u64::from(end - start);
        // What was thrown out last may go on with this.
        let newest = self.turns.last_key_value().map(|(_, &key)| key);
        let end = match newest.filter(|&key| key == (strand, end)) {
            Some(key) => self.remove(key).end,
            None => end,
        };
        self.insert((strand, start), Stretch { end, turn: self.thrown });
    }

    /// Whether block `end - 1` is remembered, and from which block on, at least
    /// `start`, that is true of all before `end`. Those that are will be no longer.
    pub fn recall(&mut self, strand: Strand, start: u32, end: u32) -> (bool, u32) {
        let before = self.stretches.range(..(strand, end)).next_back();
        let Some((&key, &stretch)) = before.filter(|((named, _), _)| *named == strand) else {
            return (false, start);
        };
        if stretch.end < end {
            return (false, start.max(stretch.end));
        }
        let from = start.max(key.1);
        self.remove(key);
        self.blocks -= u64::from(end - from);
        if from > key.1 {
            self.insert(key, Stretch { end: from, ..stretch });
        }
        if end < stretch.end {
            let turn = stretch.turn - u64::from(end - key.1);
            self.insert((strand, end), Stretch { turn, ..stretch });
        }
        (true, from)
    }

    /// Forgets what was thrown out first until `most` blocks are remembered.
    pub fn forget_down_to(&mut self, most: u64) {
        while self.blocks > most {
            let (_, &key) = self.turns.first_key_value().expect("blocks are in stretches");
            let stretch = self.stretches.get_mut(&key).expect("a turn has its stretch");
            let cut = (self.blocks - most).min(u64::from(stretch.end - key.1));
            self.blocks -= cut;
            stretch.end -= cut as u32;
            if stretch.end == key.1 {
                self.remove(key);
            }
        }
    }

    fn insert(&mut self, key: Key, stretch: Stretch) {
        self.stretches.insert(key, stretch);
        self.turns.insert(stretch.turn, key);
    }

    fn remove(&mut self, key: Key) -> Stretch {
        let stretch = self.stretches.remove(&key).expect("a stretch at its key");
        self.turns.remove(&stretch.turn);
        stretch
    }
}
