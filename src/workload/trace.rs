//! A recording of calls: when they came, how long they were and what they share.
//!
//! Calls lie one after the other on a [`Tape`], in order of time, and whoever
//! needs them reads along with a [`Cursor`]: memory does not grow with the
//! recording. What is known of all calls together stands beside the tape.
//!
//! A call on the tape: ticks since the first call, prompt and output tokens,
//! ids of its prompt, blocks that prompts before it had, number of forks, and
//! each fork, all little endian.

use super::content::{Content, Strand};
use super::strands::{Contradiction, Fork, Weaver};
use super::tape::{Reader, Tape, TapeWriter};
use super::ticks::{LOOKED_AT as TICK_LOOKED_AT, TickSpreader, tick_of};
use crate::kernel::{Digest, Span};
use std::io;
use std::sync::Arc;

/// Bytes of a call before its forks, and of a fork.
const HEAD: usize = 28;
const FORK: usize = 8;

/// Recorded calls in order of arrival.
#[derive(Debug, Default)]
pub struct Trace {
    tape: Tape,
    /// How many calls.
    pub calls: u64,
    /// From the first call, which comes at zero, to the last.
    pub length: Span,
    /// Prompt tokens that one prefix id stands for; 0 without ids.
    pub block_tokens: u32,
    /// Prompt blocks that differ; 0 without ids.
    pub nodes: u32,
    /// Where ids contradict each other first.
    pub contradiction: Option<Contradiction>,
    /// Fold of all calls and ids.
    pub digest: u64,
    /// The tick over which its calls have been spread, where the recorder's clock
    /// had a coarse one.
    pub spread: Option<Span>,
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    /// Calls recorded as failed, left out.
    pub failed_calls: u64,
    /// Calls recorded without prompt or without output tokens, kept as one token.
    pub raised_calls: u64,
    /// Calls that the file has behind later ones, put in order.
    pub unsorted_calls: u64,
    /// Such calls that were refused, as broken lines are.
    pub out_of_order: u64,
    /// Calls with fewer ids than full blocks in their prompt (and some), and with
    /// more ids than blocks, the last one begun.
    pub too_few_ids: u64,
    /// See `too_few_ids`.
    pub too_many_ids: u64,
}

/// One recorded call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TraceCall {
    /// Since the first call.
    pub at: Span,
    /// Prompt tokens, at least 1.
    pub prompt: u32,
    /// Output tokens, at least 1.
    pub output: u32,
}

impl Trace {
    /// A recording of these calls and the ids of their prompts, in order of time.
    pub fn of<'i>(
        block_tokens: u32,
        calls: impl IntoIterator<Item = (TraceCall, &'i [u64])>,
    ) -> Self {
        let mut writer = TraceWriter::default();
        for (call, ids) in calls {
            let prompt = writer.weave(0, ids, 0);
            writer.write(call, &prompt).expect("a temporary file can be written");
        }
        writer.finish(block_tokens).expect("a temporary file can be written")
    }

    /// The tick of the recorder's clock, if it shows.
    pub fn tick(self: &Arc<Self>) -> Option<u64> {
        let first = self.cursor().take(TICK_LOOKED_AT as usize);
        tick_of(first.map(|call| i128::from(call.at.ticks())).collect())
    }

    /// The same calls, spread over the ticks of a clock of which each is `tick` long.
    pub fn spread_over(self: &Arc<Self>, tick: u64) -> io::Result<Trace> {
        let (mut spreader, mut writer) = (TickSpreader::new(tick), TraceWriter::default());
        writer.digest.word(self.digest);
        // One looks ahead how many calls a tick has, the other takes them.
        let (mut ahead, mut calls) = (self.cursor(), self.cursor());
        let (mut next, mut first) = (ahead.next(), None);
        while let Some(begins) = next {
            let began = begins.at.ticks();
            let mut together = 0;
            while next.is_some_and(|call| together == 0 || spreader.is_of(began, call.at.ticks())) {
                together += 1;
                next = ahead.next();
            }
            for within in spreader.within(together) {
                let call = calls.next().expect("it was looked at");
                let at = (began + within).max(writer.length.ticks() + first.unwrap_or(0));
                let at = Span::from_ticks(at - *first.get_or_insert(at));
                writer.write(TraceCall { at, ..call }, &calls.prompt)?;
            }
        }
        let Trace { tape, length, digest, .. } = writer.finish(0)?;
        let spread = Some(Span::from_ticks(tick));
        let Trace { calls, block_tokens, nodes, contradiction, .. } = **self;
        let Trace { skipped_lines, failed_calls, raised_calls, .. } = **self;
        let Trace { unsorted_calls, out_of_order, too_few_ids, too_many_ids, .. } = **self;
        Ok(Trace {
            tape,
            calls,
            length,
            block_tokens,
            nodes,
            contradiction,
            digest,
            spread,
            skipped_lines,
            failed_calls,
            raised_calls,
            unsorted_calls,
            out_of_order,
            too_few_ids,
            too_many_ids,
        })
    }

    /// Reads along the calls from the first on.
    pub fn cursor(self: &Arc<Self>) -> Cursor {
        let (call, prompt, reader) = Default::default();
        Cursor { trace: self.clone(), reader, call, prompt }
    }
}

/// What a prompt shares with others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Prompt {
    /// How many ids it has.
    ids: u32,
    /// Of these, ids that prompts before it had.
    repeated: u32,
    /// Where it leaves a strand for another.
    forks: Vec<Fork>,
}

/// Reads a [`Trace`] call by call.
#[derive(Clone, Debug)]
pub struct Cursor {
    trace: Arc<Trace>,
    reader: Reader,
    call: TraceCall,
    prompt: Prompt,
}

impl Iterator for Cursor {
    type Item = TraceCall;

    #[inline]
    fn next(&mut self) -> Option<TraceCall> {
        let Cursor { trace, reader, call, prompt } = self;
        if reader.is_at_end(&trace.tape) {
            return None;
        }
        let head = reader.bytes(&trace.tape, HEAD);
        let u64_at = |at: usize| u64::from_le_bytes(*head[at..].first_chunk().expect("in HEAD"));
        let u32_at = |at: usize| u32::from_le_bytes(*head[at..].first_chunk().expect("in HEAD"));
        let at = Span::from_ticks(u64_at(0));
        *call = TraceCall { at, prompt: u32_at(8), output: u32_at(12) };
        (prompt.ids, prompt.repeated) = (u32_at(16), u32_at(20));
        prompt.forks.clear();
        let forks = u32_at(24) as usize;
        if forks > 0 {
            let words = reader.bytes(&trace.tape, forks * FORK).as_chunks().0;
            let mut words = words.iter().map(|word| u32::from_le_bytes(*word));
            while let (Some(strand), Some(block)) = (words.next(), words.next()) {
                prompt.forks.push(Fork { strand, block });
            }
        }
        Some(*call)
    }
}

impl Cursor {
    /// The recording.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Ids of the prompt of the call that was read last.
    pub fn ids(&self) -> u32 {
        self.prompt.ids
    }

    /// Tokens of the last call's prompt that its ids cover.
    fn covered(&self) -> u32 {
        self.trace.block_tokens.saturating_mul(self.prompt.ids).min(self.call.prompt)
    }

    /// Prompt tokens of the last call in blocks that calls before it had.
    pub fn repeated(&self) -> u32 {
        self.trace.block_tokens.saturating_mul(self.prompt.repeated).min(self.covered())
    }

    /// Writes what the last call says behind `before` tokens to `content`, which
    /// then goes on with `own`; `strand` names the strand of a fork.
    pub fn write(
        &self,
        before: u32,
        content: &mut Content,
        own: Strand,
        strand: impl Fn(u32) -> Strand,
    ) {
        let covered = self.covered();
        for fork in &self.prompt.forks {
            let entered = self.trace.block_tokens.saturating_mul(fork.block).min(covered);
            content.turn_off(before.saturating_add(entered), strand(fork.strand));
        }
        content.turn_off(before.saturating_add(covered), own);
    }
}

/// Puts a [`Trace`] on its tape.
#[derive(Debug, Default)]
pub(super) struct TraceWriter {
    weaver: Weaver,
    tape: TapeWriter,
    calls: u64,
    length: Span,
    digest: Digest,
    bytes: Vec<u8>,
}

impl TraceWriter {
    /// Whether no call has been written.
    pub fn is_empty(&self) -> bool {
        self.calls == 0
    }

    /// Whether there are names for `ids` more blocks.
    pub fn has_names(&self, ids: usize) -> bool {
        self.weaver.nodes() as usize + ids < u32::MAX as usize
    }

    /// What a prompt with these ids shares with those before it; `line` is where
    /// it stands in the file.
    pub fn weave(&mut self, scope: u32, ids: &[u64], line: usize) -> Prompt {
        ids.iter().for_each(|id| self.digest.word(*id));
        let mut forks = Vec::new();
        let repeated = self.weaver.weave(scope, ids, line, &mut forks);
        Prompt { ids: ids.len() as u32, repeated, forks }
    }

    /// Appends a call, which comes no earlier than the one before.
    pub fn write(&mut self, call: TraceCall, prompt: &Prompt) -> io::Result<()> {
        debug_assert!(call.at >= self.length);
        self.digest.word(call.at.ticks());
        self.digest.word(u64::from(call.prompt) << 32 | u64::from(call.output));
        self.calls += 1;
        self.length = call.at;
        let bytes = &mut self.bytes;
        bytes.clear();
        bytes.extend(call.at.ticks().to_le_bytes());
        let forks = prompt.forks.len() as u32;
        for number in [call.prompt, call.output, prompt.ids, prompt.repeated, forks] {
            bytes.extend(number.to_le_bytes());
        }
        for fork in &prompt.forks {
            bytes.extend(fork.strand.to_le_bytes());
            bytes.extend(fork.block.to_le_bytes());
        }
        self.tape.write(bytes)
    }

    /// The trace, whose ids stand for `block_tokens` tokens each.
    pub fn finish(self, block_tokens: u32) -> io::Result<Trace> {
        let nodes = self.weaver.nodes();
        Ok(Trace {
            tape: self.tape.finish()?,
            calls: self.calls,
            length: self.length,
            block_tokens: if nodes > 0 { block_tokens } else { 0 },
            nodes,
            contradiction: self.weaver.contradiction(),
            digest: self.digest.value(),
            ..Trace::default()
        })
    }
}
