//! Where the time of the runs of agents goes: a plot for each agent with a stacked bar
//! for each band of run latency, as shares of the band's mean.

use super::axis::Axis;
use super::drawing::{Align, Drawing, WIDTH, fitted};
use super::panel::Panel;
use super::style::{FAINT, HEADING, INK, LABEL, MARGIN, PAPER, label, pen, title};
use crate::report::figure::{Figure, Measure};
use crate::report::table::agents::{BANDS, PARTS};
use crate::study::{AgentSummary, Summary};

const LEFT: f64 = 66.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 52.0;
/// From one plot to the next, and what of it are names of bars and the heading.
const PLOT_HEIGHT: f64 = 178.0;
const HEAD: f64 = 34.0;
const FOOT: f64 = 36.0;
/// Most plots; agents beyond are in tables alone.
const PLOTS_MAX: usize = 6;
/// Share of its place that a bar takes.
const BAR: f64 = 0.62;

/// An agent whose runs have ended, with the name of its use case.
type Ended<'s> = (&'s str, &'s str, &'s AgentSummary);

/// Draws the bands of all agents; `None` where no run of one has ended.
pub fn draw(summary: &Summary) -> Option<Drawing> {
    let all = ended(summary);
    if all.is_empty() {
        return None;
    }
    let drawn = &all[..all.len().min(PLOTS_MAX)];
    let mut drawing = Drawing::new(TOP + drawn.len() as f64 * PLOT_HEIGHT + 24.0);
    title(&mut drawing, "Where the time of runs goes", &remark(summary, all.len() - drawn.len()));
    for (index, ended) in drawn.iter().enumerate() {
        let top = TOP + index as f64 * PLOT_HEIGHT;
        plot(&mut drawing, (top + HEAD, top + PLOT_HEIGHT - FOOT), ended);
    }
    let caption = "bands of percentiles of run latency, and the latency of their mean runs";
    let at = ((LEFT + RIGHT) / 2.0, drawing.height - 12.0);
    drawing.text(label(at, Align::Middle, FAINT, caption));
    name_parts(&mut drawing, drawn);
    Some(drawing)
}

fn remark(summary: &Summary, left_out: usize) -> String {
    let runs = match summary.replications {
        1 => "Runs of one replication.".to_owned(),
        n => format!("Means over {n} replications."),
    };
    let more = match left_out {
        0 => String::new(),
        n => format!(" {n} more agents are in the tables."),
    };
    format!("{runs} A bar is the mean run of a band, divided by what it waited for.{more}")
}

/// All agents that have a path, in the order of the scenario.
fn ended(summary: &Summary) -> Vec<Ended<'_>> {
    let agents = summary.use_cases.iter().flat_map(|(use_case, all)| {
        all.agents.iter().map(move |(name, agent)| (use_case.as_str(), name.as_str(), agent))
    });
    let has_path = |agent: &AgentSummary| agent.path.values().any(|part| part.mean.is_some());
    agents.filter(|(_, _, agent)| has_path(agent)).collect()
}

/// Mean seconds of a part in a band.
fn seconds(agent: &AgentSummary, band: &str, part: &str) -> f64 {
    agent.bands[band][part].mean.as_ref().map_or(0.0, |mean| mean.mean)
}

/// The plot of one agent.
fn plot(drawing: &mut Drawing, y: (f64, f64), &(use_case, name, agent): &Ended<'_>) {
    let whole = |band: &str| PARTS.iter().map(|(part, _)| seconds(agent, band, part)).sum::<f64>();
    let names = BANDS.map(|(band, name)| match whole(band) {
        // Too few runs for the band.
        0.0 => name.to_owned(),
        whole => format!("{name}: {}", Figure::exact(whole, Measure::Seconds).plain()),
    });
    let across = Axis::places(names.iter().map(String::as_str));
    let up = Axis::share();
    let panel = Panel { x: (LEFT, RIGHT), y, across: &across, up: &up };
    panel.frame(
        drawing,
        &fitted(name, HEADING, true, 260.0),
        &format!("in {use_case}, share of run latency"),
    );
    panel.name_across(drawing, "");
    for (at, (band, _)) in BANDS.iter().enumerate() {
        let whole = whole(band);
        let mut below = 0.0;
        for (shade, (part, _)) in PARTS.iter().enumerate() {
            let share = if whole > 0.0 { seconds(agent, band, part) / whole } else { 0.0 };
            let [left, right] = [at as f64 - BAR / 2.0, at as f64 + BAR / 2.0];
            let corners = vec![
                panel.at(left, below),
                panel.at(right, below),
                panel.at(right, below + share),
                panel.at(left, below + share),
            ];
            if share > 0.0 {
                // The grid does not shine through.
                drawing.area(corners.clone(), PAPER, 1.0);
                drawing.area(corners, pen(shade).color, opacity(shade));
            }
            below += share;
        }
    }
}

/// Opacity of the part at `index`: the colours are fewer than the parts.
fn opacity(index: usize) -> f64 {
    if index < 6 { 1.0 } else { 0.45 }
}

/// The parts that occur, in the order of the stacks, the top one first.
fn name_parts(drawing: &mut Drawing, drawn: &[Ended<'_>]) {
    let left = RIGHT + 24.0;
    let occurs = |part: &str| {
        let in_band = |agent, (band, _): &(&str, &str)| seconds(agent, band, part) > 0.0;
        drawn.iter().any(|(_, _, agent)| BANDS.iter().any(|band| in_band(agent, band)))
    };
    let parts = PARTS.iter().enumerate().filter(|(_, (part, _))| occurs(part)).rev();
    for (row, (shade, (_, name))) in parts.enumerate() {
        let top = TOP + HEAD + 20.0 * row as f64;
        let corners =
            vec![(left, top), (left + 14.0, top), (left + 14.0, top + 12.0), (left, top + 12.0)];
        drawing.area(corners, pen(shade).color, opacity(shade));
        let name = fitted(name, LABEL, false, WIDTH - MARGIN - left - 22.0);
        drawing.text(label((left + 22.0, top + 11.0), Align::Left, INK, name));
    }
}
