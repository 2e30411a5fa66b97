//! Checks who is under way when a run begins.

use super::Check;
use crate::scenario::raw::{RawAtStart, RawScenario};
use crate::scenario::{Arrivals, AtStart, Scenario, UseCase};
use crate::study::paces;

impl Check<'_> {
    /// Estimates what a stationary start has to know of the pools. A scenario with
    /// mistakes is not looked at: pools or use cases may be missing.
    pub(super) fn at_start(&mut self, scenario: &mut Scenario, raw: &RawScenario) {
        if raw.sessions_at_start == RawAtStart::None || !self.mistakes.is_empty() {
            return;
        }
        if !scenario.use_cases.iter().any(lasts) {
            scenario.warnings.push(
                "sessions_at_start changes nothing: no use case has sessions, agents or clients \
                 of a closed loop"
                    .to_owned(),
            );
        }
        scenario.at_start = AtStart::Stationary { pools: paces(scenario) };
    }
}

/// Whether somebody of it may be under way at time zero.
fn lasts(use_case: &UseCase) -> bool {
    let is_batch = matches!(use_case.arrivals, Arrivals::Batch(_));
    let is_closed = matches!(use_case.arrivals, Arrivals::ClosedLoop { .. });
    is_closed || use_case.has_sessions() && !is_batch
}
