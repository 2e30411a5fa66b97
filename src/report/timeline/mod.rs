//! A watched stretch of a run as a timeline that Perfetto and Chrome open.
//!
//! A process is a pool, a thread a lane of one of its replicas: calls that are
//! there at once lie on lanes of their own, each with its parts inside. Beside
//! them run the counters of the pool; arrows lead from a session's turn to its
//! next. Agents are processes of their own: a lane has a run with its turns and
//! what each waited for, arrows lead to sub-agents, and tool calls lie below.
//! What began before the stretch, or goes on after it, is cut at its ends. All is written
//! in the order of its start until the file is as large as it may be.

mod agents;
mod event;
mod lanes;

pub use event::{Event, Phase};

use crate::factory::{Call, Waiter};
use crate::kernel::{Span, TICKS_PER_SECOND, Time};
use crate::metrics::{Preemption, Watched, WatchedCall, WatchedRun, WatchedTool, Window};
use crate::scenario::Scenario;
use agents::AgentTracks;
use event::seen_in;
use lanes::Lanes;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::io::{self, Write};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimelineWritten {
    /// Calls.
    pub calls: u64,
    /// Bytes.
    pub bytes: u64,
    /// Up to when all calls are in it that arrived before.
    pub until: Time,
    /// Whether the file would have become too large with all that was seen.
    pub is_cut: bool,
}

/// Least bytes that a call takes.
pub const CALL_BYTES: u64 = 400;

/// Lanes of a replica have numbers below this, which is more than the calls
/// that a run may have.
const LANES_MAX: usize = 1 << 22;

/// Writes `watched` to `out`, at most `bytes_max` bytes.
pub fn write(
    scenario: &Scenario,
    watched: &Watched,
    bytes_max: u64,
    out: &mut impl Write,
) -> io::Result<TimelineWritten> {
    let mut sheet = Sheet { out, bytes: 0, bytes_max, is_first: true };
    sheet.raw("{\"displayTimeUnit\": \"ms\", \"traceEvents\": [")?;
    // Beside the calls, at most a fifth goes to counters.
    sheet.bytes_max = bytes_max / 5;
    let counted = sheet.counters(scenario, watched)?;
    sheet.bytes_max = bytes_max.saturating_sub(END.len() as u64);
    let mut tracks = Tracks::default();
    let mut arrows = Arrows::default();
    let mut agents = AgentTracks::new(scenario);
    let mut turns = Turns::new();
    let (mut calls, mut until) = (0, watched.window.until);
    let mut is_cut = watched.is_cut || !counted;
    for (start, seen) in in_order(watched) {
        let events = match seen {
            Seen::Run(run) => agents.run(watched.window, run, &mut arrows),
            Seen::Tool(tool) => agents.tool(watched.window, tool),
            Seen::Call(call) => {
                let mut events = tracks.call(scenario, watched.window, call);
                events.extend(flow(&mut turns, watched.window, call, &events[0], &mut arrows));
                events
            }
        };
        if !sheet.group(&events)? {
            (until, is_cut) = (start.max(watched.window.from), true);
            break;
        }
        calls += u64::from(matches!(seen, Seen::Call(_)));
    }
    for preemption in watched.preemptions.iter().filter(|preemption| preemption.at < until) {
        if !sheet.group(&[preempted(preemption, scenario)])? {
            is_cut = true;
            break;
        }
    }
    sheet.raw(END)?;
    Ok(TimelineWritten { calls, bytes: sheet.bytes, until, is_cut })
}

/// Something that was seen.
#[derive(Clone, Copy)]
enum Seen<'w> {
    Run(&'w WatchedRun),
    Tool(&'w WatchedTool),
    Call(&'w WatchedCall),
}

/// All that was seen, in the order of its start.
fn in_order(watched: &Watched) -> Vec<(Time, Seen<'_>)> {
    let runs = watched.runs.iter().map(|run| (run.key.began, Seen::Run(run)));
    let tools = watched.tools.iter().map(|tool| (tool.from, Seen::Tool(tool)));
    let calls = watched.calls.iter().map(|seen| (seen.call.arrived, Seen::Call(seen)));
    let mut all: Vec<_> = runs.chain(tools).chain(calls).collect();
    // The sort is stable, so that a run comes before its first call.
    all.sort_by_key(|(start, _)| *start);
    all
}

const END: &str = "\n]}\n";

/// Text that grows until it is large enough.
struct Sheet<W> {
    out: W,
    bytes: u64,
    bytes_max: u64,
    is_first: bool,
}

impl<W: Write> Sheet<W> {
    fn raw(&mut self, text: &str) -> io::Result<()> {
        self.bytes += text.len() as u64;
        self.out.write_all(text.as_bytes())
    }

    /// Writes all of `events`, or none and says so.
    fn group(&mut self, events: &[Event]) -> io::Result<bool> {
        let mut text = String::new();
        let mut comma = if self.is_first { "\n" } else { ",\n" };
        for event in events {
            text += comma;
            text += &serde_json::to_string(event)?;
            comma = ",\n";
        }
        if self.bytes + text.len() as u64 > self.bytes_max {
            return Ok(false);
        }
        self.is_first = false;
        self.raw(&text)?;
        Ok(true)
    }

    /// Names of the pools, and their states; whether there was room for all.
    fn counters(&mut self, scenario: &Scenario, watched: &Watched) -> io::Result<bool> {
        for (at, pool) in scenario.pools.iter().enumerate() {
            let name = format!("pool {}", pool.name);
            let named = Event::named("process_name", (at + 1, 0), &name);
            self.group(&[named, Event::place(at + 1)])?;
        }
        for (now, points) in &watched.samples {
            for (at, point) in points.iter().enumerate() {
                let counter = |name: &'static str, args: Value| {
                    let event = Event::new(Phase::Counter, name, "pool", *now, (at + 1, 0));
                    Event { args, ..event }
                };
                let calls = json!({ "running": point.running, "waiting": point.waiting });
                let blocks = json!({ "in use": point.blocks_used });
                if !self.group(&[counter("calls", calls), counter("KV blocks", blocks)])? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Lanes of all replicas.
#[derive(Default)]
struct Tracks {
    /// By pool and replica.
    replicas: HashMap<(usize, usize), Lanes>,
}

impl Tracks {
    /// The events of a call: its span first, its parts inside, and perhaps the
    /// name of a lane that is new.
    fn call(&mut self, scenario: &Scenario, window: Window, seen: &WatchedCall) -> Vec<Event> {
        let WatchedCall { call, pool, finished, .. } = seen;
        let until = finished.unwrap_or(window.until);
        let replica = seen.replica as usize;
        let lanes = self.replicas.entry((*pool, replica)).or_default();
        let had = lanes.count();
        let lane = lanes.lend(call.arrived, until);
        let track = (*pool + 1, replica * LANES_MAX + lane + 1);
        let name = scenario.use_cases[usize::from(call.use_case)].name.clone();
        let moment = (call.arrived, call.arrived + Span::from_ticks(US));
        let shown = seen_in(window, (call.arrived, until)).unwrap_or(moment);
        let mut events = vec![Event::span(name, "call", shown, track, said(seen))];
        events.extend(parts(call, until).filter_map(|(name, from, until)| {
            let shown = seen_in(window, (from, until))?;
            Some(Event::span(name, "part", shown, track, Value::Null))
        }));
        if lanes.count() > had {
            let name = format!("replica {replica}, lane {lane}");
            events.push(Event::named("thread_name", track, &name));
        }
        events
    }
}

/// What a call is made of, as far as it came until `until`.
fn parts(call: &Call, until: Time) -> impl Iterator<Item = (&'static str, Time, Time)> {
    let scheduled = call.scheduled.min(until);
    let first_token = call.first_token.min(until);
    // The fetch is the end of the wait.
    let fetched_from = if call.scheduled <= until {
        Time::from_ticks(scheduled.ticks() - call.fetch.ticks())
    } else {
        scheduled
    };
    let answering = match call.thinking {
        0 => first_token,
        _ => call.answering.min(until),
    };
    let parts = [
        ("queue", call.arrived, fetched_from),
        ("fetch", fetched_from, scheduled),
        ("prefill", scheduled, first_token),
        ("think", first_token, answering),
        ("decode", answering, until),
    ];
    parts.into_iter().filter(|(_, from, until)| from < until)
}

/// Ticks of a microsecond.
const US: u64 = TICKS_PER_SECOND / 1_000_000;

/// Arrows so far: each has a number of its own.
#[derive(Default)]
struct Arrows(u64);

impl Arrows {
    fn next(&mut self) -> u64 {
        self.0 += 1;
        self.0
    }
}

/// What is worth knowing of a call.
fn said(seen: &WatchedCall) -> Value {
    let WatchedCall { call, finished, is_aborted, .. } = seen;
    let mut said = json!({
        "number": call.number,
        "turn": call.turn,
        "prompt_tokens": call.prompt,
        "cached_tokens": call.cached,
        "output_tokens": call.output,
        "thinking_tokens": call.thinking,
        "preemptions": call.preemptions,
    });
    if finished.is_none() {
        said["unfinished"] = true.into();
    }
    if *is_aborted {
        said["aborted"] = true.into();
    }
    said
}

/// When the last turn of each session ended, and on which track.
type Turns = HashMap<(u16, u64), (Time, (usize, usize))>;

/// Arrows from the turn of a session before to this one, and who may follow it.
fn flow(
    turns: &mut Turns,
    window: Window,
    seen: &WatchedCall,
    span: &Event,
    arrows: &mut Arrows,
) -> Vec<Event> {
    let call = &seen.call;
    if !matches!(call.waiter, Waiter::Session(_)) {
        return Vec::new();
    }
    let session = (call.use_case, call.number);
    let track = (span.pid, span.tid);
    let before = turns.insert(session, (seen.finished.unwrap_or(window.until), track));
    let Some((ended, from)) = before else { return Vec::new() };
    let id = Some(arrows.next());
    let end =
        |phase, at, track| Event { id, ..Event::new(phase, "next turn", "session", at, track) };
    // An arrow leaves from within its span, whose end is no longer in it.
    let left = Time::from_ticks(ended.ticks().saturating_sub(US));
    let arrives = Event { bp: Some("e"), ..end(Phase::FlowEnd, call.arrived, track) };
    vec![end(Phase::FlowStart, left, from), arrives]
}

fn preempted(preemption: &Preemption, scenario: &Scenario) -> Event {
    let Preemption { at, pool, replica, call: (use_case, number, turn) } = preemption;
    let use_case = &scenario.use_cases[usize::from(*use_case)].name;
    let args = json!({ "use_case": use_case, "number": number, "turn": turn, "replica": replica });
    let event = Event::new(Phase::Instant, "preemption", "call", *at, (*pool + 1, 0));
    Event { s: Some("p"), args, ..event }
}
