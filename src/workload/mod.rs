//! WHAT arrives: token lengths, recorded calls, and later sessions and agents.

mod azure;
mod content;
mod lengths;
mod mooncake;
mod read;
mod trace;

pub use content::{Author, Content, Strand, Stretch};
pub use lengths::LengthSource;
pub use read::{Format, ReadOptions, read_trace};
pub use trace::{Trace, TraceCall};
