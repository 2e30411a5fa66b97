//! A full recount of what a rank keeps as running sums, for the audit.

use super::Rank;
use crate::factory::call::Calls;

impl Rank {
    /// Panics unless the sums of the rank, which has taken `step` steps, are
    /// those of its sequences one by one: KV blocks and attended tokens.
    /// Returns the tokens that its calls have sampled.
    pub fn recount(&self, step: u64, calls: &Calls) -> u64 {
        let attended = || self.running.iter().map(|(_, sequence)| sequence.attended(step));
        let decoding: u32 = attended().map(|tokens| self.blocks.holding(tokens - 1)).sum();
        let partial = self.partial.map_or(0, |partial| self.blocks.holding(partial.computed));
        let completing = self.completing.iter().map(|prompt| calls[prompt.call].known_tokens());
        let completing: u32 = completing.map(|tokens| self.blocks.holding(tokens)).sum();
        assert_eq!(self.blocks.used(), decoding + partial + completing, "KV blocks");
        assert_eq!(
            self.running.context().0,
            attended().map(u64::from).sum::<u64>(),
            "tokens attended"
        );
        assert_eq!(self.running.iter().count(), self.running.len() as usize, "sequences");
        assert!(self.running() <= self.limits.max_num_seqs, "more sequences than allowed");
        let decoded = self.running.iter().map(|(_, sequence)| {
            u64::from(calls[sequence.call()].output) - u64::from(sequence.remaining(step))
        });
        let completing = self.completing.iter().map(|prompt| prompt.call);
        let others = self.waiting.iter().copied().chain(completing);
        let others = others.chain(self.partial.map(|partial| partial.call));
        decoded.sum::<u64>() + others.map(|id| u64::from(calls[id].generated)).sum::<u64>()
    }
}
