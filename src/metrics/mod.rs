//! What a run measures: latencies, counts, time averages and timelines.
//!
//! [`Recorder`] takes in events while a replication runs; [`RunRecord`] is what
//! is left of it afterwards, small enough to keep one for each of thousands of
//! replications.

mod agents;
mod arrived;
mod gauge;
mod jobs;
mod merged;
mod path;
mod record;
mod recorder;
mod regions;
mod sections;
mod thoughts;
mod timeline;
mod watch;

pub use crate::statistics::CDF_FRACTIONS;
pub use agents::{AgentRuns, BANDS, Bucket, RunCounts, RunEnd, Spent, TURNS_KEPT};
pub use gauge::Gauge;
pub use path::{Part, Parts, Path, PathRoom};
pub use record::{
    CutOff, JobsRecord, LatencyRecord, PoolRecord, RegionRecord, RunRecord, SessionsRecord,
    SiteRecord, Stretch, ThinkingRecord, TierRecord, TtftParts, UseCaseRecord, WindowRecord,
};
pub use recorder::{Recorder, Window};
pub use timeline::{Point, Timeline};
pub use watch::{Preemption, RunKey, Watch, Watched, WatchedCall, WatchedRun, WatchedTool};
