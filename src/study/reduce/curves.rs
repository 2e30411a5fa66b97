//! The curves that charts are drawn from.

use crate::kernel::Span;
use crate::metrics::{CDF_FRACTIONS, Point, RunRecord, Timeline};
use crate::scenario::{Metric, Scenario};
use crate::statistics::Interval;
use crate::study::capacity::frontier;
use crate::study::figures::{gaps, latency, served_by};
use crate::study::{Band, Cdf, FrontierPoint, PoolSeries, Series, Summary, UseCaseSeries};

/// Series of all use cases and pools.
pub fn series(scenario: &Scenario, records: &[RunRecord], summary: &Summary) -> Series {
    let use_cases = scenario.use_cases.iter().enumerate().map(|(at, use_case)| {
        let is_stable = use_case.pools().iter().all(|&pool| summary.pools[pool].stable);
        let thinks = use_case.thinking.is_some();
        (use_case.name.clone(), use_case_series(records, at, is_stable, thinks))
    });
    let interval = records.iter().map(|record| record.timeline.interval()).max();
    let interval = interval.unwrap_or(Span::ZERO);
    let timelines: Vec<Timeline> =
        records.iter().map(|record| record.timeline.at_interval(interval)).collect();
    let pools = scenario.pools.iter().enumerate().map(|(at, pool)| {
        (pool.name.clone(), pool_series(scenario, records, &timelines, at, summary))
    });
    Series { use_cases: use_cases.collect(), pools: pools.collect(), horizon: None }
}

fn use_case_series(
    records: &[RunRecord],
    at: usize,
    is_stable: bool,
    thinks: bool,
) -> UseCaseSeries {
    if !is_stable {
        return UseCaseSeries::default();
    }
    UseCaseSeries {
        ttft_s: cdf(records, at, Metric::Ttft),
        visible_ttft_s: match thinks {
            true => cdf(records, at, Metric::VisibleTtft),
            false => Cdf::default(),
        },
        tpot_s: cdf(records, at, Metric::Tpot),
        itl_s: cdf(records, at, Metric::Itl),
        e2e_s: cdf(records, at, Metric::E2e),
        queue_s: cdf(records, at, Metric::Queue),
    }
}

fn cdf(records: &[RunRecord], at: usize, metric: Metric) -> Cdf {
    let curves: Vec<&[f64]> = records
        .iter()
        .map(|run| latency(&run.whole, at, metric).known.quantiles())
        .filter(|curve| !curve.is_empty())
        .collect();
    if curves.is_empty() {
        return Cdf::default();
    }
    let value = band(CDF_FRACTIONS.len(), |i| curves.iter().map(|curve| curve[i]).collect());
    Cdf { fraction: CDF_FRACTIONS.to_vec(), value }
}

/// A band over replications from the values at each of `length` places.
fn band(length: usize, values: impl Fn(usize) -> Vec<f64>) -> Band {
    let mut band = Band::default();
    for place in 0..length {
        let interval = Interval::student(&values(place)).expect("one value a replication");
        band.mean.push(interval.mean);
        band.low.push(interval.low.unwrap_or(interval.mean));
        band.high.push(interval.high.unwrap_or(interval.mean));
    }
    band
}

fn pool_series(
    scenario: &Scenario,
    records: &[RunRecord],
    timelines: &[Timeline],
    at: usize,
    summary: &Summary,
) -> PoolSeries {
    let pool = &scenario.pools[at];
    let length = timelines.iter().map(Timeline::len).max().unwrap_or(0);
    let interval_s = timelines.first().map_or(0.0, |timeline| timeline.interval().seconds());
    let over = |value: &dyn Fn(&Point) -> f64| {
        band(length, |sample| {
            // A replication that has already ended is empty; one that was cut off is absent.
            let points = timelines.iter().map(|timeline| timeline.pool(at).get(sample));
            let present = points.zip(records).filter_map(|(point, run)| match point {
                Some(point) => Some(value(point)),
                None => run.cut_off.is_none().then_some(0.0),
            });
            present.collect()
        })
    };
    let blocks = f64::from(pool.kv.blocks) * f64::from(pool.replicas * pool.parallelism.data);
    PoolSeries {
        t_s: (1..=length).map(|sample| sample as f64 * interval_s).collect(),
        running: over(&|point| f64::from(point.running)),
        waiting: over(&|point| f64::from(point.waiting)),
        kv_use: over(&|point| point.blocks_used as f64 / blocks),
        frontier: frontier(scenario, at),
        operating: operating(scenario, records, at, summary),
    }
}

/// Where each replication ended up.
fn operating(
    scenario: &Scenario,
    records: &[RunRecord],
    at: usize,
    summary: &Summary,
) -> Vec<FrontierPoint> {
    let pool = &scenario.pools[at];
    let use_cases = served_by(scenario, at);
    let ranks = f64::from(pool.replicas * pool.parallelism.data);
    if !summary.pools[at].stable {
        return Vec::new();
    }
    let points = records.iter().filter_map(|run| {
        let (tokens, seconds) = gaps(&run.whole, &use_cases);
        let record = &run.whole.pools[at];
        (seconds > 0.0 && run.whole.window_s > 0.0).then(|| FrontierPoint {
            concurrency: record.running_mean / ranks,
            tok_per_s_per_user: tokens / seconds,
            output_tok_per_s_per_gpu: record.output_tokens as f64
                / (run.whole.window_s * f64::from(pool.gpus())),
        })
    });
    points.collect()
}
