//! WHAT arrives: token lengths, recorded calls, and later sessions and agents.

mod trace;

pub use trace::{Trace, TraceCall};
