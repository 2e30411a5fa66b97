//! Figures of HBM and of the tiers below it: of a pool, and what they supply to a
//! use case.

use super::{Figure, Share, served_by};
use crate::economics::{gpu_usd_per_second, tier_usd_per_second};
use crate::metrics::{PoolRecord, Stretch, TierRecord, UseCaseRecord};
use crate::scenario::{Pool, Scenario};

/// What is asked of HBM beside its tiers.
pub const HBM: &str = "hbm";

/// The figures of the tiers of the pool at index `at`, HBM first.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let pool = &scenario.pools[at];
    if !has_hits(scenario, at) {
        return Vec::new();
    }
    let block_tokens = f64::from(pool.kv.block_tokens);
    let mut figures = hits(path(pool, HBM), at, block_tokens, in_hbm);
    for (level, offload) in pool.offload.iter().enumerate() {
        let path = path(pool, &offload.tier.name);
        let hit = move |pool: &PoolRecord| pool.tiers[level].hit_tokens;
        figures.extend(hits(&path, at, block_tokens, hit));
        figures.extend(traffic(&path, at, level));
        figures.extend(dollars(pool, &path, at, level));
    }
    figures
}

/// Whether calls of the pool at index `at` can hit anything.
pub fn has_hits(scenario: &Scenario, at: usize) -> bool {
    let is_given = |at: &usize| scenario.use_cases[*at].cache_hit.is_some();
    scenario.pools[at].engine.prefix_cache.is_some() || served_by(scenario, at).iter().any(is_given)
}

/// The figures of the tiers of the use case at index `at`, HBM first.
pub fn figures_of_use_case(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    let pool = &scenario.pools[use_case.pool];
    let block_tokens = f64::from(pool.kv.block_tokens);
    let all = std::iter::once((HBM, None))
        .chain(pool.offload.iter().map(|o| o.tier.name.as_str()).zip((0..).map(Some)));
    let figures = all.flat_map(|(tier, level)| {
        let path = |key: &str| format!("use_cases.{}.tiers.{tier}.{key}", use_case.name);
        let hit = move |calls: &UseCaseRecord| match level {
            Some(level) => calls.tier_tokens[level] as f64,
            None => (calls.cached_tokens - calls.tier_tokens.iter().sum::<u64>()) as f64,
        };
        let a_call = move |key: &str, unit: f64| {
            Figure::new(path(key), move |run| {
                let calls = &run.use_cases[at];
                Share::Ratio(hit(calls) / unit, calls.calls as f64)
            })
        };
        let fraction = Figure::new(path("hit_fraction"), move |run| {
            let calls = &run.use_cases[at];
            Share::over(hit(calls), calls.prompt_tokens as f64)
        });
        [fraction, a_call("hit_tokens_mean", 1.0), a_call("hit_blocks_mean", block_tokens)]
    });
    figures.collect()
}

fn path(pool: &Pool, tier: &str) -> impl Fn(&str) -> String {
    let owner = format!("pools.{}.tiers.{tier}", pool.name);
    move |key: &str| format!("{owner}.{key}")
}

/// Cached prompt tokens that no tier supplied.
fn in_hbm(pool: &PoolRecord) -> u64 {
    pool.cached_tokens - pool.tiers.iter().map(|tier| tier.hit_tokens).sum::<u64>()
}

fn hits(
    path: impl Fn(&str) -> String,
    at: usize,
    block_tokens: f64,
    hit: impl Fn(&PoolRecord) -> u64 + Copy + Send + Sync + 'static,
) -> Vec<Figure> {
    let hit = move |run: &Stretch| hit(&run.pools[at]) as f64;
    vec![
        Figure::new(path("hit_fraction"), move |run| {
            Share::over(hit(run), run.pools[at].input_tokens as f64)
        }),
        Figure::new(path("hit_tok_per_s"), move |run| Share::Ratio(hit(run), run.window_s)),
        Figure::new(path("hit_blocks_per_s"), move |run| {
            Share::Ratio(hit(run) / block_tokens, run.window_s)
        }),
    ]
}

fn traffic(path: impl Fn(&str) -> String, at: usize, level: usize) -> Vec<Figure> {
    let bytes = |key: &str, bytes: fn(&TierRecord) -> u64| {
        Figure::new(path(key), move |run| {
            Share::Ratio(bytes(&run.pools[at].tiers[level]) as f64, run.window_s)
        })
    };
    let use_of = |key: &str, seconds: fn(&TierRecord) -> f64| {
        Figure::new(path(key), move |run| {
            let tier = &run.pools[at].tiers[level];
            Share::over(seconds(tier), run.window_s * tier.links as f64)
        })
    };
    vec![
        bytes("read_bytes_per_s", |tier| tier.read_bytes),
        bytes("written_bytes_per_s", |tier| tier.written_bytes),
        use_of("read_utilization", |tier| tier.read_s),
        use_of("write_utilization", |tier| tier.written_s),
    ]
}

/// GPU time saved at the pool's price, and what is left of it when the tier has
/// been paid.
fn dollars(pool: &Pool, path: impl Fn(&str) -> String, at: usize, level: usize) -> Vec<Figure> {
    let Some(gpu_usd) = gpu_usd_per_second(pool) else { return Vec::new() };
    let ranks = f64::from(pool.replicas * pool.parallelism.data);
    let usd_per_hour_of_rank = gpu_usd / ranks * 3600.0;
    let saved = move |run: &Stretch| run.pools[at].tiers[level].saved_s * usd_per_hour_of_rank;
    let gross =
        Figure::new(path("saved_usd_per_hour"), move |run| Share::Ratio(saved(run), run.window_s));
    let Some(cost) = tier_usd_per_second(pool, &pool.offload[level]) else { return vec![gross] };
    let net = Figure::new(path("net_usd_per_hour"), move |run| {
        Share::Ratio(saved(run) - cost * 3600.0 * run.window_s, run.window_s)
    });
    vec![gross, net]
}
