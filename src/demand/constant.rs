//! Arrivals like clockwork.

use crate::kernel::{Span, Time};

/// One arrival every `1 / rate` seconds, the first after one interval.
#[derive(Clone, Debug)]
pub struct Constant {
    rate: f64,
    arrivals: u64,
}

impl Constant {
    /// `rate` arrivals a second; those up to `from` have been.
    pub fn new(rate: f64, from: Time) -> Self {
        let mut constant = Constant { rate, arrivals: (from.seconds() * rate) as u64 };
        // Rounding may have counted one too many or too few.
        constant.arrivals = constant.arrivals.saturating_sub(1);
        while from > Time::ZERO && constant.at(constant.arrivals + 1) <= from {
            constant.arrivals += 1;
        }
        constant
    }

    /// Counted from time zero, so that rounding does not add up.
    #[inline]
    pub fn next(&mut self) -> Time {
        self.arrivals += 1;
        self.at(self.arrivals)
    }

    fn at(&self, arrival: u64) -> Time {
        Time::ZERO + Span::from_seconds(arrival as f64 / self.rate)
    }
}
