//! Figures of each pool.

use super::Found;
use super::stability::Stability;
use crate::scenario::{Pool, Scenario};
use crate::study::{Load, PoolSummary, UsdPerMtok};
use indexmap::IndexMap;

/// One summary a pool.
pub fn summaries(
    scenario: &Scenario,
    found: &Found,
    stability: &[Stability],
    loads: &[Option<Load>],
) -> IndexMap<String, PoolSummary> {
    let pools = scenario.pools.iter().zip(stability).zip(loads);
    pools
        .map(|((pool, verdict), &load)| (pool.name.clone(), summary(pool, found, verdict, load)))
        .collect()
}

fn summary(pool: &Pool, found: &Found, verdict: &Stability, load: Option<Load>) -> PoolSummary {
    let is_stable = verdict.is_stable;
    let owner = format!("pools.{}", pool.name);
    let get = |key: &str| found.get(&owner, key);
    PoolSummary {
        gpus: pool.gpus(),
        replicas: pool.replicas,
        kv_blocks: pool.kv.blocks.into(),
        stable: is_stable,
        sustainable_calls_per_s: (!is_stable).then(|| get("finished_calls_per_s")).flatten(),
        offered_calls_per_s: load.map(|load| load.offered_calls_per_s).filter(|&rate| rate > 0.0),
        capacity_calls_per_s: load.map(|load| load.capacity_calls_per_s),
        utilization: get("utilization"),
        running_mean: get("running_mean"),
        waiting_mean: get("waiting_mean"),
        kv_use_mean: get("kv_use_mean"),
        kv_use_peak: get("kv_use_peak"),
        preemptions_per_s: get("preemptions_per_s"),
        output_tok_per_s_per_gpu: get("output_tok_per_s_per_gpu"),
        input_tok_per_s_per_gpu: get("input_tok_per_s_per_gpu"),
        tok_per_s_per_user: get("tok_per_s_per_user"),
        cache_hit_fraction: get("cache_hit_fraction"),
        computed_tok_per_s_per_gpu: get("computed_tok_per_s_per_gpu"),
        cache_saved_usd_per_hour: get("cache_saved_usd_per_hour"),
        usd_per_mtok: UsdPerMtok {
            input: get("usd_per_mtok.input"),
            cached_input: get("usd_per_mtok.cached_input"),
            output: get("usd_per_mtok.output"),
            total: get("usd_per_mtok.total"),
        },
        tok_per_s_per_mw: get("tok_per_s_per_mw"),
    }
}
