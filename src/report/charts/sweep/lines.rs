//! Figures over one axis: a panel each, with a curve a use case.

use super::{Quantity, caption, numbers};
use crate::report::charts::axis::Axis;
use crate::report::charts::drawing::{Align, Drawing, WIDTH, fitted};
use crate::report::charts::panel::Panel;
use crate::report::charts::style::{
    CURVES_MAX, Entry, FAINT, LABEL, MARGIN, label, legend, pen, title,
};
use crate::study::sweep::{Outline, PointOutline};

const TOP: f64 = 96.0;
const PANEL_HEIGHT: f64 = 190.0;
const ROW: f64 = PANEL_HEIGHT + 92.0;
const COLUMNS: [(f64, f64); 2] = [(72.0, 432.0), (524.0, 884.0)];

/// Draws the sweep over its only axis.
pub fn draw(outline: &Outline) -> Drawing {
    let names: Vec<&String> = outline.fronts.keys().collect();
    let legend_height = match names.len() {
        0 | 1 => 0.0,
        n => 17.5 * n.min(CURVES_MAX + 1) as f64 + 12.0,
    };
    let quantities = super::shown(outline);
    let below = TOP + quantities.len().div_ceil(2) as f64 * ROW;
    let mut drawing = Drawing::new(below - 30.0 + legend_height);
    let axis = &outline.axes[0];
    let heading = format!("Sweep over {}", axis.key);
    title(
        &mut drawing,
        &heading,
        "Mean over replications; bands: 95 % confidence interval; × unstable or not known.",
    );
    let across = Across::of(outline);
    for (index, quantity) in quantities.iter().enumerate() {
        let x = COLUMNS[index % 2];
        let top = TOP + (index / 2) as f64 * ROW;
        draw_quantity(&mut drawing, outline, &across, quantity, x, (top, top + PANEL_HEIGHT));
    }
    if names.len() > 1 {
        let entry = |name: &&String| Entry { name: (*name).clone(), remarks: Vec::new() };
        let entries: Vec<Entry> = names.iter().map(entry).collect();
        legend(&mut drawing, (MARGIN, below - 42.0), WIDTH - 2.0 * MARGIN, &entries);
    }
    drawing
}

/// The axis across and where each of its values lies.
struct Across {
    axis: Axis,
    places: Vec<f64>,
    caption: String,
}

impl Across {
    fn of(outline: &Outline) -> Across {
        let width = COLUMNS[0].1 - COLUMNS[0].0;
        let swept = &outline.axes[0];
        let (axis, places) = match numbers(swept) {
            Some(numbers) => {
                let log = Axis::log(&numbers, width)
                    .filter(|_| swept.is_log && numbers.iter().all(|&number| number > 0.0));
                (log.unwrap_or_else(|| Axis::span(&numbers, 6)), numbers)
            }
            None => {
                let places = (0..swept.values.len()).map(|index| index as f64).collect();
                (Axis::places(swept.values.iter().map(String::as_str)), places)
            }
        };
        let caption = fitted(&caption(swept), LABEL, false, width);
        Across { axis: axis.thinned(width), places, caption }
    }

    fn at(&self, point: &PointOutline) -> f64 {
        self.places[point.at[0]]
    }
}

fn draw_quantity(
    drawing: &mut Drawing,
    outline: &Outline,
    across: &Across,
    quantity: &Quantity,
    x: (f64, f64),
    y: (f64, f64),
) {
    let shown = outline.fronts.len().min(CURVES_MAX);
    let mut points: Vec<&PointOutline> = outline.points.iter().collect();
    points.sort_by(|a, b| across.at(a).total_cmp(&across.at(b)));
    let values = points.iter().flat_map(|point| {
        (0..shown).filter_map(|use_case| quantity.at(point, use_case)).flat_map(|interval| {
            [Some(interval.mean), interval.low, interval.high].into_iter().flatten()
        })
    });
    // Lower ends of wide intervals may lie below zero, where nothing is drawn.
    let values: Vec<f64> = values.filter(|&value| value > 0.0).collect();
    let is_empty = values.is_empty();
    let up = quantity.up(values, y.1 - y.0);
    let panel = Panel { x, y, across: &across.axis, up: &up };
    panel.frame(drawing, quantity.name, quantity.unit);
    panel.name_across(drawing, &across.caption);
    if is_empty {
        panel.remark(drawing, "no values");
    }
    for use_case in 0..shown {
        let pen = pen(use_case);
        let of = |point: &&PointOutline| (across.at(point), quantity.at(point, use_case));
        let series: Vec<_> = points.iter().map(of).collect();
        for run in series.split(|(_, interval)| interval.is_none()) {
            let values: Vec<_> =
                run.iter().filter_map(|(x, value)| Some((*x, (*value)?))).collect();
            panel.intervals(drawing, &values, pen);
        }
        let crosses = points.iter().filter(|point| !point.use_cases[use_case].is_steady());
        for point in crosses {
            let (x, _) = panel.at(across.at(point), 0.0);
            let at = (x, panel.y.0 + 14.0);
            drawing.text(label(at, Align::Middle, if shown > 1 { pen.color } else { FAINT }, "×"));
        }
    }
}
