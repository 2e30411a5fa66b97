//! What is to be sought, checked: the key takes the values, the figures exist,
//! the bounds are of their units and can be kept together.

use super::condition::Condition;
use super::search::Resolution;
use crate::error::{Error, Mistake, Result};
use crate::scenario::range::Range;
use crate::scenario::seek::{Bound, Seek, Side};
use crate::scenario::tree::{Node, Place, nearest};
use crate::scenario::{Loaded, Scenario, Variants};
use crate::study::figures::{Unit, figure_paths};
use crate::study::transient::pilots;

/// Keys of a scenario that all values share.
const FIXED: [&str; 9] =
    ["arm", "assert", "name", "replications", "schema", "sections", "seed", "seek", "sweep"];
/// Most whole values that are all checked before anything is run.
const CHECKED_MAX: f64 = 2_000.0;
/// Chance that any of the intervals a point is judged by misses.
const ERROR_SHARE: f64 = 0.05;

/// A seek, ready to run.
#[derive(Debug)]
pub struct Plan<'v> {
    pub(super) scenario: Scenario,
    pub(super) conditions: Vec<Condition>,
    pub(super) range: Range,
    pub(super) key: String,
    pub(super) resolution: Resolution,
    /// What else differs from the scenario: a key and its value.
    beside: Option<(String, Node)>,
    variants: &'v Variants,
}

impl<'v> Plan<'v> {
    /// Checks the `[seek]` of `loaded`; `variants` come with it from
    /// [`crate::scenario::open`].
    pub fn new(loaded: &Loaded, variants: &'v Variants, seek: Seek) -> Result<Plan<'v>> {
        Plan::beside(loaded.scenario.clone(), variants, seek, None)
    }

    /// As [`Plan::new`], of `scenario`, which is that of the file with the key
    /// and value of `beside`.
    pub(super) fn beside(
        scenario: Scenario,
        variants: &'v Variants,
        seek: Seek,
        beside: Option<(String, Node)>,
    ) -> Result<Plan<'v>> {
        let Seek { key, range, tolerance, keep, places, .. } = seek;
        let end = |node: Node| variants.scenario(&changes(&beside, &key, node));
        let from = ends(&key, &range, &places, end)?;
        let conditions = conditions(&from, &keep)?;
        let resolution = Resolution {
            is_whole: range.is_whole,
            tolerance,
            size_min: (range.to - range.from) / 1e3,
        };
        let plan = Plan { scenario, conditions, range, key, resolution, beside, variants };
        plan.check_whole_values()?;
        Ok(plan)
    }

    /// Confidence of each interval that a point is judged by: with k bounds
    /// 1 - 5 %/k, so that those of a point hold together with 95 %.
    pub fn confidence(&self) -> f64 {
        1.0 - ERROR_SHARE / self.conditions.len() as f64
    }

    /// Replications that the search takes at most, pilots included, if every
    /// point is like the scenario itself.
    pub fn runs_max(&self) -> u32 {
        let Range { from, to, .. } = self.range;
        let finest = match self.range.is_whole {
            true => 1.0,
            false => self.resolution.tolerance * to.abs().max(from.abs()).max(f64::MIN_POSITIVE),
        };
        let halvings = libm::ceil(libm::log2((to - from) / finest)).clamp(0.0, 100.0) as u32;
        // Both ends, one crossing, and the last half of the way to two more.
        let points = 2 + 2 * halvings;
        points * (self.scenario.replications + pilots(&self.scenario))
    }

    /// The scenario at `value`, as it has to be.
    pub(super) fn at(&self, value: f64) -> Result<Scenario> {
        let node = self.range.node(value);
        let written = node.to_toml();
        let scenario = self.variants.scenario(&changes(&self.beside, &self.key, node));
        let scenario = scenario.map_err(|error| {
            placed(error, |mistake| {
                mistake.problem += &format!(" (in [seek], at {written})");
            })
        })?;
        Ok(Scenario { replications: self.scenario.replications, ..scenario })
    }

    /// Whether figures have intervals: one random replication shows no spread,
    /// unless it is divided.
    pub(super) fn has_intervals(&self) -> bool {
        let values = self.scenario.replications * self.scenario.sections;
        values > 1 || !self.scenario.is_random()
    }

    /// A value near the middle of the range, if there is one.
    pub(super) fn middle(&self) -> Option<f64> {
        self.resolution.between(self.range.from, self.range.to)
    }

    /// A value as a user would write it, for messages.
    pub(super) fn written(&self, value: f64) -> String {
        self.range.written(value)
    }

    /// A few whole values can all be checked; of many, those that are looked at.
    fn check_whole_values(&self) -> Result<()> {
        let Range { from, to, is_whole, .. } = self.range;
        if !is_whole || to - from > CHECKED_MAX {
            return Ok(());
        }
        (from as i64..=to as i64).try_for_each(|value| self.at(value as f64).map(drop))
    }
}

/// The changes that make the scenario at one value of `key`.
fn changes<'a>(
    beside: &'a Option<(String, Node)>,
    key: &'a str,
    value: Node,
) -> Vec<(&'a str, Node)> {
    let beside = beside.iter().map(|(key, value)| (key.as_str(), value.clone()));
    beside.chain([(key, value)]).collect()
}

/// Checks both ends and returns the scenario at the lower one. What is wrong
/// with both is the key's fault, not that of a value.
fn ends(
    key: &str,
    range: &Range,
    places: &[Place; 3],
    end: impl Fn(Node) -> Result<Scenario>,
) -> Result<Scenario> {
    let [at_key, at_from, at_to] = places;
    let invalid = |mistake| Err(Error::Invalid(vec![mistake]));
    let first = key.split('.').next().unwrap_or_default();
    if FIXED.contains(&first) {
        return invalid(at_key.mistake("cannot be sought", "name a key that says what is served"));
    }
    let of_end = |at: &Place, mistake: &Mistake| {
        let problem = format!("{}: {}", mistake.key, mistake.problem);
        at.mistake(problem, mistake.fix.clone())
    };
    match (end(range.node(range.from)), end(range.node(range.to))) {
        (Ok(from), Ok(_)) => Ok(from),
        (Err(Error::Invalid(from)), Err(Error::Invalid(to))) => {
            let is_same =
                |a: &Mistake| to.iter().any(|b| (&a.key, &a.problem) == (&b.key, &b.problem));
            let (both, one): (Vec<_>, Vec<_>) = from.into_iter().partition(is_same);
            let mistakes = match both.is_empty() {
                true => one.iter().map(|mistake| of_end(at_from, mistake)).collect(),
                false => both.iter().map(|mistake| of_end(at_key, mistake)).collect(),
            };
            Err(Error::Invalid(mistakes))
        }
        (Err(error), _) => Err(placed(error, |mistake| *mistake = of_end(at_from, mistake))),
        (_, Err(error)) => Err(placed(error, |mistake| *mistake = of_end(at_to, mistake))),
    }
}

/// The error with its mistakes changed.
fn placed(error: Error, change: impl FnMut(&mut Mistake)) -> Error {
    match error {
        Error::Invalid(mut mistakes) => {
            mistakes.iter_mut().for_each(change);
            Error::Invalid(mistakes)
        }
        other => other,
    }
}

/// The bounds as conditions on figures that the scenario has.
fn conditions(scenario: &Scenario, keep: &[Bound]) -> Result<Vec<Condition>> {
    let paths = figure_paths(scenario);
    let mut mistakes = Vec::new();
    let mut found: Vec<Condition> = Vec::new();
    for bound in keep {
        match condition(bound, &paths) {
            Ok(condition) => {
                mistakes.extend(contradiction(bound, &condition, &found));
                found.push(condition);
            }
            Err(mistake) => mistakes.push(*mistake),
        }
    }
    if mistakes.is_empty() { Ok(found) } else { Err(Error::Invalid(mistakes)) }
}

fn condition(bound: &Bound, paths: &[String]) -> std::result::Result<Condition, Box<Mistake>> {
    let Bound { metric, side, limit, places: [at_metric, at_limit] } = bound;
    if !paths.contains(metric) {
        let fix = match nearest(metric, paths.iter().map(String::as_str)) {
            Some(path) => format!("did you mean `{path}`?"),
            None => "join keys of summary.json by dots: use_cases.chat.ttft_s.p95".to_owned(),
        };
        return Err(Box::new(at_metric.mistake("is not a figure of this scenario", fix)));
    }
    let unit = Unit::of(metric);
    let limit: &Node = limit;
    let limit =
        unit.read(limit).map_err(|error| Box::new(at_limit.mistake(error.problem, error.fix)))?;
    Ok(Condition { metric: metric.clone(), unit, side: *side, limit })
}

/// Bounds of one figure that nothing can keep together.
fn contradiction(bound: &Bound, condition: &Condition, others: &[Condition]) -> Option<Mistake> {
    let excludes = |other: &&Condition| {
        let (low, high) = match (condition.side, other.side) {
            (Side::AtLeast, Side::AtMost) => (condition.limit, other.limit),
            (Side::AtMost, Side::AtLeast) => (other.limit, condition.limit),
            _ => return false,
        };
        other.metric == condition.metric && low > high
    };
    let other = others.iter().find(excludes)?;
    let problem = format!(
        "contradicts the other bound of this figure, {} {}: nothing keeps both",
        other.side.key(),
        other.limit
    );
    Some(bound.places[1].mistake(problem, "remove one of them, or swap at_most and at_least"))
}
