//! Workers that run tool calls, such as CPU sandboxes.
//!
//! A pool has so many slots, each for one call at a time; calls that find none
//! free wait in the order in which they came. A call first starts its sandbox up
//! and then runs.

use crate::kernel::{Span, Time};
use crate::metrics::Gauge;
use std::collections::VecDeque;

/// Slots, and the calls that wait for one. `J` names a call.
#[derive(Clone, Debug)]
pub struct ToolPool<J> {
    free: u32,
    start_up: Span,
    queue: VecDeque<Waiting<J>>,
    busy: Gauge,
    waiting: Gauge,
    counts: ToolCounts,
    window: Snapshot,
    section: Snapshot,
}

/// What was counted at an instant.
#[derive(Clone, Copy, Debug, Default)]
struct Snapshot {
    at: Time,
    busy: u128,
    waiting: u128,
    counts: ToolCounts,
}

#[derive(Clone, Copy, Debug)]
struct Waiting<J> {
    job: J,
    latency: Span,
    since: Time,
}

impl ToolPoolRecord {
    /// This window and another, as if they had been one.
    pub fn and(&self, other: &ToolPoolRecord) -> ToolPoolRecord {
        let window_s = self.window_s + other.window_s;
        let waiting_s = self.waiting_mean * self.window_s + other.waiting_mean * other.window_s;
        ToolPoolRecord {
            window_s,
            busy_s: self.busy_s + other.busy_s,
            waiting_mean: if window_s > 0.0 { waiting_s / window_s } else { 0.0 },
            calls: self.calls + other.calls,
            waited: self.waited + other.waited,
            wait_s: self.wait_s + other.wait_s,
        }
    }
}

/// Calls that began to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct ToolCounts {
    calls: u64,
    waited: u64,
    wait_ticks: u128,
}

/// What a tool pool did in the measured window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ToolPoolRecord {
    /// Length of the window, s.
    pub window_s: f64,
    /// Slot-seconds spent running calls, or starting up for them.
    pub busy_s: f64,
    /// Mean calls waiting.
    pub waiting_mean: f64,
    /// Calls that began to run.
    pub calls: u64,
    /// Of these, calls that had to wait.
    pub waited: u64,
    /// Seconds that they waited, all together.
    pub wait_s: f64,
}

impl<J: Copy> ToolPool<J> {
    /// An idle pool.
    pub fn new(slots: u32, start_up: Span) -> Self {
        ToolPool {
            free: slots,
            start_up,
            queue: VecDeque::new(),
            busy: Gauge::default(),
            waiting: Gauge::default(),
            counts: ToolCounts::default(),
            window: Snapshot::default(),
            section: Snapshot::default(),
        }
    }

    /// A call arrives. Returns when it ends, if it can begin at once.
    pub fn arrive(&mut self, now: Time, job: J, latency: Span) -> Option<Time> {
        if self.free == 0 {
            self.queue.push_back(Waiting { job, latency, since: now });
            self.waiting.raise(now, 1);
            return None;
        }
        self.free -= 1;
        self.busy.raise(now, 1);
        self.counts.calls += 1;
        Some(now + (self.start_up + latency))
    }

    /// A call ends. Returns the one that takes its slot, and when that ends.
    pub fn leave(&mut self, now: Time) -> Option<(J, Time)> {
        let Some(next) = self.queue.pop_front() else {
            self.free += 1;
            self.busy.lower(now, 1);
            return None;
        };
        self.waiting.lower(now, 1);
        self.counts.calls += 1;
        self.counts.waited += 1;
        self.counts.wait_ticks += u128::from(now.since(next.since).ticks());
        Some((next.job, now + (self.start_up + next.latency)))
    }

    /// The measured window opens, and its first section.
    pub fn open(&mut self, now: Time) {
        self.window = self.snapshot(now);
        self.section = self.window;
    }

    /// What was measured from the opening of the window to now.
    pub fn record(&self, now: Time) -> ToolPoolRecord {
        self.since(&self.window, now)
    }

    /// The present section ends, and the next begins.
    pub fn end_section(&mut self, now: Time) -> ToolPoolRecord {
        let record = self.since(&self.section, now);
        self.section = self.snapshot(now);
        record
    }

    fn snapshot(&self, now: Time) -> Snapshot {
        let (busy, waiting) = (self.busy.integral(now), self.waiting.integral(now));
        Snapshot { at: now, busy, waiting, counts: self.counts }
    }

    fn since(&self, then: &Snapshot, now: Time) -> ToolPoolRecord {
        let seconds = |ticks: u128| ticks as f64 / crate::kernel::TICKS_PER_SECOND as f64;
        let window_s = now.since(then.at.min(now)).seconds();
        let waiting_s = seconds(self.waiting.integral(now) - then.waiting);
        ToolPoolRecord {
            window_s,
            busy_s: seconds(self.busy.integral(now) - then.busy),
            waiting_mean: if window_s > 0.0 { waiting_s / window_s } else { 0.0 },
            calls: self.counts.calls - then.counts.calls,
            waited: self.counts.waited - then.counts.waited,
            wait_s: seconds(self.counts.wait_ticks - then.counts.wait_ticks),
        }
    }
}
