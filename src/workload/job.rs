//! Batch jobs: many calls that are released at once and give way to others until
//! their deadline is near.

use crate::kernel::{Id, Span, Time};

/// Names a job while it is not done.
pub type JobId = Id<Job>;

/// A job that is not done.
#[derive(Clone, Debug)]
pub struct Job {
    /// Its use case.
    pub use_case: u16,
    /// When it was released.
    pub released: Time,
    /// When it must be done.
    pub deadline: Time,
    /// Calls, or sessions, not yet submitted.
    pub left: u64,
    /// Those under way.
    pub in_flight: u32,
    /// Those that ended.
    pub ended: u64,
    /// Ticks that these took in all.
    pub took: u128,
}

impl Job {
    /// Whether it may no longer yield: what is left of its deadline is only enough
    /// at the pace of `most` calls at once, each taking as long as its calls did
    /// so far (Little's law); or it is as near as `rush`.
    pub fn is_pressed(&self, now: Time, rush: Option<Span>, most: u32) -> bool {
        let rest = self.deadline.ticks().saturating_sub(now.ticks());
        match rush {
            Some(rush) => rest <= rush.ticks(),
            None if self.ended == 0 => false,
            None => {
                let calls = u128::from(self.left) + u128::from(self.in_flight);
                u128::from(rest) * u128::from(self.ended) * u128::from(most) <= calls * self.took
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of 100 calls 40 are left, 2 at a time and 10 ticks each: 200 ticks.
    #[test]
    fn a_job_is_pressed_when_its_own_pace_is_only_just_enough() {
        let time = Time::from_ticks;
        let job = Job {
            use_case: 0,
            released: time(0),
            deadline: time(1_000),
            left: 38,
            in_flight: 2,
            ended: 60,
            took: 600,
        };
        let pressed = |now, rush| job.is_pressed(time(now), rush, 2);
        assert_eq!([pressed(799, None), pressed(800, None)], [false, true]);
        let rush = Some(Span::from_ticks(50));
        assert_eq!(
            [pressed(949, rush), pressed(950, rush), pressed(2_000, rush)],
            [false, true, true]
        );
        // Nothing is known of its pace yet.
        let new = Job { ended: 0, took: 0, ..job };
        assert!(!new.is_pressed(time(999), None, 2));
    }
}
