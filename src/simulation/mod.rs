//! One replication: the event loop that ties demand, workload and factory.
//!
//! A [`Simulation`] owns everything it touches and reads no clock, no file, no
//! environment and no thread count; it is a pure function of the scenario and
//! the replication number. One run is one thread.

mod aborts;
mod agents;
mod alone;
mod arrivals;
mod audit;
mod event;
mod jobs;
mod measuring;
mod network;
#[cfg(test)]
mod oracle;
mod outcome;
#[cfg(test)]
mod properties;
mod replays;
mod sessions;
mod setup;
mod watching;

use crate::factory::{
    Call, CallId, Calls, Engine, Next, Outcome, Pool, Replica, Rescheduled, Tiers, ToolPool,
    ToolPoolRecord, Waiter,
};
use crate::kernel::{Arena, Digest, PendingSet, Slot, Span, Time};
use crate::metrics::{CutOff, PathRoom, Recorder, RunRecord, Stretch, Timeline, Watch, Window};
use crate::random::Streams;
use crate::scenario::{Regime, Scenario};
use crate::workload::agent::{Actor, ActorId, Plan};
use crate::workload::{Content, Job, JobId, Session};
use agents::Task;
use arrivals::UseCase;
use audit::Audit;
use event::{Event, Slots};
use measuring::Measured;
use network::{Flight, Occupancy};
use outcome::Kind;
pub use watching::watch;

/// Most calls in the system at once; random factories that are overloaded without end
/// need not reach all of it.
const CALLS_MAX: usize = if cfg!(test) { 10_000 } else { 2_000_000 };

/// Most calls of a run; few random factories have as many as this.
const ARRIVED_MAX: Option<u64> = if cfg!(test) { Some(30_000) } else { None };

/// Most sessions alive at once.
pub const SESSIONS_MAX: usize = 4_000_000;

/// No run goes on for more than ten years of simulated time.
const HORIZON: Time = Time::from_ticks(10 * 365 * DAY.ticks());

/// A steady run waits for the calls of its window this long, or as long as the
/// window took, whichever is longer.
pub const DRAIN_MAX: Span = DAY;

const DAY: Span = Span::from_ticks(86_400 * crate::kernel::TICKS_PER_SECOND);

/// Samples of a timeline whose length is known beforehand.
const SAMPLES: u64 = 600;

/// Interval of the first samples when the length of a run is unknown.
const FIRST_INTERVAL: Span = Span::from_ticks(crate::kernel::TICKS_PER_SECOND / 100);

/// What a run may be told beyond its scenario.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Time at the start that is simulated but not measured.
    pub warm_up: Span,
    /// Check conservation laws while running (always on in debug builds).
    pub audit: bool,
    /// The part of the horizon that runs; `None`: all of it.
    pub part: Option<Part>,
    /// It is over with the measured window: rates are wanted, and no latencies.
    pub ends_with_window: bool,
}

/// A part of the horizon of a scenario: a run that begins at `from`, its time
/// zero. After the warm-up it is measured for `length`, and then goes on until
/// the calls that arrived in that time are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// When it begins, warm-up included.
    pub from: Time,
    /// How long it is measured.
    pub length: Span,
}

/// One replication of a scenario; see the module text.
pub struct Simulation<'s, E: Engine = Replica> {
    scenario: &'s Scenario,
    streams: Streams,
    pending: PendingSet,
    slots: Slots,
    sources: Vec<UseCase>,
    pools: Vec<Pool<E>>,
    tiers: Tiers<E::Store>,
    calls: Calls,
    sessions: Arena<Session>,
    /// Calls on their way to a pool.
    flights: Arena<Flight>,
    /// Answers on their way to an agent.
    answers: Arena<Flight>,
    jobs: Arena<Job>,
    /// Jobs that are not done, by deadline.
    due_jobs: Vec<JobId>,
    /// How full each pool is.
    occupancy: Vec<Occupancy>,
    actors: Arena<Actor>,
    /// What actors are at, by their places in the arena.
    tasks: Vec<Task>,
    path_room: PathRoom,
    tool_pools: Vec<ToolPool<(ActorId, u16)>>,
    /// What tool pools did, by section of the window.
    tool_sections: Vec<Vec<ToolPoolRecord>>,
    /// Calls that are aborted at this instant, and actors that go on at it.
    aborting: Vec<CallId>,
    asking: Vec<ActorId>,
    /// What a turn leads to, while it is read.
    plan: Plan,
    outcomes: Vec<Outcome>,
    recorder: Recorder,
    timeline: Timeline,
    part: Option<Part>,
    ends_with_window: bool,
    window: Window,
    measured: Option<Measured>,
    digest: Digest,
    audit: Audit,
    /// Whoever looks closely.
    watch: Option<Box<Watch>>,
    /// Arrivals pending.
    arrivals_due: u64,
    /// Sources that have not brought all yet.
    sources_left: usize,
    /// What an episode did while calls were arriving, and until when they were.
    arrivals: Option<Box<(Time, Stretch)>>,
    /// Calls in the system that arrived in the window.
    window_calls: u64,
    cut_off: Option<CutOff>,
    arrived: u64,
    events: u64,
    /// Everything that went into the digest, to find where two runs part.
    #[cfg(test)]
    journal: Vec<(Time, u64, u64)>,
    /// So many texts are all that calls which share none have to say.
    #[cfg(test)]
    texts: Option<u64>,
}

/// Runs replication number `replication` of `scenario`.
pub fn run(scenario: &Scenario, replication: u64, options: Options) -> RunRecord {
    Simulation::<Replica>::new(scenario, replication, options).run()
}

impl<'s, E: Engine> Simulation<'s, E> {
    /// A simulation at time zero.
    pub fn new(scenario: &'s Scenario, replication: u64, options: Options) -> Self {
        let from = options.part.map_or(Time::ZERO, |part| part.from);
        let streams = Streams::new(scenario.seed, replication).part(from.ticks());
        let window = setup::window(scenario, &options);
        let slots = Slots::new(scenario);
        let of_part = options.part.map(|part| options.warm_up + part.length);
        let interval = match of_part.or(scenario.duration) {
            Some(duration) => Span::from_ticks((duration.ticks() / SAMPLES).max(1)),
            None => FIRST_INTERVAL,
        };
        let (levels, tiers) = setup::tiers(scenario);
        let mut simulation = Simulation {
            scenario,
            streams,
            pending: PendingSet::new(slots.len()),
            sources: arrivals::sources(scenario, streams, from),
            pools: setup::pools(scenario, levels, &slots, streams),
            tiers,
            slots,
            calls: Calls::default(),
            sessions: Arena::default(),
            flights: Arena::default(),
            answers: Arena::default(),
            jobs: Arena::default(),
            due_jobs: Vec::new(),
            occupancy: scenario.pools.iter().map(Occupancy::of).collect(),
            actors: Arena::default(),
            tasks: Vec::new(),
            path_room: PathRoom::default(),
            tool_pools: setup::tool_pools(scenario),
            tool_sections: Vec::new(),
            aborting: Vec::new(),
            asking: Vec::new(),
            plan: Plan::default(),
            outcomes: Vec::new(),
            recorder: Recorder::new(scenario, window),
            timeline: Timeline::new(scenario.pools.len(), interval),
            part: options.part,
            ends_with_window: options.ends_with_window,
            window,
            measured: None,
            digest: Digest::default(),
            audit: Audit::new(options.audit || cfg!(debug_assertions)),
            watch: None,
            arrivals_due: 0,
            sources_left: scenario.use_cases.len(),
            arrivals: None,
            window_calls: 0,
            cut_off: None,
            arrived: 0,
            events: 0,
            #[cfg(test)]
            journal: Vec::new(),
            #[cfg(test)]
            texts: None,
        };
        simulation.start();
        simulation
    }

    /// When `now` is on the clock of the horizon.
    #[inline]
    fn on_horizon(&self, now: Time) -> Time {
        Time::from_ticks(now.ticks() + self.part.map_or(0, |part| part.from.ticks()))
    }

    /// Runs to the end.
    pub fn run(mut self) -> RunRecord {
        let end = self.run_to_end();
        self.finish(end)
    }

    fn run_to_end(&mut self) -> Time {
        let mut now = Time::ZERO;
        while let Some((time, slot)) = self.pending.pop() {
            if time > HORIZON {
                self.cut_off = Some(CutOff::Horizon);
                break;
            }
            if self.watch.is_some() && !self.look(time) {
                return time;
            }
            self.audit.tick(now, time, self.calls.len());
            now = time;
            self.events += 1;
            if self.audit.wants_recount(self.events) {
                self.recount(now);
            }
            match self.slots.event(slot) {
                Event::Engine { pool, replica } => self.on_boundary(now, pool.into(), replica),
                Event::Arrival { use_case } => self.on_arrival(now, use_case.into()),
                Event::Client { use_case, client } => {
                    self.on_client(now, use_case.into(), client);
                }
                Event::Turn { session } => self.on_turn(now, session, slot),
                Event::Delivery { flight } => self.on_delivery(now, flight, slot),
                Event::Fill { pool } => self.on_fill(now, pool.into()),
                Event::Tool { actor, at, pool } => {
                    self.alarmed(slot);
                    self.on_tool(now, actor, at, pool);
                }
                Event::Run { actor } => {
                    self.alarmed(slot);
                    self.on_run(now, actor);
                }
                Event::Patience { actor, run } => {
                    self.alarmed(slot);
                    self.on_patience(now, actor, run);
                }
                Event::Timeout { actor, call } => {
                    self.alarmed(slot);
                    self.on_timeout(now, actor, call);
                }
                Event::Abort { call } => {
                    self.alarmed(slot);
                    self.abort(now, call);
                }
                Event::Answer { flight } => {
                    self.alarmed(slot);
                    self.on_heard(now, flight);
                }
                Event::Asks => self.on_asks(now),
                Event::Sample => self.on_sample(now, slot),
                Event::Open => self.on_open(now),
                Event::Section => self.on_section(now),
                Event::Close => self.on_close(now),
                Event::ArrivalsEnd => self.on_arrivals_end(now),
            }
            self.cut_off = self.limit_passed(now);
            if self.is_over() || self.cut_off.is_some() {
                break;
            }
        }
        now
    }

    /// Holds every running sum of the factory against a full count.
    fn recount(&self, now: Time) {
        let engines = || self.pools.iter().flat_map(|pool| &pool.engines);
        let sampled = engines().map(|engine| engine.recount(&self.calls)).sum();
        self.audit.recount(sampled);
        let held = engines().map(|engine| engine.load(now)).map(|load| load.running + load.waiting);
        assert_eq!(held.map(u64::from).sum::<u64>(), self.calls.len() as u64, "calls on replicas");
        self.tiers.recount();
        let roots = self.actors.iter().filter(|actor| actor.depth == 0).count();
        self.audit.recount_agents(roots);
    }

    /// Folds what happened to a call into the digest.
    #[inline]
    fn note(&mut self, now: Time, kind: Kind, call: &Call) {
        let what = outcome::what(kind, call);
        self.digest.event(now, what, call.key());
        #[cfg(test)]
        self.journal.push((now, what, call.key()));
    }

    /// Schedules the first event of everything that moves by itself.
    fn start(&mut self) {
        if let Some(duration) = self.scenario.duration.filter(|_| self.is_episode()) {
            self.pending.schedule(self.slots.arrivals_end(), Time::ZERO + duration);
        }
        self.start_sources();
        self.pending.schedule(self.slots.sample(), Time::ZERO + self.timeline.interval());
        if self.window.from > Time::ZERO {
            self.pending.schedule(self.slots.open(), self.window.from);
        } else {
            self.on_open(Time::ZERO);
        }
        if self.window.until < Time::MAX {
            self.pending.schedule(self.slots.close(), self.window.until);
        }
        // Nothing may come at all.
        self.look_for_arrivals_end(Time::ZERO);
    }

    /// Sends a call to a replica of the pool at index `at`, or rejects it if none can
    /// ever serve it.
    fn dispatch(
        &mut self,
        now: Time,
        at: usize,
        mut call: Call,
        content: Option<Content>,
    ) -> Option<CallId> {
        #[cfg(test)]
        let content = content.or_else(|| self.texts.map(|texts| properties::text(&call, texts)));
        self.arrived += 1;
        call.pool = at as u16;
        let use_case = usize::from(call.use_case);
        let fits = self.scenario.pools[at].accepts(call.prompt, call.output);
        self.note(now, if fits { Kind::Arrived } else { Kind::Rejected }, &call);
        self.audit.arrived(fits);
        if !fits {
            self.recorder.rejected(now, use_case);
            self.calls.recycle(content);
            return None;
        }
        let pool = &mut self.pools[at];
        let is_of_a_job = call.is_of_a_job;
        let id = self.calls.insert(call, content);
        let lane = pool.router.choose(now, id, &self.calls);
        self.calls[id].lane = lane;
        let (replica, rank) = pool.router.place(lane);
        self.window_calls += u64::from(self.window.contains(now));
        self.recorder.arrived(now, at);
        self.occupancy[at].calls += 1;
        self.occupancy[at].waiting += u32::from(!is_of_a_job);
        let slot = pool.first_slot + replica;
        let moved = pool.engines[replica as usize].enqueue(now, id, rank, &self.calls);
        self.reschedule(now, slot, moved);
        Some(id)
    }

    fn reschedule(&mut self, now: Time, slot: Slot, moved: Rescheduled) {
        match moved {
            Rescheduled::Wake => self.pending.schedule_wake(slot, now),
            Rescheduled::Boundary(time) => self.pending.schedule_boundary(slot, time),
            Rescheduled::Unmoved => {}
        }
    }

    /// A step boundary, or the wake of an idle replica.
    fn on_boundary(&mut self, now: Time, pool: usize, replica: u32) {
        let Pool { spec, engines, first_slot, router, ledger } = &mut self.pools[pool];
        let engine = &mut engines[replica as usize];
        let slot = *first_slot + replica;
        let progress = engine.finish_segment(spec);
        if let Some(progress) = &progress {
            self.recorder.progressed(pool, progress, engine.decoding());
            self.audit.progressed(progress, engine.decoding(), spec);
            ledger.stepped_beside(progress.rest, engine.decoding(), engine.prompting());
        }
        let (calls, tiers) = (&mut self.calls, &mut self.tiers);
        let next = engine.turn(spec, now, calls, tiers, ledger, &mut self.outcomes);
        if spec.limits.tells_cache && !self.outcomes.is_empty() {
            engine.tell_caches(|rank, event| router.told(now, replica, rank, event));
        }
        let was_idle = progress.is_none();
        match next {
            Next::Boundary(time) => self.pending.schedule_boundary(slot, time),
            Next::Transfer(time) => self.pending.schedule_wake(slot, time),
            Next::Nothing => self.audit.rests(&engine.load(now)),
        }
        if was_idle == matches!(next, Next::Boundary(_)) {
            self.recorder.stepping(now, pool, was_idle);
            self.audit.stepping(now, was_idle);
        }
        self.settle_outcomes(now, pool);
    }

    /// Accounts for what a boundary brought, in order.
    fn settle_outcomes(&mut self, now: Time, pool: usize) {
        let mut outcomes = std::mem::take(&mut self.outcomes);
        for outcome in outcomes.drain(..) {
            let (kind, id) = outcome::kind(&outcome);
            let call = self.calls[id];
            self.note(now, kind, &call);
            match outcome {
                Outcome::Scheduled(_) => {
                    self.recorder.scheduled(now, pool);
                    self.occupancy[pool].waiting -= u32::from(!call.is_of_a_job);
                }
                Outcome::Preempted(_) => {
                    self.recorder.preempted(now, pool);
                    self.occupancy[pool].waiting += u32::from(!call.is_of_a_job);
                    if let Some(watch) = &mut self.watch {
                        let (replica, _) = self.pools[pool].router.place(call.lane);
                        watch.preempted(now, pool, replica, &call);
                    }
                }
                Outcome::FirstToken(_) => {
                    let saved_s = match call.cached {
                        0 => 0.0,
                        cached => self.pools[pool].spec.limits.prompt_time.seconds(0, cached),
                    };
                    self.recorder.first_token(pool, &call, saved_s);
                    self.pools[pool].router.prefilled(now, id, &call);
                    if !self.pools[pool].spec.offload.is_empty() {
                        self.recorder.credited(pool, &self.tiers.credit(id));
                    }
                    self.audit.sampled();
                }
                Outcome::Resumed(_, gap) => {
                    self.recorder.resumed(pool, &call, gap);
                    self.audit.sampled();
                }
                Outcome::Finished(_) => self.on_finished(now, pool, id),
                Outcome::Aborted { was_running, .. } => {
                    self.on_aborted(now, pool, id, was_running);
                }
                // The digest has heard of it, and the call remembers.
                Outcome::Answering(_) | Outcome::Fetching(_) | Outcome::Fetched(_) => {}
            }
        }
        self.outcomes = outcomes;
    }

    fn on_finished(&mut self, now: Time, pool: usize, id: CallId) {
        let (call, content) = self.calls.remove(id);
        self.window_calls -= u64::from(self.window.contains(call.arrived));
        self.occupancy[pool].calls -= 1;
        if !self.pools[pool].spec.offload.is_empty() {
            self.recorder.supplied(&call, &self.tiers.settle(id));
        }
        self.recorder.finished(now, pool, &call);
        self.audit.finished(now, &call);
        if let Some(watch) = &mut self.watch {
            let (replica, _) = self.pools[pool].router.place(call.lane);
            watch.left(now, pool, replica, &call, false);
        }
        self.pools[pool].router.left(now, &call);
        let heard = now + network::ways(call.network).1;
        match call.waiter {
            Waiter::Session(session) => self.on_answer(heard, session, &call, content),
            Waiter::Agent(actor) => self.answer_agent(now, actor, call, content),
            Waiter::Client(client) => {
                self.calls.recycle(content);
                self.ask_again(heard, call.use_case.into(), client, false);
            }
            Waiter::Job(job) => {
                self.calls.recycle(content);
                self.on_job_item(now, job, call.arrived);
            }
            Waiter::Nobody => self.calls.recycle(content),
            Waiter::Gone(gone) => {
                self.calls.recycle(content);
                self.settle_gone(&call, gone);
            }
        }
        // Behind those who go on at once.
        self.look_for_jobs(now, pool);
    }

    /// It runs as a whole, to its last answer; not a state, nor a part of the horizon.
    #[inline]
    fn is_episode(&self) -> bool {
        self.scenario.regime == Regime::Terminating && self.part.is_none()
    }

    /// An episode is over when all calls are done and its duration has passed, for
    /// which GPUs are paid; all else when the calls of the window are done.
    fn is_over(&self) -> bool {
        if self.is_episode() {
            return self.arrivals_due == 0
                && self.calls.is_empty()
                && self.pending.due(self.slots.arrivals_end()).is_none();
        }
        self.measured.is_some() && (self.window_calls == 0 || self.ends_with_window)
    }

    fn limit_passed(&self, now: Time) -> Option<CutOff> {
        let are_enough = ARRIVED_MAX.is_some_and(|most| self.arrived > most);
        if self.calls.len() > CALLS_MAX || are_enough {
            return Some(CutOff::Calls);
        }
        if self.sessions.len() + self.actors.len() > SESSIONS_MAX {
            return Some(CutOff::Sessions);
        }
        let patience = self.window.until.since(self.window.from).max(DRAIN_MAX);
        (now > self.window.until + patience).then_some(CutOff::Drain)
    }
}
