//! The calls that a scenario generates, as a trace.

use super::super::Globals;
use super::{ExportArgs, written, wrong};
use crate::error::Result;
use crate::kernel::TICKS_PER_SECOND;
use crate::report::json;
use crate::scenario::Scenario;
use crate::study::{Generated, GeneratedCall};
use indicatif::HumanCount;
use std::io::{self, Write};
use std::path::Path;

const TICKS_PER_MILLISECOND: u64 = TICKS_PER_SECOND / 1_000;

/// What was written.
#[derive(Debug, Default)]
struct Written {
    calls: u64,
    prompt_tokens: u64,
    output_tokens: u64,
    /// Calls of each use case.
    by_use_case: Vec<u64>,
    last_ms: u64,
}

pub(super) fn export(args: &ExportArgs, path: &Path, globals: &Globals) -> Result<String> {
    let loaded = globals.load(Some(&args.scenario))?;
    let scenario = &loaded.scenario;
    let generated = Generated::new(scenario, args.replication.into(), args.block_tokens);
    let notes = notes(args, scenario, &generated)?;
    let written = written(path, |out| write(out, generated), |written| written.calls > 0)?;
    if written.calls == 0 {
        let fix = "let its `duration` be longer".to_owned();
        let file = args.scenario.display().to_string();
        return Err(wrong(&file, "generates no call, so nothing was written", fix));
    }
    Ok(answer(path, scenario, &written, &notes, globals.json))
}

/// What the trace does not say of the scenario. A trace that says nothing is
/// refused.
fn notes(args: &ExportArgs, scenario: &Scenario, generated: &Generated<'_>) -> Result<Vec<String>> {
    let mut notes = Vec::new();
    let use_cases = scenario.use_cases.iter().enumerate();
    let (open, closed): (Vec<_>, Vec<_>) = use_cases.partition(|(at, _)| generated.is_open(*at));
    let closed: Vec<&str> = closed.iter().map(|(_, use_case)| use_case.name.as_str()).collect();
    if open.is_empty() {
        let problem = "has closed loops alone, whose calls come when answers do";
        let fix = "give a use case open arrivals, or a trace".to_owned();
        return Err(wrong(&args.scenario.display().to_string(), problem, fix));
    }
    if !closed.is_empty() {
        let names = closed.join(", ");
        notes.push(format!("left out, since calls of closed loops come when answers do: {names}"));
    }
    if open.iter().any(|(_, use_case)| use_case.has_sessions()) {
        notes.push(
            "turns of a session follow each other after the time to think alone, as if answers \
             took no time"
                .to_owned(),
        );
    }
    if open.iter().any(|(_, use_case)| use_case.cache_hit.is_some()) {
        notes.push("a `cache_hit` that is given is not in the trace".to_owned());
    }
    if args.block_tokens != 512 {
        notes.push(format!("replay it with block_tokens = {}", args.block_tokens));
    }
    Ok(notes)
}

fn write(out: &mut impl Write, mut generated: Generated<'_>) -> io::Result<Written> {
    let mut written = Written::default();
    let mut ids = Vec::new();
    while let Some(call) = generated.next(&mut ids) {
        written.count(&call);
        write_line(out, &call, &ids)?;
    }
    Ok(written)
}

/// The instant of a call in whole milliseconds, the nearest.
fn milliseconds(call: &GeneratedCall) -> u64 {
    (call.at.ticks() + TICKS_PER_MILLISECOND / 2) / TICKS_PER_MILLISECOND
}

fn write_line(out: &mut impl Write, call: &GeneratedCall, ids: &[u64]) -> io::Result<()> {
    let GeneratedCall { prompt, output, .. } = call;
    let at_ms = milliseconds(call);
    write!(
        out,
        "{{\"timestamp\": {at_ms}, \"input_length\": {prompt}, \"output_length\": {output}, \
         \"hash_ids\": ["
    )?;
    for (at, id) in ids.iter().enumerate() {
        let comma = if at > 0 { ", " } else { "" };
        write!(out, "{comma}{id}")?;
    }
    out.write_all(b"]}\n")
}

impl Written {
    fn count(&mut self, call: &GeneratedCall) {
        self.calls += 1;
        self.prompt_tokens += u64::from(call.prompt);
        self.output_tokens += u64::from(call.output);
        self.by_use_case.resize(self.by_use_case.len().max(call.use_case + 1), 0);
        self.by_use_case[call.use_case] += 1;
        self.last_ms = milliseconds(call);
    }
}

fn answer(
    path: &Path,
    scenario: &Scenario,
    written: &Written,
    notes: &[String],
    as_json: bool,
) -> String {
    let calls_of = |at: usize| written.by_use_case.get(at).copied().unwrap_or(0);
    let names = scenario.use_cases.iter().map(|use_case| use_case.name.clone());
    let by_name: Vec<(String, u64)> = names.zip((0..).map(calls_of)).collect();
    let last_s = written.last_ms as f64 / 1e3;
    if as_json {
        let use_cases: serde_json::Map<String, serde_json::Value> =
            by_name.into_iter().map(|(name, calls)| (name, calls.into())).collect();
        return json(&serde_json::json!({
            "file": path,
            "calls": written.calls,
            "prompt_tokens": written.prompt_tokens,
            "output_tokens": written.output_tokens,
            "last_s": last_s,
            "use_cases": use_cases,
            "notes": notes,
        }));
    }
    let by_name: Vec<String> =
        by_name.iter().map(|(name, calls)| format!("{name} {}", HumanCount(*calls))).collect();
    let mut text = format!(
        "wrote {}: {} calls ({}) up to {last_s:.3} s, {} prompt and {} output tokens\n",
        path.display(),
        HumanCount(written.calls),
        by_name.join(", "),
        HumanCount(written.prompt_tokens),
        HumanCount(written.output_tokens),
    );
    notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    text
}
