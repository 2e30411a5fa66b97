//! What passes over links in the measured window.

use super::Link;
use crate::kernel::Time;

/// Traffic of one tier of one pool.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Bytes fetched, all GPUs.
    pub read_bytes: u64,
    /// Bytes written, all GPUs.
    pub written_bytes: u64,
    /// Ticks that channels towards GPUs were occupied, all links.
    pub read_ticks: u64,
    /// Ticks that channels from GPUs were occupied, all links.
    pub written_ticks: u64,
    /// Links.
    pub links: u64,
}

/// Traffic of all tiers of all pools.
#[derive(Clone, Debug)]
pub struct Counts {
    levels: Vec<Count>,
    /// Ticks that each link was occupied before the window, each way.
    before: Vec<(u64, u64)>,
}

impl Counts {
    /// Nothing counted yet on `levels` levels.
    pub fn new(levels: usize) -> Self {
        Counts { levels: vec![Count::default(); levels], before: Vec::new() }
    }

    pub fn read(&mut self, level: usize, bytes: u64) {
        self.levels[level].read_bytes += bytes;
    }

    pub fn written(&mut self, level: usize, bytes: u64) {
        self.levels[level].written_bytes += bytes;
    }

    /// The window opens.
    pub fn open(&mut self, links: &[Link], now: Time) {
        self.levels.fill(Count::default());
        self.before = links.iter().map(|link| occupied(link, now)).collect();
    }

    /// What `level`, whose links are those at `of_level`, has counted since then.
    pub fn since_open(&self, level: usize, links: &[Link], of_level: &[usize], now: Time) -> Count {
        let mut count = self.levels[level];
        for &at in of_level {
            let (read, written) = occupied(&links[at], now);
            let before = self.before.get(at).copied().unwrap_or_default();
            count.read_ticks += read - before.0;
            count.written_ticks += written - before.1;
        }
        Count { links: of_level.len() as u64, ..count }
    }
}

fn occupied(link: &Link, now: Time) -> (u64, u64) {
    (link.read.busy(now), link.write.busy(now))
}
