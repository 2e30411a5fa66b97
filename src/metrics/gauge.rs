//! A level over time and its exact time average.
//!
//! The integral is kept in integers, so that identities such as Little's law
//! hold to the last tick and no sampling is involved.

use crate::kernel::Time;

/// A level that changes at instants, and its integral since it was opened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gauge {
    level: u64,
    since: Time,
    integral: u128,
}

impl Gauge {
    /// The level now.
    pub fn level(&self) -> u64 {
        self.level
    }

    /// Raises the level by `amount`.
    #[inline]
    pub fn raise(&mut self, now: Time, amount: u64) {
        self.integrate(now);
        self.level += amount;
    }

    /// Lowers the level by `amount`, which must not exceed it.
    #[inline]
    pub fn lower(&mut self, now: Time, amount: u64) {
        self.integrate(now);
        debug_assert!(amount <= self.level);
        self.level -= amount;
    }

    /// Starts the integral anew, with the level as it is.
    pub fn open(&mut self, now: Time) {
        self.since = now;
        self.integral = 0;
    }

    /// Integral of the level since it was opened, in ticks.
    pub fn integral(&self, now: Time) -> u128 {
        self.integral + u128::from(self.level) * u128::from(now.since(self.since).ticks())
    }

    #[inline]
    fn integrate(&mut self, now: Time) {
        self.integral += u128::from(self.level) * u128::from(now.since(self.since).ticks());
        self.since = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integrates_the_level_over_time() {
        let at = Time::from_ticks;
        let mut gauge = Gauge::default();
        gauge.raise(at(10), 3);
        gauge.lower(at(20), 2);
        assert_eq!(gauge.integral(at(25)), 35);
        gauge.open(at(25));
        assert_eq!((gauge.level(), gauge.integral(at(27))), (1, 2));
    }
}
