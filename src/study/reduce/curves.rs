//! The curves that charts are drawn from.

use super::View;
use super::pool::itl;
use super::use_case::record;
use crate::kernel::Span;
use crate::metrics::{CDF_FRACTIONS, Point, RunRecord, Timeline};
use crate::scenario::{Metric, Scenario};
use crate::statistics::Interval;
use crate::study::capacity::frontier;
use crate::study::{Band, Cdf, FrontierPoint, PoolSeries, Series, Summary, UseCaseSeries};

/// Series of all use cases and pools.
pub fn series(scenario: &Scenario, records: &[RunRecord], summary: &Summary) -> Series {
    let view = View { scenario, records };
    let use_cases = scenario.use_cases.iter().enumerate().map(|(at, use_case)| {
        let is_stable = summary.pools[use_case.pool].stable;
        (use_case.name.clone(), use_case_series(&view, at, is_stable))
    });
    let interval = records.iter().map(|record| record.timeline.interval()).max();
    let interval = interval.unwrap_or(Span::ZERO);
    let timelines: Vec<Timeline> =
        records.iter().map(|record| record.timeline.at_interval(interval)).collect();
    let pools = scenario
        .pools
        .iter()
        .enumerate()
        .map(|(at, pool)| (pool.name.clone(), pool_series(&view, &timelines, at, summary)));
    Series { use_cases: use_cases.collect(), pools: pools.collect() }
}

fn use_case_series(view: &View, at: usize, is_stable: bool) -> UseCaseSeries {
    if !is_stable {
        return UseCaseSeries::default();
    }
    UseCaseSeries {
        ttft_s: cdf(view, at, Metric::Ttft),
        tpot_s: cdf(view, at, Metric::Tpot),
        itl_s: cdf(view, at, Metric::Itl),
        e2e_s: cdf(view, at, Metric::E2e),
        queue_s: cdf(view, at, Metric::Queue),
    }
}

fn cdf(view: &View, at: usize, metric: Metric) -> Cdf {
    let curves: Vec<&[f64]> = view
        .records
        .iter()
        .map(|run| record(run, at, metric).curve.as_slice())
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

fn pool_series(view: &View, timelines: &[Timeline], at: usize, summary: &Summary) -> PoolSeries {
    let pool = &view.scenario.pools[at];
    let length = timelines.iter().map(Timeline::len).max().unwrap_or(0);
    let interval_s = timelines.first().map_or(0.0, |timeline| timeline.interval().seconds());
    let over = |value: &dyn Fn(&Point) -> f64| {
        band(length, |sample| {
            // A replication that has already ended is empty, not absent.
            let points = timelines.iter().map(|timeline| timeline.pool(at).get(sample));
            points.map(|point| point.map_or(0.0, value)).collect()
        })
    };
    let blocks = f64::from(pool.kv.blocks) * f64::from(pool.replicas * pool.parallelism.data);
    PoolSeries {
        t_s: (1..=length).map(|sample| sample as f64 * interval_s).collect(),
        running: over(&|point| f64::from(point.running)),
        waiting: over(&|point| f64::from(point.waiting)),
        kv_use: over(&|point| point.blocks_used as f64 / blocks),
        frontier: frontier(view.scenario, at),
        operating: operating(view, at, summary),
    }
}

/// Where each replication ended up.
fn operating(view: &View, at: usize, summary: &Summary) -> Vec<FrontierPoint> {
    let pool = &view.scenario.pools[at];
    let ranks = f64::from(pool.replicas * pool.parallelism.data);
    if !summary.pools[at].stable {
        return Vec::new();
    }
    let points = view.records.iter().filter_map(|run| {
        let (tokens, seconds) = itl(view, run, at);
        let record = &run.pools[at];
        (seconds > 0.0 && run.window_s > 0.0).then(|| FrontierPoint {
            concurrency: record.running_mean / ranks,
            tok_per_s_per_user: tokens / seconds,
            output_tok_per_s_per_gpu: record.output_tokens as f64
                / (run.window_s * f64::from(pool.gpus())),
        })
    });
    points.collect()
}
