//! The initial transient: how much of each replication's start is not measured.

use super::reduce::mean_in_system;
use super::runs::Runs;
use crate::kernel::Span;
use crate::metrics::RunRecord;
use crate::scenario::{Regime, Scenario, WarmUp};
use crate::simulation::Options;
use crate::statistics::mser5;

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
    /// The transient of `scenario`: given, none, or read off pilots. One length
    /// serves all replications.
    pub fn of(scenario: &Scenario, audit: bool, done: &(impl Fn(u64) + Sync)) -> Self {
        Self::known(scenario).unwrap_or_else(|| {
            let options = Options { warm_up: Span::ZERO, audit, ..Options::default() };
            Self::detect(&Runs::of(scenario).all(0..pilots(scenario), options, done))
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

    /// Read by MSER-5 off the mean number of calls in the system over pilots.
    pub fn detect(pilots: &[RunRecord]) -> Self {
        let interval = pilots[0].timeline.interval();
        let at = |samples: usize| Span::from_ticks(interval.ticks() * samples as u64);
        let series = mean_in_system(pilots);
        let (warm_up, warning) = match mser5(&series) {
            Ok(truncated) => (at(truncated), None),
            Err(too_short) => {
                let warning = format!("{too_short}; its first half was left out of all figures");
                (at(series.len() / 2), Some(warning))
            }
        };
        let calls = pilots.iter().map(|record| record.calls).sum();
        let events = pilots.iter().map(|record| record.events).sum();
        Transient { warm_up, warning, calls, events }
    }
}

/// Pilot replications that [`Transient::of`] runs.
pub fn pilots(scenario: &Scenario) -> u32 {
    match (scenario.regime, scenario.warm_up) {
        (Regime::Steady, WarmUp::Auto) => scenario.replications.min(PILOTS_MAX),
        _ => 0,
    }
}
