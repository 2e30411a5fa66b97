//! The replica with the fewest calls; among equals the one whose load changed
//! longest ago, so that equals take turns.
//!
//! An index ordered by load answers in O(log replicas).

use crate::kernel::SlotHeap;

/// Replicas ordered by their number of calls.
#[derive(Clone, Debug)]
pub struct LeastLoaded {
    by_load: SlotHeap,
    changes: u64,
}

impl LeastLoaded {
    pub fn new(replicas: u32) -> Self {
        let mut by_load = SlotHeap::new(replicas);
        for replica in 0..replicas {
            by_load.insert(replica, 0, u64::from(replica));
        }
        LeastLoaded { by_load, changes: u64::from(replicas) }
    }

    #[inline]
    pub fn choose(&mut self) -> u32 {
        self.by_load.peek().expect("a pool has a replica").1
    }

    #[inline]
    pub fn arrived(&mut self, replica: u32) {
        self.set(replica, self.load(replica) + 1);
    }

    #[inline]
    pub fn left(&mut self, replica: u32) {
        self.set(replica, self.load(replica) - 1);
    }

    fn load(&self, replica: u32) -> u64 {
        self.by_load.key(replica).expect("every replica is in the index")
    }

    #[inline]
    fn set(&mut self, replica: u32, load: u64) {
        self.by_load.insert(replica, load, self.changes);
        self.changes += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equals_take_turns_and_the_idle_one_wins() {
        let mut router = LeastLoaded::new(3);
        let mut take = || {
            let chosen = router.choose();
            router.arrived(chosen);
            chosen
        };
        assert_eq!([take(), take(), take(), take()], [0, 1, 2, 0]);
        router.left(2);
        assert_eq!(router.choose(), 2);
    }
}
