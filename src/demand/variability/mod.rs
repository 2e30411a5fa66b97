//! What makes demand uncertain beside its curve: days that are better or worse
//! than forecast, states that come and go, crowds, and arrivals in bursts.
//!
//! Each is a factor with a mean of 1 over time, drawn anew in every
//! replication; only crowds come on top.

mod chain;
mod crowds;
mod gaps;
mod noise;

pub use chain::{Chain, State};
pub use crowds::{Crowds, Flash};
pub use gaps::{Gaps, Law};
pub use noise::{DayNoise, Noise};

use super::curve::Piece;
use crate::kernel::Time;
use crate::random::{Component, Distribution, Stream, Streams};
use smallvec::SmallVec;

/// How demand varies around its curve.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Variability {
    /// Days that differ from the forecast.
    pub day_noise: Option<DayNoise>,
    /// Chains of states that demand changes between, each by itself.
    pub chains: Vec<Vec<State>>,
    /// Crowds that come at random.
    pub crowds: Option<Crowding>,
}

/// Crowds that come at random.
#[derive(Clone, Debug, PartialEq)]
pub struct Crowding {
    /// Mean time between them, s.
    pub every_s: f64,
    /// What a crowd adds when it comes, as a multiple of the rate without it.
    pub peak: Distribution,
    /// Time in which it falls to 1/e, s.
    pub decay_s: f64,
}

/// The factors of one replication, in the order of time.
#[derive(Clone, Debug)]
pub struct Weather {
    noise: Option<Noise>,
    /// States of all tenants together, and of one.
    chains: SmallVec<[Chain; 2]>,
    crowds: Option<Crowds>,
}

impl Weather {
    /// The weather of the use case `entity` from `from` on. Crowds may have come
    /// before that, and states are as they are at any time.
    pub fn new(spec: &Variability, streams: Streams, entity: u64, from: Time) -> Weather {
        let stream = |component| streams.stream(component, entity, 0);
        let mut weather = Weather {
            noise: spec.day_noise.map(|noise| Noise::new(noise, stream(Component::DayNoise))),
            chains: SmallVec::new(),
            crowds: spec
                .crowds
                .as_ref()
                .map(|crowds| Crowds::new(crowds, stream(Component::Crowds), from)),
        };
        for (number, states) in (0..).zip(&spec.chains) {
            let stream = streams.stream(Component::States, entity, number);
            weather.add_states(states, stream, from);
        }
        weather
    }

    /// Lets demand also change between `states`.
    pub fn add_states(&mut self, states: &[State], stream: Stream, from: Time) {
        self.chains.push(Chain::new(states, stream, from));
    }

    /// The first part of `piece`, a piece of the curve on its `day`-th day, in
    /// which nothing changes, with its factors; ends where the rest begins.
    pub fn over(&mut self, piece: Piece, day: usize) -> Piece {
        let mut factor = 1.0;
        let mut until = piece.until;
        if let Some(noise) = &mut self.noise {
            factor *= noise.on(day);
        }
        for chain in &mut self.chains {
            let (state, ends) = chain.at(piece.from);
            factor *= state;
            until = until.min(ends);
        }
        let mut ends = (factor, factor);
        if let Some(crowds) = &mut self.crowds {
            until = until.min(crowds.next_knot(piece.from));
            ends = (factor * crowds.factor(piece.from), factor * crowds.factor_before(until));
        }
        let Piece { from, rate_from, rate_until, .. } = piece.until(until);
        Piece { from, until, rate_from: rate_from * ends.0, rate_until: rate_until * ends.1 }
    }
}
