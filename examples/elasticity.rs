//! What one more millisecond a call does to the run of an agent.
//!
//! `cargo run --release --example elasticity [-- KEY=VALUE ...]` reads the arms of
//! `scenarios/agent-elasticity.toml` that change the round trip. A single millisecond
//! drowns in what a loaded factory does differently once one call comes later, so the
//! arms add 50 to 400 of them. Arms are paired by replication: of each replication the
//! line through the origin that is nearest, by least squares, to the differences from
//! its own baseline has a slope, and intervals are Student's at 95 % over
//! replications. Beside it stands the number of calls on the path, which the slope of
//! the mean would be if nobody were in anybody's way.

use rayon::prelude::*;
use std::path::Path;
use tokenmill::kernel::TICKS_PER_SECOND;
use tokenmill::metrics::{AgentRuns, Part};
use tokenmill::scenario::{Arm, Overrides, Scenario, WarmUp, load};
use tokenmill::simulation::{Options, run};
use tokenmill::statistics::Interval;

const SCENARIO: &str = "scenarios/agent-elasticity.toml";
const FRACTIONS: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p95", 0.95), ("p99", 0.99)];

fn main() {
    let set = std::env::args().skip(1).collect();
    let loaded = load(Path::new(SCENARIO), &Overrides { set, ..Overrides::default() });
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    let trips_ms = |arm: &Arm| round_trip_ms(&arm.scenario);
    let mut arms = loaded.with_baseline();
    let from_ms = trips_ms(&arms[0]);
    arms.retain(|arm| arm.changes.is_empty() || trips_ms(arm) != from_ms);
    let more_ms: Vec<f64> = arms.iter().map(|arm| trips_ms(arm) - from_ms).collect();
    // One row a replication: the baseline's figures, and their slopes.
    let rows: Vec<(Vec<f64>, Vec<f64>)> = (0..u64::from(loaded.scenario.replications))
        .into_par_iter()
        .map(|replication| {
            let of_arm = |arm: &Arm| figures_ms(&arm.scenario, replication);
            let figures: Vec<Vec<f64>> = arms.iter().map(of_arm).collect();
            let slope = |at: usize| {
                let pairs = more_ms.iter().zip(&figures);
                let moment: f64 = pairs.map(|(ms, arm)| ms * (arm[at] - figures[0][at])).sum();
                moment / more_ms.iter().map(|ms| ms * ms).sum::<f64>()
            };
            let slopes = (0..figures[0].len()).map(slope).collect();
            (figures[0].clone(), slopes)
        })
        .collect();
    println!("{} replications, arms of {more_ms:?} ms more", rows.len());
    println!("| run | s | ms for one more ms a call |\n|---|---|---|");
    let names = ["mean"].into_iter().chain(FRACTIONS.map(|(name, _)| name));
    for (at, name) in names.enumerate() {
        let run_s: Vec<f64> = rows.iter().map(|(figures, _)| figures[at] / 1e3).collect();
        let slopes: Vec<f64> = rows.iter().map(|(_, slopes)| slopes[at]).collect();
        println!("| {name} | {} | {} |", text(&run_s), text(&slopes));
    }
    let calls: Vec<f64> = rows.iter().map(|(figures, _)| figures[5] / from_ms).collect();
    println!("\ncalls on the path of a run: {}", text(&calls));
}

fn round_trip_ms(scenario: &Scenario) -> f64 {
    let origins = scenario.use_cases[0].origins.as_ref().expect("a round trip");
    origins.regions[0].round_trips[0].seconds() * 1e3
}

/// Of the runs of a replication: mean and quantiles of their latency, and the mean
/// time on the network, ms.
fn figures_ms(scenario: &Scenario, replication: u64) -> Vec<f64> {
    let WarmUp::Fixed(warm_up) = scenario.warm_up else { panic!("the warm-up is given") };
    let record = run(scenario, replication, Options { warm_up, ..Options::default() });
    let runs: &AgentRuns = &record.whole.use_cases[0].agents[0];
    let ms = |ticks: f64| ticks * 1e3 / TICKS_PER_SECOND as f64;
    let quantiles = FRACTIONS.map(|(_, fraction)| runs.latency.quantile(fraction));
    let network = runs.whole().ticks[Part::Network as usize] as f64 / runs.done as f64;
    let ticks = [runs.latency.mean()].into_iter().chain(quantiles);
    ticks.map(|ticks| ms(ticks.expect("runs ended"))).chain([ms(network)]).collect()
}

/// A mean and half of its interval.
fn text(values: &[f64]) -> String {
    let interval = Interval::student(values).expect("a replication");
    let half = interval.high.zip(interval.low).map_or(f64::NAN, |(high, low)| (high - low) / 2.0);
    format!("{:.2} ± {half:.2}", interval.mean)
}
