//! From the records of all replications to figures with intervals.
//!
//! Everything is summed in replication order. A ratio of totals (dollars a
//! token, share of good calls) is a ratio of sums with a jackknife interval,
//! never a mean of ratios; a latency statistic is one value a replication with
//! a Student interval over them.

mod curves;
mod pool;
mod stability;
mod total;
mod use_case;

pub use curves::series;
pub use stability::mean_in_system;

use super::Summary;
use crate::kernel::Digest;
use crate::metrics::RunRecord;
use crate::scenario::{Regime, Scenario};
use crate::statistics::Interval;
use stability::Stability;

/// Version of the layout of [`Summary`].
const SCHEMA: u32 = 1;

/// The summary of `records`, which are all replications of `scenario` in order.
pub fn summary(scenario: &Scenario, records: &[RunRecord], digest: Digest) -> Summary {
    let stability: Vec<Stability> =
        (0..scenario.pools.len()).map(|pool| stability::of_pool(scenario, records, pool)).collect();
    let view = View { scenario, records };
    let mut warnings = stability::warnings(scenario, &stability);
    warnings.extend(scenario.warnings.iter().cloned());
    Summary {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        seed: scenario.seed,
        replications: scenario.replications,
        digest: digest.to_string(),
        regime: match scenario.regime {
            Regime::Steady => "steady".to_string(),
            Regime::Terminating => "terminating".to_string(),
        },
        warm_up_s: records[0].window_from_s,
        measured_s: view.each(|record| record.window_s).iter().sum::<f64>() / records.len() as f64,
        use_cases: use_case::summaries(&view, &stability, &mut warnings),
        pools: pool::summaries(&view, &stability),
        total: total::summary(&view),
        notes: total::notes(scenario),
        warnings,
    }
}

/// The records of a scenario, and the statistics taken over them.
struct View<'a> {
    scenario: &'a Scenario,
    records: &'a [RunRecord],
}

impl View<'_> {
    /// One value a replication.
    fn each(&self, value: impl Fn(&RunRecord) -> f64) -> Vec<f64> {
        self.records.iter().map(value).collect()
    }

    /// The mean of one value a replication.
    fn mean(&self, value: impl Fn(&RunRecord) -> f64) -> Option<Interval> {
        self.known(Interval::student(&self.each(value)))
    }

    /// A ratio of totals; absent when there is nothing to divide by.
    fn ratio(
        &self,
        numerator: impl Fn(&RunRecord) -> f64,
        denominator: impl Fn(&RunRecord) -> f64,
    ) -> Option<Interval> {
        let denominators = self.each(denominator);
        if denominators.iter().sum::<f64>() <= 0.0 {
            return None;
        }
        self.known(Interval::ratio(&self.each(numerator), &denominators))
    }

    /// Without randomness one run is the exact answer, not a sample of it.
    fn known(&self, interval: Option<Interval>) -> Option<Interval> {
        interval.map(|interval| match self.scenario.is_random() {
            true => interval,
            false => Interval::constant(interval.mean),
        })
    }
}
