//! One value of the key, simulated and judged.

use super::condition::Verdict;
use super::plan::Plan;
use crate::error::Result;
use crate::kernel::Digest;
use crate::metrics::{RunRecord, UseCaseRecord};
use crate::scenario::Scenario;
use crate::simulation::Options;
use crate::statistics::Interval;
use crate::study::figures::{Shares, Terms, figures};
use crate::study::precision::Precision;
use crate::study::reduce::{Found, give_ups, memories, reduced, rejections, stability};
use crate::study::replicate::{digest, run_waves};
use crate::study::runs::Runs;
use crate::study::transient::Transient;
use crate::study::windows::{OverloadedWindow, WindowEvidence, overloaded, sentence};
use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was found at one value of the key.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SeekPoint {
    /// The value as written in a scenario.
    pub value: serde_json::Value,
    /// Its number, in the unit of the key.
    pub number: f64,
    /// How surely it keeps all bounds.
    pub verdict: Verdict,
    /// By bound, the figure at the confidence that points are judged by;
    /// `null` where it is absent or withheld.
    pub bounded: Vec<Option<Interval>>,
    /// Replications run.
    pub replications: u32,
    /// How precise its figures are, where `replications` asks for a precision.
    pub precision: Option<Precision>,
    /// The digest that `run` of this value would print.
    pub digest: String,
    /// Calls simulated, all replications together, pilots apart.
    pub calls: u64,
    /// Time removed at the start of each replication, s.
    pub warm_up_s: f64,
    /// Time measured after it, mean over replications, s.
    pub measured_s: f64,
    /// Pools that cannot sustain the load.
    pub unstable_pools: Vec<String>,
    /// Windows of the horizon in which a pool cannot keep up; absent where there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overloaded_windows: Vec<OverloadedWindow>,
    /// What must be known of this value.
    pub warnings: Vec<String>,
    /// All figures at 95 %, by path; those absent or withheld are left out.
    pub figures: IndexMap<String, Interval>,
}

/// A point, and what does not go into the result.
pub struct Measured {
    pub point: SeekPoint,
    pub digest: Digest,
    /// Calls simulated, pilots included.
    pub calls: u64,
}

/// Simulates `value` on the current rayon pool.
pub fn measure(
    plan: &Plan<'_>,
    value: f64,
    audit: bool,
    done: &(impl Fn(u64) + Sync),
) -> Result<Measured> {
    let scenario = plan.at(value)?;
    let transient = Transient::of(&scenario, audit, done);
    let options = Options { warm_up: transient.warm_up, audit, ..Options::default() };
    let runs = Runs::of(&scenario);
    let records = run_waves(&runs, options, done);
    let stability = stability(&scenario, &records);
    let all = figures(&scenario);
    let bounded: Vec<Option<Interval>> = plan
        .conditions
        .iter()
        .map(|condition| {
            let figure = all.iter().find(|figure| figure.path == condition.metric)?;
            if figure.is_withheld(|pool| !stability[pool].is_stable) {
                return None;
            }
            let mut shares = Shares::default();
            records.iter().for_each(|record| shares.add(figure, record));
            let memories = memories(&stability, &figure.steady_on);
            let terms = Terms::of(&figure.path, plan.confidence(), memories);
            Some(reduced(&shares, &terms, scenario.is_random())?.0)
        })
        .collect();
    let verdicts = plan.conditions.iter().zip(&bounded);
    let verdict =
        verdicts.map(|(condition, figure)| condition.verdict(*figure, !plan.has_intervals())).min();
    let unstable = (0..scenario.pools.len()).filter(|&pool| !stability[pool].is_stable);
    let unstable_pools: Vec<String> =
        unstable.map(|pool| scenario.pools[pool].name.clone()).collect();
    let found = Found::of(&scenario, &records);
    let digest = digest(&records);
    let calls = records.iter().map(|record| record.calls).sum();
    let mut warnings = warnings(plan, &scenario, &transient, &bounded, &records, &unstable_pools);
    let (overloaded_windows, windows) = overloads(&runs, &records);
    warnings.extend(sentence(&overloaded_windows, windows));
    warnings.extend(found.dependent_sections());
    let names = scenario.pools.iter().map(|pool| pool.name.as_str());
    warnings.extend(found.lacking.warnings(names, &stability));
    let point = SeekPoint {
        value: serde_json::to_value(plan.range.node(value).to_toml()).expect("TOML is JSON"),
        number: value,
        verdict: verdict.expect("a seek has a bound"),
        replications: records.len() as u32,
        precision: Precision::of(&scenario, &found),
        digest: digest.to_string(),
        calls,
        warm_up_s: transient.warm_up.seconds(),
        measured_s: records.iter().map(|run| run.whole.window_s).sum::<f64>()
            / records.len() as f64,
        warnings,
        unstable_pools,
        overloaded_windows,
        figures: found.iter().map(|(path, value)| (path.to_owned(), value)).collect(),
        bounded,
    };
    Ok(Measured { point, digest, calls: transient.calls + calls })
}

/// Windows in which a pool cannot keep up, and how many windows there are.
fn overloads(runs: &Runs<'_>, records: &[RunRecord]) -> (Vec<OverloadedWindow>, usize) {
    let Runs { scenario, plan } = runs;
    let pools: Vec<&str> = scenario.pools.iter().map(|pool| &*pool.name).collect();
    let of_plan = |plan| records.iter().flat_map(move |record| WindowEvidence::all(plan, record));
    let evidence: Vec<WindowEvidence> = plan.iter().flat_map(of_plan).collect();
    overloaded(scenario.regime, &pools, evidence.iter())
}

fn warnings(
    plan: &Plan<'_>,
    scenario: &Scenario,
    transient: &Transient,
    bounded: &[Option<Interval>],
    records: &[RunRecord],
    unstable_pools: &[String],
) -> Vec<String> {
    // A load that grows has no warm-up to find; that it grows says more.
    let is_stable = unstable_pools.is_empty();
    let mut warnings: Vec<String> =
        transient.warning.iter().filter(|_| is_stable).cloned().collect();
    let missing = plan.conditions.iter().zip(bounded).filter(|(_, figure)| figure.is_none());
    warnings.extend(missing.filter(|_| is_stable).map(|(condition, _)| {
        format!(
            "{} has no value: nothing of it was measured; it counts as missed",
            condition.metric
        )
    }));
    let total = |count: fn(&UseCaseRecord) -> u64| {
        scenario.use_cases.iter().enumerate().map(move |(at, use_case)| {
            let calls = records.iter().map(|run| count(&run.whole.use_cases[at])).sum();
            (use_case.name.as_str(), calls)
        })
    };
    warnings.extend(rejections(total(|record| record.rejected)));
    warnings.extend(give_ups(total(|record| record.given_up)));
    let cut_off = records.iter().filter(|run| run.cut_off.is_some()).count();
    if cut_off > 0 {
        let all = records.len();
        warnings.push(format!("{cut_off} of {all} replications were cut off"));
    }
    warnings
}
