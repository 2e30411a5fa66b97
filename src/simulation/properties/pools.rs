//! Random pools: engines, step times, routers, tiers.

use crate::catalog::{Catalog, GpuHour, Per, Scope, Tier, Transfer};
use crate::factory::{
    CacheRules, Eviction, Experts, KvGroups, KvPlan, Parallelism, Policy, Routing, StepTime,
    Writing,
};
use crate::kernel::Span;
use crate::scenario::{Engine, Offload, Pool};
use proptest::prelude::*;
use std::sync::Arc;

fn step_time() -> impl Strategy<Value = StepTime> {
    let per = |max: f64| prop_oneof![1 => Just(0.0), 4 => 0.0..max];
    let experts = (per(1e-5), 1..40usize).prop_map(|(per_group_token, size)| Experts {
        per_group_token,
        weights: (0..size).map(|n| 1e-3 * (1.0 - 0.8f64.powi(n as i32))).collect(),
    });
    (
        (1e-4..1e-2, per(1e-5), per(1e-5), per(1e-6), per(1e-6), per(1e-8), per(1e-8), per(1e-7)),
        proptest::option::of(experts),
        proptest::option::weighted(0.4, 1..300u32),
        proptest::option::weighted(0.4, 0.1..3.0),
    )
        .prop_map(
            |(
                (step, token, sequence, context, windowed, pair, pair_w, prefix),
                experts,
                window,
                decode_scale,
            )| {
                StepTime {
                    per_step: step,
                    per_token: token,
                    per_sequence: sequence,
                    per_decode_context: context,
                    per_decode_context_windowed: windowed,
                    per_pair: pair,
                    per_pair_windowed: pair_w,
                    per_prefix: prefix,
                    experts,
                    window,
                    decode_scale,
                }
            },
        )
}

fn eviction() -> impl Strategy<Value = Eviction> {
    prop_oneof![
        2 => Just(Eviction::Lru),
        1 => Just(Eviction::Lfu),
        1 => Just(Eviction::S3Fifo),
        1 => (0.0..0.5).prop_map(|ttl| Eviction::Ttl { ttl: Span::from_seconds(ttl) }),
        1 => Just(Eviction::CostAware),
        2 => (0.001..0.5).prop_map(|hold| Eviction::AgentHold { hold: Span::from_seconds(hold) }),
    ]
}

fn engine() -> impl Strategy<Value = Engine> {
    let rules = (eviction(), any::<bool>(), any::<bool>()).prop_map(
        |(eviction, dedup_in_flight, cache_decoded)| CacheRules {
            eviction,
            dedup_in_flight,
            cache_decoded,
        },
    );
    let cache = proptest::option::weighted(0.8, rules);
    (1..24u32, 0..200u32, any::<bool>(), prop_oneof![Just(0.0), 0.0..0.2], cache).prop_map(
        |(max_num_seqs, spare, reserve_full_prompt, kv_watermark, prefix_cache)| Engine {
            max_num_seqs,
            max_num_batched_tokens: max_num_seqs + spare,
            max_model_len: 2000,
            reserve_full_prompt,
            kv_watermark,
            prefix_cache,
            step_scale: 1.0,
            decode_scale: 1.0,
            step_overhead: Span::ZERO,
        },
    )
}

fn router() -> impl Strategy<Value = Routing> {
    let policy = prop_oneof![
        Just(Policy::RoundRobin),
        Just(Policy::LeastLoaded),
        Just(Policy::PowerOfTwo),
        (0.0..3.0, prop_oneof![Just(0.0), 0.0..1.0]).prop_map(|(overlap_weight, temperature)| {
            Policy::KvAware { overlap_weight, temperature }
        }),
        Just(Policy::SessionAffinity),
        (1.0..2.0).prop_map(|spill_over| Policy::PrefixAffinity { spill_over }),
    ];
    let delay = prop_oneof![Just(Span::ZERO), (0.0..1.0).prop_map(Span::from_seconds)];
    (policy, delay).prop_map(|(policy, signal_delay)| Routing { policy, signal_delay })
}

/// Tiers of a few blocks to many, on links from slower to faster than computing.
fn offload() -> impl Strategy<Value = Vec<Offload>> {
    let per = prop_oneof![Just(Per::Gpu), Just(Per::Replica), Just(Per::All)];
    let bandwidth = || (5.0..10.0f64).prop_map(|digits| 10f64.powf(digits));
    let latency = prop_oneof![Just(0.0), 0.0..1e-3];
    let efficiency = prop_oneof![Just(vec![(1.0, 0.8)]), Just(vec![(5e3, 0.2), (1e5, 0.7)])];
    let transfer = (per, bandwidth(), bandwidth(), latency, efficiency).prop_map(
        |(per, read_bandwidth, write_bandwidth, latency_s, efficiency)| Transfer {
            per,
            read_bandwidth,
            write_bandwidth,
            latency_s,
            efficiency,
        },
    );
    let scope =
        prop_oneof![Just(Scope::Rank), Just(Scope::Replica), Just(Scope::Pool), Just(Scope::All)];
    let policy =
        prop_oneof![Just(Writing::WriteThrough), Just(Writing::WriteBack), Just(Writing::OnEvict)];
    let tier = (transfer, scope, policy, 1..400u64);
    proptest::collection::vec(tier, 0..4).prop_map(|tiers| {
        let offload = |(at, (transfer, scope, policy, blocks)): (usize, (_, _, _, u64))| Offload {
            tier: Arc::new(Tier {
                // Tiers of one place are shared by pools, if they are shared by all.
                name: format!("tier-{at}"),
                aliases: Vec::new(),
                title: String::new(),
                scope,
                transfer,
                carrier: None,
                capacity_per_gpu: None,
                price: None,
                origins: Vec::new(),
            }),
            capacity_bytes: blocks * BLOCK_BYTES,
            policy,
            scope,
            sharers: 1,
        };
        tiers.into_iter().enumerate().map(offload).collect()
    })
}

/// Layers in one group, or in several with windows of a few places or of many.
fn groups() -> impl Strategy<Value = KvGroups> {
    let hybrid = (0..3u32, 1..4u32, prop_oneof![1..40u32, 1..400u32]);
    prop_oneof![
        1 => Just(KvGroups::PLAIN),
        1 => hybrid.prop_map(|(full, windowed, window)| KvGroups { layers: 1, full, windowed, window }),
    ]
}

const BLOCK_BYTES: u64 = 1000;

pub fn pool() -> impl Strategy<Value = Pool> {
    let kv = (1..33u32, 10..150u32, 1..4u64, groups());
    let kv = kv.prop_map(|(block_tokens, blocks, size, groups)| KvPlan {
        block_bytes: size * BLOCK_BYTES / 2,
        groups,
        ..KvPlan::fixed(block_tokens, blocks * groups.all())
    });
    (step_time(), engine(), router(), 1..4u32, 1..4u32, kv, offload()).prop_map(
        |(step_time, engine, router, replicas, data, kv, offload)| Pool {
            name: String::new(),
            // Names only: what the engine sees of them is in `step_time` and `kv`.
            model: Catalog::embedded().model("llama-3.1-8b").unwrap(),
            hardware: Catalog::embedded().hardware("h100-sxm").unwrap(),
            precision: "bf16".parse().unwrap(),
            region: None,
            replicas,
            parallelism: Parallelism { tensor: 1, data, expert: 1 },
            router,
            // Without a cache there is nothing that tiers could be offered.
            offload: if engine.prefix_cache.is_some() { offload } else { Vec::new() },
            engine,
            kv,
            step_time,
            gpu_hour: GpuHour { usd: None, origin: String::new(), is_estimate: false },
            watts_per_gpu: None,
            pue: 1.0,
        },
    )
}
