//! Latency distributions: the share of calls that took at most so long, one
//! panel a metric, one curve a use case.

use super::axis::Axis;
use super::drawing::{Align, Drawing, WIDTH};
use super::panel::{Panel, paired};
use super::style::{CURVES_MAX, Entry, FAINT, GUIDE, HEADING, MARGIN, bold, hairline, label};
use super::style::{legend, pen, title};
use crate::study::{Cdf, Series, UseCaseSeries};

const PANEL_WIDTH: f64 = WIDTH / 2.0;
const PANEL_HEIGHT: f64 = 262.0;
const TOP: f64 = 52.0;

/// One panel: heading, what its shares are of, caption of its axis, curve of a
/// use case.
type Metric = (&'static str, &'static str, &'static str, fn(&UseCaseSeries) -> &Cdf);

/// Shown where a use case has it.
const VISIBLE: &str = "Visible TTFT";

const METRICS: [Metric; 6] = [
    ("Time to first token (TTFT)", "share of calls", "arrival to first token", |u| &u.ttft_s),
    (VISIBLE, "share of calls", "arrival to first token after thinking", |u| &u.visible_ttft_s),
    ("Time per output token (TPOT)", "share of calls", "mean gap between tokens of a call", |u| {
        &u.tpot_s
    }),
    ("Inter-token latency (ITL)", "share of tokens", "gap before each token", |u| &u.itl_s),
    ("End to end", "share of calls", "arrival to last token", |u| &u.e2e_s),
    ("Queue wait", "share of calls", "arrival to first scheduling", |u| &u.queue_s),
];

/// The fractions marked by guides.
const GUIDES: [(f64, &str); 3] = [(0.5, "p50"), (0.95, "p95"), (0.99, "p99")];

/// Draws the distributions of all use cases.
pub fn draw(series: &Series, remark: &str) -> Drawing {
    let thinks = series.use_cases.values().any(|u| !u.visible_ttft_s.is_empty());
    let metrics = METRICS.iter().filter(|(heading, ..)| thinks || *heading != VISIBLE);
    let count = metrics.clone().count();
    // The names of the use cases take the place after the panels.
    let names = match count % 2 {
        0 => 48.0 + 17.5 * series.use_cases.len().min(CURVES_MAX + 1) as f64,
        _ => 0.0,
    };
    let mut drawing = Drawing::new(TOP + count.div_ceil(2) as f64 * PANEL_HEIGHT + names);
    title(&mut drawing, "Latency distributions", remark);
    let shown: Vec<&UseCaseSeries> = series.use_cases.values().take(CURVES_MAX).collect();
    for (index, metric) in metrics.enumerate() {
        draw_metric(&mut drawing, corner(index), metric, &shown);
    }
    let (left, top) = corner(count);
    drawing.text(bold((left + 58.0, top + 27.0), HEADING, "Use cases"));
    let entries: Vec<Entry> = series
        .use_cases
        .iter()
        .map(|(name, u)| match METRICS.iter().all(|(.., cdf)| cdf(u).value.mean.is_empty()) {
            true => Entry { name: format!("{name} (no values)"), remarks: vec![] },
            false => Entry { name: name.clone(), remarks: vec![] },
        })
        .collect();
    let room = PANEL_WIDTH - 58.0 - MARGIN;
    legend(&mut drawing, (left + 58.0, top + 30.0), room, &entries);
    drawing
}

/// Upper left corner of the panel at `index`.
fn corner(index: usize) -> (f64, f64) {
    ((index % 2) as f64 * PANEL_WIDTH, TOP + (index / 2) as f64 * PANEL_HEIGHT)
}

fn draw_metric(
    drawing: &mut Drawing,
    (left, top): (f64, f64),
    &(heading, of, caption, cdf): &Metric,
    use_cases: &[&UseCaseSeries],
) {
    let x = (left + 58.0, left + PANEL_WIDTH - 42.0);
    let y = (top + 38.0, top + PANEL_HEIGHT - 48.0);
    let cdfs: Vec<&Cdf> = use_cases.iter().map(|u| cdf(u)).collect();
    let values = cdfs.iter().flat_map(|c| c.fraction.iter().zip(&c.value.mean)).map(|(_, &v)| v);
    let is_empty = values.clone().next().is_none();
    let axis = Axis::log_seconds(values, x.1 - x.0);
    let across = axis.clone().unwrap_or_else(Axis::unnamed);
    let panel = Panel { x, y, across: &across, up: &Axis::share() };
    panel.frame(drawing, heading, of);
    let Some(axis) = axis else {
        let text = if is_empty { "no values" } else { "every value is 0" };
        return panel.remark(drawing, text);
    };
    guides(drawing, &panel);
    for (index, cdf) in cdfs.iter().enumerate() {
        let [mean, low, high] = paired(&cdf.fraction, &cdf.value).map(swap);
        panel.band(drawing, &low, &high, pen(index));
        panel.curve(drawing, &mean, pen(index));
    }
    let cut = if axis.is_cut { "; left end: or less" } else { "" };
    panel.name_across(drawing, &format!("{caption} (log scale{cut})"));
}

fn guides(drawing: &mut Drawing, panel: &Panel) {
    for (fraction, name) in GUIDES {
        let y = panel.y.1 - fraction * (panel.y.1 - panel.y.0);
        drawing.line(vec![(panel.x.0, y), (panel.x.1, y)], hairline(GUIDE));
        // p95 and p99 lie closer than a line of text is high.
        let baseline = match name {
            "p99" => y + 1.0,
            "p95" => y + 9.0,
            _ => y + 4.5,
        };
        drawing.text(label((panel.x.1 + 6.0, baseline), Align::Left, FAINT, name));
    }
}

/// Fractions lie upwards, values across.
fn swap(points: Vec<(f64, f64)>) -> Vec<(f64, f64)> {
    points.into_iter().map(|(fraction, value)| (value, fraction)).collect()
}
