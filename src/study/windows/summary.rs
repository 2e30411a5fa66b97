//! What windows came to, each by itself, and what they stand for.

use super::overload::{OverloadedWindow, PoolEvidence, sentence};
use super::{Candidate, Horizon, Plan};
use crate::kernel::{Digest, Time};
use crate::metrics::{RunRecord, WindowRecord};
use crate::scenario::{Choice, Scenario};
use crate::study::forecast::days;
use crate::study::reduce::{self, Stability};
use crate::study::{Load, PoolSummary, Summary, UseCaseSummary, load_of};
use indexmap::IndexMap;
use jiff::ToSpan;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most points of the curve of what is expected.
const POINTS_MAX: usize = 400;
/// Days from which on the curve has a point for each.
const DAYS_MIN: usize = 14;

/// The horizon that windows were chosen from, and what they are of it.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct HorizonSummary {
    /// How long it is, s.
    pub horizon_s: f64,
    /// How windows were chosen: `weekly-peaks`, `worst`, `random` or `at`.
    pub choose: String,
    /// Windows of each replication.
    pub windows: u64,
    /// Stretches of the same length that they were chosen from; absent where their
    /// beginnings were given.
    pub chosen_from: Option<u64>,
    /// Length of each, s.
    pub length_s: f64,
    /// Time zone of their beginnings; absent without a start.
    pub time_zone: Option<String>,
    /// What the figures of this summary are figures of.
    pub represents: String,
    /// Windows over the horizon, in time (mean over replications, as what follows).
    pub share_of_time: f64,
    /// In expected calls.
    pub share_of_calls: f64,
    /// In expected tokens to compute.
    pub share_of_tokens: f64,
    /// Tokens to compute that are expected a second, over the horizon.
    pub mean_tokens_per_s: f64,
    /// The same in its busiest stretch of the length of a window.
    pub peak_tokens_per_s: f64,
    /// One over the other.
    pub peak_over_mean: f64,
    /// Why the warm-up of `warm_up_s` is as long as it is.
    pub warm_up_reason: String,
    /// Windows in which a pool cannot keep up.
    pub overloaded_windows: u64,
}

/// A window of the horizon.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct WindowSummary {
    /// When it begins, since time zero, s.
    pub start_s: f64,
    /// The same on the local clock, RFC 3339; absent without a start.
    pub start_local: Option<String>,
    /// How long it is, s.
    pub length_s: f64,
    /// What was simulated before it and not measured, s.
    pub warm_up_s: f64,
    /// What it stands for.
    pub represents: String,
    /// Its place among all by expected tokens, from 1; absent where beginnings were
    /// given.
    pub rank: Option<u64>,
    /// Replications that ran it.
    pub replications: u32,
    /// Fold of every event of these, 16 hexadecimal digits.
    pub digest: String,
    /// Calls a second that are expected in it.
    pub expected_calls_per_s: f64,
    /// Tokens to compute a second that are expected in it.
    pub expected_tokens_per_s: f64,
    /// The same over that of the horizon.
    pub over_mean: f64,
    /// Its share of the expected calls of the horizon.
    pub share_of_calls: f64,
    /// Its share of the expected tokens.
    pub share_of_tokens: f64,
    /// Pools that cannot keep up in it.
    pub overloaded_pools: Vec<String>,
    /// By use case, as in the summary.
    pub use_cases: IndexMap<String, UseCaseSummary>,
    /// By pool, as in the summary; `stable` is false where it cannot keep up.
    pub pools: IndexMap<String, PoolSummary>,
}

/// Tokens to compute that are expected over the horizon.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct HorizonSeries {
    /// When each day begins, or each bin of a horizon of few days, s.
    pub t_s: Vec<f64>,
    /// Dates of days; none of bins, and without a start.
    pub dates: Vec<String>,
    /// Mean tokens a second of its hours.
    pub mean_tokens_per_s: Vec<f64>,
    /// Of its quietest hour.
    pub low_tokens_per_s: Vec<f64>,
    /// Of its busiest hour.
    pub peak_tokens_per_s: Vec<f64>,
}

/// Puts what `records`, all replications of `scenario`, have of windows into
/// `summary`; the curve that they were chosen from.
pub fn summarize(
    plan: &Plan,
    scenario: &Scenario,
    records: &[RunRecord],
    summary: &mut Summary,
) -> HorizonSeries {
    let loads: Vec<Option<Load>> =
        (0..scenario.pools.len()).map(|pool| load_of(scenario, pool)).collect();
    let ran = ran(plan, records);
    let windows: Vec<WindowSummary> =
        ran.iter().map(|(&at, runs)| window(plan, scenario, at, runs, &loads)).collect();
    let horizon = horizon(plan, records.len(), &windows);
    summary.notes.insert(0, note(plan, &horizon));
    if matches!(plan.windows.choice, Choice::Random(_)) && records.len() > 1 {
        summary.notes.insert(1, RANDOM_NOTE.to_owned());
    }
    let warnings = warnings(plan, &windows);
    summary.warnings.splice(0..0, warnings);
    // What is offered is that of the windows, not of the horizon.
    for (at, pool) in summary.pools.values_mut().enumerate() {
        let offered = mean_calls_per_s(plan, at, records.len());
        pool.offered_calls_per_s = Some(offered).filter(|&rate| rate > 0.0);
        pool.load = pool.offered_calls_per_s.zip(pool.capacity_calls_per_s).map(|(a, b)| a / b);
    }
    (summary.horizon, summary.windows) = (Some(horizon), windows);
    series(&plan.horizon)
}

const RANDOM_NOTE: &str = "each replication draws windows of its own, so intervals hold the choice \
                           of windows as well as chance within them; totals are unbiased, ratios \
                           and quantiles nearly so";

/// The runs of each candidate that ran, in order of time and of replications.
fn ran<'r>(plan: &Plan, records: &'r [RunRecord]) -> BTreeMap<usize, Vec<&'r WindowRecord>> {
    let mut ran: BTreeMap<usize, Vec<&WindowRecord>> = BTreeMap::new();
    for (replication, record) in records.iter().enumerate() {
        for (at, run) in plan.chosen(replication as u64).into_iter().zip(&record.windows) {
            assert_eq!(plan.horizon.candidates[at].from, run.from, "a record of another window");
            ran.entry(at).or_default().push(run);
        }
    }
    ran
}

fn window(
    plan: &Plan,
    scenario: &Scenario,
    at: usize,
    runs: &[&WindowRecord],
    loads: &[Option<Load>],
) -> WindowSummary {
    let horizon = &plan.horizon;
    let Candidate { from, length, tokens, rank } = horizon.candidates[at];
    let records: Vec<RunRecord> = runs.iter().map(|run| run.run.clone()).collect();
    let verdict = |pool: usize| {
        let evidence: Vec<PoolEvidence> =
            runs.iter().map(|run| PoolEvidence::of(run, pool)).collect();
        PoolEvidence::verdict(scenario.regime, &evidence)
    };
    let verdicts: Vec<Stability> = (0..scenario.pools.len()).map(verdict).collect();
    let seconds = length.seconds();
    let of_window = |(pool, load): (usize, &Option<Load>)| {
        let offered_calls_per_s = horizon.calls_of[pool][at] / seconds;
        let of_pool = records.iter().map(|record| &record.whole.pools[pool]);
        let load = load.map(|load| load.measured(&scenario.pools[pool], of_pool));
        load.map(|load| Load { offered_calls_per_s, ..load })
    };
    let loads: Vec<Option<Load>> = loads.iter().enumerate().map(of_window).collect();
    let (use_cases, pools) = reduce::window(scenario, &records, &verdicts, &loads);
    let names = scenario.pools.iter().zip(&verdicts).filter(|(_, verdict)| !verdict.is_stable);
    let mut digest = Digest::default();
    records.iter().for_each(|record| digest.word(record.digest));
    let calls: f64 = horizon.calls_of.iter().map(|calls| calls[at]).sum();
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    WindowSummary {
        start_s: from.seconds(),
        start_local: horizon.local_text(from),
        length_s: seconds,
        warm_up_s: records[0].window_from_s,
        represents: represents(plan, at),
        rank: (!matches!(plan.windows.choice, Choice::At(_))).then_some(rank as u64),
        replications: records.len() as u32,
        digest: digest.to_string(),
        expected_calls_per_s: calls / seconds,
        expected_tokens_per_s: tokens / seconds,
        over_mean: share(tokens / seconds, horizon.mean_tokens_per_s()),
        share_of_calls: share(calls, horizon.calls.iter().sum()),
        share_of_tokens: share(tokens, horizon.tokens),
        overloaded_pools: names.map(|(pool, _)| pool.name.clone()).collect(),
        use_cases,
        pools,
    }
}

fn represents(plan: &Plan, at: usize) -> String {
    let horizon = &plan.horizon;
    let Candidate { from, rank, .. } = horizon.candidates[at];
    let all = horizon.candidates.len();
    match &plan.windows.choice {
        Choice::WeeklyPeaks => {
            let count = horizon.of_week(at);
            let monday = horizon.local(from).and_then(|local| {
                let days = i64::from(local.weekday().to_monday_zero_offset());
                local.date().checked_sub(days.days()).ok()
            });
            match monday {
                Some(monday) => format!("the busiest of {count} of the week of {monday}"),
                None => format!("the busiest of the {count} of its week"),
            }
        }
        Choice::Worst(_) => format!("number {rank} of {all} by expected tokens"),
        Choice::Random(count) => {
            format!(
                "one of {count} of {all} drawn at random: stands for {:.1}",
                all as f64 / f64::from(*count)
            )
        }
        Choice::At(_) => "itself, as given".to_owned(),
    }
}

fn horizon(plan: &Plan, replications: usize, windows: &[WindowSummary]) -> HorizonSummary {
    let Horizon { end, candidates, calls_of, tokens, calls, .. } = &plan.horizon;
    let chosen = || (0..replications as u64).flat_map(|replication| plan.chosen(replication));
    // A window may run in some replications and not in others.
    let mean = |of: &dyn Fn(usize) -> f64| chosen().map(of).sum::<f64>() / replications as f64;
    let length_s = plan.windows.length.seconds();
    let peak = candidates.iter().map(|it| it.tokens / it.length.seconds()).fold(0.0, f64::max);
    let hours = plan.horizon.hours.1.iter().map(|tokens| tokens / 3_600.0).fold(0.0, f64::max);
    let is_given = matches!(plan.windows.choice, Choice::At(_));
    let (peak, mean_tokens_per_s) =
        (if is_given { hours.max(peak) } else { peak }, plan.horizon.mean_tokens_per_s());
    let share = |part: f64, whole: f64| if whole > 0.0 { part / whole } else { 0.0 };
    let local = plan.horizon.local(Time::ZERO);
    HorizonSummary {
        horizon_s: end.seconds(),
        choose: plan.windows.choice.name().to_owned(),
        windows: plan.chosen(0).len() as u64,
        chosen_from: (!is_given).then_some(candidates.len() as u64),
        length_s,
        time_zone: local.map(|local| local.time_zone().iana_name().unwrap_or("UTC").to_owned()),
        represents: all_represent(&plan.windows.choice).to_owned(),
        share_of_time: mean(&|_| length_s) / end.seconds(),
        share_of_calls: share(
            mean(&|at| calls_of.iter().map(|calls| calls[at]).sum()),
            calls.iter().sum(),
        ),
        share_of_tokens: share(mean(&|at| candidates[at].tokens), *tokens),
        mean_tokens_per_s,
        peak_tokens_per_s: peak,
        peak_over_mean: share(peak, mean_tokens_per_s),
        warm_up_reason: plan.warm_up.reason.clone(),
        overloaded_windows: windows.iter().filter(|it| !it.overloaded_pools.is_empty()).count()
            as u64,
    }
}

fn all_represent(choice: &Choice) -> &'static str {
    match choice {
        Choice::WeeklyPeaks => "the busiest times of all weeks, not the horizon",
        Choice::Worst(_) => "the busiest times of the horizon, not the horizon",
        Choice::Random(_) => "the whole horizon, estimated from a sample",
        Choice::At(_) => "these windows, not the horizon",
    }
}

/// Calls a second that are expected of a pool in the windows of all replications.
fn mean_calls_per_s(plan: &Plan, pool: usize, replications: usize) -> f64 {
    let chosen = (0..replications as u64).flat_map(|replication| plan.chosen(replication));
    let (calls, count) = chosen.fold((0.0, 0u64), |(calls, count), at| {
        (calls + plan.horizon.calls_of[pool][at], count + 1)
    });
    calls / (count as f64 * plan.windows.length.seconds())
}

fn note(plan: &Plan, horizon: &HorizonSummary) -> String {
    let of = match horizon.chosen_from {
        Some(all) => format!(" of the {all} in the horizon"),
        None => String::new(),
    };
    format!(
        "figures are of {} window{}{of}, with {:.2} % of its time, {:.2} % of its expected calls \
         and {:.2} % of its expected tokens; they stand for {}. Its busiest time asks for {:.2} times \
         the mean. Each window is warmed up for {:.0} min ({})",
        horizon.windows,
        if horizon.windows == 1 { "" } else { "s" },
        horizon.share_of_time * 100.0,
        horizon.share_of_calls * 100.0,
        horizon.share_of_tokens * 100.0,
        horizon.represents,
        horizon.peak_over_mean,
        plan.warm_up.length.seconds() / 60.0,
        horizon.warm_up_reason,
    )
}

fn warnings(plan: &Plan, windows: &[WindowSummary]) -> Vec<String> {
    let overloaded = sentence(&overloaded(windows), windows.len());
    let mut warnings: Vec<String> = overloaded.into_iter().collect();
    let ranks = matches!(plan.windows.choice, Choice::WeeklyPeaks | Choice::Worst(_));
    if ranks && plan.horizon.candidates.len() > 1 && !plan.horizon.varies() {
        let problem = "all windows are expected to ask for as many tokens: none is busier, and the \
                       first ones were taken";
        warnings.push(problem.to_owned());
    }
    warnings.extend(plan.warm_up.warning.clone());
    warnings
}

/// Those in which a pool cannot keep up.
fn overloaded(windows: &[WindowSummary]) -> Vec<OverloadedWindow> {
    let overloaded = windows.iter().filter(|window| !window.overloaded_pools.is_empty());
    let of = |window: &WindowSummary| OverloadedWindow {
        start_s: window.start_s,
        start_local: window.start_local.clone(),
        pools: window.overloaded_pools.clone(),
    };
    overloaded.map(of).collect()
}

/// What is expected over the horizon, in bins of whole hours.
fn series(horizon: &Horizon) -> HorizonSeries {
    let (hours, tokens) = &horizon.hours;
    let days = days(hours, tokens);
    let mut series = HorizonSeries::default();
    if days.len() >= DAYS_MIN {
        series.dates = days.iter().filter_map(|day| day.date.clone()).collect();
        for day in days {
            series.add(
                day.start_s,
                [day.low_hour_tokens_per_s, day.tokens_per_s, day.peak_hour_tokens_per_s],
            );
        }
        return series;
    }
    let bin = tokens.len().div_ceil(POINTS_MAX).max(1);
    for (at, sums) in tokens.chunks(bin).enumerate() {
        let rates = || sums.iter().map(|tokens| tokens / hours.length_s());
        let mean = rates().sum::<f64>() / sums.len() as f64;
        let ends = [rates().fold(f64::INFINITY, f64::min), mean, rates().fold(0.0, f64::max)];
        series.add(hours.at(at * bin).0.seconds(), ends);
    }
    series
}

impl HorizonSeries {
    fn add(&mut self, start_s: f64, [low, mean, peak]: [f64; 3]) {
        self.t_s.push(start_s);
        self.low_tokens_per_s.push(low);
        self.mean_tokens_per_s.push(mean);
        self.peak_tokens_per_s.push(peak);
    }
}
