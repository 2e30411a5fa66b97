//! Tables of the runs of agents, and of the workers of their tools.

use super::{Row, Table, cell};
use crate::report::figure::{Figure, Measure, grouped};
use crate::statistics::Interval;
use crate::study::{AgentSummary, Mean, Summary, ToolPoolSummary, UseCaseSummary};
use indexmap::IndexMap;

/// Names of the parts of a path, by key.
pub const PARTS: [(&str, &str); 10] = [
    ("queue_s", "queue"),
    ("fetch_s", "fetch of KV"),
    ("prefill_s", "prefill"),
    ("thinking_s", "thinking"),
    ("decode_s", "decode"),
    ("tool_s", "tools"),
    ("sandbox_queue_s", "worker: wait, start"),
    ("straggler_s", "stragglers"),
    ("network_s", "network"),
    ("pause_s", "pauses"),
];

/// Bands of run latency, by key.
pub const BANDS: [(&str, &str); 4] =
    [("p0_50", "p0–50"), ("p50_90", "p50–90"), ("p90_99", "p90–99"), ("p99_100", "p99–100")];

/// What the agents of a use case did, by agent.
pub fn runs(name: &str, use_case: &UseCaseSummary, is_stable: bool) -> Table {
    let all: Vec<&AgentSummary> = use_case.agents.values().collect();
    let count = |name: &'static str, value: fn(&AgentSummary) -> u64| {
        let cells = all.iter().map(|agent| grouped(value(agent) as f64, 0)).collect();
        Row { name: name.into(), cells }
    };
    let row = |name: &'static str, measure, value: fn(&AgentSummary) -> Option<&Interval>| {
        let cells = all.iter().map(|agent| cell(value(agent), measure, is_stable)).collect();
        all.iter().any(|agent| value(agent).is_some()).then_some(Row { name: name.into(), cells })
    };
    let (time, tok, plain) = (Measure::Seconds, Measure::Plain("tok"), Measure::Plain(""));
    let joule = Measure::Plain("J");
    let rows = [
        Some(count("runs ended", |agent| agent.runs)),
        all.iter().any(|it| it.failed > 0).then(|| count("runs failed", |it| it.failed)),
        all.iter().any(|it| it.abandoned > 0).then(|| count("runs given up", |it| it.abandoned)),
        row("run, mean", time, |agent| agent.run_s.mean.as_ref()),
        row("run, p50", time, |agent| agent.run_s.p50.as_ref()),
        row("run, p95", time, |agent| agent.run_s.p95.as_ref()),
        row("run, p99", time, |agent| agent.run_s.p99.as_ref()),
        row("run alone, mean", time, |agent| agent.alone_s.mean.as_ref()),
        row("amplification", Measure::Plain("x"), |agent| agent.amplification.as_ref()),
        row("success in time", Measure::Fraction, |agent| agent.success_fraction.as_ref()),
        row("calls per run", plain, |agent| agent.calls_per_run.as_ref()),
        row("prompt per run", tok, |agent| agent.prompt_tokens_per_run.as_ref()),
        row("of it from cache", tok, |agent| agent.cached_tokens_per_run.as_ref()),
        row("output per run", tok, |agent| agent.output_tokens_per_run.as_ref()),
        row("tool calls per run", plain, |agent| agent.tool_calls_per_run.as_ref()),
        row("sub-agents per run", plain, |agent| agent.sub_agents_per_run.as_ref()),
        row("compactions per run", plain, |agent| agent.compactions_per_run.as_ref()),
        row("retries per run", plain, |agent| agent.retries_per_run.as_ref()),
        row("cost of a run", Measure::Dollars, |agent| agent.usd_per_run.as_ref()),
        row("cost of a success", Measure::Dollars, |agent| agent.usd_per_success.as_ref()),
        row("energy of a run", joule, |agent| agent.joules_per_run.as_ref()),
        row("energy of a success", joule, |agent| agent.joules_per_success.as_ref()),
    ];
    Table {
        caption: format!("Runs of {name}"),
        columns: use_case.agents.keys().cloned().collect(),
        rows: rows.into_iter().flatten().collect(),
    }
}

/// Where the time of the runs of sessions goes: all of them, and by band of latency.
pub fn path(use_case: &str, name: &str, agent: &AgentSummary, is_stable: bool) -> Table {
    let bands = BANDS.iter().map(|(key, _)| &agent.bands[*key]);
    let columns: Vec<&IndexMap<String, Mean>> = [&agent.path].into_iter().chain(bands).collect();
    let rows = PARTS.iter().filter_map(|&(key, name)| {
        let means = || columns.iter().map(|column| column[key].mean.as_ref());
        let is_there = means().any(|mean| mean.is_none_or(|mean| mean.mean > 0.0));
        let cells = means().map(|mean| cell(mean, Measure::Seconds, is_stable)).collect();
        is_there.then_some(Row { name: name.into(), cells })
    });
    Table {
        caption: format!("Where the time of {name} in {use_case} goes"),
        columns: ["all runs"]
            .into_iter()
            .chain(BANDS.map(|(_, name)| name))
            .map(String::from)
            .collect(),
        rows: rows.collect(),
    }
}

/// The workers of tools.
pub fn tool_pools(summary: &Summary) -> Table {
    let all: Vec<&ToolPoolSummary> = summary.tool_pools.values().collect();
    let count = |name: &'static str, value: fn(&ToolPoolSummary) -> u32| {
        let cells = all.iter().map(|pool| grouped(f64::from(value(pool)), 0)).collect();
        Row { name: name.into(), cells }
    };
    let row = |name: &'static str, measure, value: fn(&ToolPoolSummary) -> Option<&Interval>| {
        let cells = all.iter().map(|pool| cell(value(pool), measure, true)).collect();
        all.iter().any(|pool| value(pool).is_some()).then_some(Row { name: name.into(), cells })
    };
    let watts = |pool: &&ToolPoolSummary| match pool.it_watts {
        Some(watts) => Figure::exact(watts, Measure::Plain("W")).plain(),
        None => super::ABSENT.to_owned(),
    };
    let rows = [
        Some(count("workers", |pool| pool.workers)),
        Some(count("slots", |pool| pool.slots)),
        row("utilization", Measure::Fraction, |pool| pool.utilization.as_ref()),
        row("tool calls", Measure::Plain("/s"), |pool| pool.calls_per_s.as_ref()),
        row("tool calls waiting", Measure::Plain(""), |pool| pool.waiting_mean.as_ref()),
        row("wait, mean", Measure::Seconds, |pool| pool.wait_s.mean.as_ref()),
        row("calls that waited", Measure::Fraction, |pool| pool.waited_fraction.as_ref()),
        row("cost per hour", Measure::Dollars, |pool| pool.usd_per_hour.as_ref()),
        all.iter()
            .any(|pool| pool.it_watts.is_some())
            .then(|| Row { name: "IT power".into(), cells: all.iter().map(watts).collect() }),
    ];
    Table {
        caption: "Tool pools".into(),
        columns: summary.tool_pools.keys().cloned().collect(),
        rows: rows.into_iter().flatten().collect(),
    }
}
