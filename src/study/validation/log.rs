//! A log of a real server: the calls that it served, one by one, and the
//! scenario that its configuration amounts to.
//!
//! The layout is that of a folder with `meta.json` (engine arguments) and
//! `requests.jsonl` (one object a call: `input_toks`, `output_toks`, and the
//! engine's `queued_ts`, `scheduled_ts`, `first_token_ts`, `last_token_ts` in
//! seconds of one monotonic clock). The GPU is named by a cluster description
//! beside them, or else by the folder's name up to its first `_`. No constant
//! of the replay comes from here: times are measured, the rest is configuration.

use super::Constants;
use super::engine_args::{Meta, Place, argument};
use crate::error::{Error, Mistake, Result};
use crate::kernel::Span;
use crate::scenario::{Arrivals, Lengths, Overrides, Scenario, parse};
use crate::workload::{Trace, TraceCall};
use serde::Deserialize;
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;

/// Mistakes listed one by one; the rest are counted.
const MISTAKES_MAX: usize = 10;
/// Longest log, s: ten years, as for scenarios.
const LENGTH_S_MAX: f64 = 3_653.0 * 86_400.0;

/// A log that has been read.
#[derive(Clone, Debug)]
pub struct Log {
    /// Name, from the folder.
    pub name: String,
    /// Its calls in the order in which the engine queued them.
    pub calls: Vec<LoggedCall>,
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    pool: String,
    limits: String,
    meta: MetaText,
}

#[derive(Clone, Debug)]
struct MetaText {
    file: String,
    text: String,
}

/// One call as the server recorded it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LoggedCall {
    /// Queued by the engine, s after the first call.
    pub at_s: f64,
    /// Prompt tokens.
    pub prompt: u32,
    /// Output tokens.
    pub output: u32,
    /// Queued to first scheduling, s.
    pub queue_s: f64,
    /// Queued to first token, s.
    pub ttft_s: f64,
    /// Mean gap between tokens, s; calls of one token have none.
    pub tpot_s: Option<f64>,
    /// Queued to last token, s.
    pub e2e_s: f64,
}

/// What a folder holds, as text.
#[derive(Clone, Copy, Debug)]
pub struct LogText<'a> {
    /// Name of the folder.
    pub name: &'a str,
    /// Its path, for messages.
    pub folder: &'a Path,
    /// `meta.json`.
    pub meta: &'a str,
    /// `requests.jsonl`.
    pub requests: &'a str,
    /// The description of the cluster with the name of its file, where there is one.
    pub cluster: Option<(&'a str, &'a str)>,
}

#[derive(Deserialize)]
struct Line {
    input_toks: u32,
    output_toks: u32,
    queued_ts: f64,
    scheduled_ts: f64,
    first_token_ts: f64,
    last_token_ts: f64,
}

impl Log {
    /// Reads a log; `skip_bad_lines` leaves broken calls out and counts them.
    pub fn parse(text: LogText<'_>, skip_bad_lines: bool) -> Result<Log> {
        let name_of = |file: &str| text.folder.join(file).display().to_string();
        let meta_file = name_of("meta.json");
        let place = Place { file: &meta_file, text: text.meta };
        let hardware = hardware(&text, &name_of).map_err(Error::Invalid)?;
        let meta = Meta::parse(&place).map_err(Error::Invalid)?;
        let pool = meta.pool(&hardware, &place);
        let requests = name_of("requests.jsonl");
        let calls = calls(text.requests, &requests, skip_bad_lines);
        let ((pool, limits), (calls, skipped_lines)) = match (pool, calls) {
            (Ok(pool), Ok(calls)) => (pool, calls),
            (pool, calls) => {
                let mistakes = pool.err().into_iter().chain(calls.err()).flatten();
                return Err(Error::Invalid(mistakes.collect()));
            }
        };
        let meta = MetaText { file: meta_file, text: text.meta.to_owned() };
        Ok(Log { name: text.name.to_owned(), calls, skipped_lines, pool, limits, meta })
    }

    /// The scenario that replays it.
    pub fn scenario(&self, constants: Constants) -> Result<Scenario> {
        let (pool, limits, engine) = (&self.pool, &self.limits, constants.toml("vllm"));
        // One client stands in for the recorded arrivals until they are put in.
        let text = format!(
            "name = \"replay\"\n[[pool]]\nname = \"server\"\n{pool}\n[pool.engine]\n{limits}{engine}\
             [[use_case]]\nname = \"log\"\nprompt_tokens = 1\noutput_tokens = 1\n\
             arrivals = {{ process = \"closed-loop\", clients = 1, requests = 1 }}\n"
        );
        let parsed = parse(&text, &self.meta.file, Path::new(""), &Overrides::default());
        let mut scenario = parsed.map_err(|error| self.in_terms_of_arguments(error))?.scenario;
        let use_case = &mut scenario.use_cases[0];
        use_case.arrivals = Arrivals::Trace { trace: Arc::new(self.trace()), time_scale: 1.0 };
        use_case.lengths = Lengths::Recorded;
        Ok(scenario)
    }

    /// Mistakes of the generated scenario, where the log states their cause.
    fn in_terms_of_arguments(&self, error: Error) -> Error {
        let Error::Invalid(mistakes) = error else { return error };
        let place = Place { file: &self.meta.file, text: &self.meta.text };
        let restate = |m: Mistake| place.mistake(argument(&m.key), m.value, m.problem, m.fix);
        Error::Invalid(mistakes.into_iter().map(restate).collect())
    }

    fn trace(&self) -> Trace {
        let calls = self.calls.iter().map(|call| TraceCall {
            at: Span::from_seconds(call.at_s),
            prompt: call.prompt,
            output: call.output,
        });
        Trace::of(0, calls.map(|call| (call, &[][..])))
    }
}

/// The name of the GPU: what the cluster says, or the beginning of the folder's name.
fn hardware(
    text: &LogText<'_>,
    name_of: &impl Fn(&str) -> String,
) -> std::result::Result<String, Vec<Mistake>> {
    let Some((file, cluster)) = text.cluster else {
        return Ok(text.name.split('_').next().unwrap_or(text.name).to_owned());
    };
    let file = name_of(file);
    let mistake = |line, problem: String, fix: &str| {
        let (file, key, fix) = (file.clone(), "hardware".to_owned(), fix.to_owned());
        vec![Mistake { file, line, key, value: None, problem, fix }]
    };
    let cluster: Value = serde_json::from_str(cluster)
        .map_err(|error| mistake(Some(error.line()), error.to_string(), "mend the JSON"))?;
    let members = |value: &Value, key: &str| -> Vec<Value> {
        value[key].as_array().cloned().unwrap_or_default()
    };
    let instances = members(&cluster, "nodes").into_iter().flat_map(|n| members(&n, "instances"));
    let mut names: Vec<String> =
        instances.filter_map(|i| i["hardware"].as_str().map(str::to_owned)).collect();
    names.dedup();
    match <[String; 1]>::try_from(names) {
        Ok([name]) => Ok(name),
        Err(names) if names.is_empty() => {
            Err(mistake(None, "is missing".to_owned(), "name the GPU of nodes.instances"))
        }
        Err(names) => {
            let problem = format!("differs between instances: {}", names.join(", "));
            Err(mistake(None, problem, "replay one kind of GPU at a time"))
        }
    }
}

type Calls = (Vec<LoggedCall>, u64);

fn calls(text: &str, file: &str, skip_bad_lines: bool) -> std::result::Result<Calls, Vec<Mistake>> {
    let mistake = |line: Option<usize>, problem: String, fix: &str| Mistake {
        file: file.to_owned(),
        line,
        key: String::new(),
        value: None,
        problem,
        fix: fix.to_owned(),
    };
    let mut lines = Vec::new();
    let mut broken = Vec::new();
    for (index, text) in text.lines().enumerate().filter(|(_, text)| !text.trim().is_empty()) {
        match line(text) {
            Ok(line) => lines.push(line),
            Err(problem) => broken.push((index + 1, problem)),
        }
    }
    let fix = "mend the line, or leave such lines out with --skip-bad-lines";
    if !skip_bad_lines && !broken.is_empty() {
        let more = broken.len().saturating_sub(MISTAKES_MAX);
        let listed = broken.into_iter().take(MISTAKES_MAX);
        let mut mistakes: Vec<Mistake> =
            listed.map(|(number, problem)| mistake(Some(number), problem, fix)).collect();
        if more > 0 {
            mistakes.push(mistake(None, format!("{more} more broken lines"), fix));
        }
        return Err(mistakes);
    }
    lines.sort_by(|a, b| a.queued_ts.total_cmp(&b.queued_ts));
    let Some(first) = lines.first().map(|line| line.queued_ts) else {
        let problem = "has no readable call".to_owned();
        return Err(vec![mistake(None, problem, "give one JSON object a line")]);
    };
    if lines.last().is_some_and(|line| line.last_token_ts - first > LENGTH_S_MAX) {
        let problem = "spans more than ten years".to_owned();
        return Err(vec![mistake(None, problem, "give time stamps in seconds")]);
    }
    let calls = lines.iter().map(|line| line.call(first)).collect();
    Ok((calls, broken.len() as u64))
}

fn line(text: &str) -> std::result::Result<Line, String> {
    let line: Line = serde_json::from_str(text).map_err(|error| {
        let text = error.to_string();
        format!("column {}: {}", error.column(), text.split(" at line ").next().unwrap_or(&text))
    })?;
    if line.input_toks == 0 || line.output_toks == 0 {
        return Err("has no prompt or no output tokens".to_owned());
    }
    let stamps = [line.queued_ts, line.scheduled_ts, line.first_token_ts, line.last_token_ts];
    if !stamps.is_sorted() {
        return Err("is not in the order queued, scheduled, first token, last token".to_owned());
    }
    Ok(line)
}

impl Line {
    fn call(&self, origin: f64) -> LoggedCall {
        let gaps = f64::from(self.output_toks) - 1.0;
        let decoding = self.last_token_ts - self.first_token_ts;
        LoggedCall {
            at_s: self.queued_ts - origin,
            prompt: self.input_toks,
            output: self.output_toks,
            queue_s: self.scheduled_ts - self.queued_ts,
            ttft_s: self.first_token_ts - self.queued_ts,
            tpot_s: (gaps > 0.0).then(|| decoding / gaps),
            e2e_s: self.last_token_ts - self.queued_ts,
        }
    }
}

#[cfg(test)]
mod tests;
