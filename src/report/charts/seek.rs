//! The figures with a bound over the key of a seek, a row a bound: over the
//! whole range, and near the answer.

use super::axis::Axis;
use super::drawing::{Align, Drawing, Pen, fitted};
use super::panel::Panel;
use super::style::{FAINT, GUIDE, HEADING, INK, LABEL, label, pen, title};
use crate::report::figure::Measure;
use crate::report::seek::{bound, measure, metric};
use crate::statistics::Interval;
use crate::study::seek::{SeekBound, SeekPoint, SeekResult};

const TOP: f64 = 96.0;
const PANEL_HEIGHT: f64 = 210.0;
const ROW: f64 = PANEL_HEIGHT + 96.0;
/// Left and right edge of both panels of a row.
const WHOLE: (f64, f64) = (72.0, 432.0);
const NEAR: (f64, f64) = (524.0, 884.0);
/// Most bounds that are drawn.
const BOUNDS_MAX: usize = 6;
/// Ratio of the ends beyond which the key has a logarithmic axis.
const LOG_FROM: f64 = 10.0;
/// Room that a cross takes.
const CROSS: f64 = 10.0;
/// Opacity of the strip that is the interval of the answer.
const STRIP: f64 = 0.4;

/// Draws all bounds of a seek.
pub fn draw(result: &SeekResult) -> Drawing {
    let rows = result.keep.len().min(BOUNDS_MAX);
    let mut drawing = Drawing::new(TOP + rows as f64 * ROW - 36.0);
    let all: Vec<&SeekPoint> = result.points.iter().collect();
    // Nothing is gained by drawing the same points twice.
    let near = Some(near(result)).filter(|near| !near.is_empty() && near.len() < all.len());
    let place = near.as_ref().map_or("", |_| "Left: the whole range; right: near the answer. ");
    let more = match result.keep.len() - rows {
        0 => String::new(),
        more => format!(" {more} more bounds are not drawn."),
    };
    let remark = format!(
        "{place}Band: confidence interval; dashed: bound; upright: the answer; × unstable or not known.{more}"
    );
    title(&mut drawing, &format!("Seek over {}", result.key), &remark);
    for index in 0..rows {
        let top = TOP + index as f64 * ROW;
        let y = (top, top + PANEL_HEIGHT);
        match &near {
            None => draw_bound(&mut drawing, result, index, &all, (WHOLE.0, NEAR.1), y),
            Some(near) => {
                draw_bound(&mut drawing, result, index, &all, WHOLE, y);
                draw_bound(&mut drawing, result, index, near, NEAR, y);
            }
        }
    }
    drawing
}

/// The points around the interval of the answer, one beyond it at each side.
fn near(result: &SeekResult) -> Vec<&SeekPoint> {
    let Some(Interval { mean, low, high }) = result.answer else { return Vec::new() };
    let (low, high) = (low.unwrap_or(mean), high.unwrap_or(mean));
    let below = result.points.iter().filter(|point| point.number < low).count();
    let within = result.points.iter().filter(|point| point.number <= high).count();
    let last = (within + 1).min(result.points.len());
    result.points[below.saturating_sub(1)..last].iter().collect()
}

fn draw_bound(
    drawing: &mut Drawing,
    result: &SeekResult,
    index: usize,
    points: &[&SeekPoint],
    x: (f64, f64),
    y: (f64, f64),
) {
    let limit = &result.keep[index];
    let numbers: Vec<f64> = points.iter().map(|point| point.number).collect();
    let across = across(&numbers, x.1 - x.0);
    let value = limit.at_most.or(limit.at_least).unwrap_or_default();
    let figures = points.iter().filter_map(|point| point.bounded[index]);
    let ends = figures.flat_map(|f| [Some(f.mean), f.low, f.high].into_iter().flatten());
    // Above the bound there is room for the crosses.
    let room = [value, 1.25 * value];
    let is_whole = points.len() == result.points.len();
    let up = up(limit, ends.chain(room).collect(), y.1 - y.0, is_whole);
    let panel = Panel { x, y, across: &across, up: &up };
    let name = fitted(&metric(&limit.metric), HEADING, true, 0.6 * (x.1 - x.0));
    panel.frame(drawing, &name, &bound(limit));
    let unit = result.unit.as_ref().map_or(String::new(), |unit| format!(" ({unit})"));
    panel.name_across(drawing, &fitted(&format!("{}{unit}", result.key), LABEL, false, x.1 - x.0));
    mark_answer(drawing, &panel, result, &numbers);
    let dash = Some((6.0, 4.0));
    let height = panel.at(numbers[0], value).1;
    drawing.line(vec![(x.0, height), (x.1, height)], Pen { width: 1.5, dash, ..pen(1) });
    for run in points.split(|point| point.bounded[index].is_none()) {
        let value = |point: &&SeekPoint| Some((point.number, point.bounded[index]?));
        let values: Vec<_> = run.iter().filter_map(value).collect();
        panel.intervals(drawing, &values, pen(0));
    }
    let absent = points.iter().filter(|point| point.bounded[index].is_none());
    let mut free = f64::NEG_INFINITY;
    for at in absent.map(|point| panel.at(point.number, 0.0).0) {
        // One cross stands for all that it would touch.
        if at >= free {
            drawing.text(label((at, panel.y.0 + 14.0), Align::Middle, FAINT, "×"));
            free = at + CROSS;
        }
    }
}

fn across(numbers: &[f64], width: f64) -> Axis {
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    let is_log = first > 0.0 && last / first >= LOG_FROM;
    let log = is_log.then(|| Axis::log(numbers, width)).flatten();
    log.unwrap_or_else(|| Axis::span(numbers, 6)).thinned(width)
}

fn up(bound: &SeekBound, values: Vec<f64>, height: f64, is_whole_range: bool) -> Axis {
    // Labels are about three times as wide as high.
    let seconds = || Axis::log_seconds(values.iter().copied().filter(|v| *v > 0.0), 3.0 * height);
    match measure(&bound.metric) {
        Measure::Seconds => seconds().unwrap_or_else(Axis::unnamed),
        _ if is_whole_range => Axis::linear(values, 5),
        _ => Axis::span(&values, 5),
    }
}

/// The answer and its interval, as far as they lie between the numbers.
fn mark_answer(drawing: &mut Drawing, panel: &Panel, result: &SeekResult, numbers: &[f64]) {
    let Some(Interval { mean, low, high }) = result.answer else { return };
    let (first, last) = (numbers[0], numbers[numbers.len() - 1]);
    let (top, bottom) = panel.y;
    let at = |number: f64| panel.at(number.clamp(first, last), 0.0).0;
    if low.is_some() || high.is_some() {
        let (left, right) = (at(low.unwrap_or(first)), at(high.unwrap_or(last)));
        let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
        drawing.area(corners, GUIDE, STRIP);
    }
    let x = at(mean);
    drawing.line(vec![(x, top), (x, bottom)], Pen { color: INK, width: 1.2, dash: None });
}
