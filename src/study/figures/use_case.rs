//! Figures of a use case.

use super::{Figure, Share, jobs, region, tier};
use crate::economics::{shares, usd_per_second};
use crate::kernel::TICKS_PER_SECOND;
use crate::metrics::{LatencyRecord, Stretch, ThinkingRecord, TtftParts, UseCaseRecord};
use crate::scenario::{Metric, Scenario};

type Count = fn(&UseCaseRecord) -> u64;
pub(super) type Statistic = fn(&LatencyRecord) -> f64;
type Ticks = fn(&TtftParts) -> u128;

/// Latencies by the name of their key, in the order of the summary.
const LATENCIES: [(&str, Metric); 6] = [
    ("ttft_s", Metric::Ttft),
    ("visible_ttft_s", Metric::VisibleTtft),
    ("tpot_s", Metric::Tpot),
    ("itl_s", Metric::Itl),
    ("e2e_s", Metric::E2e),
    ("queue_s", Metric::Queue),
];

/// Statistics of a latency by the name of their key.
pub(super) const STATISTICS: [(&str, Statistic); 5] = [
    ("mean", |latency| latency.mean),
    ("p50", |latency| latency.quantiles[0]),
    ("p90", |latency| latency.quantiles[1]),
    ("p95", |latency| latency.quantiles[2]),
    ("p99", |latency| latency.quantiles[3]),
];

/// Counts over the calls that arrived in the window.
const PER_CALL: [(&str, Count); 3] = [
    ("prompt_tokens_mean", |calls| calls.prompt_tokens),
    ("output_tokens_mean", |calls| calls.output_tokens),
    ("preemptions_per_call", |calls| calls.preemptions),
];

/// Parts of the mean time to first token, beside `queue_s.mean`: where there is a
/// network, where there are tiers, and always.
const NETWORK: (&str, Ticks) = ("network_s.mean", |parts| parts.network);
const FETCH: (&str, Ticks) = ("fetch_s.mean", |parts| parts.fetch);
const PREFILL: (&str, Ticks) = ("prefill_s.mean", |parts| parts.prefill);

/// The figures of the use case at index `at`.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    let path = |key: &str| format!("use_cases.{}.{key}", use_case.name);
    let (pool, pools) = (use_case.pool, use_case.pools());
    let mut figures = vec![per_second(path("calls_per_s"), at, |calls| calls.finished)];
    figures.extend(PER_CALL.map(|(key, count)| per_call(path(key), at, count)));
    if use_case.cache_hit.is_some() || scenario.pools[pool].engine.prefix_cache.is_some() {
        figures.push(Figure::new(path("cache_hit_fraction"), move |run| {
            let record = &run.use_cases[at];
            Share::over(record.cached_tokens as f64, record.prompt_tokens as f64)
        }));
        figures.extend(tier::figures_of_use_case(scenario, at));
    }
    if use_case.has_sessions() {
        figures.push(per_second(path("sessions.began_per_s"), at, |calls| calls.sessions.began));
        figures.push(Figure::new(path("sessions.turns_mean"), move |run| {
            let sessions = &run.use_cases[at].sessions;
            Share::over(sessions.turns as f64, (sessions.completed + sessions.aborted) as f64)
        }));
    }
    figures.extend(jobs::figures(scenario, at));
    if use_case.thinking.is_some() {
        figures.extend(thinking(&path, at));
    }
    let thinks = use_case.thinking.is_some();
    let latencies = LATENCIES.into_iter();
    for (key, metric) in latencies.filter(|(_, m)| thinks || *m != Metric::VisibleTtft) {
        for (statistic, value) in STATISTICS {
            let share = move |run: &Stretch| statistic_of(latency(run, at, metric), value);
            figures.push(Figure::new(path(&format!("{key}.{statistic}")), share).steady_on(pools));
        }
    }
    let network = use_case.has_network().then_some(NETWORK);
    let fetch = (!scenario.pools[pool].offload.is_empty()).then_some(FETCH);
    let parts = network.into_iter().chain(fetch).chain([PREFILL]);
    figures.extend(parts.map(|(key, ticks)| part(path(key), at, ticks).steady_on(pools)));
    if !use_case.slo.targets.is_empty() {
        let good: Count = |calls| calls.good;
        // A call that was refused or given up kept no promise.
        let fraction = Figure::new(path("goodput_fraction"), move |run| {
            let record = &run.use_cases[at];
            Share::Ratio(record.good as f64, (record.calls + record.unanswered()) as f64)
        });
        figures.push(fraction.steady_on(pools));
        figures.push(per_second(path("goodput_calls_per_s"), at, good).steady_on(pools));
    }
    figures.extend(dollars(scenario, path, at));
    figures.extend(region::figures(scenario, at));
    figures
}

/// What a replication contributes to a statistic: nothing without a value.
pub(super) fn statistic_of(latency: &LatencyRecord, value: Statistic) -> Share {
    if latency.count == 0 { Share::Nothing } else { Share::Value(value(latency)) }
}

/// The record of `metric` of the use case at index `at`.
pub fn latency(run: &Stretch, at: usize, metric: Metric) -> &LatencyRecord {
    let record = &run.use_cases[at];
    match metric {
        Metric::Ttft => &record.ttft,
        // Where nothing is thought, the first token is the first visible one.
        Metric::VisibleTtft => record.thinking.as_ref().map_or(&record.ttft, |t| &t.visible_ttft),
        Metric::Tpot => &record.tpot,
        Metric::Itl => &record.itl,
        Metric::E2e => &record.e2e,
        Metric::Queue => &record.queue,
    }
}

/// What calls thought.
fn thinking(path: &impl Fn(&str) -> String, at: usize) -> Vec<Figure> {
    type Ratio = fn(&UseCaseRecord, &ThinkingRecord) -> (u64, u64);
    const RATIOS: [(&str, Ratio); 4] = [
        ("calls_fraction", |record, thought| (thought.calls, record.calls)),
        ("cut_fraction", |record, thought| (thought.cut, record.calls)),
        ("output_fraction", |record, thought| (thought.tokens, record.output_tokens)),
        ("tokens_mean", |_, thought| (thought.tokens, thought.calls)),
    ];
    const QUANTILES: [(&str, usize); 5] = [
        ("tokens_p50", 0),
        ("tokens_p90", 1),
        ("tokens_p95", 2),
        ("tokens_p99", 3),
        ("tokens_max", 4),
    ];
    let ratios = RATIOS.map(|(key, ratio)| {
        Figure::new(path(&format!("thinking.{key}")), move |run| {
            let (tokens, of) = ratio(&run.use_cases[at], thought(run, at));
            Share::over(tokens as f64, of as f64)
        })
    });
    let quantiles = QUANTILES.map(|(key, index)| {
        Figure::new(path(&format!("thinking.{key}")), move |run| {
            let tokens = thought(run, at).quantiles.get(index);
            tokens.map_or(Share::Nothing, |&tokens| Share::Value(tokens))
        })
    });
    ratios.into_iter().chain(quantiles).collect()
}

fn thought(run: &Stretch, at: usize) -> &ThinkingRecord {
    run.use_cases[at].thinking.as_ref().expect("its calls may think")
}

/// A mean over calls, contributed as other latencies are.
fn part(path: String, at: usize, ticks: Ticks) -> Figure {
    Figure::new(path, move |run| {
        let record = &run.use_cases[at];
        match record.calls {
            0 => Share::Nothing,
            calls => {
                let mean = ticks(&record.ttft_parts) as f64 / calls as f64;
                Share::Value(mean / TICKS_PER_SECOND as f64)
            }
        }
    })
}

fn per_call(path: String, at: usize, count: Count) -> Figure {
    Figure::new(path, move |run| {
        let record = &run.use_cases[at];
        Share::Ratio(count(record) as f64, record.calls as f64)
    })
}

fn per_second(path: String, at: usize, count: Count) -> Figure {
    Figure::new(path, move |run| Share::Ratio(count(&run.use_cases[at]) as f64, run.window_s))
}

/// What of a pool's cost is shared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Base {
    /// All of it, idle time included.
    Allocation,
    /// That of the time in which it stepped, or waited for KV blocks to be fetched.
    Usage,
}

/// What a use case costs, an hour and a call: the cost of each pool shared among its
/// use cases by the GPU time that they took there. None without a price.
fn dollars(scenario: &Scenario, path: impl Fn(&str) -> String, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    let cost = |&pool: &usize| Some((pool, usd_per_second(&scenario.pools[pool])?));
    let costs: Option<Vec<(usize, f64)>> = use_case.pools().iter().map(cost).collect();
    let Some(costs) = costs else { return Vec::new() };
    let replicas: Vec<f64> = scenario.pools.iter().map(|pool| pool.replicas.into()).collect();
    let figure = |key: &str, base: Base, over: fn(&Stretch, usize) -> f64| {
        let (costs, replicas) = (costs.clone(), replicas.clone());
        let figure = Figure::new(path(key), move |run| {
            let usd = |&(pool, usd_per_s): &(usize, f64)| {
                let used = match base {
                    Base::Allocation => run.window_s,
                    Base::Usage => run.pools[pool].used_s() / replicas[pool],
                };
                usd_per_s * used * shares(&run.pools[pool].work)[at]
            };
            Share::Ratio(costs.iter().map(usd).sum(), over(run, at))
        });
        // Without a steady state the calls that arrive are not those that are served.
        figure.steady_on(use_case.pools())
    };
    let calls = |run: &Stretch, at: usize| run.use_cases[at].calls as f64;
    vec![
        figure("usd_per_hour", Base::Allocation, |run, _| run.window_s / 3600.0),
        figure("usd_per_call", Base::Allocation, calls),
        figure("usage_usd_per_call", Base::Usage, calls),
    ]
}
