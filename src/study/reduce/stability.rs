//! Whether the load of a pool can be sustained.

use super::RunRecord;
use super::memory::PoolMemory;
use crate::metrics::{CutOff, Point, PoolRecord};
use crate::scenario::{Regime, Scenario};
use crate::statistics::{Memory, Trend, drift};
use crate::study::Load;
use serde::{Deserialize, Serialize};

/// The verdict on one pool.
#[derive(Clone, Debug)]
pub struct Stability {
    /// The load does not grow without bound.
    pub is_stable: bool,
    /// Calls that arrive per second, mean over replications.
    pub arrivals_per_s: f64,
    /// Calls that finish per second in the window.
    pub finished_per_s: f64,
    /// How long the number of calls in it remembers; `None` where that is not asked.
    pub memory: Option<PoolMemory>,
}

/// What one replication says of one pool: all that the verdict needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Length of the measured window, s.
    pub window_s: f64,
    /// Calls that arrived in it.
    pub arrived: u64,
    /// Calls that finished in it.
    pub finished: u64,
    /// Why calls of it were left over; `None` when none were.
    pub left_over: Option<CutOff>,
    /// Growth over it; `None` when the window is too short to tell.
    pub trend: Option<Trend>,
    /// Time before the window, s.
    pub warm_up_s: f64,
    /// How long the number of calls remembers, of which each window tells; `None` where
    /// the window is too short to tell, or what arrives is not of one law.
    pub memory: Option<Memory>,
}

impl Evidence {
    /// What `record` says of the pool at index `pool`.
    pub fn of(record: &RunRecord, pool: usize) -> Evidence {
        let interval_s = record.timeline.interval().seconds();
        let before = (record.window_from_s / interval_s) as usize;
        let counts = counts(record, pool);
        let counts = counts.get(before..).unwrap_or(&[]);
        let PoolRecord { arrived, finished, unfinished, .. } = record.whole.pools[pool];
        Evidence {
            window_s: record.whole.window_s,
            arrived,
            finished,
            left_over: record.cut_off.filter(|_| unfinished > 0),
            trend: Trend::of(counts, interval_s),
            warm_up_s: record.window_from_s,
            memory: record.is_stationary.then(|| Memory::of(counts, interval_s)).flatten(),
        }
    }
}

impl Stability {
    /// The verdict on the pool at index `pool`.
    pub fn of(scenario: &Scenario, records: &[RunRecord], pool: usize) -> Stability {
        let evidence = records.iter().map(|record| Evidence::of(record, pool));
        Stability::from(scenario.regime, &evidence.collect::<Vec<_>>())
    }

    /// The verdict on a pool. A steady state is lost when the number of calls
    /// in the pool grows over the measured window, or when calls of the window
    /// were left over after all patience; an episode has none to lose, but one
    /// that was cut off is not whole.
    pub fn from(regime: Regime, evidence: &[Evidence]) -> Stability {
        let window_s: f64 = evidence.iter().map(|run| run.window_s).sum();
        let rate = |count: fn(&Evidence) -> u64| {
            let calls: u64 = evidence.iter().map(count).sum();
            calls as f64 / window_s.max(f64::MIN_POSITIVE)
        };
        let arrivals_per_s = rate(|run| run.arrived);
        let trends: Vec<Trend> = evidence.iter().filter_map(|run| run.trend).collect();
        let left_over =
            |why: fn(CutOff) -> bool| evidence.iter().any(|run| run.left_over.is_some_and(why));
        let is_stable = match regime {
            Regime::Terminating => !left_over(|_| true),
            Regime::Steady => {
                let grows = drift(&trends, arrivals_per_s).is_some_and(|drift| !drift.stable);
                !left_over(|why| why == CutOff::Drain) && !grows
            }
        };
        let memory = PoolMemory::of(evidence);
        Stability { is_stable, arrivals_per_s, finished_per_s: rate(|run| run.finished), memory }
    }
}

/// Calls in a pool at each sample.
pub fn counts(record: &RunRecord, pool: usize) -> Vec<f64> {
    record.timeline.pool(pool).iter().map(in_system).collect()
}

fn in_system(point: &Point) -> f64 {
    f64::from(point.running) + f64::from(point.waiting)
}

/// Calls in the whole system at each sample, mean over replications.
pub fn mean_in_system(records: &[RunRecord]) -> Vec<f64> {
    let samples = records.iter().map(|record| record.timeline.len()).min().unwrap_or(0);
    let pools = records[0].whole.pools.len();
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

/// What leads every output: runs that were cut off, pools that cannot keep up,
/// and pools that are asked for more than they can do.
pub fn warnings(
    scenario: &Scenario,
    records: &[RunRecord],
    stability: &[Stability],
    loads: &[Option<Load>],
) -> Vec<String> {
    let pools = scenario.pools.iter().zip(stability).zip(loads);
    let of_pools = pools.filter_map(|((pool, verdict), load)| match verdict.is_stable {
        false if scenario.regime == Regime::Steady => Some(unstable(&pool.name, verdict)),
        false => {
            Some(format!("pool {}: calls were left over, so its figures are withheld", pool.name))
        }
        true => overload(scenario.regime, load.as_ref()?, &pool.name),
    });
    cut_offs(records).into_iter().chain(of_pools).collect()
}

fn cut_offs(records: &[RunRecord]) -> Option<String> {
    let first = records.iter().find_map(|record| Some((record, record.cut_off?)));
    let (record, reason) = first?;
    let count = records.iter().filter(|record| record.cut_off.is_some()).count();
    let why = match reason {
        CutOff::Calls => "more calls were in the system at once than a run keeps (2,000,000)",
        CutOff::Sessions => "more sessions were alive at once than a run keeps (4,000,000)",
        CutOff::Drain => "calls of the measured window were unfinished long after it",
        CutOff::Horizon => "it reached ten years of simulated time",
    };
    Some(format!(
        "{count} of {} replications were cut off, the first at {:.3} s: {why}. What they would have \
         measured later is missing.",
        records.len(),
        record.end_s
    ))
}

fn unstable(pool: &str, verdict: &Stability) -> String {
    format!(
        "pool {pool} is unstable at this load: {:.3} calls/s arrive, it completes {:.3} calls/s \
         and its queue grows without bound. Latencies would only tell how long the run was, so \
         they are withheld; {:.3} calls/s is about the rate it can sustain.",
        verdict.arrivals_per_s, verdict.finished_per_s, verdict.finished_per_s
    )
}

fn overload(regime: Regime, load: &Load, pool: &str) -> Option<String> {
    let Load { offered_calls_per_s: offered, capacity_calls_per_s: capacity, .. } = load;
    let consequence = match regime {
        Regime::Steady => {
            "the run is too short to show growth, and its latencies depend on how long it was"
        }
        Regime::Terminating => {
            "calls pile up until arrivals end, and latencies tell how long the episode was"
        }
    };
    (offered > capacity).then(|| {
        format!(
            "pool {pool} is offered {offered:.3} calls/s and can finish about {capacity:.3} (a \
             closed-form estimate): {consequence}"
        )
    })
}
