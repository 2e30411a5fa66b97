//! Arrivals as they were recorded: a cursor over a trace.

use crate::kernel::{Span, Time};
use crate::workload::{Cursor, Trace};
use std::sync::Arc;

/// Position in a trace, whose intervals are stretched by a factor.
#[derive(Clone, Debug)]
pub struct Replay {
    cursor: Cursor,
    time_scale: f64,
    /// Calls before its start, and the first one after it.
    skipped: u64,
    first: Option<Time>,
}

impl Replay {
    /// The calls of `trace` from `from` on.
    pub fn new(trace: &Arc<Trace>, time_scale: f64, from: Time) -> Self {
        let mut replay = Replay { cursor: trace.cursor(), time_scale, skipped: 0, first: None };
        if from > Time::ZERO {
            replay.first = replay.read();
            while replay.first.is_some_and(|first| first < from) {
                replay.skipped += 1;
                replay.first = replay.read();
            }
        }
        replay
    }

    /// Calls before its start.
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    #[inline]
    pub fn next(&mut self) -> Option<Time> {
        self.first.take().or_else(|| self.read())
    }

    #[inline]
    fn read(&mut self) -> Option<Time> {
        let call = self.cursor.next()?;
        // A factor of one must not pass through floating point: recorded
        // instants stay what they are to the tick.
        let at = match self.time_scale {
            1.0 => call.at,
            factor => Span::from_seconds(call.at.seconds() * factor),
        };
        Some(Time::ZERO + at)
    }
}
