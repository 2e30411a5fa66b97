//! The miss-ratio curve: what a cache of any capacity has to compute.

use super::axis::Axis;
use super::drawing::{Drawing, WIDTH};
use super::panel::Panel;
use super::style::{CURVES_MAX, Entry, MARGIN, legend, pen, title};
use crate::study::{CacheAnswer, CacheReplay};

const LEFT: f64 = 74.0;
/// Right end of the plot beside a legend.
const RIGHT: f64 = 660.0;
const TOP: f64 = 86.0;
const BOTTOM: f64 = 430.0;

/// The policy whose curve is known at every capacity.
const LRU: &str = "lru";

/// A curve: its name and its points.
type Curve = (String, Vec<(f64, f64)>);

/// Draws what LRU misses by capacity, and where the caches asked for lie.
pub fn draw(trace: &str, replay: &CacheReplay) -> Drawing {
    let mut drawing = Drawing::new(BOTTOM + 52.0);
    let curves = curves(replay);
    let right = if curves.len() > 1 { RIGHT } else { WIDTH - MARGIN };
    let remark = "Dots: the capacities asked for. The right end is a cache without bound: what it \
                  misses comes for the first time, or after its time to live.";
    title(&mut drawing, &format!("Misses by capacity: {trace}"), remark);
    let capacities: Vec<f64> = replay
        .curves
        .iter()
        .flat_map(|curve| &curve.points)
        .map(|p| p.capacity_blocks as f64)
        .collect();
    let x = (LEFT, right);
    let axis = Axis::log(&capacities, right - LEFT);
    let across = axis.clone().unwrap_or_else(Axis::unnamed);
    let panel = Panel { x, y: (TOP, BOTTOM), across: &across, up: &Axis::share() };
    let unit = match curves.as_slice() {
        [(name, _)] => format!("share of prompt tokens, {name}"),
        _ => "share of prompt tokens".to_owned(),
    };
    panel.frame(&mut drawing, "Misses", &unit);
    let Some(first) = replay.answers.first().filter(|_| axis.is_some()) else {
        panel.remark(&mut drawing, "no blocks");
        return drawing;
    };
    let caption = format!("capacity, blocks of {} tokens (log scale)", first.block_tokens);
    panel.name_across(&mut drawing, &caption);
    for (index, (_, points)) in curves.iter().take(CURVES_MAX).enumerate().rev() {
        panel.curve(&mut drawing, points, pen(index));
    }
    let last = capacities.iter().copied().fold(1.0, f64::max);
    for answer in &replay.answers {
        let owner = curves.iter().position(|(name, _)| *name == name_of(answer));
        let (Some(index), Some(miss)) = (owner.filter(|i| *i < CURVES_MAX), miss(answer)) else {
            continue;
        };
        let capacity = answer.capacity_blocks.map_or(last, |blocks| (blocks as f64).min(last));
        drawing.dot(panel.at(capacity, miss), 3.5, pen(index).color, 1.0);
    }
    if curves.len() > 1 {
        let room = WIDTH - MARGIN - RIGHT - 24.0;
        let entry = |(name, _): &Curve| Entry { name: name.clone(), remarks: Vec::new() };
        let entries: Vec<Entry> = curves.iter().map(entry).collect();
        legend(&mut drawing, (RIGHT + 24.0, TOP - 12.0), room, &entries);
    }
    drawing
}

/// A curve a time to live for LRU; for another policy one more through its
/// capacities.
fn curves(replay: &CacheReplay) -> Vec<Curve> {
    let mut curves: Vec<Curve> = replay
        .curves
        .iter()
        .map(|curve| {
            let point =
                |p: &crate::study::CurvePoint| (p.capacity_blocks as f64, p.miss_tokens_fraction);
            (name(LRU, curve.ttl_s), curve.points.iter().map(point).collect())
        })
        .collect();
    let last =
        curves.iter().flat_map(|(_, points)| points).map(|point| point.0).fold(1.0, f64::max);
    for answer in &replay.answers {
        let own = name_of(answer);
        let Some(miss) = miss(answer) else { continue };
        let point = (answer.capacity_blocks.map_or(last, |blocks| blocks as f64).min(last), miss);
        match curves.iter_mut().find(|(name, _)| *name == own) {
            Some(_) if policy_of(answer) == LRU => {}
            Some((_, points)) => points.push(point),
            None => curves.push((own, vec![point])),
        }
    }
    for (_, points) in &mut curves {
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
    }
    curves
}

fn name_of(answer: &CacheAnswer) -> String {
    name(policy_of(answer), answer.ttl_s)
}

/// The policy beside the time to live, which has a name of its own.
fn policy_of(answer: &CacheAnswer) -> &'static str {
    if answer.policy == "ttl" { LRU } else { answer.policy }
}

fn name(policy: &str, ttl_s: Option<f64>) -> String {
    match ttl_s {
        Some(ttl_s) => format!("{policy}, {ttl_s} s to live"),
        None => policy.to_owned(),
    }
}

fn miss(answer: &CacheAnswer) -> Option<f64> {
    Some(1.0 - answer.hit_tokens_fraction?)
}
