//! Figures of each use case.

use super::Found;
use crate::metrics::{CDF_FRACTIONS, LatencyRecord, RunRecord, UseCaseRecord};
use crate::scenario::{Metric, Scenario, Statistic, Target};
use crate::study::figures::latency;
use crate::study::{Latency, UseCaseSummary};
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

/// One warning a use case that has calls nobody could serve.
pub fn rejections(summaries: &IndexMap<String, UseCaseSummary>) -> Vec<String> {
    let rejected = summaries.iter().filter(|(_, summary)| summary.rejected > 0);
    rejected
        .map(|(name, summary)| {
            format!(
                "use case {name}: {} calls were rejected because they are longer than \
                 max_model_len or than all KV blocks of a rank",
                summary.rejected
            )
        })
        .collect()
}

fn summary(scenario: &Scenario, records: &[RunRecord], found: &Found, at: usize) -> UseCaseSummary {
    let use_case = &scenario.use_cases[at];
    let owner = format!("use_cases.{}", use_case.name);
    let get = |key: &str| found.get(&owner, key);
    let total = |count: fn(&UseCaseRecord) -> u64| -> u64 {
        records.iter().map(|run| count(&run.use_cases[at])).sum()
    };
    let latency = |key: &str, metric| Latency {
        mean: get(&format!("{key}.mean")),
        p50: get(&format!("{key}.p50")),
        p90: get(&format!("{key}.p90")),
        p95: get(&format!("{key}.p95")),
        p99: get(&format!("{key}.p99")),
        method: method(records, at, metric),
    };
    let goodput_fraction = get("goodput_fraction");
    let kept = || use_case.slo.targets.iter().all(|target| is_met(records, at, target));
    UseCaseSummary {
        pool: scenario.pools[use_case.pool].name.clone(),
        calls: total(|record| record.calls),
        rejected: total(|record| record.rejected),
        calls_per_s: get("calls_per_s"),
        prompt_tokens_mean: get("prompt_tokens_mean"),
        output_tokens_mean: get("output_tokens_mean"),
        ttft_s: latency("ttft_s", Metric::Ttft),
        tpot_s: latency("tpot_s", Metric::Tpot),
        itl_s: latency("itl_s", Metric::Itl),
        e2e_s: latency("e2e_s", Metric::E2e),
        queue_s: latency("queue_s", Metric::Queue),
        preemptions_per_call: get("preemptions_per_call"),
        goodput_fraction,
        goodput_calls_per_s: get("goodput_calls_per_s"),
        slo_met: goodput_fraction.map(|_| kept()),
        usd_per_call: get("usd_per_call"),
    }
}

fn method(records: &[RunRecord], at: usize, metric: Metric) -> String {
    let is_exact = records.iter().all(|run| latency(run, at, metric).exact);
    if is_exact { "exact".to_string() } else { "histogram".to_string() }
}

/// Whether the promised statistic, on average over replications, is kept. A
/// bound on every call counts as kept when the largest value keeps it.
fn is_met(records: &[RunRecord], at: usize, target: &Target) -> bool {
    let value = |record: &LatencyRecord| match target.statistic {
        Statistic::Mean => record.mean,
        Statistic::Quantile(fraction) => at_fraction(record, fraction),
    };
    let records = records.iter().map(|run| latency(run, at, target.metric));
    let values: Vec<f64> = records.filter(|record| record.count > 0).map(value).collect();
    values.is_empty() || values.iter().sum::<f64>() / values.len() as f64 <= target.bound_s
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
