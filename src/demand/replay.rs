//! Arrivals as they were recorded: a cursor over a trace.

use crate::kernel::{Span, Time};
use crate::workload::{Cursor, Trace};
use std::sync::Arc;

/// Position in a trace, whose intervals are stretched by a factor.
#[derive(Clone, Debug)]
pub struct Replay {
    cursor: Cursor,
    time_scale: f64,
}

impl Replay {
    pub fn new(trace: &Arc<Trace>, time_scale: f64) -> Self {
        Replay { cursor: trace.cursor(), time_scale }
    }

    #[inline]
    pub fn next(&mut self) -> Option<Time> {
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
