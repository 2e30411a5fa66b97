//! Arrivals like clockwork.

use crate::kernel::{Span, Time};

/// One arrival every `1 / rate` seconds, the first after one interval.
#[derive(Clone, Debug)]
pub struct Constant {
    rate: f64,
    arrivals: u64,
}

impl Constant {
    /// `rate` arrivals a second.
    pub fn new(rate: f64) -> Self {
        Constant { rate, arrivals: 0 }
    }

    /// Counted from time zero, so that rounding does not add up.
    #[inline]
    pub fn next(&mut self) -> Time {
        self.arrivals += 1;
        Time::ZERO + Span::from_seconds(self.arrivals as f64 / self.rate)
    }
}
