//! The mean call of a pool: what its use cases ask for, weighted by their rates.
//! Calls that the pool will refuse are left out.

use crate::random::{Component, Distribution, Stream, Streams, entity};
use crate::scenario::{Arrivals, Lengths, Pool, Scenario, UseCase};

/// Draws behind a mean for which there is no formula.
const DRAWS: u32 = 10_000;

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
    /// (query, key) pairs of a prompt.
    pub pairs: f64,
    /// Tokens attended by a decode: long answers stay longer, so this is more
    /// than the mean prompt and half of the mean output.
    pub context: f64,
}

impl Mix {
    /// The mean call of the pool at index `pool`; `None` when no use case names it.
    pub fn of(scenario: &Scenario, pool: usize) -> Option<Mix> {
        let served = scenario.use_cases.iter().filter(|use_case| use_case.pool == pool);
        let limits = &scenario.pools[pool];
        let all: Vec<Mix> =
            served.map(|use_case| Mix::of_calls(scenario.seed, use_case, limits)).collect();
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
            output: mean(|mix| mix.output),
            pairs: mean(|mix| mix.pairs),
            context: mean(|mix| mix.context),
        })
    }

    /// The mean call of one use case on `pool`.
    pub fn of_calls(seed: u64, use_case: &UseCase, pool: &Pool) -> Mix {
        let mut sums = Sums::new(pool);
        match (&use_case.lengths, &use_case.arrivals) {
            (Lengths::Recorded, Arrivals::Trace { trace, .. }) => {
                trace.calls.iter().for_each(|call| sums.add(call.prompt, call.output));
            }
            (Lengths::Drawn { prompt, output }, _) => {
                let streams = Streams::new(seed, 0);
                let owner = entity(&use_case.name);
                let mut prompts = streams.stream(Component::Prompt, owner, 0);
                let mut outputs = streams.stream(Component::Output, owner, 0);
                let draw =
                    |tokens: &Distribution, stream: &mut Stream| tokens.sample_tokens(stream);
                for _ in 0..DRAWS {
                    sums.add(draw(prompt, &mut prompts), draw(output, &mut outputs));
                }
            }
            (Lengths::Recorded, _) => unreachable!("lengths are recorded in traces only"),
        }
        sums.mean(calls_per_s(&use_case.arrivals))
    }
}

/// Calls per second that arrive whatever happens.
fn calls_per_s(arrivals: &Arrivals) -> f64 {
    match arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => *rate,
        Arrivals::ClosedLoop { .. } => 0.0,
        Arrivals::Trace { trace, time_scale } => {
            let length_s = trace.calls.last().map_or(0.0, |call| call.at.seconds()) * time_scale;
            if length_s > 0.0 { (trace.calls.len() as f64 - 1.0) / length_s } else { 0.0 }
        }
    }
}

/// Sums over the calls that a pool does not refuse.
struct Sums<'p> {
    pool: &'p Pool,
    all: f64,
    calls: f64,
    prompt: f64,
    output: f64,
    pairs: f64,
    /// Context times the tokens that attend it.
    attended: f64,
}

impl<'p> Sums<'p> {
    fn new(pool: &'p Pool) -> Self {
        let zero = 0.0;
        Sums {
            pool,
            all: zero,
            calls: zero,
            prompt: zero,
            output: zero,
            pairs: zero,
            attended: zero,
        }
    }

    fn add(&mut self, prompt: u32, output: u32) {
        self.all += 1.0;
        if !self.pool.accepts(prompt, output) {
            return;
        }
        let (prompt, output) = (f64::from(prompt), f64::from(output));
        self.calls += 1.0;
        self.prompt += prompt;
        self.output += output;
        self.pairs += prompt * (prompt + 1.0) / 2.0;
        self.attended += output * (prompt + output / 2.0);
    }

    fn mean(&self, calls_per_s: f64) -> Mix {
        if self.calls == 0.0 {
            return Mix::default();
        }
        Mix {
            calls_per_s: calls_per_s * self.calls / self.all,
            prompt: self.prompt / self.calls,
            output: self.output / self.calls,
            pairs: self.pairs / self.calls,
            context: self.attended / self.output,
        }
    }
}
