//! A Poisson process: independent exponential gaps.

use crate::kernel::{Span, Time};
use crate::random::{Distribution, Stream};

/// Arrivals at a constant mean rate, each independent of the others.
#[derive(Clone, Debug)]
pub struct Poisson {
    gap_s: Distribution,
    stream: Stream,
}

impl Poisson {
    /// `rate` arrivals a second, positive and finite.
    pub fn new(rate: f64, stream: Stream) -> Self {
        let gap_s = Distribution::exponential(1.0 / rate).expect("checked by the scenario");
        Poisson { gap_s, stream }
    }

    #[inline]
    pub fn next(&mut self, now: Time) -> Time {
        now + Span::from_seconds(self.gap_s.sample(&mut self.stream))
    }
}
