//! Agents: what their sessions ask for and say, whoever serves them.
//!
//! A session is runs, a run is turns, a turn is a model call and then tools and
//! sub-agents. An [`Actor`] is one agent at work: the agent of a session over all
//! its runs, or a sub-agent over its one run. [`Script`] tells what it does
//! next. Every draw is keyed by session, run, way down to the sub-agent and
//! turn, so an agent does the same whenever it is served, and what-if arms stay
//! paired.
//!
//! What an actor says is one strand behind the segments that it shares with
//! others (all of its kind, its group, or the parent that it was forked from).
//! Prompts continue each other by construction; a compaction begins a new
//! strand behind the shared segments. A thought that is not kept is a strand of
//! its own that the conversation does not follow.

mod actor;
mod dry;
#[cfg(test)]
mod profile_tests;
mod recorded;
mod script;
#[cfg(test)]
mod tests;

pub use actor::{Actor, ActorId};
pub use dry::{Asking, Dry, DrySession, Pace};
pub use recorded::{Recorded, Repeats, Replay, Timing};
pub use script::{Next, Plan, Script, ToolCall};

use crate::catalog::Agent;
use std::sync::Arc;

/// An agent and all that it may start, as a use case runs them.
#[derive(Clone, Debug)]
pub struct Crew {
    /// The agent of sessions first.
    pub members: Vec<Member>,
}

/// One of them.
#[derive(Clone, Debug)]
pub struct Member {
    /// What it does.
    pub agent: Arc<Agent>,
    /// Which of the pools of its use case serves its calls; `None`: whichever its
    /// user's calls are sent to.
    pub site: Option<u8>,
    /// Share of the calls of a session that it makes, in the mean.
    pub share: f64,
    /// The member that its sub-agents are.
    pub child: Option<u16>,
    /// Index of the pool of workers that runs its tools, by class; `None`: each
    /// call runs at once.
    pub tool_pools: Vec<Option<u16>>,
}

impl Crew {
    /// Whether anything that it does is drawn at random.
    pub fn is_random(&self) -> bool {
        self.members.iter().any(|member| member.agent.is_random())
    }
}
