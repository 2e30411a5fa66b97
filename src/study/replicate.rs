//! Replications of one scenario, in parallel, reduced in their order.
//!
//! Each replication is a pure function of the scenario and its number, so the
//! result does not depend on how many threads share the work.

use super::reduce;
use super::{Series, Summary};
use crate::kernel::{Digest, Span};
use crate::metrics::RunRecord;
use crate::scenario::{Regime, Scenario, WarmUp};
use crate::simulation::{self, Options};
use crate::statistics::mser5;
use rayon::prelude::*;

/// Most replications whose mean series the warm-up is read from.
const PILOTS_MAX: u32 = 8;

/// The result of a study of one scenario.
#[derive(Clone, Debug)]
pub struct Replicated {
    /// Every figure with its interval.
    pub summary: Summary,
    /// The curves that charts are drawn from.
    pub series: Series,
    /// Calls simulated, pilots included.
    pub calls: u64,
    /// Events simulated, pilots included.
    pub events: u64,
}

/// The transient that is removed from every replication.
struct Transient {
    warm_up: Span,
    warning: Option<String>,
    calls: u64,
    events: u64,
}

/// Runs the replications of `scenario` on the current rayon pool.
///
/// `done` is told the calls of each finished replication, pilots included, in
/// any order; [`runs`] says how many there will be.
pub fn replicate(scenario: &Scenario, audit: bool, done: impl Fn(u64) + Sync) -> Replicated {
    let transient = transient(scenario, audit, &done);
    let options = Options { warm_up: transient.warm_up, audit };
    let records = run_all(scenario, scenario.replications, options, &done);
    let mut summary = reduce::summary(scenario, &records, digest(&records));
    summary.warnings.extend(transient.warning);
    Replicated {
        series: reduce::series(scenario, &records, &summary),
        summary,
        calls: transient.calls + records.iter().map(|record| record.calls).sum::<u64>(),
        events: transient.events + records.iter().map(|record| record.events).sum::<u64>(),
    }
}

/// Replications that [`replicate`] will run, pilots included.
pub fn runs(scenario: &Scenario) -> u32 {
    scenario.replications + if needs_pilots(scenario) { pilots(scenario) } else { 0 }
}

fn needs_pilots(scenario: &Scenario) -> bool {
    scenario.regime == Regime::Steady && scenario.warm_up == WarmUp::Auto
}

fn pilots(scenario: &Scenario) -> u32 {
    scenario.replications.min(PILOTS_MAX)
}

fn run_all(
    scenario: &Scenario,
    replications: u32,
    options: Options,
    done: &(impl Fn(u64) + Sync),
) -> Vec<RunRecord> {
    (0..u64::from(replications))
        .into_par_iter()
        .map(|replication| {
            let record = simulation::run(scenario, replication, options);
            done(record.calls);
            record
        })
        .collect()
}

/// The length of the initial transient: given, none, or read by MSER-5 off the
/// mean number of calls in the system over pilot replications. One length
/// serves all replications.
fn transient(scenario: &Scenario, audit: bool, done: &(impl Fn(u64) + Sync)) -> Transient {
    let known = |warm_up| Transient { warm_up, warning: None, calls: 0, events: 0 };
    match (scenario.regime, scenario.warm_up) {
        (Regime::Terminating, _) => known(Span::ZERO),
        (Regime::Steady, WarmUp::Fixed(warm_up)) => known(warm_up),
        (Regime::Steady, WarmUp::Auto) => {
            let options = Options { warm_up: Span::ZERO, audit };
            let records = run_all(scenario, pilots(scenario), options, done);
            let (warm_up, warning) = detect(&records);
            let calls = records.iter().map(|record| record.calls).sum();
            let events = records.iter().map(|record| record.events).sum();
            Transient { warm_up, warning, calls, events }
        }
    }
}

fn detect(pilots: &[RunRecord]) -> (Span, Option<String>) {
    let interval = pilots[0].timeline.interval();
    let at = |samples: usize| Span::from_ticks(interval.ticks() * samples as u64);
    let series = reduce::mean_in_system(pilots);
    match mser5(&series) {
        Ok(truncated) => (at(truncated), None),
        Err(too_short) => (at(series.len() / 2), Some(too_short.to_string())),
    }
}

/// Fold of the replications' digests, in their order.
fn digest(records: &[RunRecord]) -> Digest {
    let mut digest = Digest::default();
    records.iter().for_each(|record| digest.word(record.digest));
    digest
}
