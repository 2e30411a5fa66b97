//! The replica with the fewest calls; among equals the one whose load changed
//! longest ago, so that equals take turns.
//!
//! Replicas of one load form a queue, and a load changes by one call at a time,
//! so every answer and every change is O(1), whatever the number of replicas.

const NONE: u32 = u32::MAX;

/// Replicas queued by their number of calls.
#[derive(Clone, Debug)]
pub struct LeastLoaded {
    places: Vec<Place>,
    /// Replicas with this many calls, by number of calls.
    queues: Vec<Queue>,
    /// The least load.
    least: usize,
}

/// A replica within the queue of its load.
#[derive(Clone, Copy, Debug)]
struct Place {
    load: u32,
    before: u32,
    behind: u32,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    first: u32,
    last: u32,
}

const EMPTY: Queue = Queue { first: NONE, last: NONE };

impl LeastLoaded {
    pub fn new(replicas: u32) -> Self {
        let place = Place { load: 0, before: NONE, behind: NONE };
        let places = vec![place; replicas as usize];
        let mut router = LeastLoaded { places, queues: vec![EMPTY], least: 0 };
        (0..replicas).for_each(|replica| router.append(replica, 0));
        router
    }

    #[inline]
    pub fn choose(&mut self) -> u32 {
        self.queues[self.least].first
    }

    #[inline]
    pub fn arrived(&mut self, replica: u32) {
        let load = self.take(replica);
        self.append(replica, load + 1);
        if self.queues[self.least].first == NONE {
            // It was the last one there, and has gone to the next queue.
            self.least += 1;
        }
    }

    #[inline]
    pub fn left(&mut self, replica: u32) {
        let load = self.take(replica);
        self.append(replica, load - 1);
        self.least = self.least.min(load as usize - 1);
    }

    /// Takes a replica out of its queue; its load.
    #[inline]
    fn take(&mut self, replica: u32) -> u32 {
        let Place { load, before, behind } = self.places[replica as usize];
        match before {
            NONE => self.queues[load as usize].first = behind,
            before => self.places[before as usize].behind = behind,
        }
        match behind {
            NONE => self.queues[load as usize].last = before,
            behind => self.places[behind as usize].before = before,
        }
        load
    }

    /// Puts a replica at the end of the queue of `load`.
    #[inline]
    fn append(&mut self, replica: u32, load: u32) {
        if self.queues.len() == load as usize {
            self.queues.push(EMPTY);
        }
        let queue = &mut self.queues[load as usize];
        let before = std::mem::replace(&mut queue.last, replica);
        match before {
            NONE => queue.first = replica,
            before => self.places[before as usize].behind = replica,
        }
        self.places[replica as usize] = Place { load, before, behind: NONE };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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

    proptest! {
        /// Against a search of all replicas for the least (load, last change).
        #[test]
        fn chooses_what_a_search_finds(
            replicas in 1..9u32,
            steps in proptest::collection::vec((any::<bool>(), any::<prop::sample::Index>()), 0..200),
        ) {
            let mut router = LeastLoaded::new(replicas);
            let mut all: Vec<(u32, usize)> = (0..replicas as usize).map(|at| (0, at)).collect();
            for (step, (arrives, which)) in steps.into_iter().enumerate() {
                let least = (0..all.len()).min_by_key(|&at| all[at]).unwrap();
                prop_assert_eq!(router.choose(), least as u32);
                let busy: Vec<usize> = (0..all.len()).filter(|&at| all[at].0 > 0).collect();
                let changed = step + replicas as usize;
                if arrives || busy.is_empty() {
                    let at = which.index(all.len());
                    router.arrived(at as u32);
                    all[at] = (all[at].0 + 1, changed);
                } else {
                    let at = busy[which.index(busy.len())];
                    router.left(at as u32);
                    all[at] = (all[at].0 - 1, changed);
                }
            }
        }
    }
}
