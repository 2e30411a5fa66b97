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
mod read_trace;
mod script;
mod session;
mod strands;
mod tape;
mod trace;
mod turns;
mod weka;
mod zstd;

pub use content::{Author, Content, Strand, Stretch};
pub use format::{Format, open_trace};
pub use lengths::LengthSource;
pub use prefix::{Prefix, Written};
pub use prefix_tree::{IdsName, NO_NODE, PrefixTree, Request};
pub use read::ReadOptions;
pub use read_trace::read_trace;
pub use script::{Ask, Script};
pub use session::{Session, SessionId, SessionSource, item};
pub use strands::Contradiction;
pub use trace::{Cursor, Trace, TraceCall};
pub use turns::Turns;
