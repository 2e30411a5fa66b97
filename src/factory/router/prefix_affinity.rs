//! Calls that start alike go to one lane, until it is full: consistent hashing
//! with bounded loads (Mirrokni, Thorup and Zadimoghaddam 2018, "Consistent
//! hashing with bounded loads").
//!
//! Lanes have a place each on a ring, by a hash. A call starts at the hash of
//! the longest prefix that it shares and takes the first lane from there on with
//! fewer calls than `spill_over` times the mean, the new call included, rounded
//! up. A tree over the places finds it in as many steps as it has levels,
//! however many lanes are full.

use super::min_tree::MinTree;
use crate::random::mix;
use crate::workload::Strand;

/// Lanes on their ring; see the module text.
#[derive(Clone, Debug)]
pub struct PrefixAffinity {
    /// Hash and lane of each place, by hash.
    ring: Vec<(u64, u32)>,
    /// Place of each lane.
    places: Vec<u32>,
    /// Calls by place.
    loads: MinTree<u32>,
    calls: u32,
    spill_over: f64,
}

/// Keeps the hashes of lanes apart from those of strands.
const LANE: u64 = 1 << 63;

impl PrefixAffinity {
    pub fn new(lanes: u32, spill_over: f64) -> Self {
        let mut ring: Vec<(u64, u32)> =
            (0..lanes).map(|lane| (mix(LANE | u64::from(lane)), lane)).collect();
        ring.sort_unstable();
        let mut places = vec![0; lanes as usize];
        (0..).zip(&ring).for_each(|(place, &(_, lane))| places[lane as usize] = place);
        let loads = MinTree::new(vec![0; lanes as usize]);
        PrefixAffinity { ring, places, loads, calls: 0, spill_over }
    }

    pub fn choose(&mut self, prefix: Strand) -> u32 {
        let hash = mix(prefix.number());
        let from = self.ring.partition_point(|&(at, _)| at < hash) as u32;
        let mean = f64::from(self.calls + 1) / self.ring.len() as f64;
        let bound = (self.spill_over * mean).ceil() as u32;
        let beyond = (from < self.ring.len() as u32).then(|| self.loads.first_below(from, bound));
        let place = beyond.flatten().or_else(|| self.loads.first_below(0, bound));
        self.ring[place.expect("not every lane has more than the mean") as usize].1
    }

    pub fn arrived(&mut self, lane: u32) {
        self.calls += 1;
        let place = self.places[lane as usize];
        self.loads.set(place, self.loads.key(place) + 1);
    }

    pub fn left(&mut self, lane: u32) {
        self.calls -= 1;
        let place = self.places[lane as usize];
        self.loads.set(place, self.loads.key(place) - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Author;
    use proptest::prelude::*;

    fn group(number: u64) -> Strand {
        Strand::new(0, Author::Group, number)
    }

    #[test]
    fn a_prefix_stays_on_its_lane_while_that_has_room() {
        // Room for twelve times the mean: one call of twelve lanes' worth each.
        let mut router = PrefixAffinity::new(12, 12.0);
        let home = router.choose(group(5));
        for _ in 0..20 {
            assert_eq!(router.choose(group(5)), home);
            router.arrived(home);
        }
        // Without room to spare, the calls of one prefix go round.
        let mut router = PrefixAffinity::new(12, 1.0);
        let mut lanes: Vec<u32> = Vec::new();
        for _ in 0..12 {
            lanes.push(router.choose(group(5)));
            router.arrived(lanes[lanes.len() - 1]);
        }
        lanes.sort();
        assert_eq!(lanes, (0..12).collect::<Vec<_>>());
    }

    proptest! {
        /// Against a walk along the ring; no lane ever exceeds its bound.
        #[test]
        fn chooses_what_a_walk_finds(
            lanes in 1..30u32,
            spill_over in prop_oneof![Just(1.0), 1.0..3.0],
            steps in proptest::collection::vec((0..4u64, any::<bool>(), any::<prop::sample::Index>()), 0..150),
        ) {
            let mut router = PrefixAffinity::new(lanes, spill_over);
            let mut ring: Vec<(u64, u32)> = (0..lanes).map(|lane| (mix(LANE | u64::from(lane)), lane)).collect();
            ring.sort();
            let mut loads = vec![0u32; lanes as usize];
            let mut live: Vec<u32> = Vec::new();
            for (number, leaves, which) in steps {
                if leaves && !live.is_empty() {
                    let lane = live.swap_remove(which.index(live.len()));
                    router.left(lane);
                    loads[lane as usize] -= 1;
                    continue;
                }
                let hash = mix(group(number).number());
                let (before, behind): (Vec<_>, Vec<_>) = ring.iter().partition(|(at, _)| *at < hash);
                let bound = (spill_over * (live.len() + 1) as f64 / f64::from(lanes)).ceil() as u32;
                let mut walk = behind.iter().chain(&before).map(|&(_, lane)| lane);
                let lane = walk.find(|&lane| loads[lane as usize] < bound).unwrap();
                prop_assert_eq!(router.choose(group(number)), lane);
                router.arrived(lane);
                loads[lane as usize] += 1;
                live.push(lane);
            }
        }
    }
}
