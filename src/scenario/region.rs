//! Regions, as checked: where users are, where pools are, and the way between.

use crate::demand::Clock;
use crate::factory::Serve;
use crate::kernel::Span;

/// Where the users of a use case are, and which pools serve them.
#[derive(Clone, Debug)]
pub struct Origins {
    /// The pools that serve it, its sites: at least one that calls are sent to, one a
    /// region, and behind those the ones that only some of its agents ask.
    pub pools: Vec<usize>,
    /// How many of them, the first, calls are sent to.
    pub choices: usize,
    /// The users' regions, at least one.
    pub regions: Vec<Origin>,
    /// Which of the pools serves a call.
    pub serve: Serve,
    /// The wall clock of each pool; empty where no policy looks at it.
    pub clocks: Vec<Clock>,
    /// Share of the calls that are sent to one of them that each pool is expected to
    /// serve.
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
    /// Most pools that a use case names, so that these and those of its agents are
    /// numbered in a byte.
    pub const CHOICES_MAX: usize = 150;

    /// Users of one place that one pool serves, this far away.
    pub fn of_one_pool(pool: usize, round_trip: Span) -> Origins {
        let (region, near) = (String::new(), vec![0]);
        let origin = Origin { region, share: 1.0, round_trips: vec![round_trip], near };
        Origins {
            pools: vec![pool],
            choices: 1,
            regions: vec![origin],
            serve: Serve::Home,
            clocks: Vec::new(),
            expected: vec![1.0],
        }
    }

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
