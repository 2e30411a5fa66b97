//! What-if comparisons: arms of one scenario on common random numbers.
//!
//! No arm is in the key of any random stream, so the same calls with the same
//! lengths arrive at the same instants in every arm and differences are paired
//! by replication: what both arms share cancels. All arms lose the same warm-up.
//! Each of k arms is compared with the baseline at confidence 1 - 5 %/k, so that
//! all intervals of one figure hold together with 95 % (Bonferroni).

use super::figures::{Figure, Share, figures, jackknife_pair};
use super::reduce::{Found, rejections, stability};
use super::replicate::{digest, run_all};
use super::transient::{Transient, pilots};
use crate::kernel::{Digest, Span};
use crate::scenario::{Arm, Regime};
use crate::simulation::Options;
use crate::statistics::{Interval, Paired};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Chance that any interval of one figure misses, over all arms.
const ERROR_SHARE: f64 = 0.05;

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
    /// Fold of the arms' digests, 16 hexadecimal digits.
    pub digest: String,
    /// `steady` or `terminating`.
    pub regime: String,
    /// Time removed at the start of every replication of every arm, s.
    pub warm_up_s: f64,
    /// Time measured after it, mean over the replications of the baseline, s.
    pub measured_s: f64,
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
    /// Paths of figures that are withheld because a pool is unstable.
    pub withheld: Vec<String>,
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
    let pilots: u32 = arms.iter().map(|arm| pilots(&arm.scenario)).sum();
    arms.len() as u32 * replications(arms) + pilots
}

/// Replications of each arm: what the most demanding one asks for, because
/// they are paired one by one.
fn replications(arms: &[Arm]) -> u32 {
    arms.iter().map(|arm| arm.scenario.replications).max().unwrap_or(0)
}

/// Compares `arms` with the first of them, the baseline, on the current rayon
/// pool. `done` is told the calls of each finished replication.
///
/// ```
/// use std::path::Path;
/// use tokenmill::{scenario, study};
///
/// let text = r#"
///     name = "what-if"
///     duration = "20 s"
///     replications = 4
///     warm_up = "2 s"
///     [[pool]]
///     name = "a"
///     model = "llama-3.1-8b"
///     hardware = "h100-sxm"
///     [[use_case]]
///     name = "chat"
///     arrivals = { process = "poisson", rate = "4 /s" }
///     prompt_tokens = 500
///     output_tokens = 100
///     [[arm]]
///     name = "fp8"
///     set = { "pool.a.precision" = "fp8" }
/// "#;
/// let loaded = scenario::parse(text, "what-if", Path::new(""), &Default::default())?;
/// let comparison = study::compare(&loaded.with_baseline(), false, |_calls| {}).comparison;
/// let tpot = &comparison.arms["fp8"].figures["use_cases.chat.tpot_s.mean"];
/// assert!(tpot.difference.unwrap().high.unwrap() < 0.0, "fp8 steps are faster");
/// # Ok::<(), tokenmill::error::Error>(())
/// ```
pub fn compare(arms: &[Arm], audit: bool, done: impl Fn(u64) + Sync) -> Compared {
    let baseline = arms.first().expect("a comparison has a baseline");
    let transients: Vec<Transient> =
        arms.iter().map(|arm| Transient::of(&arm.scenario, audit, &done)).collect();
    let warm_up = transients.iter().map(|found| found.warm_up).max().unwrap_or(Span::ZERO);
    let options = Options { warm_up, audit };
    let replications = replications(arms);
    let measure = |arm| Measured::new(arm, replications, options, &done);
    let measured: Vec<Measured> = arms.iter().map(measure).collect();
    let confidence = 1.0 - ERROR_SHARE / (arms.len() - 1).max(1) as f64;
    let of = |(at, (arm, found)): (usize, (&Arm, &Measured))| {
        let against = (at > 0).then_some(&measured[0]);
        (arm.name.clone(), found.summary(arm, against, confidence))
    };
    let summaries: IndexMap<String, ArmSummary> =
        arms.iter().zip(&measured).enumerate().map(of).collect();
    let mut digest = Digest::default();
    measured.iter().for_each(|found| digest.word(found.digest.value()));
    let comparison = Comparison {
        schema: 1,
        scenario: baseline.scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        seed: baseline.scenario.seed,
        replications,
        digest: digest.to_string(),
        regime: match baseline.scenario.regime {
            Regime::Steady => "steady".to_string(),
            Regime::Terminating => "terminating".to_string(),
        },
        warm_up_s: warm_up.seconds(),
        measured_s: measured[0].measured_s,
        confidence,
        warnings: warnings(arms, &transients, &measured, &summaries),
        arms: summaries,
    };
    let pilots: u64 = transients.iter().map(|found| found.calls).sum();
    Compared { comparison, calls: pilots + measured.iter().map(|found| found.calls).sum::<u64>() }
}

/// What the replications of one arm contribute.
struct Measured {
    /// By path, one share a replication.
    shares: IndexMap<String, Vec<Share>>,
    found: Found,
    digest: Digest,
    unstable_pools: Vec<String>,
    withheld: Vec<String>,
    /// Sentences on calls that were refused.
    rejections: Vec<String>,
    is_random: bool,
    measured_s: f64,
    calls: u64,
}

impl Measured {
    fn new(
        arm: &Arm,
        replications: u32,
        options: Options,
        done: &(impl Fn(u64) + Sync),
    ) -> Measured {
        let scenario = &arm.scenario;
        let records = run_all(scenario, 0..replications, options, done);
        let stability = stability(scenario, &records);
        let figures = figures(scenario);
        let shares = |figure: &Figure| records.iter().map(|run| figure.share(run)).collect();
        let is_unstable = |pool: usize| !stability[pool].is_stable;
        let withheld = figures.iter().filter(|figure| figure.steady_on.is_some_and(is_unstable));
        let unstable = (0..scenario.pools.len()).filter(|&pool| is_unstable(pool));
        let rejected = scenario.use_cases.iter().enumerate().map(|(at, use_case)| {
            let calls = records.iter().map(|run| run.use_cases[at].rejected).sum();
            (use_case.name.as_str(), calls)
        });
        Measured {
            shares: figures.iter().map(|f| (f.path.clone(), shares(f))).collect(),
            found: Found::new(scenario, &records, &stability),
            digest: digest(&records),
            unstable_pools: unstable.map(|pool| scenario.pools[pool].name.clone()).collect(),
            withheld: withheld.map(|figure| figure.path.clone()).collect(),
            rejections: rejections(rejected),
            is_random: scenario.is_random(),
            measured_s: records.iter().map(|run| run.window_s).sum::<f64>() / records.len() as f64,
            calls: records.iter().map(|record| record.calls).sum(),
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
            digest: self.digest.to_string(),
            unstable_pools: self.unstable_pools.clone(),
            withheld: self.withheld.clone(),
            figures: figures.collect(),
        }
    }

    /// The paired difference of a figure that both arms have and neither withholds.
    fn paired(&self, baseline: &Measured, path: &str, confidence: f64) -> Option<Paired> {
        baseline.found.at(path)?;
        let (ours, theirs) = (self.shares.get(path)?, baseline.shares.get(path)?);
        let (ours, theirs) = jackknife_pair(ours, theirs)?;
        let paired = ours.minus(&theirs, confidence);
        // Without randomness one run of each is exact, and so is the difference.
        let is_exact = !self.is_random && !baseline.is_random;
        let exact = || Interval::constant(paired.difference.mean);
        Some(Paired { difference: if is_exact { exact() } else { paired.difference }, ..paired })
    }
}

fn warnings(
    arms: &[Arm],
    transients: &[Transient],
    measured: &[Measured],
    summaries: &IndexMap<String, ArmSummary>,
) -> Vec<String> {
    let mut warnings = Vec::new();
    let found = arms.iter().zip(transients).zip(measured).zip(summaries.values());
    for (index, (((arm, transient), measured), summary)) in found.enumerate() {
        let name = match index {
            0 => arm.name.clone(),
            _ => format!("arm {}", arm.name),
        };
        for pool in &summary.unstable_pools {
            warnings.push(format!(
                "{name}: pool {pool} is unstable at this load; its steady-state figures are \
                 withheld and not compared"
            ));
        }
        // A load that grows has no warm-up to find; its own warning says more.
        let is_stable = summary.unstable_pools.is_empty();
        let transient = transient.warning.iter().filter(|_| is_stable);
        warnings.extend(transient.map(|warning| format!("{name}: {warning}")));
        // What the baseline says of itself holds for its arms as well.
        let own = arm
            .scenario
            .warnings
            .iter()
            .filter(|text| index == 0 || !arms[0].scenario.warnings.contains(text));
        warnings.extend(own.map(|text| format!("{name}: {text}")));
        warnings.extend(measured.rejections.iter().map(|text| format!("{name}: {text}")));
        warnings.extend(widened(summary).map(|what| format!("{name}: {what}")));
    }
    warnings
}

/// Says which figures the pairing made less certain, if any.
fn widened(summary: &ArmSummary) -> Option<String> {
    let is_widened =
        |figure: &Difference| figure.variance_reduction.is_some_and(|reduction| reduction < 1.0);
    let figures = summary.figures.iter().filter(|(_, figure)| is_widened(figure));
    let paths: Vec<&str> = figures.map(|(path, _)| path.as_str()).collect();
    let (first, rest) = paths.split_first()?;
    let more = match rest.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "common random numbers do not help with {first}{more}: the variance reduction is below 1"
    ))
}
