//! The rate that an overloaded pool can sustain, from runs that have settled.
//!
//! A pool that is asked for more than it can do still fills its batches at first, so
//! what it finishes in a short window is less than what it can finish. Runs go on for
//! twice as long until the rate no longer changes.

use crate::kernel::{Span, Time};
use crate::metrics::RunRecord;
use crate::scenario::{Regime, Scenario};
use crate::simulation::{Options, Part};
use crate::statistics::Interval;
use crate::study::reduce::Stability;
use rayon::prelude::*;

/// Change of the rate from one run to one of twice its length that counts as none.
const CHANGE_MAX: f64 = 0.02;
/// Most times that runs are made twice as long.
const DOUBLINGS_MAX: u32 = 4;
/// Most replications.
const REPLICATIONS_MAX: u32 = 4;

/// Calls a second that each unstable pool of `scenario` can sustain; `None` for the
/// others, and where the rate did not settle. `done` is told the calls of each run.
pub fn sustained(
    scenario: &Scenario,
    stability: &[Stability],
    audit: bool,
    done: &(impl Fn(u64) + Sync),
) -> Vec<Option<Interval>> {
    let is_unstable = |pool: &usize| stability[*pool].known() == Some(false);
    let pools: Vec<usize> = (0..stability.len()).filter(is_unstable).collect();
    let mut found = vec![None; stability.len()];
    let (Some(duration), Regime::Steady, None) =
        (scenario.duration, scenario.regime, &scenario.windows)
    else {
        return found;
    };
    let mut before: Option<Vec<Interval>> = None;
    for doubling in 0..=DOUBLINGS_MAX {
        if pools.is_empty() {
            break;
        }
        let length = Span::from_ticks(duration.ticks() << doubling);
        let records = run(scenario, length, audit, done);
        let rates: Option<Vec<Interval>> = pools.iter().map(|&at| rate(&records, at)).collect();
        let Some(rates) = rates else { break };
        let has_settled = |(now, then): (&Interval, &Interval)| {
            (now.mean - then.mean).abs() <= CHANGE_MAX * now.mean
        };
        if before.as_ref().is_some_and(|before| rates.iter().zip(before).all(has_settled)) {
            pools.iter().zip(&rates).for_each(|(&at, rate)| found[at] = Some(*rate));
            break;
        }
        before = Some(rates);
    }
    found
}

/// Replications that are measured for `length` after as long a warm-up; none if one was
/// cut off before.
fn run(
    scenario: &Scenario,
    length: Span,
    audit: bool,
    done: &(impl Fn(u64) + Sync),
) -> Vec<RunRecord> {
    let part = Some(Part { from: Time::ZERO, length });
    let options = Options { warm_up: length, audit, part, ends_with_window: true };
    let replications = 0..scenario.replications.min(REPLICATIONS_MAX);
    let one = |replication| {
        let record = crate::simulation::run(scenario, u64::from(replication), options);
        done(record.calls);
        record
    };
    replications.into_par_iter().map(one).collect()
}

/// What the pool finished a second; `None` where a run did not reach its window's end.
fn rate(records: &[RunRecord], pool: usize) -> Option<Interval> {
    let is_whole = |record: &RunRecord| record.whole.window_s > 0.0 && record.cut_off.is_none();
    if !records.iter().all(is_whole) {
        return None;
    }
    let finished: Vec<f64> =
        records.iter().map(|record| record.whole.pools[pool].finished as f64).collect();
    let seconds: Vec<f64> = records.iter().map(|record| record.whole.window_s).collect();
    Interval::ratio(&finished, &seconds)
}
