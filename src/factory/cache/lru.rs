//! Least recently used: idle runs in the order in which they fell idle.
//!
//! A sequence lets go of its blocks from its end to its start, and a block is
//! in use whenever one behind it is. So what falls idle first is never needed
//! by what follows it in this order: the oldest run always ends a sequence.

use super::policy::Policy;
use super::runs::{NONE, Runs};
use crate::workload::Strand;

/// Idle runs, linked from the oldest to the newest.
#[derive(Clone, Copy, Debug)]
pub struct Lru {
    oldest: u32,
    newest: u32,
}

impl Lru {
    pub fn new() -> Self {
        Lru { oldest: NONE, newest: NONE }
    }

    /// The run that fell idle first.
    #[inline]
    pub fn oldest(&self) -> Option<u32> {
        (self.oldest != NONE).then_some(self.oldest)
    }
}

impl Policy for Lru {
    #[inline]
    fn rest(&mut self, runs: &mut Runs, at: u32) {
        let older = std::mem::replace(&mut self.newest, at);
        (runs[at].older, runs[at].newer) = (older, NONE);
        match older {
            NONE => self.oldest = at,
            older => runs[older].newer = at,
        }
    }

    #[inline]
    fn grows_nameless(&self, runs: &Runs, strand: Strand) -> Option<u32> {
        (self.newest != NONE && runs[self.newest].strand == strand).then_some(self.newest)
    }

    #[inline]
    fn wake(&mut self, runs: &mut Runs, at: u32) {
        let (older, newer) = (runs[at].older, runs[at].newer);
        match older {
            NONE => self.oldest = newer,
            older => runs[older].newer = newer,
        }
        match newer {
            NONE => self.newest = older,
            newer => runs[newer].older = older,
        }
    }

    #[inline]
    fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        if runs[at].users > 0 {
            return;
        }
        let newer = std::mem::replace(&mut runs[at].newer, head);
        (runs[head].older, runs[head].newer) = (at, newer);
        match newer {
            NONE => self.newest = head,
            newer => runs[newer].older = head,
        }
    }

    #[inline]
    fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        runs[head].older == at
    }

    #[inline]
    fn merge(&mut self, runs: &mut Runs, head: u32, _at: u32) {
        self.wake(runs, head);
    }

    #[inline]
    fn victim(&mut self, _: &Runs) -> Option<u32> {
        self.oldest()
    }

    #[inline]
    fn take(&mut self, runs: &mut Runs, at: u32, _blocks: u32) {
        if runs[at].blocks() == 0 {
            self.wake(runs, at);
        }
    }
}
