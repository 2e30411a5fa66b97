//! A stretch of a run watched closely: every call that was in the system then,
//! what happened to it when, and the state of the pools, for a timeline.

use super::recorder::Window;
use super::timeline::Point;
use crate::factory::Call;
use crate::kernel::{Span, Time};

/// Samples of the pools that a watched stretch has.
const SAMPLES: u64 = 1_000;

/// What was seen.
#[derive(Clone, Debug)]
pub struct Watched {
    /// The stretch; it ends earlier than asked for where there was too much to see.
    pub window: Window,
    /// Whether it does.
    pub is_cut: bool,
    /// Calls that were in the system in it, in the order of their arrival.
    pub calls: Vec<WatchedCall>,
    /// Preemptions in it, in order.
    pub preemptions: Vec<Preemption>,
    /// States of the pools, in order of time.
    pub samples: Vec<(Time, Vec<Point>)>,
}

/// A call as it was seen.
#[derive(Clone, Copy, Debug)]
pub struct WatchedCall {
    /// What it asked for, and how far it came when.
    pub call: Call,
    /// Its pool.
    pub pool: usize,
    /// The replica of the pool that it was sent to.
    pub replica: u32,
    /// When its last token was sampled; `None`: not before the stretch ended.
    pub finished: Option<Time>,
}

/// A sequence lost its KV blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Preemption {
    /// When.
    pub at: Time,
    /// In which pool.
    pub pool: usize,
    /// On which of its replicas.
    pub replica: u32,
    /// Use case, serial number and turn of the call.
    pub call: (u16, u64, u32),
}

/// Sees what happens in a stretch of a run.
#[derive(Clone, Debug)]
pub struct Watch {
    seen: Watched,
    interval: Span,
    next_sample: Time,
    calls_max: usize,
}

impl Watch {
    /// Watches `window`, which has an end, for at most `calls_max` calls.
    pub fn new(window: Window, calls_max: usize) -> Watch {
        let length = window.until.since(window.from).ticks();
        Watch {
            seen: Watched {
                window,
                is_cut: false,
                calls: Vec::new(),
                preemptions: Vec::new(),
                samples: Vec::new(),
            },
            interval: Span::from_ticks((length / SAMPLES).max(1)),
            next_sample: window.from,
            calls_max,
        }
    }

    /// Whether nothing of what happens at `now` or later is to be seen.
    pub fn is_over(&self, now: Time) -> bool {
        now >= self.seen.window.until || self.seen.calls.len() >= self.calls_max
    }

    /// A call ended on a replica of `pool`.
    pub fn finished(&mut self, now: Time, pool: usize, replica: u32, call: &Call) {
        if now >= self.seen.window.from {
            let finished = Some(now);
            self.seen.calls.push(WatchedCall { call: *call, pool, replica, finished });
        }
    }

    /// A call was preempted on a replica of `pool`.
    pub fn preempted(&mut self, now: Time, pool: usize, replica: u32, call: &Call) {
        if now >= self.seen.window.from {
            let call = (call.use_case, call.number, call.turn);
            self.seen.preemptions.push(Preemption { at: now, pool, replica, call });
        }
    }

    /// Whether the pools are to be looked at.
    pub fn wants_sample(&self, now: Time) -> bool {
        now >= self.next_sample
    }

    /// The state of the pools at `now`.
    pub fn sample(&mut self, now: Time, points: impl Iterator<Item = Point>) {
        self.seen.samples.push((now, points.collect()));
        self.next_sample = now + self.interval;
    }

    /// What was seen until `now`, with the calls that are still in the system.
    pub fn end(mut self, now: Time, open: impl Iterator<Item = WatchedCall>) -> Watched {
        let asked = self.seen.window.until;
        self.seen.window.until = now.min(asked);
        self.seen.is_cut = self.seen.calls.len() >= self.calls_max && now < asked;
        // A run may be over before what was to be watched.
        self.seen.calls.extend(open.filter(|_| now >= self.seen.window.from));
        let order = |seen: &WatchedCall| {
            let Call { arrived, use_case, number, turn, .. } = seen.call;
            (arrived, use_case, number, turn)
        };
        self.seen.calls.sort_by_key(order);
        self.seen
    }
}
