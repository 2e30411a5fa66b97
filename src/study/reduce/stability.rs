//! Whether the load of a pool can be sustained, and whether its run has shown that.

use super::evidence::{Evidence, Hits, Offered};
use crate::metrics::{CutOff, Point, RunRecord};
use crate::scenario::{Regime, Scenario, units};
use crate::statistics::{Interval, Trend, drift};
use crate::study::Load;
use indexmap::IndexMap;

/// Errors of a mean beyond which it is no accident.
const ERRORS: f64 = 3.5;
/// Calls that may be missing, as a share of those that are offered.
const SHORTFALL_MAX: f64 = 0.05;
/// Calls by which a pool may grow, as a share of those that arrive.
const GROWTH_MAX: f64 = 0.02;
/// Points by which the hit rates of the halves of a window may differ; if there are
/// too few replications to tell an accident, more.
const HITS_MAX: f64 = 0.02;
const HITS_MAX_OF_FEW: f64 = 0.05;
/// Replications that tell an accident from a rule.
const REPLICATIONS_MIN: usize = 3;

/// The verdict on one pool.
#[derive(Clone, Debug)]
pub struct Stability {
    /// The load can be sustained, and the run has shown it.
    pub is_stable: bool,
    /// Why it is not known whether the load can be sustained; `None`: it is known.
    pub doubt: Option<Doubt>,
    /// Calls that arrive per second, mean over replications.
    pub arrivals_per_s: f64,
    /// Calls that finish per second in the window.
    pub finished_per_s: f64,
}

/// Why a run shows no steady state.
#[derive(Clone, Debug, PartialEq)]
pub struct Doubt {
    /// The reason, as the end of a sentence.
    pub reason: String,
    /// What would help, as keys of the scenario; `None`: nothing that is known.
    pub remedy: Option<String>,
}

impl Doubt {
    /// The reason and what would help.
    pub fn text(&self) -> String {
        let Doubt { reason, remedy } = self;
        match remedy {
            Some(remedy) => format!("{reason}; it needs {remedy} or more"),
            None => reason.clone(),
        }
    }
}

impl Stability {
    /// The verdict on a pool. A steady state is lost when the number of calls
    /// in the pool grows over the measured window, or when calls of the window
    /// were left over after all patience. It is not known where the run was too
    /// short for what is known of its demand. An episode has none to lose, but one
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
        let is_unstable = match regime {
            Regime::Terminating => left_over(|_| true),
            Regime::Steady => {
                let grows = drift(&trends, arrivals_per_s).is_some_and(|drift| !drift.stable);
                left_over(|why| why == CutOff::Drain) || grows
            }
        };
        let doubt = match (is_unstable, regime) {
            (true, _) => None,
            (false, Regime::Steady) => doubt(evidence, &trends, arrivals_per_s),
            // Windows of it may have begun too late; the whole has nothing to show.
            (false, Regime::Terminating) => warm_up(evidence),
        };
        Stability {
            is_stable: !is_unstable && doubt.is_none(),
            doubt,
            arrivals_per_s,
            finished_per_s: rate(|run| run.finished),
        }
    }

    /// `true`, `false`, or `None` where it is not known.
    pub fn known(&self) -> Option<bool> {
        match self.doubt {
            Some(_) => None,
            None => Some(self.is_stable),
        }
    }
}

/// The names of pools that cannot sustain their load, and of those of which that is not
/// known, with the reason.
pub fn named<'n>(
    names: impl Iterator<Item = &'n str>,
    stability: &[Stability],
) -> (Vec<String>, IndexMap<String, String>) {
    let (mut unstable, mut unknown) = (Vec::new(), IndexMap::new());
    for (name, verdict) in names.zip(stability) {
        match &verdict.doubt {
            Some(doubt) => drop(unknown.insert(name.to_owned(), doubt.text())),
            None if !verdict.is_stable => unstable.push(name.to_owned()),
            None => {}
        }
    }
    (unstable, unknown)
}

/// The first reason to doubt that these runs show a steady state.
fn doubt(evidence: &[Evidence], trends: &[Trend], arrivals_per_s: f64) -> Option<Doubt> {
    let mean = |of: &dyn Fn(&Evidence) -> f64| {
        evidence.iter().map(of).sum::<f64>() / evidence.len().max(1) as f64
    };
    let ran_s = mean(&|run| run.warm_up_s + run.window_s);
    warm_up(evidence)
        .or_else(|| cut_off(evidence))
        .or_else(|| too_few_calls(evidence, 2.0 * ran_s))
        .or_else(|| overload(evidence, trends, arrivals_per_s))
        .or_else(|| growth(evidence, 2.0 * ran_s))
        .or_else(|| more_sessions(evidence, 2.0 * ran_s))
        .or_else(|| hits(evidence, 2.0 * ran_s))
}

fn warm_up(evidence: &[Evidence]) -> Option<Doubt> {
    let needs_s = evidence.iter().filter_map(|run| run.needs_s).reduce(f64::max)?;
    let had_s = evidence.iter().map(|run| run.warm_up_s).fold(f64::INFINITY, f64::min);
    let warm_up = units::duration(needs_s);
    // As long again is measured.
    let remedy = match evidence[0].is_of_windows {
        true => format!("windows.warm_up = \"{warm_up}\""),
        false => format!("warm_up = \"{warm_up}\" and {}", duration(2.0 * needs_s)),
    };
    Some(Doubt {
        reason: format!(
            "sessions or clients take {warm_up} to come to their steady state, and the warm-up was \
             {}",
            units::duration(had_s)
        ),
        remedy: Some(remedy),
    })
}

/// As it would be written.
fn duration(seconds: f64) -> String {
    format!("duration = \"{}\"", units::duration(seconds))
}

fn cut_off(evidence: &[Evidence]) -> Option<Doubt> {
    evidence.iter().find_map(|run| run.left_over)?;
    Some(Doubt { reason: "calls of it were cut off".to_owned(), remedy: None })
}

/// Sessions bring fewer calls than they do in the long run.
fn too_few_calls(evidence: &[Evidence], wants_s: f64) -> Option<Doubt> {
    let Offered { calls_per_s, variance_per_s, variance_of_rate } = evidence.first()?.offered?;
    let all_s: f64 = evidence.iter().map(|run| run.window_s).sum();
    let arrived: u64 = evidence.iter().map(|run| run.arrived).sum();
    let measured = arrived as f64 / all_s;
    let error = libm::sqrt(variance_per_s / all_s + variance_of_rate);
    let most = (SHORTFALL_MAX * calls_per_s).max(ERRORS * error);
    (calls_per_s - measured > most).then(|| Doubt {
        reason: format!(
            "{measured:.3} calls/s arrive where {calls_per_s:.3} are offered in the long run: \
             sessions are still to come, or answers hold them up"
        ),
        remedy: Some(duration(wants_s)),
    })
}

/// More is offered than the pool can finish, and the run is too short to show it.
fn overload(evidence: &[Evidence], trends: &[Trend], arrivals_per_s: f64) -> Option<Doubt> {
    let known: Vec<[f64; 2]> = evidence.iter().filter_map(|run| run.capacity).collect();
    if known.len() < evidence.len() || known.is_empty() {
        return None;
    }
    let mean = |at: usize| known.iter().map(|pair| pair[at]).sum::<f64>() / known.len() as f64;
    let (offered, capacity) = (mean(0), mean(1));
    let excess = offered - capacity;
    let found = drift(trends, arrivals_per_s);
    // Growth of half the excess or more cannot be told from none.
    let is_blind = found.is_none_or(|drift| drift.slope + 2.0 * drift.error > 0.5 * excess);
    (excess > 0.0 && is_blind).then(|| {
        let n = trends.len().max(1) as f64;
        let walk_per_s = trends.iter().map(|trend| trend.walk_per_s).sum::<f64>() / n;
        let window_s = (4.0 * offered).max(11.0 * walk_per_s / n) / (excess * excess);
        let warm_up_s = evidence.iter().map(|run| run.warm_up_s).fold(0.0, f64::max);
        let ran_s = evidence.iter().map(|run| run.window_s).fold(0.0, f64::max);
        Doubt {
            reason: format!(
                "{offered:.3} calls/s are offered, about {capacity:.3} can be finished at this hit \
                 rate (a closed-form estimate), and the run is too short to show growth"
            ),
            remedy: Some(duration(warm_up_s + window_s.max(2.0 * ran_s))),
        }
    })
}

/// More calls arrive than leave.
fn growth(evidence: &[Evidence], wants_s: f64) -> Option<Doubt> {
    let grown = |run: &Evidence| (run.growth as f64, run.arrived);
    grows(evidence, grown).map(|share| Doubt {
        reason: format!(
            "of the calls that arrived in it {:.1} % had not left at its end, more than were there \
             at its beginning",
            share * 100.0
        ),
        remedy: Some(duration(wants_s)),
    })
}

/// More sessions begin than end.
fn more_sessions(evidence: &[Evidence], wants_s: f64) -> Option<Doubt> {
    let grown = |run: &Evidence| {
        let [began, ended] = run.sessions;
        (began as f64 - ended as f64, began)
    };
    grows(evidence, grown).map(|share| Doubt {
        reason: format!(
            "{:.1} % more sessions began in it than ended: answers hold them up, or they last longer \
             than the run",
            share * 100.0
        ),
        remedy: Some(duration(wants_s)),
    })
}

/// The share of what came by which it grew, if that matters and is no accident; `of` tells
/// both of a run.
fn grows(evidence: &[Evidence], of: impl Fn(&Evidence) -> (f64, u64)) -> Option<f64> {
    let (growth, came): (Vec<f64>, Vec<u64>) = evidence.iter().map(of).unzip();
    let came: u64 = came.iter().sum();
    if growth.len() < REPLICATIONS_MIN || came == 0 {
        return None;
    }
    let sum = growth.iter().sum::<f64>();
    let share = sum / came as f64;
    let is_no_accident = sum / growth.len() as f64 > ERRORS * error(&growth);
    (share > GROWTH_MAX && is_no_accident).then_some(share)
}

/// The hit rate of the second half is not that of the first.
fn hits(evidence: &[Evidence], wants_s: f64) -> Option<Doubt> {
    let halves: Vec<Hits> = evidence.iter().filter_map(|run| run.hits).collect();
    if halves.len() < evidence.len() || halves.is_empty() {
        return None;
    }
    let n = halves.len() as f64;
    let mean = |of: fn(&Hits) -> f64| halves.iter().map(of).sum::<f64>() / n;
    let rises: Vec<f64> = halves.iter().map(|half| half.second - half.first).collect();
    let (first, second) = (mean(|half| half.first), mean(|half| half.second));
    let most = match rises.len() < REPLICATIONS_MIN {
        true => HITS_MAX_OF_FEW,
        false => HITS_MAX.max(ERRORS * error(&rises)),
    };
    ((second - first).abs() > most).then(|| Doubt {
        reason: format!(
            "its cache found {:.1} % of prompt tokens in the first half of the window and {:.1} % in \
             the second",
            first * 100.0,
            second * 100.0
        ),
        remedy: Some(duration(wants_s)),
    })
}

/// Standard error of the mean of `values`.
fn error(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    libm::sqrt(squares / (n - 1.0) / n)
}

/// Calls in a pool at each sample.
pub fn counts(record: &RunRecord, pool: usize) -> Vec<f64> {
    record.timeline.pool(pool).iter().map(in_system).collect()
}

fn in_system(point: &Point) -> f64 {
    f64::from(point.running) + f64::from(point.waiting)
}

/// Mean over replications of what `of` reads from the samples of all pools, at each
/// instant.
pub fn mean_series(records: &[RunRecord], of: fn(&Point) -> f64) -> Vec<f64> {
    let samples = records.iter().map(|record| record.timeline.len()).min().unwrap_or(0);
    let pools = records[0].whole.pools.len();
    let at = |sample: usize| {
        let all = records
            .iter()
            .flat_map(|record| (0..pools).map(|pool| of(&record.timeline.pool(pool)[sample])));
        all.sum::<f64>() / records.len() as f64
    };
    (0..samples).map(at).collect()
}

/// Calls in the whole system at each sample, mean over replications.
pub fn mean_in_system(records: &[RunRecord]) -> Vec<f64> {
    mean_series(records, in_system)
}

/// What leads every output: runs that were cut off, pools that cannot keep up, pools
/// of which that is not known, and episodes that ask for more than can be done.
pub fn warnings(
    scenario: &Scenario,
    records: &[RunRecord],
    stability: &[Stability],
    loads: &[Option<Load>],
    sustained: &[Option<Interval>],
) -> Vec<String> {
    let pools = scenario.pools.iter().zip(stability).zip(loads).zip(sustained);
    let of_pools = pools.filter_map(|(((pool, verdict), load), sustained)| {
        match (verdict.is_stable, &verdict.doubt, scenario.regime) {
            (true, _, Regime::Terminating) => overload_of_episode(load.as_ref()?, &pool.name),
            (true, ..) => None,
            (false, Some(doubt), _) => Some(unknown(&pool.name, &doubt.text())),
            (false, None, Regime::Steady) => Some(unstable(&pool.name, verdict, sustained)),
            (false, None, Regime::Terminating) => Some(format!(
                "pool {}: calls were left over, so its figures are withheld",
                pool.name
            )),
        }
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

/// Says of the pool that its steady state is not known, for this reason.
pub fn unknown(pool: &str, doubt: &str) -> String {
    format!(
        "pool {pool}: not known to be in a steady state: {doubt}. Latencies and the SLO verdict \
         are withheld."
    )
}

fn unstable(pool: &str, verdict: &Stability, sustained: &Option<Interval>) -> String {
    let rate = match sustained {
        Some(rate) => format!("; {:.3} calls/s is about the rate it can sustain.", rate.mean),
        None => ".".to_owned(),
    };
    format!(
        "pool {pool} is unstable at this load: {:.3} calls/s arrive, it completes {:.3} calls/s \
         and its queue grows without bound. Latencies would only tell how long the run was, so \
         they are withheld{rate}",
        verdict.arrivals_per_s, verdict.finished_per_s
    )
}

fn overload_of_episode(load: &Load, pool: &str) -> Option<String> {
    let Load { offered_calls_per_s: offered, capacity_calls_per_s: capacity, .. } = load;
    (offered > capacity).then(|| {
        format!(
            "pool {pool} is offered {offered:.3} calls/s and can finish about {capacity:.3} (a \
             closed-form estimate): calls pile up until arrivals end, and latencies tell how long \
             the episode was"
        )
    })
}
