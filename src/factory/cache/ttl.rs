//! Time to live: a block that nobody has used for longer than this is gone.
//!
//! Blocks expire in the order in which they fell idle, which is also the order
//! in which capacity takes them: [`Lru`] with a date. Runs that fell idle at
//! different instants stay apart, so a run expires as a whole.

use super::lru::Lru;
use super::runs::Runs;
use crate::kernel::{Span, Time};

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

    /// Time has come to `now`.
    pub fn pass(&mut self, now: Time) {
        debug_assert!(now >= self.now, "time went back");
        self.now = now;
    }

    /// The last instant at which all idle runs are there, if there are any.
    pub fn all_live_until(&self) -> Option<Time> {
        self.lru.victim().map(|at| self.since[at as usize] + self.ttl)
    }

    /// A run that is gone by now.
    pub fn expired(&self) -> Option<u32> {
        self.lru.victim().filter(|&at| self.since[at as usize] + self.ttl < self.now)
    }

    pub fn rest(&mut self, runs: &mut Runs, at: u32) {
        self.lru.rest(runs, at);
        self.set(at, self.now);
    }

    pub fn wake(&mut self, runs: &mut Runs, at: u32) {
        self.lru.wake(runs, at);
    }

    pub fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        if runs[at].users == 0 {
            self.set(head, self.since[at as usize]);
        }
        self.lru.split(runs, head, at);
    }

    pub fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        self.since[head as usize] == self.since[at as usize] && self.lru.joins(runs, head, at)
    }

    pub fn merge(&mut self, runs: &mut Runs, head: u32, at: u32) {
        self.lru.merge(runs, head, at);
    }

    pub fn victim(&self) -> Option<u32> {
        self.lru.victim()
    }

    pub fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32) {
        self.lru.take(runs, at, blocks);
    }

    fn set(&mut self, at: u32, since: Time) {
        let at = at as usize;
        if at >= self.since.len() {
            self.since.resize(at + 1, Time::ZERO);
        }
        self.since[at] = since;
    }
}
