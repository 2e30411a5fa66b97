//! WHEN work arrives: one source a use case, one file a process.
//!
//! Every process answers `next`: the instant of its next arrival. Closed loops
//! answer per client, because there the next call waits for the last one.

mod batch;
mod clock;
mod closed_loop;
mod constant;
pub mod curve;
mod hours;
mod past;
mod poisson;
mod regions;
mod replay;
mod tenants;
pub mod variability;
mod varying;

pub use batch::{Jobs, Released};
pub use clock::Clock;
pub use closed_loop::ClosedLoop;
use constant::Constant;
pub use hours::Hours;
pub use past::{Past, PastArrival};
use poisson::Poisson;
use regions::Regions;
use replay::Replay;
pub use varying::Varying;

use crate::kernel::{Span, Time};
use crate::random::Stream;
use crate::random::{Component, Streams, entity};
use crate::scenario::{Arrivals, Demand, UseCase};
use curve::Growth;
use std::sync::Arc;
use tenants::Tenants;
use variability::{State, Weather};

/// The arrivals of one use case.
#[derive(Clone, Debug)]
pub enum Source {
    /// Arrivals that do not depend on how calls fare.
    Open(Process),
    /// Clients who wait for their answers.
    Closed(ClosedLoop),
    /// Jobs whose calls are submitted as pools have room.
    Batch(Jobs),
}

/// An arrival process that does not depend on how calls fare.
#[derive(Clone, Debug)]
pub struct Process {
    kind: Kind,
    /// When the run begins, on the clock that the process has.
    from: Span,
}

#[derive(Clone, Debug)]
enum Kind {
    Poisson(Poisson),
    Constant(Constant),
    Replay(Replay),
    Varying(Box<Varying>),
    Tenants(Tenants),
    Regions(Box<Regions>),
}

impl Source {
    /// The source of `use_case`, whose streams are keyed by its name, from `from`
    /// on: time zero of the run.
    pub fn new(use_case: &UseCase, streams: Streams, from: Time) -> Self {
        let entity = entity(&use_case.name);
        match &use_case.arrivals {
            Arrivals::ClosedLoop { clients, requests, think } => {
                Source::Closed(ClosedLoop::new(*clients, *requests, think.clone(), streams, entity))
            }
            Arrivals::Batch(batch) => Source::Batch(Jobs::new(batch, streams, entity, from)),
            Arrivals::Regions(regions) => {
                let process = |(region, arrivals): &(String, Arrivals)| {
                    // No name holds an `@`, so that no use case has the same streams.
                    let own = self::entity(&format!("{}@{region}", use_case.name));
                    process(arrivals, streams, Keys { own, shared: entity }, from)
                };
                let regions = Regions::new(regions.iter().map(process).collect());
                // Each of them counts from `from` already.
                let kind = Kind::Regions(Box::new(regions));
                Source::Open(Process { kind, from: Span::ZERO })
            }
            arrivals => {
                Source::Open(process(arrivals, streams, Keys { own: entity, shared: entity }, from))
            }
        }
    }

    /// Recorded calls that lie before its start.
    pub fn skipped(&self) -> u64 {
        match self {
            Source::Open(Process { kind: Kind::Replay(replay), .. }) => replay.skipped(),
            _ => 0,
        }
    }
}

/// What keys the streams of a process.
#[derive(Clone, Copy)]
struct Keys {
    /// Its own draws.
    own: u64,
    /// What all regions of a use case have in common.
    shared: u64,
}

/// The process of open `arrivals` of one region, from `from` on.
fn process(arrivals: &Arrivals, streams: Streams, keys: Keys, from: Time) -> Process {
    let kind = match arrivals {
        Arrivals::Poisson { rate } => {
            let stream = streams.stream(Component::Arrivals, keys.own, 0);
            Kind::Poisson(Poisson::new(*rate, stream))
        }
        Arrivals::Constant { rate } => Kind::Constant(Constant::new(*rate, from)),
        Arrivals::Trace { trace, time_scale } => {
            Kind::Replay(Replay::new(trace, *time_scale, from))
        }
        Arrivals::Varying(demand) => varying(demand, streams, keys, from),
        Arrivals::ClosedLoop { .. } | Arrivals::Batch(_) | Arrivals::Regions(_) => {
            unreachable!("no process of one region")
        }
    };
    Process { kind, from: from.since(Time::ZERO) }
}

impl Process {
    /// The next arrival after the one at `now` (after time zero at first), or
    /// `None` when there are no more.
    #[inline]
    pub fn next(&mut self, now: Time) -> Option<Time> {
        let next = match &mut self.kind {
            // It has no clock.
            Kind::Poisson(process) => return Some(process.next(now)),
            Kind::Constant(process) => Some(process.next()),
            Kind::Replay(process) => process.next(),
            Kind::Varying(process) => process.next(),
            Kind::Tenants(tenants) => tenants.next(),
            Kind::Regions(regions) => regions.next(),
        };
        next.map(|next| Time::from_ticks(next.ticks() - self.from.ticks()))
    }

    /// The region of the last arrival, where arrivals tell; else the first.
    #[inline]
    pub fn region(&self) -> u16 {
        match &self.kind {
            Kind::Regions(regions) => regions.last(),
            _ => 0,
        }
    }
}

/// The arrivals of `demand` in this replication, from `from` on.
fn varying(demand: &Demand, streams: Streams, keys: Keys, from: Time) -> Kind {
    let mut sources = sources(demand, streams, keys, from);
    match demand.tenants {
        None => Kind::Varying(Box::new(sources.remove(0))),
        Some(_) => Kind::Tenants(Tenants::new(sources)),
    }
}

/// Arrivals of the use case `entity` that are expected in each of so many hours,
/// given what varies around the curve in this replication.
pub fn by_hour(demand: &Demand, streams: Streams, entity: u64, hours: usize) -> Vec<f64> {
    let mut sums = vec![0.0; hours];
    let keys = Keys { own: entity, shared: entity };
    let sources = sources(demand, streams, keys, Time::ZERO);
    sources.into_iter().for_each(|source| source.by_hour(&mut sums));
    sums
}

/// The arrivals of each tenant, or of all where there are none.
fn sources(demand: &Demand, streams: Streams, keys: Keys, from: Time) -> Vec<Varying> {
    let entity = keys.own;
    let mut curve = demand.curve.clone();
    for (at, every_s) in &demand.uncertain {
        let mut stream = streams.stream(Component::Growth, keys.shared, *at as u64);
        curve.growth[*at] = Growth::Doubling { seconds: every_s.sample(&mut stream) };
    }
    let (curve, gaps) = (Arc::new(curve), Arc::new(demand.gaps.clone()));
    let weather = || Weather::new(&demand.variability, streams, entity, from);
    let source = |share: f64, stream: Stream, weather: Weather| {
        Varying::new(curve.clone(), share, gaps.clone(), stream, weather, from)
    };
    let Some(tenants) = demand.tenants else {
        let stream = streams.stream(Component::Arrivals, entity, 0);
        return vec![source(1.0, stream, weather())];
    };
    let weight = |k: u32| libm::pow(f64::from(k + 1), -tenants.zipf);
    let all: f64 = (0..tenants.count).map(weight).sum();
    let tenant = |k: u32| {
        let stream = streams.stream(Component::Arrivals, entity, u64::from(k));
        let mut weather = weather();
        if let Some((on, off)) = tenants.on_off_s {
            let states = [(1.0, on), (0.0, off)];
            let states = states.map(|(factor, mean_s)| State { factor, mean_s });
            let stream = streams.stream(Component::Tenants, entity, u64::from(k));
            weather.add_states(&states, stream, from);
        }
        source(weight(k) / all, stream, weather)
    };
    (0..tenants.count).map(tenant).collect()
}
