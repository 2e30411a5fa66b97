//! Sessions: turns that follow each other.
//!
//! A session that has begun goes on to its end, in an episode also beyond the
//! end of arrivals, unless a prompt grows longer than its pool takes.

use super::Simulation;
use super::event::Event;
use crate::factory::{Call, Engine, Waiter};
use crate::kernel::{Slot, Time};
use crate::workload::{Ask, Content, Errand, SessionId};

impl<E: Engine> Simulation<'_, E> {
    /// Session `number` of a use case takes its first turn.
    pub(super) fn begin_session(
        &mut self,
        now: Time,
        use_case: usize,
        number: u64,
        errand: Errand,
        client: Option<u32>,
    ) {
        let mut session = self.sources[use_case].script.calls().session(number, self.calls.blank());
        session.client = client;
        session.errand = errand;
        let id = self.sessions.insert(session);
        self.recorder.session_began(use_case);
        self.audit.session_began();
        self.take_turn(now, id);
    }

    /// The time to think is over.
    pub(super) fn on_turn(&mut self, now: Time, id: SessionId, slot: Slot) {
        self.arrivals_due -= 1;
        self.slots.take_back(slot);
        self.take_turn(now, id);
    }

    fn take_turn(&mut self, now: Time, id: SessionId) {
        let session = &mut self.sessions[id];
        let ask = self.sources[usize::from(session.use_case)].script.calls().turn(session);
        let mut call = Call::new(session.use_case, session.number, now, ask.prompt, ask.output);
        call.turn = session.turn;
        call.thinking = ask.thinking;
        call.is_cut = ask.is_cut;
        call.region = session.errand.region;
        call.is_of_a_job = session.errand.job.is_some();
        call.given = ask.given;
        call.carry(std::mem::take(&mut session.carried));
        call.waiter = Waiter::Session(id);
        call.conversation = session.conversation();
        let (site, content) = (session.errand.site, session.content.take());
        self.send(now, call, content, site);
    }

    /// The answer to a session's turn is with its user at `now`.
    pub(super) fn on_answer(
        &mut self,
        now: Time,
        id: SessionId,
        call: &Call,
        content: Option<Content>,
    ) {
        let session = &mut self.sessions[id];
        let Call { prompt, output, thinking, is_cut, given, .. } = *call;
        let ask = Ask { prompt, output, thinking, is_cut, given };
        let script = self.sources[usize::from(session.use_case)].script.calls();
        script.answered(session, ask, content);
        if session.is_over() {
            return self.end_session(now, id, true);
        }
        let pause = self.sources[usize::from(session.use_case)].script.calls().think(session);
        let slot = self.slots.lend(Event::Turn { session: id }, &mut self.pending);
        self.pending.schedule(slot, now + pause);
        self.arrivals_due += 1;
    }

    /// A session had all its turns, or one that is too long to be served.
    pub(super) fn end_session(&mut self, now: Time, id: SessionId, is_complete: bool) {
        let session = self.sessions.remove(id);
        let use_case = usize::from(session.use_case);
        self.calls.recycle(session.content);
        self.recorder.session_ended(use_case, session.turn, is_complete);
        self.audit.session_ended(self.sessions.len());
        if let Some(client) = session.client {
            self.ask_again(now, use_case, client, !is_complete);
        }
        if let Some(job) = session.errand.job {
            self.on_job_item(now, job, session.errand.began);
        }
    }
}
