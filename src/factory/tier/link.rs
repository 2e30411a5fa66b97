//! A link to a tier: transfers queue on it, one channel each way.
//!
//! A transfer of `n` bytes occupies its channel for
//! `n / (bandwidth x efficiency(n))` and is over a latency later; the latency
//! occupies nothing. Transfers on a channel are served first come first served,
//! beside the computing of the GPU. All times are rounded to ticks once, a
//! transfer.

use crate::kernel::{Span, Time};
use std::sync::Arc;

/// How fast a link is.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Bytes a second towards the GPU, before efficiency.
    pub read_bandwidth: f64,
    /// Bytes a second from the GPU, before efficiency.
    pub write_bandwidth: f64,
    /// Time between the end of a transfer on the channel and its arrival.
    pub latency: Span,
    /// Share of the bandwidth that a transfer of so many bytes gets, measured
    /// at some sizes: at least one, ascending; the share does not fall.
    pub efficiency: Vec<(f64, f64)>,
}

impl Pace {
    /// Time that `bytes` bytes occupy a channel of `bandwidth` bytes a second.
    ///
    /// Between two measured sizes the *time* grows linearly; below the first it
    /// follows the line of the first two, whose rest at zero is the fixed cost
    /// of a transfer; above the last the share stays.
    pub fn occupancy(&self, bytes: u64, bandwidth: f64) -> Span {
        let bytes = bytes as f64;
        let seconds = |&(size, share): &(f64, f64)| size / (bandwidth * share);
        let points = &self.efficiency;
        let &(largest, share) = points.last().expect("a share of the bandwidth");
        if points.len() == 1 || bytes >= largest {
            return Span::from_seconds(bytes / (bandwidth * share));
        }
        let above = points.iter().position(|&(size, _)| bytes < size).expect("not the largest");
        let (low, high) = (&points[above.max(1) - 1], &points[above.max(1)]);
        let slope = (seconds(high) - seconds(low)) / (high.0 - low.0);
        Span::from_seconds(seconds(low) + slope * (bytes - low.0))
    }
}

/// Transfers in one direction.
#[derive(Clone, Copy, Debug, Default)]
pub struct Channel {
    /// When the last transfer leaves it.
    free: Time,
    /// Time that all transfers so far occupy it, those that queue included.
    occupied: u64,
}

impl Channel {
    /// When a transfer that occupies the channel for `occupancy` would leave it.
    fn after(&self, now: Time, occupancy: Span) -> Time {
        self.free.max(now) + occupancy
    }

    fn add(&mut self, now: Time, occupancy: Span) {
        self.free = self.after(now, occupancy);
        self.occupied = self.occupied.saturating_add(occupancy.ticks());
    }

    /// Ticks that it was occupied up to `now`, the latest instant it has heard of.
    pub fn busy(&self, now: Time) -> u64 {
        // It never rests while something queues: what is left lies ahead.
        self.occupied - self.free.max(now).since(now).ticks().min(self.occupied)
    }
}

/// A link; see the module text.
#[derive(Clone, Debug)]
pub struct Link {
    pace: Arc<Pace>,
    /// Towards the GPU.
    pub read: Channel,
    /// From the GPU.
    pub write: Channel,
}

impl Link {
    /// A link at rest.
    pub fn new(pace: Arc<Pace>) -> Self {
        Link { pace, read: Channel::default(), write: Channel::default() }
    }

    /// When a read of `bytes` bytes, asked for now, would be over.
    pub fn read_by(&self, now: Time, bytes: u64) -> Time {
        let occupancy = self.pace.occupancy(bytes, self.pace.read_bandwidth);
        self.read.after(now, occupancy) + self.pace.latency
    }

    /// Reads `bytes` bytes. Returns when they are there.
    pub fn read(&mut self, now: Time, bytes: u64) -> Time {
        self.read.add(now, self.pace.occupancy(bytes, self.pace.read_bandwidth));
        self.read.free + self.pace.latency
    }

    /// Writes `bytes` bytes. Returns when they are there.
    pub fn write(&mut self, now: Time, bytes: u64) -> Time {
        self.write.add(now, self.pace.occupancy(bytes, self.pace.write_bandwidth));
        self.write.free + self.pace.latency
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(efficiency: Vec<(f64, f64)>) -> Link {
        let latency = Span::from_seconds(10e-6);
        let (read_bandwidth, write_bandwidth) = (64e9, 32e9);
        Link::new(Arc::new(Pace { read_bandwidth, write_bandwidth, latency, efficiency }))
    }

    fn seconds(seconds: f64) -> Time {
        Time::ZERO + Span::from_seconds(seconds)
    }

    #[test]
    fn a_transfer_takes_its_latency_and_its_bytes_over_the_bandwidth() {
        let mut link = link(vec![(1.0, 0.8)]);
        // 512 MB at 0.8 x 64 GB/s are 10 ms; the second one waits for the first.
        assert_eq!(link.read_by(seconds(1.0), 512_000_000), seconds(1.010_010));
        assert_eq!(link.read(seconds(1.0), 512_000_000), seconds(1.010_010));
        assert_eq!(link.read(seconds(1.002), 256_000_000), seconds(1.015_010));
        assert_eq!(link.read.busy(seconds(1.002)), seconds(0.002).ticks());
        assert_eq!(link.read.busy(seconds(1.5)), seconds(0.015).ticks());
        assert_eq!(link.read(seconds(2.0), 512_000_000), seconds(2.010_010));
        assert_eq!(link.read.busy(seconds(2.004)), seconds(0.019).ticks());
        // The other direction is a channel of its own.
        assert_eq!(link.write(seconds(1.0), 512_000_000), seconds(1.020_010));
    }

    #[test]
    fn efficiency_follows_the_measured_sizes() {
        let points = vec![(20e6, 0.18), (74e6, 0.39), (146e6, 0.48), (4.5e9, 0.71)];
        let link = link(points.clone());
        let time = |bytes: f64| link.pace.occupancy(bytes as u64, 200e9).seconds();
        for &(size, share) in &points {
            assert!((time(size) - size / (200e9 * share)).abs() < 1e-9, "{size}");
        }
        assert!((time(9e9) - 9e9 / (200e9 * 0.71)).abs() < 1e-9);
        // Half way between two points the time is the mean of theirs.
        assert!((time(47e6) - (time(20e6) + time(74e6)) / 2.0).abs() < 1e-9);
        // The fixed cost that the first two points leave at zero: 410 us.
        assert!((time(0.0) - 4.0994e-4).abs() < 1e-6, "{}", time(0.0));
        let sizes = (0..2000).map(|step| f64::from(step) * 3e6);
        let times: Vec<f64> = sizes.map(time).collect();
        assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "times grow with size");
    }
}
