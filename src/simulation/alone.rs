//! What a run would take if nobody else were served.
//!
//! Each run has a second clock that goes as its own does, without waiting: a call
//! takes its round trip, the steps of its prompt that a cache which never evicts
//! does not spare, and one step a token with nothing else in the batch; a tool its
//! latency and start-up; a turn the longest of what it waits for. The latency of a
//! run over that of this clock is its amplification.
//!
//! The clock of a recorded session goes on from run to run, and its threads begin on
//! it. Pauses, held answers and recorded instants are as on the clock of the session
//! itself: what falls away is the time that others cost it.
//!
//! Cost: a step time per chunk of the prompt, and one for the whole answer.

use crate::catalog::{ChildOrder, Start};
use crate::factory::{Batch, Call, EngineSpec, GroupTokens};
use crate::kernel::Time;

/// The second clock of a run; all times in ticks.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone {
    /// From the start of the run.
    pub latency: u64,
    /// Tokens of the next prompt that the cache has.
    known: u32,
    /// Of the present turn: its tools, and its sub-agents.
    tools: u64,
    children: u64,
    /// When the last sub-agent in the background ends.
    background: u64,
    /// When it began, on the clock of its parent; of a recording, of its session.
    began: u64,
}

impl Alone {
    /// The clock of a session, or of a sub-agent that does not start as its parent
    /// goes on; others of its kind have said `shared` tokens.
    pub fn new(shared: u32) -> Alone {
        Alone { known: shared, ..Alone::default() }
    }

    /// The clock of a sub-agent that begins now.
    pub fn child(&self, start: Start, shared: u32) -> Alone {
        let known = match start {
            Start::Spawn => shared,
            Start::Fork => self.known,
        };
        Alone { known, began: self.latency, ..Alone::default() }
    }

    /// The clock of a run of a recorded session, or of a thread of it, that begins at
    /// `now` of the clock of the session.
    pub fn from(now: Time) -> Alone {
        Alone { began: now.ticks(), ..Alone::default() }
    }

    /// What the clock of a recorded session shows.
    pub fn now(&self) -> Time {
        Time::from_ticks(self.began + self.latency)
    }

    /// It shows `until`, if that is later.
    pub fn go_on(&mut self, until: Time) {
        self.latency = self.latency.max(until.ticks().saturating_sub(self.began));
    }

    /// The next run of the session begins.
    pub fn begin(&mut self) {
        *self = Alone { known: self.known, began: self.began, ..Alone::default() };
    }

    /// A call was answered; `keeps` tells whether its answer is repeated as it is.
    pub fn answered(&mut self, spec: &EngineSpec, call: &Call, keeps: bool) {
        let rules = spec.limits.prefix_cache;
        let block = spec.limits.block_tokens;
        let found = rules.map_or(0, |_| self.known.min(call.prompt - 1) / block * block);
        let cached = call.given.unwrap_or(found);
        self.latency += call.network.ticks() + at_pool(spec, call.prompt, cached, call.output);
        let has_answer = keeps && rules.is_some_and(|rules| rules.cache_decoded);
        self.known = if has_answer { call.prompt + call.output - 1 } else { call.prompt };
    }

    /// The cache has the first `tokens` tokens of the next prompt, and no others.
    pub fn knows(&mut self, tokens: u32) {
        self.known = tokens;
    }

    /// The tools of a turn take so long, the last of them.
    pub fn tools(&mut self, ticks: u64) {
        self.tools = ticks;
    }

    /// A sub-agent that is waited for has ended.
    pub fn child_ended(&mut self, child: &Alone, order: ChildOrder) {
        match order {
            ChildOrder::Parallel => self.children = self.children.max(child.latency),
            ChildOrder::Sequence => self.children += child.latency,
            ChildOrder::Background => {
                self.background = self.background.max(child.began + child.latency);
            }
        }
    }

    /// All that a turn waits for has come.
    pub fn joined(&mut self) {
        self.latency += self.tools.max(self.children);
        (self.tools, self.children) = (0, 0);
    }

    /// The last turn begins, for which nobody is in the background any more.
    pub fn last_turn(&mut self) {
        self.latency = self.latency.max(self.background);
    }
}

/// A call alone on a replica, of whose prompt `cached` tokens need no computing.
fn at_pool(spec: &EngineSpec, prompt: u32, cached: u32, output: u32) -> u64 {
    let limits = &*spec.limits;
    let line = |batch: &Batch, growth: &Batch| {
        spec.step_time.line(batch, growth, GroupTokens::of(batch, 1))
    };
    let mut ticks = 0;
    let mut computed = cached;
    while computed < prompt {
        let chunk = (prompt - computed).min(limits.max_num_batched_tokens);
        let mut batch = Batch::default();
        batch.add_chunk(computed, chunk, limits.window);
        ticks += line(&batch, &Batch::default()).0;
        computed += chunk;
    }
    // The first token came with the last chunk. Contexts grow by a token a step,
    // within the window up to its edge.
    let mut left = u64::from(output - 1);
    let mut context = u64::from(prompt) + 1;
    while left > 0 {
        let edge = limits.window.map(u64::from).filter(|&window| context < window);
        let steps = edge.map_or(left, |window| left.min(window - context));
        let windowed = limits.window.map_or(0, |window| context.min(window.into()));
        let batch = Batch {
            decodes: 1,
            decode_context: context,
            decode_context_windowed: windowed,
            ..Batch::default()
        };
        let growth = Batch {
            decode_context: 1,
            decode_context_windowed: u64::from(edge.is_some()),
            ..Batch::default()
        };
        let (base, more) = line(&batch, &growth);
        ticks += base * steps + more * (steps * (steps - 1) / 2);
        (left, context) = (left - steps, context + steps);
    }
    ticks
}
