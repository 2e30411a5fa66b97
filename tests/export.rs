//! A scenario's calls leave it as a trace, and come back as they were.

mod common;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;
use tokenmill::kernel::TICKS_PER_SECOND;
use tokenmill::metrics::UseCaseRecord;
use tokenmill::scenario::{Arrivals, Overrides, Scenario, parse};
use tokenmill::study::Generated;

const POOL: &str = r#"
name = "exported"
seed = 3
regime = "terminating"
duration = "200 s"
[[pool]]
name = "gpu"
model = "llama-3.1-8b"
hardware = "h100-sxm"
"#;

/// Sessions of tenants behind house rules, and single calls behind the same.
const CHATS: &str = r#"
[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "1 /s" }
session = { turns = { distribution = "exponential", mean = 4 }, think = "7 s" }
prefix = [{ name = "rules", tokens = 1500 }, { tokens = 800, groups = 20, zipf = 1.2 }]
prompt_tokens = { distribution = "lognormal", median = 120, sigma = 0.9 }
output_tokens = { distribution = "lognormal", median = 90, sigma = 0.7 }
[[use_case]]
name = "search"
arrivals = { process = "poisson", rate = "2 /s" }
prefix = [{ name = "rules", tokens = 1500 }]
prompt_tokens = { distribution = "lognormal", median = 900, sigma = 0.6 }
output_tokens = 40
"#;

/// Calls a quarter of a second apart, whose instants are whole milliseconds.
const REGULAR: &str = r#"
[[use_case]]
name = "calls"
arrivals = { process = "constant", rate = "4 /s" }
prefix = [{ tokens = 1001 }, { tokens = { distribution = "uniform", low = 20, high = 900 }, groups = 9 }]
prompt_tokens = { distribution = "lognormal", median = 300, sigma = 0.9 }
output_tokens = { distribution = "lognormal", median = 60, sigma = 0.5 }
"#;

fn read(text: &str, folder: &Path) -> Scenario {
    let loaded = parse(text, "s.toml", folder, &Overrides::default());
    loaded.unwrap_or_else(|error| panic!("{error}")).scenario
}

fn export(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.current_dir(folder).args(["export", "s.toml", "--format", "mooncake"]).args(arguments);
    command
}

/// A folder with this scenario, its export, and the scenario that replays it.
fn round_trip(use_cases: &str, block_tokens: u32) -> (tempfile::TempDir, Scenario, Scenario) {
    let folder = tempfile::tempdir().unwrap();
    let text = POOL.to_owned() + use_cases;
    std::fs::write(folder.path().join("s.toml"), &text).unwrap();
    let block_tokens = block_tokens.to_string();
    export(folder.path(), &["--out", "t.jsonl", "--block-tokens", &block_tokens])
        .assert()
        .success();
    let replay = POOL.replace("duration = \"200 s\"", "").to_owned()
        + "[[use_case]]\nname = \"again\"\ntrace = { format = \"mooncake\", path = \"t.jsonl\", \
           block_tokens = "
        + &block_tokens
        + " }\n";
    let (original, replay) = (read(&text, folder.path()), read(&replay, folder.path()));
    (folder, original, replay)
}

fn served(scenario: &Scenario) -> Vec<UseCaseRecord> {
    let record = common::simulate(scenario);
    assert_eq!(record.cut_off, None);
    record.whole.use_cases
}

/// Calls, prompt and output tokens.
fn sums(served: &[UseCaseRecord]) -> [u64; 3] {
    let sum = |of: fn(&UseCaseRecord) -> u64| served.iter().map(of).sum();
    [sum(|case| case.calls), sum(|case| case.prompt_tokens), sum(|case| case.output_tokens)]
}

#[test]
fn calls_come_back_with_their_lengths_and_instants_to_the_millisecond() {
    let (_folder, original, replay) = round_trip(CHATS, 512);
    assert!(replay.warnings.is_empty(), "{:?}", replay.warnings);
    let Arrivals::Trace { trace, .. } = &replay.use_cases[0].arrivals else {
        panic!("arrivals of a trace")
    };
    let mut generated = Generated::new(&original, 0, 512);
    let (mut ids, mut calls, mut first, mut off_max) = (Vec::new(), 0, None, 0);
    for call in trace.cursor() {
        let own = generated.next(&mut ids).expect("as many calls as lines");
        let at = own.at.ticks() - *first.get_or_insert(own.at.ticks());
        assert_eq!((call.prompt, call.output), (own.prompt, own.output));
        off_max = off_max.max(at.abs_diff(call.at.ticks()));
        calls += 1;
    }
    assert_eq!(generated.next(&mut ids), None);
    println!("{calls} calls, at most {off_max} ticks off");
    assert!(calls > 800 && off_max <= TICKS_PER_SECOND / 1_000, "{calls} calls, {off_max}");
}

/// What is exported is what a run serves, by numbers that the run counts itself.
#[test]
fn an_episode_serves_the_calls_that_are_exported() {
    let mut all = Vec::new();
    let thinks = |thinking: &str| {
        // In chats beside the answer, in searches as a part of the output.
        let chats = CHATS.replacen("sigma = 0.7 }\n", &format!("sigma = 0.7 }}\n{thinking}\n"), 1);
        chats + "thinking = { share = 0.5 }\n"
    };
    let dropped = thinks("thinking = { probability = 0.5, tokens = 300 }");
    let kept = thinks("thinking = { probability = 0.5, tokens = 300, kept = true }");
    for use_cases in [CHATS, &dropped, &kept] {
        let (_folder, original, replay) = round_trip(use_cases, 512);
        let (original, replay) = (sums(&served(&original)), sums(&served(&replay)));
        println!("{original:?}");
        assert_eq!(original, replay);
        all.push(original);
    }
    // Thinking is output, and of prompts only where it is kept.
    let [[calls, prompts, outputs], dropped, kept] = all[..] else { panic!("three of them") };
    assert_eq!((dropped[0], dropped[1]), (calls, prompts));
    assert!(dropped[2] > outputs + calls * 30);
    assert_eq!((kept[0], kept[2]), (calls, dropped[2]));
    assert!(kept[1] > prompts + calls * 30);
}

/// With the engine's own block size, the cache finds the same, call by call at
/// the same instants.
#[test]
fn a_replay_hits_the_prefix_cache_like_the_original() {
    let (_folder, original, replay) = round_trip(REGULAR, 16);
    let (original, replay) = (served(&original), served(&replay));
    println!("{:?}, {} cached", sums(&original), original[0].cached_tokens);
    assert_eq!(sums(&original), sums(&replay));
    assert_eq!(original[0].cached_tokens, replay[0].cached_tokens);
    assert!(original[0].cached_tokens > original[0].prompt_tokens / 2);
}

#[test]
fn the_same_replication_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("s.toml"), POOL.to_owned() + CHATS).unwrap();
    let bytes = |arguments: &[&str]| {
        export(folder.path(), arguments).args(["--out", "t.jsonl"]).assert().success();
        std::fs::read(folder.path().join("t.jsonl")).unwrap()
    };
    let first = bytes(&[]);
    assert_eq!(first, bytes(&["--replication", "0"]));
    assert_ne!(first, bytes(&["--replication", "1"]));
    assert_ne!(first, bytes(&["--seed", "4"]));
    // Nothing but the scenario and the file: what was under way is gone.
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_a_trace_cannot_say_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let put = |use_cases: &str| {
        std::fs::write(folder.path().join("s.toml"), POOL.to_owned() + use_cases).unwrap();
    };
    let closed = "[[use_case]]\nname = \"loop\"\narrivals = { process = \"closed-loop\", \
                  clients = 3 }\nprompt_tokens = 9\noutput_tokens = 9\n";
    put(closed);
    let refused = export(folder.path(), &["--out", "t.jsonl"]).assert().code(2);
    refused.stderr(contains("s.toml: has closed loops alone"));
    put(REGULAR);
    let mut none = export(folder.path(), &["--out", "t.jsonl", "--set", "duration=\"9 ms\""]);
    none.assert().code(2).stderr(contains("s.toml: generates no call"));
    put(&(CHATS.to_owned() + closed));
    export(folder.path(), &[]).assert().code(2).stderr(contains("--out"));
    export(folder.path(), &["--out", "."]).assert().code(2).stderr(contains("--out"));
    assert!(!folder.path().join("t.jsonl").exists());
    let told = contains("come when answers do: loop").and(contains("time to think alone"));
    export(folder.path(), &["--out", "t.jsonl"]).assert().success().stdout(told);
    let json = export(folder.path(), &["--out", "t.jsonl", "--json"]).output().unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json.stdout).unwrap();
    let lines = std::fs::read_to_string(folder.path().join("t.jsonl")).unwrap().lines().count();
    assert_eq!(json["calls"].as_u64(), Some(lines as u64));
    assert_eq!(json["use_cases"]["loop"], 0);
}
