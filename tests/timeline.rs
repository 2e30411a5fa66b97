//! A stretch of a run leaves it as a timeline in the trace-event format.

mod common;

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::collections::HashMap;
use std::fs;
use std::path::Path;
use tempfile::TempDir;
use tokenmill::kernel::{Span, Time};
use tokenmill::metrics::Window;
use tokenmill::simulation::{self, Options};

/// Sessions and single calls on two replicas whose KV cache is small.
const BUSY: &str = r#"
name = "busy"
seed = 5
duration = "10 min"
warm_up = "10 s"
[[pool]]
name = "gpu"
model = "llama-3.1-8b"
hardware = "h100-sxm"
replicas = 2
engine = { kv_blocks = 700 }
[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "2 /s" }
session = { turns = 3, think = "2 s" }
prompt_tokens = 800
output_tokens = { distribution = "lognormal", median = 300, sigma = 1.0, max = 3000 }
[[use_case]]
name = "search"
arrivals = { process = "poisson", rate = "3 /s" }
prompt_tokens = 500
output_tokens = 60
thinking = { probability = 0.5, tokens = 200 }
"#;

fn tokenmill(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.current_dir(folder).args(["export", "s.toml", "--format", "timeline"]).args(arguments);
    command
}

fn exported(arguments: &[&str]) -> (TempDir, Vec<Value>) {
    exported_of(BUSY, arguments)
}

fn exported_of(scenario: &str, arguments: &[&str]) -> (TempDir, Vec<Value>) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.toml"), scenario).unwrap();
    tokenmill(folder.path(), &["--out", "t.json"]).args(arguments).assert().success();
    let text = fs::read_to_string(folder.path().join("t.json")).unwrap();
    let trace: Value = serde_json::from_str(&text).expect("it is JSON");
    let events = trace["traceEvents"].as_array().expect("an array of events").clone();
    (folder, events)
}

/// Start and end in whole microseconds.
fn span(event: &Value) -> (u64, u64) {
    let us = |key: &str| event[key].as_u64().unwrap();
    (us("ts"), us("ts") + us("dur"))
}

type Track = (u64, u64);

fn track(event: &Value) -> Track {
    (event["pid"].as_u64().unwrap(), event["tid"].as_u64().unwrap())
}

fn spans(events: &[Value]) -> HashMap<Track, Vec<&Value>> {
    let mut tracks: HashMap<Track, Vec<&Value>> = HashMap::new();
    for event in events.iter().filter(|event| event["ph"] == "X") {
        tracks.entry(track(event)).or_default().push(event);
    }
    tracks
}

/// What the trace-event format asks for, and viewers silently drop.
fn follows_the_format(events: &[Value]) {
    let mut flows: HashMap<u64, Vec<&Value>> = HashMap::new();
    for event in events {
        assert!(event["name"].is_string() && event["cat"].is_string(), "{event}");
        // Viewers round fractions, and drop what then overlaps.
        assert!(event["ts"].is_u64(), "{event}");
        track(event);
        match event["ph"].as_str().unwrap() {
            "X" => assert!(event["dur"].as_u64().is_some_and(|dur| dur > 0), "{event}"),
            "C" => {
                let values = event["args"].as_object().unwrap();
                assert!(!values.is_empty() && values.values().all(Value::is_number), "{event}");
            }
            "M" if event["name"] == "process_sort_index" => {
                assert!(event["args"]["sort_index"].is_u64(), "{event}");
            }
            "M" => assert!(event["args"]["name"].is_string(), "{event}"),
            "i" => assert!(["g", "p", "t"].contains(&event["s"].as_str().unwrap()), "{event}"),
            "s" | "f" => {
                let id = event["id"].as_u64().unwrap();
                assert!(id <= i64::MAX as u64, "Perfetto reads no larger ones: {event}");
                flows.entry(id).or_default().push(event);
            }
            phase => panic!("unknown phase {phase}"),
        }
    }
    let tracks = spans(events);
    for (track, spans) in &tracks {
        let mut open: Vec<(u64, u64)> = Vec::new();
        let mut sorted: Vec<_> = spans.iter().map(|event| span(event)).collect();
        sorted.sort_by_key(|&(from, until)| (from, std::cmp::Reverse(until)));
        for (from, until) in sorted {
            open.retain(|&(_, end)| end > from);
            let inside = open.last().is_none_or(|&(_, end)| until <= end);
            assert!(inside, "spans of track {track:?} overlap at {from}");
            open.push((from, until));
        }
        let named = |what: &str, at: &Value| {
            at["ph"] == "M" && at["name"] == what && at["pid"].as_u64() == Some(track.0)
        };
        assert!(events.iter().any(|event| named("process_name", event)), "process of {track:?}");
        let thread = |at: &&Value| named("thread_name", at) && at["tid"].as_u64() == Some(track.1);
        assert_eq!(events.iter().filter(thread).count(), 1, "thread {track:?}");
    }
    for (id, ends) in &flows {
        let [start, end] = ends[..] else { panic!("flow {id} has {} ends", ends.len()) };
        assert!(start["ph"] == "s" && end["ph"] == "f" && end["bp"] == "e", "flow {id}");
        let at = |event: &Value| event["ts"].as_u64().unwrap();
        assert!(at(start) <= at(end), "flow {id} goes back in time");
        for event in [start, end] {
            let spans = &tracks[&track(event)];
            let holds = |(from, until): (u64, u64)| from <= at(event) && at(event) < until;
            assert!(spans.iter().any(|each| holds(span(each))), "flow {id} is bound to no span");
        }
    }
}

#[test]
fn it_follows_the_trace_event_format() {
    let (_, events) = exported(&["--from", "30 s", "--for", "20 s"]);
    follows_the_format(&events);
    for phase in ["X", "C", "M", "i", "s", "f"] {
        assert!(events.iter().any(|event| event["ph"] == phase), "nothing of phase {phase}");
    }
}

#[test]
fn parts_of_a_call_fill_it_and_the_calls_are_those_of_the_run() {
    let (_, events) = exported(&["--from", "30 s", "--for", "20 s"]);
    let loaded = common::load(BUSY);
    let at = |seconds| Time::ZERO + Span::from_seconds(seconds);
    let window = Window { from: at(30.0), until: at(50.0) };
    let watched = simulation::watch(&loaded.scenario, 0, Options::default(), window, 1_000_000);
    let calls: Vec<&Value> =
        events.iter().filter(|event| event["cat"] == "call" && event["ph"] == "X").collect();
    assert_eq!(calls.len(), watched.calls.len());
    for (event, seen) in calls.iter().zip(&watched.calls) {
        let call = &seen.call;
        let until = seen.finished.unwrap_or(window.until);
        // What is beyond the window is cut off.
        let us = |time: Time| time.ticks() / 10_000;
        let shown = (us(call.arrived.max(window.from)), us(until.min(window.until)));
        assert_eq!(span(event), shown);
        assert_eq!(event["args"]["cached_tokens"], call.cached);
        assert!(until > window.from && call.arrived < window.until, "it is in the window");
        assert_eq!(event["args"]["unfinished"] == true, seen.finished.is_none());
        let on_it = |part: &&Value| {
            if part["ph"] != "X" {
                return false;
            }
            let (from, end) = span(part);
            let inside = shown.0 <= from && end <= shown.1;
            part["cat"] == "part" && track(part) == track(event) && inside
        };
        let parts = events.iter().filter(on_it).map(span);
        let filled: u64 = parts.map(|(from, until)| until - from).sum();
        assert_eq!(filled, shown.1 - shown.0, "{event}");
    }
    let thinks = |event: &&&Value| event["args"]["thinking_tokens"] != 0;
    let thoughts = events.iter().filter(|event| event["name"] == "think").count();
    assert!(thoughts > 20 && thoughts <= calls.iter().filter(thinks).count(), "{thoughts}");
    let running = calls.iter().filter(|event| event["args"]["unfinished"] == true).count();
    assert!(running > 0 && running < calls.len(), "{running} of {}", calls.len());
}

/// Researchers with workers, whose tools queue for two slots.
const AGENTS: &str = r#"
name = "research"
seed = 2
duration = "30 min"
warm_up = "1 min"
[[pool]]
name = "gpu"
model = "llama-3.1-8b"
hardware = "h100-sxm"
[[tool_pool]]
name = "sandbox"
worker = "x86-server"
workers = 1
slots = 2
[[use_case]]
name = "desk"
agent = "deep-research"
tools = { search = "sandbox" }
arrivals = { process = "poisson", rate = "2 /min" }
"#;

#[test]
fn runs_of_agents_are_filled_with_what_they_waited_for() {
    let (_, events) = exported_of(AGENTS, &["--from", "0 s", "--for", "15 min"]);
    follows_the_format(&events);
    let of = |cat: &str| -> Vec<&Value> {
        events.iter().filter(|event| event["cat"] == cat && event["ph"] == "X").collect()
    };
    let (runs, turns, waits, tools) = (of("run"), of("turn"), of("wait"), of("tool"));
    assert!(!tools.is_empty());
    let within = |inner: &Value, outer: &Value| {
        let ((a, b), (from, until)) = (span(inner), span(outer));
        track(inner) == track(outer) && from <= a && b <= until
    };
    let sum = |events: &[&Value], of: &Value| -> u64 {
        let inside = events.iter().filter(|event| within(event, of)).map(|event| span(event));
        inside.map(|(from, until)| until - from).sum()
    };
    let ended = runs.iter().filter(|run| run["args"]["ended"] == "done");
    let mut filled = 0;
    for run in ended {
        let (from, until) = span(run);
        assert_eq!(sum(&waits, run), until - from, "{run}");
        assert_eq!(sum(&turns, run), until - from, "{run}");
        filled += 1;
    }
    assert!(filled > 10, "{filled}");
    let workers = runs.iter().filter(|run| run["name"] == "research-worker").count();
    let arrows = events.iter().filter(|event| event["name"] == "sub-agent").count();
    assert!(workers > 10, "{workers}");
    assert_eq!(arrows, 2 * workers, "an arrow has two ends");
    assert!(waits.iter().any(|wait| wait["name"] == "straggler"));
}

#[test]
fn what_is_watched_is_what_runs() {
    let loaded = common::load(BUSY);
    let window = Window { from: Time::ZERO, until: Time::MAX };
    let all = simulation::watch(&loaded.scenario, 0, Options::default(), window, 1_000_000);
    let record = simulation::run(&loaded.scenario, 0, Options::default());
    assert_eq!(all.calls.len() as u64, record.calls);
    let finished = all.calls.iter().filter_map(|seen| {
        let end = seen.finished?;
        let inside = seen.call.arrived < Time::ZERO + loaded.scenario.duration.unwrap();
        inside.then(|| end.since(seen.call.arrived).seconds())
    });
    let (count, sum) = finished.fold((0, 0.0), |(count, sum), e2e| (count + 1, sum + e2e));
    let measured = record.whole.use_cases.iter().map(|use_case| use_case.calls).sum::<u64>();
    assert_eq!(count, measured);
    let sums = record.whole.use_cases.iter().map(|each| each.e2e.mean * each.calls as f64);
    assert!((sum / sums.sum::<f64>() - 1.0).abs() < 1e-9);
}

#[test]
fn it_stays_below_the_size_that_is_asked_for() {
    let (folder, events) = exported(&["--for", "9 min", "--max-size", "300 kB"]);
    follows_the_format(&events);
    let bytes = fs::metadata(folder.path().join("t.json")).unwrap().len();
    assert!((200_000..=300_000).contains(&bytes), "{bytes}");
    let arguments = ["--for", "9 min", "--max-size", "300 kB", "--out", "again.json", "--json"];
    let output = tokenmill(folder.path(), &arguments).output().unwrap();
    let said: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&said["is_cut"], &said["bytes"]), (&true.into(), &bytes.into()));
    let until = said["until_s"].as_f64().unwrap();
    assert!(until > 1.0 && until < 500.0, "{until}");
    let latest = events
        .iter()
        .filter(|event| event["cat"] == "call")
        .map(|event| event["ts"].as_f64().unwrap());
    assert!(latest.fold(0.0, f64::max) <= until * 1e6);
    let again = fs::read(folder.path().join("again.json")).unwrap();
    assert!(again == fs::read(folder.path().join("t.json")).unwrap(), "the same bytes");
}

#[test]
fn mistakes_are_told_and_nothing_is_written() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("s.toml"), BUSY).unwrap();
    for (arguments, told) in [
        (&["--for", "0 s"][..], "--for: 0 s is an empty stretch"),
        (&["--for", "5"][..], "--for: 5: "),
        (&["--from=-5 s"][..], "--from: -5 s: "),
        (&["--from", "20 min"][..], "no call in the system from 1200 s to 1260 s"),
        (&["--max-size", "1 kB"][..], "too small for a timeline"),
        (&["--max-size", "lots"][..], "--max-size: lots: "),
    ] {
        let failed = tokenmill(folder.path(), arguments).args(["--out", "t.json"]).assert().code(2);
        failed.stderr(contains(told).and(contains("error:")));
        assert!(!folder.path().join("t.json").exists());
    }
    tokenmill(folder.path(), &[]).assert().code(2).stderr(contains("--out"));
}
