//! What windowed layers make of a rank.
//!
//! A sequence gives back the places that its window has left: a prompt when a chunk
//! of it is over, a decoding sequence in the step in which it takes its next place.
//! Under LRU, which is all that engines have for such models, they stay in the prefix
//! cache and in its order, as vLLM frees them into its one queue of blocks; whoever
//! wants to go on from a prefix must find the last window of it there. Places that
//! nobody can ask for by name, those of answers and of calls that share no text,
//! are only counted: they push others out, and an undisturbed decode stays O(1).
//! Those that the cache knows by name are seen to one by one.
//!
//! Under other policies, or without a prefix cache, what slides out is free at once;
//! a prefix is then taken to be found with its windows.

use super::{Rank, Turn};
use crate::factory::blocks::Sliding;
use crate::factory::call::{Call, CallId, Calls};
use crate::factory::running::{Left, NEVER};
use crate::workload::{Strand, Stretch};

impl Rank {
    /// Windows of the first `published` places of a sequence that the cache knows.
    #[inline]
    pub(super) fn named(&self, published: u32) -> u32 {
        if self.keeps_windows { published } else { 0 }
    }

    /// What becomes of places of `call` that slide out and have no name.
    fn sliding(&self, call: &Call) -> Sliding {
        let is_kept = self.keeps_windows
            && call.given.is_none()
            && self.limits.prefix_cache.is_some_and(|rules| rules.cache_decoded);
        if is_kept { Sliding::Kept } else { Sliding::Freed }
    }

    /// Places of a sequence that has stopped decoding that had slid out.
    #[inline]
    pub(super) fn slid(&self, left: &Left) -> u32 {
        self.slid_of(left.attended, left.slide)
    }

    /// Places that have slid out of the window of a sequence that attends `attended`
    /// tokens in the step that starts, and for which `slide` was said.
    #[inline]
    pub(super) fn slid_of(&self, attended: u32, slide: u32) -> u32 {
        let needs = &self.limits.needs;
        if needs.windowed == 0 {
            return 0;
        }
        match slide {
            // It has computed one token fewer, and a place slides as the next is taken.
            NEVER => needs.slid(attended - 2),
            slide => (slide - 1) / needs.block_tokens - needs.reach - 1,
        }
    }

    /// Lets places `from..to` of a sequence slide out of its window. The cache knows
    /// the first `named` of its places.
    pub(super) fn slide(&mut self, calls: &Calls, id: CallId, from: u32, to: u32, named: u32) {
        let with_name = from..to.min(named).max(from);
        if !with_name.is_empty() {
            let mut own = Stretch { strand: Strand::NONE, until: 0 };
            let content = calls.stretches(&calls[id], &mut own);
            let windows = self.settled().windows();
            let idle = windows.release_windows(content, with_name.start, with_name.end);
            self.idle += idle;
            self.blocks.give(idle);
        }
        let nameless = to - with_name.end;
        if nameless > 0 {
            self.blocks.give(nameless * self.limits.needs.windowed);
            if self.sliding(&calls[id]) == Sliding::Kept {
                self.retire_windows(nameless);
            }
        }
    }

    /// `places` more places without a name are idle.
    #[inline]
    fn retire_windows(&mut self, places: u32) {
        self.idle += places * self.limits.needs.windowed;
        self.to_retire += places;
    }

    /// A prompt of `computed` tokens, of which `slid` places have slid out, starts to
    /// decode. Returns the tokens it attends when a place slides out next that the
    /// cache knows, or when it has outgrown those.
    pub(super) fn begin_sliding(
        &mut self,
        turn: &Turn,
        id: CallId,
        computed: u32,
        published: u32,
        slid: u32,
    ) -> u32 {
        let needs = self.limits.needs;
        if needs.windowed == 0 {
            return NEVER;
        }
        let named = self.named(published);
        let edge = u64::from(needs.block_tokens) * (u64::from(named) + u64::from(needs.reach));
        if u64::from(computed) > edge {
            self.slide(turn.calls, id, slid, needs.slid(computed - 1).max(slid), named);
            self.outgrow(turn, id, computed + 1);
            return NEVER;
        }
        let to = needs.slid(computed);
        self.slide(turn.calls, id, slid, to.max(slid), named);
        (to + needs.reach + 1).saturating_mul(needs.block_tokens).saturating_add(1)
    }

    fn outgrow(&mut self, turn: &Turn, id: CallId, attended: u32) {
        let sliding = self.sliding(&turn.calls[id]);
        self.blocks.outgrow(sliding, turn.step, attended);
    }

    /// A place slides out of the window of a decoding sequence that will attend
    /// `attended` tokens: one that the cache knows, or the first that it does not.
    pub(super) fn slide_decoding(&mut self, turn: &Turn, id: CallId, attended: u32) {
        let needs = self.limits.needs;
        let place = (attended - 1) / needs.block_tokens - needs.reach - 1;
        let named = self.named(self.published(&turn.calls[id]));
        if place < named {
            self.slide(turn.calls, id, place, place + 1, named);
            self.running.slid(attended.saturating_add(needs.block_tokens));
        } else {
            self.outgrow(turn, id, attended);
            self.running.slid(NEVER);
        }
    }

    /// A sequence that has outgrown its window stops decoding.
    pub(super) fn stop_sliding(&mut self, turn: &Turn, left: &Left) {
        if self.limits.needs.windowed > 0 && left.slide == NEVER {
            let sliding = self.sliding(&turn.calls[left.call]);
            self.blocks.leave_outgrown(sliding, turn.step, left.attended);
        }
    }

    /// Puts into the cache what slides out without a name in the `steps` steps from
    /// `step` on, as far as it is not there yet.
    #[inline]
    pub(super) fn keep_sliding(&mut self, step: u64, steps: u64) {
        if self.keeps_windows {
            let (from, until) = (step.max(self.slid_until), step + steps);
            if until > from {
                let kept = self.blocks.kept(from, until - from);
                self.retire_windows(kept as u32);
                self.slid_until = until;
            }
        }
    }

    /// There are too few blocks for all decoding sequences in the step that starts:
    /// they take them one after the other, and the last ones give theirs up.
    pub(super) fn take_in_turn(&mut self, turn: &mut Turn) {
        let needs = self.limits.needs;
        let is_due = |attended: u32| (attended - 1).is_multiple_of(needs.block_tokens);
        let due = self.running.iter().filter(|sequence| is_due(sequence.attended(turn.step)));
        let mut due: Vec<_> = due.map(|s| (s.order(), s.call(), s.slide() == NEVER)).collect();
        due.sort_unstable_by_key(|due| due.0);
        let (mut at, mut taken) = (0, 0);
        while let Some(&(order, id, has_outgrown)) = due.get(at) {
            let needed = if has_outgrown { needs.full } else { needs.of_place() };
            if taken + needed > self.blocks.free() {
                let victim = self.preempt_last(turn);
                due.truncate(due.iter().position(|due| due.1 == victim).unwrap_or(due.len()));
                debug_assert!(due.get(at).is_none_or(|due| due.0 == order));
                continue;
            }
            taken += needed;
            if has_outgrown && self.sliding(&turn.calls[id]) == Sliding::Kept {
                self.retire_windows(1);
            }
            self.take(0, taken);
            at += 1;
        }
        self.slid_until = turn.step + 1;
    }
}
