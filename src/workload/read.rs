//! Reading a recording: what all trace formats have in common.
//!
//! A format is a function from a byte stream to [`Record`]s; this file hands
//! them to a [`Sink`], which may refuse one, and collects what is broken. Files
//! are read line by line: only what the sink keeps stays in memory.
//!
//! A broken line is one that cannot be read, or that the sink refuses. It is a
//! mistake, or, when asked to skip, left out and counted.

use super::{CsvLayout, Format, Turns, azure, bailian, burstgpt, mooncake, plain_csv, weka};
use crate::error::Mistake;
use std::io::{BufRead, Read};

/// How to read a recording.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Leave broken lines out instead of refusing the file.
    pub skip_bad_lines: bool,
    /// Stop after this many calls.
    pub calls_max: Option<u64>,
    /// Prompt tokens that one prefix id stands for; as the format or the file
    /// says when absent.
    pub block_tokens: Option<u32>,
    /// What later turns of a session carry; found out when absent.
    pub turns: Option<Turns>,
    /// Ticks from the start of one session to the next, where the recording does
    /// not say when sessions start.
    pub session_gap_ticks: u64,
    /// What the columns of plain CSV are; no matter for other formats.
    pub csv: Option<CsvLayout>,
}

/// One recorded call.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Ticks since the format's own origin, only differences matter; `None`
    /// where the recording does not say.
    pub at_ticks: Option<i128>,
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Ids of its prompt blocks, from the start of the prompt.
    pub prefix_ids: Vec<u64>,
    /// Where the ids are known: equal ids of two scopes name different blocks.
    pub scope: u32,
    /// The conversation that it belongs to.
    pub link: Link,
}

/// What a recording says of the conversation that a call belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Link {
    /// Nothing.
    #[default]
    None,
    /// Its session, by a number.
    Session(u64),
    /// The chat that it is, and the one that it goes on from.
    Chat {
        /// The number of this one.
        own: u64,
        /// The number of the one before; `None`: it is the first.
        parent: Option<u64>,
    },
}

/// What is wrong with a line.
#[derive(Debug)]
pub struct BadLine {
    /// The problem, as a fragment.
    pub problem: String,
    /// What would mend it.
    pub fix: &'static str,
}

/// Who takes the calls of a recording, in the order of the file.
pub trait Sink {
    /// Takes the call of `line`, or says what is wrong with it.
    fn take(&mut self, line: usize, record: Record) -> Result<(), BadLine>;

    /// No later record comes before this instant.
    fn settle(&mut self, _before_ticks: i128) {}
}

/// What a recording says beside its calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Prompt tokens that one prefix id stands for.
    pub block_tokens: u32,
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    /// Calls that failed, where the format tells; left out.
    pub failed_calls: u64,
    /// What later turns carry, where sessions have any.
    pub turns: Option<Turns>,
}

/// Mistakes listed one by one; the rest are counted.
const MISTAKES_MAX: usize = 10;
/// Longest line, in bytes; a longer one is no trace.
const LINE_MAX: u64 = 16 << 20;
const FIX: &str = "mend the line, or leave such lines out with --skip-bad-lines";

/// Reads a recording into `sink`; `file` is its name in messages.
pub fn read_calls(
    format: Format,
    mut input: impl BufRead,
    file: &str,
    options: ReadOptions,
    sink: &mut dyn Sink,
) -> Result<Tally, Vec<Mistake>> {
    let mut builder = Builder::new(file, options, sink);
    match format {
        Format::Azure => azure::read(&mut input, &mut builder),
        Format::Bailian => bailian::read(&mut input, &mut builder),
        Format::BurstGpt => burstgpt::read(&mut input, &mut builder),
        Format::Csv => plain_csv::read(&mut input, &mut builder),
        Format::Mooncake => mooncake::read(&mut input, &mut builder),
        Format::Weka => weka::read(&mut input, &mut builder),
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
    next_line_up_to(LINE_MAX, input, bytes, builder)
}

/// [`next_line`] with another longest line, in bytes.
pub(super) fn next_line_up_to<'b>(
    bytes_max: u64,
    input: &mut impl BufRead,
    bytes: &'b mut Vec<u8>,
    builder: &mut Builder<'_>,
) -> Option<(usize, &'b [u8])> {
    while !builder.is_full() {
        bytes.clear();
        builder.lines += 1;
        let number = builder.lines;
        match input.by_ref().take(bytes_max).read_until(b'\n', bytes) {
            Ok(0) => return None,
            Ok(read) if read as u64 == bytes_max => {
                let problem = format!("is longer than {bytes_max} bytes");
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

/// Hands records to the sink and keeps count of what is broken.
pub(super) struct Builder<'f> {
    file: &'f str,
    pub options: ReadOptions,
    sink: &'f mut dyn Sink,
    pub tally: Tally,
    calls: u64,
    mistakes: Vec<Mistake>,
    bad_lines: u64,
    lines: usize,
}

impl<'f> Builder<'f> {
    pub fn new(file: &'f str, options: ReadOptions, sink: &'f mut dyn Sink) -> Self {
        let block_tokens = options.block_tokens.unwrap_or(0);
        Self {
            file,
            options,
            sink,
            tally: Tally { block_tokens, ..Tally::default() },
            calls: 0,
            mistakes: Vec::new(),
            bad_lines: 0,
            lines: 0,
        }
    }

    /// Says what a block holds where nobody else did.
    pub fn default_block_tokens(&mut self, tokens: u32) {
        self.tally.block_tokens = self.options.block_tokens.unwrap_or(tokens);
    }

    /// Whether as many calls as asked for have been read.
    pub fn is_full(&self) -> bool {
        self.options.calls_max.is_some_and(|max| self.calls >= max)
    }

    /// Hands on what was read from one line.
    pub fn add(&mut self, line: usize, bytes: &[u8], read: Result<Record, String>) {
        if self.is_full() {
            return;
        }
        let taken = read
            .map_err(|problem| BadLine { problem, fix: FIX })
            .and_then(|record| self.sink.take(line, record));
        match taken {
            Ok(()) => self.calls += 1,
            Err(bad) => self.refuse(line, bytes, bad),
        }
    }

    /// Counts so many calls of `line` that somebody else keeps, or says what is
    /// wrong with it.
    pub fn admit(&mut self, line: usize, bytes: &[u8], read: Result<u64, String>) {
        match read {
            Ok(calls) => self.calls += calls,
            Err(problem) => self.refuse(line, bytes, BadLine { problem, fix: FIX }),
        }
    }

    /// Says that no later record comes before this instant.
    pub fn settle(&mut self, before_ticks: i128) {
        self.sink.settle(before_ticks);
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

    fn refuse(&mut self, line: usize, bytes: &[u8], bad: BadLine) {
        self.bad_lines += 1;
        if self.options.skip_bad_lines {
            self.tally.skipped_lines += 1;
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

    pub fn finish(mut self) -> Result<Tally, Vec<Mistake>> {
        let unlisted = self.bad_lines.saturating_sub(MISTAKES_MAX as u64);
        if !self.mistakes.is_empty() && unlisted > 0 {
            self.fault(
                None,
                None,
                format!("{unlisted} more broken lines"),
                "--skip-bad-lines leaves them out and counts them",
            );
        }
        if self.calls == 0 && self.mistakes.is_empty() {
            let (problem, fix) = match (self.tally.skipped_lines, self.tally.failed_calls) {
                (0, 0) => {
                    ("is empty: it holds no call".to_owned(), "give a trace with calls in it")
                }
                (0, failed) => (
                    format!("holds no call that was answered: {failed} of them failed"),
                    "give a trace with calls in it",
                ),
                (skipped, _) => (
                    format!("holds no readable call ({skipped} broken lines skipped)"),
                    "check that `format` names the layout of this file",
                ),
            };
            self.fault(None, None, problem, fix);
        }
        if self.mistakes.is_empty() { Ok(self.tally) } else { Err(self.mistakes) }
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
