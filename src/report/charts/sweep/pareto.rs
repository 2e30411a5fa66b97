//! Cost against latency and against interactivity: which points are worth
//! having.

use super::QUANTITIES;
use crate::report::charts::axis::Axis;
use crate::report::charts::drawing::{Align, Drawing, Point, WIDTH, fitted};
use crate::report::charts::panel::Panel;
use crate::report::charts::style::{FAINT, GUIDE, HEADING, MARGIN, bold, label, pen, title};
use crate::statistics::Interval;
use crate::study::sweep::{Outline, PointOutline, UseCaseOutline};

const TOP: f64 = 66.0;
const HEIGHT: f64 = 300.0;
const BLOCK: f64 = HEIGHT + 122.0;
const COLUMNS: [(f64, f64); 2] = [(72.0, 436.0), (524.0, 884.0)];
/// Most use cases that get panels.
const USE_CASES_MAX: usize = 6;

type Value = fn(&UseCaseOutline) -> Option<Interval>;

/// Draws the trade of the first use cases.
pub fn draw(outline: &Outline) -> Drawing {
    let shown = outline.fronts.len().min(USE_CASES_MAX);
    let mut drawing = Drawing::new(TOP + shown as f64 * BLOCK - 24.0);
    let remark =
        "A dot a point; numbered: beaten by none in cost, latency and interactivity together.";
    title(&mut drawing, "Cost, latency, interactivity", remark);
    for (use_case, (name, front)) in outline.fronts.iter().take(shown).enumerate() {
        let top = TOP + use_case as f64 * BLOCK;
        let name = fitted(name, HEADING, true, WIDTH - 2.0 * MARGIN);
        drawing.text(bold((MARGIN, top + 8.0), HEADING, name));
        let y = (top + 46.0, top + 46.0 + HEIGHT);
        let latency: Value = |u| u.ttft_p95_s;
        let interactivity: Value = |u| u.tok_per_s_per_user;
        let trades = [
            Trade { name: "TTFT, p95", unit: "less is better", value: latency, sign: 1.0 },
            Trade {
                name: "Output seen by a user",
                unit: "tokens/s, more is better",
                value: interactivity,
                sign: -1.0,
            },
        ];
        for (trade, x) in trades.iter().zip(COLUMNS) {
            trade.draw(&mut drawing, outline, use_case, front, x, y);
        }
    }
    drawing
}

/// A figure against cost.
struct Trade {
    name: &'static str,
    unit: &'static str,
    value: Value,
    /// 1 where less is better, -1 where more is.
    sign: f64,
}

impl Trade {
    /// Dollars and the figure, where the load can be sustained.
    fn at(&self, point: &PointOutline, use_case: usize) -> Option<(Interval, Interval)> {
        let outline = &point.use_cases[use_case];
        outline.usd_per_mtok.filter(|_| outline.is_steady()).zip((self.value)(outline))
    }

    fn draw(
        &self,
        drawing: &mut Drawing,
        outline: &Outline,
        use_case: usize,
        front: &[PointOutline],
        x: (f64, f64),
        y: (f64, f64),
    ) {
        let means = |point: &PointOutline| {
            self.at(point, use_case).map(|(usd, value)| (usd.mean, value.mean))
        };
        let all: Vec<(f64, f64)> = outline.points.iter().chain(front).filter_map(means).collect();
        let usd: Vec<f64> = all.iter().map(|(usd, _)| *usd).collect();
        let values: Vec<f64> = all.iter().map(|(_, value)| *value).collect();
        let (across, up) = match all.is_empty() {
            true => (Axis::unnamed(), Axis::unnamed()),
            false => (across(&usd, x.1 - x.0), self.up(values, y.1 - y.0)),
        };
        let panel = Panel { x, y, across: &across, up: &up };
        panel.frame(drawing, self.name, self.unit);
        panel.name_across(drawing, "$ per million tokens, input and output");
        if all.is_empty() {
            panel.remark(drawing, "no stable point has a cost and a latency");
        }
        for point in &outline.points {
            if let Some((usd, value)) = means(point) {
                drawing.dot(panel.at(usd, value), 3.0, GUIDE, 0.9);
            }
        }
        let pen = pen(use_case);
        let best = best(all, self.sign);
        panel.curve(drawing, &best, pen);
        for point in front {
            let Some((usd, value)) = self.at(point, use_case) else { continue };
            drawing.dot(panel.at(usd.mean, value.mean), 4.5, pen.color, 1.0);
        }
        let line: Vec<Point> = best.iter().map(|&(a, b)| panel.at(a, b)).collect();
        self.number(drawing, &panel, use_case, front, &line);
    }

    fn up(&self, values: Vec<f64>, height: f64) -> Axis {
        match self.sign > 0.0 {
            true => QUANTITIES[0].up(values, height),
            false => Axis::linear(values, 6),
        }
    }

    /// Numbers points of the front wherever there is room beside `line`.
    fn number(
        &self,
        drawing: &mut Drawing,
        panel: &Panel,
        use_case: usize,
        front: &[PointOutline],
        line: &[Point],
    ) {
        let mut placed: Vec<Bounds> =
            line.windows(2).flat_map(|ends| along(ends[0], ends[1])).collect();
        let dots: Vec<(u32, (f64, f64))> = front
            .iter()
            .filter_map(|point| {
                let (usd, value) = self.at(point, use_case)?;
                Some((point.point, panel.at(usd.mean, value.mean)))
            })
            .collect();
        placed.extend(dots.iter().map(|(_, (x, y))| (x - 5.0, y - 5.0, x + 5.0, y + 5.0)));
        for (number, (x, y)) in dots {
            let offsets = [
                (9.0, -6.0, Align::Left),
                (9.0, 15.0, Align::Left),
                (-9.0, -6.0, Align::Right),
                (-9.0, 15.0, Align::Right),
            ];
            let candidates = offsets
                .map(|(dx, dy, align)| label((x + dx, y + dy), align, FAINT, number.to_string()));
            let free = candidates.into_iter().find(|text| {
                let bounds = text.bounds();
                let is_inside = bounds.0 >= panel.x.0
                    && bounds.2 <= panel.x.1
                    && bounds.1 >= panel.y.0
                    && bounds.3 <= panel.y.1;
                is_inside && placed.iter().all(|other| !touch(bounds, *other))
            });
            if let Some(text) = free {
                placed.push(text.bounds());
                drawing.text(text);
            }
        }
    }
}

/// Dollars: by their logarithms where they differ tenfold.
fn across(usd: &[f64], width: f64) -> Axis {
    let least = usd.iter().copied().fold(f64::INFINITY, f64::min);
    let most = usd.iter().copied().fold(0.0, f64::max);
    let log = Axis::log(usd, width).filter(|_| least > 0.0 && most > 10.0 * least);
    log.unwrap_or_else(|| Axis::span(usd, 6)).thinned(width)
}

/// The points that no other beats in both figures, from cheap to dear.
fn best(mut all: Vec<(f64, f64)>, sign: f64) -> Vec<(f64, f64)> {
    all.sort_by(|a, b| a.0.total_cmp(&b.0).then((sign * a.1).total_cmp(&(sign * b.1))));
    let mut best = f64::INFINITY;
    all.retain(|(_, value)| {
        let is_better = sign * value < best;
        if is_better {
            best = sign * value;
        }
        is_better
    });
    all
}

/// Left, top, right, bottom.
type Bounds = (f64, f64, f64, f64);

/// Small boxes along a line.
fn along(from: Point, to: Point) -> Vec<Bounds> {
    const STEP: f64 = 4.0;
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let steps = (libm::sqrt(dx * dx + dy * dy) / STEP) as usize + 1;
    let share = |step: usize| step as f64 / steps as f64;
    let at = |step: usize| (from.0 + share(step) * dx, from.1 + share(step) * dy);
    (0..=steps).map(at).map(|(x, y)| (x - 1.0, y - 1.0, x + 1.0, y + 1.0)).collect()
}

fn touch(a: Bounds, b: Bounds) -> bool {
    const GAP: f64 = 3.0;
    a.0 < b.2 + GAP && b.0 < a.2 + GAP && a.1 < b.3 + GAP && b.1 < a.3 + GAP
}

#[cfg(test)]
mod tests {
    use super::best;

    #[test]
    fn the_front_descends_or_climbs() {
        let all = vec![(3.0, 1.0), (1.0, 5.0), (2.0, 6.0), (2.0, 3.0), (4.0, 2.0)];
        assert_eq!(best(all.clone(), 1.0), [(1.0, 5.0), (2.0, 3.0), (3.0, 1.0)]);
        assert_eq!(best(all, -1.0), [(1.0, 5.0), (2.0, 6.0)]);
    }
}
