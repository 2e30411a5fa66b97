//! Random scenarios.

use super::agents;
use super::calls::use_case;
use super::places::{by_region, one_place, origins, places};
use super::pools::pool;
use crate::kernel::Span;
use crate::scenario::{Arrivals, Lengths, Regime, Scenario, UseCase, WarmUp};
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
        agent_trip in proptest::option::of(1..400_000_000u64),
        seed in any::<u64>(),
        steady in any::<bool>(),
        sections in prop_oneof![Just(1), 2..9u32],
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
                    (Arrivals::Poisson { rate }, Some(origins)) => by_region(rate, origins),
                    (other, _) => other,
                };
                UseCase { pool, origins, arrivals, ..use_case }
            })
            .collect();
        // Sessions of agents take the place of calls.
        if let Some(crew) = crew
            && use_cases[0].origins.is_none()
            && matches!(
                use_cases[0].arrivals,
                Arrivals::Poisson { .. } | Arrivals::Constant { .. } | Arrivals::ClosedLoop { .. }
            )
        {
            let pool = use_cases[0].pool;
            let crew = agents::with_pools(crew, pool, pools.len());
            let [first, ..] = &mut use_cases[..] else { unreachable!("there is one") };
            first.lengths = Lengths::Agents(crew);
            (first.thinking, first.session, first.prefix) = (None, None, Vec::new());
            first.origins = agent_trip.map(|ticks| Arc::new(one_place(pool, ticks)));
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
            pools,
            tool_pools: vec![tool_pool],
            use_cases,
            windows: None,
            warnings: Vec::new(),
        }
    }
}
