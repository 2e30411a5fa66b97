//! Idle runs that end a sequence, by what they are worth: the part that
//! policies with a frequency share.
//!
//! A block counts the sequences that have used it since it came. All of a
//! sequence's blocks fall idle together, from its end to its start, and no block
//! counts more than the one before it: counts are alike along stretches of a
//! sequence, one a turn of a conversation. Blocks worth the same go in the order
//! in which they fell idle, the end of a sequence before its start.
//!
//! Cost: O(log runs) whenever a run that ends a sequence falls idle or wakes.

use super::policy::Policy;
use super::runs::{Run, Runs};
use std::collections::BTreeSet;

/// What all blocks of a run have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct History {
    /// Sequences that have used it, the one that brought it included.
    pub uses: u32,
    /// The clock of the policy when it fell idle last.
    pub clock: u64,
    /// When its first block fell idle last, as a count of blocks that did; the
    /// ones behind it did just before, one by one.
    newest: u64,
}

/// What a block is worth to a policy.
pub trait Worth {
    /// The clock that blocks are stamped with when they fall idle.
    fn clock(&self) -> u64;
    /// The worth of block `block` of a sequence; never less than that of a block
    /// before it with the same history.
    fn of(&self, history: &History, block: u32) -> u64;
    /// A block of this worth was evicted.
    fn evicted(&mut self, worth: u64);
}

/// Runs ranked by worth; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Ranked<W> {
    worth: W,
    histories: Vec<History>,
    /// Idle runs that nothing continues: worth and moment of their last block.
    ends: BTreeSet<(u64, u64, u32)>,
    /// Blocks that have fallen idle so far.
    moments: u64,
}

impl<W: Worth> Ranked<W> {
    pub fn new(worth: W) -> Self {
        Ranked { worth, histories: Vec::new(), ends: BTreeSet::new(), moments: 0 }
    }

    /// Where the run stands that ends, or ended, before block `end`.
    fn place(&self, run: &Run, at: u32, end: u32) -> (u64, u64, u32) {
        let history = &self.histories[at as usize];
        let moment = history.newest - u64::from(end - 1 - run.start);
        (self.worth.of(history, end - 1), moment, at)
    }

    fn set(&mut self, at: u32, history: History) {
        let at = at as usize;
        if at >= self.histories.len() {
            self.histories.resize(at + 1, History::default());
        }
        self.histories[at] = history;
    }
}

impl<W: Worth> Policy for Ranked<W> {
    #[inline]
    fn extends(&self, at: u32) -> bool {
        self.histories[at as usize].uses == 1
    }

    #[inline]
    fn add(&mut self, at: u32) {
        self.set(at, History { uses: 1, ..History::default() });
    }

    #[inline]
    fn hit(&mut self, at: u32) {
        let uses = &mut self.histories[at as usize].uses;
        *uses = uses.saturating_add(1);
    }

    fn rest(&mut self, runs: &mut Runs, at: u32) {
        let run = &runs[at];
        self.moments += u64::from(run.blocks());
        let history = &mut self.histories[at as usize];
        (history.clock, history.newest) = (self.worth.clock(), self.moments);
        if run.children == 0 {
            self.ends.insert(self.place(run, at, run.end));
        }
    }

    fn wake(&mut self, runs: &mut Runs, at: u32) {
        let run = &runs[at];
        if run.children == 0 {
            self.ends.remove(&self.place(run, at, run.end));
        }
    }

    fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        let history = self.histories[at as usize];
        self.set(head, history);
        // Moments of runs in use mean nothing.
        let newest = history.newest.wrapping_sub(u64::from(runs[head].blocks()));
        self.histories[at as usize].newest = newest;
    }

    #[inline]
    fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        let History { uses, clock, newest } = self.histories[head as usize];
        let newest = newest - u64::from(runs[head].blocks());
        self.histories[at as usize] == History { uses, clock, newest }
    }

    fn merge(&mut self, _: &mut Runs, head: u32, at: u32) {
        // Run `head` is continued, so it is not among the ends; the last block of
        // `at` stays the last.
        self.histories[at as usize].newest = self.histories[head as usize].newest;
    }

    #[inline]
    fn victim(&mut self, _: &Runs) -> Option<u32> {
        self.ends.first().map(|&(_, _, at)| at)
    }

    fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32) {
        let run = &runs[at];
        let before = self.place(run, at, run.end + blocks);
        let was_there = self.ends.remove(&before);
        debug_assert!(was_there, "a block was taken from a run that does not end a sequence");
        self.worth.evicted(before.0);
        if run.blocks() > 0 {
            self.ends.insert(self.place(run, at, run.end));
        }
    }

    fn end(&mut self, runs: &Runs, at: u32) {
        let Some(run) = runs.idle_end(at) else { return };
        self.ends.insert(self.place(run, at, run.end));
    }
}
