//! The Qwen-Bailian trace: one JSON object a line with `timestamp` (s),
//! `input_length`, `output_length` (tokens) and `hash_ids`, one for 16 prompt
//! tokens (<https://github.com/alibaba-edu/qwen-bailian-usagetraces-anon>).
//! Turns carry whole prompts; `chat_id` and `parent_chat_id` tell which follow each
//! other.

use super::ids::{Id, Ids};
use super::mooncake::{explain, ticks};
use super::read::{Builder, Link, Record, next_line};
use crate::kernel::TICKS_PER_SECOND;
use serde::Deserialize;
use std::io::BufRead;

/// Prompt tokens of one block, as its authors chose.
const BLOCK_TOKENS: u32 = 16;
const EXAMPLE: &str = "{\"chat_id\": 159, \"parent_chat_id\": -1, \"timestamp\": 61.114, \
    \"input_length\": 521, \"output_length\": 132, \"hash_ids\": [..]}";

#[derive(Deserialize)]
struct Line {
    timestamp: Option<f64>,
    input_length: u32,
    output_length: Option<u32>,
    #[serde(default)]
    hash_ids: Ids,
    chat_id: Option<Id>,
    parent_chat_id: Option<Id>,
}

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    builder.default_block_tokens(BLOCK_TOKENS);
    let mut bytes = Vec::new();
    while let Some((number, line)) = next_line(input, &mut bytes, builder) {
        builder.add(number, line, record(line));
    }
}

fn record(line: &[u8]) -> Result<Record, String> {
    if line.first() != Some(&b'{') {
        return Err(format!("is not a JSON object such as {EXAMPLE}"));
    }
    let parsed: Line =
        serde_json::from_slice(line).map_err(|error| explain(&error, line, EXAMPLE))?;
    let at_ticks = match parsed.timestamp {
        None => None,
        Some(seconds) if (0.0..=9.0e12).contains(&seconds) => {
            Some(ticks(seconds, TICKS_PER_SECOND as f64))
        }
        Some(_) => return Err("`timestamp` is not a time in seconds".to_owned()),
    };
    // Chats that go on from none have the parent -1.
    let parent = parsed.parent_chat_id.filter(|parent| *parent != Id(u64::MAX));
    let link = parsed
        .chat_id
        .map_or(Link::None, |own| Link::Chat { own: own.0, parent: parent.map(|parent| parent.0) });
    Ok(Record {
        at_ticks,
        prompt: parsed.input_length,
        output: parsed.output_length.unwrap_or(0),
        prefix_ids: parsed.hash_ids.0,
        scope: 0,
        link,
    })
}

#[cfg(test)]
mod tests {
    use crate::workload::{Format, ReadOptions, read_trace};

    #[test]
    fn seconds_and_blocks_of_sixteen() {
        let text = "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 61.114, \
            \"input_length\": 33, \"output_length\": 132, \"type\": \"text\", \"turn\": 1, \
            \"hash_ids\": [1, 2, 3]}\n{\"chat_id\": 2, \"parent_chat_id\": 1, \"timestamp\": 62.5, \
            \"input_length\": 20, \"output_length\": 1, \"hash_ids\": null}\n";
        let read = |text: &str| {
            read_trace(Format::Bailian, text.as_bytes(), "t.jsonl", ReadOptions::default())
        };
        let trace = read(text).unwrap();
        assert_eq!((trace.block_tokens, trace.nodes), (16, 3));
        assert_eq!((trace.calls, trace.length.seconds()), (2, 1.386));
        let wrong = read("{\"chat_id\": 1, \"timestamp\": -1, \"input_length\": 1}").unwrap_err();
        assert!(wrong[0].to_string().contains("t.jsonl:1"), "{wrong:?}");
    }
}
