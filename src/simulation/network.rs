//! The way between a user and a pool, and which pool a call goes to.
//!
//! A call is sent, reaches its pool half a round trip later, and its answer is
//! with the user half a round trip after its tokens were sampled. Where there is
//! no way, nothing of this is an event.

use super::Simulation;
use super::event::Event;
use crate::factory::{Call, CallId, Engine, Waiter};
use crate::kernel::{Id, Slot, Span, Time};
use crate::scenario::Pool;
use crate::workload::Content;

/// Names a call on its way to a pool.
pub type FlightId = Id<Flight>;

/// A call on its way to a pool, or back from it, and what it says.
pub struct Flight {
    /// The call.
    pub call: Call,
    /// What it says.
    pub content: Option<Content>,
    /// When whoever waited for it ceased to, if that was on the way there.
    pub hung_up: Option<Time>,
}

/// How full a pool is.
pub struct Occupancy {
    /// Calls that wait or run.
    pub calls: u32,
    /// Those of them that wait, batch jobs apart.
    pub waiting: u32,
    /// Its ranks.
    ranks: u32,
    /// Sequences that all its ranks together may run.
    pub seats: f64,
}

impl Occupancy {
    /// `pool` before anything has arrived.
    pub fn of(pool: &Pool) -> Occupancy {
        let ranks = pool.replicas * pool.parallelism.data;
        let seats = f64::from(ranks) * f64::from(pool.engine.max_num_seqs);
        Occupancy { calls: 0, waiting: 0, ranks, seats }
    }

    /// Its calls as a share of its seats.
    pub fn share(&self) -> f64 {
        f64::from(self.calls) / self.seats
    }

    /// Whether it holds fewer calls than this share of its seats.
    #[inline]
    pub fn has_room(&self, fill: f64) -> bool {
        f64::from(self.calls) < fill * self.seats
    }

    /// Whether it has room and no queue of users' calls: fewer wait than it has
    /// ranks, each for the next step.
    #[inline]
    pub fn gives_way(&self, fill: f64) -> bool {
        self.has_room(fill) && self.waiting < self.ranks
    }
}

impl<E: Engine> Simulation<'_, E> {
    /// A user sends a call to the pool that is to serve it, at `site` if there is no
    /// choice.
    #[inline]
    pub(super) fn send(
        &mut self,
        now: Time,
        mut call: Call,
        content: Option<Content>,
        site: Option<u8>,
    ) {
        self.audit.sent();
        self.aim(now, &mut call, site);
        let (there, _) = ways(call.network);
        if there == Span::ZERO {
            self.deliver(now, call, content);
            return;
        }
        self.fly(now + there, call, content);
    }

    /// Tells a call that is sent now which pool serves it, `site` if it has no choice,
    /// and how far that is.
    #[inline]
    pub(super) fn aim(&self, now: Time, call: &mut Call, site: Option<u8>) {
        let use_case = &self.scenario.use_cases[usize::from(call.use_case)];
        let Some(origins) = &use_case.origins else {
            call.pool = use_case.pool as u16;
            return;
        };
        let origin = &origins.regions[usize::from(call.region)];
        let has_room = |site: usize, fill| self.occupancy[origins.pools[site]].has_room(fill);
        let choose =
            || origins.serve.choose(self.on_horizon(now), &origin.near, &origins.clocks, has_room);
        let site = site.map_or_else(choose, usize::from);
        call.site = site as u8;
        call.pool = origins.pools[site] as u16;
        call.network = origin.round_trips[site];
    }

    /// Sends a call on its way, which ends at `arrives`.
    pub(super) fn fly(
        &mut self,
        arrives: Time,
        mut call: Call,
        content: Option<Content>,
    ) -> FlightId {
        call.arrived = arrives;
        let flight = self.flights.insert(Flight { call, content, hung_up: None });
        let slot = self.slots.lend(Event::Delivery { flight }, &mut self.pending);
        self.pending.schedule(slot, arrives);
        self.arrivals_due += 1;
        flight
    }

    /// A call has come to its pool.
    pub(super) fn on_delivery(&mut self, now: Time, flight: FlightId, slot: Slot) {
        self.arrivals_due -= 1;
        self.slots.take_back(slot);
        let Flight { call, content, hung_up } = self.flights.remove(flight);
        let taken_in = self.deliver(now, call, content);
        if let (Some(since), Some(id)) = (hung_up, taken_in) {
            self.hang_up(now, since, id);
        }
    }

    /// A call is taken in, or its user hears that it can never be.
    pub(super) fn deliver(
        &mut self,
        now: Time,
        call: Call,
        content: Option<Content>,
    ) -> Option<CallId> {
        if let Some(id) = self.dispatch(now, call.pool.into(), call, content) {
            if let Waiter::Agent(actor) = call.waiter {
                self.taken_in(actor, id);
            }
            return Some(id);
        }
        let heard = now + ways(call.network).1;
        match call.waiter {
            Waiter::Nobody | Waiter::Gone(_) => {}
            Waiter::Job(_) => unreachable!("jobs submit without a way"),
            Waiter::Client(client) => self.ask_again(heard, call.use_case.into(), client, true),
            Waiter::Session(session) => self.end_session(heard, session, false),
            Waiter::Agent(actor) => self.answer_agent(now, actor, call, None),
        }
        None
    }
}

/// The way there and the way back of a round trip, which add up to it.
#[inline]
pub fn ways(round_trip: Span) -> (Span, Span) {
    let there = Span::from_ticks(round_trip.ticks() / 2);
    (there, round_trip - there)
}
