//! Whether promises were kept: by all replications together, and by how many of them.

use super::use_case::latency;
use super::{Figure, Share};
use crate::metrics::{LatencyRecord, RunRecord, Stretch};
use crate::scenario::{Scenario, Statistic, Target};
use crate::statistics::mixture_quantile;

/// Key of all promises of a use case together.
pub const ALL: &str = "all";

/// The figures of the promises of the use case at index `at`: the share of replications
/// that keep each of them, and all; of windows of the horizon, too, where there are any.
/// None without promises.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    let targets = &use_case.slo.targets;
    if targets.is_empty() {
        return Vec::new();
    }
    let each = targets.iter().map(|target| (target.key.as_str(), vec![target.clone()]));
    let all = std::iter::once((ALL, targets.clone()));
    let of = |(key, targets): (&str, Vec<Target>)| {
        let path = |what: &str| format!("use_cases.{}.slo.{key}.{what}", use_case.name);
        let own = targets.clone();
        let kept = Figure::new(path("kept_fraction"), move |run| {
            kept(run, at, &own).map_or(Share::Nothing, Share::Kept)
        });
        let windows = scenario.windows.is_some().then(|| {
            Figure::of_records(path("windows_kept_fraction"), move |record| {
                windows_kept(record, at, &targets)
            })
        });
        std::iter::once(kept).chain(windows).map(|figure| figure.steady_on(use_case.pools()))
    };
    each.chain(all).flat_map(of).collect()
}

/// Whether all `targets` were kept in `run`; `None` if there was nothing to keep them of.
fn kept(run: &Stretch, at: usize, targets: &[Target]) -> Option<bool> {
    let each: Vec<bool> =
        targets.iter().filter_map(|target| is_kept([run].into_iter(), at, target)).collect();
    (!each.is_empty()).then(|| each.iter().all(|is_kept| *is_kept))
}

/// Windows of a replication that kept `targets`, of those that had something to keep.
fn windows_kept(record: &RunRecord, at: usize, targets: &[Target]) -> Share {
    let each: Vec<bool> =
        record.windows.iter().filter_map(|window| kept(&window.run.whole, at, targets)).collect();
    let kept = each.iter().filter(|is_kept| **is_kept).count();
    Share::over(kept as f64, each.len() as f64)
}

/// Whether the promised statistic of the calls of all `runs` is within its bound; `None`
/// if there were none. Calls that were refused or given up count as never answered.
pub fn is_kept<'r>(
    runs: impl Iterator<Item = &'r Stretch> + Clone,
    at: usize,
    target: &Target,
) -> Option<bool> {
    let records: Vec<&LatencyRecord> =
        runs.clone().map(|run| latency(run, at, target.metric)).collect();
    let all = LatencyRecord::merged(&records);
    let calls: u64 = runs.clone().map(|run| run.use_cases[at].calls).sum();
    let unanswered: u64 = runs.map(|run| run.use_cases[at].unanswered()).sum();
    if all.count() == 0 {
        return (unanswered > 0).then_some(false);
    }
    let value = match target.statistic {
        Statistic::Mean if unanswered > 0 => f64::INFINITY,
        Statistic::Mean => all.mean,
        Statistic::Quantile(fraction) => {
            let answered = fraction * (calls + unanswered) as f64 / calls as f64;
            if answered > 1.0 { f64::INFINITY } else { at_fraction(&all, answered) }
        }
    };
    Some(value <= target.bound_s)
}

/// The quantile at `fraction`: one of those kept, or read off the distribution.
fn at_fraction(record: &LatencyRecord, fraction: f64) -> f64 {
    match LatencyRecord::FRACTIONS.iter().position(|&kept| kept == fraction) {
        Some(at) => record.quantiles[at],
        None => mixture_quantile(&[&record.known], fraction).expect("there are values"),
    }
}
