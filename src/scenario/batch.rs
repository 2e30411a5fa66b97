//! Batch jobs, as checked.

use crate::kernel::{Span, Time};
use crate::random::Distribution;

/// Jobs of many calls that must be done by a deadline, and give way until then.
#[derive(Clone, Debug)]
pub struct Batch {
    /// When jobs are released.
    pub releases: Releases,
    /// Calls of a job, or sessions.
    pub calls: Distribution,
    /// From its release to when it must be done.
    pub deadline: Span,
    /// A pool has room for it while it holds fewer calls than this share of the
    /// sequences that it may run.
    pub fill: f64,
    /// Most of them under way; `None`: as many as its pools may run.
    pub concurrency: Option<u32>,
    /// How long before the deadline it no longer yields; `None`: when the rest is
    /// only enough at its own pace.
    pub rush: Option<Span>,
    /// Jobs before arrivals end.
    pub jobs: u64,
    /// Mean calls of a job.
    pub calls_mean: f64,
    /// Calls a second that these jobs make in the mean.
    pub calls_per_s: f64,
}

impl Batch {
    /// When its jobs before `end` are released.
    pub fn releases(&self, end: Time) -> impl Iterator<Item = Time> {
        (0..).map_while(|job| self.releases.at(job)).take_while(move |&at| at < end)
    }
}

/// When jobs are released.
#[derive(Clone, Debug, PartialEq)]
pub enum Releases {
    /// At time zero, and then so often.
    Every(Span),
    /// At these instants, in order.
    At(Vec<Time>),
}

impl Releases {
    /// When job `number`, from 0, is released.
    pub fn at(&self, number: u64) -> Option<Time> {
        match self {
            Releases::Every(span) => {
                let ticks = span.ticks().checked_mul(number)?;
                Some(Time::ZERO + Span::from_ticks(ticks))
            }
            Releases::At(instants) => instants.get(usize::try_from(number).ok()?).copied(),
        }
    }
}
