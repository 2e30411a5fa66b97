//! A run of engine steps whose durations form an arithmetic progression.
//!
//! While the composition of a batch stays the same, step `i` lasts
//! `base + i * increment` ticks: contexts grow by one token a step, everything
//! else stands still. So `k` steps last `k * base + increment * k (k - 1) / 2`,
//! and the step under way at an instant is the root of a quadratic, found in
//! floating point and mended with integers.

use crate::kernel::{Span, Time};

/// Steps from `start`, the first `base` ticks long, each next one longer by
/// `increment`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    /// When the first step starts.
    pub start: Time,
    /// Duration of the first step in ticks, at least 1.
    pub base: u64,
    /// Ticks by which each step is longer than the one before.
    pub increment: u64,
    /// Steps until something has to be decided, at least 1.
    pub steps: u64,
}

impl Segment {
    /// Duration of the first `steps` steps.
    #[inline]
    pub fn span(&self, steps: u64) -> Span {
        let pairs = steps * steps.saturating_sub(1) / 2;
        Span::from_ticks(
            self.base.saturating_mul(steps).saturating_add(self.increment.saturating_mul(pairs)),
        )
    }

    /// When the last of its steps ends.
    #[inline]
    pub fn end(&self) -> Time {
        self.start + self.span(self.steps)
    }

    /// Steps that have ended by `now`, the one that ends at `now` included.
    #[inline]
    pub fn ended_by(&self, now: Time) -> u64 {
        let elapsed = now.since(self.start).ticks();
        if elapsed < self.base {
            return 0;
        }
        let mut steps = self.root(elapsed);
        while self.span(steps).ticks() > elapsed {
            steps -= 1;
        }
        while self.span(steps + 1).ticks() <= elapsed {
            steps += 1;
        }
        steps
    }

    /// Floating-point solution of `span(k) = elapsed`, rounded down.
    #[inline]
    fn root(&self, elapsed: u64) -> u64 {
        if self.increment == 0 {
            return elapsed / self.base;
        }
        let half = self.increment as f64 / 2.0;
        let linear = self.base as f64 - half;
        let elapsed = elapsed as f64;
        // The form without cancellation when the increment is small.
        (2.0 * elapsed / (linear + (linear * linear + 4.0 * half * elapsed).sqrt())) as u64
    }

    /// Moves past the first `steps` steps.
    #[inline]
    pub fn skip(&mut self, steps: u64) {
        debug_assert!(steps <= self.steps);
        self.start += self.span(steps);
        self.base += self.increment * steps;
        self.steps -= steps;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn closed_forms_equal_the_loop(
            base in 1..5_000_000u64, increment in 0..20_000u64, steps in 1..300u64,
            at in 0..4_000_000_000u64, skipped in 0..300u64,
        ) {
            let start = Time::from_ticks(17);
            let mut segment = Segment { start, base, increment, steps };
            let mut end = start;
            let mut ended = 0;
            let now = start + Span::from_ticks(at);
            for i in 0.. {
                let next = end + Span::from_ticks(base + i * increment);
                if i < steps { prop_assert_eq!(segment.span(i), end.since(start)); }
                if next > now && i >= steps { break; }
                if next <= now { ended = i + 1; }
                end = next;
            }
            prop_assert_eq!(segment.ended_by(now), ended);
            let whole = segment.end();
            let skipped = skipped.min(steps);
            segment.skip(skipped);
            prop_assert_eq!(segment.steps, steps - skipped);
            prop_assert_eq!(segment.end(), whole);
        }
    }
}
