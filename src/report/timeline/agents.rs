//! Runs of agents and their tool calls as spans.
//!
//! A process is an agent of a use case, a thread a lane of its runs: a run with
//! its turns inside and in each what it waited for. Tool calls lie on lanes of the
//! pool that runs them.

use super::event::{Event, Phase};
use super::lanes::Lanes;
use crate::kernel::Time;
use crate::metrics::{RunEnd, RunKey, WatchedRun, WatchedTool, Window};
use crate::scenario::Scenario;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Process of a tool call: an index of a tool pool, or none.
type Pool = Option<u16>;

/// Lanes of all agents and tool pools.
pub(super) struct AgentTracks<'s> {
    scenario: &'s Scenario,
    /// By use case and agent, in the order in which they were met.
    agents: Vec<((u16, u16), Lanes)>,
    tools: Vec<(Pool, Lanes)>,
    /// Where runs lie.
    runs: HashMap<RunKey, (usize, usize)>,
    /// Arrows so far.
    arrows: u64,
}

/// First process of agents, and of tools: above all pools.
const AGENTS: usize = 1 << 20;
const TOOLS: usize = 1 << 21;

impl<'s> AgentTracks<'s> {
    /// No lane is lent.
    pub fn new(scenario: &'s Scenario) -> AgentTracks<'s> {
        let (agents, tools, runs) = (Vec::new(), Vec::new(), HashMap::new());
        AgentTracks { scenario, agents, tools, runs, arrows: 0 }
    }

    /// The events of a run: names of what is new, its span, its turns, what they
    /// waited for, and an arrow from the run that started it.
    pub fn run(&mut self, window: Window, run: &WatchedRun) -> Vec<Event> {
        let (use_case, member) = run.member;
        let spec = &self.scenario.use_cases[usize::from(use_case)];
        let crew = spec.crew().expect("agents have a crew");
        let agent = &crew.members[usize::from(member)].agent.name;
        let name = format!("agent {agent}, {}", spec.name);
        let span = (run.key.began, run.until);
        let (track, mut events) = lend(&mut self.agents, run.member, AGENTS, span, &name);
        self.runs.insert(run.key, track);
        if span.0 == span.1 {
            // It failed at once, and cannot be seen.
            return events;
        }
        let args = json!({
            "session": run.number.0,
            "run": run.number.1,
            "ended": run.end.map_or("not yet", end_name),
        });
        events.push(Event::span(agent.clone(), "run", span, track, args));
        events.extend(turns(run, window, track));
        if let Some(&parent) = run.parent.and_then(|parent| self.runs.get(&parent)) {
            self.arrows += 1;
            events.extend(arrow(self.arrows, run.key.began, parent, track));
        }
        events
    }

    /// The events of a tool call.
    pub fn tool(&mut self, tool: &WatchedTool) -> Vec<Event> {
        let (use_case, member) = tool.member;
        let crew = self.scenario.use_cases[usize::from(use_case)].crew().expect("agents");
        let tools = crew.members[usize::from(member)].agent.tools.as_ref();
        let class = &tools.expect("it calls tools").classes[usize::from(tool.class)].name;
        let name = match tool.pool {
            Some(pool) => format!("tool pool {}", self.scenario.tool_pools[usize::from(pool)].name),
            None => "tools without a pool".to_owned(),
        };
        let span = (tool.from, tool.until);
        let (track, names) = lend(&mut self.tools, tool.pool, TOOLS, span, &name);
        let mut events = names;
        // What takes no time is not seen.
        if tool.from < tool.until {
            events.push(Event::span(class.clone(), "tool", span, track, Value::Null));
        }
        events
    }
}

/// A lane of process `of`, and the names of what is new.
fn lend<K: PartialEq>(
    processes: &mut Vec<(K, Lanes)>,
    of: K,
    first: usize,
    (from, until): (Time, Time),
    name: &str,
) -> ((usize, usize), Vec<Event>) {
    let at = processes.iter().position(|(key, _)| *key == of).unwrap_or_else(|| {
        processes.push((of, Lanes::default()));
        processes.len() - 1
    });
    let lanes = &mut processes[at].1;
    let had = lanes.count();
    let lane = lanes.lend(from, until);
    let track = (first + at, lane + 1);
    let mut names = Vec::new();
    if had == 0 {
        names.push(Event::named("process_name", track, name));
    }
    if lanes.count() > had {
        names.push(Event::named("thread_name", track, &format!("lane {lane}")));
    }
    (track, names)
}

/// The turns of a run that are in `window`, as far as they are known, each with what
/// it waited for.
fn turns(run: &WatchedRun, window: Window, track: (usize, usize)) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    let mut from = run.path.began();
    // The turn under way: its number, its start, and its event.
    let mut open: Option<(u32, Time, usize)> = None;
    run.path.each(|turn, part, ticks| {
        let until = Time::from_ticks(from.ticks() + ticks);
        let stretch = (from, until);
        from = until;
        if stretch.1 <= window.from || stretch.0 >= window.until {
            return;
        }
        if open.is_none_or(|(number, ..)| number != turn) {
            open = Some((turn, stretch.0, events.len()));
            let args = json!({ "turn": turn });
            events.push(Event::span("turn", "turn", stretch, track, args));
        }
        let (_, began, at) = open.expect("just made");
        events[at] = Event::span("turn", "turn", (began, until), track, events[at].args.take());
        events.push(Event::span(part.name(), "wait", stretch, track, Value::Null));
    });
    events
}

/// From the run that started a sub-agent to that.
fn arrow(number: u64, at: Time, parent: (usize, usize), child: (usize, usize)) -> [Event; 2] {
    // Numbers of other arrows are below.
    let id = Some(1 << 63 | number);
    let end = |phase, track| Event { id, ..Event::new(phase, "sub-agent", "agent", at, track) };
    [end(Phase::FlowStart, parent), Event { bp: Some("e"), ..end(Phase::FlowEnd, child) }]
}

fn end_name(end: RunEnd) -> &'static str {
    match end {
        RunEnd::Done => "done",
        RunEnd::Failed => "failed",
        RunEnd::Abandoned => "abandoned",
    }
}
