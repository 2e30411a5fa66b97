//! How pools serve under their load, in closed form: what a stationary start must
//! know before anything runs.
//!
//! With n sequences on a rank a call takes n / X(n), where X(n) is what the rank
//! finishes in a second (Little's law). Open demand asks for a rate whatever
//! happens; a client of a closed loop with k calls a cycle asks for k in k R + P
//! seconds, R being the time of a call and P its pauses. The concurrency is where
//! both meet; a pool that is offered more has that of its best.
//!
//! A cache under LRU drops what nobody has asked for during its characteristic time
//! (Che, Tung and Wang 2002): that in which as many different tokens are asked for as
//! it holds. What a call has said stays until its session goes on, which asks for it
//! again, or for that time, whichever is shorter.

use super::capacity::{Steady, concurrencies};
use super::mix::Mix;
use crate::factory::{Batch, Eviction, GroupTokens};
use crate::kernel::Span;
use crate::random::{Component, Distribution, Streams};
use crate::scenario::{Arrivals, Lengths, Pool, PoolPace, Scenario, UseCase};
use crate::workload::agent::{self, Dry, Pace};
use crate::workload::{Content, Strand};
use std::sync::Arc;

/// Sessions, or distributions without a mean, are drawn so often for theirs.
const DRAWS: u64 = 200;

/// A cache that keeps what is said for ten years keeps it for good; found to a millisecond.
const LONG_S: f64 = 10.0 * 365.0 * 86_400.0;
const HALVINGS: u32 = 40;
/// Steps towards what a cache keeps that depends on what it has to evict.
const ROUNDS: u32 = 30;

/// The pace of each pool of `scenario` under the load that it is offered.
pub fn paces(scenario: &Scenario) -> Arc<[PoolPace]> {
    let use_cases = 0..scenario.use_cases.len();
    let demands: Vec<Demand> = use_cases.map(|at| Demand::of(scenario, at)).collect();
    (0..scenario.pools.len()).map(|pool| pace(scenario, pool, &demands)).collect()
}

/// What a use case asks for in time.
struct Demand {
    /// Calls of a session, or 1.
    calls: f64,
    /// Some of the pauses between them, s.
    between_s: Vec<f64>,
    /// Pauses of a session, or of a cycle of a closed loop, in all.
    pauses_s: f64,
    /// Clients of a closed loop, or what comes in a second whatever happens.
    clients: f64,
    rate: f64,
    /// Tokens at the start of a session that others say as well.
    shared: f64,
}

impl Demand {
    /// That of the use case at index `at`.
    fn of(scenario: &Scenario, at: usize) -> Demand {
        let use_case = &scenario.use_cases[at];
        let mut demand = Demand::of_session(scenario, at);
        demand.rate = use_case.arrivals.mean_rate();
        if let Arrivals::ClosedLoop { clients, think, .. } = &use_case.arrivals {
            demand.clients = f64::from(*clients);
            demand.pauses_s += mean(scenario, think.as_ref());
        }
        demand
    }

    fn of_session(scenario: &Scenario, at: usize) -> Demand {
        let use_case: &UseCase = &scenario.use_cases[at];
        let (mut calls, mut pauses_s, mut between_s) = (0.0, 0.0, Vec::new());
        let mut shared = use_case.prefix.iter().map(|it| it.tokens.expected()).sum::<f64>();
        let mut sessions = DRAWS as f64;
        match &use_case.lengths {
            Lengths::Agents(crew) => {
                let streams = Streams::new(scenario.seed, 0);
                let script = agent::Script::new(at as u16, &use_case.name, crew, None, streams);
                let first = script.clone().session(0, Content::new(Strand::NONE));
                shared = first.shared_tokens().into();
                let mut dry = Dry::new(script, Pace::default());
                for number in 0..DRAWS {
                    pauses_s += dry.length_s(number);
                    let session = dry.session(number);
                    calls += session.calls as f64;
                    between_s.push(session.tool_s / session.turns.max(1) as f64);
                }
            }
            Lengths::Replayed(replay) => {
                sessions = replay.graph.sessions() as f64;
                for number in 0..replay.graph.sessions() {
                    replay.graph.each_call(number, |_, call| {
                        calls += f64::from(u8::from(call.prompt > 0));
                        pauses_s += call.pause.seconds();
                        between_s.push(call.pause.seconds());
                    });
                }
            }
            Lengths::Drawn { .. } | Lengths::Recorded => {
                sessions = 1.0;
                calls = 1.0;
                if let Some(session) = &use_case.session {
                    calls = session.turns.expected().max(1.0);
                    pauses_s = (calls - 1.0) * mean(scenario, session.think.as_ref());
                    between_s = draws(scenario, session.think.as_ref());
                }
            }
        }
        let (calls, pauses_s) = (calls / sessions, pauses_s / sessions);
        Demand { calls, between_s, pauses_s, clients: 0.0, rate: 0.0, shared }
    }

    /// Calls a second that clients make if each takes `call_s`.
    fn of_clients(&self, call_s: f64) -> f64 {
        match self.clients {
            0.0 => 0.0,
            clients => clients * self.calls / (self.calls * call_s + self.pauses_s),
        }
    }

    /// Calls in a second if each takes `call_s`.
    fn calls_per_s(&self, call_s: f64) -> f64 {
        self.rate * self.calls + self.of_clients(call_s)
    }

    /// Share of the pauses that are no longer than `keeps_s`.
    fn kept(&self, keeps_s: f64) -> f64 {
        let kept = self.between_s.iter().filter(|&&pause_s| pause_s <= keeps_s).count();
        kept as f64 / self.between_s.len() as f64
    }

    /// Seconds that what a call said stays, until its session goes on or is forgotten.
    fn stays_s(&self, keeps_s: f64) -> f64 {
        let stay = self.between_s.iter().map(|pause_s| pause_s.min(keeps_s));
        let between = match self.between_s.len() {
            0 => 0.0,
            count => stay.sum::<f64>() / count as f64,
        };
        let last = 1.0 / self.calls.max(1.0);
        (1.0 - last) * between + last * keeps_s
    }
}

/// The mean of a pause, or, where it has none that is finite, that of some draws.
fn mean(scenario: &Scenario, law: Option<&Distribution>) -> f64 {
    let drawn = || draws(scenario, law).iter().sum::<f64>() / DRAWS as f64;
    let known = law.map_or(0.0, Distribution::expected);
    if known.is_finite() { known } else { drawn() }
}

/// Some pauses, s.
fn draws(scenario: &Scenario, law: Option<&Distribution>) -> Vec<f64> {
    let streams = Streams::new(scenario.seed, 0);
    let draw = |item| {
        let mut stream = streams.stream(Component::AtStart, 0, item);
        law.map_or(0.0, |law| law.sample(&mut stream).max(0.0))
    };
    (0..DRAWS).map(draw).collect()
}

/// The pace of the pool at index `pool`. One that nobody asks has the pace of a call of
/// one token.
fn pace(scenario: &Scenario, at: usize, demands: &[Demand]) -> PoolPace {
    let pool = &scenario.pools[at];
    let one = Mix { prompt: 1.0, output: 1.0, pairs: 1.0, context: 1.0, ..Mix::default() };
    let endless = Mix::of(scenario, at).unwrap_or(one);
    let shares: Vec<f64> = scenario.use_cases.iter().map(|it| it.expected_at(at)).collect();
    let served = shares.iter().filter(|&&share| share > 0.0).count();
    // What a call says that is its session's alone; what others say as well is kept by them.
    let own = |(at, demand): (usize, &Demand)| {
        let mix = if served > 1 { Mix::of_calls(scenario, at) } else { endless };
        let said = if demand.between_s.is_empty() { mix.cached } else { demand.shared };
        (mix.prompt - said).max(0.0) + mix.output
    };
    let own: Vec<f64> = demands.iter().enumerate().map(own).collect();
    let mut mix = endless;
    let mut keeps_s = f64::INFINITY;
    let mut call = at_mix(pool, &mix, demands, &shares);
    // What the cache does not keep is computed again, which takes time.
    for _ in 0..ROUNDS {
        let call_s = call.first_s + call.decode_s * mix.output;
        let rate = |at: usize| shares[at] * demands[at].calls_per_s(call_s);
        let held = |keeps_s: f64| -> f64 {
            let stay = |at: usize| rate(at) * own[at] * demands[at].stays_s(keeps_s);
            (0..demands.len()).map(stay).sum()
        };
        keeps_s = keeps(pool, held);
        let with_pauses = (0..demands.len()).filter(|&at| !demands[at].between_s.is_empty());
        let (kept, all) = with_pauses.fold((0.0, 0.0), |(kept, all), at| {
            (kept + rate(at) * demands[at].kept(keeps_s), all + rate(at))
        });
        let cached = if all > 0.0 { endless.cached * kept / all } else { endless.cached };
        if cached == mix.cached {
            break;
        }
        let again = (endless.cached - cached) * (endless.cached + cached) / 2.0;
        mix = Mix { cached, pairs: endless.pairs + again, ..endless };
        call = at_mix(pool, &mix, demands, &shares);
    }
    PoolPace { call, keeps: Span::from_seconds(keeps_s) }
}

/// The pace of `pool` if its calls are those of `mix`; `shares` of each use case's.
fn at_mix(pool: &Pool, mix: &Mix, demands: &[Demand], shares: &[f64]) -> Pace {
    let ranks = f64::from(pool.replicas) * f64::from(pool.parallelism.data);
    let asked = |call_s: f64| {
        let clients = demands.iter().zip(shares);
        mix.calls_per_s
            + clients.map(|(demand, share)| share * demand.of_clients(call_s)).sum::<f64>()
    };
    // The first concurrency at which a rank finishes what it is then asked for.
    let is_enough = |n: u64| {
        let steady = Steady::at(pool, mix, n);
        asked(n as f64 / steady.calls_per_s) <= ranks * steady.calls_per_s
    };
    let mut ladder = concurrencies(pool, mix).peekable();
    let (mut below, mut sequences) = (0, 1);
    while let Some(step) = ladder.next() {
        sequences = step;
        if is_enough(step) || ladder.peek().is_none() {
            break;
        }
        below = step;
    }
    while sequences - below > 1 {
        let middle = below + (sequences - below) / 2;
        if is_enough(middle) { sequences = middle } else { below = middle }
    }
    call(pool, mix, &Steady::at(pool, mix, sequences))
}

/// Seconds of a call beside as many others: a step until it is taken in and sampled,
/// what its prompt adds to that, and a step for each token.
fn call(pool: &Pool, mix: &Mix, steady: &Steady) -> Pace {
    let seconds = |batch: &Batch| {
        let group = GroupTokens::of(batch, pool.parallelism.data.into());
        pool.step_time.mean_seconds(batch, group, 1.0)
    };
    let computed = (mix.prompt - mix.cached).max(1.0);
    let mut alone = Batch::default();
    alone.add_chunk(mix.cached as u32, computed as u32, pool.step_time.window);
    let mut least = Batch::default();
    least.add_chunk(mix.cached as u32, 1, pool.step_time.window);
    let prefill_s = (seconds(&alone) - seconds(&least)).max(0.0) / computed;
    Pace { first_s: steady.step_s, prefill_s, decode_s: steady.step_s }
}

/// How long the cache of `pool` keeps what nobody asks for, tiers included, s; it would
/// hold `held` tokens if it kept everything for so many seconds.
fn keeps(pool: &Pool, held: impl Fn(f64) -> f64) -> f64 {
    let Some(rules) = pool.engine.prefix_cache else { return 0.0 };
    let ranks = f64::from(pool.replicas) * f64::from(pool.parallelism.data);
    let block_bytes = pool.kv.block_bytes as f64 * f64::from(pool.parallelism.tensor);
    let tiers: f64 = pool.offload.iter().map(|offload| offload.bytes_for(pool) / block_bytes).sum();
    let blocks = f64::from(pool.kv.blocks) * ranks + tiers;
    let tokens = blocks * f64::from(pool.kv.block_tokens);
    let (mut low_s, mut high_s) = (0.0, LONG_S);
    for _ in 0..HALVINGS {
        let middle_s = (low_s + high_s) / 2.0;
        if held(middle_s) > tokens { high_s = middle_s } else { low_s = middle_s }
    }
    match rules.eviction {
        Eviction::Ttl { ttl } => low_s.min(ttl.seconds()),
        _ => low_s,
    }
}
