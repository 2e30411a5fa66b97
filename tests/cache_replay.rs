//! The `cache` verb: figures of public traces to the last digit (needs
//! TOKENMILL_SHARED), formats, contract and mistakes.

mod common;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs::File;
use std::io::{BufReader, Write};
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenmill::factory::Eviction;
use tokenmill::study::{CacheAnswer, CacheQuestion, Variant, replay_cache};
use tokenmill::workload::{Format, IdsName, NO_NODE, PrefixTree, ReadOptions};

const CONVERSATION: &str = "mooncake_conversation_trace.jsonl";
const AGENTS: &str = "weka_cc_dev_mooncake512.jsonl";

fn shared(name: &str) -> Option<PathBuf> {
    common::shared(&format!("workloads/traces/{name}"))
}

fn tree(name: &str, calls_max: Option<u64>) -> Option<PrefixTree> {
    let file = BufReader::new(File::open(shared(name)?).expect("the shared trace is there"));
    let options = ReadOptions { calls_max, ..ReadOptions::default() };
    let tree = PrefixTree::read(Format::Mooncake, file, name, options, IdsName::Prefixes);
    Some(tree.expect("no broken line"))
}

fn ask(
    tree: &PrefixTree,
    variant: Variant,
    capacities: &[u64],
    ttls_s: &[f64],
) -> Vec<CacheAnswer> {
    let capacities = match capacities {
        [] => vec![None],
        // Zero stands for no bound.
        some => some.iter().map(|&blocks| (blocks > 0).then_some(blocks)).collect(),
    };
    let ttls_s = match ttls_s {
        [] => vec![None],
        some => some.iter().copied().map(Some).collect(),
    };
    let question = CacheQuestion { variant, eviction: Eviction::Lru, capacities, ttls_s };
    replay_cache(tree, &question).answers
}

fn six(part: u64, whole: u64) -> String {
    format!("{:.6}", part as f64 / whole as f64)
}

/// Capacity (0: no bound), hit blocks, block ratio, token ratio.
type Row = (u64, u64, &'static str, &'static str);

fn assert_rows(answers: &[CacheAnswer], rows: &[Row]) {
    assert_eq!(answers.len(), rows.len());
    for (answer, &(capacity, hits, blocks, tokens)) in answers.iter().zip(rows) {
        assert_eq!(answer.hit_blocks, hits, "capacity {capacity}");
        assert_eq!(six(answer.hit_blocks, answer.blocks), blocks, "capacity {capacity}");
        assert_eq!(six(answer.hit_tokens, answer.prompt_tokens), tokens, "capacity {capacity}");
    }
}

#[test]
fn the_conversation_trace_to_the_last_digit() {
    const ROWS: [Row; 12] = [
        (0, 105_710, "0.366412", "0.373624"),
        (100_000, 104_924, "0.363688", "0.370844"),
        (50_000, 102_290, "0.354558", "0.361530"),
        (30_000, 93_978, "0.325747", "0.332153"),
        (20_000, 83_035, "0.287816", "0.293475"),
        (10_000, 61_046, "0.211598", "0.215748"),
        (5_860, 39_266, "0.136104", "0.138759"),
        (5_000, 32_260, "0.111820", "0.113995"),
        (2_000, 15_665, "0.054298", "0.055366"),
        (1_000, 12_847, "0.044530", "0.045413"),
        (500, 12_168, "0.042177", "0.043022"),
        (200, 12_084, "0.041886", "0.042727"),
    ];
    let Some(tree) = tree(CONVERSATION, None) else { return };
    let capacities = ROWS.map(|row| row.0);
    let answers = ask(&tree, Variant::AllBlocks, &capacities, &[]);
    assert_rows(&answers, &ROWS);
    let all = &answers[0];
    assert_eq!((all.requests, all.blocks), (12_031, 288_500));
    assert_eq!((all.prompt_tokens, all.unique_blocks), (144_793_823, 182_790));
    let full = &ask(&tree, Variant::FullBlocks, &[], &[])[0];
    assert_eq!((full.hit_blocks, full.blocks), (105_592, 276_491));
    assert_eq!(six(full.hit_blocks, full.blocks), "0.381900");
    assert_eq!(six(full.hit_tokens, full.prompt_tokens), "0.373380");
}

/// What FAST'25 tells of the same trace: 40 % of a request's tokens on average.
#[test]
fn nearly_every_conversation_hits_and_by_two_fifths_on_average() {
    let Some(tree) = tree(CONVERSATION, None) else { return };
    let mut is_known = vec![false; tree.parent.len()];
    let (mut sum, mut hitting) = (0.0, 0.0);
    for request in &tree.requests {
        let mut hit = 0;
        let mut node = request.node;
        while node != NO_NODE {
            if std::mem::replace(&mut is_known[node as usize], true) {
                hit = hit.max(tree.blocks(node));
            }
            node = tree.parent[node as usize];
        }
        sum += f64::from((hit * 512).min(request.prompt)) / f64::from(request.prompt);
        hitting += f64::from(hit.min(1));
    }
    let requests = tree.requests.len() as f64;
    assert_eq!(format!("{:.4} {:.4}", sum / requests, hitting / requests), "0.4094 0.9999");
}

#[test]
fn the_coding_agents_to_the_last_digit() {
    const ROWS: [Row; 9] = [
        (0, 856_309, "0.954983", "0.957238"),
        (20_000, 856_108, "0.954758", "0.957014"),
        (10_000, 855_515, "0.954097", "0.956351"),
        (5_860, 802_693, "0.895188", "0.897303"),
        (5_000, 770_864, "0.859692", "0.861722"),
        (2_000, 473_293, "0.527831", "0.529078"),
        (1_000, 272_993, "0.304450", "0.305169"),
        (500, 160_559, "0.179060", "0.179483"),
        (200, 73_158, "0.081588", "0.081781"),
    ];
    let Some(tree) = tree(AGENTS, None) else { return };
    let answers = ask(&tree, Variant::AllBlocks, &ROWS.map(|row| row.0), &[]);
    assert_rows(&answers, &ROWS);
    assert_eq!(answers[0].blocks, 896_675);
}

#[test]
fn times_to_live_to_the_last_digit() {
    const TTLS_S: [f64; 8] = [10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1_800.0, 3_600.0];
    let rows = [
        (CONVERSATION, ".0437 .0597 .1054 .1954 .2934 .3501 .3706 .3736"),
        (AGENTS, ".1326 .5923 .7743 .8694 .9530 .9563 .9569 .9571"),
    ];
    for (name, expected) in rows {
        let Some(tree) = tree(name, None) else { return };
        let answers = ask(&tree, Variant::AllBlocks, &[], &TTLS_S);
        let ratio = |answer: &CacheAnswer| {
            let ratio = answer.hit_tokens as f64 / answer.prompt_tokens as f64;
            format!("{ratio:.4}").trim_start_matches('0').to_owned()
        };
        let found: Vec<String> = answers.iter().map(ratio).collect();
        assert_eq!(found.join(" "), expected, "{name}");
        // A bound that is never met changes nothing; one that is, something.
        let both = ask(&tree, Variant::AllBlocks, &[1_000_000, 500], &TTLS_S);
        let hits = |answers: &[CacheAnswer]| -> Vec<u64> {
            answers.iter().map(|answer| answer.hit_blocks).collect()
        };
        assert_eq!(hits(&both[..8]), hits(&answers));
        assert!(both[15].hit_blocks < both[7].hit_blocks);
    }
}

#[test]
fn the_first_thousand_requests() {
    let rows = [
        (CONVERSATION, [5_791, 2_630, 1_151, 999], 27_305),
        (AGENTS, [157_188, 151_717, 99_643, 15_049], 171_144),
    ];
    for (name, hits, blocks) in rows {
        let Some(tree) = tree(name, Some(1_000)) else { return };
        let answers = ask(&tree, Variant::AllBlocks, &[0, 5_000, 2_000, 500], &[]);
        let found: Vec<u64> = answers.iter().map(|answer| answer.hit_blocks).collect();
        assert_eq!((found.as_slice(), answers[0].blocks), (hits.as_slice(), blocks), "{name}");
    }
}

/// Whoever makes room, a cache without bound hits the same, and none hits more.
#[test]
fn every_policy_replays_the_same_trace() {
    let Some(tree) = tree(CONVERSATION, Some(1_000)) else { return };
    let mut at_2000 = Vec::new();
    for policy in Eviction::NAMES {
        let question = CacheQuestion {
            variant: Variant::AllBlocks,
            eviction: policy.parse().unwrap(),
            capacities: vec![None, Some(1 << 20), Some(2_000), Some(1)],
            ttls_s: vec![None, Some(60.0)],
        };
        let hits: Vec<u64> =
            replay_cache(&tree, &question).answers.iter().map(|answer| answer.hit_blocks).collect();
        assert_eq!((hits[0], hits[2]), (5_791, 5_791), "{policy}");
        assert_eq!(hits[1], hits[3], "{policy}");
        assert!(hits[1] < hits[0] && hits[4] < hits[0] && hits[5] <= hits[4], "{policy} {hits:?}");
        // One block: the first, which all requests share.
        assert_eq!(hits[6], 999, "{policy}");
        at_2000.push((policy, hits[4]));
    }
    let of = |name: &str| at_2000.iter().find(|(policy, _)| *policy == name).unwrap().1;
    assert_eq!((of("lru"), of("ttl")), (1_151, 1_151));
    assert!(
        ["lfu", "s3-fifo", "cost-aware"].iter().all(|name| of(name) != of("lru")),
        "{at_2000:?}"
    );
}

/// The table of policies in docs/cache.md, figure by figure.
#[test]
fn policies_hit_what_the_page_says() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/cache.md");
    let page = std::fs::read_to_string(page).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| trace | policy |"));
    let rows: Vec<Vec<&str>> = rows
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let capacity = |text: &&str| text.replace(',', "").parse().ok();
    let capacities: Vec<Option<u64>> = rows[0][2..].iter().map(capacity).collect();
    assert_eq!((rows.len(), capacities.len(), capacities[0]), (12, 8, None));
    for (trace, name) in [("conversation", CONVERSATION), ("coding agents", AGENTS)] {
        let Some(tree) = tree(name, None) else { return };
        for row in rows.iter().filter(|row| row[0] == trace) {
            let policy = row[1].trim_matches('`');
            let ttl_s = (policy == "ttl").then_some(300.0);
            let question = CacheQuestion {
                variant: Variant::AllBlocks,
                eviction: policy.parse().unwrap(),
                capacities: capacities.clone(),
                ttls_s: vec![ttl_s],
            };
            let share = |answer: &CacheAnswer| {
                format!("{:.4}", answer.hit_tokens as f64 / answer.prompt_tokens as f64)
            };
            let answers = replay_cache(&tree, &question).answers;
            let found: Vec<String> = answers.iter().map(share).collect();
            assert_eq!(found, row[2..], "{trace}, {policy}");
        }
    }
}

/// Sessions in their own format are what was made of them, in blocks of 64.
#[test]
fn sessions_hit_what_their_blocks_of_512_hit() {
    let Some(path) = shared("weka_cc_dev_sessions.jsonl") else { return };
    let outputs = TempDir::new().unwrap();
    let answers = json(&[path.to_str().unwrap(), "--capacity", "inf,100000"], outputs.path());
    let all = &answers[0];
    assert_eq!((all["requests"].as_u64(), all["blocks"].as_u64()), (Some(4_260), Some(7_154_385)));
    let ratio = all["hit_tokens"].as_f64().unwrap() / all["prompt_tokens"].as_f64().unwrap();
    // Smaller blocks lose less at the end of what is shared.
    assert!((0.957238..0.9625).contains(&ratio), "{ratio}");
    assert!(answers[1]["hit_blocks"].as_u64() < all["hit_blocks"].as_u64());
    let spread = ["--session-gap", "75 s"];
    let args = [path.to_str().unwrap(), "--capacity", "inf,100000", spread[0], spread[1]];
    let spread = json(&args, outputs.path());
    assert_eq!(spread[0]["hit_blocks"], all["hit_blocks"], "sessions share nothing");
    assert!(spread[1]["hit_blocks"].as_u64() > answers[1]["hit_blocks"].as_u64());
}

fn cache(args: &[&str], out: &Path) -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.arg("cache").args(args).arg("--out").arg(out);
    command
}

fn json(args: &[&str], out: &Path) -> Value {
    let output = cache(args, out).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

/// Four requests, the last of which comes a minute later.
const SMALL: &str = r#"{"timestamp": 0, "input_length": 1500, "output_length": 5, "hash_ids": [1, 2, 3]}
{"timestamp": 1000, "input_length": 1024, "output_length": 5, "hash_ids": [1, 2]}

{"timestamp": 2000, "input_length": 1100, "hash_ids": [1, 2, 4]}
{"timestamp": 62000, "input_length": 1500, "output_length": 5, "hash_ids": [1, 2, 3]}
"#;

fn written(name: &str, text: &str) -> (TempDir, String) {
    let dir = TempDir::new().unwrap();
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    (dir, path.to_str().unwrap().to_owned())
}

#[test]
fn one_object_a_capacity_and_time_to_live() {
    let (dir, path) = written("small.jsonl", SMALL);
    let out = dir.path().join("out");
    let answers = json(&[&path, "--capacity", "inf,3", "--ttl", "inf, 5"], &out);
    let figures: Vec<_> = answers.as_array().unwrap().iter().map(figures).collect();
    let bound = [Value::Null, Value::from(3)];
    let ttl = [Value::Null, Value::from(5.0)];
    assert_eq!(
        figures,
        [
            (&bound[0], &ttl[0], [4, 11, 7, 5_124, 3_548]),
            (&bound[0], &ttl[1], [4, 11, 4, 5_124, 2_048]),
            (&bound[1], &ttl[0], [4, 11, 6, 5_124, 3_072]),
            (&bound[1], &ttl[1], [4, 11, 4, 5_124, 2_048]),
        ]
    );
    for name in ["cache.json", "miss-ratio.csv", "report.html", "manifest.json"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    assert!(out.join("charts/miss-ratio.svg").is_file());
    let kept: Value =
        serde_json::from_slice(&std::fs::read(out.join("cache.json")).unwrap()).unwrap();
    assert_eq!(kept, answers);
}

fn figures(answer: &Value) -> (&Value, &Value, [u64; 5]) {
    let keys = ["requests", "blocks", "hit_blocks", "prompt_tokens", "hit_tokens"];
    let counts = keys.map(|key| answer[key].as_u64().expect(key));
    (&answer["capacity_blocks"], &answer["ttl_s"], counts)
}

#[test]
fn packed_traces_and_any_order_of_lines_give_the_same() {
    let (dir, path) = written("small.jsonl", SMALL);
    let expected = json(&[&path, "--capacity", "inf,3"], &dir.path().join("out"));
    let packed = dir.path().join("small.jsonl.gz");
    let mut packer =
        flate2::write::GzEncoder::new(File::create(&packed).unwrap(), Default::default());
    packer.write_all(SMALL.as_bytes()).unwrap();
    packer.finish().unwrap();
    let found = json(&[packed.to_str().unwrap(), "--capacity", "inf,3"], &dir.path().join("o2"));
    assert_eq!(found, expected);
    let mut lines: Vec<&str> = SMALL.lines().collect();
    lines.reverse();
    let (other, reversed) = written("reversed.jsonl", &lines.join("\n"));
    let found = json(&[&reversed, "--capacity", "inf,3"], &other.path().join("out"));
    assert_eq!(found, expected);
    let text = cache(&[&reversed], &other.path().join("o2"));
    { text }.assert().success().stdout(contains("sorted by time").and(contains("63.6364 %")));
}

#[test]
fn equal_replays_leave_equal_bytes() {
    let (dir, path) = written("small.jsonl", SMALL);
    let read = |out: &str, threads: &str| {
        let out = dir.path().join(out);
        cache(&[&path, "--capacity", "2,inf", "--threads", threads], &out).assert().success();
        ["cache.json", "miss-ratio.csv", "report.html", "charts/miss-ratio.svg"]
            .map(|name| std::fs::read(out.join(name)).unwrap())
    };
    assert_eq!(read("a", "1"), read("b", "2"));
    let lfu = |threads: &str| {
        let args = [path.as_str(), "--capacity", "1,2,3,4,inf", "--policy", "lfu"];
        json(&[&args[..], &["--threads", threads]].concat(), &dir.path().join("lfu"))
    };
    assert_eq!(lfu("1"), lfu("2"));
    let ttl = json(&[&path, "--policy", "ttl"], &dir.path().join("ttl"));
    assert_eq!((ttl[0]["ttl_s"].as_f64(), ttl[0]["policy"].as_str()), (Some(300.0), Some("ttl")));
}

#[test]
fn a_capacity_below_the_largest_request_is_told() {
    let (dir, path) = written("small.jsonl", SMALL);
    let small = cache(&[&path, "--capacity", "2,9"], &dir.path().join("out")).assert().success();
    small.stderr(contains(
        "a capacity of 2 blocks is below the largest prompt, 3 blocks in request 1",
    ));
}

#[test]
fn wrong_questions_are_answered_with_what_is_right() {
    let (dir, path) = written("small.jsonl", SMALL);
    let out = dir.path().join("out");
    let wrong = |args: &[&str], expected: &[&str]| {
        let output = cache(&[&[path.as_str()], args].concat(), &out).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {text}");
        assert!(output.stdout.is_empty());
        expected.iter().for_each(|part| assert!(text.contains(part), "{part}: {text}"));
    };
    wrong(&["--capacity", "0"], &["--capacity: `0`: keeps nothing"]);
    wrong(&["--capacity", "5k,-1,,10"], &["`5k`: is not a number", "`-1`: is not", "``: is not"]);
    wrong(&["--policy", "lruu"], &["--policy: `lruu`: is unknown", "did you mean \"lru\"?"]);
    wrong(&["--variant", "full"], &["did you mean \"full-blocks\"?"]);
    wrong(&["--ttl", "-5,soon"], &["`-5`: is not a time", "`soon`"]);
    wrong(&["--format", "mooncacke", "--turns", "half"], &["\"mooncake\"", "known: full, delta"]);
    assert!(!out.exists());
}

#[test]
fn traces_that_cannot_be_replayed_say_what_is_missing() {
    let wrong = |name: &str, text: &str, expected: &[&str]| {
        let (dir, path) = written(name, text);
        let output = cache(&[&path], &dir.path().join("out")).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        expected.iter().for_each(|part| assert!(text.contains(part), "{part}: {text}"));
    };
    let azure = "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.6805900,374,44\n";
    wrong("a.csv", azure, &["azure's format, which has no prefix ids", "mooncake, weka and"]);
    let bare = "{\"timestamp\": 0, \"input_length\": 5, \"output_length\": 1}\n";
    wrong("b.jsonl", bare, &["none of its 1 requests has `hash_ids`", "mooncake, weka and"]);
    let twice = SMALL.replace("[1, 2, 4]", "[1, 3, 4]");
    wrong("c.jsonl", &twice, &["c.jsonl:4: ", "id 3 follows 1 here, but 2 in line 1"]);
    wrong("d.jsonl", "hello\n", &["does not begin like a trace", "--format"]);
    wrong("e.jsonl", "", &["is empty"]);
    let missing = cache(&["/nowhere/t.jsonl"], &std::env::temp_dir().join("never")).assert();
    missing.code(2).stderr(contains("/nowhere/t.jsonl: cannot be read"));
}

#[test]
fn broken_lines_can_be_left_out() {
    let twice = SMALL.replace("[1, 2, 4]", "[1, 3, 4]");
    let (dir, path) = written("small.jsonl", &twice);
    let skip = cache(&[&path, "--skip-bad-lines"], &dir.path().join("out")).assert().success();
    skip.stdout(contains("1 broken lines left out").and(contains("3 requests")));
}

#[test]
fn bailian_and_sessions_are_known_by_their_content() {
    let bailian = "{\"chat_id\": 1, \"parent_chat_id\": -1, \"timestamp\": 0.5, \
        \"input_length\": 40, \"output_length\": 5, \"hash_ids\": [1, 2, 3]}\n{\"chat_id\": 2, \
        \"parent_chat_id\": 1, \"timestamp\": 2.5, \"input_length\": 40, \"hash_ids\": [1, 2, 4]}";
    let (dir, path) = written("b.jsonl", bailian);
    let answers = json(&[&path, "--ttl", "1.9,2"], &dir.path().join("out"));
    let hits = |index: usize| answers[index]["hit_tokens"].as_u64();
    assert_eq!(
        (hits(0), hits(1), answers[0]["block_tokens"].as_u64()),
        (Some(0), Some(32), Some(16))
    );
    let session = "[{\"id\": \"a\", \"block_size\": 64, \"requests\": [\
        {\"t\": 0, \"in\": 130, \"hash_ids\": [1, 2]},\n{\"t\": 1, \"in\": 130, \
        \"hash_rle\": [[1, 2]]}]}]";
    let (dir, path) = written("s.json", session);
    let answers = json(&[&path], &dir.path().join("out"));
    assert_eq!(answers[0]["hit_tokens"].as_u64(), Some(128));
}
