//! Events of the trace-event format, in which Chrome wrote its traces and which
//! Perfetto reads.
//!
//! Source of the format: "Trace Event Format", the Chromium project's document
//! on JSON traces; names of fields and phases are its own.

use crate::kernel::Time;
use crate::metrics::Window;
use serde::Serialize;
use serde_json::Value;
use std::borrow::Cow;

/// One event; instants are in whole microseconds of simulated time. Viewers count in
/// nanoseconds or in binary fractions of microseconds, and drop a span that ends past
/// the one around it by the rounding of either.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// What it is called; counters and metadata are known by it.
    pub name: Cow<'static, str>,
    /// Category, which viewers can filter by.
    pub cat: &'static str,
    /// Phase: what kind of event it is.
    pub ph: Phase,
    /// When, us.
    pub ts: u64,
    /// How long, us; of spans.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dur: Option<u64>,
    /// Process: a pool, or an agent.
    pub pid: usize,
    /// Thread: a lane of one.
    pub tid: usize,
    /// Which flow it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<u64>,
    /// Binding point of the end of a flow: the span around it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bp: Option<&'static str>,
    /// Scope of an instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub s: Option<&'static str>,
    /// Whatever is worth showing.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub args: Value,
}

/// Kind of an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Phase {
    /// A span.
    #[serde(rename = "X")]
    Complete,
    /// An instant.
    #[serde(rename = "i")]
    Instant,
    /// Values of a counter.
    #[serde(rename = "C")]
    Counter,
    /// A flow leaves a span.
    #[serde(rename = "s")]
    FlowStart,
    /// A flow arrives at a span.
    #[serde(rename = "f")]
    FlowEnd,
    /// A name.
    #[serde(rename = "M")]
    Metadata,
}

/// Whole microseconds of simulated time that have passed at `time`.
pub fn us(time: Time) -> u64 {
    time.ticks() / (crate::kernel::TICKS_PER_SECOND / 1_000_000)
}

/// The part of a span that is in `window`; `None`: too little of it to be seen.
pub fn seen_in(window: Window, (from, until): (Time, Time)) -> Option<(Time, Time)> {
    let (from, until) = (from.max(window.from), until.min(window.until));
    (us(from) < us(until)).then_some((from, until))
}

impl Event {
    /// An event on a track.
    pub fn new(
        ph: Phase,
        name: impl Into<Cow<'static, str>>,
        cat: &'static str,
        at: Time,
        (pid, tid): (usize, usize),
    ) -> Event {
        let (name, ts) = (name.into(), us(at));
        let args = Value::Null;
        Event { name, cat, ph, ts, dur: None, pid, tid, id: None, bp: None, s: None, args }
    }

    /// A span on a track.
    pub fn span(
        name: impl Into<Cow<'static, str>>,
        cat: &'static str,
        (from, until): (Time, Time),
        track: (usize, usize),
        args: Value,
    ) -> Event {
        let dur = Some(us(until) - us(from));
        Event { dur, args, ..Event::new(Phase::Complete, name, cat, from, track) }
    }

    /// Puts a process in its place among the others, from top to bottom.
    pub fn place(pid: usize) -> Event {
        let args = serde_json::json!({ "sort_index": pid });
        Event {
            args,
            ..Event::new(Phase::Metadata, "process_sort_index", "", Time::ZERO, (pid, 0))
        }
    }

    /// Gives a process ("process_name") or a thread ("thread_name") its name.
    pub fn named(what: &'static str, track: (usize, usize), name: &str) -> Event {
        let args = serde_json::json!({ "name": name });
        Event { args, ..Event::new(Phase::Metadata, what, "", Time::ZERO, track) }
    }
}
