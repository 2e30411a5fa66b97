//! A recording of calls: when they came and how long they were.
//!
//! Calls come in order of time; one that goes back is a broken line. A call
//! recorded with no prompt or no output tokens (a failed or cancelled one) is
//! kept as one of one token, since it did arrive, and counted too.

use super::Format;
use super::content::{Content, Strand};
use super::read::{BadLine, ReadOptions, Record, Sink, read_calls};
use super::strands::Strands;
use crate::error::Mistake;
use crate::kernel::{Span, TICKS_PER_SECOND};
use std::collections::HashMap;
use std::io::BufRead;

/// Longest recording, as for scenarios: ten years.
pub(super) const TICKS_MAX: i128 = 3_653 * 86_400 * TICKS_PER_SECOND as i128;

/// Recorded calls in order of arrival.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// The calls; `at` never decreases, the first is at zero.
    pub calls: Vec<TraceCall>,
    /// Ids of prompt blocks, all calls one after the other.
    pub prefix_ids: Vec<u64>,
    /// Prompt tokens that one prefix id stands for; 0 without ids.
    pub block_tokens: u32,
    /// What the prompts say, by their ids.
    pub strands: Strands,
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    /// Calls recorded without prompt or without output tokens, kept as one token.
    pub raised_calls: u64,
}

impl Trace {
    /// Ids of the prompt blocks of a call.
    pub fn ids(&self, call: &TraceCall) -> &[u64] {
        &self.prefix_ids[call.prefix_start as usize..][..call.prefix_len as usize]
    }

    /// Tokens of the prompt of call `number` that its ids cover.
    fn covered(&self, number: usize) -> u32 {
        let call = &self.calls[number];
        self.block_tokens.saturating_mul(call.prefix_len).min(call.prompt)
    }

    /// Writes what call `number` says behind `before` tokens to `content`, which
    /// then goes on with `own`; `strand` names the strand of a fork.
    pub fn write(
        &self,
        number: usize,
        before: u32,
        content: &mut Content,
        own: Strand,
        strand: impl Fn(u32) -> Strand,
    ) {
        let covered = self.covered(number);
        for fork in self.strands.forks(number) {
            let entered = self.block_tokens.saturating_mul(fork.block).min(covered);
            content.turn_off(before.saturating_add(entered), strand(fork.strand));
        }
        content.turn_off(before.saturating_add(covered), own);
    }

    /// Prompt tokens of call `number` in blocks that calls before it had.
    pub fn repeated(&self, number: usize) -> u32 {
        self.block_tokens.saturating_mul(self.strands.repeated(number)).min(self.covered(number))
    }
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

/// Reads a recording; `file` is its name in messages.
pub fn read_trace(
    format: Format,
    input: impl BufRead,
    file: &str,
    options: ReadOptions,
) -> Result<Trace, Vec<Mistake>> {
    let mut keeper = Keeper::default();
    let tally = read_calls(format, input, file, options, &mut keeper)?;
    let mut trace = keeper.trace;
    trace.skipped_lines = tally.skipped_lines;
    if !trace.prefix_ids.is_empty() {
        trace.block_tokens = tally.block_tokens;
        trace.strands = Strands::new(trace.calls.iter().map(|call| trace.ids(call)));
    }
    Ok(trace)
}

/// Keeps records as a [`Trace`].
#[derive(Debug, Default)]
struct Keeper {
    trace: Trace,
    first_ticks: i128,
    last: (i128, usize),
    /// Ids of scopes of their own, renamed so that all differ.
    renamed: HashMap<(u32, u64), u64>,
}

impl Sink for Keeper {
    fn take(&mut self, line: usize, mut record: Record) -> Result<(), BadLine> {
        let at_ticks = self.judge(&record)?;
        if self.trace.calls.is_empty() {
            self.first_ticks = at_ticks;
        }
        self.last = (at_ticks, line);
        if record.prompt == 0 || record.output == 0 {
            self.trace.raised_calls += 1;
        }
        if record.scope != 0 {
            for id in &mut record.prefix_ids {
                let new = self.renamed.len() as u64;
                *id = *self.renamed.entry((record.scope, *id)).or_insert(new);
            }
        }
        let at = u64::try_from(at_ticks - self.first_ticks).expect("judged not negative");
        self.trace.calls.push(TraceCall {
            at: Span::from_ticks(at),
            prompt: record.prompt.max(1),
            output: record.output.max(1),
            prefix_start: self.trace.prefix_ids.len() as u32,
            prefix_len: record.prefix_ids.len() as u32,
        });
        self.trace.prefix_ids.extend(record.prefix_ids);
        Ok(())
    }
}

impl Keeper {
    /// The time of `record`, if it can follow the others.
    fn judge(&self, record: &Record) -> Result<i128, BadLine> {
        let bad = |problem: String, fix| Err(BadLine { problem, fix });
        let Some(at_ticks) = record.at_ticks else {
            let fix = "give it a time, or leave such lines out with --skip-bad-lines";
            return bad("has no `timestamp`".to_owned(), fix);
        };
        if self.trace.calls.is_empty() {
            return Ok(at_ticks);
        }
        let (last_ticks, last_line) = self.last;
        if at_ticks < last_ticks {
            let back_s = (last_ticks - at_ticks) as f64 / TICKS_PER_SECOND as f64;
            return bad(
                format!("is out of order: {back_s} s before line {last_line}"),
                "sort the trace by time, or leave such lines out with --skip-bad-lines",
            );
        }
        if at_ticks - self.first_ticks > TICKS_MAX {
            return bad(
                "is more than ten years after the first call".to_owned(),
                "correct its time, or leave such lines out with --skip-bad-lines",
            );
        }
        let ids = self.trace.prefix_ids.len() + record.prefix_ids.len();
        if u32::try_from(ids).is_err() {
            return bad(
                "brings the trace above four billion prefix ids".to_owned(),
                "read fewer calls with `requests`",
            );
        }
        Ok(at_ticks)
    }
}
