//! `cache`: replays a recording through a prefix cache, without time passing.

mod ask;

use super::columns::columns;
use super::job::{Job, OUTPUTS};
use super::{Globals, json, tell};
use crate::error::{Error, Mistake, Result};
use crate::kernel::Digest;
use crate::report::{self, CacheReport, Identity, Outputs};
use crate::study::{CacheQuestion, CacheReplay, Variant, replay_cache};
use crate::workload::{Format, PrefixTree, ReadOptions, Request, Turns, open_trace};
use ask::Asked;
use clap::Args;
use cpu_time::ProcessTime;
use indicatif::HumanCount;
use std::io::BufRead;
use std::path::{Path, PathBuf};

/// Arguments of `cache`.
#[derive(Debug, Args)]
pub(super) struct CacheArgs {
    /// The trace, packed with gzip, Zstandard or not: requests with the ids of their prompt blocks
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Capacities, comma-separated: counts of the trace's own blocks, or `inf`
    #[arg(long, value_name = "LIST", default_value = "inf", allow_hyphen_values = true)]
    capacity: String,
    /// Times to live, comma-separated: a block is gone when it was not asked for that
    /// long; seconds, a duration such as "5 min", or `inf`. Each goes with each capacity
    #[arg(long, value_name = "LIST", allow_hyphen_values = true)]
    ttl: Option<String>,
    /// Eviction policy: lru, lfu, s3-fifo, cost-aware, agent-hold, or ttl (lru with a time to live,
    /// 5 minutes unless --ttl says otherwise)
    #[arg(long, value_name = "NAME", default_value = "lru")]
    policy: String,
    /// Which blocks count: `all-blocks`, a last one that is not full included, or
    /// `full-blocks`, and so many hit that a token is left to compute
    #[arg(long, value_name = "NAME", default_value = "all-blocks")]
    variant: String,
    /// Layout of the trace: mooncake, weka or bailian [default: told by its first record]
    #[arg(long, value_name = "NAME")]
    format: Option<String>,
    /// What later turns of a session carry: `full` prompts, or the `delta` to the
    /// turn before [default: told by their first blocks]
    #[arg(long, value_name = "NAME")]
    turns: Option<String>,
    /// Prompt tokens of a block [default: 512 mooncake, 16 bailian, weka as the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block_tokens: Option<u32>,
    /// What an id names: `prefixes`, a block with all before it, or `blocks` alone
    #[arg(long, value_name = "NAME", default_value = "prefixes")]
    hash_ids: String,
    /// Time from the start of one session to the next, where sessions count from their
    /// own start (weka); seconds or a duration [default: all start at once]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    session_gap: Option<String>,
}

pub(super) fn cache(args: &CacheArgs, globals: &Globals) -> Result<String> {
    let asked = ask::read(args)?;
    let job = Job::start(globals)?;
    let cpu = ProcessTime::now();
    let (format, tree) = read(args, &asked, globals)?;
    let read_s = cpu.elapsed().as_secs_f64();
    let pieces = asked.question.capacities.len().min(1 << 16) as u32;
    let replay = job.compute(pieces, || replay_cache(&tree, &asked.question))?;
    tell(&speed(&replay, read_s, cpu.elapsed().as_secs_f64() - read_s));
    let name = args.trace.file_name().unwrap_or_default().to_string_lossy();
    let report = CacheReport {
        trace: &name,
        setting: setting(&tree, &replay, format),
        warnings: warnings(&tree, &asked.question, &replay),
        notes: notes(&tree, format),
        replay: &replay,
        version: env!("CARGO_PKG_VERSION"),
        command: &command(args),
    };
    report.warnings.iter().for_each(|warning| tell(&format!("warning: {warning}")));
    let identity = identity(&name, &tree, &replay);
    let dir = match &globals.out {
        Some(dir) => dir.clone(),
        None => report::default_dir(Path::new(OUTPUTS), &identity),
    };
    job.leave(&dir, &Outputs { identity, artifacts: report.artifacts() })?;
    if globals.json {
        return Ok(json(&serde_json::to_value(&replay.answers).expect("answers are JSON")));
    }
    let (head, rows) = report.table();
    let mut text = format!("{name}: {}\n\n{}", report.setting, columns(&head, &rows, 0));
    report.notes.iter().for_each(|note| text += &format!("note: {note}\n"));
    Ok(text + &format!("report: {}\n", dir.join("report.html").display()))
}

/// Reads the trace as a tree of blocks.
fn read(args: &CacheArgs, asked: &Asked, globals: &Globals) -> Result<(Format, PrefixTree)> {
    let name = args.trace.display().to_string();
    let wrong = |problem: String, fix: String| {
        let (key, file) = (String::new(), name.clone());
        Error::Invalid(vec![Mistake { file, line: None, key, value: None, problem, fix }])
    };
    let unreadable = |error: std::io::Error| {
        wrong(format!("cannot be read: {error}"), "give the path of a trace file".to_owned())
    };
    let mut input = open_trace(&args.trace).map_err(unreadable)?;
    let known = Format::names().collect::<Vec<_>>().join(", ");
    let found = match asked.format {
        Some(format) => Some(format),
        None => Format::detect(&mut input).map_err(unreadable)?,
    };
    let Some(format) = found else {
        if input.fill_buf().map_err(unreadable)?.is_empty() {
            return Err(wrong("is empty".to_owned(), "give a trace with calls in it".to_owned()));
        }
        let problem = "does not begin like a trace of a known format".to_owned();
        return Err(wrong(problem, format!("check the file, or name it with --format: {known}")));
    };
    let ids = "prefix caches need the ids of prompt blocks (`hash_ids`), which the formats \
               mooncake, weka and bailian have";
    if !format.has_prefix_ids() {
        let problem = format!("is in {}'s format, which has no prefix ids", format.name());
        return Err(wrong(problem, ids.to_owned()));
    }
    let options = ReadOptions {
        skip_bad_lines: globals.skip_bad_lines,
        calls_max: None,
        block_tokens: args.block_tokens,
        turns: asked.turns,
        session_gap_ticks: asked.session_gap_ticks,
        csv: None,
    };
    let tree = PrefixTree::read(format, input, &name, options, asked.ids_name);
    let tree = tree.map_err(Error::Invalid)?;
    if tree.parent.is_empty() {
        let requests = tree.requests.len();
        let problem = format!("has no prefix ids: none of its {requests} requests has `hash_ids`");
        return Err(wrong(problem, ids.to_owned()));
    }
    Ok((format, tree))
}

/// What was replayed.
fn setting(tree: &PrefixTree, replay: &CacheReplay, format: Format) -> String {
    let at_s = |request: Option<&Request>| request.map_or(0.0, |request| request.at_s);
    let span_s = at_s(tree.requests.last()) - at_s(tree.requests.first());
    let Some(first) = replay.answers.first() else { return String::new() };
    format!(
        "{} requests over {span_s:.0} s ({}), {} prompt tokens in {} blocks of {}, {} of them \
         different; policy {}, {}",
        HumanCount(first.requests),
        format.name(),
        HumanCount(first.prompt_tokens),
        HumanCount(first.blocks),
        first.block_tokens,
        HumanCount(first.unique_blocks),
        first.policy,
        first.variant,
    )
}

/// What must be known before any figure.
fn warnings(tree: &PrefixTree, question: &CacheQuestion, replay: &CacheReplay) -> Vec<String> {
    let mut warnings = Vec::new();
    let (largest, number) = replay.largest;
    let is_small = |capacity: &&u64| **capacity < u64::from(largest);
    let small: Vec<String> = question
        .capacities
        .iter()
        .flatten()
        .filter(is_small)
        .map(|capacity| HumanCount(*capacity).to_string())
        .collect();
    if !small.is_empty() {
        warnings.push(format!(
            "a capacity of {} blocks is below the largest prompt, {largest} blocks in request \
             {number}: of such prompts only the start is kept",
            small.join(" and "),
        ));
    }
    let mut count = |requests: u64, what: &str| {
        if requests > 0 {
            warnings.push(format!("{} requests {what}", HumanCount(requests)));
        }
    };
    count(tree.without_ids, "have no ids: their prompts count, and never hit");
    count(
        tree.too_few_ids,
        "have fewer ids than full blocks in their prompts: the rest never hits; check \
         --block-tokens",
    );
    count(
        tree.too_many_ids,
        "have more ids than blocks in their prompts: all are kept, no more tokens hit than there \
         are; check --block-tokens",
    );
    warnings
}

/// What the figures rest on.
fn notes(tree: &PrefixTree, format: Format) -> Vec<String> {
    let mut notes = Vec::new();
    if tree.tally.skipped_lines > 0 {
        notes.push(format!("{} broken lines left out", tree.tally.skipped_lines));
    }
    if tree.tally.turns == Some(Turns::Delta) {
        notes.push(
            "later turns of a session carry what was added to the turn before, without the answer \
             to it (--turns delta)"
                .to_owned(),
        );
    }
    match format {
        Format::Weka => notes.push(
            "sessions count time from their own start; --session-gap says when they start [all at \
             once], requests are then replayed in order of time"
                .to_owned(),
        ),
        _ if tree.unsorted > 0 => notes.push(format!(
            "{} requests stood behind a later one; they were sorted by time",
            tree.unsorted
        )),
        _ => {}
    }
    notes
}

fn speed(replay: &CacheReplay, read_s: f64, replay_s: f64) -> String {
    let blocks = replay.answers.first().map_or(0, |answer| answer.blocks);
    format!(
        "read in {read_s:.3} CPU-s, replayed in {replay_s:.3} CPU-s: {} blocks per CPU-second",
        HumanCount((blocks as f64 / (read_s + replay_s).max(1e-9)) as u64),
    )
}

/// Names the folder of the outputs: the trace and what was found in it.
fn identity(name: &str, tree: &PrefixTree, replay: &CacheReplay) -> Identity {
    let mut digest = Digest::default();
    for request in &tree.requests {
        digest.word(request.at_s.to_bits());
        digest.word(u64::from(request.node) << 32 | u64::from(request.prompt));
    }
    for answer in &replay.answers {
        answer.policy.bytes().for_each(|byte| digest.word(byte.into()));
        digest.word(answer.capacity_blocks.unwrap_or(u64::MAX));
        digest.word(answer.ttl_s.unwrap_or(f64::INFINITY).to_bits());
        digest.word(answer.blocks);
        digest.word(answer.hit_blocks);
        digest.word(answer.hit_tokens);
    }
    let stem = name.split('.').next().unwrap_or(name);
    Identity {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        scenario: format!("cache-{stem}"),
        seed: 0,
        replications: 1,
        digest: digest.to_string(),
    }
}

/// The command line that makes the same figures.
fn command(args: &CacheArgs) -> String {
    let mut command =
        format!("tokenmill cache {} --capacity {}", args.trace.display(), args.capacity);
    let mut add = |name: &str, value: &str, default: &str| {
        if value != default {
            command += &format!(" --{name} \"{value}\"");
        }
    };
    add("ttl", args.ttl.as_deref().unwrap_or_default(), "");
    add("policy", &args.policy, "lru");
    add("variant", &args.variant, Variant::AllBlocks.name());
    add("format", args.format.as_deref().unwrap_or_default(), "");
    add("turns", args.turns.as_deref().unwrap_or_default(), "");
    add("block-tokens", &args.block_tokens.map_or(String::new(), |n| n.to_string()), "");
    add("hash-ids", &args.hash_ids, "prefixes");
    add("session-gap", args.session_gap.as_deref().unwrap_or_default(), "");
    command
}
