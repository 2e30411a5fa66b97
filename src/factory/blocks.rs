//! The KV blocks of one rank: how many are free, and when they run out.
//!
//! A decoding sequence takes a new place, a block in each
//! [group of layers](super::kv_groups), every `block_tokens` steps. Which
//! step that is depends only on its *phase*, so counts by phase give the
//! blocks that any number of steps will need in O(block_tokens), whatever the
//! batch. Blocks are interchangeable; only their number is kept.
//!
//! A sequence that has outgrown the window of windowed layers gives back a place
//! there in the step in which it takes one, so it needs blocks for full attention
//! only. What it gives back is free, or stays in the prefix cache for a while.

use super::kv_groups::BlockNeeds;

/// Sequences by the step in which they take a place, modulo the block size, so that
/// consecutive steps lie side by side.
#[derive(Clone, Debug)]
struct Phases {
    /// Those of phase `p` take one in step `s` when `s % block_tokens == p`.
    counts: Vec<u32>,
    members: u32,
}

impl Phases {
    fn new(block_tokens: u32) -> Self {
        Phases { counts: vec![0; block_tokens as usize], members: 0 }
    }

    #[inline]
    fn join(&mut self, phase: usize) {
        self.counts[phase] += 1;
        self.members += 1;
    }

    #[inline]
    fn leave(&mut self, phase: usize) {
        self.counts[phase] -= 1;
        self.members -= 1;
    }

    /// Places that are taken in the `steps` steps from `step` on.
    #[inline]
    fn taken(&self, step: u64, steps: u64) -> u64 {
        let period = self.counts.len() as u64;
        let (rounds, rest) = (steps / period, (steps % period) as usize);
        let from = (step % period) as usize;
        let sum = |counts: &[u32]| counts.iter().sum::<u32>();
        let (before, behind) = self.counts.split_at(from);
        let last = match rest.checked_sub(behind.len()) {
            Some(wrapped) => sum(behind) + sum(&before[..wrapped]),
            None => sum(&behind[..rest]),
        };
        rounds * u64::from(self.members) + u64::from(last)
    }

    #[inline]
    fn taken_in(&self, step: u64) -> u32 {
        self.counts[(step % self.counts.len() as u64) as usize]
    }
}

/// Where the places go that slide out of the window of a sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sliding {
    /// They stay in the prefix cache, idle.
    Kept,
    /// They are free at once.
    Freed,
}

/// Free blocks of a rank and the phases of its decoding sequences.
#[derive(Clone, Debug)]
pub struct Blocks {
    needs: BlockNeeds,
    total: u32,
    free: u32,
    /// All decoding sequences.
    phases: Phases,
    /// Those that have outgrown the window, by what becomes of what slides out;
    /// nothing where there are no windows.
    sliding: Option<Box<[Phases; 2]>>,
}

impl Blocks {
    /// All `total` blocks free, for sequences that need `needs`.
    pub fn new(total: u32, needs: BlockNeeds) -> Self {
        let phases = || Phases::new(needs.block_tokens);
        Blocks {
            needs,
            total,
            free: total,
            phases: phases(),
            sliding: (needs.windowed > 0).then(|| Box::new([phases(), phases()])),
        }
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
        self.phases.join(phase);
    }

    /// A sequence that would attend `attended` tokens in step `step` stops decoding.
    #[inline]
    pub fn leave(&mut self, step: u64, attended: u32) {
        let phase = self.phase(step, attended);
        self.phases.leave(phase);
    }

    /// A decoding sequence has outgrown the window; from step `step` on, in which it
    /// attends `attended` tokens, it gives back a place whenever it takes one.
    pub fn outgrow(&mut self, sliding: Sliding, step: u64, attended: u32) {
        let phase = self.phase(step, attended);
        self.sliding_mut(sliding).join(phase);
    }

    /// [`Blocks::leave`] for the part of a sequence that has outgrown the window.
    pub fn leave_outgrown(&mut self, sliding: Sliding, step: u64, attended: u32) {
        let phase = self.phase(step, attended);
        self.sliding_mut(sliding).leave(phase);
    }

    fn sliding_mut(&mut self, sliding: Sliding) -> &mut Phases {
        &mut self.sliding.as_mut().expect("layers with windows")[sliding as usize]
    }

    /// Blocks that decoding sequences need in the `steps` steps from `step` on, less
    /// those that they give back.
    #[inline]
    pub fn needed(&self, step: u64, steps: u64) -> u64 {
        let taken = u64::from(self.needs.of_place()) * self.phases.taken(step, steps);
        match &self.sliding {
            None => taken,
            Some(sliding) => {
                let given: u64 = sliding.iter().map(|phases| phases.taken(step, steps)).sum();
                taken - u64::from(self.needs.windowed) * given
            }
        }
    }

    /// Blocks that decoding sequences need in step `step`, less those given back.
    #[inline]
    pub fn needed_in(&self, step: u64) -> u32 {
        let taken = self.needs.of_place() * self.phases.taken_in(step);
        match &self.sliding {
            None => taken,
            Some(sliding) => {
                let given: u32 = sliding.iter().map(|phases| phases.taken_in(step)).sum();
                taken - self.needs.windowed * given
            }
        }
    }

    /// Places that slide out of windows into the prefix cache in the `steps` steps
    /// from `step` on.
    #[inline]
    pub fn kept(&self, step: u64, steps: u64) -> u64 {
        let kept = self.sliding.as_ref().map(|sliding| &sliding[Sliding::Kept as usize]);
        kept.map_or(0, |phases| phases.taken(step, steps))
    }

    /// At least the blocks needed in `steps` steps; cheap.
    #[inline]
    pub fn needed_at_most(&self, steps: u64) -> u64 {
        let places = (steps / u64::from(self.needs.block_tokens) + 1)
            .saturating_mul(u64::from(self.phases.members));
        places.saturating_mul(u64::from(self.needs.of_place()))
    }

    /// A place is needed when the token to write is the first of its block,
    /// that is when `attended - 1` is a multiple of the block size.
    #[inline]
    fn phase(&self, step: u64, attended: u32) -> usize {
        let period = self.needs.block_tokens;
        let now = (step % u64::from(period)) as u32;
        let filled = (attended - 1) % period;
        (if now >= filled { now - filled } else { now + period - filled }) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::factory::KvGroups;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn phases_count_what_a_loop_counts(
            lengths in proptest::collection::vec((1..200u32, 0..3u8), 0..20),
            block in 1..40u32, step in 0..1000u64, steps in 0..100u64,
            full in 0..3u32, windowed in 1..4u32,
        ) {
            let groups = KvGroups { layers: 1, full, windowed, window: 1 };
            let mut blocks = Blocks::new(1000, BlockNeeds::new(groups, block, 1));
            let sliding = |kind: u8| match kind {
                0 => None,
                1 => Some(Sliding::Kept),
                _ => Some(Sliding::Freed),
            };
            for &(attended, kind) in &lengths {
                blocks.join(step, attended);
                if let Some(sliding) = sliding(kind) { blocks.outgrow(sliding, step, attended); }
            }
            let takes = |attended: u32| {
                (0..steps).filter(|&i| (u64::from(attended) - 1 + i) % u64::from(block) == 0).count() as u64
            };
            let counted: u64 = lengths.iter().map(|&(attended, kind)| {
                takes(attended) * u64::from(full + if kind == 0 { windowed } else { 0 })
            }).sum();
            let kept: u64 = lengths.iter().filter(|l| l.1 == 1).map(|l| takes(l.0)).sum();
            prop_assert_eq!(blocks.needed(step, steps), counted);
            prop_assert_eq!(blocks.kept(step, steps), kept);
            prop_assert_eq!(u64::from(blocks.needed_in(step)), blocks.needed(step, 1));
            prop_assert!(blocks.needed_at_most(steps) >= counted);
            for &(attended, kind) in &lengths {
                blocks.leave(step + 3, attended + 3);
                if let Some(sliding) = sliding(kind) { blocks.leave_outgrown(sliding, step + 3, attended + 3); }
            }
            prop_assert_eq!(blocks.needed(step, 50), 0);
        }
    }
}
