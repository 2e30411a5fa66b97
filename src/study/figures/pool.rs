//! Figures of a pool.

use super::tier::has_hits;
use super::{Figure, Share};
use crate::economics::{ByKind, by_kind, facility_watts, gpu_usd_per_second, usd_per_second};
use crate::metrics::{PoolRecord, Stretch};
use crate::scenario::{Pool, Scenario};

type Count = fn(&PoolRecord) -> u64;
type Level = fn(&PoolRecord) -> f64;

const CACHED: Count = |pool| pool.cached_tokens;
const COMPUTED: Count = |pool| pool.work.use_cases.iter().map(|work| work.computed_tokens).sum();
const RECOMPUTED: Count =
    |pool| pool.work.use_cases.iter().map(|work| work.recomputed_tokens).sum();
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
        per_second(path("computed_tok_per_s_per_gpu"), at, gpus, COMPUTED),
        per_second(path("recomputed_tok_per_s_per_gpu"), at, gpus, RECOMPUTED),
        tok_per_s_per_user(scenario, path("tok_per_s_per_user"), at),
    ];
    figures.extend(STEADY.map(|(key, value)| {
        Figure::new(path(key), move |run| Share::Value(value(&run.pools[at]))).steady_on(&[at])
    }));
    figures.extend(usd_per_mtok(pool, at, path));
    figures.extend(usd_per_hour(pool, at, path));
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
    let mut figures = vec![Figure::new(path("cache_hit_fraction"), move |run| {
        let pool = &run.pools[at];
        Share::over(pool.cached_tokens as f64, pool.input_tokens as f64)
    })];
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

/// Dollars per million tokens at the load of the run, idle time paid. Of all tokens it
/// is InferenceX's definition, `$/GPU-hour / tokens per GPU-hour`; of a kind, what
/// the GPU time of that kind costs.
fn usd_per_mtok(pool: &Pool, at: usize, path: impl Fn(&str) -> String) -> Vec<Figure> {
    let Some(usd_per_s) = usd_per_second(pool) else { return Vec::new() };
    let over = |key: &str, part: fn(&PoolRecord) -> f64, count: Count| {
        Figure::new(path(&format!("usd_per_mtok.{key}")), move |run| {
            let pool = &run.pools[at];
            Share::over(usd_per_s * run.window_s * part(pool), count(pool) as f64 / 1e6)
        })
    };
    vec![
        over("input", |pool| kinds(pool).input, COMPUTED),
        over("cached_input", |pool| kinds(pool).cached_input, CACHED),
        over("output", |pool| kinds(pool).output, OUTPUT),
        over("total", |_| 1.0, TOKENS),
    ]
}

/// Parts of the cost of a pool by kind of token. What a kind took of which there is
/// no token to charge, at the edge of a window, is that of the next.
fn kinds(pool: &PoolRecord) -> ByKind {
    let ByKind { mut input, mut cached_input, mut output } = by_kind(&pool.work);
    if CACHED(pool) == 0 {
        input += std::mem::take(&mut cached_input);
    }
    if COMPUTED(pool) == 0 {
        output += std::mem::take(&mut input);
    }
    if OUTPUT(pool) == 0 {
        input += std::mem::take(&mut output);
    }
    ByKind { input, cached_input, output }
}

/// What the pool costs an hour, by what its GPUs did; idle time apart.
fn usd_per_hour(pool: &Pool, at: usize, path: impl Fn(&str) -> String) -> Vec<Figure> {
    let Some(usd_per_s) = usd_per_second(pool) else { return Vec::new() };
    let replicas = f64::from(pool.replicas);
    let part = |key: &str, part: fn(ByKind, f64) -> f64| {
        Figure::new(path(&format!("usd_per_hour.{key}")), move |run| {
            let pool = &run.pools[at];
            let used = pool.used_s() / replicas;
            let idle = run.window_s - used;
            let kinds = kinds(pool);
            let used = |kind: f64| usd_per_s * used * kind;
            let kinds = ByKind {
                input: used(kinds.input),
                cached_input: used(kinds.cached_input),
                output: used(kinds.output),
            };
            Share::Ratio(part(kinds, usd_per_s * idle) * 3600.0, run.window_s)
        })
    };
    vec![
        part("input", |kinds, _| kinds.input),
        part("cached_input", |kinds, _| kinds.cached_input),
        part("output", |kinds, _| kinds.output),
        part("idle", |_, idle| idle),
        part("total", |kinds, idle| kinds.input + kinds.cached_input + kinds.output + idle),
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
        (tokens + itl.count as f64, seconds + itl.count as f64 * itl.mean)
    })
}
