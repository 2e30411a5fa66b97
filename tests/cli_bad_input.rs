//! What a hostile new user does to the binary: no panic, no hang, nothing half
//! written, and a message that says what to do.

use assert_cmd::Command;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tempfile::TempDir;

const GOOD: &str = r#"name = "s"
duration = "20 s"
replications = 2
warm_up = "2 s"
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
[[use_case]]
name = "c"
arrivals = { process = "poisson", rate = "2 /s" }
prompt_tokens = 200
output_tokens = 20
"#;

/// A folder with a good scenario in it.
struct Desk {
    folder: TempDir,
}

impl Desk {
    fn new() -> Self {
        let desk = Desk { folder: tempfile::tempdir().unwrap() };
        fs::write(desk.path("good.toml"), GOOD).unwrap();
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The binary in this folder, which has a minute to answer.
    fn tokenmill(&self, args: &[&str]) -> Command {
        let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
        command.current_dir(self.folder.path()).args(args).timeout(Duration::from_secs(60));
        command
    }

    fn run(&self, sets: &[&str]) -> Command {
        let mut command = self.tokenmill(&["run", "good.toml", "--no-progress", "--out", "out"]);
        sets.iter().for_each(|set| _ = command.args(["--set", set]));
        command
    }
}

#[test]
fn files_that_are_no_scenarios() {
    let desk = Desk::new();
    fs::write(desk.path("empty.toml"), "").unwrap();
    fs::write(desk.path("binary.toml"), [0xff, 0xfe, 0, 1]).unwrap();
    fs::write(desk.path("deep.toml"), "a = ".to_owned() + &"[".repeat(100_000)).unwrap();
    fs::write(desk.path("large.toml"), "# x\n".repeat(5 << 20)).unwrap();
    fs::create_dir(desk.path("folder")).unwrap();
    for (file, problem) in [
        ("empty.toml", "empty.toml:1: pool: is missing"),
        ("binary.toml", "binary.toml: cannot be read"),
        ("deep.toml", "deep.toml:1: `a = [[["),
        ("large.toml", "large.toml: is longer than"),
        ("folder", "folder: cannot be read"),
        ("absent.toml", "absent.toml: cannot be read"),
    ] {
        let refused = desk.tokenmill(&["validate", file]).assert().code(2).stdout("");
        refused.stderr(contains(problem));
    }
    #[cfg(unix)]
    desk.tokenmill(&["validate", "/dev/zero"]).assert().code(2).stderr(contains("is longer than"));
    let windows = format!("\u{feff}{}", GOOD.replace('\n', "\r\n"));
    fs::write(desk.path("windows.toml"), windows).unwrap();
    desk.tokenmill(&["validate", "windows.toml"]).assert().success();
}

#[test]
fn places_that_cannot_be_written() {
    let desk = Desk::new();
    fs::write(desk.path("file"), "").unwrap();
    let out = ["run", "good.toml", "--out", "file"];
    desk.tokenmill(&out).assert().code(2).stdout("").stderr(contains("--out: `file`"));
    desk.tokenmill(&["init", "file"]).assert().code(2).stderr(contains("init: `file"));
    let table = ["steptime", "--csv", "absent.csv", "--out", "x.csv"];
    desk.tokenmill(&table).assert().code(2).stderr(contains("`absent.csv`: cannot read"));
    assert_eq!(names(desk.folder.path()), ["file", "good.toml"], "nothing was written");
}

#[test]
fn nothing_to_measure_is_valid_json_without_numbers() {
    let desk = Desk::new();
    for (set, rejected) in
        [("use_case.c.arrivals.rate=1e-9 /s", false), ("pool.a.engine.max_model_len=9", true)]
    {
        let output = desk.run(&[set]).arg("--json").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let summary: Value = serde_json::from_slice(&output.stdout).unwrap();
        let chat = &summary["use_cases"]["c"];
        assert_eq!(chat["calls"], 0);
        assert_eq!(chat["rejected"].as_u64().unwrap() > 0, rejected);
        assert!(chat["ttft_s"]["p99"].is_null(), "{chat}");
        let report = fs::read_to_string(desk.path("out/report.html")).unwrap();
        assert!(!report.contains("NaN") && !report.contains("inf "));
    }
}

#[test]
fn more_threads_than_work_do_not_wait_for_each_other() {
    let desk = Desk::new();
    desk.run(&["seed=9223372036854775807"])
        .args(["--threads", "4096"])
        .assert()
        .success()
        .stderr(contains("on 2 threads"));
    let none = desk.tokenmill(&["run", "good.toml", "--threads", "0"]).assert().code(2);
    none.stderr(contains("1..=4096"));
    let seed = desk.tokenmill(&["run", "good.toml", "--seed", "18446744073709551615"]).assert();
    seed.code(2).stderr(contains("--seed: seed = 18446744073709551615: is too large"));
}

#[test]
fn a_trace_that_is_a_folder_names_its_key() {
    let desk = Desk::new();
    let recorded =
        GOOD.replace("arrivals = { process = \"poisson\", rate = \"2 /s\" }\n", "").replace(
            "prompt_tokens = 200\noutput_tokens = 20",
            "trace = { format = \"azure\", path = \".\" }",
        );
    fs::write(desk.path("recorded.toml"), recorded).unwrap();
    let refused = desk.tokenmill(&["validate", "recorded.toml"]).assert().code(2);
    refused.stderr(contains("use_case.c.trace.path = \".\": cannot be read"));
}

/// What a folder holds, sorted.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
