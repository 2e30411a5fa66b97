//! Replications until figures are precise: waves of them, and after each wave
//! the question whether they are enough.
//!
//! The answer depends on the replications so far and on nothing else, so a study
//! that stops after 32 has run the same 32 as one that asks for 32.

use super::reduce::Found;
use crate::scenario::Scenario;
use crate::statistics::{self, relative_error};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Most figures that a warning names.
const NAMED_MAX: usize = 5;

/// How precise the figures are that were to be.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Precision {
    /// Largest error asked for, as a share of the true value.
    pub target: f64,
    /// Replications after which it was tested first.
    pub min: u32,
    /// Replications after which it would have been given up.
    pub max: u32,
    /// Whether every figure that has a value reached it.
    pub is_met: bool,
    /// Error by path, at 95 % confidence, as a share of the true value; null
    /// where the interval reaches zero, or where the figure has no value.
    pub figures: IndexMap<String, Option<f64>>,
}

/// Numbers of replications after which a study of `scenario` may end; the last
/// is the most it runs.
pub fn waves(scenario: &Scenario) -> impl Iterator<Item = u32> + use<> {
    let most = scenario.replications;
    let first = scenario.stopping.as_ref().map_or(most, |stopping| stopping.min.min(most));
    statistics::waves(first, most)
}

impl Precision {
    /// What `found` says of the figures that `scenario` wants precise; `None`
    /// when it wants none.
    pub(super) fn of(scenario: &Scenario, found: &Found) -> Option<Precision> {
        let stopping = scenario.stopping.as_ref()?;
        let paths = match stopping.of.as_slice() {
            [] => super::headline_figures(scenario),
            of => of.to_vec(),
        };
        let error = |path: String| {
            let error = found.at(&path).and_then(|interval| relative_error(&interval));
            (path, error)
        };
        let figures: IndexMap<String, Option<f64>> = paths.into_iter().map(error).collect();
        // More replications bring no figure that there is nothing to measure of.
        let is_precise = |(path, error): (&String, &Option<f64>)| match error {
            Some(error) => *error <= stopping.precision,
            None => found.at(path).is_none(),
        };
        Some(Precision {
            target: stopping.precision,
            min: stopping.min,
            max: scenario.replications,
            is_met: figures.iter().all(is_precise),
            figures,
        })
    }

    /// Whether the replications behind `found` are enough.
    pub(super) fn is_reached(scenario: &Scenario, found: impl FnOnce() -> Found) -> bool {
        scenario.stopping.is_some()
            && Precision::of(scenario, &found()).is_some_and(|precision| precision.is_met)
    }

    /// What the reader must know: figures that are not as precise as asked for
    /// after `replications`, and those that have no value.
    pub(super) fn warnings(&self, replications: u32, found: &Found) -> Vec<String> {
        let (there, absent): (Vec<_>, Vec<_>) =
            self.figures.iter().partition(|(path, _)| found.at(path).is_some());
        let is_missed = |error: &Option<f64>| error.is_none_or(|error| error > self.target);
        let missed = there.iter().filter(|(_, error)| is_missed(error)).map(|(path, error)| {
            let error = error.map_or("cannot be told from zero".to_owned(), percent);
            format!("{path} ({error})")
        });
        let missed = enumerated(missed.collect()).map(|missed| {
            format!(
                "{replications} replications do not reach the precision of {} asked for in \
                 {missed}; raise replications.max, or ask for less",
                percent(self.target)
            )
        });
        let absent = enumerated(absent.iter().map(|(path, _)| (*path).clone()).collect());
        let absent = absent.map(|absent| {
            format!("the precision asked for was not tested in {absent}: there is no value")
        });
        missed.into_iter().chain(absent).collect()
    }
}

/// "2.5 %"
fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{} %", text.trim_end_matches('0').trim_end_matches('.'))
}

/// The first of `names`, and how many more there are; `None` without any.
fn enumerated(names: Vec<String>) -> Option<String> {
    let more = names.len().saturating_sub(NAMED_MAX);
    let listed = names[..names.len() - more].join(", ");
    match (names.len(), more) {
        (0, _) => None,
        (_, 0) => Some(listed),
        _ => Some(format!("{listed} and {more} more")),
    }
}
