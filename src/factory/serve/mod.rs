//! Which region's pool serves a call.
//!
//! One policy a file, the same verb in each: `choose` a site, one of the pools
//! that may serve the call, at the instant at which its user sends it. A choice
//! is made anew for every call, so that a session may move between its turns
//! and then finds nothing of its own in the other pool's cache. What a policy
//! knows of the pools it knows at once.

mod by_clock;
mod home;
mod overflow;

use crate::demand::Clock;
use crate::kernel::Time;

/// A policy that chooses among regions.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Serve {
    /// The pool of the users' own region, or the nearest.
    Home,
    /// The pool on whose wall clock it is nearest to this hour.
    ByClock {
        /// Ticks since midnight.
        hour: u64,
    },
    /// The pool of the users' own region while it has room, then the nearest
    /// that has.
    Overflow {
        /// A pool has room while it holds fewer calls than this share of the
        /// sequences that it may run.
        fill: f64,
    },
}

impl Serve {
    /// The site that serves a call sent at `now` by a user from whom sites are as
    /// `near` as listed. `clocks` and `has_room` tell of each site.
    #[inline]
    pub fn choose(
        self,
        now: Time,
        near: &[usize],
        clocks: &[Clock],
        has_room: impl Fn(usize, f64) -> bool,
    ) -> usize {
        match self {
            Serve::Home => home::choose(near),
            Serve::ByClock { hour } => by_clock::choose(now, hour, near, clocks),
            Serve::Overflow { fill } => overflow::choose(near, |site| has_room(site, fill)),
        }
    }
}
