//! Replications of one scenario, in parallel, reduced in their order.
//!
//! Each replication is a pure function of the scenario and its number, so the
//! result does not depend on how many threads share the work.

use super::precision::{Precision, waves};
use super::reduce::{self, Found};
use super::transient::{Transient, pilots};
use super::{Series, Summary};
use crate::kernel::Digest;
use crate::metrics::RunRecord;
use crate::scenario::Scenario;
use crate::simulation::{self, Options};
use rayon::prelude::*;
use std::ops::Range;

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
    let transient = Transient::of(scenario, audit, &done);
    let options = Options { warm_up: transient.warm_up, audit };
    let records = run_waves(scenario, options, &done);
    let mut summary = reduce::summary(scenario, &records, digest(&records));
    // A load that grows has no warm-up to find; its own warning says more.
    if summary.pools.values().all(|pool| pool.stable) {
        summary.warnings.extend(transient.warning);
    }
    Replicated {
        series: reduce::series(scenario, &records, &summary),
        summary,
        calls: transient.calls + records.iter().map(|record| record.calls).sum::<u64>(),
        events: transient.events + records.iter().map(|record| record.events).sum::<u64>(),
    }
}

/// Replications that [`replicate`] will run, at most, pilots included.
pub fn runs(scenario: &Scenario) -> u32 {
    scenario.replications + pilots(scenario)
}

/// Runs waves of replications until they are enough.
pub(super) fn run_waves(
    scenario: &Scenario,
    options: Options,
    done: &(impl Fn(u64) + Sync),
) -> Vec<RunRecord> {
    let mut records = Vec::new();
    for wave in waves(scenario) {
        records.extend(run_all(scenario, records.len() as u32..wave, options, done));
        if Precision::is_reached(scenario, || Found::of(scenario, &records)) {
            break;
        }
    }
    records
}

/// Runs these replications of `scenario` on the current rayon pool; their
/// records in order.
pub(super) fn run_all(
    scenario: &Scenario,
    replications: Range<u32>,
    options: Options,
    done: &(impl Fn(u64) + Sync),
) -> Vec<RunRecord> {
    replications
        .into_par_iter()
        .map(|replication| {
            let record = simulation::run(scenario, u64::from(replication), options);
            done(record.calls);
            record
        })
        .collect()
}

/// Fold of the replications' digests, in their order.
pub(super) fn digest(records: &[RunRecord]) -> Digest {
    let mut digest = Digest::default();
    records.iter().for_each(|record| digest.word(record.digest));
    digest
}
