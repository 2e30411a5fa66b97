//! Recorded sessions replayed as agents: what the cache finds, when calls come, what
//! waits for what.

mod common;

use common::recordings;
use std::path::Path;
use tokenmill::metrics::{AgentRuns, Part, RunRecord};
use tokenmill::scenario::{Lengths, Loaded};
use tokenmill::workload::Format;

/// A rank that replays what `keys` describe.
fn open(keys: &str, more: &str, folder: &Path) -> Result<Loaded, String> {
    open_with(&[], keys, more, folder)
}

/// The same with other keys changed.
fn open_with(set: &[&str], keys: &str, more: &str, folder: &Path) -> Result<Loaded, String> {
    let use_case = format!("name = \"agents\"\nreplay = {{ {keys} }}\n{more}");
    recordings::open(64, set, &use_case, folder)
}

fn serve(keys: &str, more: &str, folder: &Path) -> RunRecord {
    let loaded = open(keys, more, folder).unwrap_or_else(|error| panic!("{error}"));
    let record = common::simulate(&loaded.scenario);
    assert_eq!(record.cut_off, None);
    record
}

/// Serves the recording that is `text`.
fn serve_text(text: &str, keys: &str, more: &str) -> RunRecord {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), text).unwrap();
    serve(&format!("path = \"t\", {keys}"), more, folder.path())
}

fn runs(record: &RunRecord, member: usize) -> &AgentRuns {
    &record.whole.use_cases[0].agents[member]
}

/// What a cache finds in the sessions at `path` without time.
fn timeless(path: &Path) -> (u64, u64, u64) {
    recordings::timeless(Format::Weka, path, 75 * tokenmill::kernel::TICKS_PER_SECOND)
}

fn figures(record: &RunRecord) -> (u64, u64, u64) {
    recordings::figures(&record.whole.use_cases[0])
}

const ONE_BY_ONE: &str = r#"arrivals = { process = "closed-loop", clients = 1, requests = 48 }"#;

/// One session after the other.
#[test]
fn sessions_that_do_not_overlap_hit_what_the_timeless_replay_says() {
    let Some(folder) = common::shared("workloads/traces") else { return };
    let name = "weka_cc_dev_sessions.jsonl";
    let expected = timeless(&folder.join(name));
    assert_eq!(expected.2, 4_260);
    for timing in ["think-only", "api-scaled", "recorded"] {
        let keys = format!("path = \"{name}\", timing = \"{timing}\"");
        let record = serve(&keys, ONE_BY_ONE, &folder);
        println!("{timing}: {:?} against {expected:?}", figures(&record));
        assert_eq!(figures(&record), expected, "{timing}");
    }
}

/// All sessions at once, without pauses, and at the recorded pace.
#[test]
fn sessions_that_overlap_hit_it_within_half_a_point() {
    let Some(folder) = common::shared("workloads/traces") else { return };
    let name = "weka_cc_dev_sessions.jsonl";
    let expected = timeless(&folder.join(name));
    for keys in ["time_scale = 0.0", "session_gap = \"75 s\", pause_max = \"300 s\""] {
        let record = serve(&format!("path = \"{name}\", {keys}"), "", &folder);
        let found = figures(&record);
        assert_eq!((found.1, found.2), (expected.1, expected.2));
        let of = |(hit, all, _): (u64, u64, u64)| hit as f64 / all as f64;
        println!("{keys}: {:.6} against {:.6}", of(found), of(expected));
        assert!((of(found) - of(expected)).abs() < 0.005);
    }
}

/// Two calls of 1 s and 2 s with 3 s between them, a sub-agent of two calls between
/// the second and the third, 1.5 s after it until 7.5 s after it, and the third a
/// second later.
const WEKA: &str = concat!(
    r#"{"id": "a", "block_size": 64, "hash_id_scope": "local", "requests": ["#,
    r#"{"t": 5.0, "type": "n", "in": 128, "out": 1, "hash_ids": [1, 2], "stop": "tool_use", "#,
    r#""api_time": 1.0, "think_time": 0.0},"#,
    r#"{"t": 9.0, "type": "n", "in": 192, "out": 1, "hash_rle": [[1, 3]], "stop": "tool_use", "#,
    r#""api_time": 2.0, "think_time": 3.0},"#,
    r#"{"t": 12.5, "type": "subagent", "subagent_type": "Explore", "duration_ms": 6000, "#,
    r#""status": "completed", "requests": ["#,
    r#"{"t": 0.0, "type": "n", "in": 64, "out": 1, "hash_ids": [9], "api_time": 1.0},"#,
    r#"{"t": 5.0, "type": "n", "in": 128, "out": 1, "hash_ids": [9, 10], "api_time": 1.0, "think_time": 4.0}]},"#,
    r#"{"t": 19.5, "type": "n", "in": 256, "out": 1, "hash_rle": [[1, 4]], "stop": "end_turn", "#,
    r#""api_time": 1.0, "think_time": 8.5},"#,
    r#"{"t": 30.0, "type": "s", "in": 320, "out": 1, "hash_rle": [[1, 5]], "stop": "end_turn", "#,
    r#""api_time": 1.0, "think_time": 9.5}]}"#
);

/// Seconds of the runs of a member in a part of their path.
fn part(record: &RunRecord, member: usize, part: Part) -> f64 {
    runs(record, member).whole().ticks[part as usize] as f64 / 1e10
}

/// Seconds of the runs of a member, and those of the parts that are no call.
fn spent(record: &RunRecord, member: usize) -> (f64, f64) {
    let all = runs(record, member).latency.sum() as f64 / 1e10;
    (all, part(record, member, Part::Tool) + part(record, member, Part::Pause))
}

#[track_caller]
fn close(found: f64, expected: f64) {
    assert!((found - expected).abs() < 1e-6, "{found} against {expected}");
}

/// Calls here take some milliseconds, so what is left is pauses.
#[test]
fn pauses_alone_follow_the_answers_of_the_simulator() {
    let record = serve_text(WEKA, "timing = \"think-only\"", "");
    let (main, child) = (runs(&record, 0), runs(&record, 1));
    assert_eq!((main.done, child.done), (2, 1));
    assert_eq!((main.counts.calls, main.counts.children), (6, 1));
    // 3 s, then 1.5 s and 4 s in the sub-agent, then 1 s.
    close(spent(&record, 0).1, 3.0 + 1.5 + 4.0 + 1.0);
    close(spent(&record, 1).1, 1.5 + 4.0);
    let (all_s, tools_s) = spent(&record, 0);
    assert!((0.0..0.1).contains(&(all_s - tools_s)), "{all_s} {tools_s}");
    // The calls of the sub-agent do not tell whether they stop for tools.
    close(part(&record, 0, Part::Pause), 4.0);
    close(part(&record, 1, Part::Tool), 1.5);
    // Blocks that were there before, but for the last token of a prompt.
    assert_eq!(record.whole.use_cases[0].cached_tokens, 128 + 192 + 256 + 64);
    let session_s = record.end_s;
    assert!((session_s - (9.5 + 9.5)).abs() < 0.1, "{session_s}");
}

#[test]
fn paced_answers_count_no_earlier_than_recorded_ones() {
    // Answers at 2, and 4 s: 1 s and 2 s, twice as long; 2 s and 2 s in the sub-agent.
    let record = serve_text(WEKA, "timing = \"api-scaled\", api_time_scale = 2.0", "");
    let (all_s, _) = spent(&record, 0);
    // The answer that ends the run is not held back.
    let upto_s = 2.0 + 3.0 + 4.0 + 1.5 + 2.0 + 4.0 + 2.0 + 1.0;
    assert!((all_s - upto_s).abs() < 0.1, "{all_s} {upto_s}");
    let session_s = record.end_s;
    // But the pause after it counts from there: 2 s, and 9.5 s.
    assert!((session_s - (upto_s + 2.0 + 9.5)).abs() < 0.1, "{session_s}");
    // Pauses are cut, half as long, and answers that are not held back are as before.
    let keys =
        "timing = \"api-scaled\", api_time_scale = 0.0, time_scale = 0.5, pause_max = \"1 s\"";
    let record = serve_text(WEKA, keys, "");
    close(spent(&record, 0).1, 1.0 + 0.75 + 1.0 + 0.5);
}

/// A call says by what it brings whether tools ran before it, or by what the call before
/// it stopped for; a turn by the role of its messages.
#[test]
fn pauses_are_those_of_tools_where_the_recording_tells() {
    let tools = |text: &str| part(&serve_text(text, "time_scale = 1.0", ""), 0, Part::Tool);
    close(tools(WEKA), 3.0 + 1.5 + 1.0);
    let brings = |kind: &str| {
        let types = format!("\"input_types\": [\"{kind}\"], \"think_time\": ");
        WEKA.replace("\"think_time\": ", &types)
    };
    // Tools ran in the sub-agent too, and before its first call.
    close(tools(&brings("tool_result")), 3.0 + 1.5 + 4.0 + 1.0);
    close(tools(&brings("text")), 1.5);
    close(tools(&WEKA.replace("tool_use", "")), 0.0);
    let turn = |role: &str| {
        format!("{{\"messages\": [{{\"role\": \"{role}\", \"content\": \"x\"}}], \"delay\": 700}}")
    };
    let talk = [turn("user"), turn("tool"), turn("user")].join(", ");
    let text = format!("{{\"session_id\": \"a\", \"turns\": [{talk}]}}\n");
    let record = serve_text(&text, "format = \"dag\"", "");
    close(part(&record, 0, Part::Tool), 0.7);
    close(part(&record, 0, Part::Pause), 1.4);
}

/// An answer is held back from when its call was sent, not from when it arrived.
#[test]
fn a_round_trip_is_part_of_the_time_of_an_answer() {
    let keys = "timing = \"api-scaled\", api_time_scale = 2.0";
    let far = serve_text(WEKA, keys, "round_trip = \"1 s\"");
    let near = serve_text(WEKA, keys, "");
    // All but the answers that end runs are held back longer than the round trip.
    let beside_calls = |record: &RunRecord| spent(record, 0).0;
    assert!((beside_calls(&far) - beside_calls(&near) - 2.0).abs() < 0.1);
    assert!((far.end_s - near.end_s - 1.0).abs() < 0.1, "{} {}", far.end_s, near.end_s);
}

/// Latency of the runs of a member over what they would take alone, and the latter, s.
fn amplified(record: &RunRecord, member: usize) -> (f64, f64) {
    let runs = runs(record, member);
    let alone_s = runs.alone_ticks as f64 / 1e10;
    (runs.latency.sum() as f64 / 1e10 / alone_s, alone_s)
}

/// A session that nobody disturbs takes what it would take alone, with any timing and
/// sub-agents that it waits for; others slow it down and its second clock does not hear
/// of them.
#[test]
fn a_replay_is_amplified_by_others_alone() {
    // So slow that calls are late for their recorded instants.
    let slow = ["step_scale=40", "max_num_batched_tokens=100", "max_num_seqs=1"]
        .map(|key| format!("pool.gpu.engine.{key}"));
    let slow = slow.each_ref().map(String::as_str);
    let serve = |timing: &str, copies: usize| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t"), format!("{WEKA}\n").repeat(copies)).unwrap();
        let keys = format!("path = \"t\", timing = \"{timing}\"");
        let loaded = open_with(&slow, &keys, "round_trip = \"100 ms\"", folder.path()).unwrap();
        common::simulate(&loaded.scenario)
    };
    for timing in ["think-only", "api-scaled", "recorded"] {
        let (one, eight) = (serve(timing, 1), serve(timing, 8));
        for member in [0, 1] {
            let (factor, alone_s) = amplified(&one, member);
            println!("{timing} {member}: {factor} of {alone_s} s");
            assert!((factor - 1.0).abs() < 1e-9, "{timing}: {factor}");
            let (factor, others_s) = amplified(&eight, member);
            println!("{timing} {member}: {factor} of {others_s} s among eight");
            assert!((others_s / 8.0 - alone_s).abs() < 1e-6, "{timing}: {others_s} {alone_s}");
            // A held answer hides how late it was, and who begins late waits less for
            // a recorded instant.
            let is_slower = match (timing, member) {
                ("api-scaled", 1) => factor == 1.0,
                ("recorded", 1) => factor < 1.0,
                _ => factor > 1.01,
            };
            assert!(is_slower, "{timing} {member}: {factor}");
        }
    }
}

/// The same with spawns and forks, and answers that the next turn finds in the cache.
#[test]
fn conversations_that_are_alone_take_what_they_take_alone() {
    let record = serve_text(&dag(), "format = \"dag\"", "");
    let [main, fork, spawn] = [0, 1, 2].map(|member| amplified(&record, member).0);
    assert!((main - 1.0).abs() < 1e-9 && (spawn - 1.0).abs() < 1e-9, "{main} {spawn}");
    // A fork that waits for a minute finds a block that a later turn had computed, which
    // the order of the file does not tell.
    assert!(fork < 1.0 && fork > 1.0 - 1e-5, "{fork}");
}

#[test]
fn recorded_instants_are_kept_unless_an_answer_is_late() {
    let record = serve_text(WEKA, "timing = \"recorded\"", "");
    // The second run begins 25 s after the first call.
    let (all_s, _) = spent(&record, 0);
    assert!((all_s - 14.5).abs() < 0.1, "{all_s}");
    let session_s = record.end_s;
    assert!((session_s - 25.0).abs() < 0.1, "{session_s}");
    // A hundred times as fast: no call comes before what it waits for.
    let record = serve_text(WEKA, "timing = \"recorded\", time_scale = 0.0", "");
    let (all_s, tools_s) = spent(&record, 0);
    assert!(tools_s == 0.0 && all_s > 0.0, "{tools_s}");
    assert_eq!(runs(&record, 0).counts.calls, 6);
}

/// A recorder that writes when sub-agents ended.
#[test]
fn a_sub_agent_may_be_told_by_its_end() {
    let by_end = WEKA.replace("\"t\": 12.5, ", "\"t\": 18.5, ");
    for timing in ["think-only", "recorded", "api-scaled"] {
        let keys = format!("timing = \"{timing}\"");
        let (one, other) = (serve_text(WEKA, &keys, ""), serve_text(&by_end, &keys, ""));
        assert_eq!(spent(&one, 0), spent(&other, 0), "{timing}");
    }
}

/// It runs beside the session, which does not wait for it, and need not end with it.
#[test]
fn a_sub_agent_launched_to_run_beside_is_not_waited_for() {
    let beside = WEKA
        .replace("\"completed\"", "\"async_launched\"")
        .replace("\"duration_ms\": 6000", "\"duration_ms\": null")
        .replace("\"think_time\": 4.0", "\"think_time\": 400.0");
    let record = serve_text(&beside, "timing = \"think-only\"", "");
    // What the call after it waited for is now its recorded pause.
    close(spent(&record, 0).1, 3.0 + 8.5);
    close(spent(&record, 1).1, 1.5 + 400.0);
    assert_eq!((runs(&record, 0).done, runs(&record, 1).done), (2, 1));
    assert_eq!(runs(&record, 0).counts.calls, 4);
    assert!(record.end_s > 401.0);
}

/// Ids of local scope are known in one session, of global scope in all; a recording
/// that begins again says something else, unless it is to say the same.
#[test]
fn sessions_share_what_the_scope_of_their_ids_says() {
    let two = format!("{WEKA}\n{WEKA}\n");
    let hits = |text: &str, keys: &str, sessions: u32| {
        let arrivals = format!(
            "arrivals = {{ process = \"closed-loop\", clients = 1, requests = {sessions} }}"
        );
        serve_text(text, keys, &arrivals).whole.use_cases[0].cached_tokens
    };
    let own = 128 + 192 + 256 + 64;
    // All but the last block of each prompt is there: one token is computed.
    let whole = 64 + 128 + 192 + 256 + 64;
    assert_eq!(hits(&two, "time_scale = 1.0", 2), 2 * own);
    assert_eq!(hits(&two, "sessions = 1", 2), 2 * own);
    assert_eq!(hits(&two, "repeats = \"same\"", 4), 2 * own + 2 * whole);
    assert_eq!(hits(&two.replace("local", "global"), "time_scale = 1.0", 2), own + whole);
}

const DAG: &str = r#"
{"session_id": "root", "turns": [
 {"messages": [{"role": "system", "content": "S", "tokens": 640}, {"role": "user", "content": "a", "tokens": 64}], "max_tokens": 64, "spawns": ["early", {"children": ["late"], "join_at": 2}], "forks": [{"child": "branch", "background": true}]},
 {"messages": [{"role": "user", "content": "b", "tokens": 64}], "max_tokens": 64, "delay": 500},
 {"messages": [{"role": "user", "content": "c", "tokens": 64}], "max_tokens": 64, "forks": ["last"]}]}
{"session_id": "early", "turns": [{"messages": [{"role": "system", "content": "S", "tokens": 640}, {"role": "user", "content": "e", "tokens": 64}], "max_tokens": 1, "delay": 2000}]}
{"session_id": "late", "turns": [{"messages": [{"role": "user", "content": "l", "tokens": 64}], "max_tokens": 1, "delay": 9000}]}
{"session_id": "branch", "turns": [{"messages": [{"role": "user", "content": "f", "tokens": 64}], "max_tokens": 1, "delay": 60000}]}
{"session_id": "last", "turns": [{"messages": [{"role": "user", "content": "z", "tokens": 64}], "max_tokens": 1, "delay": 1000}]}
"#;

/// A line a conversation.
fn dag() -> String {
    DAG.trim()
        .replace(", \"turns\": [\n", ", \"turns\": [")
        .replace("},\n {\"messages", "}, {\"messages")
}

/// A spawn is waited for before the next turn or the one that it names; a fork goes on
/// with all that was said, and one in the background is not waited for.
#[test]
fn forks_and_spawns_wait_and_inherit_as_they_say() {
    let record = serve_text(&dag(), "format = \"dag\"", "");
    let [main, fork, spawn] = [0, 1, 2].map(|member| runs(&record, member));
    assert_eq!((main.done, fork.done, spawn.done), (1, 2, 2));
    // The background fork counts for itself.
    assert_eq!((main.counts.calls, main.counts.children), (6, 4));
    // 2 s for the early spawn, 0.5 s, the rest of the 9 s for the late one, 1 s.
    let (all_s, tools_s) = spent(&record, 0);
    assert!((all_s - 10.0).abs() < 0.2 && tools_s < all_s, "{all_s} {tools_s}");
    assert!((spent(&record, 1).0 - 61.0).abs() < 0.2);
    assert!((spent(&record, 2).0 - 11.0).abs() < 0.2);
    // Prompts are 704, 832, 960; 704 of the early spawn, 64; 832 and 1088 of forks.
    let served = &record.whole.use_cases[0];
    assert_eq!(served.prompt_tokens, 704 + 832 + 960 + 704 + 64 + 832 + 1088);
    // The last of the 64 tokens of an answer has no KV, so its block is not full until a
    // prompt has had it, as the background fork finds it. The early spawn begins with
    // the same message.
    assert_eq!(served.cached_tokens, 704 + 832 + 640 + 768 + 960);
}

/// A conversation that asks nobody itself fires rounds of others.
#[test]
fn an_orchestrator_fires_its_rounds_one_after_the_other() {
    let text = concat!(
        r#"{"session_id": "o", "orchestrator": true, "rounds": 3, "think_time_ms": 1000, "spawns": ["a", "b"]}"#,
        "\n",
        r#"{"session_id": "a", "turns": [{"messages": [{"role": "user", "content": "0123456789"}]}]}"#,
        "\n",
        r#"{"session_id": "b", "turns": [{"messages": [{"role": "user", "content": "b"}], "delay": 4000, "max_tokens": 5}]}"#,
    );
    let record = serve_text(text, "output_tokens = 7", "");
    let main = runs(&record, 0);
    assert_eq!((main.done, main.counts.calls, main.counts.children), (1, 6, 6));
    let (all_s, _) = spent(&record, 0);
    assert!((all_s - 3.0 * (1.0 + 4.0)).abs() < 0.2, "{all_s}");
    // Ten characters are three tokens.
    let served = &record.whole.use_cases[0];
    assert_eq!((served.prompt_tokens, served.output_tokens), (3 * (3 + 1), 3 * (7 + 5)));
}

/// Refused with file, line and what would be right.
#[test]
fn what_is_wrong_is_told() {
    let wrong = |text: &str, keys: &str, parts: &[&str]| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t"), text).unwrap();
        let keys = format!("path = \"t\"{keys}");
        let error =
            open(&keys, "", folder.path()).err().unwrap_or_else(|| panic!("{text} is read"));
        parts.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    };
    let two = |from: &str, to: &str| format!("{WEKA}\n{}\n", WEKA.replace(from, to));
    wrong(&two("\"t\": 9.0", "\"t\": -9.0"), "", &["/t:2: ", "`t` = -9 is not a time"]);
    wrong(&two("\"in\": 64,", ""), "", &["/t:2: ", "the request at t = 0 has no `in`"]);
    wrong(
        &two("\"api_time\": 2.0", "\"api_time\": 1e12"),
        "",
        &["/t:2: ", "`api_time`", "ten years"],
    );
    wrong("{\"id\": 1, \"requests\": []}", "", &["/t:1: ", "has no request with `in`"]);
    wrong(
        "{\"id\": 1}\n",
        ", format = \"weka\"",
        &["/t:1: ", "missing field `requests`; it has id"],
    );
    wrong("hello", "", &["replay.path", "format`: weka or dag"]);
    wrong("", "", &["replay.path"]);
    let turn = |more: &str| {
        format!("{{\"messages\": [{{\"role\": \"user\", \"content\": \"x\"}}]{more}}}")
    };
    let talk = |name: &str, turns: &[String]| {
        format!("{{\"session_id\": \"{name}\", \"turns\": [{}]}}\n", turns.join(", "))
    };
    let plain = || turn("");
    let circle = talk("r", &[turn(", \"spawns\": [\"a\"]"), plain()])
        + &talk("a", &[turn(", \"spawns\": [\"b\"]")])
        + &talk("b", &[turn(", \"forks\": [\"a\"]")]);
    wrong(&circle, "", &["/t:2: ", "sessions start each other: a -> b -> a", "cut the circle"]);
    let missing = talk("r", &[turn(", \"spawns\": [\"a\"]")]);
    wrong(&missing, "", &["/t:1: ", "session \"r\" starts \"a\", which is not there"]);
    let late =
        talk("r", &[turn(", \"spawns\": [{\"children\": [\"a\"], \"join_at\": 2}]"), plain()])
            + &talk("a", &[plain()]);
    wrong(&late, "", &["/t:1: ", "session \"r\": turn 0: `join_at` is 2", "of 2, from 0"]);
    let goes_on = talk("r", &[turn(", \"forks\": [\"a\"]"), plain()]) + &talk("a", &[plain()]);
    wrong(&goes_on, "", &["/t:1: ", "forks \"a\" and goes on", "background"]);
    let twice = talk("r", &[plain()]) + &talk("r", &[plain()]);
    wrong(&twice, "", &["/t:2: ", "\"r\" is that of line 1 as well"]);
    let both = talk("r", &[turn(", \"forks\": [\"a\"]")])
        + &talk("s", &[turn(", \"forks\": [\"a\"]")])
        + &talk("a", &[plain()]);
    wrong(&both, "", &["/t:2: ", "forked by \"r\" and by \"s\""]);
    wrong(&talk("r", &[]), "", &["/t:1: ", "`turns` is empty"]);
    wrong(&talk("r", &["{\"max_tokens\": 3}".to_owned()]), "", &["neither `messages` nor"]);
    let one = talk("r", &[plain()]);
    wrong(
        &one,
        ", timing = \"recorded\"",
        &["replay.timing = \"recorded\"", "needs recorded times"],
    );
    wrong(&one, ", block_tokens = 16", &["replay.block_tokens", "it is for weka"]);
    wrong(WEKA, ", output_tokens = 16", &["replay.output_tokens", "it is for dag"]);
    wrong(WEKA, ", api_time_scale = 2.0", &["api_time_scale", "timing = \"api-scaled\""]);
    wrong(
        WEKA,
        ", timing = \"recorded\", pause_max = \"1 s\"",
        &["pause_max", "recorded instants"],
    );
    wrong(WEKA, ", timing = \"as-is\"", &["replay.timing = \"as-is\"", "think-only"]);
    wrong(WEKA, ", session_gap = \"20 years\"", &["session_gap", "more than ten years"]);
}

/// Calls go to the pool of the model they were recorded with, before that of their kind.
#[test]
fn recorded_models_have_pools_of_their_own() {
    let small = r#"
        [[pool]]
        name = "small"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = { max_model_len = 131_072 }
    "#;
    let folder = tempfile::tempdir().unwrap();
    // The first call of the session, and the sub-agent.
    let text = WEKA
        .replace(
            "\"in\": 128, \"out\": 1, \"hash_ids\": [1, 2]",
            "\"in\": 128, \"out\": 1, \"model\": \"haiku\", \"hash_ids\": [1, 2]",
        )
        .replace("\"in\": 64,", "\"in\": 64, \"model\": \"haiku\",")
        .replace("\"in\": 192,", "\"in\": 192, \"model\": \"opus\",");
    std::fs::write(folder.path().join("t"), &text).unwrap();
    let served = |models: &str, pools: &str| {
        let keys = format!("path = \"t\", models = {{ {models} }}");
        let more = format!("pool = \"gpu\"\npools = {{ {pools} }}\n{small}");
        let loaded = open(&keys, &more, folder.path()).unwrap();
        let record = common::simulate(&loaded.scenario);
        let pools = record.whole.pools.iter();
        let tokens = pools.map(|pool| pool.input_tokens + pool.output_tokens).sum::<u64>();
        assert_eq!(tokens, 128 + 192 + 64 + 128 + 256 + 320 + 6);
        record.whole.pools.iter().map(|pool| pool.finished).collect::<Vec<u64>>()
    };
    assert_eq!(served("", ""), [6, 0]);
    assert_eq!(served("haiku = \"small\"", ""), [4, 2]);
    assert_eq!(served("haiku = \"small\", opus = \"small\"", ""), [3, 3]);
    assert_eq!(served("haiku = \"gpu\"", "explore = \"small\""), [5, 1]);
    let wrong = |models: &str, parts: &[&str]| {
        let keys = format!("path = \"t\", models = {{ {models} }}");
        let more = format!("pool = \"gpu\"\n{small}");
        let opened = open(&keys, &more, folder.path());
        let error = opened.err().unwrap_or_else(|| panic!("{models} is taken"));
        parts.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    };
    wrong("hiku = \"small\"", &["replay.models.hiku", "no model of the recording", "`haiku`"]);
    wrong("haiku = \"smal\"", &["replay.models.haiku", "no pool of this name", "`small`"]);
    std::fs::write(folder.path().join("t"), WEKA).unwrap();
    wrong("haiku = \"small\"", &["replay.models.haiku", "do not tell their models"]);
}

#[test]
fn a_replay_says_all_by_itself() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("t"), WEKA).unwrap();
    let wrong = |more: &str, parts: &[&str]| {
        let opened = open("path = \"t\"", more, folder.path());
        let error = opened.err().unwrap_or_else(|| panic!("{more} is taken"));
        parts.iter().for_each(|part| assert!(error.contains(part), "{part}: {error}"));
    };
    wrong("prompt_tokens = 5", &["agents.prompt_tokens", "is given beside a replay"]);
    wrong("agent = \"coding-agent\"", &["agents.agent", "is given beside a replay"]);
    wrong("pools = { explor = \"gpu\" }", &["pools.explor", "did you mean `explore`"]);
    let loaded = open("path = \"t\"", "pools = { explore = \"gpu\" }", folder.path()).unwrap();
    assert!(loaded.resolved_toml.contains("format = \"weka\""), "{}", loaded.resolved_toml);
}

/// The example scenario: what the program prints has the kinds of sub-agents.
#[test]
fn the_example_replays_sessions_with_their_sub_agents() {
    let out = tempfile::tempdir().unwrap();
    let mut command = assert_cmd::Command::cargo_bin("tokenmill").unwrap();
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command.args(["run", "scenarios/replay-agents.toml", "--json", "--no-progress", "--out"]);
    let assert = command.arg(out.path().join("out")).assert().success();
    let summary: serde_json::Value = serde_json::from_slice(&assert.get_output().stdout).unwrap();
    let runs = |use_case: &str, agent: &str| {
        summary["use_cases"][use_case]["agents"][agent]["runs"].as_u64().unwrap()
    };
    // Six sessions of three runs, two explorers each, and a reviewer in every third.
    assert_eq!(["main", "explore", "review"].map(|kind| runs("coding", kind)), [18, 12, 2]);
    // Eight questions, asked twice.
    assert_eq!(["main", "fork", "spawn"].map(|kind| runs("research", kind)), [16, 16, 48]);
    let calls = |use_case: &str| summary["use_cases"][use_case]["calls"].as_u64().unwrap();
    assert_eq!(calls("coding"), 6 * 15 + 14 * 4);
    assert_eq!(calls("research"), 16 * (2 + 1 + 3 * 3));
    // Others slow sessions down, but not by much on a server with room.
    let amplification =
        summary["use_cases"]["coding"]["agents"]["main"]["amplification"]["mean"].as_f64().unwrap();
    assert!((1.0..1.5).contains(&amplification), "{amplification}");
}

/// Upstream files are one document each, over many lines, with plain ids.
#[test]
fn documents_with_plain_ids_are_the_same_recording() {
    let digest = |text: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("t"), text).unwrap();
        let loaded = open("path = \"t\"", "", folder.path()).unwrap();
        match &loaded.scenario.use_cases[0].lengths {
            Lengths::Replayed(replay) => (replay.graph.sessions(), replay.graph.digest()),
            _ => panic!("it is replayed"),
        }
    };
    let plain = WEKA
        .replace("\"hash_rle\": [[1, 3]]", "\"hash_ids\": [1, 2, 3]")
        .replace("\"hash_rle\": [[1, 4]]", "\"hash_ids\": [1, 2, 3, 4]")
        .replace("\"hash_rle\": [[1, 5]]", "\"hash_ids\": [1, 2, 3, 4, 5]");
    let pretty = plain.replace("{\"t\"", "\n  {\"t\"").replace("}]}", "}\n]}");
    assert!(pretty.lines().count() > 5 && !pretty.contains("hash_rle"));
    assert_eq!(digest(&pretty), digest(WEKA));
    assert_eq!(digest(&format!("[{pretty}, {plain}]")), digest(&format!("{WEKA}\n{WEKA}\n")));
    assert_ne!(digest(&plain.replace("[9, 10]", "[1, 10]")), digest(WEKA));
}
