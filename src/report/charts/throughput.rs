//! Throughput against interactivity: what a GPU turns out against what a user
//! sees, the trade every serving pool makes; the curve is the pool's closed
//! form, the dots are where this run's replications ended up.

use super::axis::Axis;
use super::drawing::{Align, Drawing, WIDTH};
use super::panel::Panel;
use super::style::{CURVES_MAX, Entry, FAINT, HEADING, INK, MARGIN, PAPER, bold, label};
use super::style::{legend, pen, title};
use crate::report::figure::grouped;
use crate::study::{FrontierPoint, PoolSeries, Series};

const LEFT: f64 = 74.0;
const RIGHT: f64 = 590.0;
const TOP: f64 = 90.0;
const BOTTOM: f64 = 490.0;

/// Draws the trade of all pools.
pub fn draw(series: &Series) -> Drawing {
    let mut drawing = Drawing::new(BOTTOM + 50.0);
    // More curves leave no room for names of their points.
    let is_named = series.pools.len() <= 4;
    let numbers = if is_named { "numbers: sequences at once on one rank; " } else { "" };
    let remark =
        format!("Curves: closed form at the pool's mean lengths; {numbers}dots: this run.");
    title(&mut drawing, "Throughput against interactivity", &remark);
    let shown: Vec<&PoolSeries> = series.pools.values().take(CURVES_MAX).collect();
    let points = || shown.iter().flat_map(|p| p.frontier.iter().chain(&p.operating));
    let is_empty = points().next().is_none();
    let axis = |values, count| if is_empty { Axis::unnamed() } else { Axis::linear(values, count) };
    let across = axis(points().map(|p| p.tok_per_s_per_user).collect(), 8);
    let up = axis(points().map(|p| p.output_tok_per_s_per_gpu).collect(), 6);
    let panel = Panel { x: (LEFT, RIGHT), y: (TOP, BOTTOM), across: &across, up: &up };
    panel.frame(&mut drawing, "Output of a GPU", "tokens/s");
    panel.name_across(&mut drawing, "output seen by one user (tokens/s)");
    if is_empty {
        panel.remark(&mut drawing, "no values");
    }
    for (index, pool) in shown.iter().enumerate() {
        draw_pool(&mut drawing, &panel, index, pool);
    }
    let mut placed = Vec::new();
    for pool in shown.iter().filter(|_| is_named) {
        name_points(&mut drawing, &panel, pool, &mut placed);
    }
    let left = RIGHT + 28.0;
    drawing.text(bold((left, TOP + 4.0), HEADING, "Pools"));
    let entries: Vec<Entry> = series
        .pools
        .iter()
        .map(|(name, pool)| Entry { name: name.clone(), remarks: remarks(pool) })
        .collect();
    legend(&mut drawing, (left, TOP + 8.0), WIDTH - left - MARGIN, &entries);
    drawing
}

fn draw_pool(drawing: &mut Drawing, panel: &Panel, index: usize, pool: &PoolSeries) {
    let pen = pen(index);
    let values = |p: &FrontierPoint| (p.tok_per_s_per_user, p.output_tok_per_s_per_gpu);
    panel.curve(drawing, &pool.frontier.iter().map(values).collect::<Vec<_>>(), pen);
    let is_finite = |(a, b): &(f64, f64)| a.is_finite() && b.is_finite();
    for (a, b) in pool.operating.iter().map(values).filter(is_finite) {
        drawing.dot(panel.at(a, b), 3.0, pen.color, 0.45);
    }
    if let Some((a, b)) = mean(&pool.operating).as_ref().map(values).filter(is_finite) {
        let at = panel.at(a, b);
        drawing.dot(at, 8.0, INK, 1.0);
        drawing.dot(at, 6.5, PAPER, 1.0);
        drawing.dot(at, 5.0, pen.color, 1.0);
    }
}

/// Names points of the frontier by their concurrency wherever there is room.
fn name_points(
    drawing: &mut Drawing,
    panel: &Panel,
    pool: &PoolSeries,
    placed: &mut Vec<(f64, f64, f64, f64)>,
) {
    if let Some(run) = mean(&pool.operating) {
        let (x, y) = panel.at(run.tok_per_s_per_user, run.output_tok_per_s_per_gpu);
        placed.push((x - 10.0, y - 10.0, x + 10.0, y + 10.0));
    }
    let is_finite = |p: &&FrontierPoint| {
        p.tok_per_s_per_user.is_finite() && p.output_tok_per_s_per_gpu.is_finite()
    };
    for point in pool.frontier.iter().filter(is_finite) {
        let (x, y) = panel.at(point.tok_per_s_per_user, point.output_tok_per_s_per_gpu);
        let text = label((x + 6.0, y - 6.0), Align::Left, FAINT, grouped(point.concurrency, 0));
        let bounds = text.bounds();
        let is_inside = bounds.2 <= RIGHT && bounds.1 >= TOP;
        if is_inside && placed.iter().all(|other| !touch(bounds, *other)) {
            drawing.dot((x, y), 2.5, INK, 1.0);
            placed.push(bounds);
            drawing.text(text);
        }
    }
}

/// Whether two boxes come closer than a blank.
fn touch(a: (f64, f64, f64, f64), b: (f64, f64, f64, f64)) -> bool {
    const GAP: f64 = 8.0;
    a.0 < b.2 + GAP && b.0 < a.2 + GAP && a.1 < b.3 + GAP && b.1 < a.3 + GAP
}

fn remarks(pool: &PoolSeries) -> Vec<String> {
    let Some(run) = mean(&pool.operating) else {
        return vec!["this run: none".into()];
    };
    let number = |value: f64| grouped(value, if value.abs() < 100.0 { 1 } else { 0 });
    vec![format!(
        "{} tok/s per GPU, {} per user",
        number(run.output_tok_per_s_per_gpu),
        number(run.tok_per_s_per_user)
    )]
}

/// Mean over replications, summed in their order.
fn mean(points: &[FrontierPoint]) -> Option<FrontierPoint> {
    let count = points.len() as f64;
    let of = |value: fn(&FrontierPoint) -> f64| points.iter().map(value).sum::<f64>() / count;
    (!points.is_empty()).then(|| FrontierPoint {
        concurrency: of(|p| p.concurrency),
        tok_per_s_per_user: of(|p| p.tok_per_s_per_user),
        output_tok_per_s_per_gpu: of(|p| p.output_tok_per_s_per_gpu),
    })
}
