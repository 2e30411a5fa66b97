//! Simulated time as an integer.
//!
//! One tick is 100 ps, so a `u64` spans 58 years and a step time of a
//! millisecond is rounded by at most 5e-8 of itself. Integers make equal times
//! comparable with `==`, sums exact in any order, and the fast engine
//! comparable with the slow one bit for bit.

use std::fmt;
use std::ops::{Add, AddAssign, Sub};

/// Ticks in one second (one tick is 100 ps).
pub const TICKS_PER_SECOND: u64 = 10_000_000_000;

/// An instant: ticks since the start of the simulation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

/// A length of time, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(u64);

impl Time {
    /// The start of the simulation.
    pub const ZERO: Time = Time(0);
    /// The last representable instant; nothing is ever scheduled there.
    pub const MAX: Time = Time(u64::MAX);

    /// The instant `ticks` ticks after the start.
    pub const fn from_ticks(ticks: u64) -> Self {
        Time(ticks)
    }

    /// Ticks since the start.
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// Seconds since the start.
    pub fn seconds(self) -> f64 {
        self.0 as f64 / TICKS_PER_SECOND as f64
    }

    /// The tick before this one, which is not the first.
    pub const fn before(self) -> Time {
        Time(self.0 - 1)
    }

    /// Time elapsed since `earlier`.
    ///
    /// Panics in debug builds when `earlier` is later: time never goes back.
    #[inline]
    pub fn since(self, earlier: Time) -> Span {
        debug_assert!(self.0 >= earlier.0, "time went back");
        Span(self.0 - earlier.0)
    }
}

impl Span {
    /// No time at all.
    pub const ZERO: Span = Span(0);

    /// A span of `ticks` ticks.
    pub const fn from_ticks(ticks: u64) -> Self {
        Span(ticks)
    }

    /// The span nearest to `seconds`; negative and NaN become zero, what is
    /// beyond 58 years becomes the longest span.
    #[inline]
    pub fn from_seconds(seconds: f64) -> Self {
        // `as` saturates and sends NaN to zero; adding a half before the
        // truncation rounds to nearest for every value that has a fraction.
        Span((seconds * TICKS_PER_SECOND as f64 + 0.5) as u64)
    }

    /// Ticks in this span.
    pub const fn ticks(self) -> u64 {
        self.0
    }

    /// Seconds in this span.
    #[inline]
    pub fn seconds(self) -> f64 {
        self.0 as f64 / TICKS_PER_SECOND as f64
    }
}

impl Add<Span> for Time {
    type Output = Time;
    #[inline]
    fn add(self, span: Span) -> Time {
        Time(self.0.saturating_add(span.0))
    }
}

impl AddAssign<Span> for Time {
    #[inline]
    fn add_assign(&mut self, span: Span) {
        *self = *self + span;
    }
}

impl Add for Span {
    type Output = Span;
    #[inline]
    fn add(self, other: Span) -> Span {
        Span(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Span;
    #[inline]
    fn sub(self, other: Span) -> Span {
        debug_assert!(self.0 >= other.0, "negative span");
        Span(self.0 - other.0)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.seconds())
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.6} s", self.seconds())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_to_the_nearest_tick() {
        assert_eq!(Span::from_seconds(1.0).ticks(), TICKS_PER_SECOND);
        assert_eq!(Span::from_seconds(1.6e-10).ticks(), 2);
        assert_eq!(Span::from_seconds(1.4e-10).ticks(), 1);
        assert_eq!(Span::from_seconds(-3.0), Span::ZERO);
        assert_eq!(Span::from_seconds(f64::NAN), Span::ZERO);
        assert_eq!(Span::from_seconds(f64::INFINITY).ticks(), u64::MAX);
    }

    #[test]
    fn instants_saturate_instead_of_wrapping() {
        assert_eq!(Time::MAX + Span::from_ticks(1), Time::MAX);
    }
}
