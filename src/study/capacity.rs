//! What a pool can do at a steady concurrency, in closed form.
//!
//! With n sequences running on a rank at all times, each step decodes n tokens
//! and computes, on average, the prompts of the calls that replace those that
//! ended. More sequences share the reading of the weights and slow each other
//! down: throughput against interactivity is that trade, and its best point is
//! the capacity. Variance is ignored, and so is what latent attention spends on
//! the earlier chunks of a long prompt: queues grow long somewhat below it.
//!
//! Before a run the cache is taken to hold all that was there before; where it evicts,
//! the pool does less. After it, hits and lengths are those that the run measured.

use super::mix::Mix;
use super::series::FrontierPoint;
use crate::factory::{Batch, GroupTokens};
use crate::metrics::PoolRecord;
use crate::scenario::{Pool, Scenario};

/// Offered load and capacity of one pool.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Load {
    /// Calls per second that use cases offer whatever happens.
    pub offered_calls_per_s: f64,
    /// Calls per second that the pool can finish.
    pub capacity_calls_per_s: f64,
    /// The same with a cache that never evicts.
    pub never_evicting_calls_per_s: f64,
    /// Sequences that each rank runs at that capacity.
    pub concurrency: u64,
    /// The calls that it is of.
    mix: Mix,
}

impl Load {
    /// The load of `pool` with the hits and lengths that `records`, all runs of it,
    /// measured; the same where they measured nothing.
    pub fn measured<'r>(
        self,
        pool: &Pool,
        records: impl Iterator<Item = &'r PoolRecord>,
    ) -> Load {
        let sums = records.fold([0.0; 4], |sums, record| {
            let PoolRecord { started, input_tokens, cached_tokens, output_tokens, .. } = record;
            let counts = [started, input_tokens, cached_tokens, output_tokens];
            std::array::from_fn(|at| sums[at] + *counts[at] as f64)
        });
        let [started, prompt, cached, output] = sums;
        if started == 0.0 || output < started {
            return self;
        }
        let mix = self.mix.measured(prompt / started, cached / started, output / started);
        let (concurrency, capacity_calls_per_s) = best(pool, &mix);
        Load { capacity_calls_per_s, concurrency, ..self }
    }

    /// Offered over capacity; `None` where only closed loops ask, which adapt.
    pub fn share(&self) -> Option<f64> {
        let share = self.offered_calls_per_s / self.capacity_calls_per_s;
        (self.offered_calls_per_s > 0.0).then_some(share)
    }
}

/// The load of the pool at index `pool` with a cache that never evicts; `None` when no use case names it.
pub fn load_of(scenario: &Scenario, pool: usize) -> Option<Load> {
    let mix = Mix::of(scenario, pool)?;
    let pool = &scenario.pools[pool];
    let (concurrency, capacity_calls_per_s) = best(pool, &mix);
    Some(Load {
        offered_calls_per_s: mix.calls_per_s,
        capacity_calls_per_s,
        never_evicting_calls_per_s: capacity_calls_per_s,
        concurrency,
        mix,
    })
}

/// Sequences a rank at which `pool` finishes most calls of `mix`, and how many a second.
fn best(pool: &Pool, mix: &Mix) -> (u64, f64) {
    let ranks = f64::from(pool.replicas) * f64::from(pool.parallelism.data);
    let rate = |n: u64| (n, ranks * Steady::at(pool, mix, n).calls_per_s);
    let all = concurrencies(pool, mix).map(rate);
    all.max_by(|a, b| a.1.total_cmp(&b.1)).expect("one sequence at least")
}

/// Throughput against interactivity of the pool at index `pool`, one point a concurrency.
pub fn frontier(scenario: &Scenario, pool: usize) -> Vec<FrontierPoint> {
    let Some(mix) = Mix::of(scenario, pool) else { return Vec::new() };
    let pool = &scenario.pools[pool];
    let point = |n: u64| {
        let steady = Steady::at(pool, &mix, n);
        let calls_per_gpu_s = steady.calls_per_s / f64::from(pool.parallelism.tensor);
        FrontierPoint {
            concurrency: n as f64,
            tok_per_s_per_user: 1.0 / steady.step_s,
            output_tok_per_s_per_gpu: calls_per_gpu_s * mix.output,
        }
    };
    concurrencies(pool, &mix).map(point).collect()
}

/// 1, 2, 3, 4, 6, 8, 12, ... up to what the batch limit, the KV blocks of a rank
/// and its token budget allow, and that limit itself.
fn concurrencies(pool: &Pool, mix: &Mix) -> impl Iterator<Item = u64> {
    let resident = pool.kv.tokens() as f64 / mix.context.max(1.0);
    // As many sequences as decode when prompts take what is left of the budget.
    let decodes = mix.output - 1.0;
    let fed = budget(pool) / (mix.prompt - mix.cached + decodes) * decodes.max(1.0);
    let limit = f64::from(pool.engine.max_num_seqs).min(resident).min(fed).max(1.0) as u64;
    let octaves = (0..).flat_map(|octave: u32| [2u64 << octave, 3u64 << octave]);
    let ladder = std::iter::once(1).chain(octaves);
    ladder.take_while(move |&n| n < limit).chain([limit])
}

fn budget(pool: &Pool) -> f64 {
    f64::from(pool.engine.max_num_batched_tokens)
}

/// One rank at a steady concurrency.
struct Steady {
    /// Mean duration of a step.
    step_s: f64,
    /// Calls that start, and end, in a second.
    calls_per_s: f64,
}

impl Steady {
    fn at(pool: &Pool, mix: &Mix, sequences: u64) -> Steady {
        // The first output token of a call comes with its prompt, the others
        // take a step each, so what starts in a step also ends in one.
        let decodes_a_call = mix.output - 1.0;
        let computed = mix.prompt - mix.cached;
        let starting = (sequences as f64 / decodes_a_call.max(1.0))
            .min(budget(pool) / (computed + decodes_a_call));
        let decoding = starting * decodes_a_call;
        let clip = |context: f64| {
            pool.step_time.window.map_or(context, |window| context.min(f64::from(window)))
        };
        let batch = Batch {
            decodes: decoding as u64,
            decode_context: (decoding * mix.context) as u64,
            decode_context_windowed: (decoding * clip(mix.context)) as u64,
            prefills: starting.ceil() as u64,
            prefill_tokens: (starting * computed) as u64,
            prefill_pairs: (starting * mix.pairs) as u64,
            prefill_pairs_windowed: (starting * computed * clip((mix.prompt + mix.cached) / 2.0))
                as u64,
            prefill_prefix: (starting * mix.cached) as u64,
        };
        let group = GroupTokens::of(&batch, pool.parallelism.data.into());
        let step_s = pool.step_time.mean_seconds(&batch, group, starting.min(1.0));
        Steady { step_s, calls_per_s: starting / step_s }
    }
}
