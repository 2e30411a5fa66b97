//! Figures of a pool.

use super::tier::has_hits;
use super::{Figure, Share};
use crate::economics::{facility_watts, gpu_usd_per_second, usd_per_second};
use crate::metrics::{PoolRecord, Stretch};
use crate::scenario::{Pool, Scenario};

type Count = fn(&PoolRecord) -> u64;
type Level = fn(&PoolRecord) -> f64;

const CACHED: Count = |pool| pool.cached_tokens;
const COMPUTED: Count = |pool| pool.input_tokens - pool.cached_tokens;
const OUTPUT: Count = |pool| pool.output_tokens;
const INPUT: Count = |pool| pool.input_tokens;
const TOKENS: Count = |pool| pool.input_tokens + pool.output_tokens;

/// Averages that only a steady state has.
const STEADY: [(&str, Level); 3] = [
    ("running_mean", |pool| pool.running_mean),
    ("waiting_mean", |pool| pool.waiting_mean),
    ("kv_use_mean", |pool| pool.kv_use_mean),
];

/// The figures of the pool at index `at`.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let pool = &scenario.pools[at];
    let path = |key: &str| format!("pools.{}.{key}", pool.name);
    let gpus = f64::from(pool.gpus());
    let replicas = f64::from(pool.replicas);
    let mut figures = vec![
        Figure::new(path("utilization"), move |run| {
            Share::Ratio(run.pools[at].busy_s, run.window_s * replicas)
        }),
        Figure::new(path("kv_use_peak"), move |run| Share::Value(run.pools[at].kv_use_peak)),
        per_second(path("preemptions_per_s"), at, 1.0, |pool| pool.preemptions),
        per_second(path("finished_calls_per_s"), at, 1.0, |pool| pool.finished),
        per_second(path("output_tok_per_s_per_gpu"), at, gpus, OUTPUT),
        per_second(path("input_tok_per_s_per_gpu"), at, gpus, INPUT),
        tok_per_s_per_user(scenario, path("tok_per_s_per_user"), at),
    ];
    figures.extend(STEADY.map(|(key, value)| {
        Figure::new(path(key), move |run| Share::Value(value(&run.pools[at]))).steady_on(&[at])
    }));
    figures.extend(usd_per_mtok(pool, at, path));
    if has_hits(scenario, at) {
        figures.extend(cache(pool, at, path));
    }
    if let Some(watts) = facility_watts(pool) {
        figures.push(per_second(path("tok_per_s_per_mw"), at, watts / 1e6, TOKENS));
    }
    figures
}

/// What the prefix cache brings.
fn cache(pool: &Pool, at: usize, path: impl Fn(&str) -> String) -> Vec<Figure> {
    let gpus = f64::from(pool.gpus());
    let mut figures = vec![
        Figure::new(path("cache_hit_fraction"), move |run| {
            let pool = &run.pools[at];
            Share::over(pool.cached_tokens as f64, pool.input_tokens as f64)
        }),
        per_second(path("computed_tok_per_s_per_gpu"), at, gpus, COMPUTED),
    ];
    if let Some(usd_per_s) = gpu_usd_per_second(pool) {
        let ranks = f64::from(pool.replicas * pool.parallelism.data);
        let usd_per_hour_of_rank = usd_per_s / ranks * 3600.0;
        figures.push(Figure::new(path("cache_saved_usd_per_hour"), move |run| {
            Share::Ratio(run.pools[at].saved_s * usd_per_hour_of_rank, run.window_s)
        }));
    }
    figures
}

/// A count over the window's seconds times `units` (GPUs, megawatts).
fn per_second(path: String, at: usize, units: f64, count: Count) -> Figure {
    Figure::new(path, move |run| Share::Ratio(count(&run.pools[at]) as f64, run.window_s * units))
}

/// The pool's whole cost over each count of tokens (InferenceX's definition:
/// `$/GPU-hour / tokens per GPU-hour`), at the load of the run, idle time paid.
fn usd_per_mtok(pool: &Pool, at: usize, path: impl Fn(&str) -> String) -> Vec<Figure> {
    let Some(usd_per_s) = usd_per_second(pool) else { return Vec::new() };
    let over = |key: &str, count: Count| {
        Figure::new(path(&format!("usd_per_mtok.{key}")), move |run| {
            Share::over(usd_per_s * run.window_s, count(&run.pools[at]) as f64 / 1e6)
        })
    };
    vec![
        over("input", INPUT),
        over("cached_input", CACHED),
        over("output", OUTPUT),
        over("total", TOKENS),
    ]
}

/// The inverse of the mean ITL over all use cases of the pool.
fn tok_per_s_per_user(scenario: &Scenario, path: String, at: usize) -> Figure {
    let use_cases = served_by(scenario, at);
    Figure::new(path, move |run| {
        let (tokens, seconds) = gaps(run, &use_cases);
        Share::Ratio(tokens, seconds)
    })
}

/// Indices of the use cases that the pool at index `at` serves.
pub fn served_by(scenario: &Scenario, at: usize) -> Vec<usize> {
    let cases = scenario.use_cases.iter().enumerate();
    cases.filter(|(_, case)| case.pools().contains(&at)).map(|(index, _)| index).collect()
}

/// Tokens after the first of these use cases, and the seconds that users
/// waited for them.
pub fn gaps(run: &Stretch, use_cases: &[usize]) -> (f64, f64) {
    use_cases.iter().map(|&at| &run.use_cases[at].itl).fold((0.0, 0.0), |(tokens, seconds), itl| {
        (tokens + itl.count() as f64, seconds + itl.count() as f64 * itl.mean)
    })
}
