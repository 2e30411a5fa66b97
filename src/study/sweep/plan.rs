//! What is to be done: every point checked, the expensive ones first, and the
//! share of it that is one shard's.
//!
//! A run costs about what it simulates: calls. Of a point that takes a thousand
//! times as long as the others nothing is left to the end, when there would be
//! no other run for the other threads.

use super::design::Points;
use super::line::{AxisLine, Header};
use super::part::Shard;
use crate::error::{Error, Mistake, Result};
use crate::scenario::sweep::{Axis, Sweep};
use crate::scenario::{Arrivals, Loaded, Scenario, UseCase, Variants};
use crate::study::transient::pilots;
use rayon::prelude::*;
use std::collections::BTreeMap;
use std::sync::Mutex;

/// Calls that a client of a closed loop makes in a second, to order points by.
const CALLS_PER_CLIENT_S: f64 = 0.1;
/// Most mistakes told of a sweep's points.
const MISTAKES_MAX: usize = 20;

/// A sweep, ready to run.
#[derive(Debug)]
pub struct Plan {
    pub(super) points: Points,
    pub(super) variants: Variants,
    header: Header,
    /// The most expensive point first.
    pub(super) order: Vec<u32>,
    /// Pilots of each point.
    pub(super) pilots: Vec<u8>,
}

impl Plan {
    /// Checks every point of the `[sweep]` of `loaded` on the current rayon pool.
    pub fn new(loaded: &Loaded, variants: Variants, sweep: Sweep) -> Result<Plan> {
        let scenario = &loaded.scenario;
        let points = Points::new(sweep, scenario.seed);
        let header = header(loaded, &points);
        let check = |point: u32| -> Result<(f64, u8)> {
            let scenario = prepare(&variants, &points, scenario.replications, point)?;
            Ok((cost(&scenario), pilots(&scenario) as u8))
        };
        let (costs, pilots) = checked(points.count(), check)?;
        let mut order: Vec<u32> = (0..points.count()).collect();
        let cost = |point: u32| costs[point as usize];
        order.sort_unstable_by(|&a, &b| cost(b).total_cmp(&cost(a)).then(a.cmp(&b)));
        Ok(Plan { points, variants, header, order, pilots })
    }

    /// What names this sweep.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Replications of each point, at most.
    pub fn replications(&self) -> u32 {
        self.header.replications
    }

    /// The scenario at `point`.
    pub(super) fn scenario(&self, point: u32) -> Scenario {
        let scenario = self.variants.scenario_again(&self.points.at(point));
        let scenario = scenario.expect("every point was checked");
        Scenario { replications: self.replications(), ..scenario }
    }

    /// Nothing done yet of what is the share of `shard`.
    pub fn progress(&self, shard: Shard) -> Progress {
        Progress::new(self, shard)
    }

    /// Runs of a point that go to the same shard: pilots serve all runs of
    /// their point, so those stay together while there are points for all shards.
    /// Where runs decide whether there are more, they always do.
    fn block(&self, shard: Shard) -> u32 {
        let replications = self.replications();
        if self.header.is_sequential {
            return replications;
        }
        if self.pilots.iter().all(|&pilots| pilots == 0) {
            return 1;
        }
        let runs = u64::from(replications) * u64::from(self.points.count());
        runs.div_ceil(u64::from(shard.count)).min(u64::from(replications)) as u32
    }
}

/// Cost and pilots of all points, or what is wrong with them.
fn checked(
    points: u32,
    check: impl Fn(u32) -> Result<(f64, u8)> + Sync,
) -> Result<(Vec<f64>, Vec<u8>)> {
    // A key that does not exist is wrong at every point: one says it all.
    check(0)?;
    let failures = Mutex::new(BTreeMap::new());
    let note = |point: u32| {
        check(point).unwrap_or_else(|error| {
            failures.lock().expect("no check panics").insert(point, error);
            Default::default()
        })
    };
    let found = (0..points).into_par_iter().map(note).unzip();
    let mut mistakes: Vec<Mistake> = Vec::new();
    for error in failures.into_inner().expect("no check panics").into_values() {
        let Error::Invalid(found) = error else { return Err(error) };
        for mistake in found {
            let is_same = |other: &Mistake| {
                (other.line, &other.key, &other.value)
                    == (mistake.line, &mistake.key, &mistake.value)
            };
            if !mistakes.iter().any(is_same) {
                mistakes.push(mistake);
            }
        }
    }
    mistakes.truncate(MISTAKES_MAX);
    if mistakes.is_empty() { Ok(found) } else { Err(Error::Invalid(mistakes)) }
}

/// Names of the pools that serve `use_case`.
fn pool_names(scenario: &Scenario, use_case: &UseCase) -> String {
    scenario.pools_of(use_case).map(|pool| pool.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn header(loaded: &Loaded, points: &Points) -> Header {
    let scenario = &loaded.scenario;
    let pool = |use_case: &UseCase| pool_names(scenario, use_case);
    let axis = |axis: &Axis| AxisLine {
        key: axis.path.clone(),
        unit: axis.unit(),
        scale: if axis.is_log() { "log" } else { "linear" }.to_owned(),
    };
    Header {
        schema: 1,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: scenario.name.clone(),
        hash: loaded.hash.clone(),
        seed: scenario.seed,
        replications: scenario.replications,
        is_sequential: scenario.stopping.is_some(),
        design: points.design().to_string(),
        axes: points.axes().iter().map(axis).collect(),
        points: points.count(),
        use_cases: scenario.use_cases.iter().map(|case| (case.name.clone(), pool(case))).collect(),
        warnings: scenario.warnings.clone(),
        scenario_toml: loaded.resolved_toml.clone(),
    }
}

/// The scenario at `point`; a mistake says which point that is.
fn prepare(
    variants: &Variants,
    points: &Points,
    replications: u32,
    point: u32,
) -> Result<Scenario> {
    let values = points.at(point);
    match variants.scenario(&values) {
        Ok(scenario) => Ok(Scenario { replications, ..scenario }),
        Err(Error::Invalid(mut mistakes)) => {
            let values: Vec<String> =
                values.iter().map(|(path, node)| format!("{path} = {}", node.to_toml())).collect();
            for mistake in &mut mistakes {
                mistake.problem +=
                    &format!(" (at point {point} of [sweep]: {})", values.join(", "));
            }
            Err(Error::Invalid(mistakes))
        }
        Err(error) => Err(error),
    }
}

/// Calls of one run, to order points by.
fn cost(scenario: &Scenario) -> f64 {
    let duration_s = scenario.duration.map_or(f64::INFINITY, |duration| duration.seconds());
    let calls = |arrivals: &Arrivals| match arrivals {
        Arrivals::Poisson { rate } | Arrivals::Constant { rate } => rate * duration_s,
        Arrivals::Varying(demand) => demand.mean_rate() * duration_s,
        Arrivals::ClosedLoop { clients, requests, .. } => {
            let all = requests.map_or(f64::INFINITY, |requests| requests as f64);
            all.min(f64::from(*clients) * CALLS_PER_CLIENT_S * duration_s)
        }
        Arrivals::Trace { trace, time_scale } => {
            let length_s = trace.length.seconds() * time_scale;
            let share = if length_s > duration_s { duration_s / length_s } else { 1.0 };
            trace.calls as f64 * share
        }
        Arrivals::Batch(batch) => batch.calls_per_s * duration_s,
        Arrivals::Regions(_) => unreachable!("parts have no parts"),
    };
    scenario.use_cases.iter().flat_map(|use_case| use_case.arrivals.parts()).map(calls).sum()
}

/// What is done and what is left of a shard. Cost: 12 bytes a point, a bit a run.
#[derive(Debug)]
pub struct Progress {
    shard: Shard,
    block: u32,
    replications: u32,
    /// Warm-up of each point in ticks, once its line is written.
    warm_up: Vec<u64>,
    /// Position of each point in the order of work.
    rank: Vec<u32>,
    /// A bit a run.
    done: Vec<u64>,
    /// Where points stop when they are precise, the replications that were
    /// enough for each, once known; 0 before.
    enough: Option<Vec<u32>>,
}

const UNKNOWN: u64 = u64::MAX;

impl Progress {
    fn new(plan: &Plan, shard: Shard) -> Progress {
        let points = plan.points.count();
        let mut rank = vec![0; points as usize];
        for (position, &point) in plan.order.iter().enumerate() {
            rank[point as usize] = position as u32;
        }
        let runs = u64::from(points) * u64::from(plan.replications());
        Progress {
            shard,
            block: plan.block(shard),
            replications: plan.replications(),
            warm_up: vec![UNKNOWN; points as usize],
            rank,
            done: vec![0; runs.div_ceil(64) as usize],
            enough: plan.header.is_sequential.then(|| vec![0; points as usize]),
        }
    }

    /// Notes the line of a point; false if there cannot be one, or already is.
    pub(super) fn begin(&mut self, point: u32, warm_up_ticks: u64) -> bool {
        let Some(known) = self.warm_up.get_mut(point as usize) else { return false };
        let is_new = *known == UNKNOWN && warm_up_ticks != UNKNOWN;
        if is_new {
            *known = warm_up_ticks;
        }
        is_new
    }

    /// Notes a run; false if there cannot be one, or already is.
    pub(super) fn finish(&mut self, point: u32, replication: u32) -> bool {
        let is_new = self.is_ours(point, replication) && !self.is_done(point, replication);
        if is_new {
            let (word, bit) = self.bit(point, replication);
            self.done[word] |= bit;
        }
        is_new
    }

    /// Notes that so many replications of a point are enough; false if that
    /// cannot be, or is known already.
    pub(super) fn settle(&mut self, point: u32, replications: u32) -> bool {
        let enough = self.enough.as_mut().and_then(|enough| enough.get_mut(point as usize));
        let Some(known) = enough else { return false };
        let is_new = *known == 0 && (1..=self.replications).contains(&replications);
        if is_new {
            *known = replications;
        }
        is_new
    }

    /// Replications that are enough for `point`, once known.
    fn enough(&self, point: u32) -> Option<u32> {
        match &self.enough {
            None => Some(self.replications),
            Some(enough) => Some(enough[point as usize]).filter(|&enough| enough > 0),
        }
    }

    /// Whether it is open how many replications are enough for `point`.
    pub(super) fn is_undecided(&self, point: u32) -> bool {
        self.enough(point).is_none()
    }

    /// The warm-up of `point` in ticks, once known.
    pub(super) fn warm_up(&self, point: u32) -> Option<u64> {
        Some(self.warm_up[point as usize]).filter(|&ticks| ticks != UNKNOWN)
    }

    fn bit(&self, point: u32, replication: u32) -> (usize, u64) {
        let run = u64::from(point) * u64::from(self.replications) + u64::from(replication);
        ((run / 64) as usize, 1 << (run % 64))
    }

    fn is_done(&self, point: u32, replication: u32) -> bool {
        let (word, bit) = self.bit(point, replication);
        self.done[word] & bit != 0
    }

    /// Whether any run of `point` is done.
    pub(super) fn has_done(&self, point: u32) -> bool {
        (0..self.replications).any(|replication| self.is_done(point, replication))
    }

    /// Whether a run is this shard's.
    fn is_ours(&self, point: u32, replication: u32) -> bool {
        let Some(&rank) = self.rank.get(point as usize) else { return false };
        let blocks = u64::from(self.replications.div_ceil(self.block));
        let block = u64::from(rank) * blocks + u64::from(replication / self.block);
        replication < self.replications
            && block % u64::from(self.shard.count) == u64::from(self.shard.index)
    }

    /// Whether a run is this shard's and not done; it may yet turn out that it
    /// is not needed.
    pub(super) fn is_left(&self, point: u32, replication: u32) -> bool {
        self.is_ours(point, replication)
            && !self.is_done(point, replication)
            && self.enough(point).is_none_or(|enough| replication < enough)
    }

    /// Whether anything of `point` is left: a run, or the question whether they
    /// are enough.
    pub(super) fn has_left(&self, point: u32) -> bool {
        (0..self.replications).any(|replication| self.is_left(point, replication))
            || (self.is_undecided(point) && self.is_ours(point, 0))
    }

    /// Runs done.
    pub fn done(&self) -> u64 {
        self.done.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Runs left at most, pilots apart.
    pub fn left(&self) -> u64 {
        let points = 0..self.rank.len() as u32;
        let runs = |point| (0..self.replications).filter(move |&r| self.is_left(point, r)).count();
        points.map(|point| runs(point) as u64).sum()
    }
}
