//! What the calls of a use case thought, while they end.

use super::record::{LatencyRecord, ThinkingRecord};
use crate::factory::Call;
use crate::kernel::Span;
use crate::statistics::Sample;

/// Counts and samples of calls that may think.
#[derive(Clone, Debug)]
pub struct Thoughts {
    calls: u64,
    cut: u64,
    tokens: u64,
    /// Thinking tokens of calls that thought.
    amounts: Sample,
    visible_ttft: Sample,
}

impl Thoughts {
    /// No calls; up to `cap` exact values of each will be kept.
    pub fn new(cap: usize) -> Self {
        let sample = || Sample::new(cap);
        Thoughts { calls: 0, cut: 0, tokens: 0, amounts: sample(), visible_ttft: sample() }
    }

    /// Adds a call that ends, whose first token after thinking took so long.
    pub fn record(&mut self, call: &Call, visible_ttft: Span) {
        self.visible_ttft.record(visible_ttft.ticks());
        self.cut += u64::from(call.is_cut);
        if call.thinking > 0 {
            self.calls += 1;
            self.tokens += u64::from(call.thinking);
            self.amounts.record(u64::from(call.thinking));
        }
    }

    /// What is left of them.
    pub fn reduce(&mut self) -> ThinkingRecord {
        ThinkingRecord {
            calls: self.calls,
            cut: self.cut,
            tokens: self.tokens,
            quantiles: self.amounts.quantiles(&ThinkingRecord::FRACTIONS).unwrap_or_default(),
            visible_ttft: LatencyRecord::new(&mut self.visible_ttft),
        }
    }
}
