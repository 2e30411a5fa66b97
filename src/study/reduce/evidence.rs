//! What one replication says of whether a pool is in a steady state.

use crate::metrics::{CutOff, Flow, PoolRecord, RunRecord};
use crate::statistics::Trend;
use serde::{Deserialize, Serialize};

/// What one replication says of one pool: all that the verdict needs of it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Time before the measured window, s.
    pub warm_up_s: f64,
    /// Length of the measured window, s.
    pub window_s: f64,
    /// Calls that arrived in it.
    pub arrived: u64,
    /// Calls that finished in it.
    pub finished: u64,
    /// Calls that were in the pool at its end less those at its beginning.
    pub growth: i64,
    /// Sessions that began in it, and that ended, of the use cases of the pool.
    pub sessions: [u64; 2],
    /// Why calls of it were left over; `None` when none were.
    pub left_over: Option<CutOff>,
    /// Growth over it; `None` when the window is too short to tell.
    pub trend: Option<Trend>,
    /// The window is one of those that a horizon was divided into, or all of them.
    pub is_of_windows: bool,
    /// The warm-up that its sessions or clients need, s; `None`: it had enough.
    pub needs_s: Option<f64>,
    /// What sessions bring; `None`: there are none, or that is not known.
    pub offered: Option<Offered>,
    /// Calls a second that are offered, and that the pool can finish in closed form at
    /// the hit rate of the run; `None`: it was idle at times.
    pub capacity: Option<[f64; 2]>,
    /// Hits of the halves of the window; `None`: one of them has none to tell.
    pub hits: Option<Hits>,
}

/// Calls that are expected of sessions in the long run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Offered {
    /// Calls a second.
    pub calls_per_s: f64,
    /// Variance of the calls of a second, those of a session all at once.
    pub variance_per_s: f64,
    /// Variance of the rate itself, which is the mean of drawn sessions.
    pub variance_of_rate: f64,
}

/// Share of prompt tokens found in the cache in each half of a window.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hits {
    /// In the first half.
    pub first: f64,
    /// In the second half.
    pub second: f64,
}

impl Hits {
    /// Those of the pool at index `pool`.
    pub fn of(record: &RunRecord, pool: usize) -> Option<Hits> {
        let series = window(record, pool);
        let flow = |at: usize| series.get(at).copied();
        let (first, middle, last) = (flow(0)?, flow(series.len() / 2)?, flow(series.len() - 1)?);
        Some(Hits {
            first: middle.since(&first).hit_fraction()?,
            second: last.since(&middle).hit_fraction()?,
        })
    }
}

impl Evidence {
    /// What `record` says of the pool at index `pool` by itself.
    pub fn of(record: &RunRecord, pool: usize) -> Evidence {
        let interval_s = record.timeline.interval().seconds();
        let before = samples_before(record);
        let counts = super::counts(record, pool);
        let counts = counts.get(before..).unwrap_or(&[]);
        let PoolRecord { arrived, finished, unfinished, .. } = record.whole.pools[pool];
        let flows = window(record, pool);
        let inside = |flow: &Flow| flow.arrived as i64 - flow.left as i64;
        let ends = flows.first().zip(flows.last());
        Evidence {
            warm_up_s: record.window_from_s,
            window_s: record.whole.window_s,
            arrived,
            finished,
            growth: ends.map_or(0, |(first, last)| inside(last) - inside(first)),
            sessions: [0, 0],
            left_over: record.cut_off.filter(|_| unfinished > 0),
            trend: Trend::of(counts, interval_s),
            is_of_windows: false,
            needs_s: None,
            offered: None,
            capacity: None,
            hits: None,
        }
    }
}

/// Samples of the timeline before the window.
fn samples_before(record: &RunRecord) -> usize {
    (record.window_from_s / record.timeline.interval().seconds()) as usize
}

/// What had passed the pool at index `pool` at each sample of the window.
fn window(record: &RunRecord, pool: usize) -> Vec<Flow> {
    let points = record.timeline.pool(pool);
    let points = points.get(samples_before(record)..).unwrap_or(&[]);
    points.iter().map(|point| point.flow).collect()
}
