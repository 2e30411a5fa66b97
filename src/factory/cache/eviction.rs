//! The eviction policies, as a user chooses them.

use crate::catalog::Unknown;
use crate::kernel::{Span, TICKS_PER_SECOND};
use std::fmt;
use std::str::FromStr;

/// Which of the blocks that nobody uses goes first. Always the end of a sequence
/// before its start: a block can be hit only with all blocks before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Eviction {
    /// The one that was used longest ago.
    #[default]
    Lru,
    /// The one that the fewest sequences have used since it came.
    Lfu,
    /// The one that leaves the small queue unused, or the main queue unused.
    S3Fifo,
    /// Whatever was not used for longer than this, and before that, for want of
    /// room, the one that was used longest ago.
    Ttl {
        /// How long a block stays that nobody uses.
        ttl: Span,
    },
    /// The one that saves the fewest seconds of prefill, by how often and how
    /// lately it was used.
    CostAware,
    /// The one that was used longest ago, but what an agent will go on from after
    /// its tools or sub-agents last, until a deadline.
    AgentHold {
        /// How long it is held.
        hold: Span,
    },
}

impl Eviction {
    /// Names of all policies.
    pub const NAMES: [&'static str; 6] =
        ["lru", "lfu", "s3-fifo", "ttl", "cost-aware", "agent-hold"];

    /// Time to live where none is given: 5 minutes, the default lifetime of
    /// cached prompts at Anthropic (<https://docs.anthropic.com>, "Prompt caching").
    pub const TTL_DEFAULT: Span = Span::from_ticks(300 * TICKS_PER_SECOND);

    /// Time that a context is held where none is given: 96 % of the tool calls of
    /// coding agents take less (TraceLab; see the coding agent in the catalog).
    pub const HOLD_DEFAULT: Span = Span::from_ticks(60 * TICKS_PER_SECOND);

    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Eviction::Lru => "lru",
            Eviction::Lfu => "lfu",
            Eviction::S3Fifo => "s3-fifo",
            Eviction::Ttl { .. } => "ttl",
            Eviction::CostAware => "cost-aware",
            Eviction::AgentHold { .. } => "agent-hold",
        }
    }
}

impl fmt::Display for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The policy of that name, with default parameters.
impl FromStr for Eviction {
    type Err = Unknown;

    fn from_str(name: &str) -> Result<Self, Unknown> {
        match name {
            "lru" => Ok(Eviction::Lru),
            "lfu" => Ok(Eviction::Lfu),
            "s3-fifo" => Ok(Eviction::S3Fifo),
            "ttl" => Ok(Eviction::Ttl { ttl: Eviction::TTL_DEFAULT }),
            "cost-aware" => Ok(Eviction::CostAware),
            "agent-hold" => Ok(Eviction::AgentHold { hold: Eviction::HOLD_DEFAULT }),
            _ => Err(Unknown::new("eviction policy", name, &Eviction::NAMES)),
        }
    }
}
