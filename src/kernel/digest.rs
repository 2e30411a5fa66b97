//! The run digest: a 64-bit fold of everything that happened.
//!
//! Two runs with the same digest had the same events at the same ticks, for
//! all practical purposes: the fold is a multiply-rotate hash (constants of
//! wyhash's 64-bit primes), order-sensitive, and integer only, so that it is
//! the same on every platform.

use super::time::Time;
use std::fmt;

/// Running fold of a run's events; printed as 16 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest(u64);

const START: u64 = 0xa076_1d64_78bd_642f;
const MULTIPLIER: u64 = 0xe703_7ed1_a0b4_28db;

impl Default for Digest {
    fn default() -> Self {
        Digest(START)
    }
}

impl Digest {
    /// Folds in one word.
    #[inline]
    pub fn word(&mut self, word: u64) {
        self.0 = (self.0 ^ word).wrapping_mul(MULTIPLIER).rotate_left(29);
    }

    /// Folds in one event: when, what and where, to whom.
    #[inline]
    pub fn event(&mut self, time: Time, what: u64, whom: u64) {
        self.word(time.ticks());
        self.word(what);
        self.word(whom);
    }

    /// The value so far.
    pub fn value(self) -> u64 {
        let folded = (self.0 ^ self.0 >> 32).wrapping_mul(START);
        folded ^ folded >> 29
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.value())
    }
}
