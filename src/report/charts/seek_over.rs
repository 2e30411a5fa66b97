//! The answer of a seek over a second key, what a token costs there, and the
//! figures with a bound there: a panel each.

use super::axis::Axis;
use super::drawing::{Align, Drawing, Pen, fitted};
use super::panel::Panel;
use super::style::{FAINT, HEADING, LABEL, label, pen, title};
use crate::report::figure::Measure;
use crate::report::seek::over::{at_answer, cost_paths, number, text};
use crate::report::seek::{bound, measure, metric};
use crate::statistics::Interval;
use crate::study::seek::{SeekAt, SeekOver};

const TOP: f64 = 96.0;
const PANEL_HEIGHT: f64 = 190.0;
const ROW: f64 = PANEL_HEIGHT + 92.0;
const COLUMNS: [(f64, f64); 2] = [(72.0, 432.0), (524.0, 884.0)];
/// Most panels.
const PANELS_MAX: usize = 8;

/// One figure over the second key.
struct Quantity {
    name: String,
    unit: String,
    measure: Measure,
    bound: Option<f64>,
    values: Vec<Option<Interval>>,
}

/// Draws all panels.
pub fn draw(result: &SeekOver) -> Drawing {
    let quantities = quantities(result);
    let rows = quantities.len().div_ceil(2) as f64;
    let mut drawing = Drawing::new(TOP + rows * ROW - 30.0);
    let first = &result.seeks[0].seek;
    let heading = format!("Seek of {} over {}", first.key, result.over);
    let remark =
        "Bands: 95 % confidence interval; dashed: bound; × no value in the range was found.";
    title(&mut drawing, &heading, remark);
    let across = Across::of(result);
    for (index, quantity) in quantities.iter().enumerate() {
        let top = TOP + (index / 2) as f64 * ROW;
        draw_quantity(
            &mut drawing,
            &across,
            quantity,
            COLUMNS[index % 2],
            (top, top + PANEL_HEIGHT),
        );
    }
    drawing
}

/// The answer first, then costs, then bounds.
fn quantities(result: &SeekOver) -> Vec<Quantity> {
    let first = &result.seeks[0].seek;
    let values = |of: &dyn Fn(&SeekAt) -> Option<Interval>| result.seeks.iter().map(of).collect();
    let answer = Quantity {
        name: first.key.clone(),
        unit: first.unit.clone().unwrap_or_default(),
        measure: Measure::Plain(""),
        bound: None,
        values: values(&|at| at.seek.answer),
    };
    let cost = |path: String| Quantity {
        name: metric(&path),
        unit: "there".to_owned(),
        measure: measure(&path),
        bound: None,
        values: values(&|at| at_answer(at)?.figures.get(&path).copied()),
    };
    let kept = first.keep.iter().enumerate().map(|(index, limit)| Quantity {
        name: metric(&limit.metric),
        unit: format!("there, {}", bound(limit)),
        measure: measure(&limit.metric),
        bound: limit.at_most.or(limit.at_least),
        values: values(&|at| at_answer(at)?.bounded[index]),
    });
    let costs = cost_paths(result).into_iter().map(cost);
    std::iter::once(answer).chain(costs).chain(kept).take(PANELS_MAX).collect()
}

/// The axis across and where each value of the second key lies.
struct Across {
    axis: Axis,
    places: Vec<f64>,
    /// Indices of the values from left to right.
    order: Vec<usize>,
    caption: String,
}

impl Across {
    fn of(result: &SeekOver) -> Across {
        let width = COLUMNS[0].1 - COLUMNS[0].0;
        let numbers: Option<Vec<f64>> =
            result.seeks.iter().map(|at| number(result, &at.value)).collect();
        let (axis, places) = match numbers {
            Some(numbers) => {
                let is_log = result.over_scale == "log" && numbers.iter().all(|&n| n > 0.0);
                let log = Axis::log(&numbers, width).filter(|_| is_log);
                (log.unwrap_or_else(|| Axis::span(&numbers, 6)), numbers)
            }
            None => {
                let names: Vec<String> = result.seeks.iter().map(|at| text(&at.value)).collect();
                let places = (0..names.len()).map(|index| index as f64).collect();
                (Axis::places(names.iter().map(String::as_str)), places)
            }
        };
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
        let unit = result.over_unit.as_ref().map_or(String::new(), |unit| format!(" ({unit})"));
        let caption = fitted(&format!("{}{unit}", result.over), LABEL, false, width);
        Across { axis: axis.thinned(width), places, order, caption }
    }
}

fn draw_quantity(
    drawing: &mut Drawing,
    across: &Across,
    quantity: &Quantity,
    x: (f64, f64),
    y: (f64, f64),
) {
    let ends = quantity.values.iter().flatten();
    let ends = ends.flat_map(|v| [Some(v.mean), v.low, v.high].into_iter().flatten());
    // Lower ends of wide intervals may lie below zero, where nothing is drawn.
    let ends = ends.chain(quantity.bound).filter(|&end| end > 0.0).collect();
    let up = up(quantity, ends, y.1 - y.0);
    let panel = Panel { x, y, across: &across.axis, up: &up };
    panel.frame(drawing, &fitted(&quantity.name, HEADING, true, 0.6 * (x.1 - x.0)), &quantity.unit);
    panel.name_across(drawing, &across.caption);
    if let Some(bound) = quantity.bound {
        let height = panel.at(across.places[0], bound).1;
        let dash = Some((6.0, 4.0));
        drawing.line(vec![(x.0, height), (x.1, height)], Pen { width: 1.5, dash, ..pen(1) });
    }
    for run in across.order.split(|&index| quantity.values[index].is_none()) {
        let value = |&index: &usize| Some((across.places[index], quantity.values[index]?));
        let values: Vec<_> = run.iter().filter_map(value).collect();
        panel.intervals(drawing, &values, pen(0));
    }
    for &index in across.order.iter().filter(|&&index| quantity.values[index].is_none()) {
        let at = (panel.at(across.places[index], 0.0).0, panel.y.0 + 14.0);
        drawing.text(label(at, Align::Middle, FAINT, "×"));
    }
}

fn up(quantity: &Quantity, values: Vec<f64>, height: f64) -> Axis {
    // Labels are about three times as wide as high.
    match quantity.measure {
        _ if values.is_empty() => Axis::unnamed(),
        Measure::Seconds => {
            Axis::log_seconds(values.into_iter(), 3.0 * height).unwrap_or_else(Axis::unnamed)
        }
        _ => Axis::linear(values, 5),
    }
}
