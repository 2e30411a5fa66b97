//! Arms against their baseline: what common random numbers cancel, what is
//! exactly zero, and what a user sees.

mod common;

use assert_cmd::Command;
use common::{load, on_threads};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;
use tokenmill::scenario::{Loaded, Overrides, parse};
use tokenmill::study::{Comparison, compare};

/// A pool loaded to about 85 %, small enough for a debug build.
const BASE: &str = r#"
name = "pair"
seed = 3
replications = 12
duration = "3 min"
warm_up = "20 s"

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
replicas = 2
router = { policy = "least-loaded" }
engine = { max_num_seqs = 24, step_scale = 1.0 }

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "9.5 /s" }
prompt_tokens = { distribution = "lognormal", median = 500, sigma = 0.7 }
output_tokens = { distribution = "lognormal", median = 400, sigma = 0.6 }
slo = { ttft_p95 = "800 ms" }
"#;

fn with(arms: &str) -> Loaded {
    load(&format!("{BASE}{arms}"))
}

fn compared(arms: &str, threads: usize) -> Comparison {
    let arms = with(arms).with_baseline();
    on_threads(threads, || compare(&arms, true, |_| {})).comparison
}

const SLOWER: &str = r#"
[[arm]]
name = "slower"
set = { "pool.a.engine.step_scale" = 1.05 }
"#;

#[test]
fn two_server_speeds_need_ten_times_fewer_runs_when_paired() {
    let comparison = compared(SLOWER, 2);
    let figures = &comparison.arms["slower"].figures;
    for path in ["use_cases.chat.e2e_s.mean", "use_cases.chat.tpot_s.mean"] {
        let figure = figures[path];
        let reduction = figure.variance_reduction.expect("both arms vary");
        let difference = figure.difference.expect("both arms have it");
        println!("{path}: {reduction:.1}x, {:+.2} %", figure.relative.unwrap() * 100.0);
        assert!(reduction >= 10.0, "{path}: {reduction}");
        assert!(difference.low.unwrap() > 0.0, "slower is slower: {difference:?}");
    }
}

#[test]
fn an_arm_that_changes_nothing_differs_by_exactly_nothing() {
    let comparison =
        compared("[[arm]]\nname = \"same\"\nset = { \"pool.a.engine.step_scale\" = 1.0 }\n", 2);
    let (same, baseline) = (&comparison.arms["same"], &comparison.arms["baseline"]);
    assert_eq!(same.digest, baseline.digest);
    assert!(same.figures.len() > 30);
    for (path, figure) in &same.figures {
        let difference = figure.difference.expect("both arms have it");
        let ends = (difference.mean, difference.low, difference.high);
        assert_eq!(ends, (0.0, Some(0.0), Some(0.0)), "{path}");
    }
    let text = tokenmill::report::comparison_terminal(&comparison);
    assert!(text.contains("It changes none of the headline figures."), "{text}");
}

#[test]
fn threads_change_nothing() {
    let short =
        format!("{SLOWER}\n[[arm]]\nname = \"more\"\nset = {{ \"pool.a.replicas\" = 3 }}\n");
    let json = |threads| serde_json::to_string(&compared(&short, threads)).expect("JSON");
    let once = json(1);
    for threads in [2, 16] {
        assert!(json(threads) == once, "{threads} threads");
    }
}

#[test]
fn several_arms_share_the_chance_of_error() {
    let two = format!("{SLOWER}\n[[arm]]\nname = \"more\"\nset = {{ \"pool.a.replicas\" = 3 }}\n");
    let (one, two) = (compared(SLOWER, 2), compared(&two, 2));
    assert_eq!((one.confidence, two.confidence), (0.95, 0.975));
    let width = |comparison: &Comparison| {
        let figure = comparison.arms["slower"].figures["use_cases.chat.e2e_s.mean"];
        let difference = figure.difference.unwrap();
        difference.high.unwrap() - difference.low.unwrap()
    };
    assert!(width(&two) > width(&one));
}

#[test]
fn an_overloaded_arm_withholds_its_figures_and_says_so() {
    let arm = "[[arm]]\nname = \"busy\"\nset = { \"use_case.chat.arrivals.rate\" = \"40 /s\" }\n";
    let comparison = compared(arm, 2);
    let busy = &comparison.arms["busy"];
    assert_eq!(busy.unstable_pools, ["a"]);
    assert!(busy.withheld.contains(&"use_cases.chat.ttft_s.p95".to_owned()));
    assert!(!busy.figures.contains_key("use_cases.chat.ttft_s.p95"));
    assert!(comparison.warnings[0].starts_with("arm busy: pool a is unstable"));
    let text = tokenmill::report::comparison_terminal(&comparison);
    assert!(text.starts_with("WARNING arm busy: pool a is unstable"), "{text}");
    assert!(text.contains("It overloads pool a"), "{text}");
    let ttft = text.lines().find(|line| line.starts_with("TTFT p95")).unwrap();
    assert_eq!(ttft.matches("withheld").count(), 2, "{ttft}");
}

/// A deterministic baseline runs once; an arm in which something is drawn
/// makes it run as often as that arm does.
#[test]
fn arms_run_as_often_as_the_most_demanding_one() {
    let text = BASE
        .replace("replications = 12\n", "")
        .replace("poisson", "constant")
        .replace("{ distribution = \"lognormal\", median = 500, sigma = 0.7 }", "500")
        .replace("{ distribution = \"lognormal\", median = 400, sigma = 0.6 }", "300")
        + "[[arm]]\nname = \"drawn\"\nset = { \"use_case.chat.arrivals.process\" = \"poisson\" }\n";
    let loaded = load(&text);
    let arms = loaded.with_baseline();
    assert_eq!(arms.iter().map(|arm| arm.scenario.replications).collect::<Vec<_>>(), [1, 32]);
    let comparison = compare(&arms, false, |_| {}).comparison;
    assert_eq!(comparison.replications, 32);
    assert!(comparison.arms["drawn"].figures["use_cases.chat.e2e_s.mean"].difference.is_some());
}

fn tokenmill() -> Command {
    let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
    command.current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

#[test]
fn compare_says_what_each_arm_does_and_keeps_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("out");
    let compare = || {
        let mut command = tokenmill();
        command.args(["compare", "scenarios/compare-fp8.toml", "--no-progress", "--out"]);
        command.arg(&out).args(["--replications", "3", "--set", "duration=40 s"]);
        command.args(["--set", "warm_up=5 s", "--threads", "2"]);
        command
    };
    compare().assert().success().stdout(
        contains("ARM fp8: pool.assistant.precision = \"fp8\"")
            .and(contains("TPOT p95 of chat falls by"))
            .and(contains("Worse: $/Mtok of pool assistant rises by 49.4 %"))
            .and(contains("report.html")),
    );
    for file in ["manifest.json", "scenario.toml", "report.html", "charts/forest.svg"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let printed = compare().arg("--json").assert().success().get_output().stdout.clone();
    assert_eq!(printed, std::fs::read(out.join("comparison.json")).unwrap());
    let comparison: Comparison = serde_json::from_slice(&printed).unwrap();
    let arms: Vec<&String> = comparison.arms.keys().collect();
    assert_eq!(arms, ["baseline", "fp8", "three-replicas", "more-load", "power-of-two"]);
}

#[test]
fn a_resolved_comparison_is_the_same_comparison() {
    let first = with(SLOWER);
    let again = parse(&first.resolved_toml, "again", Path::new(""), &Overrides::default()).unwrap();
    assert_eq!(first.resolved_toml, again.resolved_toml);
    assert_eq!(again.arms[0].changes, ["pool.a.engine.step_scale = 1.05"]);
    assert_eq!(again.arms[0].scenario.pools[0].engine.step_scale, 1.05);
    assert_eq!(again.scenario.pools[0].engine.step_scale, 1.0);
}

/// Without randomness one run of each arm is exact, and so is the difference.
#[test]
fn exact_figures_have_exact_differences() {
    let text = BASE
        .replace("replications = 12\n", "")
        .replace("poisson", "constant")
        .replace("{ distribution = \"lognormal\", median = 500, sigma = 0.7 }", "500")
        .replace("{ distribution = \"lognormal\", median = 400, sigma = 0.6 }", "300")
        + SLOWER;
    let arms = load(&text);
    let comparison = compare(&arms.with_baseline(), true, |_| {}).comparison;
    assert_eq!(comparison.replications, 1);
    let figure = comparison.arms["slower"].figures["use_cases.chat.e2e_s.mean"];
    let difference = figure.difference.unwrap();
    assert!(difference.mean > 0.0);
    assert_eq!((difference.low, difference.high), (Some(difference.mean), Some(difference.mean)));
}

#[test]
fn calls_that_an_arm_refuses_are_counted() {
    let arm = "[[arm]]\nname = \"short\"\nset = { \"pool.a.engine.max_model_len\" = 1000 }\n";
    let comparison = compared(arm, 2);
    let refused = |text: &String| {
        text.starts_with("arm short: use case chat: ") && text.contains("calls were rejected")
    };
    assert!(comparison.warnings.iter().any(refused), "{:?}", comparison.warnings);
}

#[test]
fn validate_names_the_arms() {
    let validate = tokenmill().args(["validate", "scenarios/compare-fp8.toml"]).assert();
    validate.success().stdout(contains("arm fp8: pool.assistant.precision = \"fp8\""));
}

#[test]
fn a_scenario_without_arms_has_nothing_to_compare() {
    let compare = tokenmill().args(["compare", "scenarios/quickstart.toml"]).assert();
    compare.code(2).stdout("").stderr(contains("arm: is missing").and(contains("[[arm]]")));
}

#[test]
fn arms_share_the_recording_they_replay() {
    let text = "name = \"t\"\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\n\
        hardware = \"h100-sxm\"\n[[use_case]]\nname = \"c\"\n\
        trace = { format = \"azure\", path = \"traces/sample-azure.csv\" }\n\
        [[arm]]\nname = \"two\"\nset = { \"pool.a.replicas\" = 2 }\n";
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let arms = parse(text, "s.toml", &dir, &Overrides::default()).unwrap().with_baseline();
    let traces: Vec<_> = arms
        .iter()
        .map(|arm| match &arm.scenario.use_cases[0].arrivals {
            tokenmill::scenario::Arrivals::Trace { trace, .. } => trace.clone(),
            other => panic!("{other:?}"),
        })
        .collect();
    assert!(std::sync::Arc::ptr_eq(&traces[0], &traces[1]));
}
