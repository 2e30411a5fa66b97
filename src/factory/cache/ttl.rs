//! Time to live: a block that nobody has used for longer than this is gone.
//!
//! Blocks expire in the order in which they fell idle, which is also the order
//! in which capacity takes them: [`Lru`] with a date. Runs that fell idle at
//! different instants stay apart, so a run expires as a whole.

use super::lru::Lru;
use super::policy::Policy;
use super::runs::Runs;
use crate::kernel::{Span, Time};
use crate::workload::Strand;

/// Idle runs from the oldest to the newest, with the instant they fell idle.
#[derive(Clone, Debug)]
pub struct Ttl {
    lru: Lru,
    ttl: Span,
    /// The instant of the verbs to come.
    now: Time,
    /// When each run fell idle last.
    since: Vec<Time>,
}

impl Ttl {
    pub fn new(ttl: Span) -> Self {
        Ttl { lru: Lru::new(), ttl, now: Time::ZERO, since: Vec::new() }
    }

    fn set(&mut self, at: u32, since: Time) {
        let at = at as usize;
        if at >= self.since.len() {
            self.since.resize(at + 1, Time::ZERO);
        }
        self.since[at] = since;
    }
}

impl Policy for Ttl {
    fn pass(&mut self, now: Time) {
        debug_assert!(now >= self.now, "time went back");
        self.now = now;
    }

    fn all_live_until(&self) -> Option<Time> {
        self.lru.oldest().map(|at| self.since[at as usize] + self.ttl)
    }

    fn expired(&self) -> Option<u32> {
        self.lru.oldest().filter(|&at| self.since[at as usize] + self.ttl < self.now)
    }

    fn rest(&mut self, runs: &mut Runs, at: u32) {
        self.lru.rest(runs, at);
        self.set(at, self.now);
    }

    fn grows_nameless(&self, runs: &Runs, strand: Strand) -> Option<u32> {
        self.lru.grows_nameless(runs, strand).filter(|&at| self.since[at as usize] == self.now)
    }

    fn wake(&mut self, runs: &mut Runs, at: u32) {
        self.lru.wake(runs, at);
    }

    fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        if runs[at].users == 0 {
            self.set(head, self.since[at as usize]);
        }
        self.lru.split(runs, head, at);
    }

    fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        self.since[head as usize] == self.since[at as usize] && self.lru.joins(runs, head, at)
    }

    fn merge(&mut self, runs: &mut Runs, head: u32, at: u32) {
        self.lru.merge(runs, head, at);
    }

    fn victim(&mut self, runs: &Runs) -> Option<u32> {
        self.lru.victim(runs)
    }

    fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32) {
        self.lru.take(runs, at, blocks);
    }
}
