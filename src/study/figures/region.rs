//! Figures of a use case by the region of its users.

use super::use_case::{STATISTICS, statistic_of};
use super::{Figure, Share};
use crate::kernel::TICKS_PER_SECOND;
use crate::metrics::{LatencyRecord, RegionRecord, Stretch};
use crate::scenario::Scenario;

type Latency = fn(&RegionRecord) -> &LatencyRecord;

/// What users see, by the name of its key.
const LATENCIES: [(&str, Latency); 2] =
    [("ttft_s", |region| &region.ttft), ("e2e_s", |region| &region.e2e)];

/// The figures of the regions of the use case at index `at`; none where its users
/// are not told apart.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    let Some(origins) = use_case.by_region() else { return Vec::new() };
    let pools = use_case.pools();
    let mut figures = Vec::new();
    for (index, origin) in origins.regions.iter().enumerate() {
        let path =
            |key: &str| format!("use_cases.{}.regions.{}.{key}", use_case.name, origin.region);
        figures.push(Figure::new(path("calls_per_s"), move |run| {
            Share::Ratio(of(run, at, index).calls as f64, run.window_s)
        }));
        for (key, latency) in LATENCIES {
            for (statistic, fraction) in STATISTICS {
                let share = share(at, index, latency, fraction);
                let path = path(&format!("{key}.{statistic}"));
                figures.push(Figure::new(path, share).steady_on(pools));
            }
        }
        if use_case.has_network() {
            figures.push(Figure::new(path("network_s.mean"), move |run| {
                let region = of(run, at, index);
                let ticks = region.network as f64 / TICKS_PER_SECOND as f64;
                Share::over(ticks, region.calls as f64)
            }));
        }
        if !use_case.slo.targets.is_empty() {
            let fraction = Figure::new(path("goodput_fraction"), move |run| {
                let region = of(run, at, index);
                Share::over(region.good as f64, region.calls as f64)
            });
            figures.push(fraction.steady_on(pools));
        }
        for (site, &pool) in pools.iter().enumerate() {
            let path = path(&format!("served_fraction.{}", scenario.pools[pool].name));
            figures.push(Figure::new(path, move |run| {
                let region = of(run, at, index);
                Share::over(region.sites[site].calls as f64, region.calls as f64)
            }));
        }
    }
    figures
}

fn of(run: &Stretch, at: usize, region: usize) -> &RegionRecord {
    &run.use_cases[at].regions[region]
}

fn share(
    at: usize,
    region: usize,
    latency: Latency,
    fraction: Option<f64>,
) -> impl Fn(&Stretch) -> Share {
    move |run| statistic_of(latency(of(run, at, region)), fraction)
}
