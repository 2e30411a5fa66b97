//! Sweeps as a user meets them: the same bytes however they were run, nothing
//! finished ever lost, every mistake named.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command as Process, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

const SCENARIO: &str = r#"name = "s"
duration = "20 s"
replications = 3

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "4 /s" }
prompt_tokens = { distribution = "lognormal", median = 400, sigma = 0.9 }
output_tokens = 60

[sweep]
"pool.a.replicas" = [1, 2]
"use_case.chat.arrivals.rate" = { from = "2 /s", to = "6 /s", points = 3 }
"#;

/// A folder with `s.toml`, which holds this text.
struct Study(TempDir);

impl Study {
    fn new(text: &str) -> Study {
        let study = Study(tempfile::tempdir().unwrap());
        study.write(text);
        study
    }

    fn write(&self, text: &str) {
        fs::write(self.path("s.toml"), text).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The sweep into the folder `out`, with further arguments.
    fn sweep(&self, out: &str, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("tokenmill").unwrap();
        command.current_dir(self.0.path()).args(["sweep", "s.toml", "--no-progress", "--out", out]);
        command.args(arguments);
        command
    }

    fn merge(&self, dir: &str) -> Command {
        let mut command = Command::cargo_bin("tokenmill").unwrap();
        command.current_dir(self.0.path()).args(["merge", dir]);
        command
    }

    fn part(&self, out: &str) -> PathBuf {
        self.path(out).join("parts/part-00000-of-00001.jsonl")
    }

    /// Everything in a folder that must not depend on how it was made.
    fn bytes(&self, out: &str) -> Vec<(&'static str, Vec<u8>)> {
        let names = [
            "sweep.json",
            "points.csv",
            "report.html",
            "scenario.toml",
            "charts/pareto.svg",
            "charts/pareto.png",
            "charts/heat-maps.svg",
        ];
        let read = |name| {
            let path = self.path(out).join(name);
            (name, fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
        };
        names.map(read).into()
    }

    fn json(&self, out: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path(out).join("sweep.json")).unwrap()).unwrap()
    }
}

#[test]
fn threads_and_shards_change_no_byte() {
    let study = Study::new(SCENARIO);
    for threads in ["1", "2", "16"] {
        study.sweep(threads, &["--threads", threads]).assert().success();
        assert!(study.bytes(threads) == study.bytes("1"), "{threads} threads");
        assert!(fs::read(study.part(threads)).unwrap() == fs::read(study.part("1")).unwrap());
    }
    for shard in ["2/3", "0/3", "1/3"] {
        let sweep = study.sweep("shards", &["--shard", shard]).assert().success();
        sweep.stdout(contains("tokenmill merge shards"));
    }
    study.merge("shards").assert().success().stdout(contains("report: shards/report.html"));
    assert!(study.bytes("shards") == study.bytes("1"), "3 shards");
    // A finished part is not run again.
    let again = study.sweep("shards", &["--shard", "1/3"]).assert().success();
    again.stderr(contains("simulated").not());
}

#[test]
fn every_point_is_the_run_of_that_scenario() {
    let study = Study::new(&SCENARIO.replace("20 s", "40 s"));
    study.sweep("out", &[]).assert().success();
    let sweep = study.json("out");
    let point = &sweep["points"][4];
    assert_eq!(point["values"]["use_case.chat.arrivals.rate"], "4 /s");
    let mut run = Command::cargo_bin("tokenmill").unwrap();
    run.current_dir(study.0.path()).args(["run", "s.toml", "--json", "--no-progress"]);
    let run = run.args(["--set", "pool.a.replicas=2", "--out", "run"]).output().unwrap();
    let run: Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(point["digest"], run["digest"]);
    assert_eq!(point["warm_up_s"], run["warm_up_s"]);
    let figures = point["figures"].as_object().unwrap();
    let in_summary = |path: &str| path.split('.').fold(&run, |value, key| &value[key]);
    let shared = figures.iter().filter(|(path, _)| !in_summary(path).is_null());
    assert!(shared.clone().count() > 30, "{}", figures.len());
    shared.for_each(|(path, interval)| assert_eq!(in_summary(path), interval, "{path}"));
}

#[test]
fn a_killed_sweep_goes_on_where_it_was() {
    let study = Study::new(&SCENARIO.replace("20 s", "60 s"));
    study.sweep("whole", &[]).assert().success();
    let runs = killed(&study, "killed", 5);
    assert!((5..18).contains(&runs), "{runs} runs before the kill");
    assert!(!study.path("killed/sweep.json").exists());
    study.sweep("killed", &[]).assert().code(2).stderr(contains("go on with --resume"));
    let resumed = study.sweep("killed", &["--resume"]).assert().success();
    let said = format!("resuming: {runs} of 18 runs are done");
    resumed.stderr(contains(said));
    assert!(study.bytes("killed") == study.bytes("whole"));
    assert!(fs::read(study.part("killed")).unwrap() == fs::read(study.part("whole")).unwrap());
}

#[test]
fn points_that_stop_when_precise_are_runs_that_do() {
    let stopping =
        "{ precision = \"5.5 %\", min = 8, max = 24, of = \"use_cases.chat.ttft_s.mean\" }";
    let text = SCENARIO.replace("replications = 3", &format!("replications = {stopping}"));
    let study = Study::new(&text);
    study.sweep("1", &["--threads", "1"]).assert().success();
    let sweep = study.json("1");
    let points = sweep["points"].as_array().unwrap();
    let taken: Vec<u64> =
        points.iter().map(|point| point["replications"].as_u64().unwrap()).collect();
    assert!(taken.iter().all(|taken| [8, 16, 24].contains(taken)), "{taken:?}");
    assert!(taken.iter().any(|&taken| taken < 24), "none stops: {taken:?}");
    assert!(taken.iter().any(|other| *other != taken[0]), "all alike: {taken:?}");
    for (at, rate) in [(0, "2 /s"), (2, "6 /s")] {
        let mut run = Command::cargo_bin("tokenmill").unwrap();
        run.current_dir(study.0.path()).args(["run", "s.toml", "--json", "--no-progress"]);
        let rate = format!("use_case.chat.arrivals.rate={rate}");
        let run = run.args(["--set", &rate, "--out", "run"]).output().unwrap();
        let run: Value = serde_json::from_slice(&run.stdout).unwrap();
        for key in ["digest", "replications", "precision"] {
            assert_eq!(points[at][key], run[key], "{key} at {rate}");
        }
    }
    // Neither threads, nor shards, nor a kill change a byte.
    study.sweep("16", &["--threads", "16"]).assert().success();
    assert!(study.bytes("16") == study.bytes("1"), "16 threads");
    for shard in ["1/2", "0/2"] {
        study.sweep("shards", &["--shard", shard]).assert().success();
    }
    study.merge("shards").assert().success();
    assert!(study.bytes("shards") == study.bytes("1"), "2 shards");
    killed(&study, "killed", 13);
    study.sweep("killed", &["--resume"]).assert().success();
    assert!(study.bytes("killed") == study.bytes("1"), "killed and resumed");
    assert!(fs::read(study.part("killed")).unwrap() == fs::read(study.part("1")).unwrap());
    // A point whose last word was lost is judged again by the runs that are there.
    let part = study.part("killed");
    let lines = fs::read_to_string(&part).unwrap();
    let is_lost = |line: &&str| !line.contains("\"line\":\"settled\",\"point\":2");
    let lost: Vec<&str> =
        lines.lines().filter(is_lost).filter(|l| !l.contains("\"end\"")).collect();
    assert_eq!(lost.len() + 2, lines.lines().count());
    fs::write(&part, lost.join("\n") + "\n").unwrap();
    let resumed = study.sweep("killed", &["--resume"]).assert().success();
    resumed.stderr(contains("simulated 0 calls"));
    assert!(study.bytes("killed") == study.bytes("1"), "judged again");
}

/// Starts a sweep on one thread, kills it once it has kept so many runs, and
/// returns how many it left.
fn killed(study: &Study, out: &str, at_least: usize) -> usize {
    let mut child = start(study, out);
    wait_for(&study.part(out), at_least);
    // SIGKILL: nothing can be tidied up.
    child.kill().unwrap();
    child.wait().unwrap();
    runs(&study.part(out))
}

/// Starts a sweep on one thread.
fn start(study: &Study, out: &str) -> Child {
    Process::new(assert_cmd::cargo::cargo_bin("tokenmill"))
        .current_dir(study.0.path())
        .args(["sweep", "s.toml", "--threads", "1", "--no-progress", "--out", out])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until a part holds so many runs.
fn wait_for(part: &Path, at_least: usize) {
    let started = Instant::now();
    while runs(part) < at_least {
        assert!(started.elapsed() < Duration::from_secs(120), "the sweep does not move");
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Whole lines of runs in a part.
fn runs(part: &Path) -> usize {
    let text = fs::read(part).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    text.split_inclusive('\n')
        .filter(|l| l.contains("\"line\":\"run\"") && l.ends_with('\n'))
        .count()
}

#[test]
fn damaged_lines_are_named_and_computed_again() {
    let study = Study::new(SCENARIO);
    study.sweep("out", &[]).assert().success();
    let whole = study.bytes("out");
    let part = study.part("out");
    let good = fs::read(&part).unwrap();
    let mut bad = good.clone();
    // A digit within the third line, and half of the last.
    let third = bad.split(|&byte| byte == b'\n').take(2).map(|line| line.len() + 1).sum::<usize>();
    bad[third + 60] ^= 1;
    bad.truncate(bad.len() - 10);
    fs::write(&part, &bad).unwrap();
    let refused = study.sweep("out", &[]).assert().code(2);
    refused.stderr(contains("jsonl:3: the line is cut short").and(contains("--resume")));
    assert!(fs::read(&part).unwrap() == bad, "a refusal changes nothing");
    study.merge("out").assert().code(2).stderr(contains("is not finished"));
    let resumed = study.sweep("out", &["--resume"]).assert().success();
    resumed.stderr(contains("jsonl:3").and(contains("computed again")).and(contains("17 of 18")));
    assert!(study.bytes("out") == whole);
    assert!(fs::read(&part).unwrap() == good);
    // The very first line, which says what the part is of.
    let mut bad = good.clone();
    bad[50] ^= 1;
    fs::write(&part, &bad).unwrap();
    study.merge("out").assert().code(2).stderr(contains("first line is cut short or damaged"));
    study.sweep("out", &["--resume"]).assert().success().stderr(contains("jsonl:1"));
    assert!(fs::read(&part).unwrap() == good);
}

#[test]
fn a_changed_scenario_is_not_resumed() {
    let study = Study::new(SCENARIO);
    study.sweep("out", &[]).assert().success();
    let old = study.json("out")["hash"].as_str().unwrap().to_owned();
    study.write(&SCENARIO.replace("output_tokens = 60", "output_tokens = 61"));
    let refused = study.sweep("out", &["--resume"]).assert().code(2);
    let both =
        predicates::str::is_match(format!("hash {old}; that of this scenario is [0-9a-f]{{16}}"));
    refused.stderr(both.unwrap());
    // The same where the folder follows from the scenario.
    let default = |arguments: &[&str]| {
        let mut command = Command::cargo_bin("tokenmill").unwrap();
        command.current_dir(study.0.path()).args(["sweep", "s.toml", "--no-progress"]);
        command.args(arguments);
        command
    };
    study.write(SCENARIO);
    default(&["--resume"]).assert().success();
    assert!(study.path("outputs/s").join(format!("sweep-1-{}", &old[..8])).is_dir());
    study.write(&SCENARIO.replace("output_tokens = 60", "output_tokens = 61"));
    default(&["--resume"])
        .assert()
        .code(2)
        .stderr(contains(&old[..8]).and(contains("without --resume")));
}

#[test]
fn parts_that_do_not_belong_together_are_not_merged() {
    let study = Study::new(SCENARIO);
    study.sweep("out", &["--shard", "0/3"]).assert().success();
    let missing = study.merge("out").assert().code(2);
    missing.stderr(contains("part-00001-of-00003.jsonl: is missing").and(contains("--shard 2/3")));
    study.write(&SCENARIO.replace("output_tokens = 60", "output_tokens = 61"));
    study.sweep("out", &["--shard", "1/3"]).assert().success();
    study.sweep("out", &["--shard", "2/3"]).assert().success();
    study
        .merge("out")
        .assert()
        .code(2)
        .stderr(contains("part-00001").and(contains("scenario hash")));
    study.merge("nowhere").assert().code(2).stderr(contains("nowhere"));
    study.sweep("x", &["--shard", "3/3"]).assert().code(2).stderr(contains("count from 0"));
}

#[cfg(unix)]
#[test]
fn a_full_disk_stops_the_sweep_and_loses_nothing() {
    let study = Study::new(SCENARIO);
    study.sweep("whole", &[]).assert().success();
    // A limit on the size of files stands in for a full disk.
    let binary = assert_cmd::cargo::cargo_bin("tokenmill");
    let script = "trap '' XFSZ; ulimit -f 60; exec \"$0\" sweep s.toml --no-progress --out full";
    let mut sweep = Command::new("sh");
    let sweep =
        sweep.current_dir(study.0.path()).arg("-c").arg(script).arg(binary).assert().code(1);
    sweep.stderr(contains("cannot write").and(contains("--resume")));
    let kept = runs(&study.part("full"));
    assert!((1..18).contains(&kept), "{kept} runs");
    let resumed = study.sweep("full", &["--resume"]).assert().success();
    resumed.stderr(contains(format!("resuming: {kept} of 18")));
    assert!(study.bytes("full") == study.bytes("whole"));
}

#[test]
fn designs_over_ranges_and_unstable_points() {
    let swept = "[sweep]\ndesign = \"latin-hypercube\"\npoints = 5\n\
        \"use_case.chat.arrivals.rate\" = { from = \"1 /s\", to = \"90 /s\", scale = \"log\" }\n";
    let head = SCENARIO.split("[sweep]").next().unwrap();
    let study = Study::new(&format!("{head}{swept}"));
    let sweep = study.sweep("out", &["--json"]).assert().success();
    let printed: Value = serde_json::from_slice(&sweep.get_output().stdout).unwrap();
    assert_eq!(printed, study.json("out"));
    assert_eq!(printed["axes"][0]["unit"], "/s");
    assert_eq!(printed["points"].as_array().unwrap().len(), 5);
    assert!(study.path("out/charts/lines.png").exists());
    // What overloads a point withholds its latencies, not its throughput.
    study.write(&format!(
        "{head}[sweep]\n\"use_case.chat.arrivals.rate\" = [\"2 /s\", \"200 /s\"]\n"
    ));
    study.sweep("load", &["--set", "duration=\"60 s\""]).assert().success();
    let overloaded = &study.json("load")["points"][1];
    assert_eq!(overloaded["unstable_pools"][0], "a");
    let figures = overloaded["figures"].as_object().unwrap();
    assert!(!figures.contains_key("use_cases.chat.ttft_s.p95"));
    assert!(figures.contains_key("pools.a.output_tok_per_s_per_gpu"));
    assert_eq!(study.json("load")["pareto"]["chat"], serde_json::json!([0]));
}

/// What is said of this `[sweep]`.
fn mistakes(sweep: &str) -> String {
    let head = SCENARIO.split("[sweep]").next().unwrap();
    let study = Study::new(&format!("{head}[sweep]\n{sweep}\n"));
    let output = study.sweep("out", &[]).assert().code(2).stdout("").get_output().clone();
    assert!(!study.path("out").exists(), "nothing is written");
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn bad_sweeps_are_told_with_their_lines() {
    let all = [
        "",
        "\"pool.a.replcas\" = [1]",
        "\"pool.b.replicas\" = [1]",
        "\"pool.a.replicas\" = []",
        "\"pool.a.replicas\" = 3",
        "pool.a.replicas = [1, 2]",
        "\"pool.a.replicas\" = [1, 0, 2]",
        "\"replications\" = [1, 2]",
        "\"use_case.chat.arrivals.rate\" = [\"2 /s\", \"2 /parsec\"]",
        "\"pool.a.pue\" = { from = 2, to = 1, points = 3 }",
        "\"pool.a.pue\" = { from = 1.0, to = 2.0 }",
        "\"pool.a.pue\" = { from = 0, to = 2.0, points = 3, scale = \"log\" }",
        "\"pool.a.pue\" = { from = 1.0, to = 2.0, points = 1, step = 3, scale = \"cubic\" }",
        "\"pool.a.pue\" = { from = \"x\", points = 3 }",
        "\"pool.a.replicas\" = { from = 1, to = 3, points = 9 }",
        "\"use_case.chat.arrivals.rate\" = { from = \"2 /s\", to = \"9 /min\", points = 3 }",
        "\"pool.a.pue\" = { from = 1.0, to = 2.0, points = 1_000_000 }",
        "design = \"hypercube\"\n\"pool.a.pue\" = { from = 1.0, to = 2.0 }",
        "design = \"sobol\"\n\"pool.a.pue\" = { from = 1.0, to = 2.0 }",
        "design = \"sobol\"\npoints = 99999\n\"pool.a.pue\" = { from = 1.0, to = 2.0 }",
        "design = \"latin-hypercube\"\npoints = 4\n\"pool.a.pue\" = [1.0, 2.0]",
        "points = 4\n\"pool.a.pue\" = [1.0, 2.0]",
    ];
    insta::assert_snapshot!(all.map(|sweep| format!("{sweep}\n{}", mistakes(sweep))).join("\n"));
}

#[test]
fn a_scenario_without_a_sweep_is_told_how_to_write_one() {
    let study = Study::new(SCENARIO.split("[sweep]").next().unwrap());
    study.sweep("out", &[]).assert().code(2).stderr(contains("s.toml: has no [sweep]"));
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_with_130_and_keeps_what_was_finished() {
    let study = Study::new(&SCENARIO.replace("20 s", "60 s"));
    let mut child = start(&study, "out");
    wait_for(&study.part("out"), 3);
    let interrupt = Process::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let kept = runs(&study.part("out"));
    assert!((3..18).contains(&kept), "{kept} runs");
    let resumed = study.sweep("out", &["--resume"]).assert().success();
    resumed.stderr(contains(format!("resuming: {kept} of 18")));
}
