//! Users of several regions, each with arrivals of their own: all of them in
//! order, and whose each one is.

use super::Process;
use crate::kernel::Time;

/// The arrivals of several processes, in order; of equal instants the one of the
/// region that is listed first. Regions are few, so that they are looked at in
/// turn.
#[derive(Clone, Debug)]
pub struct Regions {
    /// A process for each region, and its next arrival.
    regions: Vec<(Process, Option<Time>)>,
    last: u16,
}

impl Regions {
    /// Merges one process a region.
    pub fn new(regions: Vec<Process>) -> Regions {
        let begin = |mut process: Process| {
            let next = process.next(Time::ZERO);
            (process, next)
        };
        Regions { regions: regions.into_iter().map(begin).collect(), last: 0 }
    }

    /// The next arrival; `None` when there are no more.
    pub fn next(&mut self) -> Option<Time> {
        let due = self.regions.iter().enumerate();
        let (time, at) = due.filter_map(|(at, (_, next))| Some(((*next)?, at))).min()?;
        let (process, next) = &mut self.regions[at];
        *next = process.next(time);
        self.last = at as u16;
        Some(time)
    }

    /// The region of the last arrival.
    pub fn last(&self) -> u16 {
        self.last
    }
}
