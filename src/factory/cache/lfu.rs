//! Least frequently used: the block that the fewest sequences have used since
//! it came; among those, the one that fell idle first.
//!
//! Counts are those of resident blocks: what is evicted is forgotten, and starts
//! at one when it comes again. They do not age either: a block that was popular
//! once stays until everything is as popular. That is the policy's well-known
//! weakness; [`super::cost_aware`] has a clock against it.

use super::ranked::{History, Ranked, Worth};

/// Idle runs by frequency.
pub type Lfu = Ranked<Frequency>;

/// Sequences that have used a block.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frequency;

impl Worth for Frequency {
    fn clock(&self) -> u64 {
        0
    }

    fn of(&self, history: &History, _block: u32) -> u64 {
        u64::from(history.uses)
    }

    fn evicted(&mut self, _worth: u64) {}
}
