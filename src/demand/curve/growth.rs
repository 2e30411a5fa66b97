//! How demand grows over months and years.

use crate::kernel::{Span, Time};

/// One cause of growth; several multiply. Each is 1 at time zero unless it says
/// otherwise.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Growth {
    /// Doubles in this many seconds; shrinks where that is negative.
    Doubling {
        /// Seconds.
        seconds: f64,
    },
    /// Logistic adoption: doubles in so many seconds at first, and ends at
    /// `ceiling` times today's demand.
    Adoption {
        /// Seconds in which demand far below the ceiling doubles.
        seconds: f64,
        /// Where it ends, as a multiple of the demand at time zero; above 1.
        ceiling: f64,
    },
    /// A launch, or an end: demand is multiplied from an instant on, where it
    /// lies after time zero.
    Step {
        /// When.
        at: Time,
        /// By how much.
        factor: f64,
        /// Time in which it gets there, linearly.
        ramp: Span,
    },
}

impl Growth {
    /// Its factor at `time`; of a step without a ramp that from then on.
    pub fn factor(&self, time: Time) -> f64 {
        match *self {
            Growth::Doubling { seconds } => libm::exp2(time.seconds() / seconds),
            Growth::Adoption { seconds, ceiling } => {
                // The logistic equation with f(0) = 1; k is its rate while f is small.
                let k = std::f64::consts::LN_2 / seconds;
                ceiling / (1.0 + (ceiling - 1.0) * libm::exp(-k * time.seconds()))
            }
            Growth::Step { at, factor, ramp } => {
                if time < at {
                    return 1.0;
                }
                let since = time.since(at);
                let share = if since < ramp { since.seconds() / ramp.seconds() } else { 1.0 };
                1.0 + (factor - 1.0) * share
            }
        }
    }

    /// Its factor just before `time`, which is not zero.
    pub fn factor_before(&self, time: Time) -> f64 {
        match *self {
            Growth::Step { at, .. } if at == time => 1.0,
            _ => self.factor(time),
        }
    }

    /// The first instant after `time` at which it bends.
    pub fn next_bend(&self, time: Time) -> Option<Time> {
        match *self {
            Growth::Step { at, ramp, .. } => [at, at + ramp].into_iter().find(|&bend| bend > time),
            Growth::Doubling { .. } | Growth::Adoption { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: f64) -> Time {
        Time::ZERO + Span::from_seconds(seconds)
    }

    #[test]
    fn doubling_and_adoption_by_hand() {
        let doubling = Growth::Doubling { seconds: 100.0 };
        assert_eq!([0.0, 100.0, 300.0].map(|t| doubling.factor(at(t))), [1.0, 2.0, 8.0]);
        let halving = Growth::Doubling { seconds: -100.0 };
        assert_eq!(halving.factor(at(200.0)), 0.25);
        let adoption = Growth::Adoption { seconds: 100.0, ceiling: 1e6 };
        assert_eq!(adoption.factor(Time::ZERO), 1.0);
        assert!((adoption.factor(at(100.0)) - 2.0).abs() < 1e-5);
        // Halfway to the ceiling after log2(ceiling - 1) doublings.
        let half = adoption.factor(at(100.0 * (1e6f64 - 1.0).log2()));
        assert!((half - 5e5).abs() < 1.0, "{half}");
        assert!((adoption.factor(at(1e5)) - 1e6).abs() < 1e-3);
    }

    #[test]
    fn a_step_bends_where_it_begins_and_ends() {
        let step = Growth::Step { at: at(10.0), factor: 3.0, ramp: Span::from_seconds(4.0) };
        assert_eq!(
            [9.0, 10.0, 12.0, 14.0, 20.0].map(|t| step.factor(at(t))),
            [1.0, 1.0, 2.0, 3.0, 3.0]
        );
        assert_eq!(step.next_bend(Time::ZERO), Some(at(10.0)));
        assert_eq!(step.next_bend(at(10.0)), Some(at(14.0)));
        assert_eq!(step.next_bend(at(14.0)), None);
        let jump = Growth::Step { at: at(10.0), factor: 3.0, ramp: Span::ZERO };
        assert_eq!((jump.factor_before(at(10.0)), jump.factor(at(10.0))), (1.0, 3.0));
    }
}
