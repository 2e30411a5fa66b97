//! One agent at work.

use crate::kernel::Id;
use crate::random::mix;
use crate::workload::Errand;
use crate::workload::content::{Content, Strand};

/// Names an actor while it is alive.
pub type ActorId = Id<Actor>;

/// An agent of a session, over all its runs, or a sub-agent, over its one run.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Its use case.
    pub use_case: u16,
    /// Which member of the crew it is.
    pub member: u16,
    /// Generations above it.
    pub depth: u32,
    /// What it works on.
    pub errand: Errand,
    /// Serial number of its session within the use case.
    pub number: u64,
    /// The run, from 0.
    pub run: u32,
    /// Runs that it will take.
    pub runs: u32,
    /// Turns of the run that are done; the number of the present one.
    pub turn: u32,
    /// Turns that the run will take.
    pub turns: u32,
    /// Turns and calls of the run that were repeated.
    pub retries: u32,
    /// Attempts at the present turn before this one.
    pub(super) attempt: u32,
    /// Compactions so far.
    pub(super) compactions: u32,
    /// Tokens of the next prompt, as far as it is known.
    pub context: u32,
    /// Tokens of its context that it has from its parent; the others are its own.
    pub forked_at: u32,
    /// What the context begins with.
    pub(super) base: Base,
    /// Names its conversation; a fork continues its parent's.
    pub conversation: u64,
    /// Key of the draws of the session, or of the sub-agent.
    pub(super) origin: u64,
    /// Key of the draws of the run.
    pub(super) key: u64,
    /// The strand that it writes.
    pub(super) own: Strand,
    /// What it says, while no call carries it.
    pub(super) content: Option<Content>,
    /// Its thread of a recording, and the first call of the run in it.
    pub(super) place: Place,
}

/// Where an actor is in a recording; nowhere, if what it does is drawn.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Place {
    /// Its thread.
    pub thread: u32,
    /// The call of the thread that begins the run.
    pub first: u32,
}

/// The shared segments that a context begins with and goes back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Base {
    /// The member whose segments they are.
    pub member: u16,
    /// Its group.
    pub group: u32,
    /// Their tokens.
    pub tokens: u32,
}

impl Actor {
    /// Whether the present turn is the last of the run.
    pub fn is_in_last_turn(&self) -> bool {
        self.turn + 1 >= self.turns
    }

    /// Whether no run is left after the present one.
    pub fn is_in_last_run(&self) -> bool {
        self.run + 1 >= self.runs
    }

    /// Tokens of the shared segments that its context goes back to.
    pub fn shared_tokens(&self) -> u32 {
        self.base.tokens
    }

    /// Whether the present turn was tried before.
    pub fn is_repeated(&self) -> bool {
        self.attempt > 0
    }

    /// Whether its last prompt was refused, and with it what it says.
    pub fn is_refused(&self) -> bool {
        self.content.is_none()
    }

    /// What it says, to be given back.
    pub fn take_content(&mut self) -> Option<Content> {
        self.content.take()
    }

    /// Key of the draws of the present turn.
    pub(super) fn item(&self) -> u64 {
        self.key.wrapping_add(u64::from(self.turn) | u64::from(self.attempt) << 32)
    }

    /// A number for the present call that no other of its session is likely to
    /// have, below 2^20.
    pub fn serial(&self) -> u32 {
        let calls = u64::from(self.compactions) << 16 | u64::from(self.retries);
        (mix(self.item() ^ mix(calls)) >> 44) as u32
    }
}

/// The key of branch `number` off `key`.
pub(super) fn branch(key: u64, number: u64) -> u64 {
    mix(key ^ mix(number.wrapping_add(0x9e37_79b9_7f4a_7c15)))
}
