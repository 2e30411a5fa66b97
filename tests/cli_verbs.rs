//! The verbs as a user calls them: output, messages, exit codes.

use assert_cmd::Command;
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

fn tokenmill() -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

fn json(args: &[&str]) -> Value {
    let output = tokenmill().args(args).arg("--json").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn every_scenario_of_the_repository_is_valid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/scenarios");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            tokenmill().arg("validate").arg(&path).assert().success().stdout(contains("is valid"));
            seen += 1;
        }
    }
    assert!(seen >= 5, "{seen} scenarios");
}

#[test]
fn validate_prints_what_the_quickstart_resolves_to() {
    let validate = tokenmill().arg("validate").assert().success().stderr("");
    validate.stdout(
        contains("2 x h100-sxm")
            .and(contains("weights"))
            .and(contains("blocks of 16 tokens"))
            .and(contains("tok/s a user"))
            .and(contains("estimated capacity")),
    );
    let document = json(&["validate", "--set", "pool.assistant.engine.kv_blocks=1000"]);
    assert_eq!(document["pools"][0]["kv"]["blocks"], 1000);
    let share = document["pools"][0]["offered_calls_per_s"].as_f64().unwrap()
        / document["pools"][0]["estimated_capacity_calls_per_s"].as_f64().unwrap();
    assert!(share > 0.0);
}

#[test]
fn the_quickstart_is_loaded_to_about_seventy_percent() {
    let pool = &json(&["validate"])["pools"][0];
    let [offered, capacity] = ["offered_calls_per_s", "estimated_capacity_calls_per_s"]
        .map(|key| pool[key].as_f64().unwrap());
    assert!((0.6..0.8).contains(&(offered / capacity)), "{offered} of {capacity}");
}

#[test]
fn mistakes_exit_with_two_and_print_nothing_on_stdout() {
    let missing = tokenmill().args(["validate", "no-such.toml"]).assert().code(2).stdout("");
    missing.stderr(contains("no-such.toml").and(contains("tokenmill init")));
    let set = ["validate", "--set", "pool.assistant.replicas=0", "--set", "seeed=1"];
    let set = tokenmill().args(set).assert().code(2).stdout("");
    set.stderr(contains("pool.assistant.replicas = 0").and(contains("did you mean `seed`?")));
    tokenmill()
        .args(["validate", "--replications", "0"])
        .assert()
        .code(2)
        .stderr(contains("--replications: replications = 0: must be at least 1"));
    tokenmill().arg("no-such-verb").assert().code(2);
}

#[test]
fn broken_traces_name_their_lines_or_are_skipped_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("s.toml");
    std::fs::write(
        &path,
        "name = \"s\"\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n\
         [[use_case]]\nname = \"c\"\ntrace = { format = \"azure\", path = \"t.csv\" }\n",
    )
    .unwrap();
    let trace = |text: &str| std::fs::write(folder.path().join("t.csv"), text).unwrap();
    let validate = || {
        let mut command = tokenmill();
        command.arg("validate").arg(&path);
        command
    };
    trace(
        "TIMESTAMP,ContextTokens,GeneratedTokens\n2026-01-01 00:00:01,5,6\nx,y\n2026-01-01,1,1\n",
    );
    let named = contains("t.csv:3: `x,y`").and(contains("t.csv:4").and(contains("out of order")));
    validate().assert().code(2).stderr(named.and(contains("--skip-bad-lines")));
    let skipped = validate().arg("--skip-bad-lines").assert().success();
    skipped.stdout(contains("warning: t.csv: 2 broken lines left out"));
    trace("");
    validate().assert().code(2).stderr(contains("t.csv: is empty: it holds no call"));
    std::fs::remove_file(folder.path().join("t.csv")).unwrap();
    validate()
        .assert()
        .code(2)
        .stderr(contains("use_case.c.trace.path = \"t.csv\": cannot be read"));
}

#[test]
fn init_writes_a_valid_scenario_and_overwrites_nothing() {
    for template in ["chat", "trace", "closed-loop"] {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("new");
        let init = || {
            let mut command = tokenmill();
            command.arg("init").arg(&dir).args(["--template", template]);
            command
        };
        init().assert().success().stdout(contains("scenario.toml"));
        tokenmill().arg("validate").arg(dir.join("scenario.toml")).assert().success();
        init().assert().code(2).stderr(contains("exists already").and(contains("--force")));
        init().arg("--force").assert().success();
    }
}

#[test]
fn catalog_lists_and_suggests() {
    tokenmill().arg("catalog").assert().success().stdout(
        contains("h100-sxm")
            .and(contains("llama-3.1-8b"))
            .and(contains("estimated").or(contains("fitted"))),
    );
    let entry = json(&["catalog", "hardware", "h100-sxm"]);
    assert_eq!(entry["name"], "h100-sxm");
    assert!(entry["origins"][0]["source"].is_string());
    let lists = json(&["catalog"]);
    assert!(lists["hardware"].as_array().unwrap().len() >= 8);
    assert!(lists["models"].as_array().unwrap().len() >= 6);
    let unknown = tokenmill().args(["catalog", "models", "lama-3.1-8b"]).assert().code(2);
    unknown.stderr(contains("did you mean \"llama-3.1-8b\"?"));
}

#[test]
fn the_terms_of_a_step_add_up() {
    for model in ["llama-3.1-8b", "gpt-oss-120b"] {
        let args = ["steptime", "--model", model, "--hardware", "h100-sxm", "--batch", "64"];
        let step = json(&[&args[..], &["--context", "4000", "--prefill", "700"]].concat());
        let sum: f64 = step["terms"].as_object().unwrap().values().filter_map(Value::as_f64).sum();
        let whole = step["step_s"].as_f64().unwrap();
        assert!(whole > 1e-3 && (sum - whole).abs() < 1e-9, "{sum} {whole}");
    }
    let wrong = ["steptime", "--model", "x", "--hardware", "h100-sxm", "--batch", "0"];
    let wrong = tokenmill().args(wrong).assert().code(2);
    wrong.stderr(contains("unknown model \"x\"").and(contains("the step is empty")));
}

#[test]
fn a_table_of_steps_gets_a_prediction_a_row() {
    let folder = tempfile::tempdir().unwrap();
    let table = folder.path().join("in.csv");
    let done = folder.path().join("out.csv");
    std::fs::write(
        &table,
        "system,model,precision,tp,attn_dp,phase,batch_per_dp,new_tokens,prefix_tokens,context\n\
         h100_sxm,llama-3.1-8b,bf16,1,1,decode,8,1,0,1024\n\
         h100_sxm,unheard-of,bf16,1,1,decode,8,1,0,1024\n",
    )
    .unwrap();
    let mut command = tokenmill();
    command.arg("steptime").arg("--csv").arg(&table);
    command.assert().code(2).stderr(contains("--out: is missing"));
    command.arg("--out").arg(&done).assert().success().stderr(contains("2 rows, 1 predicted"));
    let text = std::fs::read_to_string(&done).unwrap();
    assert!(text.lines().next().unwrap().ends_with(",predicted_ms"), "{text}");
    assert!(text.lines().nth(2).unwrap().ends_with(','), "{text}");
}

#[test]
fn the_schema_describes_every_key() {
    let output = tokenmill().arg("schema").output().unwrap();
    let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            let described = property["description"].is_string() || property["const"].is_string();
            assert!(described, "{name}.{key} has no description");
        }
    }
    assert!(schema["properties"]["pool"]["description"].is_string());
}

#[test]
fn run_writes_the_same_files_for_any_number_of_threads() {
    let folder = tempfile::tempdir().unwrap();
    let run = |threads: &str| {
        let dir = folder.path().join(threads);
        let mut command = tokenmill();
        command.args(["run", "--json", "--no-progress", "--replications", "2", "--audit"]);
        command.args(["--set", "duration=20 s", "--set", "warm_up=2 s", "--threads", threads]);
        let output = command.arg("--out").arg(&dir).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let printed: Value = serde_json::from_slice(&output.stdout).unwrap();
        let read = |name: &str| std::fs::read(dir.join(name)).unwrap();
        let written: Value = serde_json::from_slice(&read("summary.json")).unwrap();
        assert_eq!(printed, written);
        (read("summary.json"), read("scenario.toml"), read("report.html"))
    };
    assert_eq!(run("1"), run("2"));
}

#[test]
fn run_refuses_a_folder_that_cannot_be_written() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let out = file.path().join("below-a-file");
    let run = tokenmill().args(["run", "--out"]).arg(out).assert();
    run.code(2).stdout("").stderr(contains("below-a-file"));
}

#[test]
#[cfg(unix)]
fn an_interrupted_run_exits_with_130_and_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("results");
    let mut run = std::process::Command::new(env!("CARGO_BIN_EXE_tokenmill"))
        .args(["run", "--set", "duration=\"300 days\"", "--no-progress", "--out"])
        .arg(&out)
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(std::time::Duration::from_secs(2));
    let interrupted =
        std::process::Command::new("kill").args(["-INT", &run.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    assert_eq!(run.wait().unwrap().code(), Some(130));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing is left");
}
