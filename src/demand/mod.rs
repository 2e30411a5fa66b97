//! WHEN work arrives: one source a use case, one file a process.
//!
//! Every process answers `next`: the instant of its next arrival. Closed loops
//! answer per client, because there the next call waits for the last one.

mod closed_loop;
mod constant;
mod poisson;
mod replay;

pub use closed_loop::ClosedLoop;
use constant::Constant;
use poisson::Poisson;
use replay::Replay;

use crate::kernel::Time;
use crate::random::{Component, Streams, entity};
use crate::scenario::{Arrivals, UseCase};

/// The arrivals of one use case.
#[derive(Clone, Debug)]
pub enum Source {
    /// Arrivals that do not depend on how calls fare.
    Open(Process),
    /// Clients who wait for their answers.
    Closed(ClosedLoop),
}

/// An arrival process that does not depend on how calls fare.
#[derive(Clone, Debug)]
pub struct Process(Kind);

#[derive(Clone, Debug)]
enum Kind {
    Poisson(Poisson),
    Constant(Constant),
    Replay(Replay),
}

impl Source {
    /// The source of `use_case`, whose streams are keyed by its name.
    pub fn new(use_case: &UseCase, streams: Streams) -> Self {
        let entity = entity(&use_case.name);
        match &use_case.arrivals {
            Arrivals::Poisson { rate } => {
                let stream = streams.stream(Component::Arrivals, entity, 0);
                Source::Open(Process(Kind::Poisson(Poisson::new(*rate, stream))))
            }
            Arrivals::Constant { rate } => {
                Source::Open(Process(Kind::Constant(Constant::new(*rate))))
            }
            Arrivals::Trace { trace, time_scale } => {
                Source::Open(Process(Kind::Replay(Replay::new(trace, *time_scale))))
            }
            Arrivals::ClosedLoop { clients, requests, think } => {
                Source::Closed(ClosedLoop::new(*clients, *requests, think.clone(), streams, entity))
            }
        }
    }
}

impl Process {
    /// The next arrival after the one at `now` (after time zero at first), or
    /// `None` when there are no more.
    #[inline]
    pub fn next(&mut self, now: Time) -> Option<Time> {
        match &mut self.0 {
            Kind::Poisson(process) => Some(process.next(now)),
            Kind::Constant(process) => Some(process.next()),
            Kind::Replay(process) => process.next(),
        }
    }
}
