//! The Mooncake trace: one JSON object a line with `timestamp` (ms),
//! `input_length`, `output_length` (tokens) and optionally `hash_ids`, the ids
//! of the prompt's prefix blocks (<https://github.com/kvcache-ai/Mooncake>).
//! AIPerf's extension of it adds `session_id` and `delay` (ms, after the turn
//! before, in place of a time stamp). Other members are ignored.

use super::ids::Ids;
use super::read::{Builder, Record, next_line};
use super::turns::{Sessions, Turn};
use crate::kernel::TICKS_PER_SECOND;
use indexmap::IndexMap;
use serde::Deserialize;
use serde::de::IgnoredAny;
use std::io::BufRead;

/// Prompt tokens of one block, as its authors chose.
pub const BLOCK_TOKENS: u32 = 512;
const EXAMPLE: &str =
    "{\"timestamp\": 27, \"input_length\": 6955, \"output_length\": 52, \"hash_ids\": [..]}";
const TICKS_PER_MILLISECOND: f64 = TICKS_PER_SECOND as f64 / 1_000.0;

#[derive(Deserialize)]
struct Line {
    timestamp: Option<f64>,
    delay: Option<f64>,
    input_length: u32,
    output_length: Option<u32>,
    #[serde(default)]
    hash_ids: Ids,
    session_id: Option<Name>,
}

/// A session's name; some writers use numbers.
#[derive(Deserialize)]
#[serde(untagged)]
enum Name {
    Text(String),
    Number(i64),
}

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    builder.default_block_tokens(BLOCK_TOKENS);
    let mut sessions = Sessions::new(builder.options.turns);
    let mut bytes = Vec::new();
    while let Some((number, line)) = next_line(input, &mut bytes, builder) {
        match turn(number, line) {
            Ok(turn) => sessions.add(turn, line, builder),
            Err(problem) => builder.add(number, line, Err(problem)),
        }
    }
    sessions.finish(builder);
}

fn turn(number: usize, line: &[u8]) -> Result<Turn, String> {
    // A list of four numbers would be taken for a record otherwise.
    if line.first() != Some(&b'{') {
        return Err(format!("is not a JSON object such as {EXAMPLE}"));
    }
    let parsed: Line =
        serde_json::from_slice(line).map_err(|error| explain(&error, line, EXAMPLE))?;
    let record = Record {
        at_ticks: parsed.timestamp.map(|ms| milliseconds("timestamp", ms)).transpose()?,
        prompt: parsed.input_length,
        output: parsed.output_length.unwrap_or(0),
        prefix_ids: parsed.hash_ids.0,
        ..Record::default()
    };
    let session = parsed.session_id.map(|name| match name {
        Name::Text(text) => text,
        Name::Number(number) => number.to_string(),
    });
    let delay_ticks = parsed.delay.map(|ms| milliseconds("delay", ms)).transpose()?;
    Ok(Turn { line: number, record, session, delay_ticks })
}

fn milliseconds(key: &str, milliseconds: f64) -> Result<i128, String> {
    // Beyond this a count of milliseconds is no longer exact as a float.
    if !(0.0..=9.0e15).contains(&milliseconds) {
        return Err(format!("`{key}` is not a time in milliseconds"));
    }
    Ok(ticks(milliseconds, TICKS_PER_MILLISECOND))
}

/// A time in units of so many ticks. Whole and fractional units apart, so that
/// an epoch stamp loses nothing.
pub(super) fn ticks(units: f64, ticks_per_unit: f64) -> i128 {
    let whole = units.floor();
    let fraction = ((units - whole) * ticks_per_unit + 0.5) as i128;
    whole as i128 * ticks_per_unit as i128 + fraction
}

/// serde_json counts lines within the one line it sees: keep the column only.
/// Where a member of `line` is missing, those that it has are told.
pub(super) fn explain(error: &serde_json::Error, line: &[u8], example: &str) -> String {
    let text = error.to_string();
    if let (true, Ok(Found(found))) =
        (text.starts_with("missing field"), serde_json::from_slice(line))
    {
        let what = text.split(" at line ").next().unwrap_or(&text);
        let names = if found.is_empty() { "nothing".to_owned() } else { found.join(", ") };
        return format!("{what}; it has {names}; a line looks like {example}");
    }
    let what = text.split(" at line ").next().unwrap_or(&text);
    let what = what
        .replace("expected u32", "expected a whole number below 2^32")
        .replace("expected u64", "expected a whole number below 2^64")
        .replace("expected f64", "expected a number");
    format!("column {}: {what}; a line looks like {example}", error.column())
}

/// Most names of members in a message.
const FOUND_MAX: usize = 12;

/// Names of the members of an object.
struct Found(Vec<String>);

impl<'de> Deserialize<'de> for Found {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let members = IndexMap::<String, IgnoredAny>::deserialize(from)?;
        Ok(Found(members.into_keys().take(FOUND_MAX).collect()))
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::{Span, TICKS_PER_SECOND};
    use crate::workload::{Format, ReadOptions, Trace, TraceCall, read_trace};
    use std::sync::Arc;

    fn read(text: &str, options: ReadOptions) -> Result<Arc<Trace>, String> {
        read_trace(Format::Mooncake, text.as_bytes(), "t.jsonl", options)
            .map_err(|mistakes| mistakes.iter().map(|m| format!("{m}\n")).collect())
    }

    const TWO: &str = "{\"timestamp\": 3000, \"input_length\": 1030, \"output_length\": 5, \
        \"hash_ids\": [7, 8, 9]}\n\n{\"timestamp\": 3000.5, \"input_length\": 2, \
        \"output_length\": 0, \"session_id\": \"x\"}";

    #[test]
    fn calls_and_their_prefix_ids() {
        let trace = read(TWO, ReadOptions::default()).unwrap();
        assert_eq!((trace.nodes, trace.block_tokens, trace.raised_calls), (3, 512, 1));
        let mut cursor = trace.cursor();
        assert_eq!(cursor.next().map(|call| (call.prompt, call.output)), Some((1_030, 5)));
        assert_eq!(cursor.ids(), 3);
        let at = Span::from_ticks(TICKS_PER_SECOND / 2_000);
        assert_eq!(cursor.next(), Some(TraceCall { at, prompt: 2, output: 1 }));
        assert_eq!((cursor.ids(), cursor.next()), (0, None));
    }

    #[test]
    fn the_first_calls_only() {
        let options = ReadOptions { calls_max: Some(1), ..ReadOptions::default() };
        let trace = read(&format!("{TWO}\nrubbish"), options).unwrap();
        assert_eq!(trace.calls, 1);
    }

    #[test]
    fn broken_lines_are_all_named_or_all_counted() {
        let text = format!(
            "{TWO}\nrubbish\n{{\"timestamp\": 1, \"input_length\": 1, \"output_length\": 1}}\n\
             {{\"timestamp\": 4000, \"input_length\": -1, \"output_length\": 1}}\n\
             {{\"timestamp\": 4000, \"output_length\": 1}}\n"
        );
        insta::assert_snapshot!(read(&text, ReadOptions::default()).unwrap_err());
        let skip = ReadOptions { skip_bad_lines: true, ..ReadOptions::default() };
        assert_eq!(read(&text, skip.clone()).unwrap().skipped_lines, 4);
        let nothing = read("rubbish", skip).unwrap_err();
        assert!(nothing.contains("no readable call (1 broken lines skipped)"), "{nothing}");
    }

    #[test]
    fn only_objects_are_calls() {
        for line in ["[0, 10, 20, [1]]", "null", "27", "\"timestamp\""] {
            let error = read(line, ReadOptions::default()).unwrap_err();
            assert!(error.contains("t.jsonl:1: `") && error.contains("JSON object"), "{error}");
        }
        let marked = format!("\u{feff}{TWO}\r\n");
        assert_eq!(read(&marked, ReadOptions::default()).unwrap().calls, 2);
    }

    #[test]
    fn many_broken_lines_end_in_a_count() {
        let error = read(&"x\n".repeat(25), ReadOptions::default()).unwrap_err();
        assert_eq!(error.lines().count(), 11);
        assert!(error.contains("15 more broken lines"), "{error}");
    }
}
