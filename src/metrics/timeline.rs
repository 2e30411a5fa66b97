//! Samples of a run's state at regular instants, for charts and for the
//! detection of transients and drifts.
//!
//! A run of unknown length keeps between 512 and 1024 samples: when the buffer
//! is full every second one is dropped and the interval doubles, so that
//! timelines of different replications always fit onto the coarser grid.

use crate::kernel::{Span, Time};

const SAMPLES_MAX: usize = 1024;

/// State of one pool at one instant.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// Sequences running.
    pub running: u32,
    /// Calls waiting.
    pub waiting: u32,
    /// KV blocks in use, all ranks.
    pub blocks_used: u64,
    /// What has passed since the run began.
    pub flow: Flow,
}

/// Calls and tokens that have passed a pool since the run began, so that two
/// instants give the rate, and the hit rate, between them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Flow {
    /// Calls that arrived.
    pub arrived: u64,
    /// Calls that left: finished, given up, or called off.
    pub left: u64,
    /// Prompt tokens of calls whose first token was sampled.
    pub prompt_tokens: u64,
    /// Of these, tokens found in the cache.
    pub cached_tokens: u64,
}

impl Flow {
    /// What passed since it was `then`.
    pub fn since(&self, then: &Flow) -> Flow {
        Flow {
            arrived: self.arrived - then.arrived,
            left: self.left - then.left,
            prompt_tokens: self.prompt_tokens - then.prompt_tokens,
            cached_tokens: self.cached_tokens - then.cached_tokens,
        }
    }

    /// Share of prompt tokens found in the cache; `None` without prompts.
    pub fn hit_fraction(&self) -> Option<f64> {
        (self.prompt_tokens > 0).then(|| self.cached_tokens as f64 / self.prompt_tokens as f64)
    }
}

/// Samples of every pool at multiples of one interval.
#[derive(Clone, Debug)]
pub struct Timeline {
    interval: Span,
    /// One series a pool, all of one length; the first sample is at one interval.
    pools: Vec<Vec<Point>>,
}

impl Timeline {
    /// Empty series for `pools` pools, sampled every `interval` at first.
    pub fn new(pools: usize, interval: Span) -> Self {
        assert!(interval > Span::ZERO);
        Timeline { interval, pools: vec![Vec::new(); pools] }
    }

    /// Time between samples.
    pub fn interval(&self) -> Span {
        self.interval
    }

    /// Samples taken.
    pub fn len(&self) -> usize {
        self.pools.first().map_or(0, Vec::len)
    }

    /// Whether no sample was taken.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The series of `pool`.
    pub fn pool(&self, pool: usize) -> &[Point] {
        &self.pools[pool]
    }

    /// Adds one sample of every pool, in pool order, and returns the instant
    /// of the next.
    pub fn push(&mut self, points: impl Iterator<Item = Point>) -> Time {
        for (series, point) in self.pools.iter_mut().zip(points) {
            series.push(point);
        }
        if self.len() >= SAMPLES_MAX {
            self.thin();
        }
        Time::from_ticks(self.interval.ticks().saturating_mul(self.len() as u64 + 1))
    }

    /// The same timeline at `interval`, which must be this one's doubled any
    /// number of times.
    pub fn at_interval(&self, interval: Span) -> Timeline {
        let mut timeline = self.clone();
        while timeline.interval < interval {
            timeline.thin();
        }
        assert_eq!(timeline.interval, interval, "intervals differ by powers of two");
        timeline
    }

    /// Keeps every second sample.
    fn thin(&mut self) {
        self.interval = self.interval + self.interval;
        for series in &mut self.pools {
            let mut index = 0;
            series.retain(|_| {
                index += 1;
                index % 2 == 0
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thins_onto_the_coarser_grid() {
        let mut timeline = Timeline::new(1, Span::from_ticks(10));
        let mut next = Time::from_ticks(10);
        while next < Time::from_ticks(30_000) {
            let point = Point { running: next.ticks() as u32, ..Point::default() };
            next = timeline.push([point].into_iter());
        }
        assert_eq!(timeline.interval(), Span::from_ticks(40));
        let at = |i: usize| u64::from(timeline.pool(0)[i].running);
        assert!((0..timeline.len()).all(|i| at(i) == 40 * (i as u64 + 1)));
        assert!(timeline.len() >= SAMPLES_MAX / 2);
    }
}
