//! What load a scenario offers to each pool against what the pool can sustain.
//!
//! A closed-form estimate from mean lengths, for `validate` and for choosing a
//! rate before anything is simulated. A rank that decodes `n` sequences all the
//! time finishes `n / (outputs x step)` calls a second, where the step also
//! computes the prompts of the calls that replace the finished ones. Variance
//! is ignored: queues grow long somewhat below this bound.

use crate::factory::{Batch, StepTime};
use crate::random::{Component, Distribution, Stream, Streams, entity};
use crate::scenario::{Arrivals, Lengths, Pool, Scenario, UseCase};

/// Offered load and capacity of one pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Calls per second that use cases offer whatever happens; closed loops
    /// adapt to the pool and are left out.
    pub offered_calls_per_s: f64,
    /// Calls per second that the pool can finish.
    pub capacity_calls_per_s: f64,
    /// Sequences that each rank runs at that capacity.
    pub concurrency: u64,
}

/// Draws behind a mean for which there is no formula.
const DRAWS: u32 = 20_000;

/// Means over the calls of a use case.
#[derive(Clone, Copy, Debug, Default)]
struct Means {
    calls_per_s: f64,
    prompt: f64,
    output: f64,
    pairs: f64,
    context: f64,
}

/// The load of the pool at index `pool`; `None` when no use case names it.
pub fn load_of(scenario: &Scenario, pool: usize) -> Option<Load> {
    let served = scenario.use_cases.iter().filter(|use_case| use_case.pool == pool);
    let all: Vec<Means> = served.map(|use_case| means(scenario.seed, use_case)).collect();
    let offered: f64 = all.iter().map(|means| means.calls_per_s).sum();
    // Closed loops count as much as each other when nothing else is offered.
    let weight = |means: &Means| {
        if offered > 0.0 { means.calls_per_s / offered } else { 1.0 / all.len() as f64 }
    };
    let mean = |field: fn(&Means) -> f64| all.iter().map(|m| weight(m) * field(m)).sum::<f64>();
    let mixed = Means {
        calls_per_s: offered,
        prompt: mean(|m| m.prompt),
        output: mean(|m| m.output),
        pairs: mean(|m| m.pairs),
        context: mean(|m| m.context),
    };
    (!all.is_empty()).then(|| capacity(&scenario.pools[pool], &mixed))
}

/// The best of a geometric ladder of concurrencies.
fn capacity(pool: &Pool, means: &Means) -> Load {
    let step_time = pool.step_time();
    let ranks = f64::from(pool.replicas) * f64::from(pool.parallelism.data);
    let resident = (pool.kv.tokens() as f64 / means.context.max(1.0)) as u64;
    let most = u64::from(pool.engine.max_num_seqs).min(resident).max(1);
    let ladder = (0..).map(|power| 1u64 << power).take_while(|n| *n < most).chain([most]);
    let rate = |n: u64| ranks * calls_per_s(&step_time, pool, means, n);
    let best = ladder.max_by(|a, b| rate(*a).total_cmp(&rate(*b))).expect("at least one rung");
    Load {
        offered_calls_per_s: means.calls_per_s,
        capacity_calls_per_s: rate(best),
        concurrency: best,
    }
}

/// Calls per second of one rank with `n` sequences running at all times.
fn calls_per_s(step_time: &StepTime, pool: &Pool, means: &Means, n: u64) -> f64 {
    let running = n as f64;
    // The first output token of a call comes with its prompt.
    let decodes_a_call = (means.output - 1.0).max(0.0);
    let steps_a_call = decodes_a_call.max(1.0);
    let budget = f64::from(pool.engine.max_num_batched_tokens);
    // Calls that start in a step, held down by its token budget.
    let starting = (running / steps_a_call).min((budget - running).max(1.0) / means.prompt);
    let decoding = if decodes_a_call > 0.0 { running } else { 0.0 };
    let batch = Batch {
        decodes: decoding as u64,
        decode_context: (decoding * means.context) as u64,
        decode_context_windowed: (decoding * windowed(means.context, step_time)) as u64,
        prefills: starting.ceil() as u64,
        prefill_tokens: (starting * means.prompt) as u64,
        prefill_pairs: (starting * means.pairs) as u64,
        prefill_pairs_windowed: (starting * means.prompt * windowed(means.prompt / 2.0, step_time))
            as u64,
        prefill_prefix: 0,
    };
    let group = batch.tokens() * u64::from(pool.parallelism.data);
    starting / step_time.seconds(&batch, group)
}

fn windowed(context: f64, step_time: &StepTime) -> f64 {
    step_time.window.map_or(context, |window| context.min(f64::from(window)))
}

/// Mean prompt and output tokens of a call.
pub(super) fn mean_tokens(seed: u64, use_case: &UseCase) -> (f64, f64) {
    let means = means(seed, use_case);
    (means.prompt, means.output)
}

fn means(seed: u64, use_case: &UseCase) -> Means {
    let (calls_per_s, recorded) = match &use_case.arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => (*rate, None),
        Arrivals::ClosedLoop { .. } => (0.0, None),
        Arrivals::Trace { trace, time_scale } => {
            let length_s = trace.calls.last().map_or(0.0, |call| call.at.seconds()) * time_scale;
            let gaps = trace.calls.len() as f64 - 1.0;
            (if length_s > 0.0 { gaps / length_s } else { 0.0 }, Some(trace))
        }
    };
    let mut sum = Means::default();
    let mut count = 0.0;
    let mut add = |prompt: f64, output: f64| {
        sum.prompt += prompt;
        sum.output += output;
        sum.pairs += prompt * (prompt + 1.0) / 2.0;
        // A sequence's context averages half its outputs; longer ones stay longer.
        sum.context += output * (prompt + output / 2.0);
        count += 1.0;
    };
    match (&use_case.lengths, recorded) {
        (Lengths::Recorded, Some(trace)) => {
            trace.calls.iter().for_each(|call| add(f64::from(call.prompt), f64::from(call.output)));
        }
        (Lengths::Drawn { prompt, output }, _) => {
            let streams = Streams::new(seed, 0);
            let owner = entity(&use_case.name);
            let mut prompts = streams.stream(Component::Prompt, owner, 0);
            let mut outputs = streams.stream(Component::Output, owner, 0);
            for _ in 0..DRAWS {
                add(tokens(prompt, &mut prompts), tokens(output, &mut outputs));
            }
        }
        (Lengths::Recorded, None) => unreachable!("lengths are recorded in traces only"),
    }
    Means {
        calls_per_s,
        prompt: sum.prompt / count,
        output: sum.output / count,
        pairs: sum.pairs / count,
        context: sum.context / sum.output,
    }
}

fn tokens(distribution: &Distribution, stream: &mut Stream) -> f64 {
    f64::from(distribution.sample_tokens(stream))
}
