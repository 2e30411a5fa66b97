//! Forest plot of a comparison: relative differences from the baseline with
//! their intervals, a row a figure, a coloured dot an arm.
//!
//! The scale is that of ratios, so that half and double lie equally far from
//! no change, and one overloaded arm does not flatten all the others.

use super::axis::Axis;
use super::drawing::{Align, Drawing, WIDTH, fitted};
use super::style::{CURVES_MAX, Entry, FAINT, FRAME, GRID, GUIDE, HEADING, INK, LABEL, MARGIN};
use super::style::{PAPER, bold, hairline, label, legend, pen, title};
use crate::report::comparison::{Headline, Owner, owners};
use crate::report::story::sample;
use crate::scenario::BASELINE;
use crate::study::{ArmSummary, Comparison, Difference};

const LEFT: f64 = 190.0;
const RIGHT: f64 = 680.0;
const TOP: f64 = 62.0;
/// Height of an owner's name, of an arm within a row, and between rows.
const OWNER: f64 = 30.0;
const ARM: f64 = 10.0;
const GAP: f64 = 10.0;
/// Most rows; what is beyond is counted.
const ROWS_MAX: usize = 60;

/// Draws the differences of all arms.
pub fn draw(comparison: &Comparison) -> Drawing {
    let all: Vec<(&String, &ArmSummary)> =
        comparison.arms.iter().filter(|(name, _)| *name != BASELINE).collect();
    let arms: Vec<&ArmSummary> = all.iter().take(CURVES_MAX).map(|(_, arm)| *arm).collect();
    let (owners, left_out) = charted(comparison);
    let rows: usize = owners.iter().map(|(_, headlines)| headlines.len()).sum();
    let row = (ARM * arms.len() as f64 + GAP).max(24.0);
    let plot = OWNER * owners.len() as f64 + row * rows as f64 + GAP;
    let bottom = TOP + plot.max(legend_height(&all));
    let mut drawing = Drawing::new(bottom + 52.0);
    title(&mut drawing, "Differences from the baseline", &remark(comparison, left_out));
    let headlines = owners.iter().flat_map(|(_, headlines)| headlines);
    let found = headlines.flat_map(|headline| arms.iter().filter_map(|arm| headline.of(arm)));
    let relatives: Vec<[f64; 3]> = found.filter_map(relative).collect();
    let middles: Vec<f64> = relatives.iter().map(|[middle, ..]| *middle).collect();
    let axis = Axis::relative(&middles, relatives.as_flattened(), RIGHT - LEFT);
    frame(&mut drawing, &axis, bottom);
    let mut y = TOP;
    for (owner, headlines) in &owners {
        y += OWNER;
        let name = fitted(&owner.name, HEADING, true, RIGHT - MARGIN);
        drawing.text(bold((MARGIN, y - 8.0), HEADING, name));
        for headline in headlines {
            drawing.line(vec![(MARGIN, y), (RIGHT, y)], hairline(GRID));
            let at = (LEFT - 10.0, y + row / 2.0 + 0.36 * LABEL);
            drawing.text(label(at, Align::Right, INK, headline.key.name));
            draw_row(&mut drawing, &axis, y, row, headline, &arms);
            y += row;
        }
    }
    let at = RIGHT + 24.0;
    drawing.text(bold((at, TOP + 4.0), HEADING, "Arms"));
    let entries: Vec<Entry> = all.iter().map(|(name, arm)| entry(name, arm)).collect();
    legend(&mut drawing, (at, TOP + 8.0), WIDTH - at - MARGIN, &entries);
    drawing
}

/// The figures that are charted, by owner, and how many there is no room for.
fn charted(comparison: &Comparison) -> (Vec<(Owner, Vec<Headline>)>, usize) {
    let (mut shown, mut room, mut left_out) = (Vec::new(), ROWS_MAX, 0);
    for mut owner in owners(comparison) {
        let mut headlines = std::mem::take(&mut owner.headlines);
        headlines.retain(|headline| headline.key.is_charted);
        left_out += headlines.len().saturating_sub(room);
        headlines.truncate(room);
        room -= headlines.len();
        if !headlines.is_empty() {
            shown.push((owner, headlines));
        }
    }
    (shown, left_out)
}

fn remark(comparison: &Comparison, left_out: usize) -> String {
    let bars = match sample(comparison.replications, comparison.sections) {
        None => "One replication, so no intervals.".to_owned(),
        Some(sample) => format!("{sample}, paired; bars hold together for all arms with 95 %."),
    };
    let more = match left_out {
        0 => String::new(),
        rows => format!(" {rows} more rows are not drawn."),
    };
    format!("Dots and bars: {bars}{more}")
}

fn entry(name: &str, arm: &ArmSummary) -> Entry {
    let unstable = arm.unstable_pools.iter().map(|pool| format!("{pool} unstable"));
    let unknown = arm.unknown_pools.keys().map(|pool| format!("{pool} not known to be steady"));
    Entry { name: name.to_owned(), remarks: unstable.chain(unknown).collect() }
}

fn legend_height(arms: &[(&String, &ArmSummary)]) -> f64 {
    let remarks = |arm: &ArmSummary| arm.unstable_pools.len() + arm.unknown_pools.len();
    let lines = arms.iter().map(|(_, arm)| 17.5 + 16.0 * remarks(arm) as f64);
    lines.sum::<f64>() + 30.0
}

/// The difference over the baseline's figure: where it lies, and its ends.
fn relative(found: &Difference) -> Option<[f64; 3]> {
    let (difference, relative) = (found.difference?, found.relative?);
    // The baseline's figure, which the difference was divided by.
    let base = found.value.mean - difference.mean;
    let over = |end: Option<f64>| end.map_or(relative, |end| end / base);
    Some([relative, over(difference.low), over(difference.high)])
}

fn frame(drawing: &mut Drawing, axis: &Axis, bottom: f64) {
    for tick in &axis.ticks {
        let x = at(axis, tick.value);
        drawing.line(vec![(x, TOP), (x, bottom)], hairline(GRID));
        drawing.line(vec![(x, bottom), (x, bottom + 4.0)], hairline(FRAME));
        let place = (x, bottom + 18.0);
        drawing.text(label(place, Align::Middle, FAINT, tick.label.clone()));
    }
    drawing.line(vec![(LEFT, bottom), (RIGHT, bottom)], hairline(FRAME));
    let zero = at(axis, 1.0);
    drawing.line(
        vec![(zero, TOP), (zero, bottom)],
        super::drawing::Pen { width: 1.5, ..hairline(GUIDE) },
    );
    let cut = if axis.is_cut { "; ends: or beyond" } else { "" };
    let caption = format!("difference relative to the baseline (scale of ratios{cut})");
    let middle = (LEFT + RIGHT) / 2.0;
    drawing.text(label((middle, bottom + 38.0), Align::Middle, FAINT, caption));
}

/// Where a ratio lies across the page.
fn at(axis: &Axis, ratio: f64) -> f64 {
    LEFT + axis.at(ratio) * (RIGHT - LEFT)
}

fn draw_row(
    drawing: &mut Drawing,
    axis: &Axis,
    top: f64,
    height: f64,
    headline: &Headline,
    arms: &[&ArmSummary],
) {
    let first = top + (height - ARM * arms.len() as f64) / 2.0 + ARM / 2.0;
    for (index, arm) in arms.iter().enumerate() {
        let Some([mean, low, high]) = headline.of(arm).and_then(relative) else { continue };
        let y = first + ARM * index as f64;
        let pen = pen(index);
        let [mean, low, high] = [mean, low, high].map(|relative| at(axis, 1.0 + relative));
        if low < high {
            drawing.line(vec![(low, y), (high, y)], pen);
        }
        drawing.dot((mean, y), 4.0, pen.color, 1.0);
        if pen.dash.is_some() {
            drawing.dot((mean, y), 2.0, PAPER, 1.0);
        }
    }
}
