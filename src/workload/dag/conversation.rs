//! A conversation whose texts are counted.

use super::raw::{RawConversation, RawFork, RawRounds, RawSpawn, RawTurn};
use crate::kernel::Span;
use crate::workload::graph::NEVER;
use crate::workload::read::shorten;
use serde_json::Value;

/// Characters of a token, where tokens are not counted.
const TOKEN_CHARS: u64 = 4;
/// Most tokens of one message, or answer.
const TOKENS_MAX: u64 = 1 << 30;
/// Most rounds of a conversation that asks nothing itself.
const ROUNDS_MAX: u64 = 100_000;

/// A conversation, its texts counted.
pub(super) struct Conversation {
    pub line: usize,
    pub turns: Vec<Turn>,
    /// Those that start before the first turn.
    pub first: Vec<String>,
    /// Each turn carries all of its prompt.
    pub is_isolated: bool,
}

#[derive(Default)]
pub(super) struct Turn {
    /// What it adds to the prompt: a fold of each part, and its tokens.
    pub parts: Vec<(u64, u32)>,
    pub output: Option<u32>,
    pub is_estimated: bool,
    pub asks: bool,
    pub pause: Span,
    pub after_tools: bool,
    pub model: Option<String>,
    /// What it starts.
    pub starts: Vec<Start>,
}

pub(super) struct Start {
    pub child: String,
    pub is_fork: bool,
    pub join: u32,
}

/// The conversation on line `line`, with its name.
pub(super) fn read(line: usize, raw: RawConversation) -> Result<(String, Conversation), String> {
    let name = raw.session_id;
    let of = |problem: String| format!("session \"{}\": {problem}", shorten(name.as_bytes()));
    let mut turns = Vec::new();
    if raw.orchestrator {
        if !raw.turns.is_empty() {
            return Err(of("an orchestrator has no `turns` of its own".to_owned()));
        }
        turns = rounds(raw.rounds, &raw.spawns, raw.think_time_ms).map_err(of)?;
    } else if raw.turns.is_empty() {
        return Err(of("`turns` is empty".to_owned()));
    }
    let count = raw.turns.len();
    for (at, turn) in raw.turns.into_iter().enumerate() {
        turns.push(self::turn(at, count, turn).map_err(|it| of(format!("turn {at}: {it}")))?);
    }
    let is_isolated = raw.context_mode.as_deref() == Some("message_array_with_responses");
    Ok((name, Conversation { line, turns, first: raw.pre_session_spawns, is_isolated }))
}

/// Turns of a conversation that only starts others: a round each, and one that waits
/// for the last.
fn rounds(
    rounds: Option<RawRounds>,
    spawns: &[String],
    think_ms: Option<f64>,
) -> Result<Vec<Turn>, String> {
    let each: Vec<(Vec<String>, Option<f64>)> = match rounds {
        None => vec![(spawns.to_vec(), None)],
        Some(RawRounds::Count(count)) if count <= ROUNDS_MAX => {
            (0..count).map(|_| (spawns.to_vec(), None)).collect()
        }
        Some(RawRounds::Count(count)) => return Err(format!("`rounds` is {count}")),
        Some(RawRounds::Each(list)) => {
            list.into_iter().map(|round| (round.spawns, round.think_time_ms)).collect()
        }
    };
    if each.is_empty() || each.iter().any(|(spawns, _)| spawns.is_empty()) {
        return Err("an orchestrator needs `spawns`".to_owned());
    }
    let round = |(at, (spawns, own_ms)): (usize, (Vec<String>, Option<f64>))| {
        let join = at as u32 + 1;
        let start = |child: String| Start { child, is_fork: false, join };
        let pause = pause(own_ms.or(think_ms).unwrap_or(0.0))?;
        Ok(Turn { pause, starts: spawns.into_iter().map(start).collect(), ..Turn::default() })
    };
    let mut turns =
        each.into_iter().enumerate().map(round).collect::<Result<Vec<Turn>, String>>()?;
    turns.push(Turn::default());
    Ok(turns)
}

fn turn(at: usize, count: usize, raw: RawTurn) -> Result<Turn, String> {
    let mut parts = Vec::new();
    let mut is_estimated = false;
    let is_result = |message: &Value| message.get("role").is_some_and(|role| role == "tool");
    let after_tools = raw.messages.iter().any(is_result);
    for tool in raw.tools.iter().flatten() {
        parts.push(part("tool", &tool.to_string(), None, &mut is_estimated));
    }
    for message in &raw.messages {
        parts.push(said(message, &mut is_estimated)?);
    }
    if let Some(tokens) = raw.input_tokens {
        // All of it is one part with as many tokens as the file says.
        let fold = parts.iter().fold(FNV, |fold, (part, _)| mix_in(fold, &part.to_le_bytes()));
        parts = vec![(fold, tokens.clamp(1, TOKENS_MAX) as u32)];
        is_estimated = false;
    } else if raw.messages.is_empty() {
        return Err("has neither `messages` nor `input_tokens`".to_owned());
    }
    let extra = raw.extra.as_ref().and_then(|extra| extra.get("min_tokens")?.as_u64());
    let output = raw.output_tokens.or(raw.max_tokens).or(extra);
    let mut starts = Vec::new();
    for fork in raw.forks {
        let (child, background) = match fork {
            RawFork::Child(child) => (child, false),
            RawFork::Told { child, background } => (child, background),
        };
        if !background && at + 1 < count {
            return Err(format!(
                "forks \"{child}\" and goes on: say \"background\": true, or fork at the last turn"
            ));
        }
        // What follows the last turn is waited for before the thread ends.
        let join = if background { NEVER } else { count as u32 };
        starts.push(Start { child, is_fork: true, join });
    }
    for spawn in raw.spawns {
        let (children, join_at) = match spawn {
            RawSpawn::Child(child) => (vec![child], None),
            RawSpawn::Told { children, join_at } => (children, join_at),
        };
        if children.is_empty() {
            return Err("spawns nobody".to_owned());
        }
        if let Some(join) = join_at
            && !(at + 1..count).contains(&(join as usize))
        {
            return Err(format!("`join_at` is {join}: it is a later turn of {count}, from 0"));
        }
        let join = join_at.unwrap_or(at as u32 + 1);
        starts.extend(children.into_iter().map(|child| Start { child, is_fork: false, join }));
    }
    for (number, start) in starts.iter().enumerate() {
        if starts[..number].iter().any(|other| other.child == start.child) {
            return Err(format!("starts \"{}\" twice", start.child));
        }
    }
    let output = output.map(|output| output.clamp(1, TOKENS_MAX) as u32);
    let pause = pause(raw.delay)?;
    let model = raw.model;
    Ok(Turn { parts, output, is_estimated, asks: true, pause, after_tools, model, starts })
}

fn pause(ms: f64) -> Result<Span, String> {
    match ms {
        0.0..=3.2e14 => Ok(Span::from_seconds(ms / 1e3)),
        _ => Err(format!("a pause of {ms} ms is none within ten years")),
    }
}

const FNV: u64 = 0xcbf2_9ce4_8422_2325;

fn mix_in(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
}

/// A message: what tells it from others, and its tokens.
fn said(message: &Value, is_estimated: &mut bool) -> Result<(u64, u32), String> {
    let role = message.get("role").and_then(Value::as_str).ok_or("a message has no `role`")?;
    let told = ["tokens", "token_count"].iter().find_map(|key| message.get(key)?.as_u64());
    let mut text = String::new();
    match message.get("content") {
        Some(Value::String(content)) => text.push_str(content),
        Some(Value::Array(parts)) => {
            for part in parts {
                match part.get("text").and_then(Value::as_str) {
                    Some(part) => text.push_str(part),
                    // A picture has no tokens here; its kind tells it from others.
                    None => text.push_str(part.get("type").and_then(Value::as_str).unwrap_or("")),
                }
            }
        }
        _ => {}
    }
    if let Some(calls) = message.get("tool_calls") {
        text.push_str(&calls.to_string());
    }
    Ok(part(role, &text, told, is_estimated))
}

fn part(role: &str, text: &str, told: Option<u64>, is_estimated: &mut bool) -> (u64, u32) {
    *is_estimated |= told.is_none();
    let tokens = told.unwrap_or_else(|| (text.chars().count() as u64).div_ceil(TOKEN_CHARS));
    let tokens = tokens.clamp(1, TOKENS_MAX);
    let bytes = [role.as_bytes(), b"\n", text.as_bytes(), &tokens.to_le_bytes()];
    (bytes.into_iter().fold(FNV, mix_in), tokens as u32)
}
