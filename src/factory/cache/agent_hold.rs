//! Least recently used, but what agents will go on from after their tools goes
//! last, until a deadline.
//!
//! An engine that sees a call end with tool calls knows that its context will be
//! asked for again, and that its blocks will look old by then. So it holds them,
//! as Continuum does (Li et al. 2025, "KV cache time-to-live"): they are evicted
//! only when nothing else is left, or once the deadline has passed. When another
//! call of the same agent ends, its word counts in place of the earlier one.
//!
//! A block stays as long as one behind it does, so a block whose hold is over may
//! have to wait for those that continue it: what can go are the idle runs that
//! end a sequence. Cost: O(log runs) whenever such a run falls idle, wakes or
//! outlives its hold.

use super::policy::Policy;
use super::runs::{Run, Runs};
use crate::kernel::{Span, Time};
use std::collections::{BTreeSet, VecDeque};

/// What a sequence that ends says of the blocks that fall idle. `from` is where what
/// is its agent's alone begins: what comes before belongs to an agent that forked it
/// and may wait for it. A call counts it in tokens, a store in blocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: what was said before counts.
    #[default]
    Silent,
    /// What it says will not be asked for again, by this agent.
    Over {
        /// See above.
        from: u32,
    },
    /// It will be, after tools or sub-agents.
    On {
        /// See above.
        from: u32,
    },
}

impl Hold {
    /// The same in blocks; one that is the agent's in part is the agent's.
    pub fn in_blocks(self, block_tokens: u32) -> Hold {
        match self {
            Hold::Silent => Hold::Silent,
            Hold::Over { from } => Hold::Over { from: from / block_tokens },
            Hold::On { from } => Hold::On { from: from / block_tokens },
        }
    }

    /// The same of a sequence that nobody waits for any more.
    pub fn called_off(self) -> Hold {
        match self {
            Hold::On { from } => Hold::Over { from },
            said => said,
        }
    }

    /// Until when block `block` is held, which was so until `before`, if holds that
    /// begin now end at `deadline`.
    #[inline]
    pub fn until(self, block: u32, before: Time, deadline: Time) -> Time {
        match self {
            Hold::Silent => before,
            Hold::Over { from } if block < from => before,
            Hold::Over { .. } => Time::ZERO,
            Hold::On { from } if block < from => before.max(deadline),
            Hold::On { .. } => deadline,
        }
    }

    /// Blocks from this one on are treated alike, and so are those before it.
    fn parts_at(self) -> u32 {
        match self {
            Hold::Silent => 0,
            Hold::Over { from } | Hold::On { from } => from,
        }
    }
}

/// What all blocks of a run have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct History {
    /// The last instant at which it is held; `Time::ZERO`: it never was.
    until: Time,
    /// When its first block fell idle last, as a count of blocks that did; the
    /// ones behind it did just before, one by one.
    newest: u64,
}

/// See the module text.
#[derive(Clone, Debug)]
pub struct AgentHold {
    /// How long a hold lasts.
    hold: Span,
    /// The instant of the verbs to come.
    now: Time,
    /// What the sequence that ends says.
    said: Hold,
    histories: Vec<History>,
    /// Idle runs that nothing continues, by the moment of their last block: those
    /// that are not held, and those that are, the first to be over first.
    loose: BTreeSet<(u64, u32)>,
    held: BTreeSet<(Time, u64, u32)>,
    /// Ends of all holds that have begun, in order.
    deadlines: VecDeque<Time>,
    /// Blocks that have fallen idle so far.
    moments: u64,
}

impl AgentHold {
    pub fn new(hold: Span) -> Self {
        AgentHold {
            hold,
            now: Time::ZERO,
            said: Hold::Silent,
            histories: Vec::new(),
            loose: BTreeSet::new(),
            held: BTreeSet::new(),
            deadlines: VecDeque::new(),
            moments: 0,
        }
    }

    /// The moment of the block before `end` of a run, its last one.
    fn moment(&self, run: &Run, at: u32, end: u32) -> u64 {
        self.histories[at as usize].newest - u64::from(end - 1 - run.start)
    }

    /// Run `at`, whose last block fell idle at `moment`, can go.
    fn list(&mut self, at: u32, moment: u64) {
        let until = self.histories[at as usize].until;
        if is_held(until, self.now) {
            self.held.insert((until, moment, at));
        } else {
            self.loose.insert((moment, at));
        }
    }

    fn strike(&mut self, at: u32, moment: u64) {
        let until = self.histories[at as usize].until;
        let was_there = if is_held(until, self.now) {
            self.held.remove(&(until, moment, at))
        } else {
            self.loose.remove(&(moment, at))
        };
        debug_assert!(was_there, "a run that ends a sequence is not listed");
    }

    fn set(&mut self, at: u32, history: History) {
        let at = at as usize;
        if at >= self.histories.len() {
            self.histories.resize(at + 1, History::default());
        }
        self.histories[at] = history;
    }
}

#[inline]
fn is_held(until: Time, now: Time) -> bool {
    until != Time::ZERO && until >= now
}

impl Policy for AgentHold {
    #[inline]
    fn extends(&self, at: u32) -> bool {
        self.histories[at as usize].until == Time::ZERO
    }

    #[inline]
    fn add(&mut self, at: u32) {
        self.set(at, History::default());
    }

    fn hold(&mut self, said: Hold) {
        self.said = said;
    }

    fn part(&mut self, runs: &Runs, at: u32) -> u32 {
        let Run { start, end, .. } = runs[at];
        let from = self.said.parts_at();
        if start < from && from < end { from } else { start }
    }

    fn rest(&mut self, runs: &mut Runs, at: u32) {
        let run = &runs[at];
        self.moments += u64::from(run.blocks());
        let deadline = self.now + self.hold;
        let history = &mut self.histories[at as usize];
        history.until = self.said.until(run.start, history.until, deadline);
        history.newest = self.moments;
        if history.until == deadline && self.deadlines.back() != Some(&deadline) {
            self.deadlines.push_back(deadline);
        }
        if run.children == 0 {
            self.list(at, self.moment(run, at, run.end));
        }
    }

    fn wake(&mut self, runs: &mut Runs, at: u32) {
        let run = &runs[at];
        if run.children == 0 {
            self.strike(at, self.moment(run, at, run.end));
        }
    }

    fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        let history = self.histories[at as usize];
        self.set(head, history);
        // Moments of runs in use mean nothing.
        let newest = history.newest.wrapping_sub(u64::from(runs[head].blocks()));
        self.histories[at as usize].newest = newest;
    }

    fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        let History { until, newest } = self.histories[head as usize];
        let newest = newest - u64::from(runs[head].blocks());
        self.histories[at as usize] == History { until, newest }
    }

    fn merge(&mut self, _: &mut Runs, head: u32, at: u32) {
        // Run `head` is continued, so it is not listed; the last block of `at`
        // stays the last.
        self.histories[at as usize].newest = self.histories[head as usize].newest;
    }

    fn victim(&mut self, _: &Runs) -> Option<u32> {
        let loose = self.loose.first().map(|&(_, at)| at);
        loose.or_else(|| self.held.first().map(|&(_, _, at)| at))
    }

    fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32) {
        let run = &runs[at];
        self.strike(at, self.moment(run, at, run.end + blocks));
        if run.blocks() > 0 {
            self.list(at, self.moment(run, at, run.end));
        }
    }

    fn end(&mut self, runs: &Runs, at: u32) {
        if let Some(run) = runs.idle_end(at) {
            self.list(at, self.moment(run, at, run.end));
        }
    }

    fn pass(&mut self, now: Time) {
        debug_assert!(now >= self.now, "time went back");
        self.now = now;
        while let Some(&(until, moment, at)) = self.held.first()
            && until < now
        {
            self.held.pop_first();
            self.loose.insert((moment, at));
        }
        while self.deadlines.front().is_some_and(|&deadline| deadline < now) {
            self.deadlines.pop_front();
        }
    }

    fn all_live_until(&self) -> Option<Time> {
        self.deadlines.front().copied()
    }
}
