//! What-if comparisons: arms of one scenario on common random numbers.
//!
//! No arm is in the key of any random stream, so the same calls with the same
//! lengths arrive at the same instants in every arm and differences are paired
//! by replication: what both arms share cancels. All arms lose the same warm-up.
//! Each of k arms is compared with the baseline at confidence 1 - 5 %/k, so that
//! all intervals of one figure hold together with 95 % (Bonferroni).

use super::measured::Measured;
use super::precision::{Precision, waves};
use super::reduce::unknown;
use super::runs::{Runs, runs_a_replication};
use super::transient::{Transient, pilots};
use super::windows::OverloadedWindow;
use crate::kernel::{Digest, Span};
use crate::scenario::{Arm, Regime, Scenario};
use crate::simulation::Options;
use crate::statistics::Interval;
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
    /// Sections of each replication that intervals are taken over; 1: the
    /// replications themselves.
    pub sections: u32,
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
    /// How precise figures are that were to be; absent where `replications` is
    /// a number.
    pub precision: Option<Precision>,
    /// Pools that cannot sustain the load; their steady-state figures are withheld.
    pub unstable_pools: Vec<String>,
    /// Pools of which it is not known whether they can, with the reason; their
    /// steady-state figures are withheld too. Absent where there are none.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub unknown_pools: IndexMap<String, String>,
    /// Windows of the horizon in which a pool cannot keep up; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overloaded_windows: Vec<OverloadedWindow>,
    /// Paths of figures that are withheld because a pool is not known to be stable.
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

/// Runs that [`compare`] will do, at most, pilots included.
pub fn runs(arms: &[Arm]) -> u32 {
    let pilots: u32 = arms.iter().map(|arm| pilots(&arm.scenario)).sum();
    let runs: u32 = arms.iter().map(|arm| runs_a_replication(&arm.scenario)).sum();
    runs * most_demanding(arms).replications + pilots
}

/// The arm that asks for most replications: all run as many as it does, because
/// they are paired one by one.
fn most_demanding(arms: &[Arm]) -> &Scenario {
    let most = arms.iter().max_by_key(|arm| arm.scenario.replications);
    &most.expect("a comparison has a baseline").scenario
}

/// Runs all arms: as many replications as are asked for, or waves of them until
/// the figures of every arm are precise.
fn measure<'a>(
    arms: &'a [Arm],
    options: Options,
    done: &(impl Fn(u64) + Sync),
) -> Vec<Measured<'a>> {
    let mut measured: Vec<Measured> = arms.iter().map(|arm| Measured::new(&arm.scenario)).collect();
    for wave in waves(most_demanding(arms)) {
        measured.iter_mut().for_each(|arm| arm.run_until(wave, options, done));
        if measured.iter().all(Measured::is_precise) {
            break;
        }
    }
    measured
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
    let transient = |arm: &Arm| Transient::of(&Runs::of(&arm.scenario), audit, &done);
    let transients: Vec<Transient> = arms.iter().map(transient).collect();
    let warm_up = transients.iter().map(|found| found.warm_up).max().unwrap_or(Span::ZERO);
    let options = Options { warm_up, audit, ..Options::default() };
    let measured = measure(arms, options, &done);
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
        replications: measured[0].runs,
        sections: baseline.scenario.sections,
        digest: digest.to_string(),
        regime: match baseline.scenario.regime {
            Regime::Steady => "steady".to_string(),
            Regime::Terminating => "terminating".to_string(),
        },
        warm_up_s: warm_up.seconds(),
        measured_s: measured[0].measured_s(),
        confidence,
        warnings: warnings(arms, &transients, &measured, &summaries),
        arms: summaries,
    };
    let pilots: u64 = transients.iter().map(|found| found.calls).sum();
    Compared { comparison, calls: pilots + measured.iter().map(|found| found.calls).sum::<u64>() }
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
        let doubts = summary.unknown_pools.iter();
        warnings.extend(doubts.map(|(pool, doubt)| format!("{name}: {}", unknown(pool, doubt))));
        // A load that grows has no warm-up to find; its own warning says more.
        let is_stable = summary.unstable_pools.is_empty() && summary.unknown_pools.is_empty();
        let transient = transient.warning.iter().filter(|_| is_stable);
        warnings.extend(transient.map(|warning| format!("{name}: {warning}")));
        // What the baseline says of itself holds for its arms as well.
        let own = arm
            .scenario
            .warnings
            .iter()
            .filter(|text| index == 0 || !arms[0].scenario.warnings.contains(text));
        warnings.extend(own.map(|text| format!("{name}: {text}")));
        warnings.extend(measured.warnings().iter().map(|text| format!("{name}: {text}")));
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
