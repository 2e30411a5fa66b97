//! A session stays where its first call went: the lane with the fewest calls.
//!
//! Where sessions live is kept in two generations of a bounded table: when the
//! young one is full it becomes the old one, and whoever calls from there
//! becomes young again. So a session is forgotten, and placed anew, only when
//! at least [`GENERATION`] others have called since; the table takes a few
//! megabytes at most.

use super::least_loaded::LeastLoaded;
use crate::factory::cache::StrandHasher;
use std::collections::HashMap;
use std::hash::BuildHasherDefault;

/// Sessions in a generation.
const GENERATION: usize = 1 << 17;

/// Loads, and where sessions live; see the module text.
#[derive(Clone, Debug)]
pub struct SessionAffinity {
    loads: LeastLoaded,
    /// Never iterated.
    young: Homes,
    old: Homes,
    generation: usize,
}

type Homes = HashMap<u64, u32, BuildHasherDefault<StrandHasher>>;

impl SessionAffinity {
    pub fn new(lanes: u32) -> Self {
        SessionAffinity {
            loads: LeastLoaded::new(lanes),
            young: Homes::default(),
            old: Homes::default(),
            generation: GENERATION,
        }
    }

    /// The lane for a call of the session called so; 0: it belongs to none.
    #[inline]
    pub fn choose(&mut self, session: u64) -> u32 {
        if session == 0 {
            return self.loads.choose();
        }
        if let Some(&home) = self.young.get(&session) {
            return home;
        }
        let home = self.old.remove(&session).unwrap_or_else(|| self.loads.choose());
        if self.young.len() == self.generation {
            std::mem::swap(&mut self.young, &mut self.old);
            self.young.clear();
        }
        self.young.insert(session, home);
        home
    }

    #[inline]
    pub fn arrived(&mut self, lane: u32) {
        self.loads.arrived(lane);
    }

    #[inline]
    pub fn left(&mut self, lane: u32) {
        self.loads.left(lane);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(number: u64) -> u64 {
        number + 1
    }

    #[test]
    fn a_session_stays_where_it_began() {
        let mut router = SessionAffinity::new(3);
        let mut send = |session| {
            let lane = router.choose(session);
            router.arrived(lane);
            lane
        };
        assert_eq!([send(session(7)), send(session(8)), send(session(7))], [0, 1, 0]);
        // Calls without a session go where there is least to do.
        assert_eq!([send(0), send(0), send(session(8))], [2, 1, 1]);
    }

    #[test]
    fn only_sessions_long_silent_are_forgotten() {
        let mut router = SessionAffinity { generation: 4, ..SessionAffinity::new(100) };
        let mut send = |number| {
            let lane = router.choose(session(number));
            router.arrived(lane);
            lane
        };
        let homes: Vec<u32> = (0..4).map(&mut send).collect();
        assert_eq!(homes, [0, 1, 2, 3]);
        // Three others do not push session 0 out; its home is remembered.
        assert_eq!([send(4), send(5), send(6), send(0)], [4, 5, 6, 0]);
        // Eight others push session 1 out.
        (10..18).for_each(|number| assert!(send(number) > 6));
        assert!(send(1) > 6);
        assert!(router.young.len() + router.old.len() <= 8);
    }
}
