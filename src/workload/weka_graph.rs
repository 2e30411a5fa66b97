//! WEKA's sessions as graphs.
//!
//! A call follows the one before it in its list, `think_time` after that has
//! ended. A sub-agent starts after the call before it; the call that comes next
//! waits for its end, unless it was launched to run beside (`async_launched`).
//! Where a call waits for sub-agents its pause is what the recording leaves after
//! the last of them: `think_time` counts from the call before.
//!
//! `t` of a sub-agent is when it started. Some recorders write when it ended
//! instead: then the call before had ended `duration_ms` earlier at the latest.
//! That is told by each sub-agent itself, and where both are possible by the
//! others of the file.
//!
//! A pause is that of tools where the request brings a `tool_result` among its
//! `input_types`; where it does not tell, if the request before it stopped for
//! `tool_use`. Permission prompts are part of it. Sub-agents are called as tools.

use super::graph::{Draft, DraftCall, Entry, Graph, NEVER, RecordedCall};
use super::ids::{Id, Ids};
use super::read::{Builder, ReadOptions, Record, Sink};
use super::strands::{Fork, Weaver};
use super::weka::{DEPTH_MAX, Place, SECONDS_MAX, each_session, expand};
use crate::error::Mistake;
use crate::kernel::Span;
use serde::Deserialize;
use std::io::BufRead;

/// What a session is, by kind.
pub(super) const MAIN: &str = "main";
/// Recorded instants may be off by this, s: some are whole seconds.
const SLACK_S: f64 = 1.0;

/// A call, or a sub-agent.
#[derive(Deserialize)]
struct Item {
    t: Option<f64>,
    #[serde(rename = "in")]
    input: Option<u32>,
    out: Option<u32>,
    #[serde(default)]
    hash_ids: Ids,
    hash_rle: Option<Vec<(Id, u64)>>,
    model: Option<String>,
    #[serde(default)]
    input_types: Vec<String>,
    stop: Option<String>,
    api_time: Option<f64>,
    think_time: Option<f64>,
    subagent_type: Option<String>,
    duration_ms: Option<f64>,
    status: Option<String>,
    requests: Option<Vec<Item>>,
}

impl Item {
    fn is_beside(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.contains("async"))
    }

    /// Whether a request that follows one which called tools, or not, brings what
    /// they returned.
    fn follows_tools(&self, were_called: bool) -> bool {
        match &*self.input_types {
            [] => were_called,
            types => types.iter().any(|kind| kind == "tool_result"),
        }
    }
}

/// Nobody: sessions are kept as they are read.
struct Nobody;

impl Sink for Nobody {
    fn take(&mut self, _: usize, _: Record) -> Result<(), super::read::BadLine> {
        unreachable!("sessions are not taken apart")
    }
}

/// Reads sessions; `file` is their name in messages.
pub(super) fn read(
    mut input: impl BufRead,
    file: &str,
    options: ReadOptions,
) -> Result<Graph, Vec<Mistake>> {
    let mut nobody = Nobody;
    let mut builder = Builder::new(file, options, &mut nobody);
    let mut reader = Reader::default();
    reader.graph.kinds.push(MAIN.to_owned());
    reader.graph.has_instants = true;
    each_session(&mut input, &mut builder, &mut |place, items: Vec<Item>, builder| {
        if builder.is_full() {
            return;
        }
        let read = reader.session(place, &items, builder).map(|()| 1);
        builder.admit(place.line, place.shown.as_bytes(), read);
    });
    let tally = builder.finish()?;
    let Reader { mut graph, weaver, .. } = reader;
    graph.strands = u64::from(weaver.nodes());
    graph.notes.skipped_lines = tally.skipped_lines;
    graph.notes.contradiction = weaver.contradiction();
    Ok(graph)
}

/// What is known of the file so far.
#[derive(Default)]
struct Reader {
    graph: Graph,
    weaver: Weaver,
    /// Sub-agents whose `t` can only be their start, and only their end.
    starts: u64,
    ends: u64,
    forks: Vec<Fork>,
}

/// What holds for a list of requests.
struct Around {
    line: usize,
    scope: u32,
    block_tokens: u32,
    /// When the session began, s.
    zero_s: f64,
    depth: u32,
}

impl Reader {
    fn session(
        &mut self,
        place: &Place,
        items: &[Item],
        builder: &Builder<'_>,
    ) -> Result<(), String> {
        check(items, DEPTH_MAX)?;
        if count(items) == 0 {
            return Err("has no request with `in`".to_owned());
        }
        let around = Around {
            line: place.line,
            scope: place.scope,
            block_tokens: builder.tally.block_tokens,
            zero_s: items.first().and_then(|item| item.t).unwrap_or(0.0),
            depth: 0,
        };
        if self.graph.all_calls().len() as u64 + count(items) > Graph::CALLS_MAX as u64 {
            return Err("brings the recording above a hundred million calls".to_owned());
        }
        let draft = self.thread(MAIN.to_owned(), items, 0.0, &around)?;
        self.graph.add(draft);
        Ok(())
    }

    /// The thread of `items`, which count time from `start_s` after that of the session.
    fn thread(
        &mut self,
        kind: String,
        items: &[Item],
        start_s: f64,
        around: &Around,
    ) -> Result<Draft, String> {
        let mut draft = Draft { kind, ..Draft::default() };
        let mut end_s = start_s;
        // Of the last call, which `t` of the next counts from where there is no pause.
        let mut waits_until_s: Option<f64> = None;
        let mut calls_tools = false;
        let length = items.iter().filter(|item| item.requests.is_none()).count() as u32;
        for (at, item) in items.iter().enumerate() {
            let t_s = start_s + item.t.unwrap_or(0.0);
            if let Some(inner) = &item.requests {
                let next_s = items[at + 1..].iter().find(|next| next.requests.is_none());
                let next_s = next_s.map(|next| start_s + next.t.unwrap_or(0.0));
                let began_s = self.beginning(item, inner, t_s, end_s, next_s);
                let deeper = Around { depth: around.depth + 1, ..*around };
                let kind = name(item.subagent_type.as_deref());
                let mut child = self.thread(kind, inner, began_s, &deeper)?;
                if let Some(first) = child.calls.first_mut() {
                    let wait_s = began_s + inner[0].t.unwrap_or(0.0) - end_s;
                    first.call.pause = Span::from_seconds(wait_s);
                    first.call.after_tools = calls_tools;
                } else {
                    continue;
                }
                let took_s = item.duration_ms.map_or(0.0, |ms| ms / 1e3).max(length_s(inner));
                let join = if item.is_beside() { NEVER } else { draft.calls.len() as u32 };
                if join != NEVER {
                    let until = waits_until_s.get_or_insert(began_s + took_s);
                    *until = until.max(began_s + took_s);
                }
                let join = if join >= length && join != NEVER { length } else { join };
                match draft.calls.last_mut() {
                    Some(last) => last.starts.push((child, join)),
                    None => draft.starts.push((child, join)),
                }
                continue;
            }
            let thought_s = item.think_time.unwrap_or(t_s - end_s).max(0.0);
            let pause_s = match waits_until_s.take() {
                Some(until_s) => thought_s.min((t_s - until_s.max(end_s)).max(0.0)),
                None if draft.calls.is_empty() => t_s - start_s,
                None => thought_s,
            };
            let call = self.call(item, around)?;
            draft.calls.push(DraftCall {
                call: RecordedCall {
                    at: Span::from_seconds(t_s - around.zero_s),
                    api: Span::from_seconds(item.api_time.unwrap_or(0.0)),
                    pause: Span::from_seconds(pause_s),
                    after_tools: item.follows_tools(calls_tools),
                    ..call.call
                },
                ..call
            });
            end_s = t_s + item.api_time.unwrap_or(0.0).max(0.0);
            calls_tools = item.stop.as_deref() == Some("tool_use");
        }
        // The first call of a session begins it.
        if around.depth == 0 && draft.starts.is_empty() {
            draft.calls[0].call.pause = Span::ZERO;
        }
        end_runs(&mut draft, items, around.depth);
        Ok(draft)
    }

    /// When a sub-agent began: at its `t`, or at the latest that lets it end then.
    fn beginning(
        &mut self,
        item: &Item,
        inner: &[Item],
        t_s: f64,
        before_s: f64,
        next_s: Option<f64>,
    ) -> f64 {
        let Some(took_s) = item.duration_ms.map(|ms| ms / 1e3).filter(|_| !item.is_beside()) else {
            return t_s.max(before_s);
        };
        let took_s = took_s.max(length_s(inner));
        let may_end_at_t = t_s - took_s >= before_s - SLACK_S;
        let may_start_at_t = next_s.is_none_or(|next_s| t_s + took_s <= next_s + SLACK_S);
        self.ends += u64::from(may_end_at_t && !may_start_at_t);
        self.starts += u64::from(may_start_at_t && !may_end_at_t);
        let is_end = may_end_at_t && (!may_start_at_t || self.ends >= self.starts);
        let began_s = if is_end { t_s - took_s } else { t_s };
        began_s.max(before_s)
    }

    fn call(&mut self, item: &Item, around: &Around) -> Result<DraftCall, String> {
        let ids = match &item.hash_rle {
            Some(runs) => expand(runs)?,
            None => item.hash_ids.0.clone(),
        };
        if self.weaver.nodes() as usize + ids.len() >= u32::MAX as usize {
            return Err("brings the recording above four billion different blocks".to_owned());
        }
        let (input, output) = (item.input.unwrap_or(0), item.out.unwrap_or(0));
        self.graph.notes.raised_calls += u64::from(input == 0 || output == 0);
        let prompt = input.max(1);
        self.forks.clear();
        let repeated = self.weaver.weave(around.scope, &ids, around.line, &mut self.forks);
        let tokens = |blocks: u32| around.block_tokens.saturating_mul(blocks);
        let covered = tokens(ids.len() as u32).min(prompt);
        let entry = |fork: &Fork| Entry { strand: fork.strand, from: tokens(fork.block) };
        let text = self.forks.iter().map(entry).filter(|entry| entry.from < covered);
        let call = RecordedCall {
            prompt,
            output: output.max(1),
            repeated: tokens(repeated).min(covered),
            covered,
            model: self.graph.model(item.model.as_deref()),
            ..RecordedCall::default()
        };
        Ok(DraftCall { call, text: text.collect(), starts: Vec::new() })
    }
}

/// Marks the calls that answer what a user asked for, unless the next one waits for
/// sub-agents.
fn end_runs(draft: &mut Draft, items: &[Item], depth: u32) {
    if depth > 0 {
        return;
    }
    let calls = items.iter().filter(|item| item.requests.is_none());
    for (call, item) in draft.calls.iter_mut().zip(calls) {
        let is_free = call.starts.iter().all(|(_, join)| *join == NEVER);
        call.call.ends_run = is_free && item.stop.as_deref() == Some("end_turn");
    }
}

/// Refuses what no thread can be made of.
fn check(items: &[Item], depth: u32) -> Result<(), String> {
    for item in items {
        let t = item.t.unwrap_or(0.0);
        if !(0.0..=SECONDS_MAX).contains(&t) {
            return Err(format!("`t` = {t} is not a time within ten years"));
        }
        let times = [
            ("api_time", item.api_time),
            ("think_time", item.think_time),
            ("duration_ms", item.duration_ms.map(|ms| ms / 1e3)),
        ];
        for (key, seconds) in times {
            if seconds.is_some_and(|seconds| seconds > SECONDS_MAX) {
                return Err(format!("`{key}` of the request at t = {t} is more than ten years"));
            }
        }
        match &item.requests {
            Some(inner) => {
                let deeper = depth.checked_sub(1).ok_or("nests sub-agents too deeply")?;
                check(inner, deeper)?;
            }
            None if item.input.is_none() => {
                return Err(format!("the request at t = {t} has no `in`"));
            }
            None => {}
        }
    }
    Ok(())
}

/// Calls in all.
fn count(items: &[Item]) -> u64 {
    let of = |item: &Item| item.requests.as_ref().map_or(1, |inner| count(inner));
    items.iter().map(of).sum()
}

/// From the start of a sub-agent to the end of its last call, s.
fn length_s(items: &[Item]) -> f64 {
    let end = |item: &Item| {
        let inner = item.requests.as_ref().map_or(0.0, |inner| length_s(inner));
        item.t.unwrap_or(0.0) + item.api_time.unwrap_or(0.0).max(inner)
    };
    items.iter().map(end).fold(0.0, f64::max)
}

/// A kind of sub-agent as names are written here: `general-purpose`.
fn name(kind: Option<&str>) -> String {
    let letters = kind.unwrap_or_default().chars();
    let letter = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = letters.map(letter).collect();
    let name = name.trim_matches('-');
    match name {
        "" => "sub-agent".to_owned(),
        MAIN => format!("sub-agent-{MAIN}"),
        name => name.to_owned(),
    }
}
