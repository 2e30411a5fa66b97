//! Reads a recording as a [`Trace`].
//!
//! Calls come in order of time; one that goes back is a broken line, unless order
//! is to be mended: then so many calls wait for others before them. The
//! sessions of WEKA, which count time from their own start, are put in order always:
//! the calls of a session wait until no later session can start before them. A
//! call recorded with no prompt or no output tokens (a failed or cancelled one)
//! is kept as one of one token, since it did arrive, and counted too.
//!
//! While it is read, memory goes by the prompt blocks that differ, some 100
//! bytes each, and the calls of sessions that overlap.

use super::Format;
use super::read::{BadLine, ReadOptions, Record, Sink, read_calls};
use super::trace::{Prompt, Trace, TraceCall, TraceWriter};
use crate::error::Mistake;
use crate::kernel::{Span, TICKS_PER_SECOND};
use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::sync::Arc;

/// Longest recording, as for scenarios: ten years.
pub(super) const TICKS_MAX: i128 = 3_653 * 86_400 * TICKS_PER_SECOND as i128;

/// Most calls that wait for others which come before them.
const HELD_MAX: usize = 1 << 16;
/// How a line that goes back is told.
const OUT_OF_ORDER: &str = "is out of order";

/// Reads a recording; `file` is its name in messages.
pub fn read_trace(
    format: Format,
    input: impl BufRead,
    file: &str,
    options: ReadOptions,
) -> Result<Arc<Trace>, Vec<Mistake>> {
    let puts_in_order = format == Format::Weka;
    read(format, input, file, options, Keeper { puts_in_order, ..Keeper::default() })
}

/// The same, with calls put in order that are at most 65,536 places out of it.
pub fn read_unsorted_trace(
    format: Format,
    input: impl BufRead,
    file: &str,
    options: ReadOptions,
) -> Result<Arc<Trace>, Vec<Mistake>> {
    let puts_in_order = format == Format::Weka;
    let keeper = Keeper { puts_in_order, mends_order: !puts_in_order, ..Keeper::default() };
    read(format, input, file, options, keeper)
}

/// Whether a reading has shown that calls are out of order.
pub fn is_unsorted(read: &Result<Arc<Trace>, Vec<Mistake>>) -> bool {
    match read {
        Ok(trace) => trace.out_of_order > 0,
        Err(mistakes) => mistakes.iter().any(|m| m.problem.starts_with(OUT_OF_ORDER)),
    }
}

fn read(
    format: Format,
    input: impl BufRead,
    file: &str,
    options: ReadOptions,
    mut keeper: Keeper,
) -> Result<Arc<Trace>, Vec<Mistake>> {
    let tally = read_calls(format, input, file, options, &mut keeper)?;
    keeper.release(0);
    let raised_calls = keeper.raised_calls;
    let (unsorted_calls, out_of_order) = (keeper.unsorted_calls, keeper.out_of_order);
    let mut trace = keeper.finish(tally.block_tokens).map_err(|error| {
        let fix = "make room in the folder for temporary files (TMPDIR)".to_owned();
        let problem = format!("cannot be kept in a temporary file: {error}");
        let (file, key) = (file.to_owned(), String::new());
        vec![Mistake { file, line: None, key, value: None, problem, fix }]
    })?;
    trace.skipped_lines = tally.skipped_lines;
    trace.failed_calls = tally.failed_calls;
    trace.raised_calls = raised_calls;
    (trace.unsorted_calls, trace.out_of_order) = (unsorted_calls, out_of_order);
    let mut trace = Arc::new(trace);
    let (few, many) = odd_ids(&trace);
    let counted = Arc::get_mut(&mut trace).expect("no cursor is left");
    (counted.too_few_ids, counted.too_many_ids) = (few, many);
    Ok(trace)
}

/// Calls with fewer ids than full blocks in their prompts, and with more than
/// blocks.
fn odd_ids(trace: &Arc<Trace>) -> (u64, u64) {
    let (mut few, mut many) = (0, 0);
    if trace.block_tokens == 0 {
        return (few, many);
    }
    let mut cursor = trace.cursor();
    while let Some(call) = cursor.next() {
        let full = call.prompt / trace.block_tokens;
        let begun = call.prompt.div_ceil(trace.block_tokens);
        few += u64::from(0 < cursor.ids() && cursor.ids() < full);
        many += u64::from(cursor.ids() > begun);
    }
    (few, many)
}

/// Keeps records as a [`Trace`].
#[derive(Debug, Default)]
struct Keeper {
    writer: TraceWriter,
    puts_in_order: bool,
    /// Calls that others may still come before, by time and order in the file.
    waiting: BTreeMap<(i128, u64), (TraceCall, Prompt)>,
    /// Whether calls that go back are put in order, and those that wait for others.
    mends_order: bool,
    held: BTreeMap<(i128, u64), (usize, Record)>,
    /// Calls that the file has behind later ones: taken, and refused.
    unsorted_calls: u64,
    out_of_order: u64,
    taken: u64,
    kept: u64,
    has_last: bool,
    /// Times of the first call and of the last, and the line of that.
    first_ticks: i128,
    last: (i128, usize),
    raised_calls: u64,
    fault: Option<io::Error>,
}

impl Sink for Keeper {
    fn take(&mut self, line: usize, record: Record) -> Result<(), BadLine> {
        let at_ticks = self.judge(&record)?;
        if self.taken == 0 {
            self.first_ticks = at_ticks;
        }
        self.taken += 1;
        if self.mends_order {
            let newest = self.held.last_key_value().map(|((at, _), _)| *at);
            self.unsorted_calls += u64::from(newest.is_some_and(|newest| at_ticks < newest));
            self.held.insert((at_ticks, self.taken), (line, record));
            self.release(HELD_MAX);
        } else {
            self.keep(at_ticks, line, &record);
        }
        Ok(())
    }

    fn settle(&mut self, before_ticks: i128) {
        while let Some(entry) = self.waiting.first_entry() {
            let (at_ticks, _) = *entry.key();
            if at_ticks >= before_ticks {
                break;
            }
            let (call, prompt) = entry.remove();
            self.write(at_ticks, call, &prompt);
        }
    }
}

impl Keeper {
    /// Keeps the earliest of the calls that wait, until so many are left.
    fn release(&mut self, left: usize) {
        while self.held.len() > left {
            let ((at_ticks, _), (line, record)) = self.held.pop_first().expect("some are held");
            self.keep(at_ticks, line, &record);
        }
    }

    /// Keeps a call.
    fn keep(&mut self, at_ticks: i128, line: usize, record: &Record) {
        self.last = (at_ticks, line);
        self.has_last = true;
        self.raised_calls += u64::from(record.prompt == 0 || record.output == 0);
        let call = TraceCall {
            at: Span::ZERO,
            prompt: record.prompt.max(1),
            output: record.output.max(1),
        };
        let prompt = self.writer.weave(record.scope, &record.prefix_ids, line);
        if self.puts_in_order {
            self.kept += 1;
            self.waiting.insert((at_ticks, self.kept), (call, prompt));
        } else {
            self.write(at_ticks, call, &prompt);
        }
    }

    /// Writes a call, unless writing failed before.
    fn write(&mut self, at_ticks: i128, call: TraceCall, prompt: &Prompt) {
        if (self.puts_in_order || self.mends_order) && self.writer.is_empty() {
            self.first_ticks = at_ticks;
        }
        let ticks = u64::try_from(at_ticks - self.first_ticks).expect("in order of time");
        let call = TraceCall { at: Span::from_ticks(ticks), ..call };
        if self.fault.is_none() {
            self.fault = self.writer.write(call, prompt).err();
        }
    }

    fn finish(mut self, block_tokens: u32) -> io::Result<Trace> {
        self.settle(i128::MAX);
        match self.fault {
            Some(fault) => Err(fault),
            None => self.writer.finish(block_tokens),
        }
    }

    /// The time of `record`, if it can follow the others.
    fn judge(&mut self, record: &Record) -> Result<i128, BadLine> {
        let bad = |problem: String, fix| Err(BadLine { problem, fix });
        let Some(at_ticks) = record.at_ticks else {
            let fix = "give it a time, or leave such lines out with --skip-bad-lines";
            return bad("has no `timestamp`".to_owned(), fix);
        };
        if !self.writer.has_names(record.prefix_ids.len()) {
            return bad(
                "brings the trace above four billion different blocks".to_owned(),
                "read fewer calls with `requests`",
            );
        }
        let first_ticks = if self.taken == 0 { at_ticks } else { self.first_ticks };
        let (last_ticks, last_line) = self.last;
        if self.has_last && !self.puts_in_order && at_ticks < last_ticks {
            self.out_of_order += 1;
            let back_s = (last_ticks - at_ticks) as f64 / TICKS_PER_SECOND as f64;
            return bad(
                format!("{OUT_OF_ORDER}: {back_s} s before line {last_line}"),
                "sort the trace by time, or leave such lines out with --skip-bad-lines",
            );
        }
        if at_ticks - first_ticks > TICKS_MAX {
            return bad(
                "is more than ten years after the first call".to_owned(),
                "correct its time, or leave such lines out with --skip-bad-lines",
            );
        }
        Ok(at_ticks)
    }
}
