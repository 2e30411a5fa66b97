//! Figures of each pool.

use super::Found;
use super::stability::{Doubt, Stability};
use crate::economics::tier_usd_per_second;
use crate::scenario::{Pool, Scenario};
use crate::statistics::Interval;
use crate::study::figures::{HBM, has_hits};
use crate::study::{Load, PoolArrivals, PoolSummary, TierSummary, UsdPerHour, UsdPerMtok};
use indexmap::IndexMap;

/// One summary a pool.
pub fn summaries(
    scenario: &Scenario,
    found: &Found,
    stability: &[Stability],
    loads: &[Option<Load>],
    sustained: &[Option<Interval>],
) -> IndexMap<String, PoolSummary> {
    let pools = scenario.pools.iter().zip(stability).zip(loads).zip(sustained);
    pools
        .enumerate()
        .map(|(at, (((pool, verdict), &load), &sustainable_calls_per_s))| {
            let tiers = if has_hits(scenario, at) { tiers(pool, found) } else { IndexMap::new() };
            let arrivals = PoolArrivals::of(scenario, found, &pool.name);
            let summary = summary(pool, found, verdict, load);
            let summary = PoolSummary { tiers, arrivals, sustainable_calls_per_s, ..summary };
            (pool.name.clone(), summary)
        })
        .collect()
}

fn summary(pool: &Pool, found: &Found, verdict: &Stability, load: Option<Load>) -> PoolSummary {
    let owner = format!("pools.{}", pool.name);
    let get = |key: &str| found.get(&owner, key);
    PoolSummary {
        gpus: pool.gpus(),
        replicas: pool.replicas,
        kv_blocks: pool.kv.blocks.into(),
        stable: verdict.known(),
        doubt: verdict.doubt.as_ref().map(Doubt::text),
        sustainable_calls_per_s: None,
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
        recomputed_tok_per_s_per_gpu: get("recomputed_tok_per_s_per_gpu"),
        cache_saved_usd_per_hour: get("cache_saved_usd_per_hour"),
        tiers: IndexMap::new(),
        usd_per_mtok: UsdPerMtok {
            input: get("usd_per_mtok.input"),
            cached_input: get("usd_per_mtok.cached_input"),
            output: get("usd_per_mtok.output"),
            total: get("usd_per_mtok.total"),
        },
        usd_per_hour: UsdPerHour {
            input: get("usd_per_hour.input"),
            cached_input: get("usd_per_hour.cached_input"),
            output: get("usd_per_hour.output"),
            idle: get("usd_per_hour.idle"),
            total: get("usd_per_hour.total"),
        },
        tok_per_s_per_mw: get("tok_per_s_per_mw"),
        arrivals: None,
    }
}

/// HBM and the tiers below it.
fn tiers(pool: &Pool, found: &Found) -> IndexMap<String, TierSummary> {
    let kv = &pool.kv;
    let ranks = f64::from(pool.replicas * pool.parallelism.data);
    let rank_bytes = kv.block_bytes as f64 * f64::from(pool.parallelism.tensor * kv.blocks);
    let hbm = (HBM, rank_bytes * ranks, None);
    let below = pool.offload.iter().map(|offload| {
        let usd_per_hour = tier_usd_per_second(pool, offload).map(|usd| usd * 3600.0);
        (offload.tier.name.as_str(), offload.bytes_for(pool), usd_per_hour)
    });
    let all = std::iter::once(hbm).chain(below);
    all.map(|(name, capacity_bytes, usd_per_hour)| {
        let owner = format!("pools.{}.tiers.{name}", pool.name);
        let get = |key: &str| found.get(&owner, key);
        let summary = TierSummary {
            capacity_bytes,
            hit_fraction: get("hit_fraction"),
            hit_tok_per_s: get("hit_tok_per_s"),
            hit_blocks_per_s: get("hit_blocks_per_s"),
            read_bytes_per_s: get("read_bytes_per_s"),
            written_bytes_per_s: get("written_bytes_per_s"),
            read_utilization: get("read_utilization"),
            write_utilization: get("write_utilization"),
            saved_usd_per_hour: get("saved_usd_per_hour"),
            usd_per_hour,
            net_usd_per_hour: get("net_usd_per_hour"),
        };
        (name.to_owned(), summary)
    })
    .collect()
}
