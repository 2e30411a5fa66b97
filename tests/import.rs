//! A trace becomes a use case that generates calls like those recorded.

mod common;

use assert_cmd::Command;
use common::shared;
use flate2::Compression;
use flate2::write::GzEncoder;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use tempfile::TempDir;
use tokenmill::random::{Component, Distribution, Stream, Streams};

fn import(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.current_dir(folder).arg("import").args(arguments);
    command
}

#[track_caller]
fn answer(folder: &Path, arguments: &[&str]) -> Value {
    let output = import(folder, arguments).arg("--json").output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn folder(name: &str, text: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join(name), text).unwrap();
    folder
}

fn stream(item: u64) -> Stream {
    Streams::new(11, 0).stream(Component::Arrivals, 0, item)
}

/// Calls at 4 a second, whose rate doubles in spells of two minutes in the mean:
/// CSV with Azure's columns.
fn bursty(seconds: f64) -> String {
    let prompt = Distribution::lognormal(800.0, 0.9).unwrap();
    let output = Distribution::gamma_mean_cv(150.0, 0.5).unwrap();
    let spell = Distribution::exponential(120.0).unwrap();
    let mut streams = [0, 1, 2].map(stream);
    let (mut now, mut until, mut factor) = (0.0, 0.0, 1.0);
    let mut text = "TIMESTAMP,ContextTokens,GeneratedTokens\n".to_owned();
    while now < seconds {
        while now >= until {
            until += spell.sample(&mut streams[0]);
            factor = if factor > 1.0 { 2.0 / 3.0 } else { 4.0 / 3.0 };
        }
        now -= (1.0 - streams[0].unit()).ln() / (4.0 * factor);
        let (minutes, seconds) = ((now / 60.0) as u32, now % 60.0);
        text += &format!(
            "2026-03-02 {:02}:{:02}:{seconds:010.7},{},{}\n",
            9 + minutes / 60,
            minutes % 60,
            prompt.sample_tokens(&mut streams[1]),
            output.sample_tokens(&mut streams[2])
        );
    }
    text
}

/// Recorded and simulated dispersion in windows of `window_s`.
fn dispersion(answer: &Value, window_s: f64) -> (f64, f64) {
    let fits = answer["dispersion"].as_array().unwrap();
    let fit = fits.iter().find(|fit| fit["window_s"] == window_s).expect("such windows");
    (fit["trace"].as_f64().unwrap(), fit["again"].as_f64().unwrap())
}

/// Asserts that the quantiles of lengths and the dispersion at 1, 10 and 60 s come
/// again within `share`.
#[track_caller]
fn comes_again(answer: &Value, windows: &[f64], share: f64) {
    let near = |what: String, trace: f64, again: f64| {
        assert!((again / trace - 1.0).abs() < share, "{what}: {again} for {trace}");
    };
    let rate = |value: &Value| value["rate_per_s"].as_f64().unwrap();
    near("rate".to_owned(), rate(answer), rate(&answer["again"]));
    for key in ["prompt_tokens", "output_tokens"] {
        for quantile in answer[key]["quantiles"].as_array().unwrap() {
            let of = |key: &str| quantile[key].as_f64().unwrap();
            near(format!("{key} p{}", quantile["percent"]), of("trace"), of("again"));
        }
    }
    for &window in windows {
        let (trace, again) = dispersion(answer, window);
        near(format!("dispersion in {window} s"), trace, again);
    }
}

#[test]
fn the_azure_trace_of_2023_comes_again() {
    let Some(path) = shared("workloads/traces/azure2023_conv.csv") else { return };
    let answer = answer(Path::new("."), &[path.to_str().unwrap()]);
    assert!((answer["rate_per_s"].as_f64().unwrap() - 5.53).abs() < 0.005);
    for (window, known) in [(1.0, 1.39), (10.0, 3.9), (60.0, 16.0)] {
        let (trace, again) = dispersion(&answer, window);
        println!("{window} s: {trace:.3} recorded, {again:.3} simulated");
        assert!((trace / known - 1.0).abs() < 0.03);
    }
    comes_again(&answer, &[1.0, 10.0, 60.0], 0.1);
}

#[test]
fn the_mooncake_trace_comes_again_in_windows_wider_than_its_clock() {
    let Some(path) = shared("workloads/traces/mooncake_conversation_trace.jsonl") else { return };
    let answer = answer(Path::new("."), &[path.to_str().unwrap(), "--no-sessions"]);
    let notes = answer["notes"].as_array().unwrap();
    assert!(notes.iter().any(|note| note.as_str().unwrap().contains("ticks every 2.999 s")));
    comes_again(&answer, &[10.0, 60.0], 0.1);
}

#[test]
fn spells_of_demand_are_found_in_the_counts() {
    let folder = folder("spells.csv", &bursty(5_400.0));
    let answer = answer(folder.path(), &["spells.csv"]);
    comes_again(&answer, &[1.0, 10.0, 60.0], 0.1);
    // Factors 2/3 and 4/3 that change every two minutes.
    let chains = answer["bursts"]["chains"].as_array().unwrap();
    assert_eq!(chains.len(), 1, "{chains:?}");
    println!("{chains:?}");
    let of = |key: &str| chains[0][key].as_f64().unwrap();
    assert!((0.07..0.16).contains(&of("variance")), "{chains:?}");
    assert!((35.0..110.0).contains(&of("memory_s")), "{chains:?}");
    // One lognormal law made the prompts, a gamma law the answers.
    assert_eq!(answer["prompt_tokens"]["mixture_parts"], 1);
    assert!(answer["prompt_tokens"]["mixture_distance"].as_f64().unwrap() < 0.01);
}

#[test]
fn what_is_written_is_a_scenario_or_a_part_of_one() {
    let folder = folder("spells.csv", &bursty(900.0));
    import(folder.path(), &["spells.csv", "--scenario", "--out", "s.toml", "--name", "again"])
        .assert()
        .success()
        .stdout(contains("wrote s.toml"));
    let validate = || {
        let mut command = Command::cargo_bin("tokenmill").unwrap();
        command.current_dir(folder.path()).args(["validate", "s.toml"]);
        command
    };
    validate().assert().success();
    import(folder.path(), &["spells.csv", "--out", "part.toml"]).assert().success();
    let part = std::fs::read_to_string(folder.path().join("part.toml")).unwrap();
    let head = "name = \"mine\"\nduration = \"5 min\"\n[[pool]]\nname = \"a\"\nmodel = \
                \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n";
    std::fs::write(folder.path().join("s.toml"), head.to_owned() + &part).unwrap();
    validate().assert().success();
    assert!(part.starts_with("# From spells.csv (azure, "), "{part}");
    assert!(part.contains("name = \"spells\"") && part.contains("distance (Kolmogorov)"));
    // The same bytes again, and nothing else in the folder.
    import(folder.path(), &["spells.csv", "--out", "again.toml"]).assert().success();
    assert_eq!(std::fs::read_to_string(folder.path().join("again.toml")).unwrap(), part);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 4);
}

#[test]
fn a_packed_trace_and_any_csv_are_the_same_trace() {
    let text = bursty(900.0);
    let folder = folder("spells.csv", &text);
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(text.as_bytes()).unwrap();
    std::fs::write(folder.path().join("packed.csv.gz"), packed.finish().unwrap()).unwrap();
    let renamed = text.replace("TIMESTAMP,ContextTokens,GeneratedTokens", "when,in,out");
    std::fs::write(folder.path().join("log.csv"), renamed).unwrap();
    let plain = answer(folder.path(), &["spells.csv", "--name", "x"]);
    let columns = "--columns=time=when,prompt_tokens=in,output_tokens=out";
    for arguments in [vec!["packed.csv.gz", "--name", "x"], vec!["log.csv", columns, "--name", "x"]]
    {
        let other = answer(folder.path(), &arguments);
        for key in ["calls", "dispersion", "prompt_tokens", "output_tokens", "bursts"] {
            assert_eq!(other[key], plain[key], "{key} of {arguments:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_is_told() {
    let folder = folder("log.csv", "at,in,out\n0,1,2\n1,3,4\n");
    let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let refused = |arguments: &[&str], told: &[&str]| {
        let output = import(folder.path(), arguments).args(["--out", "x.toml"]).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{text}");
        told.iter().for_each(|told| assert!(text.contains(told), "{told}: {text}"));
        assert!(!folder.path().join("x.toml").exists());
    };
    refused(&["none.csv"], &["none.csv: cannot be read"]);
    refused(&["log.csv", "--name", "a b"], &["--name: `a b`: is not a usable name"]);
    refused(&["log.csv"], &["does not begin like", "--columns time="]);
    refused(&["log.csv", "--columns", "time=at,prompt_tokens=in"], &["output_tokens"]);
    refused(&["log.csv", "--columns", "time=at,prompt=in"], &["`prompt`", "prompt_tokens"]);
    let all = |time: &str| format!("time={time},prompt_tokens=in,output_tokens=out");
    refused(&["log.csv", "--columns", &all("when")], &["without when: it has at, in, out"]);
    refused(
        &["log.csv", "--columns", &all("at")],
        &["log.csv:2", "unit is not said", "--time-unit"],
    );
    put("mixed.csv", "at_s,in,out\n1700000000,1,2\n1700000001000,3,4\n");
    refused(
        &["mixed.csv", "--columns", &all("at_s")],
        &["mixed.csv:3", "looks like ms since 1970"],
    );
    put("empty.csv", "");
    refused(&["empty.csv"], &["is empty"]);
    put("broken.jsonl", "{\"timestamp\": 0, \"input_length\": 3}\n{\"input\": 3}\nx\n");
    refused(&["broken.jsonl"], &["broken.jsonl:2", "broken.jsonl:3", "--skip-bad-lines"]);
    let skipped = import(folder.path(), &["broken.jsonl", "--skip-bad-lines"]).assert().success();
    skipped.stdout(contains("2 broken lines left out").and(contains("placeholder")));
}
