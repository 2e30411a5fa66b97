//! The mean call of a pool: what its use cases ask for, weighted by their rates.
//! Calls that the pool will refuse are left out.
//!
//! What a cache finds depends on what it had to evict, which no closed form
//! tells. The estimate is a cache that never evicts: it holds what a session
//! said before, the shared prefixes, and every block that a recording repeats.
//! Where the hit rate is an input, it is that.

use crate::random::Streams;
use crate::scenario::{Arrivals, Lengths, Pool, Scenario, UseCase};
use crate::workload::agent::{self, Dry, Pace, Replay};
use crate::workload::{Ask, Content, Script, Strand};
use std::sync::Arc;

/// Draws behind a mean for which there is no formula.
const DRAWS: u32 = 10_000;
/// Calls of agents behind a mean.
const AGENT_CALLS: f64 = 100_000.0;

/// Means over the calls of a pool.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Mix {
    /// Calls per second that arrive whatever happens; closed loops adapt to
    /// the pool and are left out.
    pub calls_per_s: f64,
    /// Prompt tokens of a call.
    pub prompt: f64,
    /// Output tokens of a call.
    pub output: f64,
    /// Of these, tokens that a cache that never evicts would have.
    pub cached: f64,
    /// (query, key) pairs of what is computed of a prompt.
    pub pairs: f64,
    /// Tokens attended by a decode: long answers stay longer, so this is more
    /// than the mean prompt and half of the mean output.
    pub context: f64,
}

impl Mix {
    /// The mean call of the pool at index `pool`; `None` when no use case names it.
    pub fn of(scenario: &Scenario, pool: usize) -> Option<Mix> {
        let use_cases = 0..scenario.use_cases.len();
        let served = use_cases.filter(|&at| scenario.use_cases[at].pools().contains(&pool));
        let at_pool = |at: usize| {
            if scenario.use_cases[at].crew().is_some() {
                return Mix::on_pool(scenario, at, pool);
            }
            let mix = Mix::of_calls(scenario, at);
            let share = scenario.use_cases[at].expected_at(pool);
            Mix { calls_per_s: mix.calls_per_s * share, ..mix }
        };
        let all: Vec<Mix> = served.map(at_pool).collect();
        let offered: f64 = all.iter().map(|mix| mix.calls_per_s).sum();
        // Closed loops count as much as each other when nothing else is offered.
        let weight = |mix: &Mix| {
            if offered > 0.0 { mix.calls_per_s / offered } else { 1.0 / all.len() as f64 }
        };
        let mean = |field: fn(&Mix) -> f64| all.iter().map(|mix| weight(mix) * field(mix)).sum();
        let is_served = all.iter().any(|mix| mix.output > 0.0);
        is_served.then(|| Mix {
            calls_per_s: offered,
            prompt: mean(|mix| mix.prompt),
            cached: mean(|mix| mix.cached),
            output: mean(|mix| mix.output),
            pairs: mean(|mix| mix.pairs),
            context: mean(|mix| mix.context),
        })
    }

    /// Calls that the mean number of calls of a session of `use_case` is drawn from.
    pub fn calls_drawn(use_case: &UseCase) -> f64 {
        if use_case.crew().is_some() { AGENT_CALLS } else { f64::from(DRAWS) }
    }

    /// The same call where the cache finds this share of its prompt.
    pub fn with_hit_fraction(&self, share: f64) -> Mix {
        let cached = share * self.prompt;
        let spared = (self.cached * (self.cached + 1.0) - cached * (cached + 1.0)) / 2.0;
        let least = (self.prompt - cached).max(0.0);
        Mix { cached, pairs: (self.pairs + spared).max(least), ..*self }
    }

    /// The mean call of one use case, which is at index `at` of the scenario.
    pub fn of_calls(scenario: &Scenario, at: usize) -> Mix {
        Mix::on_pool(scenario, at, scenario.use_cases[at].pool)
    }

    /// Of these, those that the pool at index `pool` serves.
    fn on_pool(scenario: &Scenario, at: usize, pool: usize) -> Mix {
        let mut begun = 0;
        let writer = Writer::of(scenario, at);
        let sums = sum(scenario, at, Some(pool), writer, None, |_| begun += 1);
        let use_case = &scenario.use_cases[at];
        let calls = match use_case.has_sessions() {
            true => use_case.arrivals.mean_rate() * sums.all / f64::from(begun),
            false => use_case.arrivals.mean_rate(),
        };
        sums.mean(calls)
    }
}

/// What an arrival brings: a call, or all calls of a session.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Brought {
    /// Calls, those that the pool refuses left out as in all that follows.
    pub calls: f64,
    /// Prompt tokens.
    pub prompt: f64,
    /// Of these, tokens that the cache is given or, if it never evicts, has.
    pub cached: f64,
    /// Output tokens.
    pub output: f64,
    /// Of these, thinking tokens.
    pub thinking: f64,
}

impl Brought {
    /// Tells `visit` of arrivals of the use case at index `at` of the scenario: all
    /// of a recording, in order, or as many as a mean is drawn from.
    pub fn each(scenario: &Scenario, at: usize, visit: impl FnMut(Brought)) {
        Brought::each_by(scenario, at, Writer::of(scenario, at), None, visit);
    }

    /// The same arrivals without what makes agents of models, and, unless they
    /// think, as if no call thought: they bring their answers alone. Of sessions of
    /// agents there are `sessions`.
    pub fn each_without_agents(
        scenario: &Scenario,
        at: usize,
        thinks: bool,
        sessions: f64,
        visit: impl FnMut(Brought),
    ) {
        let mut writer = Writer::of(scenario, at);
        match &mut writer {
            Writer::Calls(script) if !thinks => script.silence_thinking(),
            Writer::Replay(replay) => {
                // A recording does not tell thoughts from answers.
                let replay = replay.clone();
                return Brought::told(visit, |tell| {
                    sum_of_first_calls(scenario, at, &replay, tell);
                });
            }
            Writer::Calls(_) => {}
            Writer::Agents(script) => {
                script.answer_at_once();
                if !thinks {
                    script.silence_thinking();
                }
            }
        }
        Brought::each_by(scenario, at, writer, Some(sessions), visit);
    }

    fn each_by(
        scenario: &Scenario,
        at: usize,
        writer: Writer,
        sessions: Option<f64>,
        visit: impl FnMut(Brought),
    ) {
        Brought::told(visit, |tell| {
            sum(scenario, at, None, writer, sessions, tell);
        });
    }

    /// Tells `visit` by how much the sums grow that `each` tells of.
    fn told(mut visit: impl FnMut(Brought), each: impl FnOnce(&mut dyn FnMut(&Sums<'_>))) {
        let mut before = Brought::default();
        each(&mut |sums| {
            let Sums { calls, prompt, cached, output, thinking, .. } = *sums;
            visit(Brought {
                calls: calls - before.calls,
                prompt: prompt - before.prompt,
                cached: cached - before.cached,
                output: output - before.output,
                thinking: thinking - before.thinking,
            });
            before = Brought { calls, prompt, cached, output, thinking };
        });
    }
}

/// What writes the calls of a use case.
enum Writer {
    Calls(Box<Script>),
    Agents(Box<agent::Script>),
    Replay(Arc<Replay>),
}

impl Writer {
    /// That of the use case at index `at`.
    fn of(scenario: &Scenario, at: usize) -> Writer {
        let use_case = &scenario.use_cases[at];
        let streams = Streams::new(scenario.seed, 0);
        match (&use_case.lengths, use_case.crew()) {
            (Lengths::Replayed(replay), _) => Writer::Replay(replay.clone()),
            (_, Some(crew)) => {
                let (name, cache_hit) = (&use_case.name, use_case.cache_hit);
                let script = agent::Script::new(at as u16, name, crew, cache_hit, streams);
                Writer::Agents(Box::new(script))
            }
            (_, None) => Writer::Calls(Box::new(Script::new(at as u16, use_case, streams))),
        }
    }
}

/// Sums over the calls that `writer` writes for the use case at index `at`; `visit`
/// sees them after each arrival. Of agents, those on `pool`, or on all pools, of
/// `sessions` sessions, or of as many as a mean is drawn from.
fn sum(
    scenario: &Scenario,
    at: usize,
    pool: Option<usize>,
    writer: Writer,
    sessions: Option<f64>,
    mut visit: impl FnMut(&Sums<'_>),
) -> Sums<'_> {
    let use_case = &scenario.use_cases[at];
    let mut script = match writer {
        Writer::Calls(script) => *script,
        Writer::Agents(script) => {
            return sum_of_agents(scenario, at, pool, *script, sessions, visit);
        }
        Writer::Replay(replay) => {
            return sum_of_replay(scenario, at, pool, &replay, visit);
        }
    };
    let mut sums = Sums::new(&scenario.pools[use_case.pool]);
    match &use_case.arrivals {
        Arrivals::Trace { trace, .. } if matches!(use_case.lengths, Lengths::Recorded) => {
            let mut cursor = trace.cursor();
            for number in 0..trace.calls {
                let (ask, _) = script.call(number, || Content::new(Strand::NONE));
                let call = cursor.next().expect("a call of the trace");
                sums.add(ask, ask.prompt - call.prompt + cursor.repeated());
                visit(&sums);
            }
        }
        _ if script.has_sessions() => {
            let mut begun = 0;
            while sums.all < f64::from(DRAWS) {
                sums.add_session(&mut script, begun);
                visit(&sums);
                begun += 1;
            }
        }
        _ => {
            for number in 0..u64::from(DRAWS) {
                let (ask, content) = script.call(number, || Content::new(Strand::NONE));
                sums.add(ask, content.map_or(0, |content| shared(&content)));
                visit(&sums);
            }
        }
    }
    sums
}

/// The same of agents, whose sessions are long and of very different lengths.
fn sum_of_agents<'s>(
    scenario: &'s Scenario,
    at: usize,
    pool: Option<usize>,
    script: agent::Script,
    sessions: Option<f64>,
    mut visit: impl FnMut(&Sums<'s>),
) -> Sums<'s> {
    let use_case = &scenario.use_cases[at];
    let keeps = |pool: &Pool| pool.engine.prefix_cache.is_some_and(|rules| rules.cache_decoded);
    let mut dry = Dry::new(script, Pace { first_s: 0.0, prefill_s: 0.0, decode_s: 0.0 })
        .keeping_answers(scenario.pools_of(use_case).map(keeps).collect());
    let mut sums = Sums::new(&scenario.pools[use_case.pool]);
    let mut calls = 0.0;
    let mut number = 0;
    while sessions.map_or(calls < AGENT_CALLS, |sessions| (number as f64) < sessions) {
        dry.session_with(number, |call| {
            calls += 1.0;
            sums.asked_of(scenario, use_case, call.site, pool);
            sums.add(call.ask, call.known);
        });
        visit(&sums);
        number += 1;
    }
    sums
}

/// The same of recorded sessions, each of them once.
fn sum_of_replay<'s>(
    scenario: &'s Scenario,
    at: usize,
    pool: Option<usize>,
    replay: &Replay,
    mut visit: impl FnMut(&Sums<'s>),
) -> Sums<'s> {
    let use_case = &scenario.use_cases[at];
    let mut sums = Sums::new(&scenario.pools[use_case.pool]);
    for number in 0..replay.graph.sessions() {
        replay.graph.each_call(number, |kind, call| {
            if call.prompt > 0 {
                sums.asked_of(scenario, use_case, replay.site_of(kind, call), pool);
                let known = call.known(sums.keeps_answers());
                sums.add(recorded(call.prompt, call.output, use_case.cache_hit), known);
            }
        });
        visit(&sums);
    }
    sums
}

/// The same if each run of a recorded session were one call: its first prompt and
/// answer. What its other calls brought, sub-agents too, is then not in the prompts of
/// the runs after it.
fn sum_of_first_calls<'s>(
    scenario: &'s Scenario,
    at: usize,
    replay: &Replay,
    mut visit: impl FnMut(&Sums<'s>),
) -> Sums<'s> {
    let use_case = &scenario.use_cases[at];
    let mut sums = Sums::new(&scenario.pools[use_case.pool]);
    for number in 0..replay.graph.sessions() {
        let session = replay.graph.session(number);
        let kind = replay.graph.kind_of(session);
        // Of the run before: what its one call had said, and all that it said in truth.
        let mut before: Option<(u32, u64)> = None;
        let mut is_first = true;
        for call in replay.graph.calls_of(session).iter().filter(|call| call.prompt > 0) {
            if std::mem::take(&mut is_first) {
                let prompt = match before {
                    None => call.prompt,
                    Some((said, in_truth)) => {
                        let message = u64::from(call.prompt).saturating_sub(in_truth);
                        let prompt = u64::from(said) + message;
                        prompt.clamp(1, call.prompt.into()) as u32
                    }
                };
                sums.asked_of(scenario, use_case, replay.site_of(kind, call), None);
                let known = before.map_or(call.known(sums.keeps_answers()), |(said, _)| said);
                sums.add(recorded(prompt, call.output, use_case.cache_hit), known);
                before = Some((prompt.saturating_add(call.output), 0));
            }
            if let Some((_, in_truth)) = &mut before {
                *in_truth = u64::from(call.prompt) + u64::from(call.output);
            }
            is_first = call.ends_run;
        }
        visit(&sums);
    }
    sums
}

/// What a recorded call asks for.
fn recorded(prompt: u32, output: u32, cache_hit: Option<f64>) -> Ask {
    // `as` truncates, so a half more rounds to the nearest.
    let given = cache_hit.map(|share| ((f64::from(prompt) * share + 0.5) as u32).min(prompt - 1));
    Ask { given, ..Ask::plain(prompt, output) }
}

/// Tokens before a call's own.
fn shared(content: &Content) -> u32 {
    content.stretches().iter().rev().nth(1).map_or(0, |stretch| stretch.until)
}

/// Sums over the calls that a pool does not refuse.
struct Sums<'p> {
    /// The pool of the call that is added next, and how much of a call that is.
    pool: &'p Pool,
    weight: f64,
    all: f64,
    calls: f64,
    prompt: f64,
    cached: f64,
    output: f64,
    thinking: f64,
    pairs: f64,
    /// Context times the tokens that attend it.
    attended: f64,
}

impl<'p> Sums<'p> {
    fn new(pool: &'p Pool) -> Self {
        let zero = 0.0;
        Sums {
            pool,
            weight: 1.0,
            all: zero,
            calls: zero,
            prompt: zero,
            cached: zero,
            output: zero,
            thinking: zero,
            pairs: zero,
            attended: zero,
        }
    }

    /// The call that is added next is asked of `site`, or of whichever its user's calls
    /// are sent to. Of those that `pool` may serve its share counts, or all of each.
    fn asked_of(
        &mut self,
        scenario: &'p Scenario,
        use_case: &UseCase,
        site: Option<u8>,
        pool: Option<usize>,
    ) {
        let any = || use_case.pools()[usize::from(site.unwrap_or(0))];
        self.pool = &scenario.pools[pool.unwrap_or_else(any)];
        self.weight = pool.map_or(1.0, |pool| use_case.serves(site, pool));
    }

    /// Whether the pool of the call that is added next keeps the KV of answers.
    fn keeps_answers(&self) -> bool {
        self.pool.engine.prefix_cache.is_some_and(|rules| rules.cache_decoded)
    }

    /// Adds a call, the first `repeated` tokens of whose prompt were there before.
    fn add(&mut self, ask: Ask, repeated: u32) {
        let weight = self.weight;
        self.all += weight;
        if !self.pool.accepts(ask.prompt, ask.output) {
            return;
        }
        let block = self.pool.kv.block_tokens;
        let found = match self.pool.engine.prefix_cache {
            Some(_) => repeated.min(ask.prompt - 1) / block * block,
            None => 0,
        };
        let cached = f64::from(ask.given.unwrap_or(found));
        let (prompt, output) = (f64::from(ask.prompt), f64::from(ask.output));
        self.calls += weight;
        self.prompt += weight * prompt;
        self.cached += weight * cached;
        self.output += weight * output;
        self.thinking += weight * f64::from(ask.thinking);
        self.pairs += weight * (prompt * (prompt + 1.0) - cached * (cached + 1.0)) / 2.0;
        self.attended += weight * output * (prompt + output / 2.0);
    }

    /// Adds the turns of a session, which ends early when one is refused.
    fn add_session(&mut self, script: &mut Script, number: u64) {
        let mut session = script.session(number, Content::new(Strand::NONE));
        let keeps_answers = self.keeps_answers();
        let mut repeated = session.history;
        while !session.is_over() {
            let ask = script.turn(&session);
            self.add(ask, repeated);
            if !self.pool.accepts(ask.prompt, ask.output) {
                return;
            }
            // The last token of an answer has no KV yet.
            let whole = ask.prompt + ask.output;
            script.answered(&mut session, ask, None);
            // So has none of an answer that was parted from its thinking.
            let is_whole = session.history == whole;
            repeated = if keeps_answers && is_whole { whole - 1 } else { ask.prompt };
        }
    }

    fn mean(&self, calls_per_s: f64) -> Mix {
        if self.calls == 0.0 {
            return Mix::default();
        }
        Mix {
            calls_per_s: calls_per_s * self.calls / self.all,
            prompt: self.prompt / self.calls,
            cached: self.cached / self.calls,
            output: self.output / self.calls,
            pairs: self.pairs / self.calls,
            context: self.attended / self.output,
        }
    }
}
