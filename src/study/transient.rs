//! The initial transient: how much of each replication's start is not measured.

use super::reduce::{mean_in_system, mean_series};
use super::runs::Runs;
use super::steady::{Expectations, Settling};
use crate::kernel::Span;
use crate::metrics::RunRecord;
use crate::scenario::{Regime, Scenario, WarmUp};
use crate::simulation::Options;
use crate::statistics::mser5;

/// Share of the calls in the system that wait from which on their number tells anything.
const WAITING_MIN: f64 = 0.01;

/// Most replications whose mean series the warm-up is read from.
const PILOTS_MAX: u32 = 8;

/// The warm-up of a scenario, and what it took to find it.
#[derive(Clone, Debug)]
pub struct Transient {
    /// Time at the start that is simulated but not measured.
    pub warm_up: Span,
    /// What the reader must know about it.
    pub warning: Option<String>,
    /// Calls simulated to find it.
    pub calls: u64,
    /// Events simulated to find it.
    pub events: u64,
}

impl Transient {
    /// The transient of `runs`: given, none, or found. One length serves all
    /// replications.
    pub fn of(runs: &Runs<'_>, audit: bool, done: &(impl Fn(u64) + Sync)) -> Self {
        let scenario = runs.scenario;
        Self::known(scenario).unwrap_or_else(|| {
            let options = Options { warm_up: Span::ZERO, audit, ..Options::default() };
            let pilots = runs.all(0..pilots(scenario), options, done);
            Self::detect(scenario, &runs.expectations, &pilots)
        })
    }

    /// The transient of a scenario that needs no pilots.
    pub fn known(scenario: &Scenario) -> Option<Self> {
        let known = |warm_up| Some(Transient { warm_up, warning: None, calls: 0, events: 0 });
        match (scenario.regime, scenario.warm_up) {
            (Regime::Terminating, _) => known(Span::ZERO),
            (Regime::Steady, WarmUp::Fixed(warm_up)) => known(warm_up),
            (Regime::Steady, WarmUp::Auto) => None,
        }
    }

    /// The longest of what sessions and clients are known to need and of what pilots
    /// show, but no more than half of a run.
    pub fn detect(scenario: &Scenario, expectations: &Expectations, pilots: &[RunRecord]) -> Self {
        let interval = pilots[0].timeline.interval();
        let at = |samples: usize| Span::from_ticks(interval.ticks() * samples as u64);
        let all = series(pilots);
        let half = at(all[0].len() / 2);
        let cuts: Result<Vec<usize>, _> = all.iter().map(|series| mser5(series)).collect();
        let (seen, warning) = match cuts {
            Ok(cuts) => (at(cuts.into_iter().max().unwrap_or(0)), None),
            Err(too_short) => {
                let warning = format!("{too_short}; its first half was left out of all figures");
                (half, Some(warning))
            }
        };
        let needs_s = expectations.slowest().map_or(0.0, Settling::needs_s);
        // A share of time that is no whole number of samples would be as good.
        let needs = Span::from_seconds(needs_s.ceil());
        let calls = pilots.iter().map(|record| record.calls).sum();
        let events = pilots.iter().map(|record| record.events).sum();
        let most = scenario.duration.map_or(half, |all| Span::from_ticks(all.ticks() / 2));
        Transient { warm_up: seen.max(needs).min(most), warning, calls, events }
    }
}

/// What pilots show of the transient, mean over them: calls in the system, and those
/// that wait, in which a burst at the start shows where clients keep all of them in it.
fn series(pilots: &[RunRecord]) -> Vec<Vec<f64>> {
    let in_system = mean_in_system(pilots);
    let waiting = mean_series(pilots, |point| f64::from(point.waiting));
    let mean = |series: &[f64]| series.iter().sum::<f64>() / series.len().max(1) as f64;
    let tells = mean(&waiting) > WAITING_MIN * mean(&in_system);
    if tells { vec![in_system, waiting] } else { vec![in_system] }
}

/// Pilot replications that [`Transient::of`] runs.
pub fn pilots(scenario: &Scenario) -> u32 {
    match (scenario.regime, scenario.warm_up) {
        (Regime::Steady, WarmUp::Auto) => scenario.replications.min(PILOTS_MAX),
        _ => 0,
    }
}
