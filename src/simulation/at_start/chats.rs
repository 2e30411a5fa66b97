//! Sessions of calls that are under way at time zero.

use super::{Begun, Service};
use crate::factory::Engine;
use crate::kernel::Time;
use crate::random::{Component, Stream};
use crate::simulation::Simulation;
use crate::simulation::event::Event;
use crate::workload::{Content, Script, Session, Strand};

/// Goes through a session, or a call, on a clock of its own.
struct Talk<'t> {
    script: &'t mut Script,
    service: &'t Service<'t>,
    session: Session,
    now_s: f64,
    /// Tokens of the next prompt that a cache has.
    known: u32,
    /// After each answer: when, and what a cache then had of the next prompt.
    said: Vec<(f64, u32)>,
    /// Whether what is said is written down.
    writes: bool,
}

impl Talk<'_> {
    /// Goes on until a turn is asked for at `until_s` or later, which is returned to
    /// be true, or the session is over.
    fn reaches(&mut self, until_s: f64) -> bool {
        let pool = self.service.pool;
        while self.now_s < until_s {
            let ask = self.script.turn(&self.session);
            if !pool.accepts(ask.prompt, ask.output) {
                return false;
            }
            let cached = self.service.in_blocks(self.known.min(ask.prompt - 1));
            let cached = ask.given.unwrap_or(cached);
            self.now_s += self.service.call_s(ask.prompt, cached, ask.output);
            let content = self.session.content.take().filter(|_| self.writes);
            let whole = ask.prompt.saturating_add(ask.output);
            self.script.answered(&mut self.session, ask, content);
            // The last token of an answer has no KV yet; of one that was parted from
            // its thinking, none has.
            let is_whole = self.session.history == whole;
            let keeps_answer = is_whole && self.service.keeps_answers();
            self.known = if keeps_answer { whole - 1 } else { ask.prompt };
            self.said.push((self.now_s, self.known));
            if self.session.is_over() {
                return false;
            }
            let pause_s = self.script.think(&self.session).seconds();
            if !self.service.keeps(pause_s) {
                self.known = 0;
            }
            self.now_s += pause_s;
        }
        true
    }

    /// Tokens of the next prompt that the lane has to which it goes: where that may be
    /// any, what was said when the session was there last.
    fn carried(&self, stream: &mut Stream) -> u32 {
        let share = 1.0 / f64::from(self.service.lanes);
        let there = |_: &&(f64, u32)| self.service.lanes == 1 || stream.unit() < share;
        let last = self.said.iter().rev().find(there);
        let kept = last.filter(|(said_s, _)| self.service.keeps(self.now_s - said_s));
        kept.map_or(0, |&(_, known)| self.service.in_blocks(known))
    }
}

/// Begins session `number`.
fn talk<'t>(
    script: &'t mut Script,
    number: u64,
    service: &'t Service<'t>,
    writes: bool,
) -> Talk<'t> {
    let session = script.session(number, Content::new(Strand::NONE));
    let known = if service.keeps(0.0) { session.history } else { 0 };
    Talk { script, service, session, now_s: 0.0, known, said: Vec::new(), writes }
}

/// Seconds of session `number`, or of a call, to its last answer.
pub(super) fn length_s(script: &mut Script, number: u64, service: &Service<'_>) -> f64 {
    if !script.has_sessions() {
        let (ask, _) = script.call(number, || Content::new(Strand::NONE));
        return service.call_s(ask.prompt, ask.given.unwrap_or(0), ask.output);
    }
    let mut talk = talk(script, number, service, false);
    talk.reaches(f64::INFINITY);
    talk.now_s
}

impl<E: Engine> Simulation<'_, E> {
    /// Puts in a session of calls at its next turn, if it takes another one.
    pub(super) fn enter_chat(
        &mut self,
        script: &mut Script,
        begun: Begun,
        service: &Service<'_>,
    ) -> bool {
        let mut talk = talk(script, begun.number, service, true);
        if !talk.reaches(begun.age_s) {
            return false;
        }
        let key = crate::random::entity(&self.scenario.use_cases[begun.use_case].name);
        let mut stream = self.streams.stream(Component::AtStart, key, begun.number);
        let carried = talk.carried(&mut stream);
        let (at_s, mut session) = (talk.now_s, talk.session);
        session.carried = carried;
        session.client = begun.client;
        session.errand = begun.errand();
        let id = self.sessions.insert(session);
        self.audit.session_began();
        let at: Time = begun.time(at_s);
        let slot = self.slots.lend(Event::Turn { session: id }, &mut self.pending);
        self.pending.schedule(slot, at);
        self.arrivals_due += 1;
        true
    }
}
