//! Figures of each use case.

use super::View;
use super::stability::Stability;
use crate::economics::usd_per_second;
use crate::metrics::{LatencyRecord, RunRecord, UseCaseRecord};
use crate::scenario::{Metric, Statistic, Target};
use crate::study::{Latency, UseCaseSummary};
use indexmap::IndexMap;

/// One summary a use case; a missed promise adds a warning.
pub fn summaries(
    view: &View,
    stability: &[Stability],
    warnings: &mut Vec<String>,
) -> IndexMap<String, UseCaseSummary> {
    let use_cases = view.scenario.use_cases.iter().enumerate();
    use_cases
        .map(|(at, use_case)| {
            let summary = summary(view, at, stability[use_case.pool].is_stable);
            if summary.rejected > 0 {
                warnings.push(format!(
                    "use case {}: {} calls were rejected because they are longer than \
                     max_model_len or than all KV blocks of a rank",
                    use_case.name, summary.rejected
                ));
            }
            (use_case.name.clone(), summary)
        })
        .collect()
}

fn summary(view: &View, at: usize, is_stable: bool) -> UseCaseSummary {
    let use_case = &view.scenario.use_cases[at];
    let total = |count: fn(&UseCaseRecord) -> u64| -> u64 {
        view.records.iter().map(|run| count(&run.use_cases[at])).sum()
    };
    let per_call = |count: fn(&UseCaseRecord) -> u64| {
        view.ratio(|run| count(&run.use_cases[at]) as f64, |run| run.use_cases[at].calls as f64)
    };
    let per_second = |count: fn(&UseCaseRecord) -> u64| {
        view.ratio(|run| count(&run.use_cases[at]) as f64, |run| run.window_s)
    };
    let latency = |metric| match is_stable {
        true => latency(view, at, metric),
        false => withheld(view, at, metric),
    };
    let has_slo = !use_case.slo.targets.is_empty() && is_stable;
    UseCaseSummary {
        pool: view.scenario.pools[use_case.pool].name.clone(),
        calls: total(|record| record.calls),
        rejected: total(|record| record.rejected),
        calls_per_s: per_second(|record| record.finished),
        prompt_tokens_mean: per_call(|record| record.prompt_tokens),
        output_tokens_mean: per_call(|record| record.output_tokens),
        ttft_s: latency(Metric::Ttft),
        tpot_s: latency(Metric::Tpot),
        itl_s: latency(Metric::Itl),
        e2e_s: latency(Metric::E2e),
        queue_s: latency(Metric::Queue),
        preemptions_per_call: per_call(|record| record.preemptions),
        goodput_fraction: has_slo.then(|| per_call(|record| record.good)).flatten(),
        goodput_calls_per_s: has_slo.then(|| per_second(|record| record.good)).flatten(),
        slo_met: has_slo
            .then(|| use_case.slo.targets.iter().all(|target| is_met(view, at, target))),
        usd_per_call: usd_per_call(view, at),
    }
}

/// The record of `metric` in one replication.
pub fn record(run: &RunRecord, use_case: usize, metric: Metric) -> &LatencyRecord {
    let record = &run.use_cases[use_case];
    match metric {
        Metric::Ttft => &record.ttft,
        Metric::Tpot => &record.tpot,
        Metric::Itl => &record.itl,
        Metric::E2e => &record.e2e,
        Metric::Queue => &record.queue,
    }
}

fn latency(view: &View, at: usize, metric: Metric) -> Latency {
    // A replication without a value has no statistic to contribute.
    let over = |value: fn(&LatencyRecord) -> f64| {
        let records = view.records.iter().map(|run| record(run, at, metric));
        let values: Vec<f64> = records.filter(|record| record.count > 0).map(value).collect();
        view.known(crate::statistics::Interval::student(&values))
    };
    Latency {
        mean: over(|record| record.mean),
        p50: over(|record| record.quantiles[0]),
        p90: over(|record| record.quantiles[1]),
        p95: over(|record| record.quantiles[2]),
        p99: over(|record| record.quantiles[3]),
        method: method(view, at, metric),
    }
}

fn withheld(view: &View, at: usize, metric: Metric) -> Latency {
    let method = method(view, at, metric);
    Latency { mean: None, p50: None, p90: None, p95: None, p99: None, method }
}

fn method(view: &View, at: usize, metric: Metric) -> String {
    let is_exact = view.records.iter().all(|run| record(run, at, metric).exact);
    if is_exact { "exact".to_string() } else { "histogram".to_string() }
}

/// Whether the promised statistic, on average over replications, is kept. A
/// bound on every call counts as kept when the largest value keeps it.
fn is_met(view: &View, at: usize, target: &Target) -> bool {
    let value = |record: &LatencyRecord| match target.statistic {
        Statistic::Mean => record.mean,
        Statistic::Quantile(fraction) => at_fraction(record, fraction),
    };
    let records = view.records.iter().map(|run| record(run, at, target.metric));
    let values: Vec<f64> = records.filter(|record| record.count > 0).map(value).collect();
    values.is_empty() || values.iter().sum::<f64>() / values.len() as f64 <= target.bound_s
}

/// The quantile at `fraction`: one of those kept, or read off the curve.
fn at_fraction(record: &LatencyRecord, fraction: f64) -> f64 {
    let kept = LatencyRecord::FRACTIONS.iter().position(|&kept| kept == fraction);
    if let Some(at) = kept {
        return record.quantiles[at];
    }
    let fractions = &crate::metrics::CDF_FRACTIONS;
    let above = fractions.iter().position(|&kept| kept >= fraction).unwrap_or(fractions.len() - 1);
    record.curve[above]
}

/// Dollars a call: the pool's cost shared among its use cases by the tokens
/// (prompt and output) that they processed.
fn usd_per_call(view: &View, at: usize) -> Option<crate::statistics::Interval> {
    let pool = view.scenario.use_cases[at].pool;
    let usd_per_s = usd_per_second(&view.scenario.pools[pool])?;
    let tokens = |record: &UseCaseRecord| (record.prompt_tokens + record.output_tokens) as f64;
    let on_pool = |run: &RunRecord| -> f64 {
        let use_cases = view.scenario.use_cases.iter().zip(&run.use_cases);
        use_cases.filter(|(case, _)| case.pool == pool).map(|(_, record)| tokens(record)).sum()
    };
    view.ratio(
        |run| match on_pool(run) {
            0.0 => 0.0,
            all => usd_per_s * run.window_s * tokens(&run.use_cases[at]) / all,
        },
        |run| run.use_cases[at].calls as f64,
    )
}
