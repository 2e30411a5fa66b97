//! Recorded sessions that are under way at time zero.

use super::agents::Place;
use super::{Begun, Service};
use crate::factory::Engine;
use crate::kernel::{Span, Time};
use crate::simulation::Simulation;
use crate::workload::Content;
use crate::workload::Strand;
use crate::workload::agent::{Recorded, Replay};
use crate::workload::graph::Started;

/// The calls of the threads of a session, at the pace of a pool.
struct Course<'c> {
    replay: &'c Replay,
    service: &'c Service<'c>,
}

impl Course<'_> {
    /// When `thread`, which begins at `now` of the clock of the session, has ended, with
    /// those that it waits for. `visit` hears of each of its calls: its number, when it
    /// comes, and when the answer before it came.
    fn thread(&self, thread: u32, begins: Time, mut visit: impl FnMut(u32, Time, Time)) -> Time {
        let graph = &self.replay.graph;
        let mut now = begins;
        let mut answered = begins;
        let mut joins: Vec<(u32, Time)> = Vec::new();
        let starts = |joins: &mut Vec<(u32, Time)>, starts: &[Started], now: Time| {
            joins.extend(starts.iter().map(|it| (it.join, self.thread_end(it.thread, now))));
        };
        starts(&mut joins, graph.starts_of(thread), now);
        let calls = graph.calls_of(thread);
        for (at, call) in (0..).zip(calls) {
            now = joined(&mut joins, at, now);
            now = self.replay.comes(call, now, Time::ZERO);
            visit(at, now, answered);
            if call.prompt > 0 {
                let cached = call.known(self.service.keeps_answers());
                let call_s = self.service.call_s(call.prompt, cached, call.output);
                answered = now + Span::from_seconds(call_s);
                now = answered.max(now + self.replay.hold(call));
            }
            starts(&mut joins, graph.starts_after(call), now);
        }
        joined(&mut joins, calls.len() as u32, now)
    }

    fn thread_end(&self, thread: u32, begins: Time) -> Time {
        // Threads start others, so the visitor must not be a new type at each depth.
        let mut nobody = |_, _, _| {};
        let visit: &mut dyn FnMut(u32, Time, Time) = &mut nobody;
        self.thread(thread, begins, visit)
    }
}

/// `now`, or when the last of those has ended that are waited for before call `at`.
fn joined(joins: &mut Vec<(u32, Time)>, at: u32, now: Time) -> Time {
    let due = joins.iter().filter(|(join, _)| *join <= at);
    let last = due.map(|&(_, end)| end).fold(now, Time::max);
    joins.retain(|(join, _)| *join > at);
    last
}

/// Seconds of session `number` to its last answer.
pub(super) fn length_s(script: &Recorded, number: u64, service: &Service<'_>) -> f64 {
    let replay = script.replay();
    let thread = replay.graph.session(number % replay.graph.sessions());
    Course { replay, service }.thread_end(thread, Time::ZERO).seconds()
}

impl<E: Engine> Simulation<'_, E> {
    /// Puts in the main thread of a recorded session at its next call, if it makes
    /// another one.
    pub(super) fn enter_replay(
        &mut self,
        script: &Recorded,
        begun: Begun,
        service: &Service<'_>,
    ) -> bool {
        let replay = script.replay();
        let thread = replay.graph.session(begun.number % replay.graph.sessions());
        let age = Time::ZERO + Span::from_seconds(begun.age_s);
        let mut next = None;
        Course { replay, service }.thread(thread, Time::ZERO, |at, comes, answered| {
            if comes >= age && next.is_none() {
                next = Some((at, comes, answered));
            }
        });
        let Some((at, comes, answered)) = next else { return false };
        let mut actor = script.session(begun.number, Content::new(Strand::NONE));
        let begins_run = script.go_to(&mut actor, at);
        let call = &replay.graph.calls_of(thread)[at as usize];
        let place = Place {
            actor,
            at_s: comes.seconds(),
            known: call.known(service.keeps_answers()),
            idle_s: comes.since(answered.min(comes)).seconds(),
            // The time since its beginning serves to give up, which no recording does.
            run_s: (!begins_run).then_some(0.0),
        };
        self.enter_actor(place, begun, service);
        true
    }
}
