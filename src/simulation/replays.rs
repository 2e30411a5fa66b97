//! Replayed sessions of agents.
//!
//! A thread of a recording is an actor. Before each call it waits for the threads
//! that it started and that join there, and then for a pause; see
//! [`Timing`](crate::workload::agent::Timing). The pause counts as tools on its path
//! where the recording tells that it was theirs.

use super::Simulation;
use super::agents::{NO_POOL, Task};
use super::alone::Alone;
use super::arrivals::Script;
use super::event::Event;
use super::network::ways;
use crate::factory::{Call, Engine};
use crate::kernel::{Span, Time};
use crate::metrics::{Part, RunEnd};
use crate::scenario::Lengths;
use crate::workload::agent::{Actor, ActorId, Recorded, Replay};
use crate::workload::graph::{NEVER, Started};
use crate::workload::{Ask, Content};

/// Where the actor of a thread is.
#[derive(Clone, Debug, Default)]
pub struct Replaying {
    /// The call of its parent that waits for its end, or [`NEVER`].
    pub join: u32,
    /// Until when the last answer counts as not there; also on the second clock.
    held_until: Time,
    held_alone: Time,
    /// Calls that wait for threads which have ended, and when those ended on the second
    /// clock.
    joins: Vec<(u32, Time)>,
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

impl Replaying {
    /// Forgets the actor that had this place before; keeps its memory.
    pub fn renew(&mut self) {
        let mut joins = std::mem::take(&mut self.joins);
        joins.clear();
        *self = Replaying { joins, ..Replaying::default() };
    }

    /// All that call number `at` waits for has ended. Returns when the last of it did,
    /// on the second clock.
    fn joined(&mut self, at: u32) -> Option<Time> {
        let joined = self.joins.iter().filter(|(join, _)| *join <= at);
        let last = joined.map(|&(_, end)| end).max();
        self.joins.retain(|(join, _)| *join > at);
        last
    }
}

impl<'s, E: Engine> Simulation<'s, E> {
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

    /// How it is replayed.
    fn replay_of(&self, id: ActorId) -> &'s Replay {
        match &self.scenario.use_cases[usize::from(self.actors[id].use_case)].lengths {
            Lengths::Replayed(replay) => replay,
            _ => unreachable!("it replays a recording"),
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
            let alone = Alone::from(self.task(id).alone.now());
            let task = self.task(child);
            (task.replaying.join, task.alone) = (join, alone);
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
        let Task { counts, replaying, alone, .. } = self.task(child);
        let (counts, join, end_alone) = (*counts, replaying.join, alone.now());
        let (actor, script) = self.replayed(id);
        let (turn, at) = (actor.turn, script.at(actor));
        let task = self.task(id);
        task.children.retain(|&other| other != child);
        task.counts.add(&counts);
        task.replaying.joins.push((join, end_alone));
        let waits = task.replaying.waits && join <= at;
        let first = if waits { *task.first_end.get_or_insert(now) } else { now };
        let goes_on = waits && self.replay_due(id) == 0;
        if goes_on {
            let task = &mut self.tasks[id.index() as usize];
            self.path_room.for_child(&mut task.path, &ended);
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
        let replay = self.replay_of(id);
        let (actor, script) = self.replayed(id);
        let errand = actor.errand;
        let (at, call) = (script.at(actor), script.call(actor).copied());
        let Task { replaying, alone, .. } = self.task(id);
        if let Some(end) = replaying.joined(at) {
            alone.go_on(end);
        }
        let Some(call) = call else {
            return self.end_run(now, id, RunEnd::Done);
        };
        alone.go_on(replay.comes(&call, alone.now(), Time::ZERO));
        let until = replay.comes_for(&call, now, &errand);
        self.replay_pass(now, id, until, Then::Ask);
    }

    /// When the session goes on after a run.
    pub(super) fn replay_gap(&mut self, now: Time, id: ActorId) -> Time {
        let replay = self.replay_of(id);
        let (actor, script) = self.replayed(id);
        let errand = actor.errand;
        let call = *script.call_after_run(actor).expect("it is not the last run");
        let Task { replaying, alone, .. } = self.task(id);
        let heard = alone.now().max(replaying.held_alone);
        *alone = Alone::from(replay.comes(&call, heard, Time::ZERO));
        replay.comes_for(&call, now.max(replaying.held_until), &errand)
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
        let spec = &self.pools[usize::from(call.pool)].spec;
        let keeps_answers = spec.limits.prefix_cache.is_some_and(|rules| rules.cache_decoded);
        let replay = self.replay_of(id);
        let (actor, script) = self.replayed(id);
        script.answered(actor, content);
        let ends_run = actor.depth == 0 && actor.is_in_last_turn();
        let known = script.known(actor, keeps_answers);
        let hold = script.call(actor).map_or(Span::ZERO, |call| replay.hold(call));
        let Task { replaying, alone, .. } = &mut self.tasks[id.index() as usize];
        // The client holds the answer back, so it counts from when it asked.
        replaying.held_until = asked(call) + hold;
        replaying.held_alone = alone.now() + hold;
        alone.knows(known);
        alone.answered(&self.pools[usize::from(call.pool)].spec, call, false);
        if ends_run {
            return self.replay_go_on(now, id);
        }
        alone.go_on(replaying.held_alone);
        let until = replaying.held_until.max(now);
        self.replay_pass(now, id, until, Then::GoOn);
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
        let (actor, script) = self.replayed(id);
        let (turn, after_tools) =
            (actor.turn, script.call(actor).is_some_and(|call| call.after_tools));
        let task = self.task(id);
        let then = task.replaying.then;
        let part = if then == Then::Ask && after_tools { Part::Tool } else { Part::Pause };
        task.path.mark(now, part, turn);
        match then {
            Then::Ask => self.ask(now, id),
            Then::GoOn => self.replay_go_on(now, id),
        }
    }
}

/// When the client of a call sent it.
fn asked(call: &Call) -> Time {
    let (there, _) = ways(call.network);
    Time::from_ticks(call.arrived.ticks() - there.ticks())
}
