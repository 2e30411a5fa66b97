//! Events and the slots they are scheduled in.
//!
//! Every entity that can have an event pending has one slot: replicas first
//! (their order breaks ties between boundaries), then sources and clients,
//! then the housekeeping. Behind them lie slots that are lent for one event,
//! such as the next turn of a session or a call on its way: as many as are pending at once.

use super::network::FlightId;
use crate::factory::CallId;
use crate::kernel::{PendingSet, Slot, SlotHeap};
use crate::scenario::{Arrivals, Scenario};
use crate::workload::SessionId;
use crate::workload::agent::ActorId;

/// What happens when a slot's time has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A step of a replica ends, or an idle replica wakes.
    Engine {
        /// Its pool.
        pool: u16,
        /// The replica within the pool.
        replica: u32,
    },
    /// A call of an open source arrives.
    Arrival {
        /// Its use case.
        use_case: u16,
    },
    /// A client of a closed loop asks.
    Client {
        /// Its use case.
        use_case: u16,
        /// The client within the use case.
        client: u32,
    },
    /// A session takes its next turn.
    Turn {
        /// The session.
        session: SessionId,
    },
    /// A call comes to its pool.
    Delivery {
        /// The call on its way.
        flight: FlightId,
    },
    /// Jobs look whether a pool has room.
    Fill {
        /// The pool.
        pool: u16,
    },
    /// A tool call of an agent ends.
    Tool {
        /// The agent.
        actor: ActorId,
        /// Which tool call of its turn.
        at: u16,
        /// The pool of workers that ran it; [`NO_POOL`](super::agents::NO_POOL): none.
        pool: u16,
    },
    /// A session of an agent begins its next run.
    Run {
        /// The agent.
        actor: ActorId,
    },
    /// A user has waited long enough for a run.
    Patience {
        /// The agent.
        actor: ActorId,
        /// The run.
        run: u32,
    },
    /// A client has waited long enough for a call.
    Timeout {
        /// The agent that made it.
        actor: ActorId,
        /// Which call of the agent.
        call: u32,
    },
    /// A pool hears that nobody waits for a call any more.
    Abort {
        /// The call.
        call: CallId,
    },
    /// An answer comes to the agent that asked.
    Answer {
        /// The answer on its way.
        flight: FlightId,
    },
    /// All steps that end at this instant have ended: calls are aborted, and agents
    /// go on that were answered.
    Asks,
    /// The timeline takes a sample.
    Sample,
    /// The measured window opens.
    Open,
    /// A section of the measured window ends, and the next begins.
    Section,
    /// The measured window closes.
    Close,
    /// The arrivals of an episode end.
    ArrivalsEnd,
}

/// The event of each slot.
#[derive(Clone, Debug)]
pub struct Slots {
    events: Vec<Event>,
    engines: Vec<Slot>,
    arrivals: Vec<Slot>,
    /// The timeline's; the window's start and end come next.
    sample: Slot,
    /// Lent slots that were given back.
    free: Vec<Slot>,
}

impl Slots {
    /// Slots for everything in `scenario`.
    pub fn new(scenario: &Scenario) -> Self {
        let mut slots = Slots {
            events: Vec::new(),
            engines: Vec::new(),
            arrivals: Vec::new(),
            sample: 0,
            free: Vec::new(),
        };
        for (pool, spec) in scenario.pools.iter().enumerate() {
            slots.engines.push(slots.len());
            let pool = pool as u16;
            slots.events.extend((0..spec.replicas).map(|replica| Event::Engine { pool, replica }));
        }
        for (use_case, spec) in scenario.use_cases.iter().enumerate() {
            slots.arrivals.push(slots.len());
            let use_case = use_case as u16;
            match spec.arrivals {
                Arrivals::ClosedLoop { clients, .. } => {
                    let client = |client| Event::Client { use_case, client };
                    slots.events.extend((0..clients).map(client));
                }
                _ => slots.events.push(Event::Arrival { use_case }),
            }
        }
        slots.sample = slots.len();
        slots.events.extend([
            Event::Sample,
            Event::Open,
            Event::Section,
            Event::Close,
            Event::Asks,
            Event::ArrivalsEnd,
        ]);
        slots.events.extend((0..scenario.pools.len() as u16).map(|pool| Event::Fill { pool }));
        assert!(slots.events.len() <= SlotHeap::SLOTS_MAX as usize, "checked by the scenario");
        slots
    }

    /// Number of slots.
    pub fn len(&self) -> u32 {
        self.events.len() as u32
    }

    /// The event of `slot`.
    #[inline]
    pub fn event(&self, slot: Slot) -> Event {
        self.events[slot as usize]
    }

    /// Lends a slot for one `event`; `pending` grows with the slots.
    #[inline]
    pub fn lend(&mut self, event: Event, pending: &mut PendingSet) -> Slot {
        match self.free.pop() {
            Some(slot) => {
                self.events[slot as usize] = event;
                slot
            }
            None => {
                self.events.push(event);
                pending.grow(self.len());
                self.len() - 1
            }
        }
    }

    /// Takes a lent slot back: its event has happened.
    #[inline]
    pub fn take_back(&mut self, slot: Slot) {
        self.free.push(slot);
    }

    /// First slot of the replicas of `pool`.
    pub fn engines(&self, pool: usize) -> Slot {
        self.engines[pool]
    }

    /// Slot of an open source.
    #[inline]
    pub fn arrival(&self, use_case: usize) -> Slot {
        self.arrivals[use_case]
    }

    /// Slot of a client of a closed loop.
    #[inline]
    pub fn client(&self, use_case: usize, client: u32) -> Slot {
        self.arrivals[use_case] + client
    }

    /// Slot of the timeline.
    pub fn sample(&self) -> Slot {
        self.sample
    }

    /// Slot of the window's start.
    pub fn open(&self) -> Slot {
        self.sample + 1
    }

    /// Slot of the ends of sections.
    pub fn section(&self) -> Slot {
        self.sample + 2
    }

    /// Slot of agents that go on.
    #[inline]
    pub fn asks(&self) -> Slot {
        self.sample + 4
    }

    /// Slot of the window's end.
    pub fn close(&self) -> Slot {
        self.sample + 3
    }

    /// Slot of the end of an episode's arrivals.
    #[inline]
    pub fn arrivals_end(&self) -> Slot {
        self.sample + 5
    }

    /// Slot of the jobs that look at `pool`.
    #[inline]
    pub fn fill(&self, pool: usize) -> Slot {
        self.sample + 6 + pool as Slot
    }
}
