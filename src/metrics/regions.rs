//! Calls of one use case told apart by the region of their users, and by the pool
//! that served them.

use super::record::{LatencyRecord, RegionRecord, SiteRecord};
use crate::factory::Call;
use crate::kernel::Span;
use crate::scenario::Origins;
use crate::statistics::Sample;

/// Calls of users in one region.
#[derive(Clone, Debug)]
pub struct Region {
    calls: u64,
    good: u64,
    ttft: Sample,
    e2e: Sample,
    network: u128,
    sites: Vec<SiteRecord>,
}

impl Region {
    /// One for each region of `origins`, without calls; together they keep up to
    /// `cap` exact values of each metric.
    pub fn all(origins: &Origins, cap: usize) -> Vec<Region> {
        let cap = cap / origins.regions.len();
        let region = Region {
            calls: 0,
            good: 0,
            ttft: Sample::new(cap),
            e2e: Sample::new(cap),
            network: 0,
            sites: vec![SiteRecord::default(); origins.pools.len()],
        };
        vec![region; origins.regions.len()]
    }

    /// Adds a call that ends, with what its user saw of it.
    #[inline]
    pub fn record(&mut self, call: &Call, ttft: Span, e2e: Span, is_good: bool) {
        self.calls += 1;
        self.good += u64::from(is_good);
        self.ttft.record(ttft.ticks());
        self.e2e.record(e2e.ticks());
        self.network += u128::from(call.network.ticks());
        self.sites[usize::from(call.site)].calls += 1;
    }

    /// What is left of it.
    pub fn reduce(&mut self) -> RegionRecord {
        RegionRecord {
            calls: self.calls,
            good: self.good,
            ttft: LatencyRecord::new(&mut self.ttft),
            e2e: LatencyRecord::new(&mut self.e2e),
            network: self.network,
            sites: self.sites.clone(),
        }
    }
}
