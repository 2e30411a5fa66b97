//! Windowed layers, as the oracle reads them: place by place.

use super::{OWN, Rank, Sequence};
use crate::factory::{Call, Calls, Eviction, Hit};
use crate::workload::Stretch;

impl Rank {
    /// Places of a sequence of `tokens` tokens that no window reaches any more. What a
    /// later call would need to go on from the last full place stays.
    pub(super) fn outside(&self, tokens: u32) -> u32 {
        (tokens / self.limits.block_tokens).saturating_sub(self.limits.needs.reach)
    }

    pub(super) fn keeps_windows(&self) -> bool {
        self.limits.needs.windowed > 0
            && self.limits.prefix_cache.is_some_and(|rules| rules.eviction == Eviction::Lru)
    }

    /// Whether windows of `call` can be found again: it computes what others may say,
    /// or has been preempted and looks for its own.
    pub(super) fn names_windows(&self, call: &Call) -> bool {
        let all_kept = self.limits.prefix_cache.is_some_and(|rules| rules.cache_decoded);
        let is_apart = call.is_private() && call.preemptions == 0 && !self.has_tiers && all_kept;
        self.keeps_windows() && call.given.is_none() && !is_apart
    }

    /// The places of a sequence that are there, up to one that has its window.
    pub(super) fn lookup(&self, content: &[Stretch], most: u32) -> Hit {
        let found = self.cache.lookup(content, most);
        if !self.keeps_windows() {
            return found;
        }
        let reach = self.limits.needs.reach;
        let places = self.cache.reached(content, found.blocks, reach);
        let windows = self.cache.idle_windows(content, places.saturating_sub(reach), places);
        let Hit { blocks, idle } = self.cache.lookup(content, places);
        Hit { blocks, idle: idle + windows }
    }

    /// Uses what a sequence, the first `hit` of whose places are there, needs of their
    /// windows once `end` places are.
    pub(super) fn acquire_windows(&mut self, content: &[Stretch], hit: u32, end: u32) {
        if self.keeps_windows() {
            for place in self.outside(end * self.limits.block_tokens)..hit {
                self.cache.share_window(content, place);
            }
        }
    }

    /// KV blocks of the first `hit` places of a sequence, found in the cache.
    pub(super) fn hit_blocks(&self, hit: u32) -> u32 {
        let needs = self.limits.needs;
        let windows = if self.keeps_windows() { hit.min(needs.reach) } else { 0 };
        needs.full * hit + needs.windowed * windows
    }

    /// KV blocks that a sequence takes at most while it goes on from `computed` tokens
    /// to `tokens`.
    pub(super) fn peak(&self, tokens: u32, computed: u32) -> u32 {
        let needs = self.limits.needs;
        let places = self.places_for(tokens);
        let windows = (places - self.outside(computed)).min(needs.most);
        needs.full * places + needs.windowed * windows
    }

    pub(super) fn slide(&mut self, at: usize, to: u32, calls: &Calls) {
        let mut sequence = self.running[at].clone();
        self.slide_sequence(&mut sequence, to, calls);
        self.running[at] = sequence;
    }

    /// A sequence gives back its places before `to` in windowed layers, one by one.
    pub(super) fn slide_sequence(&mut self, sequence: &mut Sequence, to: u32, calls: &Calls) {
        while sequence.slid < to {
            self.slide_once(sequence, calls);
        }
    }

    fn slide_once(&mut self, sequence: &mut Sequence, calls: &Calls) {
        let (call, windowed) = (&calls[sequence.call], self.limits.needs.windowed);
        let mut own = OWN;
        let content = calls.stretches(call, &mut own);
        let place = sequence.slid;
        if place < sequence.published && self.names_windows(call) {
            self.cache.release_window(content, place);
        } else {
            self.private -= windowed;
            let keeps_all = self.limits.prefix_cache.is_some_and(|rules| rules.cache_decoded);
            if self.keeps_windows() && call.given.is_none() && keeps_all {
                self.cache.retire_window();
            }
        }
        sequence.slid += 1;
    }

    /// A sequence goes on decoding: what slides out under a name does so now, what has
    /// none in the step that starts, but for a prompt that has just been computed.
    pub(super) fn slide_in_decoding(
        &mut self,
        sequence: &mut Sequence,
        has_started: bool,
        calls: &Calls,
    ) {
        let call = &calls[sequence.call];
        let named = if self.names_windows(call) { sequence.published } else { 0 };
        let outside = self.outside(sequence.computed);
        self.slide_sequence(sequence, outside.min(named), calls);
        if !has_started {
            let before = self.outside(sequence.computed - 1);
            self.slide_sequence(sequence, before, calls);
        }
    }

    /// A sequence will look for its windows, which had no name so far.
    pub(super) fn name_windows(&mut self, sequence: &Sequence, calls: &Calls) {
        let call = &calls[sequence.call];
        let mut own = OWN;
        let content = calls.stretches(call, &mut own);
        if self.names_windows(call) {
            for place in sequence.slid..sequence.published {
                self.cache.share_window(content, place);
                self.private -= self.limits.needs.windowed;
            }
        }
    }

    /// A sequence that has published all it can lets go of its windows.
    pub(super) fn release_windows(&mut self, sequence: &Sequence, calls: &Calls) {
        let call = &calls[sequence.call];
        let mut own = OWN;
        let content = calls.stretches(call, &mut own);
        let named = if self.names_windows(call) { sequence.published } else { 0 };
        let windowed = self.limits.needs.windowed;
        // Without a name they stay as long, if the cache keeps such places at all.
        let kept = if self.keeps_windows() { sequence.published } else { 0 };
        for place in (sequence.slid..sequence.places).rev() {
            if place < named {
                self.cache.release_window(content, place);
            } else {
                self.private -= windowed;
                if place < kept {
                    self.cache.retire_window();
                }
            }
        }
    }
}
