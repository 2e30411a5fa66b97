//! From the records of all replications to figures with intervals.
//!
//! Everything is summed in replication order. A ratio of totals (dollars a
//! token, share of good calls) is a ratio of sums with a jackknife interval,
//! never a mean of ratios; a latency statistic is one value a replication with
//! a Student interval over them.

mod agents;
mod crowd;
mod curves;
mod pool;
mod stability;
mod total;
mod use_case;

pub use curves::series;
pub use stability::{Evidence, Stability, counts, mean_in_system};
pub use use_case::{give_ups, rejections};

use super::capacity::{Load, load_of};
use super::episode;
use super::figures::{Figure, Shares, figures};
use super::precision::Precision;
use super::{PoolSummary, Summary, UseCaseSummary};
use crate::kernel::Digest;
use crate::metrics::RunRecord;
use crate::scenario::{Regime, Scenario};
use crate::statistics::{Interval, Serial};
use indexmap::IndexMap;

/// Confidence of every interval in a summary.
const CONFIDENCE: f64 = 0.95;

/// The figure of a use case whose sections are tested for independence: it
/// holds queueing, prefill and decoding.
const TELLTALE: &str = ".e2e_s.mean";

/// Version of the layout of [`Summary`].
const SCHEMA: u32 = 1;

/// The summary of `records`, which are all replications of `scenario` in order.
pub fn summary(scenario: &Scenario, records: &[RunRecord], digest: Digest) -> Summary {
    let stability = stability(scenario, records);
    let found = Found::new(scenario, records, &stability);
    let use_cases = use_case::summaries(scenario, records, &found);
    let load = |at: usize| {
        let of_pool = records.iter().map(|record| &record.whole.pools[at]);
        Some(load_of(scenario, at)?.measured(&scenario.pools[at], of_pool))
    };
    let loads: Vec<Option<Load>> = (0..scenario.pools.len()).map(load).collect();
    let mut warnings = stability::warnings(scenario, records, &stability, &loads);
    warnings.extend(crowd::warnings(scenario, records, &use_cases, &loads));
    warnings.extend(episode::warning(|path| found.at(path)));
    warnings.extend(use_case::unmeasured(&use_cases));
    let rejected = use_cases.iter().map(|(name, use_case)| (name.as_str(), use_case.rejected));
    warnings.extend(rejections(rejected));
    let given_up = use_cases.iter().map(|(name, use_case)| (name.as_str(), use_case.given_up));
    warnings.extend(give_ups(given_up));
    warnings.extend(use_case::abortions(&use_cases));
    warnings.extend(use_case::late_jobs(scenario, records));
    let precision = Precision::of(scenario, &found);
    let count = records.len() as u32;
    warnings.extend(found.dependent_sections());
    warnings.extend(precision.iter().flat_map(|precision| precision.warnings(count, &found)));
    warnings.extend(scenario.warnings.iter().cloned());
    Summary {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        seed: scenario.seed,
        replications: count,
        sections: scenario.sections,
        precision,
        digest: digest.to_string(),
        regime: match scenario.regime {
            Regime::Steady => "steady".to_string(),
            Regime::Terminating => "terminating".to_string(),
        },
        warm_up_s: records[0].window_from_s,
        measured_s: records.iter().map(|run| run.whole.window_s).sum::<f64>()
            / records.len() as f64,
        arrivals_s: found.at("arrivals_s").map(|interval| interval.mean),
        drain_s: found.at("drain_s").map(|interval| interval.mean),
        use_cases,
        pools: pool::summaries(scenario, &found, &stability, &loads),
        tool_pools: agents::tool_pools(scenario, &found),
        total: total::summary(scenario),
        notes: total::notes(scenario, records.len()),
        warnings,
        horizon: None,
        windows: Vec::new(),
    }
}

/// Figures of all use cases and pools in one window of the horizon, of which
/// `records` are all runs; an overloaded pool is told, its figures stay.
pub fn window(
    scenario: &Scenario,
    records: &[RunRecord],
    verdicts: &[Stability],
    loads: &[Option<Load>],
) -> (IndexMap<String, UseCaseSummary>, IndexMap<String, PoolSummary>) {
    let found = Found::of(scenario, records);
    let use_cases = use_case::summaries(scenario, records, &found);
    (use_cases, pool::summaries(scenario, &found, verdicts, loads))
}

/// The verdict on each pool.
pub fn stability(scenario: &Scenario, records: &[RunRecord]) -> Vec<Stability> {
    (0..scenario.pools.len()).map(|pool| Stability::of(scenario, records, pool)).collect()
}

/// All figures of a scenario with their intervals, by path.
pub struct Found {
    figures: IndexMap<String, Option<Interval>>,
    /// Sections that are too short to be a sample: which figure tells, and how
    /// much neighbours go together.
    dependent: Vec<(String, Serial)>,
}

impl Found {
    /// Reduces all figures of the replications so far.
    pub fn of(scenario: &Scenario, records: &[RunRecord]) -> Self {
        Found::new(scenario, records, &stability(scenario, records))
    }

    fn new(scenario: &Scenario, records: &[RunRecord], stability: &[Stability]) -> Self {
        let figures = figures(scenario);
        let shares = |figure: &Figure| {
            let mut shares = Shares::default();
            records.iter().for_each(|record| shares.add(figure, record));
            shares
        };
        let shares: Vec<Shares> = figures.iter().map(shares).collect();
        Found::from(&figures, &shares, stability, scenario.is_random())
    }

    /// Reduces `figures` from the shares of each; those of unstable pools that
    /// need a steady state are withheld.
    pub fn from(
        figures: &[Figure],
        shares: &[Shares],
        stability: &[Stability],
        is_random: bool,
    ) -> Self {
        let mut found = Found { figures: IndexMap::new(), dependent: Vec::new() };
        for (figure, shares) in figures.iter().zip(shares) {
            let is_withheld = figure.is_withheld(|pool| !stability[pool].is_stable);
            let value = if is_withheld { None } else { reduced(shares, is_random) };
            if value.is_some() && figure.path.ends_with(TELLTALE) {
                let serial = Serial::of(&shares.series().collect::<Vec<_>>());
                let serial = serial.filter(Serial::is_significant);
                found.dependent.extend(serial.map(|serial| (figure.path.clone(), serial)));
            }
            found.figures.insert(figure.path.clone(), value);
        }
        found
    }

    /// One warning a use case whose sections go together.
    pub fn dependent_sections(&self) -> impl Iterator<Item = String> {
        self.dependent.iter().map(|(path, serial)| {
            format!(
                "sections are too short to be independent: {path} has a correlation of {:.2} \
                 between neighbours, so intervals are too narrow; take fewer sections, a longer \
                 duration, or several replications",
                serial.correlation
            )
        })
    }

    /// The figure at `owner` (`pools.assistant`) and `key`; `None` when it is
    /// absent or withheld.
    fn get(&self, owner: &str, key: &str) -> Option<Interval> {
        self.at(&format!("{owner}.{key}"))
    }

    /// The figure at `path`; `None` when it is absent or withheld.
    pub fn at(&self, path: &str) -> Option<Interval> {
        self.figures.get(path).copied().flatten()
    }

    /// The figures that are there, in the order of the summary.
    pub fn iter(&self) -> impl Iterator<Item = (&str, Interval)> {
        self.figures.iter().filter_map(|(path, interval)| Some((path.as_str(), (*interval)?)))
    }
}

/// The figure that these shares add up to. Without randomness one run is the
/// exact answer, not a sample of it.
pub fn reduced(shares: &Shares, is_random: bool) -> Option<Interval> {
    let interval = shares.interval(CONFIDENCE)?;
    Some(if is_random { interval } else { Interval::constant(interval.mean) })
}
