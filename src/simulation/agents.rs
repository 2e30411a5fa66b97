//! Agents: runs, their turns, tools and sub-agents.
//!
//! The next call of an actor exists only after what it waits for has ended. What
//! it waited for is marked on its path as it goes; see [`Path`].

use super::Simulation;
use super::alone::Alone;
use super::arrivals::Script;
use super::event::Event;
use super::network::{Flight, FlightId, ways};
use super::replays::Replaying;
use crate::catalog::{Agent, ChildOrder, Join, ToolOrder};
use crate::factory::{Call, CallId, Engine, Hold, Waiter};
use crate::kernel::{Slot, Span, Time};
use crate::metrics::{Part, Path, RunCounts, RunEnd, RunKey, Spent, WatchedRun, WatchedTool};
use crate::workload::agent::{self, Actor, ActorId, Member, Next, Plan, ToolCall};
use crate::workload::{Ask, Content};

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
    pub(super) path: Path,
    pub(super) counts: RunCounts,
    pub(super) spent: Spent,
    alone: Alone,
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
        let Task { mut children, path, mut tools, mut spent, .. } = std::mem::take(self);
        children.clear();
        tools.clear();
        spent.clear();
        *self = Task { client, parent, children, path, tools, spent, ..Task::default() };
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
    /// Session `number` of a use case begins its first run.
    pub(super) fn begin_agent(
        &mut self,
        now: Time,
        use_case: usize,
        number: u64,
        client: Option<u32>,
    ) {
        let blank = self.calls.blank();
        let actor = match &mut self.sources[use_case].script {
            Script::Replay(script) => script.session(number, blank),
            script => agents(script).session(number, blank),
        };
        let shared = actor.shared_tokens();
        let id = self.enroll(actor, client, None);
        self.task(id).alone = Alone::new(shared);
        self.recorder.session_began(use_case);
        self.audit.agent_session_began();
        self.begin_run(now, id);
    }

    pub(super) fn enroll(
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
    pub(super) fn task(&mut self, id: ActorId) -> &mut Task {
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

    /// The session's next run, or the run of a sub-agent that was just made.
    pub(super) fn begin_run(&mut self, now: Time, id: ActorId) {
        let replays = self.replays(id);
        let actor = &mut self.actors[id];
        if self.tasks[id.index() as usize].parent.is_none() && !replays {
            agents(&mut self.sources[usize::from(actor.use_case)].script).begin_run(actor);
        }
        let run = actor.run;
        let task = self.task(id);
        task.began = now;
        task.is_running = true;
        task.path.begin(now);
        task.counts = RunCounts::default();
        task.spent.clear();
        task.alone.begin();
        if replays {
            return self.replay_run(now, id);
        }
        if let (Some(patience_s), None) = (self.program(id).limits.patience_s, self.task(id).parent)
        {
            let event = Event::Patience { actor: id, run };
            self.alarm(now + Span::from_seconds(patience_s), event);
        }
        self.ask(now, id);
    }

    /// Schedules `event` in a slot that is lent.
    pub(super) fn alarm(&mut self, time: Time, event: Event) {
        let slot = self.slots.lend(event, &mut self.pending);
        self.pending.schedule(slot, time);
        self.arrivals_due += 1;
    }

    /// A lent slot has served.
    pub(super) fn alarmed(&mut self, slot: Slot) {
        self.arrivals_due -= 1;
        self.slots.take_back(slot);
    }

    /// The gap between two runs is over.
    pub(super) fn on_run(&mut self, now: Time, id: ActorId) {
        self.begin_run(now, id);
    }

    /// The actor goes on at this instant, once all steps that end at it have ended:
    /// until then a replica may be about to start a step that its call must not be in.
    pub(super) fn ask(&mut self, now: Time, id: ActorId) {
        if self.asking.is_empty() {
            self.pending.schedule(self.slots.asks(), now);
            self.arrivals_due += 1;
        }
        self.asking.push(id);
    }

    /// All steps that end now have ended.
    pub(super) fn on_asks(&mut self, now: Time) {
        self.arrivals_due -= 1;
        let mut asking = std::mem::take(&mut self.asking);
        for id in asking.drain(..) {
            // Somebody may have called it off since.
            if self.actors.contains(id) {
                self.ask_now(now, id);
            }
        }
        // Whoever asked in between has an event and a list of its own.
        if self.asking.is_empty() {
            self.asking = asking;
        }
    }

    /// The actor makes its next call, or waits for the background before its last turn.
    fn ask_now(&mut self, now: Time, id: ActorId) {
        if self.replays(id) {
            if let Some((ask, content, pool)) = self.replay_ask(now, id) {
                self.ask_pool(now, id, (ask, false), content, pool);
            }
            return;
        }
        let task = &mut self.tasks[id.index() as usize];
        let actor = &mut self.actors[id];
        let use_case = usize::from(actor.use_case);
        if actor.is_in_last_turn() && task.background > 0 {
            task.awaits_background = true;
            task.first_end = None;
            return;
        }
        task.awaits_background = false;
        if actor.is_in_last_turn() {
            task.alone.last_turn();
        }
        let script = agents(&mut self.sources[use_case].script);
        actor.context = actor.context.saturating_add(std::mem::take(&mut task.reported));
        let (next, content) = script.next(actor);
        let (ask, compacts) = match next {
            Next::Turn(ask) => (ask, false),
            Next::Compaction(ask) => (ask, true),
        };
        let pool = script.pool(actor);
        self.ask_pool(now, id, (ask, compacts), content, pool);
    }

    /// Sends the call of an actor, which may be a compaction, to its pool.
    fn ask_pool(
        &mut self,
        now: Time,
        id: ActorId,
        (ask, compacts): (Ask, bool),
        content: Content,
        pool: usize,
    ) {
        let actor = &self.actors[id];
        let task = &mut self.tasks[id.index() as usize];
        let mut call = Call::new(actor.use_case, actor.number, now, ask.prompt, ask.output);
        call.turn = actor.serial();
        call.thinking = ask.thinking;
        call.is_cut = ask.is_cut;
        call.given = ask.given;
        call.waiter = Waiter::Agent(id);
        call.pool = pool as u16;
        let origins = &self.scenario.use_cases[usize::from(actor.use_case)].origins;
        call.network = origins.as_ref().map_or(Span::ZERO, |it| it.regions[0].round_trips[0]);
        call.hold = hold(actor, compacts);
        call.conversation = actor.conversation;
        (task.ask, task.compacts) = (Some(ask), compacts);
        task.asked += 1;
        let asked = task.asked;
        self.audit.sent();
        if let Some(timeout_s) = self.program(id).limits.timeout_s {
            let event = Event::Timeout { actor: id, call: asked };
            self.alarm(now + Span::from_seconds(timeout_s), event);
        }
        let (there, _) = ways(call.network);
        if there == Span::ZERO {
            return self.deliver(now, call, Some(content));
        }
        let flight = self.fly(now + there, call, Some(content));
        self.task(id).called = Called::OnItsWay(flight);
    }

    /// The call of an actor is at its pool.
    pub(super) fn taken_in(&mut self, id: ActorId, call: CallId) {
        self.task(id).called = Called::AtPool(call);
    }

    /// The call of an actor has left its pool, with an answer or, without content,
    /// refused. The actor hears of it when that is back.
    pub(super) fn answer_agent(
        &mut self,
        now: Time,
        id: ActorId,
        call: Call,
        content: Option<Content>,
    ) {
        let (_, back) = ways(call.network);
        if back == Span::ZERO {
            return self.on_agent_answer(now, now, id, &call, content);
        }
        let flight = self.answers.insert(Flight { call, content });
        self.task(id).called = Called::Answered(flight, now);
        self.alarm(now + back, Event::Answer { flight });
    }

    /// An answer is back.
    pub(super) fn on_heard(&mut self, now: Time, flight: FlightId) {
        let Flight { call, content } = self.answers.remove(flight);
        let Waiter::Agent(id) = call.waiter else {
            return self.calls.recycle(content);
        };
        let Called::Answered(_, left) = self.task(id).called else {
            unreachable!("it waits for this answer")
        };
        self.on_agent_answer(now, left, id, &call, content);
    }

    /// The call of an actor, which left its pool at `left`, was answered or refused.
    fn on_agent_answer(
        &mut self,
        now: Time,
        left: Time,
        id: ActorId,
        call: &Call,
        content: Option<Content>,
    ) {
        let replays = self.replays(id);
        let task = &mut self.tasks[id.index() as usize];
        let actor = &mut self.actors[id];
        task.path.call(now, left, call, actor.turn);
        task.called = Called::Nothing;
        let Some(content) = content else {
            return self.end_run(now, id, RunEnd::Failed);
        };
        let ask = task.ask.take().expect("it asked");
        task.count_call(actor);
        let counts = &mut task.counts;
        counts.prompt_tokens += u64::from(call.prompt);
        counts.cached_tokens += u64::from(call.cached);
        counts.output_tokens += u64::from(call.output);
        counts.thinking_tokens += u64::from(call.thinking);
        task.spent.add_tokens(call.pool.into(), u64::from(call.prompt) + u64::from(call.output));
        if replays {
            return self.replay_answer(now, id, call, content);
        }
        // An answer that was parted from its thinking is computed anew.
        let keeps_thinking = self.program(id).thinking.as_ref().is_some_and(|it| it.is_kept);
        let keeps = call.thinking == 0 || keeps_thinking;
        let task = &mut self.tasks[id.index() as usize];
        let actor = &mut self.actors[id];
        task.alone.answered(&self.pools[usize::from(call.pool)].spec, call, keeps);
        let script = agents(&mut self.sources[usize::from(actor.use_case)].script);
        if task.compacts {
            script.compacted(actor, content);
            task.alone.compacted(actor.shared_tokens());
            return self.ask(now, id);
        }
        let mut plan = std::mem::take(&mut self.plan);
        script.answered(actor, ask, content, &mut plan);
        let is_last = actor.is_in_last_turn();
        if is_last {
            self.end_run(now, id, RunEnd::Done);
        } else {
            self.act(now, id, &plan);
        }
        self.plan = plan;
    }

    /// Starts the tools and sub-agents of a turn.
    fn act(&mut self, now: Time, id: ActorId, plan: &Plan) {
        let (in_sequence, order, join) = {
            let Agent { tools, children, .. } = self.program(id);
            let in_sequence = tools.as_ref().is_some_and(|it| it.order == ToolOrder::Sequence);
            let order = children.as_ref().map_or(ChildOrder::Parallel, |it| it.order);
            (in_sequence, order, children.as_ref().map_or(Join::All, |it| it.join))
        };
        let task = self.task(id);
        task.tools.clear();
        task.tools.extend_from_slice(&plan.tools);
        task.tokens = plan.tools.iter().map(|tool| tool.tokens).sum();
        task.failed = plan.tools.iter().any(|tool| tool.fails);
        task.counts.tools += plan.tools.len() as u64;
        task.counts.children += u64::from(plan.children);
        task.next_tool = 0;
        task.first_end = None;
        (task.next_child, task.children_planned) = (0, plan.children);
        task.children_due = match (order, join) {
            (ChildOrder::Background, _) => 0,
            (_, Join::All) => plan.children,
            (_, Join::AtLeast(enough)) => enough.min(plan.children),
        };
        if order == ChildOrder::Background {
            task.background += plan.children;
        }
        if !plan.tools.is_empty() {
            self.tools_alone(id, in_sequence);
            if in_sequence { self.start_tool(now, id, 0) } else { self.start_tools(now, id) }
        }
        let at_once =
            if order == ChildOrder::Sequence { plan.children.min(1) } else { plan.children };
        (0..at_once).for_each(|_| self.start_child(now, id));
        if self.task(id).is_joined() {
            self.joined(now, id);
        }
    }

    /// What the tools of a turn would take if no call waited for a worker.
    fn tools_alone(&mut self, id: ActorId, in_sequence: bool) {
        let ticks = |tool: &ToolCall| {
            let start_up = match self.tool_pool(id, *tool) {
                NO_POOL => Span::ZERO,
                pool => self.scenario.tool_pools[usize::from(pool)].start_up,
            };
            (start_up + tool.latency).ticks()
        };
        let each = self.tasks[id.index() as usize].tools.iter().map(ticks);
        let all = if in_sequence { each.sum() } else { each.max().unwrap_or(0) };
        self.task(id).alone.tools(all);
    }

    /// All tool calls at once. Those of infinite servers end with the longest.
    fn start_tools(&mut self, now: Time, id: ActorId) {
        let mut longest: Option<(Span, u16)> = None;
        for at in 0..self.task(id).tools.len() {
            let tool = self.task(id).tools[at];
            if self.tool_pool(id, tool) != NO_POOL {
                self.start_tool(now, id, at as u16);
                continue;
            }
            self.watch_tool(id, at as u16, None, (now, now + tool.latency));
            if longest.is_none_or(|(latency, _)| tool.latency > latency) {
                longest = Some((tool.latency, at as u16));
            }
        }
        if let Some((latency, at)) = longest {
            self.task(id).tools_due += 1;
            self.alarm(now + latency, Event::Tool { actor: id, at, pool: NO_POOL });
        }
    }

    fn tool_pool(&self, id: ActorId, tool: ToolCall) -> u16 {
        let pools = &self.member(id).tool_pools;
        pools.get(usize::from(tool.class)).copied().flatten().unwrap_or(NO_POOL)
    }

    /// Tool call `at` of the turn.
    fn start_tool(&mut self, now: Time, id: ActorId, at: u16) {
        let tool = self.task(id).tools[usize::from(at)];
        let pool = self.tool_pool(id, tool);
        let task = self.task(id);
        task.tools_due += 1;
        task.next_tool = u32::from(at) + 1;
        if pool == NO_POOL {
            self.watch_tool(id, at, None, (now, now + tool.latency));
            return self.alarm(now + tool.latency, Event::Tool { actor: id, at, pool });
        }
        let busy = self.scenario.tool_pools[usize::from(pool)].start_up + tool.latency;
        self.task(id).spent.add_tool(pool.into(), busy.ticks());
        let ended = self.tool_pools[usize::from(pool)].arrive(now, (id, at), tool.latency);
        if let Some(end) = ended {
            self.alarm(end, Event::Tool { actor: id, at, pool });
        }
    }

    /// A tool call has ended.
    pub(super) fn on_tool(&mut self, now: Time, id: ActorId, at: u16, pool: u16) {
        if pool != NO_POOL
            && let Some(((actor, at), end)) = self.tool_pools[usize::from(pool)].leave(now)
        {
            self.alarm(end, Event::Tool { actor, at, pool });
        }
        // Nobody may wait for it any more.
        if !self.actors.contains(id) {
            return;
        }
        if self.replays(id) {
            return self.replay_passed(now, id);
        }
        let in_sequence =
            self.program(id).tools.as_ref().is_some_and(|it| it.order == ToolOrder::Sequence);
        let latency = self.task(id).tools[usize::from(at)].latency;
        let began = Time::ZERO + (now.since(Time::ZERO) - latency);
        if pool != NO_POOL {
            self.watch_tool(id, at, Some(pool), (began, now));
        }
        let task = &mut self.tasks[id.index() as usize];
        let turn = self.actors[id].turn;
        task.tools_due -= 1;
        if in_sequence || task.is_joined() {
            if pool != NO_POOL && began > task.path.until() {
                task.path.mark(began, Part::Sandbox, turn);
            }
            task.path.mark(now, Part::Tool, turn);
        }
        if in_sequence && (task.next_tool as usize) < task.tools.len() {
            let next = task.next_tool as u16;
            return self.start_tool(now, id, next);
        }
        if task.is_joined() {
            self.joined(now, id);
        }
    }

    fn start_child(&mut self, now: Time, id: ActorId) {
        let blank = self.calls.blank();
        let task = &mut self.tasks[id.index() as usize];
        let index = task.next_child;
        task.next_child += 1;
        let parent = &self.actors[id];
        let script = agents(&mut self.sources[usize::from(parent.use_case)].script);
        let child = script.child(parent, index, blank);
        let start = self.program(id).children.as_ref().expect("it has sub-agents").start;
        let alone = self.task(id).alone.child(start, child.shared_tokens());
        let child = self.enroll(child, None, Some(id));
        self.task(child).alone = alone;
        self.task(id).children.push(child);
        self.begin_run(now, child);
    }

    /// A sub-agent has ended; it is still there.
    fn on_child(&mut self, now: Time, id: ActorId, child: ActorId) {
        if self.replays(id) {
            return self.replay_child(now, id, child);
        }
        let summary = {
            let script = agents(&mut self.sources[usize::from(self.actors[id].use_case)].script);
            script.summary(&self.actors[id], &self.actors[child])
        };
        let order = self.program(id).children.as_ref().expect("it has sub-agents").order;
        self.take_over_spent(id, child);
        let alone = self.task(child).alone;
        self.task(id).alone.child_ended(&alone, order);
        let ended = std::mem::take(&mut self.task(child).path);
        let counts = self.task(child).counts;
        let turn = self.actors[id].turn;
        let task = &mut self.tasks[id.index() as usize];
        task.children.retain(|&other| other != child);
        task.counts.add(&counts);
        let mut goes_on = Goes::Nowhere;
        match order {
            ChildOrder::Background => {
                task.background -= 1;
                task.reported = task.reported.saturating_add(summary);
                let first = *task.first_end.get_or_insert(now);
                if task.awaits_background && task.background == 0 {
                    task.path.take_over(&ended, first, now, turn);
                    goes_on = Goes::Asks;
                }
            }
            ChildOrder::Sequence => {
                task.tokens = task.tokens.saturating_add(summary);
                task.children_due -= 1;
                task.path.take_over(&ended, now, now, turn);
                if task.children_due > 0 {
                    goes_on = Goes::Starts;
                } else if task.is_joined() {
                    goes_on = Goes::Joins;
                }
            }
            ChildOrder::Parallel => {
                task.tokens = task.tokens.saturating_add(summary);
                let first = *task.first_end.get_or_insert(now);
                task.children_due -= 1;
                if task.is_joined() {
                    task.path.take_over(&ended, first, now, turn);
                    goes_on = Goes::Joins;
                }
            }
        }
        let is_enough = order == ChildOrder::Parallel && task.children_due == 0;
        self.task(child).path = ended;
        self.dismiss(child);
        if is_enough {
            self.call_off_children(now, id);
        }
        match goes_on {
            Goes::Nowhere => {}
            Goes::Asks => self.ask(now, id),
            Goes::Starts => self.start_child(now, id),
            Goes::Joins => self.joined(now, id),
        }
    }

    /// All that the present turn led to has come.
    fn joined(&mut self, now: Time, id: ActorId) {
        let task = &mut self.tasks[id.index() as usize];
        let actor = &mut self.actors[id];
        let script = agents(&mut self.sources[usize::from(actor.use_case)].script);
        script.joined(actor, std::mem::take(&mut task.tokens), task.failed);
        task.alone.joined();
        let most = self.program(id).limits.retries;
        if self.actors[id].retries > most {
            return self.end_run(now, id, RunEnd::Failed);
        }
        self.ask(now, id);
    }

    /// The last answer of a run is there, or it ends without.
    pub(super) fn end_run(&mut self, now: Time, id: ActorId, end: RunEnd) {
        self.call_off_children(now, id);
        if self.watch.is_some() {
            self.watch_run(now, id, Some(end));
        }
        let actor = &self.actors[id];
        let (use_case, member) = (usize::from(actor.use_case), usize::from(actor.member));
        let deadline_s = self.program(id).limits.deadline_s;
        let task = &mut self.tasks[id.index() as usize];
        task.background = 0;
        task.reported = 0;
        task.is_running = false;
        let latency = now.since(task.began);
        let counts = &task.counts;
        self.audit.run(counts.calls, counts.turns + counts.compactions + counts.retries);
        if end == RunEnd::Done {
            let parts = task.path.parts();
            assert_eq!(parts.iter().sum::<u64>(), latency.ticks(), "the path is all of the run");
            let is_in_time = deadline_s.is_none_or(|most| latency.seconds() <= most);
            let runs = self.recorder.runs(use_case, member);
            if let Some(runs) = runs {
                runs.add_done(latency, &parts, is_in_time);
                runs.add_path(&task.path);
                runs.counts.add(&task.counts);
                runs.spent_on_done.add(&task.spent);
                runs.alone_ticks += u128::from(task.alone.latency);
                runs.spent.add(&task.spent);
            }
        } else if let Some(runs) = self.recorder.runs(use_case, member) {
            match end {
                RunEnd::Failed => runs.failed += 1,
                _ => runs.abandoned += 1,
            }
            runs.spent.add(&task.spent);
        }
        match self.task(id).parent {
            Some(parent) => self.on_child(now, parent, id),
            None => self.after_run(now, id, end),
        }
    }

    /// The session goes on after a pause, or is over.
    fn after_run(&mut self, now: Time, id: ActorId, end: RunEnd) {
        // A recorded sub-agent that nobody waits for.
        if self.actors[id].depth > 0 {
            return self.dismiss(id);
        }
        let is_broken = end == RunEnd::Abandoned || self.actors[id].is_refused();
        if is_broken || self.actors[id].is_in_last_run() {
            let actor = &self.actors[id];
            let (use_case, runs) = (usize::from(actor.use_case), actor.run + 1);
            let client = self.task(id).client;
            self.dismiss(id);
            self.recorder.session_ended(use_case, runs, !is_broken);
            self.audit.agent_session_ended();
            if let Some(client) = client {
                self.ask_again(now, use_case, client, is_broken);
            }
            return;
        }
        let until = if self.replays(id) {
            self.replay_gap(now, id)
        } else {
            let actor = &self.actors[id];
            now + agents(&mut self.sources[usize::from(actor.use_case)].script).gap(actor)
        };
        self.actors[id].run += 1;
        self.alarm(until, Event::Run { actor: id });
    }

    /// Takes an actor out.
    pub(super) fn dismiss(&mut self, id: ActorId) {
        let content = self.actors.remove(id).take_content();
        self.calls.recycle(content);
    }

    /// What a sub-agent has used is used by its parent too.
    pub(super) fn take_over_spent(&mut self, id: ActorId, child: ActorId) {
        let spent = std::mem::take(&mut self.task(child).spent);
        self.task(id).spent.add(&spent);
        self.task(child).spent = spent;
    }

    /// The sub-agents of an actor are no longer waited for, nor theirs.
    fn call_off_children(&mut self, now: Time, id: ActorId) {
        while let Some(child) = self.task(id).children.pop() {
            self.call_off_children(now, child);
            self.call_off(now, child);
            if self.watch.is_some() {
                self.watch_run(now, child, Some(RunEnd::Abandoned));
            }
            let (use_case, member, counts) = {
                let actor = &self.actors[child];
                let counts = self.tasks[child.index() as usize].counts;
                (usize::from(actor.use_case), usize::from(actor.member), counts)
            };
            self.task(id).counts.add(&counts);
            self.take_over_spent(id, child);
            if let Some(runs) = self.recorder.runs(use_case, member) {
                runs.abandoned += 1;
                runs.spent.add(&self.tasks[child.index() as usize].spent);
            }
            self.dismiss(child);
        }
    }

    /// The call of an actor, if there is one, is no longer waited for.
    fn call_off(&mut self, _now: Time, id: ActorId) {
        let call = match std::mem::take(&mut self.task(id).called) {
            Called::Nothing => return,
            Called::OnItsWay(flight) => &mut self.flights[flight].call,
            Called::AtPool(call) => &mut self.calls[call],
            Called::Answered(flight, _) => &mut self.answers[flight].call,
        };
        (call.waiter, call.hold) = (Waiter::Nobody, call.hold.called_off());
        let (pool, tokens) = (call.pool, u64::from(call.prompt) + u64::from(call.output));
        self.task(id).spent.add_tokens(pool.into(), tokens);
    }

    /// A user has waited long enough for a run.
    pub(super) fn on_patience(&mut self, now: Time, id: ActorId, run: u32) {
        // Between runs it is at the next one already.
        if self.actors.contains(id) && self.actors[id].run == run {
            self.call_off(now, id);
            self.end_run(now, id, RunEnd::Abandoned);
        }
    }

    /// A call may have taken too long.
    pub(super) fn on_timeout(&mut self, now: Time, id: ActorId, call: u32) {
        if !self.actors.contains(id) || self.task(id).asked != call {
            return;
        }
        let mut content = self.calls.blank();
        let (sent, left, said) = match self.task(id).called {
            Called::Nothing => (None, now, None),
            Called::OnItsWay(flight) => {
                let Flight { call, content } = &self.flights[flight];
                (Some(*call), now, content.as_ref())
            }
            Called::AtPool(call) => (Some(self.calls[call]), now, self.calls.content(call)),
            Called::Answered(flight, left) => {
                let Flight { call, content } = &self.answers[flight];
                (Some(*call), left, content.as_ref())
            }
        };
        // It was answered, or will hear in a moment that it is refused.
        let Some((sent, said)) = sent.zip(said) else {
            return self.calls.recycle(Some(content));
        };
        content.copy(said);
        self.call_off(now, id);
        let task = &mut self.tasks[id.index() as usize];
        let actor = &mut self.actors[id];
        task.path.call(now, left, &sent, actor.turn);
        task.count_call(actor);
        let compacts = task.compacts;
        let ask = task.ask.take().expect("it asked");
        let script = agents(&mut self.sources[usize::from(actor.use_case)].script);
        script.given_up(actor, ask, content, compacts);
        if self.actors[id].retries > self.program(id).limits.retries {
            return self.end_run(now, id, RunEnd::Failed);
        }
        self.ask(now, id);
    }
}

/// What a timeline is made of.
impl<E: Engine> Simulation<'_, E> {
    fn run_key(&self, id: ActorId) -> RunKey {
        RunKey { place: id.index(), began: self.tasks[id.index() as usize].began }
    }

    fn watched_run(&self, now: Time, id: ActorId, end: Option<RunEnd>) -> WatchedRun {
        let Actor { use_case, member, number, run, .. } = self.actors[id];
        let task = &self.tasks[id.index() as usize];
        WatchedRun {
            key: self.run_key(id),
            parent: task.parent.map(|parent| self.run_key(parent)),
            member: (use_case, member),
            number: (number, run),
            path: task.path.clone(),
            end,
            until: now,
        }
    }

    fn watch_run(&mut self, now: Time, id: ActorId, end: Option<RunEnd>) {
        let run = self.watched_run(now, id, end);
        self.watch.iter_mut().for_each(|watch| watch.run(run.clone()));
    }

    /// The runs that go on at `now`, the last event.
    pub(super) fn open_runs(&self, now: Time) -> impl Iterator<Item = WatchedRun> {
        let runs = self.actors.ids().filter(|&id| self.tasks[id.index() as usize].is_running);
        runs.map(move |id| self.watched_run(now, id, None))
    }

    #[inline]
    fn watch_tool(&mut self, id: ActorId, at: u16, pool: Option<u16>, ran: (Time, Time)) {
        if self.watch.is_none() {
            return;
        }
        let Actor { use_case, member, .. } = self.actors[id];
        let class = self.task(id).tools[usize::from(at)].class;
        let (run, member) = (self.run_key(id), (use_case, member));
        let tool = WatchedTool { pool, run, member, class, from: ran.0, until: ran.1 };
        self.watch.iter_mut().for_each(|watch| watch.tool(tool));
    }
}

/// Whether `actor` will go on from the call that it makes now: what follows a turn
/// are tools and sub-agents, then the next turn, which repeats it.
fn hold(actor: &Actor, compacts: bool) -> Hold {
    let from = actor.forked_at;
    if compacts || actor.is_in_last_turn() { Hold::Over { from } } else { Hold::On { from } }
}

/// How a parent goes on when a sub-agent has ended.
enum Goes {
    Nowhere,
    Asks,
    Starts,
    Joins,
}

/// The script of a use case whose sessions are agents'.
#[inline]
fn agents(script: &mut Script) -> &mut agent::Script {
    match script {
        Script::Agents(script) => script,
        Script::Calls(_) | Script::Replay(_) => unreachable!("only agents have actors"),
    }
}
