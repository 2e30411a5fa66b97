//! `export`: the calls that a scenario generates, as a trace for other tools.

use super::{Globals, blame};
use crate::error::{Error, Mistake, Result};
use crate::kernel::TICKS_PER_SECOND;
use crate::report::json;
use crate::scenario::Scenario;
use crate::study::{Generated, GeneratedCall};
use clap::{Args, ValueEnum};
use indicatif::HumanCount;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

const TICKS_PER_MILLISECOND: u64 = TICKS_PER_SECOND / 1_000;

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The scenario file; --out names the file to write
    scenario: PathBuf,
    /// Layout of the trace
    #[arg(long, value_enum, value_name = "NAME")]
    format: ExportFormat,
    /// Which replication's calls: the first is 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// Prompt tokens that one id stands for
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block_tokens: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// JSON lines of timestamp (ms), input_length, output_length, hash_ids
    Mooncake,
}

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

pub(super) fn export(args: &ExportArgs, globals: &Globals) -> Result<String> {
    let Some(path) = &globals.out else {
        let fix = "name the file to write, e.g. --out calls.jsonl".to_owned();
        return Err(wrong("--out", "says where the trace goes, and is missing", fix));
    };
    let loaded = globals.load(Some(&args.scenario))?;
    let scenario = &loaded.scenario;
    let generated = Generated::new(scenario, args.replication.into(), args.block_tokens);
    let notes = notes(args, scenario, &generated)?;
    let ExportFormat::Mooncake = args.format;
    let written = write(path, generated).map_err(|source| {
        let fix = "name a file in a folder that you may write to";
        blame("--out", Error::Io { action: "cannot write", path: path.clone(), source, fix })
    })?;
    if written.calls == 0 {
        let fix = "let its `duration` be longer".to_owned();
        let file = args.scenario.display().to_string();
        return Err(wrong(&file, "generates no call, so nothing was written", fix));
    }
    Ok(answer(path, scenario, &written, &notes, globals.json))
}

fn wrong(argument: &str, problem: &str, fix: String) -> Error {
    let (file, key, problem) = (argument.to_owned(), String::new(), problem.to_owned());
    Error::Invalid(vec![Mistake { file, line: None, key, value: None, problem, fix }])
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
    if open.iter().any(|(_, use_case)| use_case.session.is_some()) {
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

/// Writes the calls beside `path` and then renames, so that nobody sees a part;
/// without any call it leaves nothing.
fn write(path: &Path, mut generated: Generated<'_>) -> io::Result<Written> {
    if path.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let workshop = tempfile::Builder::new().prefix(".tokenmill-").tempdir_in(folder)?;
    let made = workshop.path().join("calls");
    let mut out = BufWriter::new(File::create(&made)?);
    let mut written = Written::default();
    let mut ids = Vec::new();
    while let Some(call) = generated.next(&mut ids) {
        written.count(&call);
        write_line(&mut out, &call, &ids)?;
    }
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    if written.calls > 0 {
        fs::rename(&made, path)?;
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
