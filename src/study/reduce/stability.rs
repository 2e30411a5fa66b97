//! Whether the load of a pool can be sustained.

use super::RunRecord;
use crate::metrics::Point;
use crate::scenario::{Regime, Scenario};
use crate::statistics::drift;
use crate::study::load_of;

/// Fewest samples in the window for the drift test to say anything.
const SAMPLES_MIN: usize = 17;

/// The verdict on one pool.
#[derive(Clone, Debug)]
pub struct Stability {
    /// The load does not grow without bound.
    pub is_stable: bool,
    /// Calls that arrive per second, mean over replications.
    pub arrivals_per_s: f64,
    /// Calls that finish per second in the window.
    pub finished_per_s: f64,
}

/// Tests the number of calls in `pool` for growth over the measured window. An
/// episode that ends has no steady state to lose.
pub fn of_pool(scenario: &Scenario, records: &[RunRecord], pool: usize) -> Stability {
    let window_s: f64 = records.iter().map(|record| record.window_s).sum();
    let rate = |count: fn(&crate::metrics::PoolRecord) -> u64| {
        let calls: u64 = records.iter().map(|record| count(&record.pools[pool])).sum();
        calls as f64 / window_s.max(f64::MIN_POSITIVE)
    };
    let arrivals_per_s = rate(|record| record.arrived);
    let is_stable = scenario.regime == Regime::Terminating
        || (records.iter().all(|record| record.pools[pool].unfinished == 0)
            && !grows(records, pool, arrivals_per_s));
    Stability { is_stable, arrivals_per_s, finished_per_s: rate(|record| record.finished) }
}

fn grows(records: &[RunRecord], pool: usize, arrivals_per_s: f64) -> bool {
    let interval_s = records[0].timeline.interval().seconds();
    let before = (records[0].window_from_s / interval_s) as usize;
    let series: Vec<Vec<f64>> = records
        .iter()
        .map(|record| {
            let points = record.timeline.pool(pool);
            points[before.min(points.len())..].iter().map(in_system).collect()
        })
        .collect();
    if series.iter().any(|series: &Vec<f64>| series.len() < SAMPLES_MIN) {
        return false;
    }
    drift(&series, interval_s, arrivals_per_s).is_some_and(|drift| !drift.stable)
}

fn in_system(point: &Point) -> f64 {
    f64::from(point.running) + f64::from(point.waiting)
}

/// Calls in the whole system at each sample, mean over replications.
pub fn mean_in_system(records: &[RunRecord]) -> Vec<f64> {
    let samples = records.iter().map(|record| record.timeline.len()).min().unwrap_or(0);
    let pools = records[0].pools.len();
    (0..samples)
        .map(|sample| {
            let total: f64 = records
                .iter()
                .flat_map(|record| {
                    (0..pools).map(|pool| in_system(&record.timeline.pool(pool)[sample]))
                })
                .sum();
            total / records.len() as f64
        })
        .collect()
}

/// One warning for each pool that cannot keep up, or is asked for more than it
/// can do in an episode.
pub fn warnings(scenario: &Scenario, stability: &[Stability]) -> Vec<String> {
    let pools = scenario.pools.iter().zip(stability).enumerate();
    pools
        .filter_map(|(at, (pool, verdict))| match verdict.is_stable {
            false => Some(unstable(&pool.name, verdict)),
            true if scenario.regime == Regime::Terminating => overload(scenario, at, &pool.name),
            true => None,
        })
        .collect()
}

fn unstable(pool: &str, verdict: &Stability) -> String {
    format!(
        "pool {pool} is unstable at this load: {:.3} calls/s arrive, it completes {:.3} calls/s \
         and its queue grows without bound. Latencies would only tell how long the run was, so \
         they are withheld; {:.3} calls/s is about the rate it can sustain.",
        verdict.arrivals_per_s, verdict.finished_per_s, verdict.finished_per_s
    )
}

fn overload(scenario: &Scenario, at: usize, pool: &str) -> Option<String> {
    let load = load_of(scenario, at)?;
    (load.offered_calls_per_s > load.capacity_calls_per_s).then(|| {
        format!(
            "pool {pool} is offered {:.3} calls/s and can finish about {:.3} (a closed-form \
             estimate): calls pile up until arrivals end, and latencies tell how long the episode \
             was.",
            load.offered_calls_per_s, load.capacity_calls_per_s
        )
    })
}
