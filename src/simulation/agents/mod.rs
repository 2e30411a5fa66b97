//! Agents: runs, their turns, tools and sub-agents.
//!
//! The next call of an actor exists only after what it waits for has ended. What
//! it waited for is marked on its path as it goes; see [`Path`].

mod calls;
mod children;
mod runs;
mod tools;
mod watched;

use super::Simulation;
use super::alone::Alone;
use super::arrivals::Script;
use super::event::Event;
use super::network::FlightId;
use super::replays::Replaying;
use crate::catalog::Agent;
use crate::factory::{CallId, Engine};
use crate::kernel::{Slot, Span, Time};
use crate::metrics::{Path, RunCounts, Spent};
use crate::workload::agent::{self, Actor, ActorId, Member, ToolCall};
use crate::workload::{Ask, Errand};

/// No tool pool: a tool call of an infinite server.
pub const NO_POOL: u16 = u16::MAX;

/// Where the call of an actor is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Called {
    /// It has made none, or waits for none.
    #[default]
    Nothing,
    /// On its way to its pool.
    OnItsWay(FlightId),
    /// At its pool.
    AtPool(CallId),
    /// On its way back since it left its pool at this instant.
    Answered(FlightId, Time),
}

/// What an actor is at, beside what it says; kept by its place in the arena.
#[derive(Clone, Debug, Default)]
pub struct Task {
    /// The client that runs its session, in a closed loop.
    client: Option<u32>,
    parent: Option<ActorId>,
    /// Its sub-agents that are alive.
    pub(super) children: Vec<ActorId>,
    began: Time,
    /// A run is under way, not the pause after one.
    is_running: bool,
    /// Its next event goes on with a run that began so long before that.
    pub(super) under_way: Option<Span>,
    /// The run began before the simulation did: what it took is not known.
    is_partial: bool,
    /// Tokens of its next prompt that count as found in the cache.
    pub(super) carried: u32,
    pub(super) path: Path,
    pub(super) counts: RunCounts,
    pub(super) spent: Spent,
    pub(super) alone: Alone,
    /// The call in flight, what it asked for, and whether it is a compaction.
    called: Called,
    ask: Option<Ask>,
    /// Calls that it has made, which number them.
    asked: u32,
    compacts: bool,
    /// The tool calls of the turn; with an order, those from `next_tool` on have not begun.
    tools: Vec<ToolCall>,
    next_tool: u32,
    /// Tool calls under way.
    tools_due: u32,
    /// Sub-agents that the turn still waits for, and those that it has yet to start.
    children_due: u32,
    next_child: u32,
    children_planned: u32,
    /// When the first sub-agent that the actor waits for ended.
    pub(super) first_end: Option<Time>,
    /// Sub-agents in the background, and what those that have ended reported.
    background: u32,
    reported: u32,
    /// The actor waits for those before its last turn.
    awaits_background: bool,
    /// Tokens of results so far, and whether a tool failed.
    tokens: u32,
    failed: bool,
    /// Where it is in a recording, if it replays one.
    pub(super) replaying: Replaying,
}

impl Task {
    /// Forgets the actor that had this place before; keeps its memory.
    fn renew(&mut self, client: Option<u32>, parent: Option<ActorId>) {
        let Task { mut children, path, mut tools, mut spent, mut replaying, .. } =
            std::mem::take(self);
        children.clear();
        tools.clear();
        spent.clear();
        replaying.renew();
        let rest = Task::default();
        *self = Task { client, parent, children, path, tools, spent, replaying, ..rest };
    }

    /// A call has ended, or was called off for its time.
    fn count_call(&mut self, actor: &Actor) {
        let counts = &mut self.counts;
        counts.calls += 1;
        match (self.compacts, actor.is_repeated()) {
            (true, _) => counts.compactions += 1,
            (false, true) => counts.retries += 1,
            (false, false) => counts.turns += 1,
        }
    }

    /// Nothing of the turn is waited for any more.
    fn is_joined(&self) -> bool {
        self.tools_due == 0 && self.children_due == 0
    }
}

impl<'s, E: Engine> Simulation<'s, E> {
    /// Session `number` of a use case begins its first run, for this.
    pub(in crate::simulation) fn begin_agent(
        &mut self,
        now: Time,
        use_case: usize,
        number: u64,
        errand: Errand,
        client: Option<u32>,
    ) {
        let blank = self.calls.blank();
        let mut actor = match &mut self.sources[use_case].script {
            Script::Replay(script) => script.session(number, blank),
            script => agents(script).session(number, blank),
        };
        actor.errand = errand;
        let shared = actor.shared_tokens();
        let id = self.enroll(actor, client, None);
        self.task(id).alone = Alone::new(shared);
        self.recorder.session_began(use_case);
        self.audit.agent_session_began();
        self.begin_run(now, id);
    }

    pub(in crate::simulation) fn enroll(
        &mut self,
        actor: Actor,
        client: Option<u32>,
        parent: Option<ActorId>,
    ) -> ActorId {
        let id = self.actors.insert(actor);
        let place = id.index() as usize;
        if place >= self.tasks.len() {
            self.tasks.resize_with(place + 1, Task::default);
        }
        self.tasks[place].renew(client, parent);
        id
    }

    #[inline]
    pub(in crate::simulation) fn task(&mut self, id: ActorId) -> &mut Task {
        &mut self.tasks[id.index() as usize]
    }

    fn member(&self, id: ActorId) -> &'s Member {
        let actor = &self.actors[id];
        let crew = self.scenario.use_cases[usize::from(actor.use_case)].crew().expect("agents");
        &crew.members[usize::from(actor.member)]
    }

    fn program(&self, id: ActorId) -> &'s Agent {
        &self.member(id).agent
    }

    /// Schedules `event` in a slot that is lent.
    pub(in crate::simulation) fn alarm(&mut self, time: Time, event: Event) {
        let slot = self.slots.lend(event, &mut self.pending);
        self.pending.schedule(slot, time);
        self.arrivals_due += 1;
    }

    /// A lent slot has served.
    pub(in crate::simulation) fn alarmed(&mut self, slot: Slot) {
        self.arrivals_due -= 1;
        self.slots.take_back(slot);
    }
}

/// The script of a use case whose sessions are agents'.
#[inline]
fn agents(script: &mut Script) -> &mut agent::Script {
    match script {
        Script::Agents(script) => script,
        Script::Calls(_) | Script::Replay(_) => unreachable!("only agents have actors"),
    }
}
