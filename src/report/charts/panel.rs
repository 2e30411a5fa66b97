//! A plot: frame, grid, axes, and curves with bands inside them.

use super::axis::Axis;
use super::drawing::{Align, Drawing, Pen, Point, text_width};
use super::style::{BAND, FAINT, FRAME, GRID, HEADING, LABEL, bold, hairline, label};
use crate::statistics::Interval;
use crate::study::Band;

/// Most values of a curve that are marked by dots.
const DOTS_MAX: usize = 60;

/// A plot on a page.
pub struct Panel<'a> {
    /// Left and right edge of the plot, pixels.
    pub x: (f64, f64),
    /// Top and bottom edge of the plot, pixels.
    pub y: (f64, f64),
    /// Axis from left to right.
    pub across: &'a Axis,
    /// Axis from bottom to top.
    pub up: &'a Axis,
}

impl Panel<'_> {
    /// Where a pair of values lies on the page.
    pub fn at(&self, across: f64, up: f64) -> Point {
        (
            self.x.0 + self.across.at(across) * (self.x.1 - self.x.0),
            self.y.1 - self.up.at(up) * (self.y.1 - self.y.0),
        )
    }

    /// Draws heading, grid, frame and the names of the upward axis.
    pub fn frame(&self, drawing: &mut Drawing, heading: &str, unit: &str) {
        let (left, right) = self.x;
        let (top, bottom) = self.y;
        drawing.text(bold((left, top - 11.0), HEADING, heading));
        let end = left + text_width(heading, HEADING, true) + 8.0;
        drawing.text(label((end, top - 11.0), Align::Left, FAINT, unit));
        for tick in &self.across.ticks {
            let (x, _) = self.at(tick.value, 0.0);
            drawing.line(vec![(x, top), (x, bottom)], hairline(GRID));
        }
        for tick in &self.up.ticks {
            let y = bottom - self.up.at(tick.value) * (bottom - top);
            drawing.line(vec![(left, y), (right, y)], hairline(GRID));
            let at = (left - 7.0, y + 0.36 * LABEL);
            drawing.text(label(at, Align::Right, FAINT, tick.label.clone()));
        }
        drawing.line(vec![(left, top), (left, bottom), (right, bottom)], hairline(FRAME));
    }

    /// Draws the names of the axis across and its caption below them.
    pub fn name_across(&self, drawing: &mut Drawing, caption: &str) {
        let bottom = self.y.1;
        for tick in &self.across.ticks {
            let (x, _) = self.at(tick.value, 0.0);
            drawing.line(vec![(x, bottom), (x, bottom + 4.0)], hairline(FRAME));
            let at = (x, bottom + 18.0);
            drawing.text(label(at, Align::Middle, FAINT, tick.label.clone()));
        }
        if !caption.is_empty() {
            let middle = (self.x.0 + self.x.1) / 2.0;
            drawing.text(label((middle, bottom + 36.0), Align::Middle, FAINT, caption));
        }
    }

    /// Draws a line through points given in values; a dot if they are all one.
    pub fn curve(&self, drawing: &mut Drawing, points: &[(f64, f64)], pen: Pen) {
        let points: Vec<Point> = finite(points).map(|(a, b)| self.at(a, b)).collect();
        match points.first() {
            Some(&only) if points.iter().all(|&point| point == only) => {
                drawing.dot(only, 4.0, pen.color, 1.0);
            }
            _ => drawing.line(points, pen),
        }
    }

    /// Fills between two lines given in values.
    pub fn band(&self, drawing: &mut Drawing, low: &[Point], high: &[Point], pen: Pen) {
        let edge = |points| finite(points).map(|(a, b)| self.at(a, b)).collect::<Vec<_>>();
        let mut outline = edge(low);
        outline.extend(edge(high).into_iter().rev());
        drawing.area(outline, pen.color, BAND);
    }

    /// Draws values with their intervals: a line with a band, and dots where they
    /// are few. An end that is not known lies at the mean.
    pub fn intervals(&self, drawing: &mut Drawing, values: &[(f64, Interval)], pen: Pen) {
        let of = |end: fn(&Interval) -> f64| -> Vec<Point> {
            values.iter().map(|(across, interval)| (*across, end(interval))).collect()
        };
        let mean = of(|interval| interval.mean);
        if mean.len() > 1 {
            let low = of(|interval| interval.low.unwrap_or(interval.mean));
            let high = of(|interval| interval.high.unwrap_or(interval.mean));
            self.band(drawing, &low, &high, pen);
            self.curve(drawing, &mean, pen);
        }
        for &(a, b) in mean.iter().filter(|_| mean.len() <= DOTS_MAX) {
            drawing.dot(self.at(a, b), 3.0, pen.color, 1.0);
        }
    }

    /// Says in the middle of the plot why it is empty.
    pub fn remark(&self, drawing: &mut Drawing, text: &str) {
        let at = ((self.x.0 + self.x.1) / 2.0, (self.y.0 + self.y.1) / 2.0);
        drawing.text(label(at, Align::Middle, FAINT, text));
    }
}

fn finite(points: &[Point]) -> impl Iterator<Item = Point> + '_ {
    points.iter().copied().filter(|(a, b)| a.is_finite() && b.is_finite())
}

/// The mean and both edges of a band paired with `axis`, as far as all have values.
pub fn paired(axis: &[f64], band: &Band) -> [Vec<(f64, f64)>; 3] {
    [&band.mean, &band.low, &band.high]
        .map(|values| axis.iter().copied().zip(values.iter().copied()).collect())
}
