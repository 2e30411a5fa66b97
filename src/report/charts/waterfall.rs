//! The layers of a forecast as a waterfall: what each adds or takes away, from
//! the mean demand to what has to be computed.

use super::axis::Axis;
use super::drawing::{Align, Drawing};
use super::panel::Panel;
use super::style::{FAINT, FRAME, GUIDE, INK, PAPER, hairline, label, pen, title};
use crate::report::figure::{Figure, Measure};
use crate::study::forecast::{Figures, Layer};

const TOP: f64 = 96.0;
const BOTTOM: f64 = 396.0;
/// Left and right edge of both panels.
const MEAN: (f64, f64) = (72.0, 432.0);
const PEAK: (f64, f64) = (524.0, 884.0);
/// Share of its place that a bar takes.
const BAR: f64 = 0.62;
/// Shades of bars: totals, steps upwards, steps downwards.
const SHADES: [usize; 3] = [0, 1, 2];

/// Draws the layers of `figures`.
pub fn draw(figures: &Figures) -> Drawing {
    let mut drawing = Drawing::new(BOTTOM + 44.0);
    title(
        &mut drawing,
        "From mean demand to tokens to compute",
        "Blue: where it begins and ends; orange: more; green: less; factors above the steps.",
    );
    let base = figures.layers[0].horizon_tokens;
    let mean = |layer: &Layer| match base > 0.0 {
        // Tokens of the horizon a second.
        true => layer.horizon_tokens / base * figures.layers[0].peak_hour_tokens_per_s,
        false => 0.0,
    };
    let means = figures.layers.iter().map(|layer| (mean(layer), layer.horizon_factor));
    let peaks =
        figures.layers.iter().map(|layer| (layer.peak_hour_tokens_per_s, layer.peak_hour_factor));
    let (means, peaks): (Vec<_>, Vec<_>) = (means.collect(), peaks.collect());
    draw_steps(&mut drawing, MEAN, "Mean of the horizon", &means, figures);
    draw_steps(&mut drawing, PEAK, "Peak hour", &peaks, figures);
    drawing
}

/// Steps from the first of `values` to the last, each with its factor.
fn draw_steps(
    drawing: &mut Drawing,
    x: (f64, f64),
    heading: &str,
    values: &[(f64, f64)],
    figures: &Figures,
) {
    let most = values.iter().map(|(value, _)| *value).fold(0.0, f64::max);
    let (scale, unit) = scale(most);
    let names = figures.layers.iter().map(|layer| layer.name).chain(["total"]);
    let across = Axis::places(names);
    // Room for a line of text above the highest bar.
    let up = Axis::linear(vec![most * scale * 1.06], 5);
    let panel = Panel { x, y: (TOP, BOTTOM), across: &across, up: &up };
    panel.frame(drawing, heading, unit);
    name_steps(drawing, &panel);
    let last = values.last().map_or(0.0, |(value, _)| *value);
    let mut before = 0.0;
    for (at, &(value, factor)) in values.iter().chain([&(last, 1.0)]).enumerate() {
        let is_total = at == 0 || at == values.len();
        let from = if is_total { 0.0 } else { before };
        let shade = match (is_total, value >= from) {
            (true, _) => SHADES[0],
            (false, true) => SHADES[1],
            (false, false) => SHADES[2],
        };
        let [low, high] = [at as f64 - BAR / 2.0, at as f64 + BAR / 2.0];
        let corner = |across: f64, up: f64| panel.at(across, up * scale);
        let corners =
            vec![corner(low, from), corner(high, from), corner(high, value), corner(low, value)];
        drawing.area(corners, pen(shade).color, 1.0);
        if at < values.len() {
            let next = at as f64 + 1.0 - BAR / 2.0;
            drawing.line(vec![corner(high, value), corner(next, value)], hairline(GUIDE));
        }
        if !is_total && value == from {
            // A step of nothing is a line.
            drawing.line(vec![corner(low, value), corner(high, value)], pen(shade));
        }
        let text = match is_total {
            true => Figure::exact(value * scale, Measure::Plain("")).plain(),
            false => format!("×{factor:.3}"),
        };
        let (across, above) = corner(at as f64, value.max(from));
        let text = label((across, above - 6.0), Align::Middle, INK, text);
        // No grid runs through it.
        let (left, top, right, bottom) = text.bounds();
        let corners = vec![(left, top), (right, top), (right, bottom), (left, bottom)];
        drawing.area(corners, PAPER, 1.0);
        drawing.text(text);
        before = value;
    }
}

/// The names of the steps, each second one lower, so that long ones have room.
fn name_steps(drawing: &mut Drawing, panel: &Panel<'_>) {
    for (at, tick) in panel.across.ticks.iter().enumerate() {
        let (x, _) = panel.at(tick.value, 0.0);
        let lower = if at % 2 == 0 { 0.0 } else { 14.0 };
        drawing.line(vec![(x, BOTTOM), (x, BOTTOM + 4.0 + lower)], hairline(FRAME));
        let place = (x, BOTTOM + 18.0 + lower);
        drawing.text(label(place, Align::Middle, FAINT, tick.label.clone()));
    }
}

/// What makes numbers up to `most` short, and their unit.
pub fn scale(most: f64) -> (f64, &'static str) {
    match most {
        most if most >= 2e9 => (1e-9, "billion tokens/s"),
        most if most >= 2e6 => (1e-6, "million tokens/s"),
        most if most >= 2e3 => (1e-3, "thousand tokens/s"),
        _ => (1.0, "tokens/s"),
    }
}
