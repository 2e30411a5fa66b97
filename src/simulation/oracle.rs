//! The oracle: a slow engine that the fast one must equal bit for bit.
//!
//! It takes one step at a time, loops over every sequence, allocates KV blocks
//! in the order in which vLLM v1 does, counts attended tokens one by one, and
//! knows a batch's composition by comparing it with the one before. Nothing is
//! shared with the fast engine but the step-time coefficients and their
//! rounding and, below HBM, links and the weighing of a fetch.

mod transfers;
mod work;

use crate::factory::{
    Batch, CacheEvent, Call, CallId, Calls, Engine, EngineSpec, Eviction, GroupTokens, Hold,
    Ledger, Load, Next, Outcome, Piece, Progress, RankLimits, ReferenceStore, ReferenceTier,
    Rescheduled, Segment, Tiers,
};
use crate::kernel::{Span, Time};
use crate::workload::{Strand, Stretch};
use std::collections::{BTreeMap, VecDeque};
use transfers::Transfer;

const OWN: Stretch = Stretch { strand: Strand::NONE, until: 0 };

#[derive(Clone, Debug)]
struct Sequence {
    call: CallId,
    use_case: u16,
    computed: u32,
    /// Tokens to compute before the next one is sampled.
    known: u32,
    blocks: u32,
    /// Of these, blocks that the cache knows.
    published: u32,
    /// It has sampled a token since it was admitted.
    decodes: bool,
    /// Tokens computed in the current step.
    now: u32,
    /// Tokens at its start that count as cached.
    cached: u32,
}

#[derive(Clone, Debug, PartialEq)]
struct Member {
    call: u32,
    decodes: bool,
    tokens: u32,
    completes: bool,
    is_short: bool,
}

#[derive(Clone, Debug)]
struct Rank {
    limits: RankLimits,
    waiting: VecDeque<CallId>,
    running: Vec<Sequence>,
    /// Blocks that the cache does not know, of all sequences.
    private: u32,
    cache: ReferenceStore,
    /// What is resident of each strand, as told last: first block and end.
    told: BTreeMap<Strand, (u32, u32)>,
    number: u32,
    /// Blocks that the cache has dropped since the tiers last heard.
    dropped: Vec<Piece>,
    /// Calls whose blocks are on their way or have arrived, as issued.
    transfers: Vec<Transfer>,
}

/// What surrounds a rank in a turn.
struct Around<'a> {
    spec: &'a EngineSpec,
    replica: u32,
    now: Time,
    calls: &'a mut Calls,
    tiers: &'a mut Tiers<ReferenceTier>,
    outcomes: &'a mut Vec<Outcome>,
}

#[derive(Clone, Debug)]
pub struct Oracle {
    ranks: Vec<Rank>,
    replica: u32,
    next_rank: usize,
    decoding: Vec<u32>,
    prompting: Vec<u16>,
    /// What each sequence takes of the rest of a step, in grains.
    share: u64,
    /// By how much that grows with each step of a composition.
    longer: u64,
    /// Nothing runs until a transfer is over; up to when that has been counted.
    waits_since: Option<Time>,
    composition: Vec<Vec<Member>>,
    /// The step's composition may be continued by the next one.
    is_regular: bool,
    lines: Vec<(u64, u64)>,
    steps_of_composition: u64,
    current: Option<Segment>,
    /// Calls that leave before the next step.
    aborts: Vec<CallId>,
}

impl Sequence {
    fn attended(&self, token: u32, window: Option<u32>) -> u64 {
        u64::from((self.computed + token + 1).min(window.unwrap_or(u32::MAX)))
    }
}

impl Rank {
    fn blocks_for(&self, tokens: u32) -> u32 {
        tokens.div_ceil(self.limits.block_tokens)
    }

    /// Blocks that no sequence holds.
    fn free(&self) -> u32 {
        self.limits.blocks - self.private - (self.cache.resident() - self.cache.idle())
    }

    /// Takes blocks with nothing in them, one by one, and makes them where there are none.
    fn allocate(&mut self, blocks: u32) {
        for _ in 0..blocks {
            if self.private + self.cache.resident() == self.limits.blocks {
                for (strand, block) in self.cache.evict(1) {
                    self.dropped.push(Piece { strand, start: block, end: block + 1 });
                }
            }
            self.private += 1;
        }
    }

    /// Blocks of a call that may be found: they leave a token to compute, and belong
    /// to its prompt where the cache knows no others.
    fn sought(&self, call: &Call) -> u32 {
        let known = call.prompt + call.generated - 1;
        let knows_answers = self.limits.prefix_cache.is_some_and(|rules| rules.cache_decoded);
        let most = if knows_answers { known } else { known.min(call.prompt) };
        most / self.limits.block_tokens
    }

    /// Whether tokens of the step that starts can be hit at once.
    fn in_flight(&self) -> u32 {
        u32::from(self.limits.prefix_cache.is_some_and(|rules| rules.dedup_in_flight))
    }

    fn publish(&mut self, at: usize, in_flight: u32, calls: &Calls) {
        let mut sequence = self.running[at].clone();
        self.publish_sequence(&mut sequence, in_flight, calls);
        self.running[at] = sequence;
    }

    /// Makes the full blocks of a sequence known to the cache.
    fn publish_sequence(&mut self, sequence: &mut Sequence, in_flight: u32, calls: &Calls) {
        if self.limits.prefix_cache.is_none() {
            return;
        }
        let call = &calls[sequence.call];
        let rules = self.limits.prefix_cache.unwrap();
        let most = match call.given {
            Some(_) => 0,
            None if rules.cache_decoded => u32::MAX,
            None => call.prompt,
        };
        let tokens = sequence.computed + in_flight * sequence.now;
        let full = tokens.min(most) / self.limits.block_tokens;
        while sequence.published < full {
            let mut own = OWN;
            let content = calls.stretches(&calls[sequence.call], &mut own);
            self.cache.publish(content, sequence.published, sequence.published + 1);
            self.private -= 1;
            sequence.published += 1;
        }
    }

    /// A sequence ends or is preempted.
    fn release(&mut self, sequence: &Sequence, said: Hold, around: &mut Around<'_>) {
        let mut sequence = sequence.clone();
        self.publish_sequence(&mut sequence, 0, around.calls);
        self.private -= sequence.blocks - sequence.published;
        let mut own = OWN;
        let content = around.calls.stretches(&around.calls[sequence.call], &mut own);
        self.cache.leave(content, sequence.published, said);
        self.tell_tiers(&sequence, true, around);
    }

    fn preempt_last(&mut self, around: &mut Around<'_>) {
        let victim = self.running.pop().unwrap();
        self.release(&victim, Hold::Silent, around);
        let call = &mut around.calls[victim.call];
        call.preemptions += 1;
        if victim.decodes {
            call.last_token = around.now;
        }
        call.reached = call.reached.max(victim.computed);
        self.waiting.push_front(victim.call);
        around.outcomes.push(Outcome::Preempted(victim.call));
    }

    fn schedule(&mut self, around: &mut Around<'_>) {
        let mut budget = self.limits.max_num_batched_tokens;
        let mut preempted = false;
        let mut at = 0;
        while at < self.running.len() {
            let sequence = &self.running[at];
            let tokens = (sequence.known - sequence.computed).min(budget);
            let target = self.blocks_for(sequence.computed + tokens);
            let needed = target.saturating_sub(sequence.blocks);
            if needed > self.free() {
                self.preempt_last(around);
                preempted = true;
                continue;
            }
            self.allocate(needed);
            budget -= tokens;
            let sequence = &mut self.running[at];
            sequence.blocks += needed;
            sequence.now = tokens;
            if !sequence.decodes {
                self.publish(at, self.in_flight(), around.calls);
            }
            at += 1;
        }
        let may_admit = !preempted || self.running.is_empty();
        while may_admit && budget > 0 && self.running.len() < self.limits.max_num_seqs as usize {
            if self.transfers.first().is_some_and(|transfer| transfer.has_arrived) {
                let ready = self.transfers.remove(0);
                self.private -= ready.spare;
                budget -= self.admit(ready.call, ready.published, budget, around);
                continue;
            }
            let Some(&id) = self.waiting.front() else { return };
            let call = around.calls[id];
            let known = call.prompt + call.generated;
            let mut own = OWN;
            let content = around.calls.stretches(&call, &mut own);
            let hit = match self.limits.prefix_cache {
                Some(_) if call.given.is_none() => self.cache.lookup(content, self.sought(&call)),
                _ => Default::default(),
            };
            let computed = call.given.unwrap_or(hit.blocks * self.limits.block_tokens);
            let tokens = (known - computed).min(budget);
            let reserve = if self.limits.reserve_full_prompt { known } else { computed + tokens };
            let watermark = if self.running.is_empty() { 0 } else { self.limits.watermark };
            let needed = self.blocks_for(reserve) - hit.blocks + watermark;
            if needed + hit.idle > self.free() {
                return;
            }
            let may_fetch = call.given.is_none() && !around.spec.offload.is_empty();
            if may_fetch && self.fetch(around, self.free() - watermark) {
                continue;
            }
            self.waiting.pop_front();
            let content = around.calls.stretches(&call, &mut own);
            self.cache.acquire(content, hit.blocks);
            budget -= self.admit(id, hit.blocks, budget, around);
        }
    }

    /// Call `id` starts to run on the `hit` blocks that it holds. Returns the
    /// tokens that it computes in this step.
    fn admit(&mut self, id: CallId, hit: u32, budget: u32, around: &mut Around<'_>) -> u32 {
        let call = &mut around.calls[id];
        let known = call.prompt + call.generated;
        let computed = call.given.unwrap_or(hit * self.limits.block_tokens);
        let tokens = (known - computed).min(budget);
        if call.scheduled == Time::MAX {
            call.scheduled = around.now;
            call.cached = computed;
        }
        let (use_case, cached) = (call.use_case, call.cached.min(computed));
        around.outcomes.push(Outcome::Scheduled(id));
        let blocks = self.blocks_for(computed + tokens);
        self.allocate(blocks - hit);
        self.running.push(Sequence {
            call: id,
            use_case,
            computed,
            known,
            blocks,
            published: hit,
            decodes: false,
            now: tokens,
            cached,
        });
        self.publish(self.running.len() - 1, self.in_flight(), around.calls);
        tokens
    }

    /// The step is over: every sequence has computed its tokens.
    fn complete(&mut self, around: &mut Around<'_>) {
        let before = around.outcomes.len();
        for mut sequence in std::mem::take(&mut self.running) {
            sequence.computed += sequence.now;
            sequence.now = 0;
            if !sequence.decodes {
                self.publish_sequence(&mut sequence, 0, around.calls);
            }
            if sequence.computed < sequence.known {
                self.running.push(sequence);
                continue;
            }
            if !sequence.decodes {
                self.tell_tiers(&sequence, false, around);
            }
            let call = &mut around.calls[sequence.call];
            call.generated += 1;
            if !sequence.decodes {
                if call.generated == 1 {
                    call.first_token = around.now;
                    around.outcomes.push(Outcome::FirstToken(sequence.call));
                } else {
                    let gap = around.now.since(call.last_token);
                    around.outcomes.push(Outcome::Resumed(sequence.call, gap));
                }
            }
            if call.thinking > 0 && call.generated == call.thinking + 1 {
                call.answering = around.now;
                around.outcomes.push(Outcome::Answering(sequence.call));
            }
            sequence.decodes = true;
            sequence.known += 1;
            if call.generated == call.output {
                let said = call.hold.in_blocks(self.limits.block_tokens);
                self.release(&sequence, said, around);
                around.outcomes.push(Outcome::Finished(sequence.call));
            } else {
                self.running.push(sequence);
            }
        }
        let is_over = |transfer: &Transfer| !transfer.has_arrived && transfer.done <= around.now;
        if around.outcomes.len() > before || self.transfers.iter().any(is_over) {
            self.tell_of_dropped(around);
        }
        self.finish_transfers(around);
    }

    /// Takes out a call that nobody waits for, or marks it as such while its blocks
    /// are on their way.
    fn abort(&mut self, id: CallId, around: &mut Around<'_>) {
        if let Some(at) = self.waiting.iter().position(|&call| call == id) {
            self.waiting.remove(at);
            around.outcomes.push(Outcome::Aborted { call: id, was_running: false });
        }
        if let Some(at) = self.running.iter().position(|sequence| sequence.call == id) {
            let sequence = self.running.remove(at);
            let said = around.calls[id].hold.in_blocks(self.limits.block_tokens);
            self.release(&sequence, said, around);
            around.outcomes.push(Outcome::Aborted { call: id, was_running: true });
        }
        if let Some(at) = self.transfers.iter().position(|transfer| transfer.call == id) {
            self.transfers[at].is_aborted = true;
            self.drop_aborted(around);
        }
    }

    fn waiting(&self) -> usize {
        self.waiting.len() + self.transfers.len()
    }

    /// Compares what is resident with what was told last.
    fn tell_cache(&mut self, mut tell: impl FnMut(CacheEvent)) {
        let resident = self.cache.strands();
        for (&strand, &(first, _)) in &self.told {
            let end = resident.get(&strand).map_or(first, |&(_, end)| end);
            tell(CacheEvent::Removed { strand, end });
        }
        for (&strand, &(first, end)) in &resident {
            tell(CacheEvent::Stored { strand, first, end });
        }
        self.told = resident;
    }

    fn batch(&self, ahead: u32) -> Batch {
        let window = self.limits.window;
        let mut batch = Batch::default();
        for sequence in &self.running {
            let mut sequence = sequence.clone();
            sequence.computed += ahead * sequence.now;
            let tokens = 0..sequence.now;
            let full: u64 = tokens.clone().map(|token| sequence.attended(token, None)).sum();
            let clipped: u64 = tokens.map(|token| sequence.attended(token, window)).sum();
            let clipped = if window.is_some() { clipped } else { 0 };
            if sequence.decodes {
                batch.decodes += 1;
                batch.decode_context += full;
                batch.decode_context_windowed += clipped;
            } else if sequence.now > 0 {
                batch.prefills += 1;
                batch.prefill_tokens += u64::from(sequence.now);
                batch.prefill_pairs += full;
                batch.prefill_pairs_windowed += clipped;
                batch.prefill_prefix += u64::from(sequence.computed);
            }
        }
        batch
    }

    fn growth(&self) -> Batch {
        let (this, next) = (self.batch(0), self.batch(1));
        Batch {
            decode_context: next.decode_context - this.decode_context,
            decode_context_windowed: next.decode_context_windowed - this.decode_context_windowed,
            prefill_pairs: next.prefill_pairs - this.prefill_pairs,
            prefill_prefix: next.prefill_prefix - this.prefill_prefix,
            ..Batch::default()
        }
    }

    fn members(&self) -> Vec<Member> {
        let member = |sequence: &Sequence| Member {
            call: sequence.call.index(),
            decodes: sequence.decodes,
            tokens: sequence.now,
            completes: !sequence.decodes && sequence.computed + sequence.now == sequence.known,
            is_short: self.limits.window.is_some_and(|window| {
                if sequence.decodes {
                    sequence.computed + 1 < window
                } else {
                    sequence.computed < window
                }
            }),
        };
        self.running.iter().map(member).collect()
    }

    /// No prompt completes in this step, and no prompt chunk still reaches the
    /// edge of the window.
    fn is_regular(&self) -> bool {
        self.running.iter().all(|sequence| {
            sequence.decodes
                || sequence.now == 0
                || (sequence.computed + sequence.now < sequence.known
                    && self.limits.window.is_none_or(|window| sequence.computed >= window))
        })
    }
}

impl Oracle {
    /// The rank of a call whose router has chosen none.
    fn choose_rank(&mut self) -> usize {
        let count = self.ranks.len();
        let mut chosen = self.next_rank % count;
        for offset in 0..count {
            let rank = (self.next_rank + offset) % count;
            let score =
                |rank: usize| 4 * self.ranks[rank].waiting() + self.ranks[rank].running.len();
            if score(rank) < score(chosen) {
                chosen = rank;
            }
        }
        if count > 1 {
            self.next_rank = (chosen + 1) % count;
        }
        chosen
    }
}

impl Engine for Oracle {
    type Store = ReferenceTier;

    fn new(spec: &EngineSpec, number: u32, use_cases: usize) -> Self {
        let rank = |number| Rank {
            limits: *spec.limits,
            waiting: VecDeque::new(),
            running: Vec::new(),
            private: 0,
            cache: ReferenceStore::new(
                spec.limits.prefix_cache.map_or(Eviction::Lru, |rules| rules.eviction),
                spec.limits.block_tokens,
                spec.limits.prompt_time,
            ),
            told: BTreeMap::new(),
            number,
            dropped: Vec::new(),
            transfers: Vec::new(),
        };
        Oracle {
            ranks: (0..spec.ranks).map(rank).collect(),
            replica: number,
            next_rank: 0,
            decoding: vec![0; use_cases],
            prompting: Vec::new(),
            share: 0,
            longer: 0,
            waits_since: None,
            composition: Vec::new(),
            is_regular: false,
            lines: Vec::new(),
            steps_of_composition: 0,
            current: None,
            aborts: Vec::new(),
        }
    }

    fn enqueue(
        &mut self,
        _now: Time,
        call: CallId,
        rank: Option<u32>,
        _calls: &Calls,
    ) -> Rescheduled {
        let chosen = rank.map_or_else(|| self.choose_rank(), |rank| rank as usize);
        self.ranks[chosen].waiting.push_back(call);
        if self.current.is_none() { Rescheduled::Wake } else { Rescheduled::Unmoved }
    }

    fn abort(&mut self, _now: Time, id: CallId) -> Rescheduled {
        self.aborts.push(id);
        if self.current.is_none() { Rescheduled::Wake } else { Rescheduled::Unmoved }
    }

    fn worked(&self, spec: &EngineSpec, now: Time, id: CallId, calls: &Calls) -> u64 {
        let is_over = self.current.is_some_and(|step| step.end() <= now);
        let in_step = if is_over { self.in_step(spec, id) } else { 0 };
        calls[id].work + in_step + self.held_by(now, id)
    }

    fn settle(&mut self, _spec: &EngineSpec, _now: Time) -> Option<Progress> {
        None
    }

    fn finish_segment(&mut self, spec: &EngineSpec) -> Option<Progress> {
        let segment = self.current?;
        let used = |rank: &Rank| u64::from(rank.limits.blocks - rank.free());
        let blocks_used = self.ranks.iter().map(used).max().unwrap();
        Some(Progress { segment, blocks_used, rest: self.rest(spec, segment.base) })
    }

    fn settle_work(
        &mut self,
        _spec: &EngineSpec,
        now: Time,
        calls: &mut Calls,
        ledger: &mut Ledger,
    ) {
        self.enter_waiting(now, calls, ledger);
    }

    fn prompting(&self) -> &[u16] {
        &self.prompting
    }

    fn turn(
        &mut self,
        spec: &EngineSpec,
        now: Time,
        calls: &mut Calls,
        tiers: &mut Tiers<ReferenceTier>,
        ledger: &mut Ledger,
        outcomes: &mut Vec<Outcome>,
    ) -> Next {
        self.enter_waiting(now, calls, ledger);
        self.waits_since = None;
        if self.current.is_some() {
            self.enter_step(spec, calls, ledger);
        }
        self.ranks.iter_mut().for_each(|rank| rank.cache.expire(now));
        let mut around = Around { spec, replica: self.replica, now, calls, tiers, outcomes };
        if self.current.take().is_none() {
            self.composition.clear();
        }
        self.ranks.iter_mut().for_each(|rank| rank.complete(&mut around));
        for id in self.aborts.drain(..) {
            self.ranks.iter_mut().for_each(|rank| rank.abort(id, &mut around));
        }
        self.ranks.iter_mut().for_each(|rank| rank.schedule(&mut around));
        self.decoding.fill(0);
        for sequence in self.ranks.iter().flat_map(|rank| &rank.running) {
            self.decoding[usize::from(sequence.use_case)] += u32::from(sequence.decodes);
        }
        if self.ranks.iter().all(|rank| rank.running.is_empty()) {
            let transfers = self.ranks.iter().flat_map(|rank| &rank.transfers);
            let done = transfers.map(|transfer| transfer.done).min();
            self.waits_since = done.map(|_| now);
            return done.map_or(Next::Nothing, Next::Transfer);
        }
        let composition: Vec<_> = self.ranks.iter().map(Rank::members).collect();
        let continues = self.is_regular && composition == self.composition;
        self.is_regular = self.ranks.iter().all(Rank::is_regular);
        if continues {
            self.steps_of_composition += 1;
        } else {
            let mut group = GroupTokens::default();
            self.ranks.iter().for_each(|rank| group.add(&rank.batch(0)));
            let line = |rank: &Rank| match rank.running.is_empty() {
                true => (0, 0),
                false => spec.step_time.line(&rank.batch(0), &rank.growth(), group),
            };
            self.lines = self.ranks.iter().map(line).collect();
            self.composition = composition;
            self.steps_of_composition = 0;
        }
        let step = self.steps_of_composition;
        let base = self.lines.iter().map(|(base, growth)| base + growth * step).max().unwrap();
        if step == 0 {
            self.share_rest(spec, base);
        } else {
            self.share += self.longer;
        }
        self.list_prompting();
        self.current = Some(Segment { start: now, base, increment: 0, steps: 1 });
        Next::Boundary(now + Span::from_ticks(base))
    }

    fn decoding(&self) -> &[u32] {
        &self.decoding
    }

    fn recount(&self, calls: &Calls) -> u64 {
        let running = self.ranks.iter().flat_map(|rank| &rank.running).map(|s| s.call);
        let waiting = self.ranks.iter().flat_map(|rank| &rank.waiting).copied();
        let aside = self.ranks.iter().flat_map(|rank| &rank.transfers).map(|t| t.call);
        running.chain(waiting).chain(aside).map(|id| u64::from(calls[id].generated)).sum()
    }

    fn tell_caches(&mut self, mut tell: impl FnMut(u32, CacheEvent)) {
        for (rank, state) in (0..).zip(&mut self.ranks) {
            state.tell_cache(|event| tell(rank, event));
        }
    }

    fn load(&self, _now: Time) -> Load {
        let blocks = |rank: &Rank| u64::from(rank.limits.blocks - rank.free());
        Load {
            running: self.ranks.iter().map(|rank| rank.running.len() as u32).sum(),
            waiting: self.ranks.iter().map(|rank| rank.waiting() as u32).sum(),
            blocks_used: self.ranks.iter().map(blocks).sum(),
        }
    }
}
