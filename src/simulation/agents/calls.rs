//! Model calls of agents: asked for, answered, or called off for their time.

use super::{Called, agents};
use crate::factory::{Call, CallId, Engine, Gone, Hold, Waiter, Why};
use crate::kernel::{Span, Time};
use crate::metrics::RunEnd;
use crate::simulation::Simulation;
use crate::simulation::event::Event;
use crate::simulation::network::{Flight, FlightId, ways};
use crate::workload::agent::{Actor, ActorId, Next};
use crate::workload::{Ask, Content};

impl<E: Engine> Simulation<'_, E> {
    /// The actor goes on at this instant, once all steps that end at it have ended:
    /// until then a replica may be about to start a step that its call must not be in.
    pub(in crate::simulation) fn ask(&mut self, now: Time, id: ActorId) {
        self.wait_for_steps(now);
        self.asking.push(id);
    }

    /// Schedules what comes when all steps that end now have ended.
    pub(in crate::simulation) fn wait_for_steps(&mut self, now: Time) {
        if self.pending.due(self.slots.asks()).is_none() {
            self.pending.schedule(self.slots.asks(), now);
            self.arrivals_due += 1;
        }
    }

    /// All steps that end now have ended.
    pub(in crate::simulation) fn on_asks(&mut self, now: Time) {
        self.arrivals_due -= 1;
        self.tell_aborts(now);
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
    pub(in crate::simulation) fn ask_now(&mut self, now: Time, id: ActorId) {
        if self.replays(id) {
            if let Some((ask, content, site)) = self.replay_ask(now, id) {
                self.ask_pool(now, id, (ask, false), content, site);
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
        let site = script.site(actor);
        self.ask_pool(now, id, (ask, compacts), content, site);
    }

    /// Sends the call of an actor, which may be a compaction, to its pool, at `site` if
    /// it has one of its own.
    pub(super) fn ask_pool(
        &mut self,
        now: Time,
        id: ActorId,
        (ask, compacts): (Ask, bool),
        content: Content,
        site: Option<u8>,
    ) {
        let actor = &self.actors[id];
        let task = &mut self.tasks[id.index() as usize];
        let mut call = Call::new(actor.use_case, actor.number, now, ask.prompt, ask.output);
        call.turn = actor.serial();
        call.thinking = ask.thinking;
        call.is_cut = ask.is_cut;
        call.given = ask.given;
        call.waiter = Waiter::Agent(id);
        call.region = actor.errand.region;
        call.is_of_a_job = actor.errand.job.is_some();
        call.hold = hold(actor, compacts);
        call.conversation = actor.conversation;
        self.path_room.for_turn(&mut task.path);
        (task.ask, task.compacts) = (Some(ask), compacts);
        task.asked += 1;
        let asked = task.asked;
        self.aim(now, &mut call, site);
        self.audit.sent();
        if let Some(timeout_s) = self.program(id).limits.timeout_s {
            let event = Event::Timeout { actor: id, call: asked };
            self.alarm(now + Span::from_seconds(timeout_s), event);
        }
        let (there, _) = ways(call.network);
        if there == Span::ZERO {
            self.deliver(now, call, Some(content));
            return;
        }
        let flight = self.fly(now + there, call, Some(content));
        self.task(id).called = Called::OnItsWay(flight);
    }

    /// The call of an actor is at its pool.
    pub(in crate::simulation) fn taken_in(&mut self, id: ActorId, call: CallId) {
        self.task(id).called = Called::AtPool(call);
    }

    /// The call of an actor has left its pool, with an answer or, without content,
    /// refused. The actor hears of it when that is back.
    pub(in crate::simulation) fn answer_agent(
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
        let flight = self.answers.insert(Flight { call, content, hung_up: None });
        self.task(id).called = Called::Answered(flight, now);
        self.alarm(now + back, Event::Answer { flight });
    }

    /// An answer is back.
    pub(in crate::simulation) fn on_heard(&mut self, now: Time, flight: FlightId) {
        let Flight { call, content, .. } = self.answers.remove(flight);
        let Waiter::Agent(id) = call.waiter else {
            return self.calls.recycle(content);
        };
        let Called::Answered(_, left) = self.task(id).called else {
            unreachable!("it waits for this answer")
        };
        self.on_agent_answer(now, left, id, &call, content);
    }

    /// The call of an actor, which left its pool at `left`, was answered or refused.
    pub(super) fn on_agent_answer(
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
        task.spent.add_work(call.pool.into(), call.work.into());
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
            task.alone.knows(actor.shared_tokens());
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

    /// The call of an actor, if there is one, is no longer waited for. Its run pays for
    /// what it has taken so far.
    pub(super) fn call_off(&mut self, now: Time, id: ActorId, why: Why) {
        let mut gone = Gone { why, member: self.actors[id].member, paid: 0 };
        let pool = match std::mem::take(&mut self.task(id).called) {
            Called::Nothing => return,
            Called::OnItsWay(flight) => {
                let Flight { call, hung_up, .. } = &mut self.flights[flight];
                call.leave(gone);
                *hung_up = Some(now);
                return;
            }
            Called::AtPool(call) => {
                gone.paid = self.worked(now, call);
                self.calls[call].leave(gone);
                self.hang_up(now, now, call);
                self.calls[call].pool
            }
            Called::Answered(flight, _) => {
                let call = &mut self.answers[flight].call;
                gone.paid = call.work;
                call.leave(gone);
                call.pool
            }
        };
        self.task(id).spent.add_work(pool.into(), gone.paid.into());
    }

    /// A call may have taken too long.
    pub(in crate::simulation) fn on_timeout(&mut self, now: Time, id: ActorId, call: u32) {
        if !self.actors.contains(id) || self.task(id).asked != call {
            return;
        }
        let mut content = self.calls.blank();
        let (sent, left, said) = match self.task(id).called {
            Called::Nothing => (None, now, None),
            Called::OnItsWay(flight) => {
                let Flight { call, content, .. } = &self.flights[flight];
                (Some(*call), now, content.as_ref())
            }
            Called::AtPool(call) => (Some(self.calls[call]), now, self.calls.content(call)),
            Called::Answered(flight, left) => {
                let Flight { call, content, .. } = &self.answers[flight];
                (Some(*call), left, content.as_ref())
            }
        };
        // It was answered, or will hear in a moment that it is refused.
        let Some((sent, said)) = sent.zip(said) else {
            return self.calls.recycle(Some(content));
        };
        content.copy(said);
        self.call_off(now, id, Why::GaveUp);
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

/// Whether `actor` will go on from the call that it makes now: what follows a turn
/// are tools and sub-agents, then the next turn, which repeats it.
fn hold(actor: &Actor, compacts: bool) -> Hold {
    let from = actor.forked_at;
    if compacts || actor.is_in_last_turn() { Hold::Over { from } } else { Hold::On { from } }
}
