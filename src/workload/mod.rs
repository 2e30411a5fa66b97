//! WHAT arrives: token lengths, shared prefixes, sessions, recorded calls, and later agents.

mod azure;
mod bailian;
mod content;
mod format;
mod ids;
mod lengths;
mod mooncake;
mod prefix;
mod prefix_tree;
mod read;
mod script;
mod session;
mod strands;
mod trace;
mod turns;
mod weka;

pub use content::{Author, Content, Strand, Stretch};
pub use format::{Format, open_trace};
pub use lengths::LengthSource;
pub use mooncake::BLOCK_TOKENS as MOONCAKE_BLOCK_TOKENS;
pub use prefix::{Prefix, Written};
pub use prefix_tree::{IdsName, NO_NODE, PrefixTree, Request};
pub use read::ReadOptions;
pub use script::{Ask, Script};
pub use session::{Session, SessionId, SessionSource, item};
pub use strands::{Fork, Strands};
pub use trace::{Trace, TraceCall, read_trace};
pub use turns::Turns;
