//! Who is under way when a run begins in a stationary state.
//!
//! Sessions that began before the start are drawn one after the other, the latest
//! first, from streams of their own; those that last longer than they are old are
//! there, each at the next call that it makes. So their number, their ages and their
//! turns are those of a steady state by construction, for any law of turns and
//! pauses. How long calls took is estimated at the pace of the loaded pool.
//!
//! It goes back until the start is farther away than the longest session that was
//! drawn lasts, so that fewer than one of those that are there is missed.
//!
//! A client of a closed loop begins some cycles before the start, at a moment that is
//! drawn, and is then wherever it has come to.
//!
//! Calls that would be at a pool at the start are left out: whoever waits for one
//! goes on when it would have been answered.

mod agents;
mod chats;
mod replays;
#[cfg(test)]
mod tests;

use super::Simulation;
use super::arrivals::Script;
use crate::demand::{Past, PastArrival, Source};
use crate::factory::{Engine, Policy};
use crate::kernel::{Span, Time};
use crate::random::{Component, entity};
use crate::scenario::{Arrivals, Pool, PoolPace};
use crate::workload::agent::{Dry, Pace, Recorded};
use crate::workload::{self, Errand};

/// Sessions before the start have numbers from here on, those after it smaller ones.
pub const FIRST: u64 = 1 << 43;
/// Cycles that a client has been through, and those behind their mean.
const CYCLES: f64 = 16.0;
const PILOTS: u64 = 64;
/// Most cycles that a client goes through, some of which may take no time.
const CYCLES_MAX: u32 = 10_000;

/// How the calls of a user fare.
#[derive(Clone, Copy)]
struct Service<'s> {
    pool: &'s Pool,
    pace: PoolPace,
    network_s: f64,
    /// Lanes that the router chooses among without regard to what they have cached.
    lanes: u32,
}

/// Goes through sessions, or calls, of a use case that began before the start.
enum Walker {
    Calls(Box<workload::Script>),
    Agents(Box<Dry>),
    Replay(Recorded),
}

/// A session that may be under way.
#[derive(Clone, Copy)]
struct Begun {
    use_case: usize,
    number: u64,
    /// Seconds from its beginning to the start.
    age_s: f64,
    region: u16,
    client: Option<u32>,
}

impl Begun {
    /// When something happens that does so this late in the session.
    fn time(&self, at_s: f64) -> Time {
        Time::ZERO + Span::from_seconds(at_s - self.age_s)
    }

    fn errand(&self) -> Errand {
        let age = Span::from_seconds(self.age_s);
        Errand { region: self.region, age, ..Errand::default() }
    }
}

impl Service<'_> {
    /// Seconds of a call, of whose prompt `cached` tokens need no computing.
    fn call_s(&self, prompt: u32, cached: u32, output: u32) -> f64 {
        let Pace { first_s, prefill_s, decode_s } = self.pace.call;
        let computed = f64::from(prompt.saturating_sub(cached));
        self.network_s + first_s + prefill_s * computed + decode_s * f64::from(output)
    }

    /// Whether the cache still has what was said `idle_s` ago.
    fn keeps(&self, idle_s: f64) -> bool {
        self.pool.engine.prefix_cache.is_some() && idle_s <= self.pace.keeps.seconds()
    }

    fn keeps_answers(&self) -> bool {
        self.pool.engine.prefix_cache.is_some_and(|rules| rules.cache_decoded)
    }

    /// Full blocks of `tokens` tokens, in tokens.
    fn in_blocks(&self, tokens: u32) -> u32 {
        let block = self.pool.kv.block_tokens;
        tokens / block * block
    }
}

impl<'s, E: Engine> Simulation<'s, E> {
    /// Puts in the sessions of open sources that are under way at time zero.
    pub(super) fn start_sessions(&mut self) {
        if self.scenario.at_start.paces().is_none() {
            return;
        }
        for use_case in 0..self.sources.len() {
            let is_open = matches!(self.sources[use_case].source, Source::Open(_));
            if is_open && self.scenario.use_cases[use_case].has_sessions() {
                self.start_sessions_of(use_case);
            }
        }
    }

    fn start_sessions_of(&mut self, use_case: usize) {
        let spec = &self.scenario.use_cases[use_case];
        let from = self.on_horizon(Time::ZERO);
        let mut walker = self.walker(use_case);
        let past = Past::new(spec, self.streams, from);
        past.while_anybody_lasts(|later, PastArrival { age_s, region, number }| {
            // Only recorded sessions go on counting where those before the start ended.
            let recorded = number.filter(|_| matches!(walker, Walker::Replay(_)));
            let number = recorded.unwrap_or_else(|| walker.number(later));
            let region = match spec.arrivals {
                Arrivals::Regions(_) => region,
                _ => self.region(use_case, number, None),
            };
            let begun = Begun { use_case, number, age_s, region, client: None };
            let length_s = walker.length_s(number, &self.service(use_case, region));
            if length_s > age_s || age_s == 0.0 {
                self.enter(&mut walker, begun);
            }
            (!self.is_full()).then_some(length_s)
        });
        self.sources[use_case].script = walker.into_script();
    }

    /// Puts the first `started` clients of a closed loop where they are at time zero.
    pub(super) fn start_clients(&mut self, use_case: usize, started: u32) {
        let spec = &self.scenario.use_cases[use_case];
        let Arrivals::ClosedLoop { think, .. } = &spec.arrivals else {
            unreachable!("only closed loops have clients")
        };
        let key = entity(&spec.name);
        let mut walker = self.walker(use_case);
        let mut drawn = 0;
        let streams = self.streams;
        let stream = |item| streams.stream(Component::AtStart, key, item);
        let think_s =
            |stream: &mut _| think.as_ref().map_or(0.0, |law| law.sample(stream).max(0.0));
        let mut pilot = stream(0);
        let service = self.service(use_case, self.region(use_case, 0, Some(0)));
        let mut mean_s = 0.0;
        for _ in 0..PILOTS {
            let cycle_s = walker.length_s(walker.number(drawn), &service) + think_s(&mut pilot);
            mean_s += cycle_s / PILOTS as f64;
            drawn += 1;
        }
        for client in 0..started {
            let mut stream = stream(1 + u64::from(client));
            let region = self.region(use_case, 0, Some(client));
            let service = self.service(use_case, region);
            let mut before_s = (CYCLES + stream.unit()) * mean_s;
            let mut asks_s = 0.0;
            let mut goes_on = false;
            for _ in 0..CYCLES_MAX {
                let number = walker.number(drawn);
                drawn += 1;
                let length_s = walker.length_s(number, &service);
                let begun =
                    Begun { use_case, number, age_s: before_s, region, client: Some(client) };
                goes_on = length_s > before_s && self.enter(&mut walker, begun);
                before_s -= length_s + think_s(&mut stream);
                if goes_on || before_s <= 0.0 {
                    asks_s = -before_s;
                    break;
                }
            }
            if !goes_on {
                let slot = self.slots.client(use_case, client);
                self.schedule_if_in_time(slot, Time::ZERO + Span::from_seconds(asks_s));
            }
        }
        self.sources[use_case].script = walker.into_script();
    }

    /// Puts in a session that is older than time zero and lasts beyond it, at its next
    /// call. Returns whether it makes another one.
    fn enter(&mut self, walker: &mut Walker, begun: Begun) -> bool {
        let service = self.service(begun.use_case, begun.region);
        match walker {
            Walker::Calls(script) if !script.has_sessions() => false,
            Walker::Calls(script) => self.enter_chat(script, begun, &service),
            Walker::Agents(dry) => self.enter_agent(dry, begun, &service),
            Walker::Replay(script) => self.enter_replay(script, begun, &service),
        }
    }

    fn is_full(&self) -> bool {
        self.sessions.len() + self.actors.len() > super::SESSIONS_MAX
    }

    /// The walker of a use case, with its script.
    fn walker(&self, use_case: usize) -> Walker {
        match &self.sources[use_case].script {
            Script::Calls(script) => Walker::Calls(script.clone()),
            Script::Replay(script) => Walker::Replay(script.clone()),
            Script::Agents(script) => {
                let spec = &self.scenario.use_cases[use_case];
                let keeps =
                    |pool: &Pool| pool.engine.prefix_cache.is_some_and(|it| it.cache_decoded);
                let service = self.service(use_case, 0);
                let Pace { first_s, prefill_s, decode_s } = service.pace.call;
                let first_s = first_s + service.network_s;
                let dry = Dry::new(script.clone(), Pace { first_s, prefill_s, decode_s });
                let keeps = self.scenario.pools_of(spec).map(keeps).collect();
                Walker::Agents(Box::new(dry.keeping_answers(keeps)))
            }
        }
    }

    /// How the calls of a user in this region fare, where they are expected to go.
    fn service(&self, use_case: usize, region: u16) -> Service<'s> {
        let spec = &self.scenario.use_cases[use_case];
        let (at, network) = match &spec.origins {
            None => (spec.pool, Span::ZERO),
            Some(origins) => {
                let origin = &origins.regions[usize::from(region)];
                (origins.pools[origin.near[0]], origin.round_trips[origin.near[0]])
            }
        };
        let pool = &self.scenario.pools[at];
        let pace = self.scenario.at_start.paces().expect("a stationary start")[at];
        let lanes = match pool.router.policy {
            Policy::RoundRobin | Policy::LeastLoaded | Policy::PowerOfTwo => {
                pool.replicas * pool.parallelism.data
            }
            Policy::KvAware { .. } | Policy::SessionAffinity | Policy::PrefixAffinity { .. } => 1,
        };
        Service { pool, pace, network_s: network.seconds(), lanes }
    }
}

impl Walker {
    fn into_script(self) -> Script {
        match self {
            Walker::Calls(script) => Script::Calls(script),
            Walker::Agents(dry) => Script::Agents(dry.into_script()),
            Walker::Replay(script) => Script::Replay(script),
        }
    }

    /// The number of the session that began so many others before the start; those
    /// of a recording go round backwards.
    fn number(&self, earlier: u64) -> u64 {
        match self {
            Walker::Calls(_) | Walker::Agents(_) => FIRST + earlier,
            Walker::Replay(script) => script.number_before(FIRST, earlier),
        }
    }

    /// Seconds that session `number`, or a call, takes from its beginning to its last
    /// answer.
    fn length_s(&mut self, number: u64, service: &Service<'_>) -> f64 {
        match self {
            Walker::Calls(script) => chats::length_s(script, number, service),
            Walker::Agents(dry) => dry.length_s(number),
            Walker::Replay(script) => replays::length_s(script, number, service),
        }
    }
}
