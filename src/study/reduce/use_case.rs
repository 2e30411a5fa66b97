//! Figures of each use case.

use super::Found;
use crate::kernel::Span;
use crate::metrics::{
    CDF_FRACTIONS, JobsRecord, LatencyRecord, RegionRecord, RunRecord, UseCaseRecord,
};
use crate::scenario::{Arrivals, Metric, Origin, Scenario, Statistic, Target};
use crate::statistics::Interval;
use crate::study::figures::{self, HBM};
use crate::study::{
    JobsSummary, Latency, Mean, RegionSummary, SessionsSummary, SuppliedSummary, ThinkingSummary,
    UseCaseArrivals, UseCaseSummary,
};
use indexmap::IndexMap;

/// One summary a use case.
pub fn summaries(
    scenario: &Scenario,
    records: &[RunRecord],
    found: &Found,
) -> IndexMap<String, UseCaseSummary> {
    let use_cases = scenario.use_cases.iter().enumerate();
    use_cases
        .map(|(at, use_case)| (use_case.name.clone(), summary(scenario, records, found, at)))
        .collect()
}

/// One warning a use case of which no call was measured.
pub fn unmeasured(summaries: &IndexMap<String, UseCaseSummary>) -> Vec<String> {
    // Where all were given up, that is what has to be said.
    let is_empty = |summary: &UseCaseSummary| summary.calls == 0 && summary.given_up == 0;
    let empty = summaries.iter().filter(|(_, summary)| is_empty(summary));
    empty
        .map(|(name, _)| {
            format!(
                "use case {name}: no call was measured; a longer duration or more load has some"
            )
        })
        .collect()
}

/// One warning a use case that has calls nobody could serve.
pub fn rejections<'a>(rejected: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let sentence = |(name, calls): (&str, u64)| {
        format!(
            "use case {name}: {calls} calls were rejected because they are longer than \
             max_model_len or than all KV blocks of a rank"
        )
    };
    rejected.filter(|(_, calls)| *calls > 0).map(sentence).collect()
}

/// One warning a use case some of whose calls were given up.
pub fn give_ups<'a>(given_up: impl Iterator<Item = (&'a str, u64)>) -> Vec<String> {
    let sentence = |(name, calls): (&str, u64)| {
        format!(
            "use case {name}: {calls} calls were given up before they were answered; latencies \
             are of the others, and promises count them as never answered"
        )
    };
    given_up.filter(|(_, calls)| *calls > 0).map(sentence).collect()
}

/// One warning a use case some of whose sessions ended early.
pub fn abortions(summaries: &IndexMap<String, UseCaseSummary>) -> Vec<String> {
    let sessions = summaries.iter().filter_map(|(name, use_case)| {
        let sessions = use_case.sessions.as_ref().filter(|sessions| sessions.aborted > 0)?;
        let ended = sessions.aborted + sessions.completed;
        Some(format!(
            "use case {name}: {} of {ended} sessions ended early because a prompt grew longer than \
             max_model_len or than all KV blocks of a rank",
            sessions.aborted
        ))
    });
    sessions.collect()
}

fn summary(scenario: &Scenario, records: &[RunRecord], found: &Found, at: usize) -> UseCaseSummary {
    let use_case = &scenario.use_cases[at];
    let owner = format!("use_cases.{}", use_case.name);
    let get = |key: &str| found.get(&owner, key);
    let total = |count: fn(&UseCaseRecord) -> u64| -> u64 {
        records.iter().map(|run| count(&run.whole.use_cases[at])).sum()
    };
    let latency = |key: &str, metric| latency(key, get, method(records, at, metric));
    let pool = &scenario.pools[use_case.pool];
    let part = |key: &str| Mean { mean: get(key) };
    let goodput_fraction = get("goodput_fraction");
    let kept = || use_case.slo.targets.iter().all(|target| is_met(records, at, target));
    UseCaseSummary {
        pool: scenario
            .pools_of(use_case)
            .map(|pool| pool.name.as_str())
            .collect::<Vec<_>>()
            .join(", "),
        calls: total(|record| record.calls),
        rejected: total(|record| record.rejected),
        given_up: total(|record| record.given_up),
        called_off: total(|record| record.called_off),
        calls_per_s: get("calls_per_s"),
        prompt_tokens_mean: get("prompt_tokens_mean"),
        cache_hit_fraction: get("cache_hit_fraction"),
        tiers: supplied(scenario, found, at),
        output_tokens_mean: get("output_tokens_mean"),
        thinking: use_case.thinking.is_some().then(|| thinking(get)),
        agents: super::agents::agents(scenario, records, found, at),
        sessions: use_case.has_sessions().then(|| SessionsSummary {
            began: total(|record| record.sessions.began),
            completed: total(|record| record.sessions.completed),
            aborted: total(|record| record.sessions.aborted),
            began_per_s: get("sessions.began_per_s"),
            turns_mean: get("sessions.turns_mean"),
        }),
        ttft_s: latency("ttft_s", Metric::Ttft),
        visible_ttft_s: use_case
            .thinking
            .is_some()
            .then(|| latency("visible_ttft_s", Metric::VisibleTtft)),
        tpot_s: latency("tpot_s", Metric::Tpot),
        itl_s: latency("itl_s", Metric::Itl),
        e2e_s: latency("e2e_s", Metric::E2e),
        queue_s: latency("queue_s", Metric::Queue),
        network_s: use_case.has_network().then(|| part("network_s.mean")),
        fetch_s: (!pool.offload.is_empty()).then(|| part("fetch_s.mean")),
        prefill_s: part("prefill_s.mean"),
        preemptions_per_call: get("preemptions_per_call"),
        goodput_fraction,
        goodput_calls_per_s: get("goodput_calls_per_s"),
        slo_met: goodput_fraction.map(|_| kept()),
        usd_per_hour: get("usd_per_hour"),
        usd_per_call: get("usd_per_call"),
        usage_usd_per_call: get("usage_usd_per_call"),
        arrivals: UseCaseArrivals::of(scenario, found, &use_case.name),
        jobs: jobs(scenario, records, found, at),
        regions: regions(scenario, records, found, at),
    }
}

/// What became of batch jobs; nothing where there are none.
fn jobs(
    scenario: &Scenario,
    records: &[RunRecord],
    found: &Found,
    at: usize,
) -> Option<JobsSummary> {
    let use_case = &scenario.use_cases[at];
    if !matches!(use_case.arrivals, Arrivals::Batch(_)) {
        return None;
    }
    let mut all = JobsRecord::default();
    records.iter().for_each(|run| all.add(&run.whole.use_cases[at].jobs));
    let owner = format!("use_cases.{}.jobs", use_case.name);
    let get = |key: &str| found.get(&owner, key);
    Some(JobsSummary {
        released: all.released,
        done: all.done,
        on_time: all.on_time,
        late: all.done - all.on_time,
        unfinished: all.unfinished,
        on_time_fraction: get("on_time_fraction"),
        makespan_s: Mean { mean: get("makespan_s.mean") },
        lateness_s: Mean { mean: get("lateness_s.mean") },
        lateness_max_s: Span::from_ticks(all.lateness_max).seconds(),
    })
}

/// Warnings of jobs that were late, not done, or done when nothing else was.
pub fn late_jobs(scenario: &Scenario, records: &[RunRecord]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (at, use_case) in scenario.use_cases.iter().enumerate() {
        let mut all = JobsRecord::default();
        records.iter().for_each(|run| all.add(&run.whole.use_cases[at].jobs));
        let (name, jobs) = (&use_case.name, all.done + all.unfinished);
        let mut warn = |count: u64, what: &str| {
            if count > 0 {
                warnings.push(format!("use case {name}: {count} of {jobs} jobs {what}"));
            }
        };
        let worst = Span::from_ticks(all.lateness_max).seconds();
        let late = format!("missed their deadline, by up to {worst:.0} s");
        warn(all.done - all.on_time, &late);
        warn(all.unfinished, "were not done when the run was cut off");
        warn(
            all.beyond,
            "were done after arrivals had ended, in a pool that had little else to do; a longer \
             duration has their whole time",
        );
    }
    warnings
}

/// What users see by region; nothing where they are not told apart.
fn regions(
    scenario: &Scenario,
    records: &[RunRecord],
    found: &Found,
    at: usize,
) -> IndexMap<String, RegionSummary> {
    let use_case = &scenario.use_cases[at];
    let regions = use_case.by_region().into_iter().flat_map(|origins| &origins.regions);
    let summary = |(index, origin): (usize, &Origin)| {
        let owner = format!("use_cases.{}.regions.{}", use_case.name, origin.region);
        let get = |key: &str| found.get(&owner, key);
        let all = || records.iter().map(|run| &run.whole.use_cases[at].regions[index]);
        let exact = |latency: fn(&RegionRecord) -> &LatencyRecord| {
            method_of(all().all(|region| latency(region).exact))
        };
        let served = scenario
            .pools_of(use_case)
            .map(|pool| (pool.name.clone(), get(&format!("served_fraction.{}", pool.name))));
        let summary = RegionSummary {
            calls: all().map(|region| region.calls).sum(),
            calls_per_s: get("calls_per_s"),
            ttft_s: latency("ttft_s", get, exact(|region| &region.ttft)),
            e2e_s: latency("e2e_s", get, exact(|region| &region.e2e)),
            network_s: use_case.has_network().then(|| Mean { mean: get("network_s.mean") }),
            goodput_fraction: get("goodput_fraction"),
            served_fraction: served.collect(),
        };
        (origin.region.clone(), summary)
    };
    regions.enumerate().map(summary).collect()
}

/// Statistics of the latency at `key`.
fn latency(key: &str, get: impl Fn(&str) -> Option<Interval>, method: String) -> Latency {
    let statistic = |name: &str| get(&format!("{key}.{name}"));
    Latency {
        mean: statistic("mean"),
        p50: statistic("p50"),
        p90: statistic("p90"),
        p95: statistic("p95"),
        p99: statistic("p99"),
        method,
    }
}

fn thinking(get: impl Fn(&str) -> Option<Interval>) -> ThinkingSummary {
    let get = |key: &str| get(&format!("thinking.{key}"));
    ThinkingSummary {
        calls_fraction: get("calls_fraction"),
        cut_fraction: get("cut_fraction"),
        output_fraction: get("output_fraction"),
        tokens_mean: get("tokens_mean"),
        tokens_p50: get("tokens_p50"),
        tokens_p90: get("tokens_p90"),
        tokens_p95: get("tokens_p95"),
        tokens_p99: get("tokens_p99"),
        tokens_max: get("tokens_max"),
    }
}

/// What HBM and the tiers below it supplied; nothing where there is no cache.
fn supplied(scenario: &Scenario, found: &Found, at: usize) -> IndexMap<String, SuppliedSummary> {
    let use_case = &scenario.use_cases[at];
    let pool = &scenario.pools[use_case.pool];
    let has_cache = pool.engine.prefix_cache.is_some() || use_case.cache_hit.is_some();
    let below = pool.offload.iter().map(|offload| offload.tier.name.as_str());
    let all = std::iter::once(HBM).chain(below).filter(|_| has_cache);
    all.map(|name| {
        let owner = format!("use_cases.{}.tiers.{name}", use_case.name);
        let get = |key: &str| found.get(&owner, key);
        let supplied = SuppliedSummary {
            hit_fraction: get("hit_fraction"),
            hit_tokens_mean: get("hit_tokens_mean"),
            hit_blocks_mean: get("hit_blocks_mean"),
        };
        (name.to_owned(), supplied)
    })
    .collect()
}

fn method(records: &[RunRecord], at: usize, metric: Metric) -> String {
    if records.iter().any(|run| run.windows.len() > 1) {
        return "mixture".to_string();
    }
    method_of(records.iter().all(|run| figures::latency(&run.whole, at, metric).exact))
}

pub(super) fn method_of(is_exact: bool) -> String {
    if is_exact { "exact".to_string() } else { "histogram".to_string() }
}

/// Whether the promised statistic, on average over replications, is kept; a
/// bound on every call is kept only if no replication broke it. Calls that were
/// refused or given up count as never answered.
fn is_met(records: &[RunRecord], at: usize, target: &Target) -> bool {
    let runs =
        records.iter().filter(|run| figures::latency(&run.whole, at, target.metric).count > 0);
    let values: Vec<f64> = runs.map(|run| promised(run, at, target)).collect();
    let bounds_every_call = target.statistic == Statistic::Quantile(1.0);
    let value = match values.len() {
        0 => return records.iter().all(|run| run.whole.use_cases[at].unanswered() == 0),
        _ if bounds_every_call => values.iter().copied().fold(0.0, f64::max),
        n => values.iter().sum::<f64>() / n as f64,
    };
    value <= target.bound_s
}

/// The promised statistic in one replication; infinite where it falls among
/// calls that were refused or given up.
fn promised(run: &RunRecord, at: usize, target: &Target) -> f64 {
    let record = figures::latency(&run.whole, at, target.metric);
    let calls = run.whole.use_cases[at].calls;
    let unanswered = run.whole.use_cases[at].unanswered();
    match target.statistic {
        Statistic::Mean if unanswered > 0 => f64::INFINITY,
        Statistic::Mean => record.mean,
        Statistic::Quantile(fraction) => {
            let served = fraction * (calls + unanswered) as f64 / calls as f64;
            if served > 1.0 { f64::INFINITY } else { at_fraction(record, served) }
        }
    }
}

/// The quantile at `fraction`: one of those kept, or read off the curve.
fn at_fraction(record: &LatencyRecord, fraction: f64) -> f64 {
    let kept = LatencyRecord::FRACTIONS.iter().position(|&kept| kept == fraction);
    if let Some(at) = kept {
        return record.quantiles[at];
    }
    let above = CDF_FRACTIONS.iter().position(|&kept| kept >= fraction);
    record.curve[above.unwrap_or(CDF_FRACTIONS.len() - 1)]
}
