//! The critical path of a run: what it waits for at each instant.
//!
//! A path is a partition of the time since the run began into stretches with one
//! cause each, so its sums add up to the latency exactly, tick by tick. A parent
//! that waits for sub-agents takes over the path of the one that ends its wait,
//! up to the instant at which the first of them has ended: what comes after that
//! is waiting for stragglers.

use crate::factory::Call;
use crate::kernel::Time;

/// What a run waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Part {
    /// A model call waits to be scheduled.
    Queue,
    /// KV blocks are fetched for it.
    Fetch,
    /// Its prompt is computed, as far as the cache does not have it.
    Prefill,
    /// Thinking tokens are decoded.
    Thinking,
    /// Visible tokens are decoded.
    Decode,
    /// Tools run.
    Tool,
    /// A tool call waits for a worker.
    Sandbox,
    /// Sub-agents run after the first of them has ended.
    Straggler,
    /// The network.
    Network,
    /// The client of a recorded session lets time pass, and the recording does not
    /// tell that it runs tools.
    Pause,
}

impl Part {
    /// All of them, in the order in which sums are kept.
    pub const ALL: [Part; 10] = [
        Part::Queue,
        Part::Fetch,
        Part::Prefill,
        Part::Thinking,
        Part::Decode,
        Part::Tool,
        Part::Sandbox,
        Part::Straggler,
        Part::Network,
        Part::Pause,
    ];

    /// Its name, as keys of the summary have it.
    pub fn name(self) -> &'static str {
        match self {
            Part::Queue => "queue",
            Part::Fetch => "fetch",
            Part::Prefill => "prefill",
            Part::Thinking => "thinking",
            Part::Decode => "decode",
            Part::Tool => "tool",
            Part::Sandbox => "sandbox_queue",
            Part::Straggler => "straggler",
            Part::Network => "network",
            Part::Pause => "pause",
        }
    }
}

/// Ticks by part, in the order of [`Part::ALL`].
pub type Parts = [u64; Part::ALL.len()];

/// A stretch that ends at `until`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    until: Time,
    /// The turn of the run, from 0.
    turn: u32,
    part: Part,
}

/// The path of a run so far; see the module text.
#[derive(Clone, Debug, Default)]
pub struct Path {
    began: Time,
    marks: Vec<Mark>,
}

impl Path {
    /// A run begins.
    pub fn begin(&mut self, now: Time) {
        self.began = now;
        self.marks.clear();
    }

    /// When the run began.
    pub fn began(&self) -> Time {
        self.began
    }

    /// Up to when it is known.
    pub fn until(&self) -> Time {
        self.marks.last().map_or(self.began, |mark| mark.until)
    }

    /// From where it was known up to `until` it waited for `part`.
    #[inline]
    pub fn mark(&mut self, until: Time, part: Part, turn: u32) {
        let known = self.until();
        assert!(until >= known, "a path goes on from {known}, not from {until}");
        match self.marks.last_mut() {
            Some(last) if last.part == part && last.turn == turn => last.until = until,
            _ if until > known => self.marks.push(Mark { until, turn, part }),
            _ => {}
        }
    }

    /// Up to now it waited for a call that was answered, or called off now. The call
    /// left its pool at `left`; now if it is still there, or on its way to it.
    pub fn call(&mut self, now: Time, left: Time, call: &Call, turn: u32) {
        self.mark(call.arrived.min(now), Part::Network, turn);
        if call.arrived < now {
            self.at_pool(left, call, turn);
        }
        self.mark(now, Part::Network, turn);
    }

    /// From the arrival of a call up to `left` it was at its pool.
    fn at_pool(&mut self, left: Time, call: &Call, turn: u32) {
        if call.scheduled == Time::MAX {
            return self.mark(left, Part::Queue, turn);
        }
        let queued = call.arrived + (call.scheduled.since(call.arrived) - call.fetch);
        self.mark(queued, Part::Queue, turn);
        self.mark(call.scheduled, Part::Fetch, turn);
        self.mark(call.first_token.min(left), Part::Prefill, turn);
        if call.thinking > 0 {
            self.mark(call.answering.min(left), Part::Thinking, turn);
        }
        self.mark(left, Part::Decode, turn);
    }

    /// Up to now it waited for a sub-agent that has ended now, and since `first`
    /// for stragglers.
    pub fn take_over(&mut self, child: &Path, first: Time, now: Time, turn: u32) {
        for mark in &child.marks {
            let until = mark.until.min(first);
            if until > self.until() {
                self.mark(until, mark.part, turn);
            }
            if mark.until >= first {
                break;
            }
        }
        self.mark(now, Part::Straggler, turn);
    }

    /// Tells of each stretch: its turn, its part, its ticks.
    pub fn each(&self, mut tell: impl FnMut(u32, Part, u64)) {
        let mut from = self.began;
        for mark in &self.marks {
            tell(mark.turn, mark.part, mark.until.since(from).ticks());
            from = mark.until;
        }
    }

    /// Its ticks by part.
    pub fn parts(&self) -> Parts {
        let mut parts = Parts::default();
        self.each(|_, part, ticks| parts[part as usize] += ticks);
        parts
    }
}

/// Marks that a call and what follows it add to a path, most of the time.
const MARKS_OF_A_TURN: usize = 16;

/// Room for the marks of paths, which grow and end all the time: a path that has
/// ended leaves its room to others, so that what is kept are as many marks as the runs
/// that are under way have had at most, however long the longest of each was.
#[derive(Clone, Debug, Default)]
pub struct PathRoom {
    /// Lists that nobody uses, by the power of two that their room reaches.
    spare: Vec<Vec<Vec<Mark>>>,
}

impl PathRoom {
    /// Makes room in `path` for a call and what follows it.
    #[inline]
    pub fn for_turn(&mut self, path: &mut Path) {
        self.make(path, MARKS_OF_A_TURN);
    }

    /// Makes room in `path` for what it may take over of `child`.
    pub fn for_child(&mut self, path: &mut Path, child: &Path) {
        self.make(path, child.marks.len() + 1);
    }

    #[inline]
    fn make(&mut self, path: &mut Path, marks: usize) {
        let needed = path.marks.len() + marks;
        if needed > path.marks.capacity() {
            self.lend(path, needed.next_power_of_two());
        }
    }

    /// Exchanges the list of `path` for one with room for `marks` marks, a power of two.
    fn lend(&mut self, path: &mut Path, marks: usize) {
        let spare = self.spare.get_mut(marks.ilog2() as usize).and_then(Vec::pop);
        let mut list = spare.unwrap_or_else(|| Vec::with_capacity(marks));
        list.extend_from_slice(&path.marks);
        self.keep(std::mem::replace(&mut path.marks, list));
    }

    /// Takes back the room of a path that has ended.
    pub fn take_back(&mut self, path: &mut Path) {
        self.keep(std::mem::take(&mut path.marks));
    }

    fn keep(&mut self, mut list: Vec<Mark>) {
        if let Some(power) = list.capacity().checked_ilog2() {
            let power = power as usize;
            if power >= self.spare.len() {
                self.spare.resize_with(power + 1, Vec::new);
            }
            list.clear();
            self.spare[power].push(list);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ticks: u64) -> Time {
        Time::from_ticks(ticks)
    }

    /// What each stretch of a path is.
    fn spelled(path: &Path) -> Vec<(Part, u64)> {
        let mut spelled = Vec::new();
        path.each(|_, part, ticks| spelled.push((part, ticks)));
        spelled
    }

    /// A path says the same however often its room was exchanged, and leaves it to the
    /// next one.
    #[test]
    fn room_is_exchanged_and_left_to_others() {
        let (mut room, mut path, mut plain) =
            (PathRoom::default(), Path::default(), Path::default());
        for round in 0..3 {
            path.begin(at(0));
            plain.begin(at(0));
            for turn in 0..50 {
                room.for_turn(&mut path);
                for (part, offset) in [(Part::Queue, 3), (Part::Decode, 7), (Part::Tool, 10)] {
                    let until = at(u64::from(turn) * 10 + offset);
                    path.mark(until, part, turn);
                    plain.mark(until, part, turn);
                }
            }
            assert_eq!(spelled(&path), spelled(&plain));
            assert_eq!(path.marks.capacity(), 256);
            room.take_back(&mut path);
            assert_eq!(path.marks.capacity(), 0);
            let kept: Vec<usize> = room.spare.iter().map(Vec::len).collect();
            assert_eq!(kept, [0, 0, 0, 0, 1, 1, 1, 1, 1], "after round {round}");
        }
    }

    #[test]
    fn a_parent_takes_over_the_path_of_the_last_child() {
        let (mut parent, mut child) = (Path::default(), Path::default());
        parent.begin(at(0));
        parent.mark(at(10), Part::Decode, 0);
        child.begin(at(10));
        child.mark(at(12), Part::Queue, 0);
        child.mark(at(20), Part::Prefill, 0);
        child.mark(at(30), Part::Decode, 0);
        child.mark(at(50), Part::Tool, 1);
        let mut alone = parent.clone();
        alone.take_over(&child, at(50), at(50), 0);
        let whole = [(Part::Decode, 10), (Part::Queue, 2), (Part::Prefill, 8), (Part::Decode, 10)];
        assert_eq!(spelled(&alone)[..4], whole);
        assert_eq!(spelled(&alone)[4..], [(Part::Tool, 20)]);
        // Its sibling ended at 25.
        parent.take_over(&child, at(25), at(50), 0);
        assert_eq!(
            spelled(&parent)[2..],
            [(Part::Prefill, 8), (Part::Decode, 5), (Part::Straggler, 25)]
        );
        assert_eq!(parent.parts().iter().sum::<u64>(), 50);
    }

    #[test]
    fn a_parent_that_waits_late_takes_over_the_rest() {
        let (mut parent, mut child) = (Path::default(), Path::default());
        parent.begin(at(0));
        child.begin(at(0));
        child.mark(at(40), Part::Tool, 0);
        child.mark(at(60), Part::Decode, 1);
        parent.mark(at(30), Part::Decode, 0);
        parent.take_over(&child, at(60), at(60), 3);
        assert_eq!(spelled(&parent), [(Part::Decode, 30), (Part::Tool, 10), (Part::Decode, 20)]);
    }
}
