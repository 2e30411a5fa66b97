//! Figures of the runs of agents, and of the workers of their tools.

use super::{Figure, Share, outcomes};
use crate::kernel::TICKS_PER_SECOND;
use crate::metrics::{AgentRuns, BANDS, LatencyRecord, Part, RunCounts, Stretch};
use crate::scenario::{Lengths, Scenario};

type Count = fn(&RunCounts) -> u64;

/// Statistics of the latency of runs by the name of their key.
const STATISTICS: [(&str, usize); 4] = [("p50", 0), ("p90", 1), ("p95", 2), ("p99", 3)];

/// Counts of a run, sub-agents included.
const PER_RUN: [(&str, Count); 9] = [
    ("calls_per_run", |counts| counts.calls),
    ("prompt_tokens_per_run", |counts| counts.prompt_tokens),
    ("cached_tokens_per_run", |counts| counts.cached_tokens),
    ("output_tokens_per_run", |counts| counts.output_tokens),
    ("thinking_tokens_per_run", |counts| counts.thinking_tokens),
    ("tool_calls_per_run", |counts| counts.tools),
    ("sub_agents_per_run", |counts| counts.children),
    ("compactions_per_run", |counts| counts.compactions),
    ("retries_per_run", |counts| counts.retries),
];

/// Key of a part of a path.
pub fn part_key(part: Part) -> String {
    format!("{}_s", part.name())
}

/// The figures of the agents of the use case at index `at`.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    let Some(crew) = use_case.crew() else { return Vec::new() };
    let members = crew.members.iter().enumerate();
    // Of a recording nobody knows how many tools ran.
    let is_known = |figure: &Figure| {
        !matches!(use_case.lengths, Lengths::Replayed(_))
            || !figure.path.ends_with(".tool_calls_per_run")
    };
    let figures = members.flat_map(|(member, spec)| {
        let owner = format!("use_cases.{}.agents.{}", use_case.name, spec.agent.name);
        let outcomes = outcomes::figures(scenario, &owner, at, member);
        of_member(&owner, at, member, use_case.pools()).into_iter().chain(outcomes)
    });
    figures.filter(is_known).collect()
}

fn of_member(owner: &str, at: usize, member: usize, pools: &[usize]) -> Vec<Figure> {
    let path = |key: &str| format!("{owner}.{key}");
    let figure = |key: &str, share: fn(&AgentRuns) -> Share| {
        Figure::new(path(key), move |run| runs(run, at, member).map_or(Share::Nothing, share))
    };
    let mut figures = vec![Figure::new(path("runs_per_s"), move |run| {
        let ended = runs(run, at, member).map_or(0, AgentRuns::ended);
        Share::Ratio(ended as f64, run.window_s)
    })];
    let success =
        figure("success_fraction", |runs| Share::over(runs.in_time as f64, runs.ended() as f64));
    figures.push(success.steady_on(pools));
    let mean = figure("run_s.mean", |runs| {
        let seconds = runs.latency.sum() as f64 / TICKS_PER_SECOND as f64;
        Share::over(seconds, runs.latency.count() as f64)
    });
    figures.push(mean.steady_on(pools));
    let alone = figure("alone_s.mean", |runs| {
        Share::over(runs.alone_ticks as f64 / TICKS_PER_SECOND as f64, runs.done as f64)
    });
    figures.push(alone);
    let amplification = figure("amplification", |runs| {
        Share::over(runs.latency.sum() as f64, runs.alone_ticks as f64)
    });
    figures.push(amplification.steady_on(pools));
    for (name, index) in STATISTICS {
        let figure = Figure::new(path(&format!("run_s.{name}")), move |run| {
            let fraction = LatencyRecord::FRACTIONS[index];
            let runs = runs(run, at, member);
            runs.map_or(Share::Nothing, |runs| Share::quantile(fraction, &runs.known_latency()))
        });
        figures.push(figure.steady_on(pools));
    }
    for (key, count) in PER_RUN {
        figures.push(Figure::new(path(key), move |run| match runs(run, at, member) {
            Some(runs) => Share::over(count(&runs.counts) as f64, runs.done as f64),
            None => Share::Nothing,
        }));
    }
    for part in Part::ALL {
        let key = format!("path.{}.mean", part_key(part));
        let figure = Figure::new(path(&key), move |run| match runs(run, at, member) {
            Some(runs) => {
                let whole = runs.whole();
                let seconds = whole.ticks[part as usize] as f64 / TICKS_PER_SECOND as f64;
                Share::over(seconds, whole.runs as f64)
            }
            None => Share::Nothing,
        });
        figures.push(figure.steady_on(pools));
    }
    for (band, (name, _)) in BANDS.iter().enumerate() {
        for part in Part::ALL {
            let key = format!("bands.{name}.{}.mean", part_key(part));
            let figure = Figure::new(path(&key), move |run| match runs(run, at, member) {
                Some(runs) => {
                    let (count, seconds) = runs.bands()[band];
                    Share::over(seconds[part as usize], count)
                }
                None => Share::Nothing,
            });
            figures.push(figure.steady_on(pools));
        }
    }
    figures
}

/// The runs of the member at index `member` of the crew of a use case, if any ended.
pub fn runs(run: &Stretch, at: usize, member: usize) -> Option<&AgentRuns> {
    run.use_cases[at].agents.get(member)
}

/// The figures of the tool pool at index `at`.
pub fn figures_of_tools(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let pool = &scenario.tool_pools[at];
    let path = |key: &str| format!("tool_pools.{}.{key}", pool.name);
    let slots = f64::from(pool.capacity());
    let figure =
        |key: &str, share: Box<dyn Fn(&crate::factory::ToolPoolRecord) -> Share + Send + Sync>| {
            Figure::new(path(key), move |run| run.tool_pools.get(at).map_or(Share::Nothing, &share))
        };
    let per_s =
        |key: &str| figure(key, Box::new(|pool| Share::Ratio(pool.calls as f64, pool.window_s)));
    vec![
        figure(
            "utilization",
            Box::new(move |pool| Share::over(pool.busy_s, slots * pool.window_s)),
        ),
        per_s("calls_per_s"),
        figure("waiting_mean", Box::new(|pool| Share::Value(pool.waiting_mean))),
        figure("wait_s.mean", Box::new(|pool| Share::over(pool.wait_s, pool.calls as f64))),
        figure(
            "waited_fraction",
            Box::new(|pool| Share::over(pool.waited as f64, pool.calls as f64)),
        ),
    ]
}
