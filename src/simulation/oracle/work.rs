//! What the oracle enters in the ledger: each step of each sequence, one by one.

use super::{Oracle, Sequence};
use crate::factory::{Calls, Chunks, EngineSpec, GRAINS, Ledger};
use crate::kernel::Time;

impl Sequence {
    /// Its own work in the current step.
    fn own(&self, spec: &EngineSpec) -> u64 {
        match self.decodes {
            true => spec.rates.decoding(self.computed + 1, self.computed + 2),
            false => spec.rates.prompt(&self.chunk()).0,
        }
    }

    fn chunk(&self) -> Chunks {
        let Sequence { computed, now, cached, .. } = *self;
        let (from, to) = (computed, computed + now);
        Chunks { chunks: 1, from, to, prefix: computed.into(), cached }
    }
}

impl Oracle {
    /// Sequences with a token in the current step.
    fn stepping(&self) -> impl Iterator<Item = &Sequence> {
        self.ranks.iter().flat_map(|rank| &rank.running).filter(|sequence| sequence.now > 0)
    }

    fn grains(&self, ticks: u64) -> u128 {
        u128::from(ticks) * self.ranks.len() as u128 * u128::from(GRAINS)
    }

    /// What nobody adds to the current step, which lasts `ticks`.
    pub(super) fn rest(&self, spec: &EngineSpec, ticks: u64) -> i128 {
        let own: u64 = self.stepping().map(|sequence| sequence.own(spec)).sum();
        self.grains(ticks) as i128 - i128::from(own)
    }

    /// A step that lasts `ticks` begins a composition.
    pub(super) fn share_rest(&mut self, spec: &EngineSpec, ticks: u64) {
        let sequences = self.stepping().count() as u64;
        self.share = self.rest(spec, ticks).max(0) as u64 / sequences;
        let (_, increment) = *self.lines.iter().max().unwrap();
        let growth = |sequence: &Sequence| {
            let mut next = sequence.clone();
            next.computed += next.now;
            next.own(spec) - sequence.own(spec)
        };
        let growth: u64 = self.stepping().map(growth).sum();
        let waits = self.grains(increment).saturating_sub(growth.into()) as u64;
        self.longer = if self.ranks.len() > 1 { waits / sequences } else { 0 };
    }

    /// The current step is over.
    pub(super) fn enter_step(&self, spec: &EngineSpec, calls: &mut Calls, ledger: &mut Ledger) {
        for sequence in self.stepping() {
            let call = &mut calls[sequence.call];
            match sequence.decodes {
                true => ledger.decoded(call, sequence.own(spec), self.share),
                false => ledger.prompted(call, &sequence.chunk(), &spec.rates, self.share),
            }
        }
    }

    /// What call `id` takes of the current step.
    pub(super) fn in_step(&self, spec: &EngineSpec, id: crate::factory::CallId) -> u64 {
        let mut sequences = self.stepping().filter(|sequence| sequence.call == id);
        sequences.next().map_or(0, |sequence| sequence.own(spec) + self.share)
    }

    fn fetching(&self) -> impl Iterator<Item = crate::factory::CallId> {
        let transfers = self.ranks.iter().flat_map(|rank| &rank.transfers);
        transfers.filter(|transfer| !transfer.has_arrived).map(|transfer| transfer.call)
    }

    /// What each call that fetches takes of waiting until now.
    fn held(&self, now: Time) -> u64 {
        let ticks = self.waits_since.map_or(0, |since| now.since(since).ticks());
        (self.grains(ticks) / self.fetching().count().max(1) as u128) as u64
    }

    /// What of it call `id` takes.
    pub(super) fn held_by(&self, now: Time, id: crate::factory::CallId) -> u64 {
        if self.fetching().any(|fetching| fetching == id) { self.held(now) } else { 0 }
    }

    /// Enters waiting until now.
    pub(super) fn enter_waiting(&mut self, now: Time, calls: &mut Calls, ledger: &mut Ledger) {
        let held = self.held(now);
        self.fetching().for_each(|id| ledger.fetched(&mut calls[id], held));
        self.waits_since = self.waits_since.map(|_| now);
    }

    /// Use cases of which nobody decodes in the current step.
    pub(super) fn list_prompting(&mut self) {
        let prompts = self.stepping().map(|sequence| sequence.use_case);
        let mut prompts: Vec<u16> =
            prompts.filter(|&case| self.decoding[usize::from(case)] == 0).collect();
        prompts.sort_unstable();
        prompts.dedup();
        self.prompting = prompts;
    }
}
