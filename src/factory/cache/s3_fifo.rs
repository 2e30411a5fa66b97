//! S3-FIFO (Yang et al., SOSP 2023): a small queue sifts out what is used once,
//! a main queue keeps the rest, and a ghost queue remembers what the small one
//! threw out lately.
//!
//! What it means for blocks that hang together:
//! - The cache that the queues divide is the idle part: blocks in use are in
//!   nobody's way. A block enters a queue when it first falls idle, the end of a
//!   sequence before its start, and keeps its place while it is used again.
//! - It enters the main queue if the ghost queue knows it, which then forgets it,
//!   else the small one. Each use after the first adds one to a count, up to three.
//! - At the front of the small queue, a block that was used more than once
//!   again, or that a resident block continues, moves to the back of the main
//!   queue and counts from zero.
//! - To evict one, the small queue gives its front block if it holds a tenth of
//!   the idle blocks or more, or if the main queue has nothing to give; the ghost
//!   queue remembers it. Else the main queue gives the first block with a count
//!   of zero that ends a sequence; blocks with a count that come before it go to
//!   the back, with one less. Blocks that are continued stay where they are.
//! - What fell idle together goes together: the block before the one evicted
//!   last is next if it stands next to it in its queue with the same count.
//! - The ghost queue remembers at most nine tenths as many blocks as are idle.
//!
//! Blocks of a run are alike and stand in a row, so runs move as a whole. Cost:
//! O(log runs) for each run that moves, and a run moves to the back at most as
//! often as it was used.

use super::ghost::Ghost;
use super::policy::Policy;
use super::runs::{Run, Runs};
use std::collections::BTreeSet;

/// Most that a count of uses says.
const COUNT_MAX: u8 = 3;
/// A block that was used again more often than this moves to the main queue.
const COUNT_ONCE: u8 = 1;

/// Which queue a block belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Queue {
    #[default]
    Small,
    Main,
}

/// What all blocks of a run have in common.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct History {
    queue: Queue,
    count: u8,
    /// Place of its first block, counted from 1; the blocks behind it come just
    /// before it. 0: it was never idle.
    place: u64,
}

/// What went last, and where the block before it stands if that is like it.
#[derive(Clone, Copy, Debug)]
struct Gone {
    history: History,
    /// Place of the block that goes next.
    next: u64,
}

/// The three queues; see the module text.
#[derive(Clone, Debug, Default)]
pub struct S3Fifo {
    histories: Vec<History>,
    /// Idle runs of the small queue, by the place of their last block.
    small: BTreeSet<(u64, u32)>,
    /// Those of the main queue that have a count or end a sequence.
    main: BTreeSet<(u64, u32)>,
    ghost: Ghost,
    small_blocks: u64,
    idle_blocks: u64,
    /// Places given so far.
    places: u64,
    /// The stretch that is going.
    gone: Option<Gone>,
}

impl S3Fifo {
    /// The rest of the stretch that is going, if it is as it was.
    fn going(&self, runs: &Runs) -> Option<u32> {
        let gone = self.gone.as_ref()?;
        let queue = if gone.history.queue == Queue::Small { &self.small } else { &self.main };
        let &(place, at) = queue.range((gone.next, 0)..).next()?;
        let is_next = place == gone.next && self.is_like(gone, at) && runs[at].children == 0;
        is_next.then_some(at)
    }

    fn is_like(&self, gone: &Gone, at: u32) -> bool {
        let History { queue, count, .. } = self.histories[at as usize];
        (queue, count) == (gone.history.queue, gone.history.count)
    }

    /// Moves what deserves it from the front of the small queue to the back of
    /// the main queue. Returns the front that is left.
    fn sift(&mut self, runs: &Runs) -> Option<u32> {
        loop {
            let &(_, at) = self.small.first()?;
            if self.histories[at as usize].count <= COUNT_ONCE && runs[at].children == 0 {
                return Some(at);
            }
            self.leave(runs, at);
            self.small_blocks -= u64::from(runs[at].blocks());
            let history = &mut self.histories[at as usize];
            (history.queue, history.count) = (Queue::Main, 0);
            self.move_to_back(runs, at);
            self.enter(runs, at);
        }
    }

    /// Gives the blocks of a run the last places, its last block first.
    fn move_to_back(&mut self, runs: &Runs, at: u32) {
        self.places += u64::from(runs[at].blocks());
        self.histories[at as usize].place = self.places;
    }

    /// Lets an idle run be found if it can be.
    fn enter(&mut self, runs: &Runs, at: u32) {
        let History { queue, count, .. } = self.histories[at as usize];
        let entry = (self.place(&runs[at], at), at);
        match queue {
            Queue::Small => {
                self.small.insert(entry);
            }
            Queue::Main if count > 0 || runs[at].children == 0 => {
                self.main.insert(entry);
            }
            Queue::Main => {}
        }
    }

    fn leave(&mut self, runs: &Runs, at: u32) {
        self.leave_as(&runs[at], at);
    }

    fn leave_as(&mut self, run: &Run, at: u32) {
        let entry = (self.place(run, at), at);
        match self.histories[at as usize].queue {
            Queue::Small => self.small.remove(&entry),
            Queue::Main => self.main.remove(&entry),
        };
    }

    /// Place of the last block of an idle run.
    fn place(&self, run: &Run, at: u32) -> u64 {
        self.histories[at as usize].place - u64::from(run.blocks() - 1)
    }

    fn set(&mut self, at: u32, history: History) {
        let at = at as usize;
        if at >= self.histories.len() {
            self.histories.resize(at + 1, History::default());
        }
        self.histories[at] = history;
    }
}

impl Policy for S3Fifo {
    const MINDS_ARRIVALS: bool = true;

    fn extends(&self, at: u32) -> bool {
        self.histories[at as usize] == History::default()
    }

    fn add(&mut self, at: u32) {
        self.set(at, History::default());
    }

    fn hit(&mut self, at: u32) {
        let count = &mut self.histories[at as usize].count;
        *count = COUNT_MAX.min(*count + 1);
    }

    fn part(&mut self, runs: &Runs, at: u32) -> u32 {
        let Run { strand, start, end, .. } = runs[at];
        let history = &mut self.histories[at as usize];
        if history.place > 0 {
            return start;
        }
        let (is_known, from) = self.ghost.recall(strand, start, end);
        history.queue = if is_known { Queue::Main } else { Queue::Small };
        from
    }

    fn rest(&mut self, runs: &mut Runs, at: u32) {
        let blocks = u64::from(runs[at].blocks());
        self.idle_blocks += blocks;
        if self.histories[at as usize].queue == Queue::Small {
            self.small_blocks += blocks;
        }
        if self.histories[at as usize].place == 0 {
            self.move_to_back(runs, at);
        }
        self.enter(runs, at);
    }

    fn wake(&mut self, runs: &mut Runs, at: u32) {
        let blocks = u64::from(runs[at].blocks());
        self.idle_blocks -= blocks;
        if self.histories[at as usize].queue == Queue::Small {
            self.small_blocks -= blocks;
        }
        self.leave(runs, at);
    }

    fn split(&mut self, runs: &mut Runs, head: u32, at: u32) {
        let history = self.histories[at as usize];
        self.set(head, history);
        if history.place > 0 {
            self.histories[at as usize].place -= u64::from(runs[head].blocks());
        }
        if runs[at].users == 0 {
            self.enter(runs, head);
        }
    }

    fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool {
        let History { queue, count, place } = self.histories[head as usize];
        let place = place - u64::from(runs[head].blocks());
        self.histories[at as usize] == History { queue, count, place }
    }

    fn merge(&mut self, runs: &mut Runs, head: u32, at: u32) {
        self.leave(runs, head);
        self.histories[at as usize].place = self.histories[head as usize].place;
    }

    fn victim(&mut self, runs: &Runs) -> Option<u32> {
        if let Some(at) = self.going(runs) {
            return Some(at);
        }
        loop {
            let front = self.sift(runs);
            let takes_small = 10 * self.small_blocks >= self.idle_blocks || self.main.is_empty();
            if takes_small && front.is_some() {
                return front;
            }
            let &(_, at) = self.main.first()?;
            if self.histories[at as usize].count == 0 {
                return Some(at);
            }
            self.leave(runs, at);
            self.histories[at as usize].count -= 1;
            self.move_to_back(runs, at);
            self.enter(runs, at);
        }
    }

    fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32) {
        let run = runs[at];
        self.leave_as(&Run { end: run.end + blocks, ..run }, at);
        if run.blocks() > 0 {
            self.enter(runs, at);
        }
        self.idle_blocks -= u64::from(blocks);
        if self.histories[at as usize].queue == Queue::Small {
            self.small_blocks -= u64::from(blocks);
            self.ghost.remember(run.strand, run.end, run.end + blocks);
        }
        self.ghost.forget_down_to(self.idle_blocks * 9 / 10);
        let history = self.histories[at as usize];
        self.gone = Some(Gone { history, next: history.place + 1 - u64::from(run.blocks()) });
    }

    fn end(&mut self, runs: &Runs, at: u32) {
        let gone = self.gone.take();
        let Some(run) = runs.idle_end(at) else { return };
        let is_next = |gone: &Gone| gone.next == self.place(run, at) && self.is_like(gone, at);
        self.gone = gone.filter(is_next);
        self.enter(runs, at);
    }
}
