//! How long an empty factory takes to be as full as its demand keeps it.

use super::call_ages::CallAges;
use super::pace::pace_of;
use crate::scenario::{Arrivals, Scenario};
use crate::study::{Mix, load_of};

/// Share of the calls that may still be missing when a window opens: what is
/// missing after five mean sessions of exponential length.
const MISSING_AT_START: f64 = 0.007;
/// Share of the calls of sessions that may be missing over a window that is still a
/// result: it is offered 1 % less.
const MISSING_MAX: f64 = 0.01;
/// Share of the calls of clients that may come in step: a tenth of those behind a p99.
const IN_STEP_MAX: f64 = 0.001;
/// Cycles after which clients who began together have parted.
const CYCLES: f64 = 5.0;

/// How the calls of a use case come to their steady rate after an empty start.
#[derive(Clone, Debug, PartialEq)]
pub enum Settling {
    /// Each call stands by itself: at once.
    AtOnce,
    /// As sessions grow old.
    Sessions(CallAges),
    /// Clients all ask at time zero and part from cycle to cycle.
    Clients {
        /// From one call of a client to its next, or from session to session, s.
        cycle_s: f64,
    },
}

impl Settling {
    /// That of the use case at index `at`.
    pub fn of(scenario: &Scenario, at: usize) -> Settling {
        let use_case = &scenario.use_cases[at];
        let ages = CallAges::of(scenario, at);
        match &use_case.arrivals {
            Arrivals::ClosedLoop { clients, think, .. } => {
                let mix = Mix::of_calls(scenario, at);
                let calls = ages.as_ref().map_or(1.0, CallAges::calls_mean);
                let served_s = match &ages {
                    Some(ages) => ages.mean_length_s(),
                    None if mix.output == 0.0 => 0.0,
                    None => {
                        let pace = pace_of(scenario, use_case.pool, &mix);
                        pace.first_s
                            + (mix.prompt - mix.cached) * pace.prefill_s
                            + mix.output * pace.decode_s
                    }
                };
                let think_s = think.as_ref().map_or(0.0, |think| think.expected());
                // More clients than the pool can serve at once wait for each other.
                let capacity = load_of(scenario, use_case.pool);
                let turn_s = capacity
                    .map_or(0.0, |load| f64::from(*clients) * calls / load.capacity_calls_per_s);
                Settling::Clients { cycle_s: (think_s + served_s).max(turn_s) }
            }
            _ => ages.map_or(Settling::AtOnce, Settling::Sessions),
        }
    }

    /// Time after which a window may open, s.
    pub fn needs_s(&self) -> f64 {
        match self {
            Settling::AtOnce => 0.0,
            Settling::Sessions(ages) => ages.quantile_above(MISSING_AT_START),
            Settling::Clients { cycle_s } => CYCLES * cycle_s,
        }
    }

    /// Why so long.
    pub fn reason(&self) -> &'static str {
        match self {
            Settling::AtOnce => "calls come at their full rate at once",
            Settling::Sessions(_) => {
                "the time after which less than 0.7 % of the calls of sessions are still to come"
            }
            Settling::Clients { .. } => "five cycles of clients, who all begin at once",
        }
    }

    /// Share of the calls that are missing, or come in step, on average from `from_s`
    /// after an empty start for `length_s`.
    pub fn missing(&self, from_s: f64, length_s: f64) -> f64 {
        match self {
            Settling::AtOnce => 0.0,
            Settling::Sessions(ages) => ages.missing(from_s, length_s),
            Settling::Clients { cycle_s } if *cycle_s > 0.0 => {
                let left = |t: f64| libm::exp(-t / cycle_s);
                cycle_s / length_s * (left(from_s) - left(from_s + length_s))
            }
            Settling::Clients { .. } => 0.0,
        }
    }

    /// Whether that spoils what is measured.
    pub fn spoils(&self, from_s: f64, length_s: f64) -> bool {
        let most = match self {
            Settling::AtOnce | Settling::Sessions(_) => MISSING_MAX,
            Settling::Clients { .. } => IN_STEP_MAX,
        };
        self.missing(from_s, length_s) > most
    }
}
