//! Windows along the horizon: what is expected over all of it and which parts of
//! it ran, and below what these came to.

use super::axis::Axis;
use super::drawing::{Align, Drawing, Pen, WIDTH};
use super::panel::Panel;
use super::style::{
    BAND, CURVES_MAX, Entry, FAINT, HEADING, INK, LABEL, MARGIN, bold, label, legend, pen, title,
};
use crate::report::windows::is_overloaded;
use crate::statistics::Interval;
use crate::study::windows::{HorizonSeries, WindowSummary};
use crate::study::{Series, Summary, UseCaseSummary};

const LEFT: f64 = 66.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 52.0;
const PANEL_HEIGHT: f64 = 190.0;
/// What is expected.
const DEMAND: Pen = Pen { color: FAINT, width: 1.2, dash: None };
/// Radius of the dot of a window, and of one that is overloaded.
const DOT: f64 = 3.0;
const OVERLOADED: f64 = 5.5;

type Quantity = (&'static str, &'static str, fn(&UseCaseSummary) -> Option<Interval>);

const TTFT: Quantity = ("TTFT, p95", "of calls that arrive in the window", |it| it.ttft_s.p95);
const CACHED: Quantity = ("Prompt from cache", "share of tokens", |it| it.cache_hit_fraction);

/// Draws the windows of `summary`.
pub fn draw(summary: &Summary, series: &Series, remark: &str) -> Drawing {
    let windows = &summary.windows;
    let has_cache = windows.iter().any(|it| it.use_cases.values().any(|u| (CACHED.2)(u).is_some()));
    let panels = if has_cache { 3.0 } else { 2.0 };
    let mut drawing = Drawing::new(TOP + panels * PANEL_HEIGHT + 44.0);
    title(&mut drawing, "Windows along the horizon", remark);
    let expected = series.horizon.clone().unwrap_or_default();
    let times: Vec<f64> = windows.iter().map(|it| it.start_s).chain(expected.t_s.clone()).collect();
    let (time, caption) = across(&times, &expected);
    let panel_at = |index: f64| {
        let top = TOP + index * PANEL_HEIGHT;
        (top + 34.0, top + PANEL_HEIGHT - 10.0)
    };
    demand(&mut drawing, panel_at(0.0), &time, windows, &expected);
    let unnamed = Axis::unnamed();
    for (index, quantity) in [TTFT, CACHED].into_iter().take(panels as usize - 1).enumerate() {
        let up = axis(windows, quantity).unwrap_or_else(|| unnamed.clone());
        let y = panel_at(index as f64 + 1.0);
        let panel = Panel { x: (LEFT, RIGHT), y, across: &time, up: &up };
        panel.frame(&mut drawing, quantity.0, quantity.1);
        for (at, name) in summary.use_cases.keys().take(CURVES_MAX).enumerate() {
            let values = windows.iter().filter_map(|window| {
                let use_case = &window.use_cases[name];
                Some((window.start_s, (quantity.2)(use_case)?, is_overloaded(window, use_case)))
            });
            values.for_each(|value| mark(&mut drawing, &panel, value, pen(at)));
        }
        if index + 2 == panels as usize {
            panel.name_across(&mut drawing, &caption);
        }
    }
    names(&mut drawing, summary);
    drawing
}

/// Dates where the curve has a point for each day, otherwise time since the start;
/// and what to write below.
fn across(times: &[f64], expected: &HorizonSeries) -> (Axis, String) {
    let days = expected.t_s.iter().copied().zip(&expected.dates);
    let days: Option<Vec<(f64, jiff::civil::Date)>> =
        days.map(|(start_s, date)| Some((start_s, date.parse().ok()?))).collect();
    match days.filter(|days| !days.is_empty()) {
        Some(days) => (Axis::dates(&days, RIGHT - LEFT), String::new()),
        None => {
            let (axis, unit) = Axis::time(times);
            (axis, format!("time since the start ({unit})"))
        }
    }
}

/// The curve that is expected, with the windows on it.
fn demand(
    drawing: &mut Drawing,
    y: (f64, f64),
    time: &Axis,
    windows: &[WindowSummary],
    expected: &HorizonSeries,
) {
    let all = expected.peak_tokens_per_s.iter().copied();
    let up =
        Axis::linear(all.chain(windows.iter().map(|it| it.expected_tokens_per_s)).collect(), 5);
    let panel = Panel { x: (LEFT, RIGHT), y, across: time, up: &up };
    panel.frame(drawing, "Expected demand", "tokens to compute a second");
    let curve = |values: &[f64]| -> Vec<(f64, f64)> {
        expected.t_s.iter().copied().zip(values.iter().copied()).collect()
    };
    let [low, mean, peak] =
        [&expected.low_tokens_per_s, &expected.mean_tokens_per_s, &expected.peak_tokens_per_s];
    panel.band(drawing, &curve(low), &curve(peak), DEMAND);
    panel.curve(drawing, &curve(mean), DEMAND);
    for window in windows {
        let center = panel.at(window.start_s, window.expected_tokens_per_s);
        drawing.dot(center, DOT, INK, 1.0);
    }
}

/// A scale for what the windows have of `quantity`.
fn axis(windows: &[WindowSummary], quantity: Quantity) -> Option<Axis> {
    let values = || {
        let each = windows.iter().flat_map(|window| window.use_cases.values());
        let values = each.filter_map(|use_case| (quantity.2)(use_case));
        values.flat_map(|it| [it.mean, it.low.unwrap_or(it.mean), it.high.unwrap_or(it.mean)])
    };
    match quantity.0 {
        // An interval may reach below zero, a time does not.
        name if name == TTFT.0 => Axis::log_seconds(values().filter(|&v| v > 0.0), PANEL_HEIGHT),
        _ => Some(Axis::share()),
    }
}

/// A window: its figure, its interval, and larger where a pool cannot keep up.
fn mark(
    drawing: &mut Drawing,
    panel: &Panel<'_>,
    (time, value, is_overloaded): (f64, Interval, bool),
    pen: Pen,
) {
    if let (Some(low), Some(high)) = (value.low, value.high) {
        let ends = [low, high].map(|end| panel.at(time, end));
        drawing.line(ends.to_vec(), Pen { width: 1.2, dash: None, ..pen });
    }
    let radius = if is_overloaded { OVERLOADED } else { DOT };
    drawing.dot(panel.at(time, value.mean), radius, pen.color, 1.0);
}

fn names(drawing: &mut Drawing, summary: &Summary) {
    let left = RIGHT + 24.0;
    let room = WIDTH - left - MARGIN;
    let mut y = TOP + 34.0;
    drawing.text(bold((left, y), HEADING, "Demand"));
    y += 17.5;
    let middle = y - 0.36 * LABEL;
    let corner = |x: f64, y: f64| (left + x, middle + y);
    let band = vec![corner(0.0, -6.0), corner(20.0, -6.0), corner(20.0, 6.0), corner(0.0, 6.0)];
    drawing.area(band, DEMAND.color, BAND);
    drawing.line(vec![corner(0.0, 0.0), corner(20.0, 0.0)], DEMAND);
    drawing.text(label((left + 26.0, y), Align::Left, INK, "mean of a day,"));
    y += 16.0;
    drawing.text(label((left + 26.0, y), Align::Left, INK, "quietest to busiest hour"));
    y += 17.5;
    drawing.dot((left + 10.0, y - 0.36 * LABEL), DOT, INK, 1.0);
    drawing.text(label((left + 26.0, y), Align::Left, INK, "window"));
    let top = TOP + PANEL_HEIGHT + 34.0;
    drawing.text(bold((left, top), HEADING, "Use cases"));
    let entries: Vec<Entry> =
        summary.use_cases.keys().cloned().map(|name| Entry { name, remarks: vec![] }).collect();
    legend(drawing, (left, top + 4.0), room, &entries);
}
