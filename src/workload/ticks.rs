//! Recorders whose clock ticks coarsely, and when the calls of a tick came.
//!
//! A recording in whole seconds has the calls of a second at one instant. Taken at its
//! word it is a series of bursts, and whoever replays it finds queues that nobody
//! saw. Imports and replays know such a clock by the same rule, [`tick_of`], and
//! let the calls of a tick come at independent instants within it, in their order.

use crate::random::{Component, Stream, Streams};

/// Calls at the beginning of a recording that tell its tick.
pub const LOOKED_AT: u64 = 20_000;
/// Different gaps between stamps that are needed to tell a tick.
const GAPS_MIN: usize = 10;
/// Share of gaps that are multiples of a tick, and how nearly, where there is one.
const TICKING: f64 = 0.98;
const NEARLY: f64 = 0.05;
/// A tick that is less than this of the mean gap does not show.
const SHOWS: f64 = 0.05;
/// Share of calls that have the same stamp as the one before them. Calls that come by
/// chance, 0.05 a tick, have more; a recording in which each call has a tick
/// of its own says nothing of its clock.
const TOGETHER: f64 = 0.02;

/// The tick of a clock that wrote `stamps`, in kernel ticks; `None` where it is
/// too fine to show between calls.
pub fn tick_of(mut stamps: Vec<i128>) -> Option<u64> {
    stamps.sort_unstable();
    let all = stamps.windows(2).map(|pair| pair[1] - pair[0]);
    let mut gaps: Vec<i128> = all.filter(|gap| *gap > 0).collect();
    gaps.sort_unstable();
    if gaps.len() < GAPS_MIN {
        return None;
    }
    let together = stamps.len() - 1 - gaps.len();
    if (together as f64) < TOGETHER * stamps.len() as f64 {
        return None;
    }
    let mean = (stamps[stamps.len() - 1] - stamps[0]) as f64 / (stamps.len() - 1) as f64;
    let candidates = [gaps[gaps.len() / 10], gaps[0]];
    let ticks = candidates.into_iter().find(|&tick| {
        let is_multiple = |gap: &&i128| {
            let ratio = **gap as f64 / tick as f64;
            (ratio - ratio.round()).abs() <= NEARLY
        };
        tick as f64 >= SHOWS * mean
            && gaps.iter().filter(is_multiple).count() as f64 >= TICKING * gaps.len() as f64
    })?;
    u64::try_from(ticks).ok()
}

/// Tells calls that a clock saw at the same tick when they came.
#[derive(Clone, Debug)]
pub struct TickSpreader {
    tick: u64,
    stream: Stream,
    within: Vec<u64>,
}

impl TickSpreader {
    /// Of a clock with this tick, in kernel ticks.
    pub fn new(tick: u64) -> TickSpreader {
        let stream = Streams::new(0, 0).stream(Component::Arrivals, 0, 0);
        TickSpreader { tick, stream, within: Vec::new() }
    }

    /// Whether a stamp is of the same tick as the first one, `began`.
    pub fn is_of(&self, began: u64, stamp: u64) -> bool {
        stamp < began + self.tick / 2
    }

    /// When the next so many calls of one tick came after it began, in order.
    pub fn within(&mut self, calls: usize) -> &[u64] {
        let TickSpreader { tick, stream, within } = self;
        within.clear();
        within.extend((0..calls).map(|_| stream.next_u64()));
        within.sort_unstable();
        let scaled = |draw: u64| ((u128::from(draw) * u128::from(*tick)) >> 64) as u64;
        within.iter_mut().for_each(|draw| *draw = scaled(*draw));
        within
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::TICKS_PER_SECOND;

    const SECOND: i128 = TICKS_PER_SECOND as i128;

    #[test]
    fn calls_that_share_no_stamp_say_nothing_of_a_clock() {
        let each_second = (0..1_000).map(|at| at * SECOND).collect();
        assert_eq!(tick_of(each_second), None);
        let twice = (0..1_000).map(|at| at / 2 * SECOND).collect();
        assert_eq!(tick_of(twice), Some(TICKS_PER_SECOND));
    }

    #[test]
    fn a_few_instants_are_taken_as_they_are() {
        // Ten instants have nine gaps.
        let calls = |instants: i128| (0..instants * 8).map(|at| at / 8 * SECOND).collect();
        assert_eq!(tick_of(calls(10)), None);
        assert_eq!(tick_of(calls(11)), Some(TICKS_PER_SECOND));
        assert_eq!(tick_of(vec![0; 500]), None);
        assert_eq!(tick_of(Vec::new()), None);
    }

    #[test]
    fn instants_within_a_tick_are_in_order_and_fill_it() {
        let mut spreader = TickSpreader::new(1_000_000);
        let within = spreader.within(10_000);
        assert!(within.is_sorted());
        for (at, instant) in within.iter().enumerate() {
            let expected = (at as f64 + 0.5) * 100.0;
            assert!((*instant as f64 - expected).abs() < 20_000.0, "{at}: {instant}");
        }
        assert!(within[9_999] < 1_000_000);
        assert_ne!(spreader.within(3).to_vec(), TickSpreader::new(1_000_000).within(3));
    }
}
