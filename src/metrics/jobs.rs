//! Batch jobs as they are released and done.

use super::record::JobsRecord;
use crate::kernel::Time;

impl JobsRecord {
    /// A job that was released, and due at `deadline`, is done; `is_beyond` says that
    /// arrivals had ended.
    pub fn done(&mut self, now: Time, released: Time, deadline: Time, is_beyond: bool) {
        let late = now.ticks().saturating_sub(deadline.ticks());
        self.done += 1;
        self.on_time += u64::from(late == 0);
        self.beyond += u64::from(is_beyond);
        self.makespan += u128::from(now.since(released).ticks());
        self.lateness += u128::from(late);
        self.lateness_max = self.lateness_max.max(late);
    }

    /// Adds those of another stretch.
    pub fn add(&mut self, other: &JobsRecord) {
        let JobsRecord { released, done, on_time, beyond, unfinished, .. } = *other;
        self.released += released;
        self.done += done;
        self.on_time += on_time;
        self.beyond += beyond;
        self.unfinished += unfinished;
        self.makespan += other.makespan;
        self.lateness += other.lateness;
        self.lateness_max = self.lateness_max.max(other.lateness_max);
    }
}
