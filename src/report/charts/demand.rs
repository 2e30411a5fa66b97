//! Expected demand by day: the mean of each day between its quietest and its
//! busiest hour, all use cases together, and below it what each use case asks for.

use super::axis::Axis;
use super::drawing::{Align, Drawing, WIDTH};
use super::panel::Panel;
use super::style::{CURVES_MAX, Entry, FAINT, HEADING, MARGIN, bold, label, legend, pen, title};
use super::waterfall::scale;
use crate::report::figure::{Figure, Measure};
use crate::study::forecast::{Day, Figures, Forecast};

const LEFT: f64 = 66.0;
const RIGHT: f64 = 690.0;
const PANELS: [(f64, f64); 2] = [(86.0, 290.0), (342.0, 500.0)];

/// Draws the days of `forecast`; `None` where it has fewer than two.
pub fn draw(forecast: &Forecast) -> Option<Drawing> {
    let total = forecast.total.as_ref().filter(|total| total.days.len() > 1)?;
    let days = &total.days;
    let most = days.iter().map(|day| day.peak_hour_tokens_per_s).fold(0.0, f64::max);
    let (scale, unit) = scale(most);
    let across = axis(days);
    let mut drawing = Drawing::new(PANELS[1].1 + 44.0);
    let remark = "Tokens to be computed. Line: mean of each day; band: from its quietest hour to \
                  its busiest.";
    title(&mut drawing, "Expected demand by day", remark);
    let up = Axis::linear(vec![most * scale], 5);
    let panel = Panel { x: (LEFT, RIGHT), y: PANELS[0], across: &across, up: &up };
    panel.frame(&mut drawing, "All use cases", unit);
    let of = |rate: fn(&Day) -> f64| -> Vec<(f64, f64)> {
        days.iter().map(|day| (day.start_s, rate(day) * scale)).collect()
    };
    let peaks = of(|day| day.peak_hour_tokens_per_s);
    panel.band(&mut drawing, &of(|day| day.low_hour_tokens_per_s), &peaks, pen(0));
    panel.curve(&mut drawing, &of(|day| day.tokens_per_s), pen(0));
    name_peak(&mut drawing, &panel, total, scale);
    draw_use_cases(&mut drawing, forecast, &across, (scale, unit));
    Some(drawing)
}

/// Says which day has the busiest hour, and how busy it is.
fn name_peak(drawing: &mut Drawing, panel: &Panel, total: &Figures, scale: f64) {
    let peak = |day: &&Day| day.peak_hour_tokens_per_s;
    let Some(day) = total.days.iter().max_by(|a, b| peak(a).total_cmp(&peak(b))) else { return };
    let at = panel.at(day.start_s, day.peak_hour_tokens_per_s * scale);
    drawing.dot(at, 3.0, pen(0).color, 1.0);
    let rate = Figure::exact(day.peak_hour_tokens_per_s * scale, Measure::Plain("")).plain();
    let text = match &day.date {
        Some(date) => format!("{date}: {rate}"),
        None => rate,
    };
    let is_right = at.0 > (LEFT + RIGHT) / 2.0;
    let (align, aside) = if is_right { (Align::Right, -8.0) } else { (Align::Left, 8.0) };
    drawing.text(label((at.0 + aside, at.1 + 4.0), align, FAINT, text));
}

fn draw_use_cases(
    drawing: &mut Drawing,
    forecast: &Forecast,
    across: &Axis,
    (scale, unit): (f64, &str),
) {
    let named = forecast.use_cases.iter().filter_map(|use_case| {
        let figures = use_case.figures.as_ref()?;
        Some((&use_case.name, &figures.days))
    });
    let named: Vec<_> = named.collect();
    let shown = || named.iter().take(CURVES_MAX);
    let rates = shown().flat_map(|(_, days)| days.iter().map(|day| day.tokens_per_s * scale));
    let up = Axis::linear(rates.collect(), 4);
    let panel = Panel { x: (LEFT, RIGHT), y: PANELS[1], across, up: &up };
    panel.frame(drawing, "By use case", &format!("mean of the day, {unit}"));
    for (index, (_, days)) in shown().enumerate() {
        let means = days.iter().map(|day| (day.start_s, day.tokens_per_s * scale));
        panel.curve(drawing, &means.collect::<Vec<_>>(), pen(index));
    }
    panel.name_across(drawing, "");
    let left = RIGHT + 24.0;
    drawing.text(bold((left, PANELS[1].0), HEADING, "Use cases"));
    let entry = |(name, _): &(&String, _)| Entry { name: (*name).clone(), remarks: vec![] };
    let entries: Vec<Entry> = named.iter().map(entry).collect();
    legend(drawing, (left, PANELS[1].0 + 4.0), WIDTH - left - MARGIN, &entries);
}

/// Dates where days have them, otherwise days since the start.
fn axis(days: &[Day]) -> Axis {
    let dates: Option<Vec<(f64, jiff::civil::Date)>> =
        days.iter().map(|day| Some((day.start_s, day.date.as_ref()?.parse().ok()?))).collect();
    match dates {
        Some(dates) => Axis::dates(&dates, RIGHT - LEFT),
        None => Axis::time(&days.iter().map(|day| day.start_s).collect::<Vec<_>>()).0,
    }
}
