//! Load over time: sequences running, calls waiting and KV cache in use, one
//! panel each over a common time axis, one curve a pool.

use super::axis::Axis;
use super::drawing::{Drawing, WIDTH};
use super::panel::{Panel, paired};
use super::style::{CURVES_MAX, Entry, FRAME, HEADING, MARGIN, bold, legend, pen, title};
use crate::study::{Band, PoolSeries, Series};

const LEFT: f64 = 66.0;
const RIGHT: f64 = 690.0;
const TOP: f64 = 52.0;
const PANEL_HEIGHT: f64 = 178.0;

type Quantity = (&'static str, &'static str, fn(&PoolSeries) -> &Band);

const QUANTITIES: [Quantity; 3] = [
    ("Sequences running", "in the whole pool", |p| &p.running),
    ("Calls waiting", "in the whole pool", |p| &p.waiting),
    ("KV cache in use", "share of blocks", |p| &p.kv_use),
];

/// Draws the load of all pools; times before `warm_up_s` are shaded.
pub fn draw(series: &Series, warm_up_s: f64, remark: &str) -> Drawing {
    let mut drawing = Drawing::new(TOP + 3.0 * PANEL_HEIGHT + 44.0);
    let shade = if warm_up_s > 0.0 { " Grey: warm-up, not measured." } else { "" };
    title(&mut drawing, "Load over time", &format!("{remark}{shade}"));
    let shown: Vec<&PoolSeries> = series.pools.values().take(CURVES_MAX).collect();
    let times: Vec<f64> = shown.iter().flat_map(|p| p.t_s.iter().copied()).collect();
    let (time, unit) = Axis::time(&times);
    let time = if times.is_empty() { Axis::unnamed() } else { time };
    for (index, (heading, note, band)) in QUANTITIES.into_iter().enumerate() {
        let top = TOP + index as f64 * PANEL_HEIGHT;
        let bands: Vec<(&[f64], &Band)> =
            shown.iter().map(|pool| (pool.t_s.as_slice(), band(pool))).collect();
        let is_empty = bands.iter().all(|(times, b)| times.is_empty() || b.mean.is_empty());
        let up = match index {
            2 => Axis::share(),
            _ if is_empty => Axis::unnamed(),
            _ => highest(&bands),
        };
        let panel = Panel {
            x: (LEFT, RIGHT),
            y: (top + 34.0, top + PANEL_HEIGHT - 6.0),
            across: &time,
            up: &up,
        };
        if is_empty {
            panel.frame(&mut drawing, heading, note);
            panel.remark(&mut drawing, "no values");
        } else {
            draw_quantity(&mut drawing, &panel, (heading, note), &bands, warm_up_s);
        }
        if index == 2 {
            panel.name_across(&mut drawing, &format!("simulated time ({unit})"));
        }
    }
    let left = RIGHT + 24.0;
    drawing.text(bold((left, TOP + 34.0), HEADING, "Pools"));
    let entries: Vec<Entry> =
        series.pools.keys().cloned().map(|name| Entry { name, remarks: vec![] }).collect();
    legend(&mut drawing, (left, TOP + 38.0), WIDTH - left - MARGIN, &entries);
    drawing
}

fn highest(bands: &[(&[f64], &Band)]) -> Axis {
    let values = |(times, band): &(&[f64], &Band)| {
        let count = times.len();
        band.mean
            .iter()
            .take(count)
            .chain(band.high.iter().take(count))
            .copied()
            .collect::<Vec<_>>()
    };
    Axis::linear(bands.iter().flat_map(values).collect(), 5)
}

fn draw_quantity(
    drawing: &mut Drawing,
    panel: &Panel,
    (heading, note): (&str, &str),
    bands: &[(&[f64], &Band)],
    warm_up_s: f64,
) {
    if warm_up_s > 0.0 {
        let (end, _) = panel.at(warm_up_s, 0.0);
        let (left, (top, bottom)) = (panel.x.0, panel.y);
        let corners = vec![(left, top), (end, top), (end, bottom), (left, bottom)];
        drawing.area(corners, FRAME, 0.15);
    }
    panel.frame(drawing, heading, note);
    for (index, (times, band)) in bands.iter().enumerate() {
        let [mean, low, high] = paired(times, band);
        panel.band(drawing, &low, &high, pen(index));
        panel.curve(drawing, &mean, pen(index));
    }
}
