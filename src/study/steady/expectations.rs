//! What is known of a scenario before it runs, to hold its runs to.

use super::Settling;
use crate::metrics::{PoolRecord, RunRecord, SessionsRecord};
use crate::scenario::{Arrivals, Regime, Scenario};
use crate::study::Mix;
use crate::study::capacity::capacity_at;
use crate::study::reduce::{Evidence, Hits, Offered};
use std::sync::OnceLock;

/// Share of time stepping above which a pool may be asked for more than it can do.
const BUSY_MIN: f64 = 0.9;

/// See the module.
#[derive(Debug)]
pub struct Expectations {
    /// By use case.
    settling: Vec<Settling>,
    /// By pool; they take thousands of draws, so only where asked for.
    mixes: Vec<OnceLock<Option<Mix>>>,
}

impl Expectations {
    /// Those of `scenario`.
    pub fn of(scenario: &Scenario) -> Expectations {
        let settling = match scenario.regime {
            // An episode is measured whole; its windows are not.
            Regime::Terminating if scenario.windows.is_none() => Vec::new(),
            _ => (0..scenario.use_cases.len()).map(|at| Settling::of(scenario, at)).collect(),
        };
        let mixes = scenario.pools.iter().map(|_| OnceLock::new()).collect();
        Expectations { settling, mixes }
    }

    /// None: nothing is known of `scenario`.
    pub fn none(scenario: &Scenario) -> Expectations {
        let mixes = scenario.pools.iter().map(|_| OnceLock::new()).collect();
        Expectations { settling: Vec::new(), mixes }
    }

    /// The warm-up that its slowest use case needs.
    pub fn slowest(&self) -> Option<&Settling> {
        self.settling.iter().max_by(|a, b| a.needs_s().total_cmp(&b.needs_s()))
    }

    /// What `record` says of the pool at index `pool`.
    pub fn evidence(&self, scenario: &Scenario, record: &RunRecord, pool: usize) -> Evidence {
        let needs_s = self.needs_s(scenario, pool, record.window_from_s, record.whole.window_s);
        let served = scenario.use_cases.iter().zip(&record.whole.use_cases);
        let served = served.filter(|(use_case, _)| use_case.pools().contains(&pool));
        let sessions = served.fold([0, 0], |[began, ended], (_, it)| {
            let SessionsRecord { began: more, completed, aborted, .. } = it.sessions;
            [began + more, ended + completed + aborted]
        });
        Evidence {
            needs_s,
            sessions,
            hits: Hits::of(record, pool),
            offered: self.offered(scenario, record, pool),
            capacity: self.capacity(scenario, record, pool),
            ..Evidence::of(record, pool)
        }
    }

    /// The warm-up that the use cases of the pool at index `pool` need, s, if one of
    /// `warm_up_s` spoils what is measured for `length_s`.
    pub fn needs_s(
        &self,
        scenario: &Scenario,
        pool: usize,
        warm_up_s: f64,
        length_s: f64,
    ) -> Option<f64> {
        let served = scenario.use_cases.iter().zip(&self.settling);
        let spoilt = served.filter(|(use_case, settling)| {
            use_case.pools().contains(&pool) && settling.spoils(warm_up_s, length_s)
        });
        spoilt.map(|(_, settling)| settling.needs_s()).reduce(f64::max)
    }

    fn mix(&self, scenario: &Scenario, pool: usize) -> Option<Mix> {
        *self.mixes[pool].get_or_init(|| Mix::of(scenario, pool))
    }

    /// Calls that sessions are expected to bring to a pool; `None` where that depends on
    /// answers, or on what a demand that varies did.
    fn offered(&self, scenario: &Scenario, record: &RunRecord, pool: usize) -> Option<Offered> {
        let served = scenario.use_cases.iter().enumerate();
        let served: Vec<usize> =
            served.filter(|(_, it)| it.pools().contains(&pool)).map(|(at, _)| at).collect();
        let is_even = |at: &usize| {
            let mut parts = scenario.use_cases[*at].arrivals.parts();
            parts.all(|it| matches!(it, Arrivals::Poisson { .. } | Arrivals::Constant { .. }))
        };
        let gives_up = |at: &usize| {
            let record = &record.whole.use_cases[*at];
            record.given_up + record.called_off > 0
        };
        let has_sessions = self.settling.iter().any(|it| matches!(it, Settling::Sessions(_)));
        let is_known = scenario.windows.is_none() && has_sessions;
        if !is_known || !served.iter().all(is_even) || served.iter().any(gives_up) {
            return None;
        }
        let calls_per_s = self.mix(scenario, pool)?.calls_per_s;
        let (mut variance_per_s, mut variance_of_rate) = (0.0, 0.0);
        for &at in &served {
            let use_case = &scenario.use_cases[at];
            let rate = use_case.arrivals.mean_rate();
            let Settling::Sessions(ages) = &self.settling[at] else {
                variance_per_s += rate;
                continue;
            };
            let (mean, square) = (ages.calls_mean(), ages.calls_mean_square());
            variance_per_s += rate * square;
            let drawn = Mix::calls_drawn(use_case) / mean;
            variance_of_rate += rate * rate * (square - mean * mean) / drawn;
        }
        Some(Offered { calls_per_s, variance_per_s, variance_of_rate })
    }

    /// Calls a second that open arrivals bring and that a pool which is hardly ever idle
    /// can finish at its own hit rate.
    fn capacity(&self, scenario: &Scenario, record: &RunRecord, pool: usize) -> Option<[f64; 2]> {
        let spec = &scenario.pools[pool];
        let PoolRecord { busy_s, input_tokens, cached_tokens, .. } = record.whole.pools[pool];
        let busy = busy_s / (record.whole.window_s * f64::from(spec.replicas));
        if scenario.regime != Regime::Steady || busy < BUSY_MIN || input_tokens == 0 {
            return None;
        }
        let mix = self.mix(scenario, pool).filter(|mix| mix.calls_per_s > 0.0)?;
        let hit_fraction = cached_tokens as f64 / input_tokens as f64;
        Some([mix.calls_per_s, capacity_at(spec, &mix.with_hit_fraction(hit_fraction))])
    }
}
