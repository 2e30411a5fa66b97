//! Figures of each pool.

use super::View;
use super::stability::Stability;
use crate::economics::{facility_watts, usd_per_second};
use crate::metrics::{PoolRecord, RunRecord};
use crate::statistics::Interval;
use crate::study::{PoolSummary, UsdPerMtok, load_of};
use indexmap::IndexMap;

/// One summary a pool.
pub fn summaries(view: &View, stability: &[Stability]) -> IndexMap<String, PoolSummary> {
    let pools = view.scenario.pools.iter().zip(stability).enumerate();
    pools
        .map(|(at, (pool, verdict))| (pool.name.clone(), summary(view, at, verdict.is_stable)))
        .collect()
}

fn summary(view: &View, at: usize, is_stable: bool) -> PoolSummary {
    let pool = &view.scenario.pools[at];
    let gpus = f64::from(pool.gpus());
    let per_second = |count: fn(&PoolRecord) -> u64| {
        view.ratio(move |run| count(&run.pools[at]) as f64, |run| run.window_s)
    };
    let per_gpu_second = |count: fn(&PoolRecord) -> u64| {
        view.ratio(move |run| count(&run.pools[at]) as f64, move |run| run.window_s * gpus)
    };
    let steady = |value: fn(&PoolRecord) -> f64| {
        is_stable.then(|| view.mean(|run| value(&run.pools[at]))).flatten()
    };
    let load = load_of(view.scenario, at);
    PoolSummary {
        gpus: pool.gpus(),
        replicas: pool.replicas,
        kv_blocks: pool.kv.blocks.into(),
        stable: is_stable,
        sustainable_calls_per_s: (!is_stable).then(|| per_second(|pool| pool.finished)).flatten(),
        offered_calls_per_s: load.map(|load| load.offered_calls_per_s).filter(|&rate| rate > 0.0),
        capacity_calls_per_s: load.map(|load| load.capacity_calls_per_s),
        utilization: view
            .ratio(|run| run.pools[at].busy_s, |run| run.window_s * f64::from(pool.replicas)),
        running_mean: steady(|pool| pool.running_mean),
        waiting_mean: steady(|pool| pool.waiting_mean),
        kv_use_mean: steady(|pool| pool.kv_use_mean),
        kv_use_peak: view.mean(|run| run.pools[at].kv_use_peak),
        preemptions_per_s: per_second(|pool| pool.preemptions),
        output_tok_per_s_per_gpu: per_gpu_second(|pool| pool.output_tokens),
        input_tok_per_s_per_gpu: per_gpu_second(|pool| pool.input_tokens),
        tok_per_s_per_user: view.ratio(|run| itl(view, run, at).0, |run| itl(view, run, at).1),
        // No prefix cache yet: nothing hits.
        cache_hit_fraction: view.ratio(|_| 0.0, |run| run.pools[at].input_tokens as f64),
        usd_per_mtok: usd_per_mtok(view, at),
        tok_per_s_per_mw: tok_per_s_per_mw(view, at),
    }
}

/// Tokens after the first, and the seconds that users waited for them.
pub fn itl(view: &View, run: &RunRecord, pool: usize) -> (f64, f64) {
    let use_cases = view.scenario.use_cases.iter().zip(&run.use_cases);
    use_cases.filter(|(case, _)| case.pool == pool).fold(
        (0.0, 0.0),
        |(tokens, seconds), (_, record)| {
            let count = record.itl.count as f64;
            (tokens + count, seconds + count * record.itl.mean)
        },
    )
}

fn tokens(record: &PoolRecord) -> u64 {
    record.input_tokens + record.output_tokens
}

/// The pool's whole cost over each count of tokens (InferenceX's definition:
/// `$/GPU-hour / tokens per GPU-hour`), at the load of the run, idle time paid.
fn usd_per_mtok(view: &View, at: usize) -> UsdPerMtok {
    let usd_per_s = usd_per_second(&view.scenario.pools[at]);
    let over = |count: fn(&PoolRecord) -> u64| -> Option<Interval> {
        let usd_per_s = usd_per_s?;
        view.ratio(|run| usd_per_s * run.window_s, |run| count(&run.pools[at]) as f64 / 1e6)
    };
    UsdPerMtok {
        input: over(|pool| pool.input_tokens),
        cached_input: None,
        output: over(|pool| pool.output_tokens),
        total: over(tokens),
    }
}

fn tok_per_s_per_mw(view: &View, at: usize) -> Option<Interval> {
    let megawatts = facility_watts(&view.scenario.pools[at])? / 1e6;
    view.ratio(|run| tokens(&run.pools[at]) as f64, |run| run.window_s * megawatts)
}
