//! Replayed sessions of agents.
//!
//! A thread of a recording is an actor. Before each call it waits for the threads
//! that it started and that join there, and then for a pause; see
//! [`Timing`](crate::workload::agent::Timing). The pause counts as tools on its path:
//! a recording does not tell what else its client did.

use super::Simulation;
use super::agents::NO_POOL;
use super::arrivals::Script;
use super::event::Event;
use crate::factory::{Call, Engine};
use crate::kernel::{Span, Time};
use crate::metrics::{Part, RunEnd};
use crate::workload::agent::{Actor, ActorId, Recorded};
use crate::workload::graph::{NEVER, Started};
use crate::workload::{Ask, Content};

/// Where the actor of a thread is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Replaying {
    /// The call of its parent that waits for its end, or [`NEVER`].
    pub join: u32,
    /// Until when the last answer counts as not there.
    held_until: Time,
    /// It waits for threads that it started.
    waits: bool,
    /// What follows the time that it lets pass.
    then: Then,
}

/// What an actor does when time has passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Then {
    /// It makes its next call.
    #[default]
    Ask,
    /// The answer that was held back is there.
    GoOn,
}

impl<E: Engine> Simulation<'_, E> {
    /// Whether an actor replays a recording.
    #[inline]
    pub(super) fn replays(&self, id: ActorId) -> bool {
        let use_case = usize::from(self.actors[id].use_case);
        matches!(self.sources[use_case].script, Script::Replay(_))
    }

    /// An actor that replays a recording, and what it replays.
    #[inline]
    fn replayed(&mut self, id: ActorId) -> (&mut Actor, &mut Recorded) {
        let actor = &mut self.actors[id];
        match &mut self.sources[usize::from(actor.use_case)].script {
            Script::Replay(script) => (actor, script),
            Script::Agents(_) | Script::Calls(_) => unreachable!("it replays a recording"),
        }
    }

    /// A run of a thread begins.
    pub(super) fn replay_run(&mut self, now: Time, id: ActorId) {
        let (actor, script) = self.replayed(id);
        script.begin_run(actor);
        // The gap between runs was the pause.
        if actor.run > 0 {
            return self.ask(now, id);
        }
        self.replay_starts(now, id, None);
        self.replay_wait(now, id);
    }

    /// Starts what a thread does before its first call, or after call number `after`.
    fn replay_starts(&mut self, now: Time, id: ActorId, after: Option<u32>) {
        for number in 0.. {
            let blank = self.calls.blank();
            let (actor, script) = self.replayed(id);
            let starts = match after {
                Some(_) => script.starts_after(actor),
                None => script.starts_first(actor),
            };
            let Some(&Started { thread, join }) = starts.get(number) else {
                return self.calls.recycle(Some(blank));
            };
            let child = script.child(actor, thread, blank);
            let parent = (join != NEVER).then_some(id);
            let child = self.enroll(child, None, parent);
            self.task(child).replaying = Replaying { join, ..Replaying::default() };
            let task = self.task(id);
            task.counts.children += 1;
            if parent.is_some() {
                task.children.push(child);
            }
            self.begin_run(now, child);
        }
    }

    /// How many threads join before what an actor does next, and are not over.
    fn replay_due(&mut self, id: ActorId) -> usize {
        let (actor, script) = self.replayed(id);
        let at = script.at(actor);
        let join = |child: &ActorId| self.tasks[child.index() as usize].replaying.join;
        let children = self.tasks[id.index() as usize].children.iter();
        children.filter(|child| join(child) <= at).count()
    }

    /// An actor waits for others before its next call, or its end.
    fn replay_wait(&mut self, now: Time, id: ActorId) {
        if self.replay_due(id) > 0 {
            let task = self.task(id);
            task.replaying.waits = true;
            task.first_end = None;
            return;
        }
        self.replay_pause(now, id);
    }

    /// A thread that `id` waits for, now or later, has ended; it is still there.
    pub(super) fn replay_child(&mut self, now: Time, id: ActorId, child: ActorId) {
        self.take_over_spent(id, child);
        let ended = std::mem::take(&mut self.task(child).path);
        let (counts, join) = (self.task(child).counts, self.task(child).replaying.join);
        let (actor, script) = self.replayed(id);
        let (turn, at) = (actor.turn, script.at(actor));
        let task = self.task(id);
        task.children.retain(|&other| other != child);
        task.counts.add(&counts);
        let waits = task.replaying.waits && join <= at;
        let first = if waits { *task.first_end.get_or_insert(now) } else { now };
        let goes_on = waits && self.replay_due(id) == 0;
        if goes_on {
            let task = self.task(id);
            task.replaying.waits = false;
            task.path.take_over(&ended, first, now, turn);
        }
        self.task(child).path = ended;
        self.dismiss(child);
        if goes_on {
            self.replay_pause(now, id);
        }
    }

    /// Nobody is waited for any more: a pause, and then the call.
    fn replay_pause(&mut self, now: Time, id: ActorId) {
        let (actor, script) = self.replayed(id);
        let began = actor.errand.began;
        let Some(call) = script.call(actor) else {
            return self.end_run(now, id, RunEnd::Done);
        };
        let until = script.replay().comes(call, now, began);
        self.replay_pass(now, id, until, Then::Ask);
    }

    /// When the session goes on after a run.
    pub(super) fn replay_gap(&mut self, now: Time, id: ActorId) -> Time {
        let held_until = self.task(id).replaying.held_until;
        let (actor, script) = self.replayed(id);
        let began = actor.errand.began;
        let call = script.call_after_run(actor).expect("it is not the last run");
        script.replay().comes(call, now.max(held_until), began)
    }

    /// What an actor asks for now; where a turn asks nobody it goes on.
    pub(super) fn replay_ask(
        &mut self,
        now: Time,
        id: ActorId,
    ) -> Option<(Ask, Content, Option<u8>)> {
        let (actor, script) = self.replayed(id);
        let site = script.site(actor);
        let Some((ask, content)) = script.ask(actor) else {
            self.replay_go_on(now, id);
            return None;
        };
        Some((ask, content, site))
    }

    /// The call of an actor was answered. The client of a paced replay may let the
    /// answer lie for a while, not that of a run, whose latency ends here.
    pub(super) fn replay_answer(&mut self, now: Time, id: ActorId, call: &Call, content: Content) {
        let (actor, script) = self.replayed(id);
        script.answered(actor, content);
        let ends_run = actor.depth == 0 && actor.is_in_last_turn();
        let hold = script.call(actor).map_or(Span::ZERO, |call| script.replay().hold(call));
        let held_until = call.arrived + hold;
        self.task(id).replaying.held_until = held_until;
        if ends_run {
            return self.replay_go_on(now, id);
        }
        self.replay_pass(now, id, now.max(held_until), Then::GoOn);
    }

    /// The answer counts as there: what it starts, and what comes next.
    fn replay_go_on(&mut self, now: Time, id: ActorId) {
        let (actor, script) = self.replayed(id);
        let at = script.at(actor);
        self.replay_starts(now, id, Some(at));
        let (actor, _) = self.replayed(id);
        if actor.is_in_last_turn() && !actor.is_in_last_run() {
            return self.end_run(now, id, RunEnd::Done);
        }
        actor.turn += 1;
        self.replay_wait(now, id);
    }

    /// Lets time pass.
    fn replay_pass(&mut self, now: Time, id: ActorId, until: Time, then: Then) {
        self.task(id).replaying.then = then;
        if until > now {
            return self.alarm(until, Event::Tool { actor: id, at: 0, pool: NO_POOL });
        }
        self.replay_passed(now, id);
    }

    /// Time has passed.
    pub(super) fn replay_passed(&mut self, now: Time, id: ActorId) {
        let turn = self.actors[id].turn;
        let task = self.task(id);
        task.path.mark(now, Part::Tool, turn);
        match task.replaying.then {
            Then::Ask => self.ask(now, id),
            Then::GoOn => self.replay_go_on(now, id),
        }
    }
}
