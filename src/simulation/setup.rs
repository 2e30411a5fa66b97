//! Puts a simulation together from its checked scenario.

use super::event::Slots;
use crate::factory::{Engine, EngineSpec, Fleet, Pool, RankLimits, Router};
use crate::kernel::{Span, Time};
use crate::metrics::Window;
use crate::random::{Component, Streams, entity};
use crate::scenario::{self, Regime, Scenario};

/// What is measured: a steady state after the warm-up and up to the end of
/// arrivals, an episode from its start to its last token.
pub fn window(scenario: &Scenario, warm_up: Span) -> Window {
    let end = |duration| Time::ZERO + duration;
    match scenario.regime {
        Regime::Steady => {
            Window { from: Time::ZERO + warm_up, until: scenario.duration.map_or(Time::MAX, end) }
        }
        Regime::Terminating => Window { from: Time::ZERO, until: Time::MAX },
    }
}

pub fn pools<E: Engine>(scenario: &Scenario, slots: &Slots, streams: Streams) -> Vec<Pool<E>> {
    let pools = scenario.pools.iter().enumerate();
    pools
        .map(|(at, pool)| {
            let stream = streams.stream(Component::Route, entity(&pool.name), 0);
            Pool::new(
                engine_spec(pool),
                pool.replicas,
                Router::new(pool.router, fleet(pool), stream),
                scenario.use_cases.len(),
                slots.engines(at),
            )
        })
        .collect()
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
fn engine_spec(pool: &scenario::Pool) -> EngineSpec {
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
    EngineSpec { limits, ranks: pool.parallelism.data, step_time: pool.step_time.clone() }
}
