//! Charts of a sweep: lines over one axis, heat maps over two, and always the
//! trade between cost, latency and interactivity.

mod heat_map;
mod lines;
mod pareto;

use super::Chart;
use super::axis::Axis;
use crate::report::figure::Measure;
use crate::statistics::Interval;
use crate::study::sweep::{Axes, Outline, PointOutline, UseCaseOutline};

/// Most values along one side of a heat map.
const CELLS_MAX: usize = 120;

/// All charts of a sweep, in reading order.
pub fn charts(outline: &Outline) -> Vec<Chart> {
    let mut charts = Vec::new();
    match outline.axes.as_slice() {
        [_] => charts.push(Chart {
            name: "lines",
            caption: "What the key does to latency, cost and output. Bands: 95 % confidence \
                      interval. A cross at the upper edge is a load that cannot be sustained: it \
                      has no steady value, and the line is cut there. Cost and output are \
                      those of a use case's pool.",
            drawing: lines::draw(outline),
        }),
        [a, b] if is_map(outline, a, b) => charts.push(Chart {
            name: "heat-maps",
            caption: "What both keys do to latency, cost and output. Yellow is much, violet is \
                      little. Grey: a load that cannot be sustained. Cost and output are those \
                      of a use case's pool.",
            drawing: heat_map::draw(outline),
        }),
        _ => {}
    }
    charts.push(Chart {
        name: "pareto",
        caption: "Cost against latency and against interactivity, a dot a point. Filled and \
                  numbered: points that no other beats in all three together. The line joins the \
                  best of the two figures shown; the grey dots beyond it cost more for less.",
        drawing: pareto::draw(outline),
    });
    charts
}

fn is_map(outline: &Outline, a: &Axes, b: &Axes) -> bool {
    outline.design == "grid"
        && outline.is_whole
        && a.values.len() <= CELLS_MAX
        && b.values.len() <= CELLS_MAX
}

/// A figure of a use case, and how it is named and scaled.
struct Quantity {
    name: &'static str,
    unit: &'static str,
    measure: Measure,
    value: fn(&UseCaseOutline) -> Option<Interval>,
}

const QUANTITIES: [Quantity; 5] = [
    Quantity { name: "TTFT, p95", unit: "", measure: Measure::Seconds, value: |u| u.ttft_p95_s },
    Quantity { name: "TPOT, p95", unit: "", measure: Measure::Seconds, value: |u| u.tpot_p95_s },
    Quantity {
        name: "Cost",
        unit: "$/Mtok, input and output",
        measure: Measure::Plain(""),
        value: |u| u.usd_per_mtok,
    },
    Quantity {
        name: "Output of a GPU",
        unit: "tokens/s",
        measure: Measure::Plain(""),
        value: |u| u.tok_per_s_per_gpu,
    },
    CACHE_HIT,
];
const CACHE_HIT: Quantity = Quantity {
    name: "Prompt from cache",
    unit: "",
    measure: Measure::Fraction,
    value: |u| u.cache_hit,
};

/// What is shown of a sweep: hits only where the keys change them and do not
/// state them.
fn shown(outline: &Outline) -> &'static [Quantity] {
    let is_given = outline.axes.iter().any(|axis| axis.key.ends_with(".cache_hit"));
    let hits = |use_case: usize| {
        let points = outline.points.iter();
        points.filter_map(move |p| CACHE_HIT.at(p, use_case)).map(|interval| interval.mean)
    };
    let is_varied = (0..outline.fronts.len())
        .any(|use_case| hits(use_case).zip(hits(use_case).skip(1)).any(|(a, b)| a != b));
    let all = QUANTITIES.len();
    &QUANTITIES[..if is_varied && !is_given { all } else { all - 1 }]
}

impl Quantity {
    /// Its value at `point`, if the load there can be sustained.
    fn at(&self, point: &PointOutline, use_case: usize) -> Option<Interval> {
        let outline = &point.use_cases[use_case];
        (self.value)(outline).filter(|_| outline.is_steady())
    }

    /// An axis upwards, `height` pixels long.
    fn up(&self, values: Vec<f64>, height: f64) -> Axis {
        // Labels are about three times as wide as high.
        let seconds = || Axis::log_seconds(values.iter().copied(), 3.0 * height);
        match self.measure {
            Measure::Seconds => seconds().unwrap_or_else(Axis::unnamed),
            Measure::Fraction => Axis::share(),
            _ if values.is_empty() => Axis::unnamed(),
            _ => Axis::linear(values, 5),
        }
    }
}

/// The number in a value as written.
fn number(axis: &Axes, written: &str) -> Option<f64> {
    match axis.unit {
        Some(_) => crate::scenario::range::quantity(written).map(|(_, number, _)| number),
        None => written.parse().ok().filter(|number: &f64| number.is_finite()),
    }
}

/// The numbers of all values of an axis, if they are numbers.
fn numbers(axis: &Axes) -> Option<Vec<f64>> {
    axis.values.iter().map(|written| number(axis, written)).collect()
}

/// The name of an axis with its unit.
fn caption(axis: &Axes) -> String {
    match &axis.unit {
        Some(unit) => format!("{} ({unit})", axis.key),
        None => axis.key.clone(),
    }
}
