//! The KV blocks of one rank: how many are free, and when they run out.
//!
//! A decoding sequence takes a new block every `block_tokens` steps. Which
//! step that is depends only on its *phase*, so counts by phase give the
//! blocks that any number of steps will need in O(block_tokens), whatever the
//! batch. Blocks are interchangeable; only their number is kept.
//!
//! A phase is the step in which its sequences need a block, modulo the block
//! size, so the phases of consecutive steps lie side by side.

/// Free blocks of a rank and the phases of its decoding sequences.
#[derive(Clone, Debug)]
pub struct Blocks {
    block_tokens: u32,
    total: u32,
    free: u32,
    /// Decoding sequences by phase; those of phase `p` need a block in step `s`
    /// when `s % block_tokens == p`.
    phases: Vec<u32>,
    decoding: u32,
}

impl Blocks {
    /// All `total` blocks free.
    pub fn new(total: u32, block_tokens: u32) -> Self {
        Blocks {
            block_tokens,
            total,
            free: total,
            phases: vec![0; block_tokens as usize],
            decoding: 0,
        }
    }

    /// Blocks that hold `tokens` tokens.
    #[inline]
    pub fn holding(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.block_tokens)
    }

    /// Free blocks.
    pub fn free(&self) -> u32 {
        self.free
    }

    /// Blocks in use.
    pub fn used(&self) -> u32 {
        self.total - self.free
    }

    /// Takes `blocks` blocks, which must be free.
    #[inline]
    pub fn take(&mut self, blocks: u32) {
        assert!(blocks <= self.free, "took {blocks} KV blocks of {} free", self.free);
        self.free -= blocks;
    }

    /// Gives back `blocks` blocks.
    #[inline]
    pub fn give(&mut self, blocks: u32) {
        self.free += blocks;
        debug_assert!(self.free <= self.total);
    }

    /// A sequence starts decoding: in step `step` it will attend `attended`
    /// tokens, its own included.
    #[inline]
    pub fn join(&mut self, step: u64, attended: u32) {
        let phase = self.phase(step, attended);
        self.phases[phase] += 1;
        self.decoding += 1;
    }

    /// A sequence that would attend `attended` tokens in step `step` stops decoding.
    #[inline]
    pub fn leave(&mut self, step: u64, attended: u32) {
        let phase = self.phase(step, attended);
        self.phases[phase] -= 1;
        self.decoding -= 1;
    }

    /// Blocks that decoding sequences need in the `steps` steps from `step` on.
    #[inline]
    pub fn needed(&self, step: u64, steps: u64) -> u64 {
        let period = u64::from(self.block_tokens);
        let (rounds, rest) = (steps / period, (steps % period) as usize);
        let from = (step % period) as usize;
        let sum = |phases: &[u32]| phases.iter().sum::<u32>();
        let (before, behind) = self.phases.split_at(from);
        let last = match rest.checked_sub(behind.len()) {
            Some(wrapped) => sum(behind) + sum(&before[..wrapped]),
            None => sum(&behind[..rest]),
        };
        rounds * u64::from(self.decoding) + u64::from(last)
    }

    /// Blocks that decoding sequences need in step `step`.
    #[inline]
    pub fn needed_in(&self, step: u64) -> u32 {
        self.phases[(step % u64::from(self.block_tokens)) as usize]
    }

    /// At least the blocks needed in `steps` steps; cheap.
    #[inline]
    pub fn needed_at_most(&self, steps: u64) -> u64 {
        (steps / u64::from(self.block_tokens) + 1).saturating_mul(u64::from(self.decoding))
    }

    /// A block is needed when the token to write is the first of its block,
    /// that is when `attended - 1` is a multiple of the block size.
    #[inline]
    fn phase(&self, step: u64, attended: u32) -> usize {
        let period = self.block_tokens;
        let now = (step % u64::from(period)) as u32;
        let filled = (attended - 1) % period;
        (if now >= filled { now - filled } else { now + period - filled }) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn phases_count_what_a_loop_counts(
            lengths in proptest::collection::vec(1..200u32, 0..20),
            block in 1..40u32, step in 0..1000u64, steps in 0..100u64,
        ) {
            let mut blocks = Blocks::new(1000, block);
            for &attended in &lengths { blocks.join(step, attended); }
            let counted: u64 = lengths.iter().map(|&attended| {
                (0..steps).filter(|&i| (u64::from(attended) - 1 + i) % u64::from(block) == 0).count() as u64
            }).sum();
            prop_assert_eq!(blocks.needed(step, steps), counted);
            prop_assert!(blocks.needed_at_most(steps) >= counted);
            for &attended in &lengths { blocks.leave(step + 3, attended + 3); }
            prop_assert_eq!(blocks.needed(step, 50), 0);
        }
    }
}
