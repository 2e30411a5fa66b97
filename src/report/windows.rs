//! Windows of a horizon as tables and as CSV: a row a window and use case.

use super::figure::{Figure, Measure, grouped};
use super::table::{ABSENT, Row, Table};
use crate::statistics::Interval;
use crate::study::windows::WindowSummary;
use crate::study::{Summary, UseCaseSummary};
use std::fmt::Write;

/// Most windows that a table shows; windows.csv has them all.
const ROWS_MAX: usize = 60;

/// A table a use case; none where the whole horizon ran.
pub fn tables(summary: &Summary) -> Vec<Table> {
    if summary.windows.is_empty() {
        return Vec::new();
    }
    summary.use_cases.keys().map(|name| table(summary, name)).collect()
}

fn table(summary: &Summary, name: &str) -> Table {
    let is_cached = |window: &WindowSummary| window.use_cases[name].cache_hit_fraction.is_some();
    let has_cache = summary.windows.iter().any(is_cached);
    let second = if has_cache { "from cache" } else { "TPOT p95" };
    let columns = ["of mean", "calls/s", "TTFT p95", second, "SLO", "busy"];
    let shown = busiest(&summary.windows);
    let more = summary.windows.len() - shown.len();
    let all = if more == 0 { String::new() } else { format!(", the {ROWS_MAX} busiest") };
    Table {
        caption: format!("Windows of the horizon, {name}{all}"),
        columns: columns.map(str::to_owned).to_vec(),
        rows: shown
            .into_iter()
            .map(|window| Row { name: when(window).into(), cells: cells(window, name, has_cache) })
            .collect(),
    }
}

/// The busiest windows, in order of time.
fn busiest(windows: &[WindowSummary]) -> Vec<&WindowSummary> {
    let mut shown: Vec<&WindowSummary> = windows.iter().collect();
    shown.sort_by(|a, b| b.expected_tokens_per_s.total_cmp(&a.expected_tokens_per_s));
    shown.truncate(ROWS_MAX);
    shown.sort_by(|a, b| a.start_s.total_cmp(&b.start_s));
    shown
}

fn cells(window: &WindowSummary, name: &str, has_cache: bool) -> Vec<String> {
    let use_case = &window.use_cases[name];
    let of = |interval: Option<&Interval>, measure| match interval {
        Some(interval) => Figure::of(interval, measure).plus_minus(),
        None => ABSENT.to_owned(),
    };
    let busy = match is_overloaded(window, use_case) {
        true => "OVERLOAD".to_owned(),
        false => of(utilization(window, use_case).as_ref(), Measure::Fraction),
    };
    vec![
        format!("× {}", grouped(window.over_mean, 2)),
        Figure::exact(window.expected_calls_per_s, Measure::Plain("")).plain(),
        of(use_case.ttft_s.p95.as_ref(), Measure::Seconds),
        match has_cache {
            true => of(use_case.cache_hit_fraction.as_ref(), Measure::Fraction),
            false => of(use_case.tpot_s.p95.as_ref(), Measure::Seconds),
        },
        match use_case.slo_met {
            Some(true) => "kept".to_owned(),
            Some(false) => "MISSED".to_owned(),
            None => ABSENT.to_owned(),
        },
        busy,
    ]
}

/// Names of the pools that serve a use case.
fn pools(use_case: &UseCaseSummary) -> impl Iterator<Item = &str> {
    use_case.pool.split(", ")
}

/// Whether a pool that serves `use_case` cannot keep up.
pub fn is_overloaded(window: &WindowSummary, use_case: &UseCaseSummary) -> bool {
    pools(use_case).any(|name| window.overloaded_pools.iter().any(|other| other == name))
}

/// Of the busiest pool that serves `use_case`.
fn utilization(window: &WindowSummary, use_case: &UseCaseSummary) -> Option<Interval> {
    let all = pools(use_case).filter_map(|name| window.pools.get(name)?.utilization);
    all.max_by(|a, b| a.mean.total_cmp(&b.mean))
}

/// "Mon 2026-11-30 20:00", or hours after the start.
fn when(window: &WindowSummary) -> String {
    let Some(local) = &window.start_local else {
        return format!("{} h", grouped(window.start_s / 3_600.0, 2));
    };
    let clock = local.get(..16).unwrap_or(local).replace('T', " ");
    let date = local.get(..10).and_then(|date| date.parse::<jiff::civil::Date>().ok());
    let day = date.map_or(String::new(), |date| date.strftime("%a ").to_string());
    format!("{day}{clock}")
}

/// Figures that windows.csv has with their intervals.
const FIGURES: [&str; 8] = [
    "ttft_mean_s",
    "ttft_p95_s",
    "ttft_p99_s",
    "tpot_p95_s",
    "e2e_p95_s",
    "cache_hit_fraction",
    "goodput_fraction",
    "utilization",
];

/// `windows.csv`: a row a window and use case, cells empty where there is nothing.
pub fn csv(summary: &Summary) -> String {
    let mut text = String::from(
        "start_s,start_local,length_s,rank,replications,expected_calls_per_s,\
         expected_tokens_per_s,over_mean,share_of_calls,share_of_tokens,use_case,pool,overloaded,\
         slo_met,calls",
    );
    for name in FIGURES {
        let _ = write!(text, ",{name},{name}_low,{name}_high");
    }
    text.push('\n');
    for window in &summary.windows {
        for name in summary.use_cases.keys() {
            line(&mut text, window, name);
        }
    }
    text
}

fn line(text: &mut String, window: &WindowSummary, name: &str) {
    let use_case = &window.use_cases[name];
    let _ = write!(
        text,
        "{},{},{},{},{},{},{},{},{},{},{name},{},{},{},{}",
        window.start_s,
        window.start_local.as_deref().unwrap_or(""),
        window.length_s,
        window.rank.map_or(String::new(), |rank| rank.to_string()),
        window.replications,
        window.expected_calls_per_s,
        window.expected_tokens_per_s,
        window.over_mean,
        window.share_of_calls,
        window.share_of_tokens,
        use_case.pool.replace(", ", "+"),
        is_overloaded(window, use_case),
        use_case.slo_met.map_or(String::new(), |met| met.to_string()),
        use_case.calls,
    );
    let figures = [
        use_case.ttft_s.mean,
        use_case.ttft_s.p95,
        use_case.ttft_s.p99,
        use_case.tpot_s.p95,
        use_case.e2e_s.p95,
        use_case.cache_hit_fraction,
        use_case.goodput_fraction,
        utilization(window, use_case),
    ];
    for figure in figures {
        let cell = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let ends = figure.map_or((None, None), |figure| (figure.low, figure.high));
        let mean = figure.map(|figure| figure.mean);
        let _ = write!(text, ",{},{},{}", cell(mean), cell(ends.0), cell(ends.1));
    }
    text.push('\n');
}
