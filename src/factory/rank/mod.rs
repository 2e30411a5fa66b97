//! The scheduler of one data-parallel rank: continuous batching as vLLM v1
//! does it.
//!
//! Each step has a token budget. Running sequences come first, in order of
//! admission: a decode takes one token, the unfinished prompt its next chunk;
//! then waiting calls, first come first served, where a head that does not fit
//! blocks the queue. If the blocks for running sequences run out, the one
//! admitted last goes back to the head of the queue and will compute its
//! prompt and its output anew; nothing is admitted in such a step.
//!
//! Because the budget is at least the number of sequences, every decode takes
//! part in every step, and at most one prompt is unfinished: the last one
//! admitted. That is what makes a step O(1): decodes live in [`Running`],
//! blocks in [`Blocks`], and [`Rank::horizon`] tells how many steps can pass
//! before anything has to be decided.

mod abort;
mod limits;
mod offload;
mod prefix;
mod recount;
mod turn;
mod work;

use super::blocks::Blocks;
use super::cache::{CacheEvent, CacheEvents, Hit, Hold, PrefixStore};
use super::call::{Call, CallId, Calls};
use super::running::{Change, Left, Running};
use super::step_time::Batch;
use crate::kernel::Time;
use offload::Offload;
use std::collections::VecDeque;
use std::sync::Arc;

pub use limits::{CacheRules, RankLimits};
pub use turn::{Counters, Outcome, Turn};
use work::settle_decoding;

/// The prompt that is computed in chunks over several steps.
#[derive(Clone, Copy, Debug)]
struct Partial {
    call: CallId,
    /// Tokens computed so far.
    computed: u32,
    /// Tokens to compute before the next output token.
    known: u32,
    /// Tokens computed in the current step.
    chunk: u32,
    /// Its blocks that the prefix cache knows.
    published: u32,
    /// The cache has the next one too: somebody else has computed it since.
    shares: bool,
    /// Tokens of it that the cache had, and that count as such.
    cached: u32,
    /// What of its work has not been entered in the ledger: chunks computed from
    /// token `from` on, and tokens before each of them, summed.
    from: u32,
    chunks: u32,
    prefix: u64,
}

/// A prompt whose last chunk is in the current step.
#[derive(Clone, Copy, Debug)]
struct Completing {
    call: CallId,
    /// Its blocks that the prefix cache knows.
    published: u32,
    /// The token that the chunk begins with, and tokens that the cache had.
    from: u32,
    cached: u32,
}

/// One data-parallel rank.
#[derive(Clone, Debug)]
pub struct Rank {
    limits: Arc<RankLimits>,
    waiting: VecDeque<CallId>,
    running: Running,
    blocks: Blocks,
    partial: Option<Partial>,
    cache: Option<Box<PrefixStore>>,
    /// Blocks of the cache that nobody uses, less those of the evictions due.
    idle: u32,
    /// Blocks to be evicted before the cache is asked again.
    to_evict: u32,
    /// Calls that share their text with nobody keep their blocks to themselves.
    sets_apart: bool,
    /// The cache has a time limit.
    expires: bool,
    events: CacheEvents,
    /// Its dealings with tiers; `None` where there are none.
    offload: Option<Box<Offload>>,
    /// Prompts whose last chunk is in the current step, and the work of those chunks.
    completing: Vec<Completing>,
    completing_work: Batch,
    /// A sequence was preempted when the current step was scheduled.
    preempted: bool,
}

impl Rank {
    /// An idle rank, number `number` of its replica; `offloads`: there are tiers.
    pub fn new(limits: &Arc<RankLimits>, number: u32, offloads: bool) -> Self {
        assert!(limits.max_num_batched_tokens >= limits.max_num_seqs, "checked by the scenario");
        let cache = limits.prefix_cache.map(|rules| {
            let (tokens, time) = (limits.block_tokens, limits.prompt_time);
            Box::new(PrefixStore::new(rules.eviction, tokens, time))
        });
        Rank {
            limits: limits.clone(),
            waiting: VecDeque::new(),
            running: Running::new(limits.window),
            blocks: Blocks::new(limits.blocks, limits.block_tokens),
            partial: None,
            // Tiers are offered what HBM drops by name.
            sets_apart: !offloads && cache.as_ref().is_some_and(|cache| cache.can_retire()),
            cache,
            idle: 0,
            to_evict: 0,
            expires: limits.can_expire(),
            events: CacheEvents::new(limits.tells_cache),
            offload: offloads.then(|| Box::new(Offload::new(number))),
            completing: Vec::new(),
            completing_work: Batch::default(),
            preempted: false,
        }
    }

    /// Tells what came into the cache and what went since the last time.
    pub fn tell_cache(&mut self, tell: impl FnMut(CacheEvent)) {
        self.settle_evictions();
        self.events.drain(tell);
    }

    /// Sequences in the batch.
    pub fn running(&self) -> u32 {
        self.running.len() + self.completing.len() as u32 + u32::from(self.partial.is_some())
    }

    /// Calls in the queue, or waiting for blocks beside it.
    pub fn waiting(&self) -> u32 {
        self.waiting.len() as u32 + self.set_aside()
    }

    /// Whether there is nothing to do.
    pub fn is_idle(&self) -> bool {
        self.running() == 0 && self.waiting() == 0
    }

    /// KV blocks in use once `steps` more steps have been scheduled.
    pub fn blocks_used_after(&self, step: u64, steps: u64) -> u64 {
        u64::from(self.blocks.used()) + self.blocks_needed(step, steps)
    }

    /// KV blocks in use.
    pub fn blocks_used(&self) -> u32 {
        self.blocks.used()
    }

    /// Puts a call at the end of the queue. Returns whether the next step might
    /// take it; if not, no step can before something else has changed.
    pub fn enqueue(&mut self, call: CallId, calls: &Calls) -> bool {
        self.waiting.push_back(call);
        let chunk = self.partial.map_or(0, |partial| partial.chunk);
        let is_next = self.waiting.len() == 1
            && self.running() < self.limits.max_num_seqs
            && self.running.len() + chunk < self.limits.max_num_batched_tokens;
        is_next && {
            let hit = self.find(&calls[call], calls);
            self.can_admit(hit, &calls[call], 0, 0)
        }
    }

    /// Work of the current step.
    pub fn batch(&self) -> Batch {
        let mut batch = self.completing_work;
        (batch.decode_context, batch.decode_context_windowed) = self.running.context();
        batch.decodes = u64::from(self.running.len());
        if let Some(partial) = self.partial.filter(|partial| partial.chunk > 0) {
            batch.add_chunk(partial.computed, partial.chunk, self.limits.window);
        }
        batch
    }

    /// By how much the context terms of [`Rank::batch`] grow with each step.
    pub fn growth(&self) -> Batch {
        let mut growth = Batch::default();
        (growth.decode_context, growth.decode_context_windowed) = self.running.growth();
        if let Some(partial) = self.partial {
            growth.prefill_pairs = u64::from(partial.chunk) * u64::from(partial.chunk);
            growth.prefill_prefix = u64::from(partial.chunk);
        }
        growth
    }

    /// Steps from `step` on in which nothing changes but the lengths of
    /// contexts; at least 1.
    pub fn horizon(&mut self, step: u64) -> u64 {
        // A queue that a preemption held back is looked at again at once.
        let is_held_back = self.preempted && (!self.waiting.is_empty() || self.has_ready());
        if !self.completing.is_empty() || is_held_back {
            return 1;
        }
        let mut steps = self.running.next_change().map_or(u64::MAX, |change| change - step);
        if let Some(partial) = self.partial.filter(|partial| partial.chunk > 0) {
            // Blocks that are published late, or that somebody has fetched or decoded,
            // may be there already, and be given back.
            let is_late = self.limits.prefix_cache.is_some_and(|rules| !rules.dedup_in_flight);
            let gives_back = is_late || self.offload.is_some() || partial.shares;
            if gives_back || self.limits.window.is_some_and(|window| partial.computed < window) {
                return 1;
            }
            steps = steps.min(u64::from((partial.known - partial.computed - 1) / partial.chunk));
        }
        self.steps_with_blocks(step, steps.min(super::STEPS_MAX))
    }

    /// Moves past `steps` steps, the current one first.
    #[inline]
    pub fn advance(&mut self, step: u64, steps: u64) {
        let needed = self.blocks_needed(step, steps);
        self.take(needed as u32, 0);
        self.running.advance(steps);
        if let Some(partial) = &mut self.partial {
            partial.advance(steps);
        }
    }

    /// Settles what the last step brought: ended sequences leave, completed
    /// prompts sample a token and start decoding. Returns whether the
    /// composition of the batch changed.
    pub fn complete(&mut self, turn: &mut Turn) -> bool {
        let before = turn.outcomes.len();
        let mut changed = false;
        while let Some(change) = self.running.pop_change(turn.step, &mut changed) {
            match change {
                Change::Answers(id) => answers(turn, id),
                Change::Ended(left) => {
                    changed = true;
                    self.end(turn, &left);
                }
            }
        }
        changed |= !self.completing.is_empty();
        for at in 0..self.completing.len() {
            self.sample_after_prefill(turn, self.completing[at]);
        }
        self.completing.clear();
        self.completing_work = Batch::default();
        // Before anything is decided: others may have had the same blocks.
        if let Some(Partial { call, published, computed, .. }) = self.partial {
            let published = self.publish(turn.calls, call, published, computed);
            self.partial = self.partial.map(|partial| Partial { published, ..partial });
        }
        if self.offload.is_some() {
            let happened = turn.outcomes.len() > before;
            self.collect_fetched(turn, happened);
        }
        changed
    }

    /// A decoding sequence has sampled its last token.
    #[inline]
    fn end(&mut self, turn: &mut Turn, left: &Left) {
        if left.answers {
            answers(turn, left.call);
        }
        let published = self.stop_decoding(turn, left);
        self.release(turn, left.call, left.attended - 1, published);
        // Another end in this very step may give it up before anybody hears of its own.
        let call = &mut turn.calls[left.call];
        call.generated = call.output;
        turn.outcomes.push(Outcome::Finished(left.call));
    }

    /// Decides what the step that starts computes. Returns whether the
    /// composition of the batch changed.
    pub fn schedule(&mut self, turn: &mut Turn) -> bool {
        self.preempted = false;
        while self.blocks.needed_in(turn.step) > self.blocks.free() {
            // The sequences before the victim have taken all there was.
            self.evict_down_to(0);
            self.preempt_last(turn);
        }
        // Running sequences come first: what they take now is not there to be hit.
        self.take(0, self.blocks.needed_in(turn.step));
        let chunk_before = self.partial.map(|partial| partial.chunk);
        self.schedule_partial(turn);
        // A step with nothing in it is over at once.
        if !self.preempted || self.running() == 0 {
            self.admit_waiting(turn);
        }
        self.preempted
            || !self.completing.is_empty()
            || self.partial.map(|partial| partial.chunk) != chunk_before
            || self.partial.is_some_and(|partial| self.is_growing_irregularly(&partial))
    }

    /// Evicts what is in the way of the unfinished prompt in the step that starts,
    /// which takes its blocks only when it has passed: whoever asks now what is in
    /// the cache must not see it, and what it publishes must not wake it.
    fn make_room_for_chunk(&mut self, step: u64, partial: &Partial) {
        let chunk = self.partial_blocks(partial, 1) as u32;
        self.take(0, self.blocks.needed_in(step) + chunk);
    }

    /// Queries of the unfinished prompt still reach the window's edge, so their
    /// work does not grow evenly.
    fn is_growing_irregularly(&self, partial: &Partial) -> bool {
        partial.chunk > 0
            && self.limits.window.is_some_and(|window| partial.computed < window + partial.chunk)
    }

    fn sample_after_prefill(&mut self, turn: &mut Turn, prompt: Completing) {
        let Completing { call: id, published, .. } = prompt;
        self.settle_completed(turn, &prompt);
        let computed = turn.calls[id].known_tokens();
        let published = self.publish(turn.calls, id, published, computed);
        self.offer(turn, id, published, false);
        let call = &mut turn.calls[id];
        call.generated += 1;
        if call.generated == 1 {
            call.first_token = turn.now;
            turn.outcomes.push(Outcome::FirstToken(id));
        } else {
            turn.outcomes.push(Outcome::Resumed(id, turn.now.since(call.last_token)));
        }
        let remaining = call.output - call.generated;
        if call.begins_to_answer() {
            answers(turn, id);
        }
        let call = &mut turn.calls[id];
        (call.settled, call.attended) = (turn.counters.shared, computed + 1);
        let call = &turn.calls[id];
        if remaining == 0 {
            let published = self.published(call);
            self.release(turn, id, computed, published);
            turn.outcomes.push(Outcome::Finished(id));
        } else {
            self.running.admit(id, turn.step, computed + 1, remaining, call.left_to_answer());
            self.blocks.join(turn.step, computed + 1);
            turn.decoding[usize::from(call.use_case)] += 1;
        }
    }

    /// A sequence stopped decoding. Returns how many of its blocks the cache knows.
    #[inline]
    fn stop_decoding(&mut self, turn: &mut Turn, left: &Left) -> u32 {
        let call = &mut turn.calls[left.call];
        settle_decoding(call, left.attended, turn.spec, turn.counters, turn.ledger);
        turn.decoding[usize::from(call.use_case)] -= 1;
        let call = &turn.calls[left.call];
        self.blocks.leave(turn.step, left.attended);
        self.published(call)
    }

    fn preempt_last(&mut self, turn: &mut Turn) {
        let id = match self.partial.take() {
            Some(mut partial) => {
                partial.settle(turn);
                let Partial { call, computed, published, .. } = partial;
                let reached = &mut turn.calls[call].reached;
                *reached = computed.max(*reached);
                self.let_go(turn, call, computed, published, Hold::Silent);
                call
            }
            None => {
                let left = self.running.pop_last(turn.step).expect("a decode needs a block");
                let published = self.stop_decoding(turn, &left);
                self.let_go(turn, left.call, left.attended - 1, published, Hold::Silent);
                let call = &mut turn.calls[left.call];
                call.generated = call.output - left.remaining;
                call.last_token = turn.now;
                call.reached = left.attended - 1;
                left.call
            }
        };
        turn.calls[id].preemptions += 1;
        self.waiting.push_front(id);
        self.preempted = true;
        turn.outcomes.push(Outcome::Preempted(id));
    }

    fn schedule_partial(&mut self, turn: &mut Turn) {
        let budget = self.limits.max_num_batched_tokens - self.running.len();
        let Some(partial) = &mut self.partial else { return };
        let left = partial.known - partial.computed;
        partial.pause(turn, budget);
        let mut partial = *partial;
        partial.chunk = left.min(budget);
        let needed = self.partial_blocks(&partial, 1) as u32;
        if self.blocks.needed_in(turn.step) + needed > self.blocks.free() {
            self.preempt_last(turn);
        } else if partial.chunk == left {
            self.take(needed, self.blocks.needed_in(turn.step));
            self.partial = None;
            partial.settle(turn);
            self.start_chunk(turn, &mut partial);
            self.complete_this_step(&partial);
        } else {
            self.make_room_for_chunk(turn.step, &partial);
            self.start_chunk(turn, &mut partial);
            partial.shares = self.meets(turn, &partial);
            self.partial = Some(partial);
        }
    }

    fn admit_waiting(&mut self, turn: &mut Turn) {
        let decodes = u64::from(self.running.len());
        let chunk = self.partial.map_or(0, |partial| partial.chunk);
        let spent = decodes + self.completing_work.prefill_tokens + u64::from(chunk);
        let mut budget = self.limits.max_num_batched_tokens - spent as u32;
        // The unfinished prompt takes all that is left of a budget, so the
        // blocks of decodes in this step are the only others to keep.
        let needed = self.blocks.needed_in(turn.step);
        while budget > 0 && self.running() < self.limits.max_num_seqs {
            let Some(mut partial) = self.next_admitted(turn, budget, needed) else { return };
            let left = partial.known - partial.computed;
            partial.chunk = left.min(budget);
            budget -= partial.chunk;
            if partial.chunk == left {
                self.take(self.partial_blocks(&partial, 1) as u32, needed);
                self.start_chunk(turn, &mut partial);
                self.complete_this_step(&partial);
            } else {
                self.make_room_for_chunk(turn.step, &partial);
                self.start_chunk(turn, &mut partial);
                partial.shares = self.meets(turn, &partial);
                self.partial = Some(partial);
            }
        }
    }

    /// Takes in the next call, if there is one and it has room in a step with
    /// `budget` tokens left, beside `kept` blocks.
    fn next_admitted(&mut self, turn: &mut Turn, budget: u32, kept: u32) -> Option<Partial> {
        if let Some(partial) = self.admit_ready(turn) {
            return Some(partial);
        }
        loop {
            let id = *self.waiting.front()?;
            let hit = self.find(&turn.calls[id], turn.calls);
            if !self.can_admit(hit, &turn.calls[id], budget, kept) {
                return None;
            }
            let is_given = turn.calls[id].given.is_some();
            if is_given || !self.start_fetching(turn, hit, kept) {
                self.waiting.pop_front();
                turn.outcomes.push(Outcome::Scheduled(id));
                self.acquire(turn.calls, id, hit);
                return Some(self.start(turn, id, hit.blocks));
            }
        }
    }

    /// Call `id`, which holds its first `blocks` blocks, starts to run.
    fn start(&mut self, turn: &mut Turn, id: CallId, blocks: u32) -> Partial {
        let computed = self.known(&turn.calls[id], blocks);
        let given = self.blocks.holding(computed) - blocks;
        if given > 0 {
            self.take(given, self.blocks.needed_in(turn.step));
        }
        let call = &mut turn.calls[id];
        if call.scheduled == Time::MAX {
            call.scheduled = turn.now;
            call.cached = computed;
        }
        call.settled = turn.counters.shared;
        let (known, cached) = (call.known_tokens(), call.cached.min(computed));
        Partial {
            call: id,
            computed,
            known,
            chunk: 0,
            published: blocks,
            shares: false,
            cached,
            from: computed,
            chunks: 0,
            prefix: 0,
        }
    }

    /// Whether there is room for `call`, which hits `hit`, in a step with
    /// `budget` tokens left, beside `kept` blocks.
    fn can_admit(&self, hit: Hit, call: &Call, budget: u32, kept: u32) -> bool {
        let known = call.known_tokens();
        let first = self.known(call, hit.blocks).saturating_add(budget);
        let tokens = if self.limits.reserve_full_prompt { known } else { known.min(first) };
        // An empty rank takes whatever fits: nobody else would need the rest.
        let watermark = if self.running() > 0 { self.limits.watermark } else { 0 };
        let needed = self.blocks.holding(tokens) - hit.blocks + watermark;
        needed + hit.idle + kept <= self.blocks.free()
    }

    /// The last chunk of a prompt is in the step that starts.
    fn complete_this_step(&mut self, partial: &Partial) {
        let Partial { call, computed, chunk, published, cached, .. } = *partial;
        self.completing.push(Completing { call, published, from: computed, cached });
        self.completing_work.add_chunk(computed, chunk, self.limits.window);
    }

    /// Most steps, at most `limit`, that the free blocks allow.
    fn steps_with_blocks(&self, step: u64, limit: u64) -> u64 {
        let free = u64::from(self.blocks.free());
        let partial = self.partial.map_or(0, |partial| self.partial_blocks(&partial, limit));
        if self.blocks.needed_at_most(limit) + partial <= free
            || self.blocks_needed(step, limit) <= free
        {
            return limit;
        }
        let (mut enough, mut short) = (1, limit);
        while short - enough > 1 {
            let middle = enough + (short - enough) / 2;
            if self.blocks_needed(step, middle) <= free { enough = middle } else { short = middle }
        }
        enough
    }

    /// Blocks taken by the `steps` steps from `step` on.
    #[inline]
    fn blocks_needed(&self, step: u64, steps: u64) -> u64 {
        let partial = self.partial.map_or(0, |partial| self.partial_blocks(&partial, steps));
        self.blocks.needed(step, steps) + partial
    }

    fn partial_blocks(&self, partial: &Partial, steps: u64) -> u64 {
        let block = u64::from(self.limits.block_tokens);
        let computed = u64::from(partial.computed);
        (computed + u64::from(partial.chunk) * steps).div_ceil(block) - computed.div_ceil(block)
    }
}

/// A call has sampled its first token after thinking.
fn answers(turn: &mut Turn, id: CallId) {
    turn.calls[id].answering = turn.now;
    turn.outcomes.push(Outcome::Answering(id));
}
