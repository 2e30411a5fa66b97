//! Lanes on which spans of one process lie without overlapping.

use crate::kernel::Time;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};

/// Lends the lowest lane that is free, to spans in the order of their start.
#[derive(Clone, Debug, Default)]
pub struct Lanes {
    /// Lanes in use, by when they become free.
    used: BinaryHeap<Reverse<(Time, usize)>>,
    free: BTreeSet<usize>,
    count: usize,
}

impl Lanes {
    /// The lane of a span.
    pub fn lend(&mut self, from: Time, until: Time) -> usize {
        while let Some(&Reverse((end, lane))) = self.used.peek().filter(|used| used.0.0 <= from) {
            debug_assert!(end <= from);
            self.used.pop();
            self.free.insert(lane);
        }
        let lane = self.free.pop_first().unwrap_or_else(|| {
            self.count += 1;
            self.count - 1
        });
        self.used.push(Reverse((until, lane)));
        lane
    }

    /// How many were needed.
    pub fn count(&self) -> usize {
        self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_lane_is_lent() {
        let mut lanes = Lanes::default();
        let at = |ticks| Time::from_ticks(ticks);
        let lent: Vec<usize> = [(0, 10), (1, 3), (2, 9), (3, 4), (4, 20), (9, 11), (10, 12)]
            .into_iter()
            .map(|(from, until)| lanes.lend(at(from), at(until)))
            .collect();
        assert_eq!(lent, [0, 1, 2, 1, 1, 2, 0]);
        assert_eq!(lanes.count(), 3);
    }
}
