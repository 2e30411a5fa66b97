//! A recording of calls: when they came and how long they were.

use crate::kernel::Span;

/// Recorded calls in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The calls; `at` never decreases, the first is at zero.
    pub calls: Vec<TraceCall>,
    /// Ids of prompt blocks, all calls one after the other.
    pub prefix_ids: Vec<u64>,
    /// Prompt tokens that one prefix id stands for; 0 without ids.
    pub block_tokens: u32,
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    /// Calls recorded without prompt or without output tokens, kept as one token.
    pub raised_calls: u64,
}

/// One recorded call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceCall {
    /// Since the first call.
    pub at: Span,
    /// Prompt tokens, at least 1.
    pub prompt: u32,
    /// Output tokens, at least 1.
    pub output: u32,
    /// Its first id in [`Trace::prefix_ids`].
    pub prefix_start: u32,
    /// How many ids it has.
    pub prefix_len: u32,
}
