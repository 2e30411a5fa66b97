//! Calls that wait for long although the pool is not loaded in the mean: a burst of a
//! recording, a crowd, the peak of a day.

use crate::metrics::RunRecord;
use crate::scenario::Scenario;
use crate::study::{Load, UseCaseSummary};
use indexmap::IndexMap;

/// Shortest wait that is told of, s.
const WAIT_S_MIN: f64 = 60.0;
/// Share of the longest line from which on it counts as one.
const LINE_MIN: f64 = 0.05;

/// A time in which more calls came than the pool can finish.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Rush {
    from_s: f64,
    until_s: f64,
    /// Offered over capacity in it.
    load: f64,
}

/// One sentence a use case of whose calls one in twenty waits for more than a minute
/// while its pools could finish more calls than are offered in the mean.
pub fn warnings(
    scenario: &Scenario,
    records: &[RunRecord],
    summaries: &IndexMap<String, UseCaseSummary>,
    loads: &[Option<Load>],
) -> Vec<String> {
    let use_cases = scenario.use_cases.iter().zip(summaries.values());
    let sentence = |(use_case, summary): (&crate::scenario::UseCase, &UseCaseSummary)| {
        let wait_s = summary.queue_s.p95?.mean;
        let pools = use_case.pools().iter();
        let load = |&at: &usize| Some((at, loads[at]?, loads[at]?.share()?));
        // The one with the largest load is the likeliest to be waited for.
        let (at, load, share) = pools.filter_map(load).max_by(|a, b| a.2.total_cmp(&b.2))?;
        (wait_s > WAIT_S_MIN && share < 1.0).then(|| {
            let pool = &scenario.pools[at].name;
            let rush = match rush(records, at, load.capacity_calls_per_s) {
                Some(Rush { from_s, until_s, load }) => format!(
                    "; from {from_s:.0} s to {until_s:.0} s more came than it can finish, a load \
                     of about {:.0} %",
                    load * 100.0
                ),
                None => String::new(),
            };
            format!(
                "use case {}: 5 of 100 calls wait for {wait_s:.0} s and longer, although the load \
                 of pool {pool} is {:.0} % in the mean{rush}",
                use_case.name,
                share * 100.0
            )
        })
    };
    use_cases.filter_map(sentence).collect()
}

/// The time in which the longest line of the pool at index `at` grew, in the replication
/// that has the longest. A pool with a line finishes what it can, so what came beyond
/// that is what the line grew by.
fn rush(records: &[RunRecord], at: usize, capacity_calls_per_s: f64) -> Option<Rush> {
    let longest = |record: &&RunRecord| {
        record.timeline.pool(at).iter().map(|point| point.waiting).max().unwrap_or(0)
    };
    let record = records.iter().max_by_key(longest)?;
    let interval_s = record.timeline.interval().seconds();
    let series = record.timeline.pool(at);
    let (last, most) = series.iter().enumerate().max_by_key(|(at, point)| {
        // The first of equal ones.
        (point.waiting, std::cmp::Reverse(*at))
    })?;
    let is_short = |waiting: u32| f64::from(waiting) <= LINE_MIN * f64::from(most.waiting);
    let before = series[..last].iter().rposition(|point| is_short(point.waiting));
    let first = before.map_or(0, |at| at + 1);
    let in_system = |at: usize| f64::from(series[at].running) + f64::from(series[at].waiting);
    let began = before.map_or(0.0, in_system);
    // The first sample is at one interval.
    let seconds = interval_s * (last + 1 - first) as f64;
    let grew = in_system(last) - began;
    (most.waiting > 0 && seconds > 0.0).then(|| Rush {
        from_s: interval_s * first as f64,
        until_s: interval_s * (last + 1) as f64,
        load: 1.0 + grew / seconds / capacity_calls_per_s,
    })
}
