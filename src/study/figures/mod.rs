//! The figures that a run can be asked for: one list for summaries,
//! comparisons, sweeps and everything else that names a figure.

mod figure;
mod pool;
mod use_case;

pub use figure::{Figure, Share, interval, jackknife_pair};
pub use pool::{gaps, served_by};
pub use use_case::latency;

use crate::scenario::Scenario;

/// All figures of `scenario`, in the order of summary.json.
pub fn figures(scenario: &Scenario) -> Vec<Figure> {
    let use_cases = (0..scenario.use_cases.len()).flat_map(|at| use_case::figures(scenario, at));
    let pools = (0..scenario.pools.len()).flat_map(|at| pool::figures(scenario, at));
    use_cases.chain(pools).collect()
}
