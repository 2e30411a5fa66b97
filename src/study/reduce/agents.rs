//! Summaries of agents and of the workers of their tools.

use super::Found;
use super::use_case::method_of;
use crate::kernel::TICKS_PER_SECOND;
use crate::metrics::{AgentRuns, BANDS, Part, RunRecord};
use crate::scenario::Scenario;
use crate::statistics::Interval;
use crate::study::figures::{agent_runs, part_key};
use crate::study::{AgentSummary, Latency, Mean, ToolPoolSummary, TurnSummary};
use indexmap::IndexMap;

/// By agent, the agent of sessions first; none for a use case without.
pub fn agents(
    scenario: &Scenario,
    records: &[RunRecord],
    found: &Found,
    at: usize,
) -> IndexMap<String, AgentSummary> {
    let use_case = &scenario.use_cases[at];
    let members = use_case.crew().map_or(&[][..], |crew| &crew.members);
    let members = members.iter().enumerate().map(|(member, spec)| {
        let name = spec.agent.name.clone();
        let owner = format!("use_cases.{}.agents.{name}", use_case.name);
        let pools = use_case.pools().iter().filter(|&&at| use_case.may_serve(spec.site, at));
        let pools: Vec<&str> = pools.map(|&at| &*scenario.pools[at].name).collect();
        let pool = pools.join(", ");
        (name, summary(records, found, at, member, &owner, pool))
    });
    members.collect()
}

fn summary(
    records: &[RunRecord],
    found: &Found,
    at: usize,
    member: usize,
    owner: &str,
    pool: String,
) -> AgentSummary {
    let get = |key: &str| found.get(owner, key);
    let each = || records.iter().filter_map(|record| agent_runs(&record.whole, at, member));
    let is_exact = each().all(|runs| runs.latency.is_exact());
    let mut all = AgentRuns::default();
    each().for_each(|runs| all.add(runs));
    let path = |prefix: &str| -> IndexMap<String, Mean> {
        let part = |part: Part| {
            let key = part_key(part);
            let mean = get(&format!("{prefix}.{key}.mean"));
            (key, Mean { mean })
        };
        Part::ALL.map(part).into_iter().collect()
    };
    AgentSummary {
        pool,
        runs: all.done,
        failed: all.failed,
        abandoned: all.abandoned,
        runs_per_s: get("runs_per_s"),
        run_s: Latency {
            mean: get("run_s.mean"),
            p50: get("run_s.p50"),
            p90: get("run_s.p90"),
            p95: get("run_s.p95"),
            p99: get("run_s.p99"),
            method: method_of(is_exact),
        },
        alone_s: Mean { mean: get("alone_s.mean") },
        amplification: get("amplification"),
        success_fraction: get("success_fraction"),
        calls_per_run: get("calls_per_run"),
        prompt_tokens_per_run: get("prompt_tokens_per_run"),
        cached_tokens_per_run: get("cached_tokens_per_run"),
        output_tokens_per_run: get("output_tokens_per_run"),
        thinking_tokens_per_run: get("thinking_tokens_per_run"),
        tool_calls_per_run: get("tool_calls_per_run"),
        sub_agents_per_run: get("sub_agents_per_run"),
        compactions_per_run: get("compactions_per_run"),
        retries_per_run: get("retries_per_run"),
        usd_per_run: get("usd_per_run"),
        usd_per_success: get("usd_per_success"),
        joules_per_run: get("joules_per_run"),
        joules_per_success: get("joules_per_success"),
        path: path("path"),
        bands: BANDS
            .iter()
            .map(|(name, _)| ((*name).to_owned(), path(&format!("bands.{name}"))))
            .collect(),
        by_turn: by_turn(&all),
    }
}

fn by_turn(runs: &AgentRuns) -> Vec<TurnSummary> {
    let turns = (1..).zip(&runs.by_turn).filter(|(_, bucket)| bucket.runs > 0);
    let summary = |(turn, bucket): (u32, &crate::metrics::Bucket)| {
        let seconds = |part: Part| {
            let all = bucket.ticks[part as usize] as f64 / TICKS_PER_SECOND as f64;
            (part_key(part), all / bucket.runs as f64)
        };
        TurnSummary { turn, runs: bucket.runs, path: Part::ALL.map(seconds).into_iter().collect() }
    };
    turns.map(summary).collect()
}

/// By tool pool.
pub fn tool_pools(scenario: &Scenario, found: &Found) -> IndexMap<String, ToolPoolSummary> {
    let pools = scenario.tool_pools.iter().map(|pool| {
        let owner = format!("tool_pools.{}", pool.name);
        let get = |key: &str| found.get(&owner, key);
        let workers = f64::from(pool.workers);
        let summary = ToolPoolSummary {
            workers: pool.workers,
            slots: pool.capacity(),
            utilization: get("utilization"),
            calls_per_s: get("calls_per_s"),
            waiting_mean: get("waiting_mean"),
            wait_s: Mean { mean: get("wait_s.mean") },
            waited_fraction: get("waited_fraction"),
            usd_per_hour: pool.usd_per_hour.map(|usd| Interval::constant(usd * workers)),
            it_watts: pool.watts.map(|watts| watts * workers),
        };
        (pool.name.clone(), summary)
    });
    pools.collect()
}
