//! What-if comparisons: arms of one scenario on common random numbers.
//!
//! No arm is in the key of any random stream, so the same calls with the same
//! lengths arrive at the same instants in every arm and differences are paired
//! by replication: what both arms share cancels. All arms lose the same warm-up.
//! Each of k arms is compared with the baseline at confidence 1 - 5 %/k, so that
//! all intervals of one figure hold together with 95 % (Bonferroni).

use super::figures::{Figure, Share, figures, jackknife_pair};
use super::reduce::{Found, Stability, stability};
use super::replicate::{digest, run_all};
use super::transient::{Transient, pilots};
use crate::kernel::Span;
use crate::scenario::Scenario;
use crate::simulation::Options;
use crate::statistics::{Interval, Paired};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Chance that any interval of one figure misses, over all arms.
const ERROR_SHARE: f64 = 0.05;

/// A variant of a scenario.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// The keys it changes, as written.
    pub changes: Vec<String>,
    /// The scenario with those changes.
    pub scenario: Scenario,
}

/// Arms against a baseline.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// Version of this layout: 1.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Version of tokenmill.
    pub version: String,
    /// Root seed.
    pub seed: u64,
    /// Replications of each arm.
    pub replications: u32,
    /// Time removed at the start of every replication of every arm, s.
    pub warm_up_s: f64,
    /// Confidence of each interval of a difference; together they hold with 95 %.
    pub confidence: f64,
    /// What the reader must know before any figure.
    pub warnings: Vec<String>,
    /// The arms, the baseline first.
    pub arms: IndexMap<String, ArmSummary>,
}

/// One arm of a comparison.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct ArmSummary {
    /// The keys it changes; none in the baseline.
    pub changes: Vec<String>,
    /// Fold of every event of every replication, 16 hexadecimal digits.
    pub digest: String,
    /// Pools that cannot sustain the load; their steady-state figures are withheld.
    pub unstable_pools: Vec<String>,
    /// By path; a figure that is absent or withheld is left out.
    pub figures: IndexMap<String, Difference>,
}

/// A figure of an arm, and what the arm does to it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Difference {
    /// The figure.
    pub value: Interval,
    /// The figure minus the baseline's; absent in the baseline itself.
    pub difference: Option<Interval>,
    /// The difference over the baseline's figure.
    pub relative: Option<f64>,
    /// How many times fewer runs the pairing needs than independent arms would.
    pub variance_reduction: Option<f64>,
}

/// What [`compare`] took and found.
#[derive(Clone, Debug)]
pub struct Compared {
    /// The comparison.
    pub comparison: Comparison,
    /// Calls simulated, pilots included.
    pub calls: u64,
}

/// Replications that [`compare`] will run, pilots included.
pub fn runs(arms: &[Arm]) -> u32 {
    arms.iter().map(|arm| arm.scenario.replications + pilots(&arm.scenario)).sum()
}

/// Compares `arms` with the first of them, the baseline, on the current rayon
/// pool. `done` is told the calls of each finished replication.
pub fn compare(arms: &[Arm], audit: bool, done: impl Fn(u64) + Sync) -> Compared {
    let baseline = arms.first().expect("a comparison has a baseline");
    let transients: Vec<Transient> =
        arms.iter().map(|arm| Transient::of(&arm.scenario, audit, &done)).collect();
    let warm_up = transients.iter().map(|found| found.warm_up).max().unwrap_or(Span::ZERO);
    let options = Options { warm_up, audit };
    let mut calls = transients.iter().map(|found| found.calls).sum();
    let shares: Vec<Measured> =
        arms.iter().map(|arm| Measured::new(arm, options, &done, &mut calls)).collect();
    let confidence = 1.0 - ERROR_SHARE / (arms.len() - 1).max(1) as f64;
    let of = |(at, (arm, measured)): (usize, (&Arm, &Measured))| {
        let against = (at > 0).then_some(&shares[0]);
        (arm.name.clone(), measured.summary(arm, against, confidence))
    };
    let summaries: IndexMap<String, ArmSummary> =
        arms.iter().zip(&shares).enumerate().map(of).collect();
    let comparison = Comparison {
        schema: 1,
        scenario: baseline.scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        seed: baseline.scenario.seed,
        replications: baseline.scenario.replications,
        warm_up_s: warm_up.seconds(),
        confidence,
        warnings: warnings(arms, &transients, &summaries),
        arms: summaries,
    };
    Compared { comparison, calls }
}

/// What the replications of one arm contribute.
struct Measured {
    /// By path, one share a replication.
    shares: IndexMap<String, Vec<Share>>,
    found: Found,
    digest: String,
    unstable_pools: Vec<String>,
}

impl Measured {
    fn new(arm: &Arm, options: Options, done: &(impl Fn(u64) + Sync), calls: &mut u64) -> Self {
        let scenario = &arm.scenario;
        let records = run_all(scenario, 0..scenario.replications, options, done);
        *calls += records.iter().map(|record| record.calls).sum::<u64>();
        let stability = stability(scenario, &records);
        let shares = |figure: &Figure| records.iter().map(|run| figure.share(run)).collect();
        let is_unstable = |(_, verdict): &(&crate::scenario::Pool, &Stability)| !verdict.is_stable;
        let pools = scenario.pools.iter().zip(&stability).filter(is_unstable);
        Measured {
            shares: figures(scenario).iter().map(|f| (f.path.clone(), shares(f))).collect(),
            found: Found::new(scenario, &records, &stability),
            digest: digest(&records).to_string(),
            unstable_pools: pools.map(|(pool, _)| pool.name.clone()).collect(),
        }
    }

    fn summary(&self, arm: &Arm, baseline: Option<&Measured>, confidence: f64) -> ArmSummary {
        let figures = self.found.iter().map(|(path, value)| {
            let paired = baseline.and_then(|baseline| self.paired(baseline, path, confidence));
            let base = baseline.and_then(|baseline| baseline.found.at(path));
            let relative = paired.zip(base).and_then(|(paired, base)| {
                (base.mean != 0.0).then(|| paired.difference.mean / base.mean)
            });
            let difference = Difference {
                value,
                difference: paired.map(|paired| paired.difference),
                relative,
                variance_reduction: paired.and_then(|paired| paired.variance_reduction),
            };
            (path.to_string(), difference)
        });
        ArmSummary {
            changes: arm.changes.clone(),
            digest: self.digest.clone(),
            unstable_pools: self.unstable_pools.clone(),
            figures: figures.collect(),
        }
    }

    /// The paired difference of a figure that both arms have and neither withholds.
    fn paired(&self, baseline: &Measured, path: &str, confidence: f64) -> Option<Paired> {
        baseline.found.at(path)?;
        let (ours, theirs) = (self.shares.get(path)?, baseline.shares.get(path)?);
        let (ours, theirs) = jackknife_pair(ours, theirs)?;
        Some(ours.minus(&theirs, confidence))
    }
}

fn warnings(
    arms: &[Arm],
    transients: &[Transient],
    summaries: &IndexMap<String, ArmSummary>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    for ((arm, transient), summary) in arms.iter().zip(transients).zip(summaries.values()) {
        let name = &arm.name;
        for pool in &summary.unstable_pools {
            warnings.push(format!(
                "arm {name}: pool {pool} is unstable at this load; its steady-state figures are \
                 withheld and not compared"
            ));
        }
        warnings.extend(transient.warning.iter().map(|warning| format!("arm {name}: {warning}")));
        warnings.extend(arm.scenario.warnings.iter().map(|text| format!("arm {name}: {text}")));
        let reductions = summary.figures.values().filter_map(|figure| figure.variance_reduction);
        let below = reductions.filter(|&reduction| reduction <= 1.0).count();
        if below > 0 {
            warnings.push(format!(
                "arm {name}: pairing widened the intervals of {below} figures (variance reduction \
                 at most 1); common random numbers do not help there"
            ));
        }
    }
    warnings
}
