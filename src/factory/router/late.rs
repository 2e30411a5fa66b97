//! What lanes tell their router, and how late.
//!
//! A router knows at once where it has sent a call itself. That a prompt has
//! been computed, that a call is done, what came into a cache and what went:
//! these are told, and heard some time later.

use crate::factory::cache::CacheEvent;
use crate::kernel::{Span, Time};
use std::collections::VecDeque;

/// What a lane tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// The prompt of a call has been computed, `uncached` tokens of it.
    Prefilled {
        /// Tokens that were booked for it.
        uncached: u32,
    },
    /// A call with `prompt` tokens is done.
    Left {
        /// Its prompt tokens.
        prompt: u32,
    },
    /// Blocks came into the cache, or went.
    Cache(CacheEvent),
}

/// Signals on their way, in the order in which they were told.
#[derive(Clone, Debug)]
pub struct Late {
    delay: Span,
    told: VecDeque<(Time, u32, Signal)>,
}

impl Late {
    pub fn new(delay: Span) -> Self {
        Late { delay, told: VecDeque::new() }
    }

    /// Whether signals take any time.
    #[inline]
    pub fn is_late(&self) -> bool {
        self.delay > Span::ZERO
    }

    /// A lane tells something.
    pub fn tell(&mut self, now: Time, lane: u32, signal: Signal) {
        self.told.push_back((now + self.delay, lane, signal));
    }

    /// The next of the signals that are heard by `now`.
    #[inline]
    pub fn hear(&mut self, now: Time) -> Option<(u32, Signal)> {
        let is_due = |(due, ..): &&(Time, u32, Signal)| *due <= now;
        self.told.front().filter(is_due)?;
        self.told.pop_front().map(|(_, lane, signal)| (lane, signal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_are_heard_from_their_delay_on_in_order() {
        let at = Time::from_ticks;
        let mut late = Late::new(Span::from_ticks(10));
        assert!(late.is_late() && !Late::new(Span::ZERO).is_late());
        late.tell(at(5), 1, Signal::Left { prompt: 7 });
        late.tell(at(5), 2, Signal::Prefilled { uncached: 3 });
        late.tell(at(6), 0, Signal::Left { prompt: 9 });
        assert_eq!(late.hear(at(14)), None);
        assert_eq!(late.hear(at(15)), Some((1, Signal::Left { prompt: 7 })));
        assert_eq!(late.hear(at(15)), Some((2, Signal::Prefilled { uncached: 3 })));
        assert_eq!(late.hear(at(15)), None);
        assert_eq!(late.hear(at(20)), Some((0, Signal::Left { prompt: 9 })));
        assert_eq!(late.hear(at(99)), None);
    }
}
