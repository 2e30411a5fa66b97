//! Draws the sample traces of `scenarios/traces`: nothing in them was recorded.
//!
//! `cargo run --example make_sample_traces` writes the same bytes each time.
//!
//! - Azure: 300 calls, Poisson at 4 /s; prompts lognormal (median 1,000, sigma
//!   1.1, at most 14,000), outputs lognormal (median 130, sigma 0.9, at most
//!   1,500).
//! - BurstGPT: 200 calls, Poisson at 2 /s, two models in turn at random; prompts
//!   lognormal (median 600, sigma 1.0), outputs lognormal (median 180, sigma 0.8);
//!   every 40th call failed.
//! - Log: 120 calls a quarter of a second apart, in milliseconds, under column names
//!   of its own; prompts lognormal (median 1,500, sigma 0.7), outputs lognormal
//!   (median 90, sigma 0.6).
//! - Mooncake: 60 conversations of 5 turns, first turns Poisson at 0.5 /s, 20 s
//!   (exponential) between turns; a conversation shares a system prompt of 1,024
//!   tokens with all others, starts with lognormal (median 2,000, sigma 0.8)
//!   tokens, and grows by its answer (lognormal, median 200, sigma 0.7) and a
//!   question (lognormal, median 300, sigma 0.8) a turn.
//! - Bailian: 40 chats of 3 turns, first turns Poisson at 0.5 /s, 30 s
//!   (exponential) between turns, all behind a system prompt of 160 tokens;
//!   messages lognormal (median 60, sigma 0.8), answers (median 150, sigma 0.7).
//! - WEKA: 8 sessions of a coding agent with 15 requests each, 10 s
//!   (exponential) between them; the first prompt lognormal (median 12,000, sigma
//!   0.3), each later one longer by lognormal (median 700, sigma 1.1); answers
//!   lognormal (median 200, sigma 0.8). Every second session sends out a
//!   sub-agent of 5 requests, whose first prompt has 8,000 tokens.
//! - Sessions, in WEKA's format with times: 6 sessions of a coding agent with 3 runs of
//!   5 requests each, prompts and answers as above; 3 s (exponential) between requests
//!   of a run, 60 s between runs, answers in 1.3 s and 15 ms a token. In the second run
//!   two sub-agents of 4 requests are sent out side by side, in every third session
//!   one more that nobody waits for.
//! - DAG, AIPerf's conversations: 8 researchers, whose plan spawns 3 searches of 3 turns
//!   each; a report is written when all are back, while a fork in the background names
//!   the conversation. All share a system prompt of 2,000 tokens.

use std::fmt::Write;
use tokenmill::random::{Component, Distribution, Stream, Streams, entity};

const BLOCK: u64 = 512;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios/traces");
    std::fs::create_dir_all(folder)?;
    std::fs::write(format!("{folder}/sample-azure.csv"), azure()?)?;
    std::fs::write(format!("{folder}/sample-burstgpt.csv"), burstgpt()?)?;
    std::fs::write(format!("{folder}/sample-log.csv"), log()?)?;
    std::fs::write(format!("{folder}/sample-mooncake.jsonl"), mooncake()?)?;
    std::fs::write(format!("{folder}/sample-bailian.jsonl"), bailian()?)?;
    std::fs::write(format!("{folder}/sample-weka.jsonl"), weka()?)?;
    std::fs::write(format!("{folder}/sample-sessions.jsonl"), sessions()?)?;
    std::fs::write(format!("{folder}/sample-dag.jsonl"), dag()?)?;
    Ok(())
}

fn azure() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = stream("azure");
    let gap = Distribution::exponential(0.25)?;
    let prompt = Distribution::lognormal(1_000.0, 1.1)?.with_bounds(1.0, 14_000.0)?;
    let output = Distribution::lognormal(130.0, 0.9)?.with_bounds(1.0, 1_500.0)?;
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    let mut at = 0.0;
    for _ in 0..300 {
        at += gap.sample(&mut stream);
        let (minute, second) = ((at / 60.0) as u64, at % 60.0);
        let prompt = prompt.sample_tokens(&mut stream);
        let output = output.sample_tokens(&mut stream);
        writeln!(text, "2026-01-05 09:{minute:02}:{second:010.7},{prompt},{output}")?;
    }
    Ok(text)
}

fn burstgpt() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = stream("burstgpt");
    let gap = Distribution::exponential(0.5)?;
    let model = Distribution::uniform(0.0, 2.0)?;
    let prompt = Distribution::lognormal(600.0, 1.0)?.with_bounds(1.0, 12_000.0)?;
    let output = Distribution::lognormal(180.0, 0.8)?.with_bounds(1.0, 2_000.0)?;
    let mut text =
        "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n".to_owned();
    let mut at = 0.0;
    for call in 1..=200 {
        at += gap.sample(&mut stream);
        let model = if model.sample(&mut stream) < 1.0 { "small" } else { "large" };
        let prompt = prompt.sample_tokens(&mut stream);
        let output = if call % 40 == 0 { 0 } else { output.sample_tokens(&mut stream) };
        let total = prompt + output;
        writeln!(text, "{at:.3},{model},{prompt},{output},{total},Conversation log")?;
    }
    Ok(text)
}

fn log() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = stream("log");
    let prompt = Distribution::lognormal(1_500.0, 0.7)?.with_bounds(1.0, 14_000.0)?;
    let output = Distribution::lognormal(90.0, 0.6)?.with_bounds(1.0, 1_000.0)?;
    let mut text = "id,received_ms,input,output\n".to_owned();
    for call in 0..120 {
        let prompt = prompt.sample_tokens(&mut stream);
        let output = output.sample_tokens(&mut stream);
        writeln!(text, "{call},{},{prompt},{output}", 1_767_600_000_000_u64 + 250 * call)?;
    }
    Ok(text)
}

fn mooncake() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = stream("mooncake");
    let start_gap = Distribution::exponential(2.0)?;
    let pause = Distribution::exponential(20.0)?;
    let first = Distribution::lognormal(2_000.0, 0.8)?.with_bounds(1.0, 30_000.0)?;
    let question = Distribution::lognormal(300.0, 0.8)?;
    let answer = Distribution::lognormal(200.0, 0.7)?.with_bounds(1.0, 2_000.0)?;
    let system_ids: Vec<u64> = (0..1_024 / BLOCK).collect();
    let mut next_id = system_ids.len() as u64;
    let mut calls: Vec<(u64, String)> = Vec::new();
    let mut start = 0.0;
    for _ in 0..60 {
        start += start_gap.sample(&mut stream);
        let mut at = start;
        let mut prompt = 1_024 + u64::from(first.sample_tokens(&mut stream));
        let mut ids = system_ids.clone();
        for _ in 0..5 {
            let hashed = hashed(&mut ids, prompt, BLOCK, &mut next_id);
            let output = u64::from(answer.sample_tokens(&mut stream));
            let ms = (at * 1e3) as u64;
            calls.push((
                ms,
                format!(
                    "{{\"timestamp\": {ms}, \"input_length\": {prompt}, \"output_length\": \
                     {output}, \"hash_ids\": {hashed:?}}}\n"
                ),
            ));
            prompt += output + u64::from(question.sample_tokens(&mut stream));
            at += pause.sample(&mut stream);
        }
    }
    calls.sort();
    Ok(calls.into_iter().map(|(_, line)| line).collect())
}

/// Ids of all blocks of a prompt, of which `ids` are those of the full blocks that
/// went before; takes in the new full ones. The last, partial block has another id
/// each time, for it changes as the prompt grows.
fn hashed(ids: &mut Vec<u64>, prompt: u64, block: u64, next_id: &mut u64) -> Vec<u64> {
    let mut new = || {
        *next_id += 1;
        *next_id - 1
    };
    while (ids.len() as u64) < prompt / block {
        ids.push(new());
    }
    let mut hashed = ids.clone();
    if !prompt.is_multiple_of(block) {
        hashed.push(new());
    }
    hashed
}

fn bailian() -> Result<String, Box<dyn std::error::Error>> {
    const BLOCK: u64 = 16;
    let mut stream = stream("bailian");
    let start_gap = Distribution::exponential(2.0)?;
    let pause = Distribution::exponential(30.0)?;
    let message = Distribution::lognormal(60.0, 0.8)?;
    let answer = Distribution::lognormal(150.0, 0.7)?.with_bounds(1.0, 1_000.0)?;
    let (mut next_id, mut next_chat) = (10, 1);
    let mut calls: Vec<(u64, String)> = Vec::new();
    let mut start = 0.0;
    for _ in 0..40 {
        start += start_gap.sample(&mut stream);
        let (mut at, mut parent, mut prompt) = (start, -1, 160);
        let mut ids: Vec<u64> = (0..10).collect();
        for turn in 1..=3 {
            prompt += u64::from(message.sample_tokens(&mut stream));
            let hashed = hashed(&mut ids, prompt, BLOCK, &mut next_id);
            let output = u64::from(answer.sample_tokens(&mut stream));
            calls.push((
                (at * 1e3) as u64,
                format!(
                    "{{\"chat_id\": {next_chat}, \"parent_chat_id\": {parent}, \"timestamp\": \
                     {at:.3}, \"input_length\": {prompt}, \"output_length\": {output}, \
                     \"type\": \"text\", \"turn\": {turn}, \"hash_ids\": {hashed:?}}}\n"
                ),
            ));
            (parent, next_chat) = (next_chat, next_chat + 1);
            prompt += output;
            at += pause.sample(&mut stream);
        }
    }
    calls.sort();
    Ok(calls.into_iter().map(|(_, line)| line).collect())
}

fn weka() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = stream("weka");
    let first = Distribution::lognormal(12_000.0, 0.3)?;
    let (mut text, own) = (String::new(), Distribution::constant(8_000.0)?);
    for session in 0..8 {
        let mut requests = agent(&mut stream, &first, 15, 1)?;
        if session % 2 == 1 {
            let inner = agent(&mut stream, &own, 5, 10_001)?.join(", ");
            let spawned = format!(
                "{{\"t\": 60.0, \"type\": \"subagent\", \"agent_id\": \"a{session}\", \
                 \"status\": \"completed\", \"requests\": [{inner}]}}"
            );
            requests.insert(7, spawned);
        }
        writeln!(
            text,
            "{{\"id\": \"s{session}\", \"block_size\": 64, \"hash_id_scope\": \"local\", \
             \"requests\": [{}]}}",
            requests.join(", ")
        )?;
    }
    Ok(text)
}

/// Requests of an agent whose prompts grow; its ids start with `id`.
fn agent(
    stream: &mut Stream,
    first: &Distribution,
    requests: u32,
    id: u64,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let pause = Distribution::exponential(10.0)?;
    let growth = Distribution::lognormal(700.0, 1.1)?.with_bounds(1.0, 20_000.0)?;
    let answer = Distribution::lognormal(200.0, 0.8)?.with_bounds(1.0, 4_000.0)?;
    let (mut at, mut prompt) = (0.0, first.sample_tokens(stream));
    let mut request = |_| {
        let output = answer.sample_tokens(stream);
        let blocks = prompt / 64;
        let line = format!(
            "{{\"t\": {at:.1}, \"type\": \"n\", \"in\": {prompt}, \"out\": {output}, \
             \"hash_rle\": [[{id}, {blocks}]]}}"
        );
        prompt += output + growth.sample_tokens(stream);
        at += pause.sample(stream);
        line
    };
    Ok((0..requests).map(&mut request).collect())
}

/// Draws requests with their times.
struct Timed {
    stream: Stream,
    growth: Distribution,
    answer: Distribution,
    pause: Distribution,
}

impl Timed {
    /// The next request of an agent, `think` s after its last one; `at` and `prompt`
    /// move on to the one that follows.
    fn request(
        &mut self,
        at: &mut f64,
        prompt: &mut u32,
        think: f64,
        id: u64,
        stop: &str,
    ) -> String {
        let output = self.answer.sample_tokens(&mut self.stream);
        let blocks = *prompt / 64;
        *at += think;
        let api = 1.3 + 0.015 * f64::from(output);
        let line = format!(
            "{{\"t\": {at:.2}, \"type\": \"s\", \"in\": {prompt}, \"out\": {output}, \
             \"hash_rle\": [[{id}, {blocks}]], \"stop\": \"{stop}\", \"api_time\": {api:.2}, \
             \"think_time\": {think:.2}}}"
        );
        *at += api;
        *prompt += output + self.growth.sample_tokens(&mut self.stream);
        line
    }

    fn think(&mut self) -> f64 {
        self.pause.sample(&mut self.stream)
    }

    /// A sub-agent of 4 requests that starts at `at`, and how long it takes.
    fn sub_agent(&mut self, at: f64, id: u64, kind: &str, status: &str) -> (String, f64) {
        let (mut inner_at, mut prompt, mut inner) = (0.0, 8_000, Vec::new());
        for request in 0..4 {
            let think = if request == 0 { 0.0 } else { self.think() };
            let stop = if request < 3 { "tool_use" } else { "end_turn" };
            inner.push(self.request(&mut inner_at, &mut prompt, think, id, stop));
        }
        let line = format!(
            "{{\"t\": {at:.2}, \"type\": \"subagent\", \"agent_id\": \"a{id}\", \
             \"subagent_type\": \"{kind}\", \"duration_ms\": {:.0}, \"status\": \"{status}\", \
             \"requests\": [{}]}}",
            inner_at * 1e3,
            inner.join(", ")
        );
        (line, inner_at)
    }
}

fn sessions() -> Result<String, Box<dyn std::error::Error>> {
    let first = Distribution::lognormal(12_000.0, 0.3)?;
    let gap = Distribution::exponential(60.0)?;
    let mut timed = Timed {
        stream: stream("sessions"),
        growth: Distribution::lognormal(700.0, 1.1)?.with_bounds(1.0, 20_000.0)?,
        answer: Distribution::lognormal(200.0, 0.8)?.with_bounds(1.0, 4_000.0)?,
        pause: Distribution::exponential(3.0)?,
    };
    let mut text = String::new();
    for session in 0..6 {
        let (mut at, mut prompt) = (0.0, first.sample_tokens(&mut timed.stream));
        let mut lines = Vec::new();
        for request in 0..15 {
            let mut think = match request {
                0 => 0.0,
                5 | 10 => gap.sample(&mut timed.stream),
                _ => timed.think(),
            };
            let stop = if request % 5 == 4 { "end_turn" } else { "tool_use" };
            if request == 7 {
                let mut longest: f64 = 0.0;
                for id in [10_001, 10_001 + 200 * (session + 1)] {
                    let (line, took) = timed.sub_agent(at + 0.1, id, "Explore", "completed");
                    lines.push(line);
                    longest = longest.max(took + 0.1);
                }
                if session % 3 == 0 {
                    let beside = timed.sub_agent(at + 0.1, 30_001, "Review", "async_launched");
                    lines.push(beside.0);
                }
                think += longest;
            }
            lines.push(timed.request(&mut at, &mut prompt, think, 1, stop));
        }
        writeln!(
            text,
            "{{\"id\": \"s{session}\", \"block_size\": 64, \"hash_id_scope\": \"local\", \
             \"requests\": [{}]}}",
            lines.join(", ")
        )?;
    }
    Ok(text)
}

fn dag() -> Result<String, Box<dyn std::error::Error>> {
    let mut stream = stream("dag");
    let question = Distribution::lognormal(150.0, 0.6)?;
    let page = Distribution::lognormal(3_000.0, 0.7)?.with_bounds(1.0, 20_000.0)?;
    let pause = Distribution::exponential(2_000.0)?;
    let system = "{\"role\": \"system\", \"content\": \"You are a researcher.\", \"tokens\": 2000}";
    let user = |content: String, tokens: u32| {
        format!("{{\"role\": \"user\", \"content\": \"{content}\", \"tokens\": {tokens}}}")
    };
    let mut text = String::new();
    for root in 0..8 {
        let asked = user(format!("question {root}"), question.sample_tokens(&mut stream));
        writeln!(
            text,
            "{{\"session_id\": \"r{root}\", \"turns\": [{{\"messages\": [{system}, {asked}], \
             \"max_tokens\": 300, \"spawns\": [\"r{root}-0\", \"r{root}-1\", \"r{root}-2\"], \
             \"forks\": [{{\"child\": \"r{root}-name\", \"background\": true}}]}}, \
             {{\"messages\": [{}], \"max_tokens\": 900}}]}}",
            user(format!("findings {root}"), 2_400)
        )?;
        writeln!(
            text,
            "{{\"session_id\": \"r{root}-name\", \"turns\": [{{\"messages\": [{}], \
             \"max_tokens\": 12}}]}}",
            user("Name this conversation.".to_owned(), 8)
        )?;
        for search in 0..3 {
            let task = user(format!("search {root} {search}"), question.sample_tokens(&mut stream));
            let mut turns =
                vec![format!("{{\"messages\": [{system}, {task}], \"max_tokens\": 120}}")];
            for found in 0..2 {
                let found = format!("page {root} {search} {found}");
                let result = user(found, page.sample_tokens(&mut stream));
                let delay = pause.sample(&mut stream);
                turns.push(format!(
                    "{{\"messages\": [{result}], \"max_tokens\": 250, \"delay\": {delay:.0}}}"
                ));
            }
            writeln!(
                text,
                "{{\"session_id\": \"r{root}-{search}\", \"turns\": [{}]}}",
                turns.join(", ")
            )?;
        }
    }
    Ok(text)
}

fn stream(name: &str) -> Stream {
    Streams::new(1, 0).stream(Component::Arrivals, entity(name), 0)
}
