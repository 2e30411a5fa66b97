//! What a forecast rests on, in sentences.

use super::expected::Expected;
use crate::scenario::{Arrivals, Scenario, UseCase};

/// What the figures of `scenario` rest on.
pub fn notes(scenario: &Scenario, all: &[Option<Expected<'_>>]) -> Vec<String> {
    let mut notes = Vec::new();
    let mut note = |about: &dyn Fn(usize, &UseCase) -> bool, text: &str| {
        let cases = scenario.use_cases.iter().enumerate();
        let names: Vec<&str> = cases
            .filter(|(at, use_case)| about(*at, use_case))
            .map(|(_, use_case)| use_case.name.as_str())
            .collect();
        if !names.is_empty() {
            notes.push(format!("{}: {text}", names.join(", ")));
        }
    };
    let is_open = |at: usize| all[at].is_some();
    note(
        &|at, _| !is_open(at),
        "a closed loop has no rate of its own, so that there is nothing to forecast; `run` it",
    );
    note(
        &|at, use_case| is_open(at) && use_case.cache_hit.is_some(),
        "the share of the prompt that need not be computed is the input `cache_hit`",
    );
    note(
        &|at, use_case| {
            let has_cache = scenario.pools[use_case.pool].engine.prefix_cache.is_some();
            is_open(at) && use_case.cache_hit.is_none() && has_cache
        },
        "prompt tokens count as found if a prefix cache that never evicts would have them; a real \
         one has fewer, and more is to be computed",
    );
    note(
        &|_, use_case| matches!(use_case.arrivals, Arrivals::Batch(_)),
        "its jobs are spread evenly between release and deadline; where the troughs are that they \
         fill, a simulation tells",
    );
    note(
        &|at, use_case| is_open(at) && use_case.crew().is_some(),
        "a run is one call in the layers before agents: its first prompt and answer, in a session of \
         such runs; no run is called off for its time",
    );
    note(
        &|at, use_case| is_open(at) && use_case.has_sessions(),
        "all calls of a session count when it begins; their later turns come later, some after the \
         horizon",
    );
    note(
        &|_, use_case| {
            let is_uncertain =
                |part: &Arrivals| matches!(part, Arrivals::Varying(d) if !d.uncertain.is_empty());
            use_case.arrivals.parts().any(is_uncertain)
        },
        "growth is drawn once a replication; the forecast takes the mean time to double, and the \
         mean over replications is higher",
    );
    note(
        &|_, use_case| crowds(use_case).is_some_and(|has_mean| has_mean),
        "flash crowds come on top of the curve, and are part of variability with their mean",
    );
    note(
        &|_, use_case| crowds(use_case).is_some_and(|has_mean| !has_mean),
        "the mean peak of its flash crowds has no closed form; they are left out",
    );
    notes
}

/// Whether the peak of its crowds has a mean, if it has crowds.
fn crowds(use_case: &UseCase) -> Option<bool> {
    // All regions have the same.
    let Some(Arrivals::Varying(demand)) = use_case.arrivals.parts().next() else { return None };
    Some(demand.variability.crowds.as_ref()?.peak.mean().is_some())
}
