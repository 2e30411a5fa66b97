//! Replications of one scenario, in parallel, reduced in their order.
//!
//! Each replication is a pure function of the scenario and its number, so the
//! result does not depend on how many threads share the work.

use super::precision::{Precision, waves};
use super::reduce::{self, Found};
use super::runs::{Runs, runs_a_replication};
use super::steady::sustained;
use super::transient::{Transient, pilots};
use super::windows::summarize;
use super::{Series, Summary};
use crate::kernel::Digest;
use crate::metrics::RunRecord;
use crate::scenario::Scenario;
use crate::simulation::Options;

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

/// Runs the replications of `scenario` on the current rayon pool.
///
/// `done` is told the calls of each finished replication, pilots included, in
/// any order; [`runs`] says how many there will be.
///
/// ```
/// use std::path::Path;
/// use tokenmill::{scenario, study};
///
/// let text = r#"
///     name = "small"
///     duration = "20 s"
///     warm_up = "2 s"
///     replications = 4
///     [[pool]]
///     name = "a"
///     model = "llama-3.1-8b"
///     hardware = "h100-sxm"
///     [[use_case]]
///     name = "chat"
///     arrivals = { process = "poisson", rate = "4 /s" }
///     prompt_tokens = 500
///     output_tokens = 100
/// "#;
/// let loaded = scenario::parse(text, "example", Path::new(""), &Default::default())?;
/// let summary = study::replicate(&loaded.scenario, false, |_calls| {}).summary;
/// let cost = summary.pools["a"].usd_per_mtok.total.expect("the GPU has a price");
/// println!("${:.2} per million tokens, {:?} to {:?}", cost.mean, cost.low, cost.high);
/// # assert!(cost.low.unwrap() < cost.mean);
/// # Ok::<(), tokenmill::error::Error>(())
/// ```
pub fn replicate(scenario: &Scenario, audit: bool, done: impl Fn(u64) + Sync) -> Replicated {
    let runs = Runs::of(scenario);
    let transient = Transient::of(&runs, audit, &done);
    let options = Options { warm_up: transient.warm_up, audit, ..Options::default() };
    let records = run_waves(&runs, options, &done);
    let stability = runs.stability(&records);
    let sustained = sustained(scenario, &stability, audit, &done);
    let mut summary = reduce::summary(scenario, &records, digest(&records), &stability, &sustained);
    // A load that grows has no warm-up to find; its own warning says more.
    if summary.pools.values().all(|pool| pool.stable == Some(true)) {
        summary.warnings.extend(transient.warning);
    }
    let mut series = reduce::series(scenario, &records, &summary);
    if let Some(plan) = &runs.plan {
        series.horizon = Some(summarize(plan, scenario, &records, &mut summary));
    }
    Replicated {
        series,
        summary,
        calls: transient.calls + records.iter().map(|record| record.calls).sum::<u64>(),
        events: transient.events + records.iter().map(|record| record.events).sum::<u64>(),
    }
}

/// Runs that [`replicate`] will do, at most, pilots included: replications, or
/// windows of them.
pub fn runs(scenario: &Scenario) -> u32 {
    (scenario.replications + pilots(scenario)) * runs_a_replication(scenario)
}

/// Runs waves of replications until they are enough.
pub(super) fn run_waves(
    runs: &Runs<'_>,
    options: Options,
    done: &(impl Fn(u64) + Sync),
) -> Vec<RunRecord> {
    let mut records = Vec::new();
    for wave in waves(runs.scenario) {
        records.extend(runs.all(records.len() as u32..wave, options, done));
        if Precision::is_reached(runs.scenario, || {
            Found::new(runs.scenario, &records, &runs.stability(&records))
        }) {
            break;
        }
    }
    records
}

/// Fold of the replications' digests, in their order.
pub(super) fn digest(records: &[RunRecord]) -> Digest {
    let mut digest = Digest::default();
    records.iter().for_each(|record| digest.word(record.digest));
    digest
}
