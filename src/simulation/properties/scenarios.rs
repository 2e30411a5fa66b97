//! Random scenarios.

use super::agents;
use super::calls::use_case;
use super::places::{by_region, one_place, origins, places};
use super::pools::pool;
use crate::demand::curve::Curve;
use crate::kernel::Span;
use crate::random::Distribution;
use crate::scenario::{
    Arrivals, AtStart, Batch, Demand, Lengths, PoolPace, Regime, Releases, Scenario, UseCase,
    WarmUp,
};
use crate::workload::agent::Pace;
use proptest::prelude::*;
use std::sync::Arc;

prop_compose! {
    pub fn scenario()(
        pools in proptest::collection::vec(pool(), 1..3),
        use_cases in proptest::collection::vec(
            (use_case(), any::<prop::sample::Index>(), proptest::option::of(places())),
            1..4,
        ),
        crew in proptest::option::weighted(0.5, agents::crew()),
        tool_pool in agents::tool_pool(),
        agent_trip in proptest::option::of(0..400_000_000u64),
        agent_site in proptest::option::of(any::<prop::sample::Index>()),
        seed in any::<u64>(),
        steady in any::<bool>(),
        sections in prop_oneof![Just(1), 2..9u32],
        at_start in at_start(),
    ) -> Scenario {
        let mut pools = pools;
        for (at, pool) in pools.iter_mut().enumerate() {
            pool.name = format!("pool-{at}");
        }
        let mut use_cases: Vec<UseCase> = use_cases
            .into_iter()
            .map(|(use_case, pool, places)| {
                let pool = pool.index(pools.len());
                let origins = places.map(|places| Arc::new(origins(pool, pools.len(), places)));
                let arrivals = match (use_case.arrivals, &origins) {
                    (Arrivals::Poisson { rate }, Some(origins)) => {
                        by_region(rate, origins, |rate| Arrivals::Poisson { rate })
                    }
                    (Arrivals::Varying(demand), Some(origins)) => {
                        by_region(demand.curve.rate, origins, |rate| {
                            let curve = Curve { rate, ..demand.curve.clone() };
                            Arrivals::Varying(Arc::new(Demand { curve, ..(*demand).clone() }))
                        })
                    }
                    (other, _) => other,
                };
                UseCase { pool, origins, arrivals, ..use_case }
            })
            .collect();
        // Sessions of agents take the place of calls.
        if let Some(crew) = crew {
            use_cases[0].arrivals = of_agents(use_cases[0].arrivals.clone());
            let [first, ..] = &mut use_cases[..] else { unreachable!("there is one") };
            let site = place_agents(first, pools.len(), agent_trip, agent_site);
            first.lengths = Lengths::Agents(agents::with_site(crew, site));
            (first.thinking, first.session, first.prefix) = (None, None, Vec::new());
        }
        for (at, use_case) in use_cases.iter_mut().enumerate() {
            use_case.name = format!("use-case-{at}");
            use_case.prefix.iter_mut().for_each(|segment| segment.owner = at as u16);
        }
        // Others may begin as the first does.
        let (first, others) = use_cases.split_first_mut().unwrap();
        for other in others {
            if let (Some(own), Some(first)) = (other.prefix.first_mut(), first.prefix.first())
                && own.name.is_some()
            {
                *own = first.clone();
            }
        }
        Scenario {
            name: "random".to_string(),
            seed,
            replications: 1,
            stopping: None,
            start: None,
            duration: Some(Span::from_seconds(2.0)),
            regime: if steady { Regime::Steady } else { Regime::Terminating },
            warm_up: WarmUp::Auto,
            sections: if steady { sections } else { 1 },
            at_start,
            pools,
            tool_pools: vec![tool_pool],
            use_cases,
            windows: None,
            warnings: Vec::new(),
        }
    }
}

/// Nobody, or some estimate of two pools, which need not be right.
fn at_start() -> impl Strategy<Value = AtStart> {
    let pace = (1..20_u64, 0..10_000_000_000_u64).prop_map(|(ms, keeps)| {
        let first_s = ms as f64 * 1e-3;
        let call = Pace { first_s, prefill_s: first_s * 1e-3, decode_s: first_s * 0.1 };
        PoolPace { call, keeps: Span::from_ticks(keeps) }
    });
    proptest::option::of(pace).prop_map(|pace| match pace {
        None => AtStart::Nobody,
        Some(pace) => AtStart::Stationary { pools: Arc::new([pace; 2]) },
    })
}

/// A run is many calls: jobs have few of them.
fn of_agents(arrivals: Arrivals) -> Arrivals {
    let Arrivals::Batch(batch) = &arrivals else { return arrivals };
    Arrivals::Batch(Arc::new(Batch {
        releases: Releases::Every(Span::from_seconds(1.0)),
        calls: Distribution::uniform(1.0, 8.0).unwrap(),
        ..(**batch).clone()
    }))
}

/// Gives the users of agents a way, if they have none, and tells the site of agents that
/// have one of their own.
pub fn place_agents(
    use_case: &mut UseCase,
    pools: usize,
    trip: Option<u64>,
    site: Option<prop::sample::Index>,
) -> Option<u8> {
    if use_case.origins.is_none()
        && let Some(ticks) = trip
    {
        use_case.origins = Some(Arc::new(one_place(use_case.pool, pools, ticks)));
    }
    site.map(|site| site.index(use_case.pools().len()) as u8)
}
