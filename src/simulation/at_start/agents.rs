//! Sessions of agents that are under way at time zero.

use super::{Begun, Service};
use crate::factory::Engine;
use crate::kernel::Span;
use crate::simulation::Simulation;
use crate::simulation::alone::Alone;
use crate::simulation::event::Event;
use crate::workload::agent::{Actor, Dry};

/// Where an actor goes on.
pub(super) struct Place {
    pub actor: Actor,
    /// Its next call, seconds after the session began.
    pub at_s: f64,
    /// Tokens of its next prompt that a cache has which never evicts.
    pub known: u32,
    /// Seconds since its last answer.
    pub idle_s: f64,
    /// Seconds since its run began; `None`: the run begins with this call.
    pub run_s: Option<f64>,
}

impl<E: Engine> Simulation<'_, E> {
    /// Puts in the agent of a session at its next call, if it makes another one.
    pub(super) fn enter_agent(
        &mut self,
        dry: &mut Dry,
        begun: Begun,
        service: &Service<'_>,
    ) -> bool {
        let Some(asking) = dry.asks_after(begun.number, begun.age_s) else { return false };
        let place = Place {
            actor: asking.actor,
            at_s: asking.at_s,
            known: asking.known,
            idle_s: asking.idle_s,
            run_s: asking.run_s,
        };
        self.enter_actor(place, begun, service);
        true
    }

    /// Puts in an actor that goes on at `place`.
    pub(super) fn enter_actor(&mut self, place: Place, begun: Begun, service: &Service<'_>) {
        let Place { mut actor, at_s, known, idle_s, run_s } = place;
        actor.errand = begun.errand();
        let shared = actor.shared_tokens();
        let id = self.enroll(actor, begun.client, None);
        let task = self.task(id);
        task.alone = Alone::new(shared);
        task.alone.knows(known);
        task.carried = if service.keeps(idle_s) { service.in_blocks(known) } else { 0 };
        task.under_way = run_s.map(Span::from_seconds);
        self.audit.agent_session_began();
        self.alarm(begun.time(at_s), Event::Run { actor: id });
    }
}
