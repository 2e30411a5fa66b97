//! Regions, as checked: where users are, where pools are, and the way between.

use crate::demand::Clock;
use crate::factory::Serve;
use crate::kernel::Span;

/// Where the users of a use case are, and which pools serve them.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The pools that serve it, at least one, one a region: their sites.
    pub pools: Vec<usize>,
    /// The users' regions, at least one.
    pub regions: Vec<Origin>,
    /// Which of the pools serves a call.
    pub serve: Serve,
    /// The wall clock of each pool; empty where no policy looks at it.
    pub clocks: Vec<Clock>,
    /// Share of all calls that each pool is expected to serve.
    pub expected: Vec<f64>,
}

/// The users of a use case in one region.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The region; empty where the scenario has none.
    pub region: String,
    /// Share of all users; those of all regions add up to 1.
    pub share: f64,
    /// Network round trip to each of the pools.
    pub round_trips: Vec<Span>,
    /// Sites from the nearest to the farthest; the region's own is the first.
    pub near: Vec<usize>,
}

impl Origins {
    /// Most regions of a scenario.
    pub const REGIONS_MAX: usize = 100;

    /// Whether results are told apart by region.
    pub fn has_regions(&self) -> bool {
        !self.regions[0].region.is_empty()
    }

    /// Whether any call spends time on the network.
    pub fn has_network(&self) -> bool {
        self.regions.iter().flat_map(|origin| &origin.round_trips).any(|&trip| trip > Span::ZERO)
    }

    /// The region in which a share of users lies when regions are lined up.
    pub fn at_fraction(&self, fraction: f64) -> u16 {
        let mut before = 0.0;
        let found = self.regions.iter().position(|origin| {
            before += origin.share;
            fraction < before
        });
        found.unwrap_or(self.regions.len() - 1) as u16
    }
}
