//! GPU time, and who took it.
//!
//! What a step lasts is a sum over what is in it and a rest: weights, layers, host
//! and, with several ranks, waiting for the slowest. What a call adds itself, its
//! own terms, is its own work. The rest is one for all: every use case with a
//! sequence in the step would have needed it alone, which is kept as its `rest`, and
//! each sequence takes an equal part of it, which tells within a use case what calls
//! and what kinds of tokens took. How a bill is shared by these is
//! [`crate::economics::shares`].
//!
//! All work is counted in grains, 4,096 of which are a tick of one rank, with the
//! coefficients of the step time rounded to grains once. Sums are of integers, so
//! what use cases and rest come to is what replicas stepped, to the last grain, and it
//! does not matter where a run of steps is cut.
//!
//! Cost: a dozen multiplications and one division a batch, none a step; the work of
//! a sequence follows in closed form when it ends, and [`Ledger`] is told then.

use super::call::Call;
use super::step_time::{Batch, StepTime};
use crate::kernel::{Span, TICKS_PER_SECOND};

/// Grains in a tick of one rank.
pub const GRAINS: u64 = 1 << 12;

/// What the things in a step add to it, in grains.
#[derive(Clone, Copy, Debug, Default)]
pub struct WorkRates {
    ranks: u64,
    decode: u64,
    decode_context: u64,
    decode_context_windowed: u64,
    prompt: u64,
    prompt_token: u64,
    pair: u64,
    pair_windowed: u64,
    prefix: u64,
    window: Option<u32>,
}

/// Part of a prompt that was computed: tokens `from..to` in so many chunks.
#[derive(Clone, Copy, Debug)]
pub struct Chunks {
    /// Chunks, one a step.
    pub chunks: u64,
    /// The first token computed.
    pub from: u32,
    /// The token after the last one.
    pub to: u32,
    /// Tokens before each chunk, summed.
    pub prefix: u64,
    /// Tokens at the start of the prompt that were found in a cache.
    pub cached: u32,
}

impl WorkRates {
    /// Those of a replica of `ranks` ranks whose steps take `step_time`.
    pub fn new(step_time: &StepTime, ranks: u32) -> WorkRates {
        let grains =
            |seconds: f64| (seconds * TICKS_PER_SECOND as f64 * GRAINS as f64 + 0.5) as u64;
        let scale = step_time.decode_scale.unwrap_or(1.0);
        let group = step_time.experts.as_ref().map_or(0.0, |experts| experts.per_group_token);
        // Experts are spread over the ranks: a token is some work for each.
        let token = step_time.per_token + f64::from(ranks) * group;
        WorkRates {
            ranks: u64::from(ranks),
            decode: grains(scale * (token + step_time.per_sequence)),
            decode_context: grains(scale * step_time.per_decode_context),
            decode_context_windowed: grains(scale * step_time.per_decode_context_windowed),
            prompt: grains(step_time.per_sequence),
            prompt_token: grains(token),
            pair: grains(step_time.per_pair),
            pair_windowed: grains(step_time.per_pair_windowed),
            prefix: grains(step_time.per_prefix),
            window: step_time.window,
        }
    }

    /// Grains of all ranks of a replica in `span`.
    #[inline]
    pub fn of_replica(&self, span: Span) -> u128 {
        u128::from(span.ticks()) * u128::from(self.ranks * GRAINS)
    }

    /// What the sequences of `batch` add to a step.
    #[inline]
    pub fn own(&self, batch: &Batch) -> u64 {
        let decodes = self.decode * batch.decodes
            + self.decode_context * batch.decode_context
            + self.decode_context_windowed * batch.decode_context_windowed;
        if batch.prefill_pairs == 0 { decodes } else { decodes + self.prompts(batch) }
    }

    /// The part of it that is of prompts.
    fn prompts(&self, batch: &Batch) -> u64 {
        self.prompt * batch.prefills
            + self.prompt_token * batch.prefill_tokens
            + self.pair * batch.prefill_pairs
            + self.pair_windowed * batch.prefill_pairs_windowed
            + self.prefix * batch.prefill_prefix
    }

    /// A sequence decodes, and attends `from` tokens in its first step and `to` in
    /// the one after its last.
    #[inline]
    pub fn decoding(&self, from: u32, to: u32) -> u64 {
        let steps = u64::from(to - from);
        let mut work = self.decode * steps + self.decode_context * attended(from, to);
        if let Some(window) = self.window {
            let short = attended(from.min(window), to.min(window));
            let long = u64::from(to.max(window) - from.max(window)) * u64::from(window);
            work += self.decode_context_windowed * (short + long);
        }
        work
    }

    /// What computing these chunks took, and the part of it that is reading what was
    /// found in a cache: attention to it, and expanding it anew.
    pub fn prompt(&self, part: &Chunks) -> (u64, u64) {
        let of = |cached: u32| {
            let mut batch = Batch::default();
            batch.add_chunk(part.from - cached, part.to - part.from, self.window);
            batch.prefills = part.chunks;
            batch.prefill_prefix = part.prefix - part.chunks * u64::from(cached);
            self.prompts(&batch)
        };
        let all = of(0);
        (all, if part.cached == 0 { 0 } else { all - of(part.cached) })
    }
}

/// Tokens attended by a sequence that attends `from` in its first step and `to` in
/// the one after its last.
#[inline]
fn attended(from: u32, to: u32) -> u64 {
    let [from, to] = [from, to].map(u64::from);
    (to - from) * (from + to).saturating_sub(1) / 2
}

/// The work of the steps of a replica that share a composition.
#[derive(Clone, Copy, Debug, Default)]
pub struct StepWork {
    /// What sequences add to the present step, and by how much more to each next one.
    own: u64,
    growth: u64,
    /// What each sequence takes of the rest of the present step, and how much more of
    /// each next one, in which several ranks wait longer for the slowest.
    share: u64,
    longer: u64,
}

impl StepWork {
    /// Takes in a rank that computes `batch`, which grows by `longer` a step. Returns its
    /// sequences.
    #[inline]
    pub fn add(&mut self, rates: &WorkRates, batch: &Batch, longer: &Batch) -> u64 {
        self.own += rates.own(batch);
        self.growth += rates.decode_context * longer.decode_context
            + rates.decode_context_windowed * longer.decode_context_windowed;
        if longer.prefill_pairs > 0 {
            self.growth += rates.pair * longer.prefill_pairs + rates.prefix * longer.prefill_prefix;
        }
        batch.decodes + batch.prefills
    }

    /// Shares the rest among `sequences`. The first step lasts `ticks`, and each next one
    /// `increment` longer while the slowest rank stays the slowest.
    #[inline]
    pub fn share(&mut self, rates: &WorkRates, sequences: u64, (ticks, increment): (u64, u64)) {
        let rest = (ticks * rates.ranks).saturating_mul(GRAINS).saturating_sub(self.own);
        self.share = rest / sequences.max(1);
        // A single rank's rest stays as it is, but for the rounding of ticks.
        self.longer = match rates.ranks {
            1 => 0,
            ranks => (increment * ranks * GRAINS).saturating_sub(self.growth) / sequences.max(1),
        };
    }

    /// What each sequence takes of the rest of `steps` steps.
    #[inline]
    pub fn shared(&self, steps: u64) -> u64 {
        let longer = self.longer.wrapping_mul(steps * steps.saturating_sub(1) / 2);
        self.share.wrapping_mul(steps).wrapping_add(longer)
    }

    /// Moves on by `steps` steps. Returns what their sequences added.
    #[inline]
    pub fn advance(&mut self, steps: u64) -> u128 {
        let growth = u128::from(self.growth) * u128::from(steps * steps.saturating_sub(1) / 2);
        let own = u128::from(self.own) * u128::from(steps) + growth;
        self.own += self.growth * steps;
        self.share += self.longer * steps;
        own
    }
}

/// What the calls of a use case took of the GPU time of a pool, in grains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UseCaseWork {
    /// What its own terms came to, and what replicas waited for nothing but the KV
    /// blocks that were fetched for it.
    pub own: u128,
    /// The rest of all steps that it had a sequence in.
    pub rest: i128,
    /// Its own work and its part of the rest, by what it was for: computing prompts,
    /// what was computed again after a preemption included;
    pub computed: u128,
    /// reading and fetching what was found in a cache;
    pub cached: u128,
    /// and decoding.
    pub output: u128,
    /// Tokens that prompts computed, again after a preemption included.
    pub computed_tokens: u64,
    /// Of these, tokens that their call had known before it was preempted.
    pub recomputed_tokens: u64,
}

/// What the calls of all use cases took of a pool, since it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger {
    /// By use case.
    pub use_cases: Vec<UseCaseWork>,
    /// Ranks of a replica.
    ranks: u32,
    /// The rest of all steps: with the own work of use cases, waiting apart, what
    /// replicas stepped.
    pub rest: i128,
    /// What replicas waited for transfers with nothing to step.
    pub held: u128,
    /// Own work and rest before it was opened, waiting apart.
    before: i128,
}

impl UseCaseWork {
    fn combine(&self, other: &Self, plus: bool) -> Self {
        let big = |a: u128, b: u128| if plus { a + b } else { a - b };
        let few = |a: u64, b: u64| if plus { a + b } else { a - b };
        UseCaseWork {
            own: big(self.own, other.own),
            rest: if plus { self.rest + other.rest } else { self.rest - other.rest },
            computed: big(self.computed, other.computed),
            cached: big(self.cached, other.cached),
            output: big(self.output, other.output),
            computed_tokens: few(self.computed_tokens, other.computed_tokens),
            recomputed_tokens: few(self.recomputed_tokens, other.recomputed_tokens),
        }
    }

    /// What tells the calls of a use case, and the kinds of its tokens, apart.
    pub fn all(&self) -> u128 {
        self.computed + self.cached + self.output
    }
}

impl Ledger {
    /// An empty one for so many use cases and ranks of a replica.
    pub fn new(use_cases: usize, ranks: u32) -> Ledger {
        Ledger { use_cases: vec![UseCaseWork::default(); use_cases], ranks, ..Ledger::default() }
    }

    /// Starts anew.
    pub fn open(&mut self) {
        let before = self.stepped();
        *self = Ledger { before, ..Ledger::new(self.use_cases.len(), self.ranks) };
    }

    /// Grains that replicas stepped, ever, all calls settled.
    pub fn stepped(&self) -> i128 {
        let own: u128 = self.use_cases.iter().map(|work| work.own).sum();
        self.before + self.rest + (own - self.held) as i128
    }

    /// Replica-seconds that replicas waited for transfers with nothing to step.
    pub fn held_s(&self) -> f64 {
        let a_tick = f64::from(self.ranks.max(1)) * GRAINS as f64;
        self.held as f64 / a_tick / TICKS_PER_SECOND as f64
    }

    /// What came since it was `then`; an empty one stands for nothing.
    pub fn since(&self, then: &Ledger) -> Ledger {
        self.combine(then, false)
    }

    /// Both together.
    pub fn and(&self, other: &Ledger) -> Ledger {
        self.combine(other, true)
    }

    fn combine(&self, other: &Ledger, plus: bool) -> Ledger {
        let nothing = UseCaseWork::default();
        let at = |at: usize| other.use_cases.get(at).unwrap_or(&nothing);
        let each = self.use_cases.iter().enumerate();
        Ledger {
            use_cases: each.map(|(index, work)| work.combine(at(index), plus)).collect(),
            rest: if plus { self.rest + other.rest } else { self.rest - other.rest },
            held: if plus { self.held + other.held } else { self.held - other.held },
            ranks: self.ranks,
            before: 0,
        }
    }

    /// The rest of some steps in which these use cases had sequences: those that
    /// decode, counted by use case, and others.
    #[inline]
    pub fn stepped_beside(&mut self, rest: i128, decoding: &[u32], prompting: &[u16]) {
        self.rest += rest;
        for (work, &sequences) in self.use_cases.iter_mut().zip(decoding) {
            if sequences > 0 {
                work.rest += rest;
            }
        }
        for &use_case in prompting {
            self.use_cases[usize::from(use_case)].rest += rest;
        }
    }

    /// A sequence of `call` has decoded, for `own` grains of its own and `share` of
    /// the rest.
    #[inline]
    pub fn decoded(&mut self, call: &mut Call, own: u64, share: u64) {
        let work = &mut self.use_cases[usize::from(call.use_case)];
        work.own += u128::from(own);
        work.output += u128::from(own + share);
        call.work += own + share;
    }

    /// Chunks of the prompt of `call` were computed; of `own`, `cached` grains were
    /// reading what a cache had.
    #[inline]
    pub fn prompted(&mut self, call: &mut Call, part: &Chunks, rates: &WorkRates, share: u64) {
        let (own, cached) = rates.prompt(part);
        let work = &mut self.use_cases[usize::from(call.use_case)];
        work.own += u128::from(own);
        work.cached += u128::from(cached);
        work.computed += u128::from(own - cached + share);
        work.computed_tokens += u64::from(part.to - part.from);
        work.recomputed_tokens += u64::from(part.to.min(call.reached).saturating_sub(part.from));
        call.work += own + share;
    }

    /// A replica waited for blocks that are fetched for `call`, for `own` grains.
    pub fn fetched(&mut self, call: &mut Call, own: u64) {
        let work = &mut self.use_cases[usize::from(call.use_case)];
        work.own += u128::from(own);
        work.cached += u128::from(own);
        self.held += u128::from(own);
        call.work += own;
    }
}
