//! A full recount of what a rank keeps as running sums, for the audit.

use super::Rank;
use crate::factory::call::Calls;

impl Rank {
    /// Panics unless the sums of the rank, which has taken `step` steps, are
    /// those of its sequences one by one: KV blocks and attended tokens.
    /// Returns the tokens that its calls have sampled.
    pub fn recount(&self, step: u64, calls: &Calls) -> u64 {
        let attended = || self.running.iter().map(|sequence| sequence.attended(step));
        // Blocks that each sequence holds, and those of them that the cache knows.
        let needs = &self.limits.needs;
        let of = |tokens: u32, slid: u32, published: u32| {
            (needs.blocks(needs.places(tokens), slid), self.cached(published, slid))
        };
        let decoding = self.running.iter().map(|sequence| {
            let attended = sequence.attended(step);
            let slid = self.slid_of(attended, sequence.slide());
            of(attended - 1, slid, self.published(&calls[sequence.call()]))
        });
        let partial = self.partial.iter();
        let partial = partial.map(|partial| of(partial.computed, partial.slid, partial.published));
        let completing = self
            .completing
            .iter()
            .map(|prompt| of(calls[prompt.call].known_tokens(), prompt.slid, prompt.published));
        let set_aside = self.offload.iter().flat_map(|offload| offload.held());
        let set_aside = set_aside.map(|(places, end, beside)| {
            let known = self.cached(places, self.slid_before(end));
            (known + beside, known)
        });
        let sequences = decoding.chain(partial).chain(completing).chain(set_aside);
        let (held, known) = sequences.fold((0, 0), |(held_by_all, known), (held, published)| {
            (held_by_all + u64::from(held), known + u64::from(published))
        });
        let (shared, uses) = match &self.cache {
            Some(cache) => {
                let sliding = self.to_retire * needs.windowed;
                let idle = self.idle + self.to_evict;
                assert_eq!(cache.idle() + sliding, idle, "idle KV blocks");
                (cache.resident() - cache.idle(), cache.recount())
            }
            None => (0, 0),
        };
        // The cache may know blocks of the current step that are taken at its end.
        let used = u64::from(self.blocks.used());
        assert_eq!(used + known, held + u64::from(shared), "KV blocks");
        assert_eq!(uses, known, "uses of KV blocks that the cache knows");
        assert_eq!(
            self.running.context().0,
            attended().map(u64::from).sum::<u64>(),
            "tokens attended"
        );
        assert_eq!(self.running.iter().count(), self.running.len() as usize, "sequences");
        assert!(self.running() <= self.limits.max_num_seqs, "more sequences than allowed");
        let decoded = self.running.iter().map(|sequence| {
            u64::from(calls[sequence.call()].output) - u64::from(sequence.remaining(step))
        });
        let completing = self.completing.iter().map(|prompt| prompt.call);
        let others = self.waiting.iter().copied().chain(completing);
        let others = others.chain(self.partial.map(|partial| partial.call));
        let others = others.chain(self.offload.iter().flat_map(|offload| offload.ids()));
        decoded.sum::<u64>() + others.map(|id| u64::from(calls[id].generated)).sum::<u64>()
    }
}
