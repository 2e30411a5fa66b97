//! Runs of agents and their tool calls as spans.
//!
//! A process is an agent of a use case, a thread a lane of its runs: a run with
//! its turns inside and in each what it waited for. Tool calls lie on lanes of the
//! pool that runs them.

use super::Arrows;
use super::event::{Event, Phase, seen_in};
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
}

impl<'s> AgentTracks<'s> {
    /// No lane is lent.
    pub fn new(scenario: &'s Scenario) -> AgentTracks<'s> {
        AgentTracks { scenario, agents: Vec::new(), tools: Vec::new(), runs: HashMap::new() }
    }

    /// First process of agents: below all pools.
    fn first_agent(&self) -> usize {
        self.scenario.pools.len() + 1
    }

    /// First process of tools: below all agents.
    fn first_tool(&self) -> usize {
        let crews = self.scenario.use_cases.iter().filter_map(|use_case| use_case.crew());
        self.first_agent() + crews.map(|crew| crew.members.len()).sum::<usize>()
    }

    /// The events of a run: names of what is new, its span, its turns, what they
    /// waited for, and an arrow from the run that started it.
    pub fn run(&mut self, window: Window, run: &WatchedRun, arrows: &mut Arrows) -> Vec<Event> {
        let (use_case, member) = run.member;
        let spec = &self.scenario.use_cases[usize::from(use_case)];
        let crew = spec.crew().expect("agents have a crew");
        let agent = &crew.members[usize::from(member)].agent.name;
        let name = format!("agent {agent}, {}", spec.name);
        let span = (run.key.began, run.until);
        let first = self.first_agent();
        let (track, mut events) = lend(&mut self.agents, run.member, first, span, &name);
        self.runs.insert(run.key, track);
        // It may have failed at once.
        let Some(shown) = seen_in(window, span) else { return events };
        let args = json!({
            "session": run.number.0,
            "run": run.number.1,
            "began_s": run.key.began.seconds(),
            "ended": run.end.map_or("not yet", end_name),
        });
        events.push(Event::span(agent.clone(), "run", shown, track, args));
        events.extend(turns(run, window, track));
        if let Some(&parent) = run.parent.and_then(|parent| self.runs.get(&parent))
            && run.key.began >= window.from
        {
            events.extend(arrow(arrows.next(), run.key.began, parent, track));
        }
        events
    }

    /// The events of a tool call.
    pub fn tool(&mut self, window: Window, tool: &WatchedTool) -> Vec<Event> {
        let (use_case, member) = tool.member;
        let crew = self.scenario.use_cases[usize::from(use_case)].crew().expect("agents");
        let tools = crew.members[usize::from(member)].agent.tools.as_ref();
        let class = &tools.expect("it calls tools").classes[usize::from(tool.class)].name;
        let name = match tool.pool {
            Some(pool) => format!("tool pool {}", self.scenario.tool_pools[usize::from(pool)].name),
            None => "tools without a pool".to_owned(),
        };
        let span = (tool.from, tool.until);
        let first = self.first_tool();
        let (track, mut events) = lend(&mut self.tools, tool.pool, first, span, &name);
        let shown = seen_in(window, span);
        let tool = |shown| Event::span(class.clone(), "tool", shown, track, Value::Null);
        events.extend(shown.map(tool));
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
        names.push(Event::place(track.0));
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
        let Some(stretch) = seen_in(window, stretch) else { return };
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
    let id = Some(number);
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
