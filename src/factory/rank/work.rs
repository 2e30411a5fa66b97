//! How much GPU time the sequences of a rank take, entered in the ledger when they
//! change what they do.
//!
//! Each call carries the counter of shared work up to which it has been settled, and
//! while it decodes the tokens that it attended then: its work since follows in
//! closed form.

use super::{Completing, Counters, Partial, Rank, Turn};
use crate::factory::call::{Call, CallId, Calls};
use crate::factory::engine::EngineSpec;
use crate::factory::work::{Chunks, Ledger, WorkRates};

impl Partial {
    /// Moves on by `steps` steps.
    #[inline]
    pub(super) fn advance(&mut self, steps: u64) {
        if self.chunk > 0 {
            let (chunk, computed) = (u64::from(self.chunk), u64::from(self.computed));
            self.chunks += steps as u32;
            self.prefix += computed * steps + chunk * (steps * steps.saturating_sub(1) / 2);
            self.computed += self.chunk * steps as u32;
        }
    }

    /// What has not been settled.
    fn unsettled(&self) -> Chunks {
        let Partial { computed: to, from, chunks, prefix, cached, .. } = *self;
        Chunks { chunks: chunks.into(), from, to, prefix, cached }
    }

    /// Settles what it has computed so far.
    pub(super) fn settle(&mut self, turn: &mut Turn) {
        let Turn { spec, counters, ledger, .. } = turn;
        self.enter(&mut turn.calls[self.call], &spec.rates, *counters, ledger);
    }

    /// Before its next chunk is chosen, of at most `budget` tokens: a prompt without a
    /// chunk has no part in a step.
    pub(super) fn pause(&mut self, turn: &mut Turn, budget: u32) {
        if self.chunk == 0 {
            turn.calls[self.call].settled = turn.counters.shared;
        } else if budget == 0 {
            self.settle(turn);
        }
    }

    fn enter(&mut self, call: &mut Call, rates: &WorkRates, at: Counters, ledger: &mut Ledger) {
        if self.chunks > 0 {
            let share = at.shared.wrapping_sub(call.settled);
            ledger.prompted(call, &self.unsettled(), rates, share);
            (self.from, self.chunks, self.prefix) = (self.computed, 0, 0);
            call.settled = at.shared;
        }
    }
}

impl Completing {
    /// Its chunk, which ends at token `known`.
    fn chunks(&self, known: u32) -> Chunks {
        let Completing { from, cached, .. } = *self;
        Chunks { chunks: 1, from, to: known, prefix: from.into(), cached }
    }
}

impl Rank {
    /// Calls whose prompts have a chunk in the current step.
    pub fn prompts(&self) -> impl Iterator<Item = CallId> {
        let partial = self.partial.iter().filter(|partial| partial.chunk > 0);
        let completing = self.completing.iter().map(|prompt| prompt.call);
        completing.chain(partial.map(|partial| partial.call))
    }

    /// The last chunk of a prompt is over.
    #[inline]
    pub(super) fn settle_completed(&mut self, turn: &mut Turn, prompt: &Completing) {
        let call = &mut turn.calls[prompt.call];
        let share = turn.counters.shared.wrapping_sub(call.settled);
        let part = prompt.chunks(call.known_tokens());
        turn.ledger.prompted(call, &part, &turn.spec.rates, share);
    }

    /// Settles all calls between two steps, the next of which is `step`.
    pub fn settle_work(
        &mut self,
        spec: &EngineSpec,
        step: u64,
        at: Counters,
        calls: &mut Calls,
        ledger: &mut Ledger,
    ) {
        for sequence in self.running.iter() {
            let call = &mut calls[sequence.call()];
            settle_decoding(call, sequence.attended(step), spec, at, ledger);
        }
        if let Some(partial) = &mut self.partial {
            partial.enter(&mut calls[partial.call], &spec.rates, at, ledger);
        }
        for id in self.fetching() {
            settle_fetching(&mut calls[id], at, ledger);
        }
    }

    /// GPU time that call `id` has taken when `steps` more steps than `step` have
    /// ended and the counters are `at`; `None`: it is not here.
    pub fn worked(
        &self,
        spec: &EngineSpec,
        (step, steps): (u64, u64),
        at: Counters,
        call: &Call,
        id: CallId,
    ) -> Option<u64> {
        let share = at.shared.wrapping_sub(call.settled);
        if let Some(prompt) = self.completing.iter().find(|prompt| prompt.call == id) {
            let part = prompt.chunks(call.known_tokens());
            let last = if steps > 0 { spec.rates.prompt(&part).0 + share } else { 0 };
            return Some(call.work + last);
        }
        if let Some(mut partial) = self.partial.filter(|partial| partial.call == id) {
            partial.advance(steps);
            let part = partial.unsettled();
            let since = if part.chunks > 0 { spec.rates.prompt(&part).0 + share } else { 0 };
            return Some(call.work + since);
        }
        if self.fetching().any(|fetching| fetching == id) {
            return Some(call.work + at.held.wrapping_sub(call.settled));
        }
        let sequence = self.running.iter().find(|sequence| sequence.call() == id)?;
        let attended = sequence.attended(step + steps);
        Some(call.work + spec.rates.decoding(call.attended, attended) + share)
    }
}

/// A sequence has decoded until it attends `attended` tokens.
#[inline]
pub(super) fn settle_decoding(
    call: &mut Call,
    attended: u32,
    spec: &EngineSpec,
    at: Counters,
    ledger: &mut Ledger,
) {
    let own = spec.rates.decoding(call.attended, attended);
    ledger.decoded(call, own, at.shared.wrapping_sub(call.settled));
    (call.settled, call.attended) = (at.shared, attended);
}

/// Blocks of a call are, or were, on their way.
pub(super) fn settle_fetching(call: &mut Call, at: Counters, ledger: &mut Ledger) {
    ledger.fetched(call, at.held.wrapping_sub(call.settled));
    call.settled = at.held;
}
