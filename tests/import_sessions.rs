//! Sessions of a trace, and the prefix that its prompts share, come again.

mod common;

use common::Folder;
use serde_json::Value;

const CHATS: &str = r#"
name = "chats"
seed = 5
regime = "terminating"
duration = "2000 s"
[[pool]]
name = "gpu"
model = "llama-3.1-8b"
hardware = "h100-sxm"
[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "1 /s" }
session = { turns = { distribution = "exponential", mean = 4 }, think = "7 s", opening_tokens = 900 }
prefix = [{ name = "rules", tokens = 640 }]
prompt_tokens = { distribution = "lognormal", median = 120, sigma = 0.6 }
output_tokens = { distribution = "lognormal", median = 90, sigma = 0.7 }
"#;

#[track_caller]
fn answer(folder: &Folder, arguments: &[&str]) -> Value {
    let output = folder.tokenmill(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Blocks of 16 tokens tell the sessions of an export, which names none.
#[test]
fn sessions_are_found_in_the_blocks_of_their_prompts() {
    let folder = Folder::new(CHATS);
    let export =
        ["export", "s.toml", "--format", "mooncake", "--out", "t.jsonl", "--block-tokens", "16"];
    folder.tokenmill(&export).assert().success();
    let answer = answer(&folder, &["import", "t.jsonl", "--block-tokens", "16", "--json"]);
    let sessions = &answer["sessions"];
    println!("{sessions}");
    assert_eq!(sessions["prefix_tokens"], 640);
    assert_eq!(sessions["prefix_fraction"], 1.0);
    let near = |value: &Value, known: f64, share: f64| {
        assert!((number(value) / known - 1.0).abs() < share, "{value} for {known}");
    };
    // Of an exponential law with mean 4, rounded, at least 1: 1 + exp(-1.5 / 4) / (1 - exp(-1 / 4)).
    near(&sessions["turns"]["mean"], 4.107, 0.05);
    near(&sessions["opening_tokens"]["mean"], 900.0, 1e-9);
    near(&sessions["fresh_tokens"]["mean"], 120.0 * (0.18f64).exp(), 0.05);
    near(&sessions["median_think_s"], 7.0, 0.001);
    // The use case brings as many calls, with prompts as long.
    near(&answer["again"]["rate_per_s"], number(&answer["rate_per_s"]), 0.05);
    for quantile in answer["prompt_tokens"]["quantiles"].as_array().unwrap() {
        near(&quantile["again"], number(&quantile["trace"]), 0.08);
    }
    let fragment = answer["fragment"].as_str().unwrap();
    assert!(fragment.contains("opening_tokens = 900") && fragment.contains("tokens = 640 }]"));
    let single = ["import", "t.jsonl", "--block-tokens", "16", "--json", "--no-sessions"];
    let single = self::answer(&folder, &single);
    assert!(single["sessions"].is_null());
    assert_eq!(single["prompt_tokens"]["mean"], answer["prompt_tokens"]["mean"]);
}

/// Turns that carry what was added are the same calls to all who read them.
#[test]
fn turns_of_parts_are_taken_alike_by_run_cache_and_import() {
    let (mut full, mut parts) = (String::new(), String::new());
    for turn in 0..4u64 {
        for session in 0..60u64 {
            let id = |block: u64| (session * 100 + block).to_string();
            let all: Vec<String> = (0..=turn).map(id).collect();
            let line = |tokens: u64, ids: &str| {
                format!(
                    "{{\"timestamp\": {}, \"input_length\": {tokens}, \"output_length\": 9, \
                     \"hash_ids\": [{ids}], \"session_id\": \"s{session}\"}}\n",
                    turn * 90_000 + session * 1_000
                )
            };
            full += &line(512 * (turn + 1), &all.join(", "));
            parts += &line(512, &id(turn));
        }
    }
    let folder = Folder::new("");
    let mut seen = Vec::new();
    for (name, text) in [("full.jsonl", full), ("parts.jsonl", parts)] {
        std::fs::write(folder.path(name), text).unwrap();
        let imported = answer(&folder, &["import", name, "--name", "x", "--json"]);
        let cached = answer(&folder, &["cache", name, "--json", "--out", "c"]);
        folder.write(&format!(
            "name = \"replay\"\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \
             \"h100-sxm\"\n[[use_case]]\nname = \"calls\"\ntrace = {{ path = \"{name}\" }}\n"
        ));
        let run = answer(&folder, &["run", "s.toml", "--json", "--out", "r", "--no-progress"]);
        assert_eq!(number(&imported["sessions"]["turns"]["mean"]), 4.0);
        assert_eq!(number(&imported["sessions"]["later_fraction"]), 0.75);
        let tokens = number(&imported["prompt_tokens"]["mean"]) * number(&imported["calls"]);
        assert_eq!(tokens, number(&cached[0]["prompt_tokens"]));
        assert_eq!(imported["calls"], run["use_cases"]["calls"]["calls"]);
        seen.push((
            imported["fragment"].to_string().split_once(" by ").unwrap().1.to_owned(),
            cached,
        ));
    }
    assert_eq!(seen[0], seen[1]);
}

/// Lines that are out of order are put in order by all who read prompts with ids.
#[test]
fn lines_out_of_order_are_taken_alike_by_run_cache_and_import() {
    let line = |at: u64| {
        let (tokens, ids) = (512 * (1 + at % 3), ["7", "7, 8", "7, 8, 9"][(at % 3) as usize]);
        format!(
            "{{\"timestamp\": {}, \"input_length\": {tokens}, \"output_length\": 9, \"hash_ids\": \
             [{ids}]}}\n",
            at * 1_000
        )
    };
    let sorted: Vec<u64> = (0..40).collect();
    let mut mixed = sorted.clone();
    mixed.chunks_mut(5).for_each(<[u64]>::reverse);
    let folder = Folder::new("");
    let mut seen = Vec::new();
    for (name, order) in [("sorted.jsonl", &sorted), ("mixed.jsonl", &mixed)] {
        std::fs::write(folder.path(name), order.iter().map(|at| line(*at)).collect::<String>())
            .unwrap();
        folder.write(&format!(
            "name = \"replay\"\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \
             \"h100-sxm\"\n[[use_case]]\nname = \"calls\"\ntrace = {{ path = \"{name}\" }}\n"
        ));
        let mut run = answer(&folder, &["run", "s.toml", "--json", "--out", "r", "--no-progress"]);
        let warned = run["warnings"].to_string().contains("calls stand behind later ones");
        assert_eq!(warned, name == "mixed.jsonl", "{}", run["warnings"]);
        let imported = answer(&folder, &["import", name, "--name", "x", "--json"]);
        let cached = answer(&folder, &["cache", name, "--json", "--out", "c"]);
        let calls = run["use_cases"]["calls"].take();
        seen.push((calls, cached, imported["dispersion"].clone(), imported["sessions"].clone()));
    }
    assert_eq!(seen[0], seen[1]);
}
