//! Where calls come from: sources, clients, and what they ask.

use super::Simulation;
use crate::demand::{Process, Source};
use crate::factory::{Call, Engine, Waiter};
use crate::kernel::{Slot, Time};
use crate::random::{Component, Streams, entity};
use crate::scenario::{self, Arrivals, Lengths, Regime, Scenario};
use crate::workload::{self, Errand, agent};

/// One use case while it runs.
pub struct UseCase {
    pub source: Source,
    pub script: Script,
    /// Calls, or sessions, that have begun.
    pub issued: u64,
}

/// What a use case asks for and says.
pub enum Script {
    Calls(Box<workload::Script>),
    Agents(agent::Script),
    Replay(agent::Recorded),
}

impl Script {
    /// That of a use case whose calls are no agents'.
    #[inline]
    pub fn calls(&mut self) -> &mut workload::Script {
        match self {
            Script::Calls(script) => script,
            Script::Agents(_) | Script::Replay(_) => unreachable!("agents have actors"),
        }
    }
}

/// The use cases of `scenario` before anything has happened, at `from`.
pub fn sources(scenario: &Scenario, streams: Streams, from: Time) -> Vec<UseCase> {
    let use_case = |(at, use_case): (usize, &scenario::UseCase)| {
        let source = Source::new(use_case, streams, from);
        let script = match (&use_case.lengths, use_case.crew()) {
            (Lengths::Replayed(replay), _) => {
                Script::Replay(agent::Recorded::new(at as u16, replay, use_case.cache_hit))
            }
            (_, Some(crew)) => {
                let (name, cache_hit) = (&use_case.name, use_case.cache_hit);
                Script::Agents(agent::Script::new(at as u16, name, crew, cache_hit, streams))
            }
            (_, None) => {
                let mut script = workload::Script::new(at as u16, use_case, streams);
                script.skip(source.skipped());
                Script::Calls(Box::new(script))
            }
        };
        // Those of a recording before `from` have begun.
        let issued = if matches!(script, Script::Replay(_)) { source.skipped() } else { 0 };
        UseCase { source, script, issued }
    };
    scenario.use_cases.iter().enumerate().map(use_case).collect()
}

impl<E: Engine> Simulation<'_, E> {
    /// Schedules the first event of every source and client.
    pub(super) fn start_sources(&mut self) {
        for use_case in 0..self.sources.len() {
            match &mut self.sources[use_case].source {
                Source::Open(_) => self.schedule_arrival(Time::ZERO, use_case),
                Source::Batch(_) => self.schedule_release(use_case),
                Source::Closed(clients) => {
                    let started = (0..clients.clients()).take_while(|_| clients.start()).count();
                    for client in 0..started as u32 {
                        let slot = self.slots.client(use_case, client);
                        self.schedule_if_in_time(slot, Time::ZERO);
                    }
                    if started == 0 {
                        self.sources_left -= 1;
                    }
                }
            }
        }
    }

    pub(super) fn on_arrival(&mut self, now: Time, use_case: usize) {
        self.arrivals_due -= 1;
        match self.sources[use_case].source {
            Source::Batch(_) => self.on_release(now, use_case),
            Source::Open(_) | Source::Closed(_) => {
                self.begin(now, use_case, None);
                self.schedule_arrival(now, use_case);
            }
        }
        self.look_for_arrivals_end(now);
    }

    pub(super) fn on_client(&mut self, now: Time, use_case: usize, client: u32) {
        self.arrivals_due -= 1;
        self.begin(now, use_case, Some(client));
        let UseCase { source, issued, .. } = &self.sources[use_case];
        if matches!(source, Source::Closed(clients) if clients.requests() == Some(*issued)) {
            self.sources_left -= 1;
            self.look_for_arrivals_end(now);
        }
    }

    /// A call, or a session, begins.
    fn begin(&mut self, now: Time, use_case: usize, client: Option<u32>) {
        let number = self.sources[use_case].issued;
        self.sources[use_case].issued += 1;
        let region = self.region(use_case, number, client);
        let errand = Errand { began: now, region, ..Errand::default() };
        let Script::Calls(script) = &mut self.sources[use_case].script else {
            return self.begin_agent(now, use_case, number, errand, client);
        };
        if script.has_sessions() {
            return self.begin_session(now, use_case, number, errand, client);
        }
        let (ask, content) = script.call(number, || self.calls.blank());
        let mut call = Call::new(use_case as u16, number, now, ask.prompt, ask.output);
        call.thinking = ask.thinking;
        call.is_cut = ask.is_cut;
        call.given = ask.given;
        call.region = region;
        call.waiter = client.map_or(Waiter::Nobody, Waiter::Client);
        self.send(now, call, content, None);
    }

    /// The region whose user begins: told by the source, or else drawn for each
    /// recorded call, while clients are divided among regions.
    #[inline]
    fn region(&self, use_case: usize, number: u64, client: Option<u32>) -> u16 {
        let spec = &self.scenario.use_cases[use_case];
        let Some(origins) = &spec.origins else { return 0 };
        let fraction = match (&spec.arrivals, &self.sources[use_case].source) {
            (Arrivals::Regions(_), Source::Open(process)) => return process.region(),
            (_, Source::Closed(clients)) => {
                let client = client.expect("a client begins");
                (f64::from(client) + 0.5) / f64::from(clients.clients())
            }
            (_, Source::Open(_) | Source::Batch(_)) => {
                self.streams.stream(Component::Region, entity(&spec.name), number).unit()
            }
        };
        origins.at_fraction(fraction)
    }

    /// A client got its answer (or was turned away) and will ask again.
    pub(super) fn ask_again(&mut self, now: Time, at: usize, client: u32, was_rejected: bool) {
        let Source::Closed(clients) = &mut self.sources[at].source else {
            unreachable!("only closed loops have clients");
        };
        if let Some(next) = clients.next(now, client, was_rejected) {
            self.schedule_if_in_time(self.slots.client(at, client), next);
        }
    }

    fn schedule_arrival(&mut self, now: Time, use_case: usize) {
        let Source::Open(process) = &mut self.sources[use_case].source else {
            unreachable!("clients schedule themselves");
        };
        match Process::next(process, now) {
            Some(next) => self.schedule_if_in_time(self.slots.arrival(use_case), next),
            None => self.sources_left -= 1,
        }
    }

    /// Where no duration says when the arrivals of an episode end, they do with what the
    /// last source brings, which has just come.
    pub(super) fn look_for_arrivals_end(&mut self, now: Time) {
        let has_ended = self.sources_left == 0 && self.arrivals.is_none();
        if has_ended && self.is_episode() && self.scenario.duration.is_none() {
            self.on_arrivals_end(now);
        }
    }

    /// Schedules an arrival unless the duration of an episode ends before it. In
    /// a steady state calls keep coming after the window, unmeasured, so that
    /// the last calls of the window do not finish in an emptying factory.
    pub(super) fn schedule_if_in_time(&mut self, slot: Slot, time: Time) {
        let is_episode = self.scenario.regime == Regime::Terminating;
        let end = self.scenario.duration.filter(|_| is_episode);
        if end.is_none_or(|duration| self.on_horizon(time) < Time::ZERO + duration) {
            self.arrivals_due += 1;
            self.pending.schedule(slot, time);
        }
    }
}
