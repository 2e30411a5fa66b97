//! How calls come in time: counts in windows of many widths, kept as they pass.
//!
//! Of each width the number of windows, the sum and the sum of squares are kept,
//! for the trace as a whole and pooled over hours, within which the course of a
//! day hardly shows; memory does not grow with the trace. Windows begin with the
//! first call; one that the trace does not fill does not count.

use crate::kernel::TICKS_PER_SECOND;

const SECOND: u64 = TICKS_PER_SECOND;
/// Widths of windows, in tenths of a second.
const WIDTHS: [u64; 15] =
    [1, 2, 5, 10, 20, 50, 100, 200, 300, 600, 1_200, 3_000, 6_000, 18_000, 36_000];
/// Length of the blocks that are pooled.
const BLOCK: u64 = 3_600 * SECOND;
/// Most hours that are counted one by one: ten years, as long as a trace may be.
const HOURS_MAX: usize = 3_653 * 24;

/// Counts of calls; see the module.
#[derive(Clone, Debug, Default)]
pub struct Counts {
    /// Calls so far.
    pub calls: u64,
    /// When the last one came, ticks since the first.
    pub last: u64,
    scales: Vec<Scale>,
    /// Calls of each hour.
    hours: Vec<u32>,
    /// From the beginning of the first hour to the first call.
    offset: u64,
}

/// Dispersion of the counts in windows of one width.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dispersion {
    /// Width, s.
    pub window_s: f64,
    /// Windows that were compared with each other, and how many such groups:
    /// the trace as a whole is one.
    pub windows: u64,
    /// Groups.
    pub groups: u64,
    /// Sum of the sample variances within groups.
    pub variance: f64,
    /// Sum of the mean counts of groups.
    pub mean: f64,
}

impl Dispersion {
    /// Variance over mean; 1 for independent arrivals.
    pub fn index(&self) -> f64 {
        if self.mean > 0.0 { self.variance / self.mean } else { f64::NAN }
    }

    /// Adds that of another trace.
    pub fn add(&mut self, other: &Dispersion) {
        self.groups += other.groups;
        self.variance += other.variance;
        self.mean += other.mean;
    }
}

#[derive(Clone, Debug, Default)]
struct Scale {
    width: u64,
    /// Windows in a block; 0: none are pooled.
    per_block: u64,
    /// The window under way and its calls.
    window: u64,
    count: u64,
    /// Over all, and over the block under way.
    all: Sums,
    block: Sums,
    /// Blocks that are full.
    blocks: u64,
    variance: f64,
    mean: f64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    n: u64,
    sum: u64,
    squares: u128,
}

impl Sums {
    fn add(&mut self, count: u64) {
        self.n += 1;
        self.sum += count;
        self.squares += u128::from(count) * u128::from(count);
    }

    /// Sample variance.
    fn variance(&self) -> f64 {
        let n = u128::from(self.n);
        let sum = u128::from(self.sum);
        (self.squares * n - sum * sum) as f64 / (self.n as f64 * (self.n as f64 - 1.0))
    }

    fn mean(&self) -> f64 {
        self.sum as f64 / self.n as f64
    }
}

impl Scale {
    fn new(tenths: u64) -> Scale {
        let width = tenths * SECOND / 10;
        // A block has a dozen windows, or it says little.
        let per_block = if BLOCK / width >= 12 { BLOCK / width } else { 0 };
        Scale { width, per_block, ..Scale::default() }
    }

    fn call(&mut self, at: u64) {
        self.reach(at / self.width);
        self.count += 1;
    }

    /// Closes the windows before `window`, of which all but one are empty.
    fn reach(&mut self, window: u64) {
        if window > self.window {
            let count = std::mem::take(&mut self.count);
            self.close(count);
            self.close_empty(window - self.window - 1);
            self.window = window;
        }
    }

    fn close(&mut self, count: u64) {
        self.all.add(count);
        if self.per_block > 0 {
            self.block.add(count);
            self.close_block();
        }
    }

    fn close_block(&mut self) {
        if self.block.n == self.per_block {
            let block = std::mem::take(&mut self.block);
            self.blocks += 1;
            self.variance += block.variance();
            self.mean += block.mean();
        }
    }

    fn close_empty(&mut self, windows: u64) {
        self.all.n += windows;
        if self.per_block == 0 {
            return;
        }
        let here = windows.min(self.per_block - self.block.n);
        self.block.n += here;
        self.close_block();
        // Whole blocks without a call have no variance and no mean.
        self.blocks += (windows - here) / self.per_block;
        self.block.n += (windows - here) % self.per_block;
    }
}

impl Counts {
    /// Counts from a first call that comes `offset` ticks after an hour began.
    pub fn new(offset: u64) -> Counts {
        let scales = WIDTHS.map(Scale::new).to_vec();
        Counts { scales, offset, ..Counts::default() }
    }

    /// A call, no earlier than the one before; ticks since the first.
    pub fn call(&mut self, at: u64) {
        debug_assert!(at >= self.last);
        self.scales.iter_mut().for_each(|scale| scale.call(at));
        self.calls += 1;
        self.last = at;
        let hour = ((at + self.offset) / BLOCK) as usize;
        if hour < HOURS_MAX {
            if hour >= self.hours.len() {
                self.hours.resize(hour + 1, 0);
            }
            self.hours[hour] += 1;
        }
    }

    /// The trace lasts until `end`, ticks since the first call.
    pub fn finish(&mut self, end: u64) {
        for scale in &mut self.scales {
            scale.reach(end / scale.width);
        }
        self.last = self.last.max(end);
    }

    /// From the first call to the last, s.
    pub fn length_s(&self) -> f64 {
        self.last as f64 / SECOND as f64
    }

    /// Calls a second.
    pub fn rate(&self) -> f64 {
        self.calls as f64 / self.length_s().max(1e-9)
    }

    /// Calls of each hour, the first and the last cut off by the trace's ends.
    pub fn hours(&self) -> &[u32] {
        &self.hours
    }

    /// From the beginning of the first hour to the first call, s.
    pub fn offset_s(&self) -> f64 {
        self.offset as f64 / SECOND as f64
    }

    /// Dispersion over the whole trace, in windows of which it has two or more.
    pub fn whole(&self) -> Vec<Dispersion> {
        let said = self.scales.iter().filter(|scale| scale.all.n >= 2);
        let of = |scale: &Scale| Dispersion {
            window_s: scale.width as f64 / SECOND as f64,
            windows: scale.all.n,
            groups: 1,
            variance: scale.all.variance(),
            mean: scale.all.mean(),
        };
        said.map(of).collect()
    }

    /// Dispersion within hours, pooled.
    pub fn within_hours(&self) -> Vec<Dispersion> {
        let said = self.scales.iter().filter(|scale| scale.blocks > 0);
        let of = |scale: &Scale| Dispersion {
            window_s: scale.width as f64 / SECOND as f64,
            windows: scale.per_block,
            groups: scale.blocks,
            variance: scale.variance,
            mean: scale.mean,
        };
        said.map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    /// Counts in windows of `width`, the slow way.
    fn slow(calls: &[u64], width: u64, end: u64) -> Vec<f64> {
        let mut counts = vec![0.0; (end / width) as usize];
        for call in calls {
            if let Some(count) = counts.get_mut((call / width) as usize) {
                *count += 1.0;
            }
        }
        counts
    }

    fn variance(counts: &[f64]) -> f64 {
        let n = counts.len() as f64;
        let mean = counts.iter().sum::<f64>() / n;
        counts.iter().map(|count| (count - mean) * (count - mean)).sum::<f64>() / (n - 1.0)
    }

    #[test]
    fn dispersion_is_that_of_counts_in_windows() {
        let mut stream = Streams::new(1, 0).stream(Component::Arrivals, 0, 0);
        // Clusters with hours of silence between.
        let mut calls = vec![0];
        for _ in 0..20_000 {
            let pause = if stream.below(2_000) == 0 { 5_000 * SECOND } else { SECOND };
            calls.push(calls.last().unwrap() + (stream.unit() * pause as f64) as u64);
        }
        let end = *calls.last().unwrap();
        let mut counts = Counts::new(0);
        calls.iter().for_each(|at| counts.call(*at));
        counts.finish(end);
        let whole = counts.whole();
        assert!(whole.len() >= 14);
        for found in whole {
            let width = (found.window_s * SECOND as f64).round() as u64;
            let windows = slow(&calls, width, end);
            assert_eq!(found.windows, windows.len() as u64);
            assert!((found.variance / variance(&windows) - 1.0).abs() < 1e-9);
        }
        for found in counts.within_hours() {
            let width = (found.window_s * SECOND as f64).round() as u64;
            let windows = slow(&calls, width, end);
            let hours = windows.chunks_exact(found.windows as usize);
            assert_eq!(found.groups, hours.len() as u64);
            let sum: f64 = hours.map(variance).sum();
            assert!((found.variance / sum - 1.0).abs() < 1e-9, "{found:?}");
        }
        let hours: u64 = counts.hours().iter().map(|count| u64::from(*count)).sum();
        assert_eq!(hours, 20_001);
    }
}
