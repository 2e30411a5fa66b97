//! Windows of a long horizon, as checked: which parts of it are simulated.

use super::Arrivals;
use crate::kernel::{Span, Time};
use jiff::tz::TimeZone;

/// Which windows of the horizon are simulated, and from when on.
#[derive(Clone, Debug, PartialEq)]
pub struct Windows {
    /// Which ones.
    pub choice: Choice,
    /// How long each is measured.
    pub length: Span,
    /// Time before each that is simulated and not measured; `None`: found from
    /// sessions and caches.
    pub warm_up: Option<Span>,
    /// Index of the pool whose tokens rank the hours; `None`: all pools.
    pub pool: Option<usize>,
    /// Most windows that a replication has.
    pub count_max: u32,
}

/// How windows are chosen.
#[derive(Clone, Debug, PartialEq)]
pub enum Choice {
    /// Of each week, the one with most tokens to compute.
    WeeklyPeaks,
    /// So many with most tokens to compute.
    Worst(u32),
    /// So many at random, others in each replication.
    Random(u32),
    /// Those that begin then, in order.
    At(Vec<Time>),
}

impl Choice {
    /// As it is written.
    pub fn name(&self) -> &'static str {
        match self {
            Choice::WeeklyPeaks => "weekly-peaks",
            Choice::Worst(_) => "worst",
            Choice::Random(_) => "random",
            Choice::At(_) => "at",
        }
    }
}

/// The one time zone of all arrivals that vary, or UTC.
pub fn shared_zone<'a>(all: impl Iterator<Item = &'a Arrivals>) -> TimeZone {
    let mut zones = all.flat_map(Arrivals::parts).filter_map(|arrivals| match arrivals {
        Arrivals::Varying(demand) => Some(demand.zone.clone()),
        _ => None,
    });
    let first = zones.next().unwrap_or(TimeZone::UTC);
    if zones.all(|zone| zone == first) { first } else { TimeZone::UTC }
}
