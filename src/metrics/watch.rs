//! A stretch of a run watched closely: every call that was in the system then,
//! what happened to it when, and the state of the pools, for a timeline.

use super::agents::RunEnd;
use super::path::Path;
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
    /// Runs of agents that were under way in it, in the order of their start.
    pub runs: Vec<WatchedRun>,
    /// Tool calls that ran in it, in the order of their start.
    pub tools: Vec<WatchedTool>,
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
    /// When its last token was sampled, or it was aborted; `None`: not before the
    /// stretch ended.
    pub finished: Option<Time>,
    /// It was aborted.
    pub is_aborted: bool,
}

/// Names a run of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunKey {
    /// The place of its agent, which others may have had before.
    pub place: u32,
    /// When it began.
    pub began: Time,
}

/// A run of an agent as it was seen.
#[derive(Clone, Debug)]
pub struct WatchedRun {
    /// Its name.
    pub key: RunKey,
    /// The run that started it, of a sub-agent.
    pub parent: Option<RunKey>,
    /// Its use case, and which of that one's agents it is of.
    pub member: (u16, u16),
    /// Serial number of its session, and which run of that it is, from 0.
    pub number: (u64, u32),
    /// What it waited for.
    pub path: Path,
    /// How it ended; `None`: not before the stretch ended.
    pub end: Option<RunEnd>,
    /// When it ended, or the stretch did.
    pub until: Time,
}

/// A tool call as it was seen, without the wait before it.
#[derive(Clone, Copy, Debug)]
pub struct WatchedTool {
    /// Index of the pool whose worker ran it; `None`: it needed none.
    pub pool: Option<u16>,
    /// The run that it belongs to.
    pub run: RunKey,
    /// Use case and agent of that.
    pub member: (u16, u16),
    /// Index of its class.
    pub class: u16,
    /// From when until when it ran.
    pub from: Time,
    /// See `from`.
    pub until: Time,
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
                runs: Vec::new(),
                tools: Vec::new(),
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

    /// A call ended on a replica of `pool`, or was aborted there.
    pub fn left(&mut self, now: Time, pool: usize, replica: u32, call: &Call, is_aborted: bool) {
        if now >= self.seen.window.from {
            let (call, finished) = (*call, Some(now));
            self.seen.calls.push(WatchedCall { call, pool, replica, finished, is_aborted });
        }
    }

    /// A call was preempted on a replica of `pool`.
    pub fn preempted(&mut self, now: Time, pool: usize, replica: u32, call: &Call) {
        if now >= self.seen.window.from {
            let call = (call.use_case, call.number, call.turn);
            self.seen.preemptions.push(Preemption { at: now, pool, replica, call });
        }
    }

    /// A run of an agent ended.
    pub fn run(&mut self, run: WatchedRun) {
        if run.until >= self.seen.window.from {
            self.seen.runs.push(run);
        }
    }

    /// A tool call runs, or has run.
    pub fn tool(&mut self, tool: WatchedTool) {
        if tool.until >= self.seen.window.from {
            self.seen.tools.push(tool);
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

    /// What was seen until `now`, with the calls that are still in the system and
    /// the runs that go on.
    pub fn end(
        mut self,
        now: Time,
        open: impl Iterator<Item = WatchedCall>,
        runs: impl Iterator<Item = WatchedRun>,
    ) -> Watched {
        let asked = self.seen.window.until;
        self.seen.window.until = now.min(asked);
        self.seen.is_cut = self.seen.calls.len() >= self.calls_max && now < asked;
        // A run may be over before what was to be watched.
        if now >= self.seen.window.from {
            self.seen.calls.extend(open);
            self.seen.runs.extend(runs);
        }
        let order = |seen: &WatchedCall| {
            let Call { arrived, use_case, number, turn, .. } = seen.call;
            (arrived, use_case, number, turn)
        };
        self.seen.calls.sort_by_key(order);
        self.seen.runs.sort_by_key(|run| (run.key.began, run.key.place));
        let until = self.seen.window.until;
        self.seen.tools.retain(|tool| tool.from < until);
        self.seen.tools.sort_by_key(|tool| (tool.from, tool.run.place));
        self.seen
    }
}
