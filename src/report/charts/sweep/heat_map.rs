//! Figures over two axes: a coloured cell a point, a map a figure and use case.

use super::{Quantity, caption, numbers};
use crate::report::charts::axis::Axis;
use crate::report::charts::drawing::{Align, Drawing, Text, fitted, text_width};
use crate::report::charts::panel::Panel;
use crate::report::charts::style::{FAINT, FRAME, HEADING, LABEL, bold, hairline, label, title};
use crate::report::figure::{Figure, Measure};
use crate::study::sweep::{Axes, Outline};
use plotters::style::RGBColor;
use plotters::style::colors::colormaps::{ColorMap, ViridisRGB};

const TOP: f64 = 62.0;
const HEIGHT: f64 = 210.0;
const BLOCK: f64 = HEIGHT + 96.0;
const COLUMNS: [(f64, f64); 2] = [(84.0, 366.0), (534.0, 816.0)];
/// Width of a colour bar, and the blank before it.
const BAR: f64 = 12.0;
const GAP: f64 = 10.0;
/// Most use cases that get maps.
const USE_CASES_MAX: usize = 4;
/// Size of the value in a cell.
const CELL: f64 = 11.0;

const UNSTABLE: RGBColor = RGBColor(224, 224, 226);
const HATCH: RGBColor = RGBColor(150, 150, 152);
/// Text on dark and on light cells, whatever the paper.
const ON_DARK: RGBColor = RGBColor(254, 254, 254);
const ON_LIGHT: RGBColor = RGBColor(2, 2, 2);

/// Draws the maps of the first use cases.
pub fn draw(outline: &Outline) -> Drawing {
    let shown = outline.fronts.len().min(USE_CASES_MAX);
    // Names of use cases where there is more than one.
    let room = if shown > 1 { 30.0 } else { 0.0 };
    let quantities = super::shown(outline);
    let each = quantities.len().div_ceil(2) as f64 * BLOCK + room;
    let mut drawing = Drawing::new(TOP + shown as f64 * each);
    let heading = format!("Sweep over {} and {}", outline.axes[0].key, outline.axes[1].key);
    title(
        &mut drawing,
        &heading,
        "Mean over replications. Grey: unstable at this load, or not known.",
    );
    for (use_case, name) in outline.fronts.keys().take(shown).enumerate() {
        let top = TOP + use_case as f64 * each;
        let width = COLUMNS[1].1 - COLUMNS[0].0;
        if shown > 1 {
            let name = fitted(name, HEADING, true, width);
            drawing.text(bold((COLUMNS[0].0, top + 12.0), HEADING, name));
        }
        for (index, quantity) in quantities.iter().enumerate() {
            let above = top + room + 24.0 + (index / 2) as f64 * BLOCK;
            let y = (above, above + HEIGHT);
            draw_map(&mut drawing, outline, use_case, quantity, COLUMNS[index % 2], y);
        }
    }
    drawing
}

/// The order in which an axis shows its values: numbers ascend.
fn order(axis: &Axes) -> Vec<usize> {
    let mut order: Vec<usize> = (0..axis.values.len()).collect();
    if let Some(numbers) = numbers(axis) {
        order.sort_by(|&a, &b| numbers[a].total_cmp(&numbers[b]));
    }
    order
}

fn places(axis: &Axes, order: &[usize]) -> Axis {
    let short = |&index: &usize| {
        let written = axis.values[index].as_str();
        let text = match super::number(axis, written) {
            Some(number) => short(number),
            None => written.to_owned(),
        };
        fitted(&text, LABEL, false, 60.0)
    };
    let names: Vec<String> = order.iter().map(short).collect();
    Axis::places(names.iter().map(String::as_str))
}

/// A number to four digits.
fn short(number: f64) -> String {
    let text = format!("{number}");
    if text.len() <= 6 {
        return text;
    }
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    format!("{rounded}")
}

fn draw_map(
    drawing: &mut Drawing,
    outline: &Outline,
    use_case: usize,
    quantity: &Quantity,
    x: (f64, f64),
    y: (f64, f64),
) {
    let [first, second] = [&outline.axes[0], &outline.axes[1]];
    let (columns, rows) = (order(first), order(second));
    let across = places(first, &columns).thinned(x.1 - x.0);
    let mut up = places(second, &rows);
    let every = up.ticks.len().div_ceil(((y.1 - y.0) / 18.0) as usize).max(1);
    up.ticks = up.ticks.into_iter().step_by(every).collect();
    let panel = Panel { x, y, across: &across, up: &up };
    let means = outline.points.iter().filter_map(|point| quantity.at(point, use_case));
    let means: Vec<f64> = means.map(|interval| interval.mean).collect();
    let scale = Scale::of(&means);
    let (width, height) = ((x.1 - x.0) / columns.len() as f64, (y.1 - y.0) / rows.len() as f64);
    let cells = Cells::of(quantity, &means, (width, height));
    panel.frame(drawing, quantity.name, cells.unit);
    let place = |order: &[usize]| {
        let mut place = vec![0; order.len()];
        order.iter().enumerate().for_each(|(at, &index)| place[index] = at);
        place
    };
    let (column, row) = (place(&columns), place(&rows));
    for point in &outline.points {
        let (left, bottom) =
            (x.0 + column[point.at[0]] as f64 * width, y.1 - row[point.at[1]] as f64 * height);
        let cell = Cell { left, top: bottom - height, width, height };
        match quantity.at(point, use_case) {
            Some(interval) => cell.fill(drawing, interval.mean, &scale, &cells),
            None if point.use_cases[use_case].is_steady() => {}
            None => cell.hatch(drawing),
        }
    }
    let name = |axis: &Axes| fitted(&caption(axis), LABEL, false, x.1 - x.0 + 90.0);
    panel.name_across(drawing, &format!("{}  →", name(first)));
    drawing.text(label(
        (x.0 - 7.0, y.1 + 52.0),
        Align::Left,
        FAINT,
        format!("↑  {}", name(second)),
    ));
    match scale {
        Some(scale) => draw_bar(drawing, quantity, &scale, x.1 + GAP, y),
        None => panel.remark(drawing, "no values"),
    }
}

/// From values to colours.
struct Scale {
    low: f64,
    high: f64,
    is_log: bool,
}

impl Scale {
    fn of(values: &[f64]) -> Option<Scale> {
        let finite = values.iter().filter(|value| value.is_finite()).map(|&v| (v, v));
        let (low, high) = finite.reduce(|(a, b), (c, d)| (a.min(c), b.max(d)))?;
        // What reads alike shall look alike.
        let high = if high - low <= 1e-3 * low.abs() { low } else { high };
        Some(Scale { low, high, is_log: low > 0.0 && high > 4.0 * low })
    }

    fn share(&self, value: f64) -> f64 {
        let at = |v: f64| if self.is_log { libm::log(v) } else { v };
        let (low, high) = (at(self.low), at(self.high));
        if high > low { ((at(value) - low) / (high - low)).clamp(0.0, 1.0) } else { 0.5 }
    }

    /// The value at a share of the scale.
    fn at(&self, share: f64) -> f64 {
        match self.is_log {
            true => self.low * libm::pow(self.high / self.low, share),
            false => self.low + share * (self.high - self.low),
        }
    }
}

fn color(share: f64) -> RGBColor {
    ViridisRGB.get_color(share as f32)
}

/// How the values in the cells of one map are written: all alike, in the unit
/// that the heading names, or not at all.
struct Cells {
    unit: &'static str,
    factor: f64,
    digits: Option<usize>,
}

impl Cells {
    fn of(quantity: &Quantity, means: &[f64], (width, height): (f64, f64)) -> Cells {
        let most = means.iter().copied().fold(0.0, f64::max);
        let (unit, factor) = match quantity.measure {
            Measure::Seconds if most >= 1.0 => ("s", 1.0),
            Measure::Seconds => ("ms", 1e3),
            Measure::Fraction => ("%", 100.0),
            _ => (quantity.unit, 1.0),
        };
        let room = width - 4.0;
        let fit = |digits: &usize| {
            let text = |&mean: &f64| significant(mean * factor, *digits);
            means.iter().map(text).all(|text| text_width(&text, CELL, false) <= room)
        };
        let digits = [3, 2].into_iter().find(fit).filter(|_| height >= CELL + 5.0);
        Cells { unit, factor, digits }
    }

    fn text(&self, value: f64) -> Option<String> {
        self.digits.map(|digits| significant(value * self.factor, digits))
    }
}

/// `value` with so many significant digits: "0.24", "12", "1240".
fn significant(value: f64, digits: usize) -> String {
    let rounded = format!("{value:.*e}", digits - 1);
    let exponent = rounded.split_once('e').and_then(|(_, exponent)| exponent.parse().ok());
    let decimals = (digits as i32 - 1 - exponent.unwrap_or(0)).clamp(0, 9) as usize;
    format!("{value:.decimals$}")
}

struct Cell {
    left: f64,
    top: f64,
    width: f64,
    height: f64,
}

impl Cell {
    fn corners(&self) -> Vec<(f64, f64)> {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        vec![(self.left, self.top), (right, self.top), (right, bottom), (self.left, bottom)]
    }

    fn fill(&self, drawing: &mut Drawing, value: f64, scale: &Option<Scale>, cells: &Cells) {
        let Some(scale) = scale else { return };
        let share = scale.share(value);
        drawing.area(self.corners(), color(share), 1.0);
        if let Some(text) = cells.text(value) {
            drawing.text(Text {
                at: (self.left + self.width / 2.0, self.top + self.height / 2.0 + 0.36 * CELL),
                align: Align::Middle,
                em: CELL,
                bold: false,
                color: if share < 0.6 { ON_DARK } else { ON_LIGHT },
                text,
            });
        }
    }

    /// Grey; where there is room, with diagonals from the left and lower sides to
    /// the others.
    fn hatch(&self, drawing: &mut Drawing) {
        const STEP: f64 = 8.0;
        drawing.area(self.corners(), UNSTABLE, 1.0);
        if self.width.min(self.height) < 1.5 * STEP {
            return;
        }
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let mut offset = STEP / 2.0;
        while offset < self.width + self.height {
            let from = if offset < self.height {
                (self.left, self.top + offset)
            } else {
                (self.left + offset - self.height, bottom)
            };
            let to = if offset < self.width {
                (self.left + offset, self.top)
            } else {
                (right, self.top + offset - self.width)
            };
            drawing.line(vec![from, to], hairline(HATCH));
            offset += STEP;
        }
    }
}

fn named(quantity: &Quantity, value: f64) -> String {
    Figure::exact(value, quantity.measure).plain()
}

/// The colour bar, with its ends and middle named.
fn draw_bar(drawing: &mut Drawing, quantity: &Quantity, scale: &Scale, left: f64, y: (f64, f64)) {
    const STEPS: usize = 64;
    let at = |share: f64| y.1 - share * (y.1 - y.0);
    let is_flat = scale.high <= scale.low;
    for step in 0..STEPS {
        let [low, high] = [step, step + 1].map(|step| step as f64 / STEPS as f64);
        let (top, bottom) = (at(high), at(low));
        let corners = vec![(left, top), (left + BAR, top), (left + BAR, bottom), (left, bottom)];
        let share = if is_flat { 0.5 } else { (low + high) / 2.0 };
        drawing.area(corners, color(share), 1.0);
    }
    let frame = [(left, y.0), (left + BAR, y.0), (left + BAR, y.1), (left, y.1), (left, y.0)];
    drawing.line(frame.to_vec(), hairline(FRAME));
    let shares: &[f64] = if is_flat { &[0.5] } else { &[0.0, 0.5, 1.0] };
    for &share in shares {
        let text = named(quantity, scale.at(share));
        let place = (left + BAR + 5.0, at(share) + 0.36 * LABEL);
        drawing.text(label(place, Align::Left, FAINT, text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::charts::sweep::QUANTITIES;

    #[test]
    fn cells_are_written_alike_or_not_at_all() {
        let ttft = &QUANTITIES[0];
        let wide = Cells::of(ttft, &[12.4, 1.666, 0.0991], (60.0, 20.0));
        let text = |cells: &Cells, value| cells.text(value).unwrap_or_default();
        assert_eq!((wide.unit, text(&wide, 1.666)), ("s", "1.67".to_owned()));
        let narrow = Cells::of(ttft, &[12.4, 1.666, 0.0991], (36.0, 20.0));
        assert_eq!([12.4, 1.666].map(|value| text(&narrow, value)), ["12", "1.7"]);
        let none = Cells::of(ttft, &[12.4, 1.666, 0.0991], (20.0, 20.0));
        assert_eq!(none.text(12.4), None);
        assert_eq!(Cells::of(ttft, &[0.0991, 0.4], (60.0, 20.0)).unit, "ms");
    }
}
