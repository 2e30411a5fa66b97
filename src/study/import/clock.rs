//! Recorded instants put in order and, where a recorder's clock ticks coarsely,
//! spread over its ticks.

use super::counts::Counts;
use super::gaps::GapCounts;
use crate::kernel::TICKS_PER_SECOND;
use crate::workload::{BadLine, TickSpreader};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Calls that wait for others which the file has later.
pub const REORDERED_MAX: usize = 1 << 16;
/// Longest recording, as for scenarios: ten years.
const TICKS_MAX: i128 = 3_653 * 86_400 * TICKS_PER_SECOND as i128;

/// Takes recorded instants and counts them.
#[derive(Debug)]
pub struct Clock {
    /// Of the recorder's clock; `None`: it does not show.
    spreader: Option<TickSpreader>,
    is_fine: bool,
    waiting: BinaryHeap<Reverse<i128>>,
    /// The first instant that was let through, and the last.
    first: i128,
    last: Option<i128>,
    /// Calls that the file has after a later one.
    pub unsorted: u64,
    newest: i128,
    /// Calls of the tick under way.
    together: usize,
    began: u64,
    /// How far into its hour the day's clock is at an instant, ticks.
    into_hour: i128,
    pub counts: Counts,
    pub gaps: GapCounts,
    before: Option<u64>,
}

impl Clock {
    /// A clock with this tick; an hour begins at the instant `into_hour`.
    pub fn new(tick: Option<u64>, into_hour: i128) -> Clock {
        Clock {
            spreader: tick.map(TickSpreader::new),
            is_fine: tick.is_none(),
            waiting: BinaryHeap::new(),
            first: 0,
            last: None,
            unsorted: 0,
            newest: i128::MIN,
            together: 0,
            began: 0,
            into_hour,
            counts: Counts::default(),
            gaps: GapCounts::default(),
            before: None,
        }
    }

    /// When the first call came, in the recording's own time.
    pub fn first(&self) -> i128 {
        self.first
    }

    /// A call at this instant.
    pub fn call(&mut self, at: i128) -> Result<(), BadLine> {
        let refuse = |problem: String, fix| Err(BadLine { problem, fix });
        if self.last.is_some_and(|last| at < last) {
            return refuse(
                format!("comes before a call that is more than {REORDERED_MAX} calls earlier"),
                "sort the trace by time, or leave such lines out with --skip-bad-lines",
            );
        }
        let start = self.last.map_or(self.newest, |_| self.first);
        if self.newest > i128::MIN && at - start > TICKS_MAX {
            return refuse(
                "is more than ten years after the first call".to_owned(),
                "correct its time, or leave such lines out with --skip-bad-lines",
            );
        }
        self.unsorted += u64::from(at < self.newest);
        self.newest = self.newest.max(at);
        self.waiting.push(Reverse(at));
        if self.waiting.len() > REORDERED_MAX {
            self.release();
        }
        Ok(())
    }

    /// No further call comes.
    pub fn finish(&mut self) {
        while !self.waiting.is_empty() {
            self.release();
        }
        self.strike();
        let end = self.counts.last;
        self.counts.finish(end);
    }

    /// No further call comes, and what was watched is what `other` had.
    pub fn finish_with(&mut self, other: &Clock) {
        self.finish();
        let end = other.first + i128::from(other.counts.last) - self.first;
        self.counts.finish(u64::try_from(end).unwrap_or(0));
    }

    /// Lets the earliest of the waiting calls through.
    fn release(&mut self) {
        let Some(Reverse(at)) = self.waiting.pop() else { return };
        if self.last.is_none() {
            self.first = at;
            let hour = 3_600 * i128::from(TICKS_PER_SECOND);
            self.counts = Counts::new((at - self.into_hour).rem_euclid(hour) as u64);
        }
        self.last = Some(at);
        let at = (at - self.first) as u64;
        let Some(spreader) = &self.spreader else { return self.count(at) };
        if !spreader.is_of(self.began, at) {
            self.strike();
            self.began = at;
        }
        self.together += 1;
    }

    /// Spreads the calls of a tick over it.
    fn strike(&mut self) {
        let Some(mut spreader) = self.spreader.take() else { return };
        for within in spreader.within(std::mem::take(&mut self.together)) {
            let at = (self.began + within).max(self.counts.last);
            self.count(at);
        }
        self.spreader = Some(spreader);
    }

    fn count(&mut self, at: u64) {
        self.counts.call(at);
        // Gaps of calls that were spread are nobody's.
        if let Some(before) = self.before.replace(at).filter(|_| self.is_fine) {
            self.gaps.add(at - before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};
    use crate::workload::tick_of;

    const MS: i128 = TICKS_PER_SECOND as i128 / 1_000;

    /// Instants of a Poisson process, one call a second.
    fn poisson(n: usize) -> Vec<i128> {
        let mut stream = Streams::new(2, 0).stream(Component::Arrivals, 0, 0);
        let mut now = 0.0;
        let second = TICKS_PER_SECOND as f64;
        (0..n)
            .map(|_| {
                now -= (1.0 - stream.unit()).ln();
                (now * second) as i128
            })
            .collect()
    }

    #[test]
    fn a_coarse_clock_is_noticed_and_spread() {
        let fine = poisson(20_000);
        assert_eq!(tick_of(fine.clone()), None);
        let milliseconds = fine.iter().map(|at| at / MS * MS).collect();
        assert_eq!(tick_of(milliseconds), None);
        // Three seconds, give or take a millisecond.
        let coarse: Vec<i128> = fine
            .iter()
            .map(|at| at / (3_000 * MS) * 3_000 * MS - at / (3_000 * MS) % 2 * MS)
            .collect();
        let tick = tick_of(coarse.clone()).unwrap();
        assert!(tick.abs_diff(30_000_000_000) <= 20_000_000, "{tick}");
        let mut clock = Clock::new(Some(tick), 0);
        coarse.iter().for_each(|at| clock.call(*at).unwrap());
        clock.finish();
        let index = clock.counts.whole().iter().find(|d| d.window_s == 1.0).unwrap().index();
        assert!((index - 1.0).abs() < 0.05, "{index}");
        assert_eq!(clock.gaps.n(), 0);
    }

    #[test]
    fn calls_are_put_in_order() {
        let sorted = poisson(3_000);
        let mut shuffled = sorted.clone();
        shuffled.chunks_mut(7).for_each(<[i128]>::reverse);
        let count = |instants: &[i128]| {
            let mut clock = Clock::new(None, 0);
            instants.iter().for_each(|at| clock.call(*at).unwrap());
            clock.finish();
            (clock.counts.whole(), clock.unsorted > 0)
        };
        assert_eq!(count(&sorted), (count(&shuffled).0, false));
        assert!(count(&shuffled).1);
    }

    #[test]
    fn a_call_that_is_far_too_late_is_refused() {
        let mut clock = Clock::new(None, 0);
        for at in 0..=REORDERED_MAX as i128 {
            clock.call(1_000 + at).unwrap();
        }
        assert!(clock.call(999).unwrap_err().problem.contains("65536 calls earlier"));
        let far = 3_654 * 86_400_000 * MS;
        assert!(clock.call(far).unwrap_err().problem.contains("ten years"));
    }
}
