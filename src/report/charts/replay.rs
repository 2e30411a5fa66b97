//! Measured and simulated latencies of one log: the share of calls that took at
//! most so long, one panel a metric, one curve a source.

use super::axis::Axis;
use super::drawing::{Drawing, WIDTH};
use super::panel::Panel;
use super::style::{Entry, HEADING, MARGIN, bold, legend, pen, title};
use crate::metrics::CDF_FRACTIONS;
use crate::study::validation::{Arm, Curves, Replay};

const PANEL_WIDTH: f64 = WIDTH / 2.0;
const PANEL_HEIGHT: f64 = 262.0;
const TOP: f64 = 52.0;

/// Heading, caption of the axis, curve of a source.
type Metric = (&'static str, &'static str, fn(&Curves) -> &[f64]);

const METRICS: [Metric; 3] = [
    ("Time to first token (TTFT)", "queued to first token", |curves| &curves.ttft_s),
    ("Time per output token (TPOT)", "mean gap between tokens of a call", |curves| &curves.tpot_s),
    ("End to end", "queued to last token", |curves| &curves.e2e_s),
];

/// Draws the distributions of `replay`, measured first.
pub fn draw(replay: &Replay) -> Drawing {
    let mut drawing = Drawing::new(TOP + 2.0 * PANEL_HEIGHT);
    let heading = format!("Measured and simulated: {}", replay.log);
    title(&mut drawing, &heading, &format!("{} calls; {}", replay.calls, replay.deployment));
    let simulated = replay.arms.iter().map(|arm| &arm.simulated);
    let sources: Vec<&Curves> = std::iter::once(&replay.measured).chain(simulated).collect();
    for (index, metric) in METRICS.iter().enumerate() {
        draw_metric(&mut drawing, corner(index), metric, &sources);
    }
    let (left, top) = corner(METRICS.len());
    let left = left + 58.0;
    drawing.text(bold((left, top + 27.0), HEADING, "Sources"));
    let measured = Entry { name: "measured".to_owned(), remarks: vec![] };
    let entries: Vec<Entry> =
        std::iter::once(measured).chain(replay.arms.iter().map(entry)).collect();
    legend(&mut drawing, (left, top + 30.0), PANEL_WIDTH - 58.0 - MARGIN, &entries);
    drawing
}

/// A simulated source with the errors of its means.
fn entry(arm: &Arm) -> Entry {
    let remarks = arm.named().filter_map(|(name, comparison)| {
        let error = comparison.mean.error_fraction?;
        Some(format!("mean {name} {:+.1} %", error * 100.0))
    });
    Entry { name: format!("simulated, {}", arm.constants), remarks: remarks.collect() }
}

/// Upper left corner of the panel at `index`.
fn corner(index: usize) -> (f64, f64) {
    ((index % 2) as f64 * PANEL_WIDTH, TOP + (index / 2) as f64 * PANEL_HEIGHT)
}

fn draw_metric(
    drawing: &mut Drawing,
    (left, top): (f64, f64),
    &(heading, caption, curve): &Metric,
    sources: &[&Curves],
) {
    let x = (left + 58.0, left + PANEL_WIDTH - 42.0);
    let y = (top + 38.0, top + PANEL_HEIGHT - 48.0);
    let values = sources.iter().flat_map(|source| curve(source).iter().copied());
    let axis = Axis::log_seconds(values, x.1 - x.0);
    let across = axis.clone().unwrap_or_else(Axis::unnamed);
    let panel = Panel { x, y, across: &across, up: &Axis::share() };
    panel.frame(drawing, heading, "share of calls");
    let Some(axis) = axis else { return panel.remark(drawing, "no values") };
    // What was measured lies on top.
    for (index, source) in sources.iter().enumerate().rev() {
        let points: Vec<(f64, f64)> = curve(source).iter().copied().zip(CDF_FRACTIONS).collect();
        panel.curve(drawing, &points, pen(index));
    }
    let cut = if axis.is_cut { "; left end: or less" } else { "" };
    panel.name_across(drawing, &format!("{caption} (log scale{cut})"));
}
