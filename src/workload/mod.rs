//! WHAT arrives: token lengths, recorded calls, and later sessions and agents.

mod lengths;
mod trace;

pub use lengths::LengthSource;
pub use trace::{Trace, TraceCall};
