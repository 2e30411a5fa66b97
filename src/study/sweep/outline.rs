//! What charts and tables need of a sweep: a few figures of each point, and the
//! points that no other beats.
//!
//! Points are collected as they are reduced. Beyond [`POINTS_MAX`] only some
//! are kept for drawing, evenly spread; fronts are always of all points.

use super::line::Header;
use super::reduce::PointSummary;
use crate::statistics::Interval;
use indexmap::{IndexMap, IndexSet};

/// Most points kept for drawing: a heat map of 64 by 64 fields.
const POINTS_MAX: u32 = 4_096;

/// A sweep in outline.
#[derive(Clone, Debug)]
pub struct Outline {
    /// What varies.
    pub axes: Vec<Axes>,
    /// How points are chosen.
    pub design: String,
    /// Whether every point is among `points`.
    pub is_whole: bool,
    /// The points kept for drawing, in order.
    pub points: Vec<PointOutline>,
    /// By use case, the pool that serves it and the points that are beaten by
    /// none in dollars a token, TTFT and interactivity together, in order.
    pub fronts: IndexMap<String, Vec<PointOutline>>,
    stride: u32,
}

/// An axis and the values it takes.
#[derive(Clone, Debug)]
pub struct Axes {
    /// The key.
    pub key: String,
    /// The unit that all values are quantities in.
    pub unit: Option<String>,
    /// Values are best spread by their logarithms.
    pub is_log: bool,
    /// Distinct values as written, in the order of points.
    pub values: IndexSet<String>,
}

/// A point in outline.
#[derive(Clone, Debug, PartialEq)]
pub struct PointOutline {
    /// Its number.
    pub point: u32,
    /// By axis, the index of its value.
    pub at: Vec<usize>,
    /// By use case.
    pub use_cases: Vec<UseCaseOutline>,
}

/// Whether a pool sustains its load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Steadiness {
    /// It does.
    #[default]
    Steady,
    /// It does not.
    Unstable,
    /// The runs do not tell.
    Unknown,
}

/// What a use case and its pool come to at a point.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UseCaseOutline {
    /// Whether the pool sustains the load.
    pub steadiness: Steadiness,
    /// 95th percentile of the time to first token, s.
    pub ttft_p95_s: Option<Interval>,
    /// 95th percentile of the time per output token, s.
    pub tpot_p95_s: Option<Interval>,
    /// Dollars per million tokens of the pool, input and output together.
    pub usd_per_mtok: Option<Interval>,
    /// Output tokens per second and GPU of the pool.
    pub tok_per_s_per_gpu: Option<Interval>,
    /// Output tokens per second that a user of the pool sees.
    pub tok_per_s_per_user: Option<Interval>,
    /// Share of the prompts that was found in the cache.
    pub cache_hit: Option<Interval>,
}

impl Outline {
    /// An outline without points.
    pub fn new(header: &Header) -> Outline {
        let axes = header.axes.iter().map(|axis| Axes {
            key: axis.key.clone(),
            unit: axis.unit.clone(),
            is_log: axis.scale == "log",
            values: IndexSet::new(),
        });
        Outline {
            axes: axes.collect(),
            design: header.design.clone(),
            is_whole: header.points <= POINTS_MAX,
            points: Vec::new(),
            fronts: header.use_cases.keys().map(|name| (name.clone(), Vec::new())).collect(),
            stride: header.points.div_ceil(POINTS_MAX).max(1),
        }
    }

    /// Adds a point; `pools` names the pool of each use case.
    pub fn add(&mut self, summary: &PointSummary, pools: &IndexMap<String, String>) {
        let use_cases: Vec<UseCaseOutline> =
            pools.iter().map(|(name, pool)| UseCaseOutline::of(summary, name, pool)).collect();
        let is_kept = summary.point.is_multiple_of(self.stride);
        let joins = |(index, (_, front)): (usize, (&String, &Vec<PointOutline>))| {
            let ours = use_cases[index].objectives()?;
            let is_beaten = |other: &PointOutline| {
                let theirs = other.use_cases[index].objectives();
                // Of equals the first one stands for all.
                theirs.is_some_and(|theirs| theirs == ours || beats(theirs, ours))
            };
            (!front.iter().any(is_beaten)).then_some((index, ours))
        };
        let joined: Vec<(usize, [f64; 3])> =
            self.fronts.iter().enumerate().filter_map(joins).collect();
        if !is_kept && joined.is_empty() {
            return;
        }
        let at = self.axes.iter_mut().zip(summary.values.values());
        let at = at.map(|(axis, value)| axis.values.insert_full(written(value)).0).collect();
        let point = PointOutline { point: summary.point, at, use_cases };
        for (index, ours) in joined {
            let front = &mut self.fronts[index];
            front.retain(|other| {
                other.use_cases[index].objectives().is_none_or(|theirs| !beats(ours, theirs))
            });
            front.push(point.clone());
        }
        if is_kept {
            self.points.push(point);
        }
    }
}

/// A value as it was written, without quotes.
fn written(value: &serde_json::Value) -> String {
    match value {
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

impl Steadiness {
    fn of(summary: &PointSummary, pool: &str) -> Steadiness {
        if summary.unstable_pools.iter().any(|name| name == pool) {
            return Steadiness::Unstable;
        }
        match summary.unknown_pools.contains_key(pool) {
            true => Steadiness::Unknown,
            false => Steadiness::Steady,
        }
    }

    /// What stands where a figure is absent.
    pub fn cell(self) -> &'static str {
        match self {
            Steadiness::Steady => "–",
            Steadiness::Unstable => "unstable",
            Steadiness::Unknown => "not known",
        }
    }
}

impl UseCaseOutline {
    fn of(summary: &PointSummary, use_case: &str, pool: &str) -> UseCaseOutline {
        let figure = |path: String| summary.figures.get(&path).copied();
        UseCaseOutline {
            steadiness: Steadiness::of(summary, pool),
            ttft_p95_s: figure(format!("use_cases.{use_case}.ttft_s.p95")),
            tpot_p95_s: figure(format!("use_cases.{use_case}.tpot_s.p95")),
            usd_per_mtok: figure(format!("pools.{pool}.usd_per_mtok.total")),
            tok_per_s_per_gpu: figure(format!("pools.{pool}.output_tok_per_s_per_gpu")),
            tok_per_s_per_user: figure(format!("pools.{pool}.tok_per_s_per_user")),
            cache_hit: figure(format!("use_cases.{use_case}.cache_hit_fraction")),
        }
    }

    /// Whether its pool is known to sustain the load.
    pub fn is_steady(&self) -> bool {
        self.steadiness == Steadiness::Steady
    }

    /// Dollars, seconds, and tokens a second with their sign turned: less is better.
    pub fn objectives(&self) -> Option<[f64; 3]> {
        let usd = self.usd_per_mtok.filter(|_| self.is_steady())?.mean;
        Some([usd, self.ttft_p95_s?.mean, -self.tok_per_s_per_user?.mean])
    }
}

/// Whether `one` is nowhere worse than `other` and somewhere better.
fn beats(one: [f64; 3], other: [f64; 3]) -> bool {
    let mut pairs = one.iter().zip(&other);
    pairs.clone().all(|(a, b)| a <= b) && pairs.any(|(a, b)| a < b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_beats_another_that_is_nowhere_better() {
        assert!(beats([1.0, 1.0, 1.0], [1.0, 1.0, 2.0]));
        assert!(!beats([1.0, 1.0, 1.0], [1.0, 1.0, 1.0]));
        assert!(!beats([1.0, 1.0, 3.0], [1.0, 1.0, 2.0]));
    }
}
