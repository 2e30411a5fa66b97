//! Batch jobs: when each is released, and how many calls it has.

use crate::kernel::Time;
use crate::random::{Component, Streams};
use crate::scenario::{Batch, Releases};
use std::sync::Arc;

/// The jobs of one use case, in order, on the clock of a run.
#[derive(Clone, Debug)]
pub struct Jobs {
    batch: Arc<Batch>,
    streams: Streams,
    entity: u64,
    /// When the run begins, on the clock of the horizon.
    from: Time,
    /// The next job.
    number: u64,
}

/// A job that is released.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Released {
    /// Its calls.
    pub calls: u64,
    /// When it must be done.
    pub deadline: Time,
}

impl Jobs {
    /// The jobs of `batch` in a run that begins at `from`; `entity` keys their
    /// streams. One that is under way then is released at once.
    pub fn new(batch: &Arc<Batch>, streams: Streams, entity: u64, from: Time) -> Jobs {
        let is_past = |number: &u64| {
            batch.releases.at(*number).is_some_and(|release| release + batch.deadline <= from)
        };
        let passed = from.ticks().saturating_sub(batch.deadline.ticks());
        let first = match batch.releases {
            Releases::Every(every) => passed / every.ticks(),
            Releases::At(_) => 0,
        };
        let number = (first..).find(|number| !is_past(number)).expect("numbers have no end");
        Jobs { batch: batch.clone(), streams, entity, from, number }
    }

    /// When the next job is released; `None` when there are no more.
    pub fn next(&self) -> Option<Time> {
        let release = self.batch.releases.at(self.number)?;
        Some(Time::from_ticks(release.ticks().saturating_sub(self.from.ticks())))
    }

    /// Releases the next job. The number of its calls is the same whatever happened
    /// to others; of one that is under way the share is left that its time has left.
    pub fn release(&mut self) -> Released {
        let release = self.batch.releases.at(self.number).expect("there is a next one");
        let mut stream = self.streams.stream(Component::Jobs, self.entity, self.number);
        self.number += 1;
        let deadline = release + self.batch.deadline;
        let left = deadline.since(release.max(self.from)).seconds();
        let share = left / self.batch.deadline.seconds();
        // `as` saturates, and truncates, so that a half more rounds to nearest.
        let calls = ((self.batch.calls.sample(&mut stream) * share + 0.5) as u64).max(1);
        Released { calls, deadline: Time::from_ticks(deadline.ticks() - self.from.ticks()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Span;
    use crate::random::Distribution;

    #[test]
    fn a_run_that_begins_late_has_what_is_left_of_jobs() {
        let hours = |hours: f64| Span::from_seconds(3_600.0 * hours);
        let batch = Arc::new(Batch {
            releases: Releases::Every(hours(6.0)),
            calls: Distribution::constant(800.0).unwrap(),
            deadline: hours(8.0),
            fill: 1.0,
            concurrency: None,
            rush: None,
            jobs: 4,
            calls_mean: 800.0,
            calls_per_s: 1.0,
        });
        // At 15:00 the job of 6:00 is past, that of 12:00 has 5 hours of 8 left.
        let from = Time::ZERO + hours(15.0);
        let mut jobs = Jobs::new(&batch, Streams::new(1, 0), 7, from);
        assert_eq!(jobs.next(), Some(Time::ZERO));
        let under_way = Released { calls: 500, deadline: Time::ZERO + hours(5.0) };
        assert_eq!(jobs.release(), under_way);
        assert_eq!(jobs.next(), Some(Time::ZERO + hours(3.0)));
        assert_eq!(jobs.release(), Released { calls: 800, deadline: Time::ZERO + hours(11.0) });
        let whole = Jobs::new(&batch, Streams::new(1, 0), 7, Time::ZERO).release();
        assert_eq!(whole, Released { calls: 800, deadline: Time::ZERO + hours(8.0) });
    }
}
