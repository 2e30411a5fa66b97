//! Reading a recording: what all trace formats have in common.
//!
//! A format is a function from a byte stream to [`Record`]s; this file turns
//! records into a [`Trace`], judges them, and collects what is broken. Files
//! are read line by line: only the calls themselves stay in memory.
//!
//! A broken line is one that cannot be read, or that goes back in time. It is
//! a mistake, or, when asked to skip, left out and counted. A call recorded
//! with no prompt or no output tokens (a failed or cancelled one) is kept as
//! one of one token, since it did arrive, and counted too.

use super::{Trace, TraceCall, azure, mooncake};
use crate::error::Mistake;
use crate::kernel::{Span, TICKS_PER_SECOND};
use std::io::{BufRead, Read};

/// Layouts of recordings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Azure LLM inference CSV.
    Azure,
    /// Mooncake JSON lines.
    Mooncake,
}

/// How to read a recording.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadOptions {
    /// Leave broken lines out instead of refusing the file.
    pub skip_bad_lines: bool,
    /// Stop after this many calls.
    pub calls_max: Option<u64>,
    /// Prompt tokens that one prefix id stands for.
    pub block_tokens: u32,
}

impl Default for ReadOptions {
    fn default() -> Self {
        Self { skip_bad_lines: false, calls_max: None, block_tokens: mooncake::BLOCK_TOKENS }
    }
}

/// One readable line.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    /// Ticks since the format's own origin; only differences matter.
    pub at_ticks: i128,
    pub prompt: u32,
    pub output: u32,
    pub prefix_ids: Vec<u64>,
}

/// What is wrong with a line.
#[derive(Debug)]
struct BadLine {
    problem: String,
    fix: &'static str,
}

/// Mistakes listed one by one; the rest are counted.
const MISTAKES_MAX: usize = 10;
/// Longest recording, as for scenarios: ten years.
const TICKS_MAX: i128 = 3_653 * 86_400 * TICKS_PER_SECOND as i128;

/// Longest line, in bytes; a longer one is no trace.
const LINE_MAX: u64 = 16 << 20;
const FIX: &str = "mend the line, or leave such lines out with --skip-bad-lines";

/// Reads a recording; `file` is its name in messages.
pub fn read_trace(
    format: Format,
    mut input: impl BufRead,
    file: &str,
    options: ReadOptions,
) -> Result<Trace, Vec<Mistake>> {
    let mut builder = Builder::new(file, options);
    match format {
        Format::Azure => azure::read(&mut input, &mut builder),
        Format::Mooncake => mooncake::read(&mut input, &mut builder),
    }
    builder.finish()
}

/// The next line that is not blank, with its number; `None` at the end of the
/// file, at a fault, or when enough has been read.
pub(super) fn next_line<'b>(
    input: &mut impl BufRead,
    bytes: &'b mut Vec<u8>,
    builder: &mut Builder<'_>,
) -> Option<(usize, &'b [u8])> {
    while !builder.is_full() {
        bytes.clear();
        builder.lines += 1;
        let number = builder.lines;
        match input.by_ref().take(LINE_MAX).read_until(b'\n', bytes) {
            Ok(0) => return None,
            Ok(read) if read as u64 == LINE_MAX => {
                let problem = format!("is longer than {LINE_MAX} bytes");
                builder.fault(Some(number), None, problem, "check `format`");
                return None;
            }
            Ok(_) if content(bytes, number).is_empty() => {}
            Ok(_) => return Some((number, content(bytes, number))),
            Err(error) => {
                builder.fault(Some(number), None, error.to_string(), "give a readable file");
                return None;
            }
        }
    }
    None
}

/// A line without blanks at its ends; a byte order mark may come first.
fn content(line: &[u8], number: usize) -> &[u8] {
    let mark: &[u8] = if number == 1 { b"\xef\xbb\xbf" } else { b"" };
    line.strip_prefix(mark).unwrap_or(line).trim_ascii()
}

/// Collects records into a trace.
pub(super) struct Builder<'f> {
    file: &'f str,
    options: ReadOptions,
    trace: Trace,
    first_ticks: i128,
    last: (i128, usize),
    mistakes: Vec<Mistake>,
    bad_lines: u64,
    lines: usize,
}

impl<'f> Builder<'f> {
    fn new(file: &'f str, options: ReadOptions) -> Self {
        let trace = Trace { block_tokens: options.block_tokens, ..Trace::default() };
        Self {
            file,
            options,
            trace,
            first_ticks: 0,
            last: (0, 0),
            mistakes: Vec::new(),
            bad_lines: 0,
            lines: 0,
        }
    }

    /// Whether as many calls as asked for have been read.
    pub fn is_full(&self) -> bool {
        self.options.calls_max.is_some_and(|max| self.trace.calls.len() as u64 >= max)
    }

    /// Adds what was read from one line.
    pub fn add(&mut self, line: usize, bytes: &[u8], read: Result<Record, String>) {
        let judged = read
            .map_err(|problem| BadLine { problem, fix: FIX })
            .and_then(|record| self.judge(&record).map(|()| record));
        match judged {
            Ok(record) => self.keep(line, record),
            Err(bad) => self.refuse(line, bytes, bad),
        }
    }

    /// A fault of the file as a whole, which skipping lines cannot mend.
    pub fn fault(
        &mut self,
        line: Option<usize>,
        found: Option<String>,
        problem: String,
        fix: &str,
    ) {
        self.mistakes.push(Mistake {
            file: self.file.to_owned(),
            line,
            key: String::new(),
            value: found,
            problem,
            fix: fix.to_owned(),
        });
        // Counted apart from bad lines: never skipped.
        self.options.skip_bad_lines = false;
    }

    fn judge(&self, record: &Record) -> Result<(), BadLine> {
        let bad = |problem: String, fix| Err(BadLine { problem, fix });
        if self.trace.calls.is_empty() {
            return Ok(());
        }
        let (last_ticks, last_line) = self.last;
        if record.at_ticks < last_ticks {
            let back_s = (last_ticks - record.at_ticks) as f64 / TICKS_PER_SECOND as f64;
            return bad(
                format!("is out of order: {back_s} s before line {last_line}"),
                "sort the trace by time, or leave such lines out with --skip-bad-lines",
            );
        }
        if record.at_ticks - self.first_ticks > TICKS_MAX {
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
        Ok(())
    }

    fn keep(&mut self, line: usize, record: Record) {
        if self.trace.calls.is_empty() {
            self.first_ticks = record.at_ticks;
        }
        self.last = (record.at_ticks, line);
        if record.prompt == 0 || record.output == 0 {
            self.trace.raised_calls += 1;
        }
        let at = u64::try_from(record.at_ticks - self.first_ticks).expect("judged not negative");
        self.trace.calls.push(TraceCall {
            at: Span::from_ticks(at),
            prompt: record.prompt.max(1),
            output: record.output.max(1),
            prefix_start: self.trace.prefix_ids.len() as u32,
            prefix_len: record.prefix_ids.len() as u32,
        });
        self.trace.prefix_ids.extend(record.prefix_ids);
    }

    fn refuse(&mut self, line: usize, bytes: &[u8], bad: BadLine) {
        self.bad_lines += 1;
        if self.options.skip_bad_lines {
            self.trace.skipped_lines += 1;
        } else if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(Mistake {
                file: self.file.to_owned(),
                line: Some(line),
                key: String::new(),
                value: Some(shorten(bytes)),
                problem: bad.problem,
                fix: bad.fix.to_owned(),
            });
        }
    }

    fn finish(mut self) -> Result<Trace, Vec<Mistake>> {
        let unlisted = self.bad_lines.saturating_sub(MISTAKES_MAX as u64);
        if !self.mistakes.is_empty() && unlisted > 0 {
            self.fault(
                None,
                None,
                format!("{unlisted} more broken lines"),
                "--skip-bad-lines leaves them out and counts them",
            );
        }
        if self.trace.calls.is_empty() && self.mistakes.is_empty() {
            let (problem, fix) = match self.trace.skipped_lines {
                0 => ("is empty: it holds no call".to_owned(), "give a trace with calls in it"),
                skipped => (
                    format!("holds no readable call ({skipped} broken lines skipped)"),
                    "check that `format` names the layout of this file",
                ),
            };
            self.fault(None, None, problem, fix);
        }
        if self.trace.prefix_ids.is_empty() {
            self.trace.block_tokens = 0;
        }
        if self.mistakes.is_empty() { Ok(self.trace) } else { Err(self.mistakes) }
    }
}

/// Longest text of a line that a message repeats, in characters.
const FOUND_MAX: usize = 60;

/// A line as a message shows it.
pub(super) fn shorten(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(4 * FOUND_MAX)]);
    let text = text.trim();
    if text.chars().count() <= FOUND_MAX {
        return text.escape_debug().to_string().replace("\\\"", "\"");
    }
    let head: String = text.chars().take(FOUND_MAX).collect();
    format!("{}...", head.escape_debug().to_string().replace("\\\"", "\""))
}
