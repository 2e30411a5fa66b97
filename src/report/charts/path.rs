//! Where the time of the runs of agents goes: a stacked bar for each band of run
//! latency, as shares of the band's mean.

use super::axis::Axis;
use super::drawing::{Align, Drawing};
use super::panel::Panel;
use super::style::{INK, label, pen, title};
use crate::report::figure::{Figure, Measure};
use crate::report::table::agents::{BANDS, PARTS};
use crate::study::{AgentSummary, Summary};

const LEFT: f64 = 66.0;
const RIGHT: f64 = 660.0;
const TOP: f64 = 96.0;
const BOTTOM: f64 = 396.0;
/// Share of its place that a bar takes.
const BAR: f64 = 0.62;

/// The agent that the chart is about: that of the first use case that has one.
fn agent(summary: &Summary) -> Option<(&String, &AgentSummary)> {
    let mut agents = summary.use_cases.values().filter_map(|use_case| use_case.agents.first());
    agents.find(|(_, agent)| agent.path.values().any(|part| part.mean.is_some()))
}

/// Draws the bands; `None` where no run of an agent has ended.
pub fn draw(summary: &Summary, remark: &str) -> Option<Drawing> {
    let (name, agent) = agent(summary)?;
    let mut drawing = Drawing::new(BOTTOM + 44.0);
    title(&mut drawing, &format!("Where the time of {name} goes"), remark);
    let seconds = |band: &str, part: &str| {
        agent.bands[band][part].mean.as_ref().map_or(0.0, |mean| mean.mean)
    };
    let whole = |band: &str| PARTS.iter().map(|(part, _)| seconds(band, part)).sum::<f64>();
    let names = BANDS.map(|(band, name)| {
        format!("{name}: {}", Figure::exact(whole(band), Measure::Seconds).plain())
    });
    let across = Axis::places(names.iter().map(String::as_str));
    let up = Axis::share();
    let panel = Panel { x: (LEFT, RIGHT), y: (TOP, BOTTOM), across: &across, up: &up };
    panel.frame(&mut drawing, "Share of run latency", "");
    panel.name_across(&mut drawing, "runs by percentile of latency: the mean of each band");
    for (at, (band, _)) in BANDS.iter().enumerate() {
        let whole = whole(band);
        let mut below = 0.0;
        for (shade, (part, _)) in PARTS.iter().enumerate() {
            let share = if whole > 0.0 { seconds(band, part) / whole } else { 0.0 };
            let [left, right] = [at as f64 - BAR / 2.0, at as f64 + BAR / 2.0];
            let corners = vec![
                panel.at(left, below),
                panel.at(right, below),
                panel.at(right, below + share),
                panel.at(left, below + share),
            ];
            if share > 0.0 {
                drawing.area(corners, pen(shade).color, opacity(shade));
            }
            below += share;
        }
    }
    name_parts(&mut drawing);
    Some(drawing)
}

/// Opacity of the part at `index`: the colours are fewer than the parts.
fn opacity(index: usize) -> f64 {
    if index < 6 { 1.0 } else { 0.45 }
}

/// The parts in the order of the stack, the top one first.
fn name_parts(drawing: &mut Drawing) {
    let left = RIGHT + 24.0;
    for (row, (shade, (_, name))) in PARTS.iter().enumerate().rev().enumerate() {
        let top = TOP + 20.0 * row as f64;
        let corners =
            vec![(left, top), (left + 14.0, top), (left + 14.0, top + 12.0), (left, top + 12.0)];
        drawing.area(corners, pen(shade).color, opacity(shade));
        drawing.text(label((left + 22.0, top + 11.0), Align::Left, INK, *name));
    }
}
