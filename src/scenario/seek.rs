//! The `[seek]` of a scenario: which key is sought, where, and which bounds
//! have to be kept.
//!
//! Form is settled here. Whether the key takes such values and whether there
//! is such a figure is decided where points are built, as for a sweep.

use super::range::Range;
use super::sweep::{Axis, axis};
use super::tree::{At, Node, Place, Value};
use crate::error::Mistake;

/// Coarsest and finest tolerance for values that are not whole.
const TOLERANCE: std::ops::RangeInclusive<f64> = 1e-6..=0.5;
/// Tolerance where none is written.
const TOLERANCE_DEFAULT: f64 = 0.01;
/// Most bounds.
const BOUNDS_MAX: usize = 16;

/// A `[seek]` of good form.
#[derive(Clone, Debug)]
pub struct Seek {
    /// The key, as `--set` would name it.
    pub key: String,
    /// Where its value is sought.
    pub range: Range,
    /// How closely, relative to the value; 0 finds a whole number exactly.
    pub tolerance: f64,
    /// What must hold; at least one.
    pub keep: Vec<Bound>,
    /// A second key, at each value of which it is sought anew.
    pub over: Option<Axis>,
    /// Where the key, `from` and `to` are written.
    pub(crate) places: [Place; 3],
}

/// A bound on a figure, its value as written.
#[derive(Clone, Debug)]
pub struct Bound {
    /// Path of the figure.
    pub metric: String,
    /// Which side is bounded.
    pub side: Side,
    /// The bound.
    pub limit: Node,
    /// Where metric and limit are written.
    pub(crate) places: [Place; 2],
}

/// Which side of a figure is bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// From above.
    AtMost,
    /// From below.
    AtLeast,
}

impl Side {
    /// The key that writes such a bound.
    pub fn key(self) -> &'static str {
        match self {
            Side::AtMost => "at_most",
            Side::AtLeast => "at_least",
        }
    }
}

/// Reads the `[seek]` at `at`; mistakes go to `mistakes`. `None` without one,
/// or without a usable one.
pub(super) fn read(at: &At<'_>, mistakes: &mut Vec<Mistake>) -> Option<Seek> {
    at.node?.table()?;
    let before = mistakes.len();
    let key = at.key("key");
    let [from, to] = [at.key("from"), at.key("to")];
    // What is missing or of a wrong type has been objected to already.
    let usable = |at: &&At<'_>| at.node.is_some_and(is_scalar);
    let scalars: Vec<&At<'_>> = [&from, &to].into_iter().filter(usable).collect();
    let is_new = |mistake: &Mistake| scalars.iter().any(|at| at.path == mistake.key);
    let range =
        Range::read(at).map_err(|found| mistakes.extend(found.into_iter().filter(is_new))).ok();
    let is_whole = range.as_ref().is_some_and(|range| range.is_whole);
    let tolerance = tolerance(&at.key("tolerance"), is_whole)
        .map_err(|mistake| mistakes.push(*mistake))
        .unwrap_or_default();
    let keep = bounds(&at.key("keep"), mistakes);
    let over = over(&at.key("over"), key.node.and_then(Node::as_str), mistakes);
    let name = key.node.and_then(Node::as_str)?.to_owned();
    if mistakes.len() > before || keep.is_empty() {
        return None;
    }
    let places = [key.place(), from.place(), to.place()];
    Some(Seek { key: name, range: range?, tolerance, keep, over, places })
}

/// The only axis of the table at `at`; `None` without one, or without a usable
/// one.
fn over(at: &At<'_>, sought: Option<&str>, mistakes: &mut Vec<Mistake>) -> Option<Axis> {
    let table = at.node?.table()?;
    let keys: Vec<&String> = table.keys().collect();
    let [key] = keys.as_slice() else {
        let problem = format!("has {} keys", keys.len());
        let fix = "write one, e.g. over = { \"use_case.chat.cache_hit\" = [0, 0.5, 0.9] }";
        mistakes.push(at.mistake(problem, fix));
        return None;
    };
    if sought == Some(key.as_str()) {
        mistakes.push(at.key(key).mistake("is the key that is sought", "name another key"));
        return None;
    }
    axis(at, key, true).map_err(|found| mistakes.extend(found)).ok()
}

fn is_scalar(node: &Node) -> bool {
    matches!(node.value, Value::Integer(_) | Value::Float(_) | Value::String(_))
}

fn tolerance(at: &At<'_>, is_whole: bool) -> Result<f64, Box<Mistake>> {
    let written = match at.node.map(|node| &node.value) {
        Some(Value::Float(number)) => Some(*number),
        Some(Value::Integer(number)) => Some(*number as f64),
        Some(Value::String(text)) => match super::units::read_kind("percentage", text) {
            Some(Ok(number)) => Some(number),
            _ => return Ok(TOLERANCE_DEFAULT),
        },
        _ => None,
    };
    match written {
        None if is_whole => Ok(0.0),
        None => Ok(TOLERANCE_DEFAULT),
        Some(0.0) if is_whole => Ok(0.0),
        Some(number) if TOLERANCE.contains(&number) => Ok(number),
        Some(_) => {
            let fix = "write a percentage from \"0.0001 %\" to \"50 %\"";
            Err(Box::new(at.mistake("is no tolerance that can be met", fix)))
        }
    }
}

/// The usable bounds of the list at `at`.
fn bounds(at: &At<'_>, mistakes: &mut Vec<Mistake>) -> Vec<Bound> {
    let entries: Vec<At<'_>> = at.entries().collect();
    let example = "{ metric = \"use_cases.NAME.ttft_s.p95\", at_most = \"800 ms\" }";
    if at.node.is_some_and(Node::is_list) && entries.is_empty() {
        mistakes.push(at.mistake("names no bound", format!("write e.g. keep = [{example}]")));
    }
    if entries.len() > BOUNDS_MAX {
        let problem = format!("has more than {BOUNDS_MAX} bounds");
        mistakes.push(at.mistake(problem, "keep those that decide"));
        return Vec::new();
    }
    let bounds = entries.iter().filter_map(|entry| match bound(entry) {
        Ok(bound) => bound,
        Err(mistake) => {
            mistakes.push(*mistake);
            None
        }
    });
    bounds.collect()
}

fn bound(entry: &At<'_>) -> Result<Option<Bound>, Box<Mistake>> {
    let wrong = |problem: &str, fix: &str| Err(Box::new(entry.mistake(problem, fix)));
    let metric = entry.key("metric");
    let sides = [Side::AtMost, Side::AtLeast];
    let written: Vec<(Side, At<'_>)> = sides
        .map(|side| (side, entry.key(side.key())))
        .into_iter()
        .filter(|(_, at)| at.node.is_some())
        .collect();
    let (side, limit) = match written.as_slice() {
        [] if entry.node.is_some_and(|node| node.table().is_some()) => {
            return wrong("has no bound", "add at_most = .. or at_least = ..");
        }
        [] => return Ok(None),
        [(side, limit)] => (*side, limit),
        _ => return wrong("has two bounds", "write an entry for each"),
    };
    let (Some(name), Some(node)) = (metric.node.and_then(Node::as_str), limit.node) else {
        return Ok(None);
    };
    let places = [metric.place(), limit.place()];
    let bound = Bound { metric: name.to_owned(), side, limit: node.clone(), places };
    Ok(is_scalar(node).then_some(bound))
}
