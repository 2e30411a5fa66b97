//! The tables of a forecast, once for terminal and page.

use crate::report::figure::{Figure, Measure, grouped};
use crate::report::table::ABSENT;
use crate::statistics::Interval;
use crate::study::forecast::{CacheSource, Figures, Forecast, PeakHour};

/// A table: heads of its columns, and its rows.
pub type Cells = (Vec<String>, Vec<Vec<String>>);

/// A row a use case, and one for all together.
pub fn use_cases(forecast: &Forecast) -> Cells {
    let head = [
        "",
        "calls",
        "input tokens",
        "to compute",
        "output tokens",
        "mean tok/s",
        "peak tok/s",
        "peak hour",
    ];
    let each = forecast.use_cases.iter();
    let mut rows: Vec<Vec<String>> =
        each.map(|use_case| row(&use_case.name, use_case.figures.as_ref())).collect();
    if rows.len() > 1 {
        rows.push(row("all", forecast.total.as_ref()));
    }
    (head.map(str::to_owned).to_vec(), rows)
}

fn row(name: &str, figures: Option<&Figures>) -> Vec<String> {
    let mut row = vec![name.to_owned()];
    let Some(figures) = figures else {
        row.extend(std::iter::repeat_n(ABSENT.to_owned(), 7));
        return row;
    };
    let Figures { calls, input_tokens, computed_input_tokens, output_tokens, .. } = figures;
    row.extend([calls, input_tokens, computed_input_tokens, output_tokens].map(estimate));
    row.extend([count(figures.mean_tokens_per_s), count(figures.peak_hour.tokens_per_s)]);
    row.push(when(&figures.peak_hour));
    row
}

/// "Mon 2026-11-30 21:00 America/New_York"
pub fn when(peak: &PeakHour) -> String {
    let (Some(local), Some(zone)) = (&peak.start_local, &peak.time_zone) else {
        return match peak.start_s {
            0.0 => ABSENT.to_owned(),
            start_s => format!("{} h after the start", grouped(start_s / 3600.0, 0)),
        };
    };
    // "2026-11-30T21:00:00-05:00" is what the clock shows, and how far it is from UTC.
    let clock = local.get(..16).unwrap_or(local).replace('T', " ");
    let date = local.get(..10).and_then(|date| date.parse::<jiff::civil::Date>().ok());
    let day = date.map_or(String::new(), |date| date.strftime("%a ").to_string());
    format!("{day}{clock} {zone}")
}

/// A row a layer.
pub fn layers(figures: &Figures) -> Cells {
    let head = ["layer", "factor", "tokens of the horizon", "factor", "tok/s in the peak hour"];
    let factor = |factor: f64, at: usize| match at {
        0 => String::new(),
        _ => format!("× {factor:.4}"),
    };
    let rows = figures.layers.iter().enumerate().map(|(at, layer)| {
        vec![
            layer.name.to_owned(),
            factor(layer.horizon_factor, at),
            count(layer.horizon_tokens),
            factor(layer.peak_hour_factor, at),
            count(layer.peak_hour_tokens_per_s),
        ]
    });
    (head.map(str::to_owned).to_vec(), rows.collect())
}

/// What a mean day, a mean month and the peak hour come to, in a sentence.
pub fn means(figures: &Figures) -> String {
    let factor = figures.peak_hour.tokens_per_s / figures.mean_tokens_per_s;
    let peak = match factor.is_finite() {
        true => format!(", {factor:.2} times the mean"),
        false => String::new(),
    };
    let thinking = figures.thinking_tokens.map_or(String::new(), |thinking| {
        let share = Figure::exact(thinking.mean / figures.output_tokens.mean, Measure::Fraction);
        format!(" Of the output, {} is thinking.", share.plain())
    });
    format!(
        "To be computed: {} tokens in a mean day, {} in a mean month, {} in the peak \
         hour{peak}.{thinking}",
        count(figures.mean_day_tokens),
        count(figures.mean_month_tokens),
        count(figures.peak_hour.tokens_per_s * 3600.0),
    )
}

/// What is expected of whom, in a sentence.
pub fn setting(forecast: &Forecast) -> String {
    let from = forecast.start.as_ref().map_or(String::new(), |start| format!(" from {start}"));
    let given = |source| forecast.use_cases.iter().any(|each| each.cache == source);
    let cache = match (given(CacheSource::Given), given(CacheSource::NeverEvicts)) {
        (true, false) => "; cache hits as given",
        (false, true) => "; cache hits as if it never evicts",
        (true, true) => "; cache hits as given, or as if it never evicts",
        (false, false) => "",
    };
    let horizon = forecast.horizon_s.map_or("no horizon".to_owned(), |horizon_s| {
        Figure::of(&Interval::constant(horizon_s), Measure::Seconds).plain()
    });
    format!("expected demand of {horizon}{from}, in closed form{cache}")
}

fn count(value: f64) -> String {
    estimate(&Interval { mean: value, low: None, high: None })
}

/// "98.2 ± 1.8 B": in billions (B) and millions (M) where numbers are long.
fn estimate(interval: &Interval) -> String {
    let (scale, unit) = match interval.mean {
        mean if mean >= 1e10 => (1e-9, "B"),
        mean if mean >= 1e7 => (1e-6, "M"),
        _ => (1.0, ""),
    };
    let Interval { mean, low, high } = *interval;
    let scaled = |end: Option<f64>| end.map(|end| end * scale);
    let scaled = Interval { mean: mean * scale, low: scaled(low), high: scaled(high) };
    Figure::of(&scaled, Measure::Plain(unit)).plus_minus()
}
