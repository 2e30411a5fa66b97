//! What a seek found: what seek.json holds and `seek --json` prints;
//! docs/outputs.md describes it key by key.

use super::condition::{Condition, Verdict};
use super::plan::Plan;
use super::point::{Measured, SeekPoint};
use super::search::{Known, Sought, bracket};
use crate::kernel::Digest;
use crate::scenario::Regime;
use crate::scenario::seek::Side;
use crate::statistics::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The value of a key at which bounds are just kept.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct SeekResult {
    /// Version of this layout: 1.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Version of tokenmill.
    pub version: String,
    /// Root seed.
    pub seed: u64,
    /// Replications of each value; the most that any took where they go on
    /// until figures are precise.
    pub replications: u32,
    /// Fold of the digests of all values, 16 hexadecimal digits.
    pub digest: String,
    /// `steady` or `terminating`.
    pub regime: String,
    /// The key that was varied.
    pub key: String,
    /// The unit of its values, of `from`, `to` and `answer`; `null` for plain numbers.
    pub unit: Option<String>,
    /// Lower end of the range.
    pub from: f64,
    /// Upper end of the range.
    pub to: f64,
    /// Whether only whole values were tried.
    pub is_whole: bool,
    /// How closely the answer was to be found, relative to it; 0 is exactly.
    pub tolerance: f64,
    /// The bounds, all to be kept.
    pub keep: Vec<SeekBound>,
    /// Confidence of each interval that a value is judged by; those of all
    /// bounds hold together with 95 %.
    pub confidence: f64,
    /// What came out.
    pub outcome: Outcome,
    /// What the reader must know before any figure.
    pub warnings: Vec<String>,
    /// The value that was sought, where it was found: `mean` is the value by
    /// the estimates, `low` and `high` the ends of its 95 % interval, `null`
    /// where it goes beyond the range or cannot be told.
    pub answer: Option<Interval>,
    /// The values that were looked at, ascending.
    pub points: Vec<SeekPoint>,
}

/// A bound on a figure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SeekBound {
    /// Path of the figure.
    pub metric: String,
    /// Its upper bound, in the unit at the end of its path.
    pub at_most: Option<f64>,
    /// Its lower bound.
    pub at_least: Option<f64>,
}

/// What came out of a seek.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Low values keep the bounds: the answer is the largest one that does.
    Largest,
    /// High values keep the bounds: the answer is the smallest one that does.
    Smallest,
    /// Both ends and the middle of the range keep the bounds.
    Everywhere,
    /// Neither the ends nor the middle of the range keep the bounds.
    Nowhere,
    /// Both ends agree and the middle differs: there is more than one crossing.
    Unordered,
}

impl SeekResult {
    /// The result of a plan from its points, ascending.
    pub(super) fn new(
        plan: &Plan<'_>,
        sought: Option<Sought>,
        measured: Vec<Measured>,
    ) -> SeekResult {
        let mut digest = Digest::default();
        measured.iter().for_each(|one| digest.word(one.digest.value()));
        let points: Vec<SeekPoint> = measured.into_iter().map(|one| one.point).collect();
        let known: Vec<Known> = points.iter().map(|point| (point.number, point.verdict)).collect();
        let (scenario, range) = (&plan.scenario, &plan.range);
        let outcome = outcome(sought, &known);
        SeekResult {
            schema: 1,
            scenario: scenario.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            seed: scenario.seed,
            replications: points.iter().map(|point| point.replications).max().unwrap_or(0),
            digest: digest.to_string(),
            regime: match scenario.regime {
                Regime::Steady => "steady".to_owned(),
                Regime::Terminating => "terminating".to_owned(),
            },
            key: plan.key.clone(),
            unit: range.unit(),
            from: range.from,
            to: range.to,
            is_whole: range.is_whole,
            tolerance: plan.resolution.tolerance,
            keep: plan.conditions.iter().map(SeekBound::of).collect(),
            confidence: plan.confidence(),
            outcome,
            warnings: warnings(plan, outcome, sought, &points),
            answer: sought.and_then(|sought| answer(plan, sought, &known)),
            points,
        }
    }
}

impl SeekBound {
    fn of(condition: &Condition) -> SeekBound {
        let on = |side| (condition.side == side).then_some(condition.limit);
        SeekBound {
            metric: condition.metric.clone(),
            at_most: on(Side::AtMost),
            at_least: on(Side::AtLeast),
        }
    }
}

fn outcome(sought: Option<Sought>, known: &[Known]) -> Outcome {
    let kept = |(_, verdict): &&Known| *verdict >= Verdict::Kept;
    match (sought, known.iter().filter(kept).count()) {
        (Some(Sought::Largest), _) => Outcome::Largest,
        (Some(Sought::Smallest), _) => Outcome::Smallest,
        (None, 0) => Outcome::Nowhere,
        (None, kept) if kept == known.len() => Outcome::Everywhere,
        (None, _) => Outcome::Unordered,
    }
}

/// The value by the estimates, and the values between which it lies: inside of
/// the nearer one all bounds are surely kept, from the further one on one is
/// surely missed. Of whole values the last is named that may keep them.
fn answer(plan: &Plan<'_>, sought: Sought, known: &[Known]) -> Option<Interval> {
    let (value, _) = bracket(known, sought, Verdict::Kept);
    let (sure, _) = bracket(known, sought, Verdict::SurelyKept);
    let (possible, missed) = bracket(known, sought, Verdict::Missed);
    // Where all values are possible nothing bounds the answer.
    let far = missed.and(if plan.range.is_whole { possible } else { missed });
    let (near, far) = if plan.has_intervals() { (sure, far) } else { (None, None) };
    let (low, high) = match sought {
        Sought::Largest => (near, far),
        Sought::Smallest => (far, near),
    };
    Some(Interval { mean: value?, low, high })
}

fn warnings(
    plan: &Plan<'_>,
    outcome: Outcome,
    sought: Option<Sought>,
    points: &[SeekPoint],
) -> Vec<String> {
    let mut warnings = plan.scenario.warnings.clone();
    if !plan.has_intervals() {
        warnings.push("one replication has no spread, so the answer has no interval".to_owned());
    }
    warnings.extend(not_known(plan, points));
    warnings.extend(imprecise(points));
    warnings.extend(sought.and_then(|sought| relapse(plan, sought, points)));
    if outcome == Outcome::Nowhere {
        warnings.extend(window(plan, points));
    }
    let told = points.iter().filter(|point| !point.warnings.is_empty());
    warnings.extend(told.flat_map(|point| {
        let written = plan.written(point.number);
        point.warnings.iter().map(move |warning| format!("at {written}: {warning}"))
    }));
    warnings
}

/// Says at which values nothing is known of a bound.
fn not_known(plan: &Plan<'_>, points: &[SeekPoint]) -> Option<String> {
    let unknown = points.iter().filter(|point| point.verdict == Verdict::NotKnown);
    let values: Vec<String> = unknown.map(|point| plan.written(point.number)).collect();
    (!values.is_empty()).then(|| {
        format!(
            "at {} it is not known whether the bounds are kept, because a figure has no interval; \
             these do not count as kept, so the answer may lie beyond them",
            values.join(", ")
        )
    })
}

/// Says at how many values the precision that was asked for was not reached.
fn imprecise(points: &[SeekPoint]) -> Option<String> {
    let is_missed =
        |point: &&SeekPoint| point.precision.as_ref().is_some_and(|precision| !precision.is_met);
    let missed = points.iter().filter(is_missed).count();
    let all = points.len();
    (missed > 0).then(|| {
        format!(
            "at {missed} of {all} values the precision asked for was not reached within \
             replications.max"
        )
    })
}

/// Says where bounds are kept again beyond the first value that misses them.
fn relapse(plan: &Plan<'_>, sought: Sought, points: &[SeekPoint]) -> Option<String> {
    let known: Vec<Known> = points.iter().map(|point| (point.number, point.verdict)).collect();
    let (_, missed) = bracket(&known, sought, Verdict::Kept);
    let missed = missed?;
    let is_beyond = |value: f64| match sought {
        Sought::Largest => value > missed,
        Sought::Smallest => value < missed,
    };
    let again =
        known.iter().find(|(value, verdict)| is_beyond(*value) && *verdict >= Verdict::Kept)?;
    Some(format!(
        "the bounds are missed at {} and kept again at {}: the figures do not simply rise or fall \
         there, and the answer is where they are missed first",
        plan.written(missed),
        plan.written(again.0)
    ))
}

/// Says that values between the ends may keep what each end misses.
fn window(plan: &Plan<'_>, points: &[SeekPoint]) -> Option<String> {
    let misses = |point: &SeekPoint, index: usize| {
        let figure = point.bounded[index];
        plan.conditions[index].verdict(figure, !plan.has_intervals()) < Verdict::Kept
    };
    let (first, last) = points.first().zip(points.last())?;
    let all = 0..plan.conditions.len();
    let at_both = all.clone().any(|index| misses(first, index) && misses(last, index));
    let metric = |point| {
        let index = all.clone().find(|&index| misses(point, index))?;
        Some(plan.conditions[index].metric.as_str())
    };
    let (low, high) = metric(first).zip(metric(last))?;
    (!at_both).then(|| {
        format!(
            "{low} misses its bound at {} and {high} at {}, so values between may keep both: seek \
             each bound on its own",
            plan.written(first.number),
            plan.written(last.number)
        )
    })
}
