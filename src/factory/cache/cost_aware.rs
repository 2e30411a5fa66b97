//! Cost-aware: what saves the fewest seconds of prefill goes first.
//!
//! GreedyDual-Size-Frequency (Cherkasova 1998, HP Labs HPL-98-69) on KV blocks:
//! the priority of a block is `clock + uses * cost / size`. The cost is the time
//! to compute its tokens at their depth in a batch that runs anyway, so deep
//! blocks, which attend more, cost more; all blocks of a pool have one size,
//! which is left out. The clock is the greatest priority evicted so far, read
//! when a block falls idle: what was worth much long ago is overtaken by what is
//! used now. Costs are in ticks: sums of integers are the same in any order.
//!
//! A block never goes before those that continue it, whatever they are worth.

use super::ranked::{History, Ranked, Worth};
use crate::factory::step_time::PromptTime;
use crate::kernel::Span;

/// Idle runs by the prefill time that they save.
pub type CostAware = Ranked<Recompute>;

/// Prefill time that a block saves, times how often it is used.
#[derive(Clone, Debug)]
pub struct Recompute {
    block_tokens: u32,
    prompt_time: PromptTime,
    clock: u64,
}

/// The policy for blocks of `block_tokens` tokens.
pub fn new(block_tokens: u32, prompt_time: PromptTime) -> CostAware {
    Ranked::new(Recompute::new(block_tokens, prompt_time))
}

impl Recompute {
    pub fn new(block_tokens: u32, prompt_time: PromptTime) -> Self {
        Recompute { block_tokens, prompt_time, clock: 0 }
    }
}

impl Worth for Recompute {
    fn clock(&self) -> u64 {
        self.clock
    }

    fn of(&self, history: &History, block: u32) -> u64 {
        let from = block * self.block_tokens;
        let seconds = self.prompt_time.seconds(from, from + self.block_tokens);
        let cost = Span::from_seconds(seconds).ticks();
        history.clock.saturating_add(cost.saturating_mul(u64::from(history.uses)))
    }

    fn evicted(&mut self, worth: u64) {
        self.clock = self.clock.max(worth);
    }
}
