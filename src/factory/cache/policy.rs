//! The order in which a store gives up blocks: the verbs of every policy.

use super::agent_hold::Hold;
use super::runs::Runs;
use crate::kernel::Time;
use crate::workload::Strand;

/// An eviction policy.
///
/// It keeps what it has to know of each run beside the runs, so that those stay
/// small, and only sees runs whose blocks are alike in its eyes: it is asked
/// whether a run can grow, where it has to part, and whether two runs can become
/// one again. It chooses among idle runs that end a sequence, and always takes
/// the last block of one.
pub trait Policy {
    /// Whether it matters when blocks came, or only when they fell idle.
    const MINDS_ARRIVALS: bool = false;

    /// Whether new blocks are like those of run `at`, which the sequence that
    /// brings them uses alone.
    fn extends(&self, _at: u32) -> bool {
        true
    }

    /// Run `at` is new.
    fn add(&mut self, _at: u32) {}

    /// One more sequence uses run `at`, which is not idle any more.
    fn hit(&mut self, _at: u32) {}

    /// What the sequence whose blocks fall idle next says of them.
    fn hold(&mut self, _said: Hold) {}

    /// Run `at` will fall idle. Returns the block from which on it is alike when
    /// it does; what comes before has to be cut off and asked for by itself.
    fn part(&mut self, runs: &Runs, at: u32) -> u32 {
        runs[at].start
    }

    /// Run `at` fell idle.
    fn rest(&mut self, runs: &mut Runs, at: u32);

    /// The idle run that blocks without a name that fall idle now, those of `strand`,
    /// can be added to, since they would be the next to go after it.
    fn grows_nameless(&self, _runs: &Runs, _strand: Strand) -> Option<u32> {
        None
    }

    /// Run `at` is no longer idle.
    fn wake(&mut self, runs: &mut Runs, at: u32);

    /// Run `head` was cut off the front of run `at`.
    fn split(&mut self, runs: &mut Runs, head: u32, at: u32);

    /// Whether idle runs `head` and `at`, its only continuation, are alike.
    fn joins(&self, runs: &Runs, head: u32, at: u32) -> bool;

    /// Idle run `head` will be the front of run `at`, which is like it.
    fn merge(&mut self, runs: &mut Runs, head: u32, at: u32);

    /// The run to evict from, all of it if need be.
    fn victim(&mut self, runs: &Runs) -> Option<u32>;

    /// Idle run `at` has lost the `blocks` blocks that were its last ones,
    /// perhaps all it had.
    fn take(&mut self, runs: &mut Runs, at: u32, blocks: u32);

    /// Idle run `at`, if it is one, has lost a continuation, perhaps the only one.
    fn end(&mut self, _runs: &Runs, _at: u32) {}

    /// Time has come to `now`.
    fn pass(&mut self, _now: Time) {}

    /// A run that is gone by now, whether room is needed or not.
    fn expired(&self) -> Option<u32> {
        None
    }

    /// The last instant at which nothing that is idle now has expired, and nothing
    /// has come to be due earlier than it was.
    fn all_live_until(&self) -> Option<Time> {
        None
    }
}
