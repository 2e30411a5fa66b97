//! The `[sweep]` of a scenario: which keys vary, over which values.
//!
//! A value of an axis is a [`Node`] that remembers the line of the `[sweep]` it
//! comes from, so a point that makes an invalid scenario is answered with the
//! line that made it. Whether a key exists is decided where points are built.

use super::range::{Range, joined, quantity};
use super::tree::{At, Node, Value, suggest};
use crate::error::Mistake;
use indexmap::IndexMap;
use std::fmt;

/// Most runs (points times replications) of one sweep.
pub const RUNS_MAX: u64 = 1_000_000;
/// Most points of a Sobol design: what its scrambling is good for.
const SOBOL_POINTS_MAX: u64 = 1 << 16;
/// Most axes of a Sobol design.
const SOBOL_AXES_MAX: usize = 256;

/// Keys of a `[sweep]` that are not axes.
const OPTIONS: [&str; 2] = ["design", "points"];
/// Keys of a scenario that points share.
const FIXED: [&str; 7] = ["schema", "name", "replications", "sweep", "arm", "seek", "assert"];
/// Keys of a range.
const RANGE: [&str; 4] = ["from", "to", "points", "scale"];

/// A checked `[sweep]`.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// How points are chosen.
    pub design: Design,
    /// How many points there are.
    pub points: u32,
    /// What varies, in the order of the file; at least one axis.
    pub axes: Vec<Axis>,
}

/// How the points of a sweep are chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Design {
    /// Every combination of the values of all axes, the last axis fastest.
    #[default]
    Grid,
    /// One point in each of n equal strata of every axis, combined at random.
    LatinHypercube,
    /// The Owen-scrambled Sobol sequence.
    Sobol,
}

impl Design {
    const NAMES: [&'static str; 3] = ["grid", "latin-hypercube", "sobol"];

    fn named(name: &str) -> Option<Design> {
        match name {
            "grid" => Some(Design::Grid),
            "latin-hypercube" => Some(Design::LatinHypercube),
            "sobol" => Some(Design::Sobol),
            _ => None,
        }
    }
}

impl fmt::Display for Design {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Design::NAMES[*self as usize])
    }
}

/// One key that varies.
#[derive(Clone, Debug)]
pub struct Axis {
    /// The key, as `--set` would name it.
    pub path: String,
    values: Values,
}

#[derive(Clone, Debug)]
enum Values {
    List(Vec<Node>),
    Range { range: Range, points: Option<u32> },
}

impl Axis {
    /// Values of this axis in a grid.
    pub fn len(&self) -> u32 {
        match &self.values {
            Values::List(nodes) => nodes.len() as u32,
            Values::Range { points, .. } => points.unwrap_or(0),
        }
    }

    /// Whether it has no value in a grid.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its values are spread evenly in their logarithms.
    pub fn is_log(&self) -> bool {
        matches!(&self.values, Values::Range { range, .. } if range.is_log)
    }

    /// The unit that all its values are quantities in; `None` for plain numbers,
    /// words and mixed units.
    pub fn unit(&self) -> Option<String> {
        match &self.values {
            Values::Range { range, .. } => range.unit(),
            Values::List(nodes) => {
                let unit = |node: &Node| {
                    let (before, _, after) = quantity(node.as_str()?)?;
                    Some(joined(before, after))
                };
                let first = unit(nodes.first()?)?;
                nodes.iter().all(|node| unit(node).as_ref() == Some(&first)).then_some(first)
            }
        }
    }

    /// The value at `index` of a grid.
    pub fn nth(&self, index: u32) -> Node {
        match &self.values {
            Values::List(nodes) => nodes[index as usize].clone(),
            Values::Range { range, .. } => {
                let steps = f64::from(self.len().max(2) - 1);
                range.node(rounded(range.at(f64::from(index) / steps)))
            }
        }
    }

    /// The value at this share, in [0, 1), of a range: equal shares are equally
    /// likely, whole values too.
    pub fn at(&self, share: f64) -> Node {
        let Values::Range { range, .. } = &self.values else {
            unreachable!("designs other than grids vary ranges")
        };
        match range.is_whole && !range.is_log {
            true => range.node(range.from + libm::floor(share * (range.to - range.from + 1.0))),
            false => range.node(range.at(share)),
        }
    }
}

/// To 12 significant digits, so that 0.1 in steps of 0.1 reads 0.3.
fn rounded(value: f64) -> f64 {
    format!("{value:.11e}").parse().expect("a number")
}

/// Reads the `[sweep]` at `at` of a scenario with so many replications;
/// mistakes go to `mistakes`. `None` without one, or without a usable one.
pub(super) fn read(at: &At<'_>, replications: u32, mistakes: &mut Vec<Mistake>) -> Option<Sweep> {
    let table = at.node?.table()?;
    let before = mistakes.len();
    let design = match at.key("design").node {
        None => Design::default(),
        // Other words have been objected to already.
        Some(node) => node.as_str().and_then(Design::named)?,
    };
    let is_grid = design == Design::Grid;
    let mut axes = Vec::new();
    for key in table.keys().filter(|key| !OPTIONS.contains(&key.as_str())) {
        match axis(at, key, is_grid) {
            Ok(axis) => axes.push(axis),
            Err(found) => mistakes.extend(found),
        }
    }
    if axes.is_empty() && mistakes.len() == before {
        let fix = "name one, e.g. \"pool.assistant.replicas\" = [1, 2, 4]";
        mistakes.push(at.mistake("varies no key", fix));
    }
    if mistakes.len() > before {
        return None;
    }
    match count(at, design, &axes, replications) {
        Ok(points) => Some(Sweep { design, points, axes }),
        Err(mistake) => {
            mistakes.push(*mistake);
            None
        }
    }
}

/// How many points these axes make.
fn count(
    at: &At<'_>,
    design: Design,
    axes: &[Axis],
    replications: u32,
) -> Result<u32, Box<Mistake>> {
    let place = at.key("points");
    let wrong = |at: &At<'_>, problem: String, fix: &str| Err(Box::new(at.mistake(problem, fix)));
    let given = match place.node.map(|node| &node.value) {
        Some(Value::Integer(points)) => u64::try_from(*points).ok(),
        _ => None,
    };
    let (points, at) = match design {
        Design::Grid if place.node.is_some() => {
            let fix = "remove it: a grid has as many points as its values make";
            return wrong(&place, "belongs to latin-hypercube and sobol".to_owned(), fix);
        }
        Design::Grid => {
            let sizes = axes.iter().map(|axis| u64::from(axis.len()));
            (sizes.fold(1, u64::saturating_mul), at.clone())
        }
        _ => match given {
            Some(points) => (points, place),
            None => {
                return wrong(&place, "is missing".to_owned(), "add how many, e.g. points = 64");
            }
        },
    };
    if design == Design::Sobol && points > SOBOL_POINTS_MAX {
        return wrong(&at, format!("must be at most {SOBOL_POINTS_MAX}"), "use latin-hypercube");
    }
    if design == Design::Sobol && axes.len() > SOBOL_AXES_MAX {
        return wrong(
            &at,
            format!("varies more than {SOBOL_AXES_MAX} keys"),
            "use latin-hypercube",
        );
    }
    let runs = points.saturating_mul(u64::from(replications));
    if runs > RUNS_MAX {
        let problem = format!(
            "makes {points} points, {runs} runs with {replications} replications each: more than \
             {RUNS_MAX}"
        );
        return wrong(
            &at,
            problem,
            "take fewer values, a design with fewer points, or fewer replications",
        );
    }
    Ok(points as u32)
}

/// The axis at `key` of a `[sweep]`, or of whatever else varies keys.
pub(super) fn axis(study: &At<'_>, key: &str, is_grid: bool) -> Result<Axis, Vec<Mistake>> {
    let at = study.key(key);
    let node = at.node.expect("a key of the table");
    let wrong = |problem: &str, fix: &str| Err(vec![at.mistake(problem, fix)]);
    let first = key.split('.').next().unwrap_or_default();
    if FIXED.contains(&first) {
        let fix = format!("change it outside of [{}]", study.path);
        return wrong("is the same at all points", &fix);
    }
    let path = key.to_owned();
    let list = "write a list of values or a range";
    match &node.value {
        Value::List(_) if !is_grid => {
            wrong("is a list, but this design draws from ranges", "write { from = .., to = .. }")
        }
        Value::List(nodes) if nodes.is_empty() => wrong("has no value", "list at least one"),
        Value::List(nodes) => Ok(Axis { path, values: Values::List(nodes.clone()) }),
        Value::Table(table) if RANGE.iter().any(|key| table.contains_key(*key)) => {
            let (range, points) = range(&at, table, is_grid)?;
            Ok(Axis { path, values: Values::Range { range, points } })
        }
        Value::Table(_) => wrong(
            "is a table without `from` and `to`",
            "put the whole key path in quotes: \"pool.assistant.replicas\" = [1, 2, 4]",
        ),
        _ => wrong(
            &format!("is {}", node.type_name()),
            &match study.path.as_str() {
                "sweep" => format!("{list}; options of a sweep are {}", OPTIONS.join(", ")),
                _ => list.to_owned(),
            },
        ),
    }
}

fn range(
    at: &At<'_>,
    table: &IndexMap<String, Node>,
    is_grid: bool,
) -> Result<(Range, Option<u32>), Vec<Mistake>> {
    let mut mistakes: Vec<Mistake> = table
        .keys()
        .filter(|key| !RANGE.contains(&key.as_str()))
        .map(|key| at.key(key).mistake("unknown key", suggest(key, RANGE)))
        .collect();
    let scale = scale(&at.key("scale")).unwrap_or_else(|mistake| {
        mistakes.push(*mistake);
        false
    });
    let points = points(&at.key("points"), is_grid).unwrap_or_else(|mistake| {
        mistakes.push(*mistake);
        None
    });
    let range = match Range::read(at) {
        Ok(mut range) => {
            range.is_log = scale;
            range
        }
        Err(found) => {
            mistakes.extend(found);
            return Err(mistakes);
        }
    };
    if scale && range.from <= 0.0 {
        let fix = "begin above zero, or use scale = \"linear\"";
        mistakes.push(at.key("from").mistake("has no logarithm", fix));
    }
    if let (true, true, Some(points)) = (mistakes.is_empty(), range.is_whole, points) {
        let value = |index: u32| range.at(f64::from(index) / f64::from(points - 1));
        if (1..points).any(|index| value(index) == value(index - 1)) {
            let fix = "ask for fewer, or write the ends with a decimal point for values between";
            let problem = "are more than there are whole numbers to take";
            mistakes.push(at.key("points").mistake(problem, fix));
        }
    }
    if mistakes.is_empty() { Ok((range, points)) } else { Err(mistakes) }
}

fn scale(at: &At<'_>) -> Result<bool, Box<Mistake>> {
    match at.node.map(|node| node.as_str()) {
        None | Some(Some("linear")) => Ok(false),
        Some(Some("log")) => Ok(true),
        Some(_) => Err(Box::new(at.mistake("is not a scale", "write \"linear\" or \"log\""))),
    }
}

fn points(at: &At<'_>, is_grid: bool) -> Result<Option<u32>, Box<Mistake>> {
    let wrong = |problem: &str, fix: &str| Err(Box::new(at.mistake(problem, fix)));
    match (at.node.map(|node| &node.value), is_grid) {
        (None, false) => Ok(None),
        (Some(_), false) => wrong("belongs to grids", "write `points` once, beside `design`"),
        (None, true) => wrong("is missing", "add how many values, e.g. points = 5"),
        (Some(Value::Integer(points)), true) if (2..=RUNS_MAX as i64).contains(points) => {
            Ok(Some(*points as u32))
        }
        (Some(_), true) => {
            wrong("is not a count of values", &format!("write a whole number from 2 to {RUNS_MAX}"))
        }
    }
}
