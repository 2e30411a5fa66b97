//! Puts a simulation together from its checked scenario.

use super::Options;
use super::event::Slots;
use crate::catalog::{Per, Scope};
use crate::factory::{
    Engine, EngineSpec, Fleet, Level, Link, Pace, Pool, RankLimits, Router, Seats, Store, Tiers,
    ToolPool, WorkRates,
};
use crate::kernel::{Span, Time};
use crate::metrics::Window;
use crate::random::{Component, Streams, entity};
use crate::scenario::{self, Regime, Scenario};
use indexmap::IndexMap;
use std::sync::Arc;

/// What is measured: a steady state after the warm-up and up to the end of
/// arrivals, an episode from its start to its last token, a part of either for
/// the time that is asked for.
pub fn window(scenario: &Scenario, options: &Options) -> Window {
    let from = Time::ZERO + options.warm_up;
    let end = |duration| Time::ZERO + duration;
    match (options.part, scenario.regime) {
        (Some(part), _) => Window { from, until: from + part.length },
        (None, Regime::Steady) => Window { from, until: scenario.duration.map_or(Time::MAX, end) },
        (None, Regime::Terminating) => Window { from: Time::ZERO, until: Time::MAX },
    }
}

/// The levels of every pool, and the tiers they lead to.
pub fn tiers<S: Store>(scenario: &Scenario) -> (Vec<Vec<Level>>, Tiers<S>) {
    let mut tiers = TierPlan::default();
    let levels = scenario.pools.iter().map(|pool| {
        let levels = pool.offload.iter().map(|offload| tiers.level(pool, offload));
        levels.collect()
    });
    let levels = levels.collect();
    (levels, Tiers::new(&tiers.capacities, tiers.links, tiers.counts))
}

/// Stores and links while they are counted.
#[derive(Default)]
struct TierPlan {
    capacities: Vec<u64>,
    links: Vec<Link>,
    counts: usize,
    /// First store and link of tiers that all pools share, by name.
    shared_stores: IndexMap<String, u32>,
    shared_links: IndexMap<String, u32>,
}

impl TierPlan {
    fn level(&mut self, pool: &scenario::Pool, offload: &scenario::Offload) -> Level {
        let block_bytes = pool.kv.block_bytes * u64::from(pool.parallelism.tensor);
        let link_bytes = match offload.tier.transfer.per {
            Per::Gpu => pool.kv.block_bytes,
            Per::Replica | Per::All => block_bytes,
        };
        self.counts += 1;
        Level {
            policy: offload.policy,
            block_bytes,
            link_bytes,
            stores: self.stores(pool, offload),
            links: self.links(pool, offload),
            count: self.counts - 1,
        }
    }

    fn stores(&mut self, pool: &scenario::Pool, offload: &scenario::Offload) -> Seats {
        let first = self.capacities.len() as u32;
        let (replicas, ranks) = (pool.replicas, pool.parallelism.data);
        let capacity = offload.capacity_bytes;
        let (seats, count, capacity) = match offload.scope {
            Scope::Rank => (
                Seats { first, per_replica: ranks, per_rank: 1 },
                replicas * ranks,
                capacity / u64::from(ranks),
            ),
            Scope::Replica => (Seats { first, per_replica: 1, per_rank: 0 }, replicas, capacity),
            Scope::Pool => (Seats { first, ..Seats::default() }, 1, capacity),
            Scope::All => {
                let name = offload.tier.name.clone();
                let first_ever = *self.shared_stores.entry(name).or_insert(first);
                let count = u32::from(first_ever == first);
                (Seats { first: first_ever, ..Seats::default() }, count, capacity)
            }
        };
        self.capacities.extend((0..count).map(|_| capacity));
        seats
    }

    fn links(&mut self, pool: &scenario::Pool, offload: &scenario::Offload) -> Seats {
        let first = self.links.len() as u32;
        let (replicas, ranks) = (pool.replicas, pool.parallelism.data);
        let (seats, count) = match offload.tier.transfer.per {
            Per::Gpu => (Seats { first, per_replica: ranks, per_rank: 1 }, replicas * ranks),
            Per::Replica => (Seats { first, per_replica: 1, per_rank: 0 }, replicas),
            Per::All => {
                let name = offload.tier.name.clone();
                let first_ever = *self.shared_links.entry(name).or_insert(first);
                (Seats { first: first_ever, ..Seats::default() }, u32::from(first_ever == first))
            }
        };
        let pace = Arc::new(pace(offload));
        self.links.extend((0..count).map(|_| Link::new(pace.clone())));
        seats
    }
}

fn pace(offload: &scenario::Offload) -> Pace {
    let (read_bandwidth, write_bandwidth) = offload.tier.bandwidths();
    let transfer = &offload.tier.transfer;
    Pace {
        read_bandwidth,
        write_bandwidth,
        latency: Span::from_seconds(transfer.latency_s),
        efficiency: transfer.efficiency.clone(),
    }
}

pub fn pools<E: Engine>(
    scenario: &Scenario,
    levels: Vec<Vec<Level>>,
    slots: &Slots,
    streams: Streams,
) -> Vec<Pool<E>> {
    let pools = scenario.pools.iter().zip(levels).enumerate();
    pools
        .map(|(at, (pool, levels))| {
            let stream = streams.stream(Component::Route, entity(&pool.name), 0);
            Pool::new(
                engine_spec(pool, levels),
                pool.replicas,
                Router::new(pool.router, fleet(pool), stream),
                scenario.use_cases.len(),
                slots.engines(at),
            )
        })
        .collect()
}

pub fn tool_pools<J: Copy>(scenario: &Scenario) -> Vec<ToolPool<J>> {
    let pools = scenario.tool_pools.iter();
    pools.map(|pool| ToolPool::new(pool.capacity(), pool.start_up)).collect()
}

/// What the router of `pool` stands before.
fn fleet(pool: &scenario::Pool) -> Fleet {
    Fleet {
        replicas: pool.replicas,
        ranks: pool.parallelism.data,
        block_tokens: pool.kv.block_tokens,
    }
}

/// KV blocks of one rank, by pool.
pub fn kv_blocks<E: Engine>(pools: &[Pool<E>]) -> impl Iterator<Item = u64> {
    pools.iter().map(|pool| u64::from(pool.spec.limits.blocks))
}

/// What the replicas of `pool` have in common.
fn engine_spec(pool: &scenario::Pool, offload: Vec<Level>) -> EngineSpec {
    let engine = &pool.engine;
    let limits = RankLimits {
        max_num_seqs: engine.max_num_seqs,
        max_num_batched_tokens: engine.max_num_batched_tokens,
        block_tokens: pool.kv.block_tokens,
        blocks: pool.kv.blocks,
        watermark: (f64::from(pool.kv.blocks) * engine.kv_watermark) as u32,
        reserve_full_prompt: engine.reserve_full_prompt,
        window: pool.step_time.window,
        prefix_cache: engine.prefix_cache,
        tells_cache: pool.router.policy.watches_caches(),
        prompt_time: pool.step_time.prompt_time(),
    };
    EngineSpec {
        limits: Arc::new(limits),
        ranks: pool.parallelism.data,
        step_time: pool.step_time.clone(),
        rates: WorkRates::new(&pool.step_time, pool.parallelism.data),
        offload,
    }
}
