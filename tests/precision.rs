//! Replications until figures are precise: the same replications that a number
//! would have run, stopped where the figures themselves say so.

mod common;

use common::{Folder, load, on_threads};
use predicates::prelude::*;
use predicates::str::contains;
use std::path::Path;
use tokenmill::scenario::{Loaded, Overrides, parse};
use tokenmill::study::{Comparison, Replicated, Summary, compare, replicate};

const BASE: &str = r#"
name = "precise"
seed = 5
duration = "40 s"
replications = REPLICATIONS

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "4 /s" }
prompt_tokens = { distribution = "lognormal", median = 500, sigma = 0.7 }
output_tokens = { distribution = "lognormal", median = 100, sigma = 0.6 }
slo = { ttft_p95 = "800 ms" }

[[arm]]
name = "slower"
set = { "pool.a.engine.step_scale" = 1.3 }
"#;

fn stopping(replications: &str) -> Loaded {
    load(&BASE.replace("REPLICATIONS", replications))
}

fn run(replications: &str, threads: usize) -> Replicated {
    let loaded = stopping(replications);
    on_threads(threads, || replicate(&loaded.scenario, true, |_| {}))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("JSON")
}

const FIVE_PERCENT: &str = "{ precision = \"5 %\", max = 200 }";

#[test]
fn a_run_that_stops_is_the_run_of_so_many_replications() {
    let stopped = run(FIVE_PERCENT, 2);
    let precision = stopped.summary.precision.clone().expect("it was asked for");
    println!("{} replications: {precision:?}", stopped.summary.replications);
    assert!(precision.is_met && stopped.summary.replications < 200, "{precision:?}");
    let paths: Vec<&String> = precision.figures.keys().collect();
    let keys = ["ttft_s.mean", "tpot_s.mean", "e2e_s.mean"].map(|k| format!("use_cases.chat.{k}"));
    assert_eq!(
        paths,
        keys.iter().chain([&"pools.a.usd_per_mtok.total".to_owned()]).collect::<Vec<_>>()
    );
    let counted = run(&stopped.summary.replications.to_string(), 2);
    assert!(counted.summary.precision.is_none());
    let same = Summary { precision: None, ..stopped.summary.clone() };
    assert_eq!(json(&same), json(&counted.summary));
    assert_eq!(json(&stopped.series), json(&counted.series));
    // It was not enough one wave earlier.
    let half = format!("{{ precision = \"5 %\", max = {} }}", stopped.summary.replications / 2);
    assert!(!run(&half, 2).summary.precision.expect("it was asked for").is_met);
}

#[test]
fn threads_do_not_change_when_it_stops() {
    let written = |threads| json(&run(FIVE_PERCENT, threads).summary);
    let once = written(1);
    for threads in [2, 16] {
        assert!(written(threads) == once, "{threads} threads");
    }
}

#[test]
fn the_rule_is_the_half_width_over_the_mean() {
    let summary = run("{ precision = \"15 %\", of = [\"use_cases.chat.ttft_s.p95\"] }", 2).summary;
    let interval = summary.use_cases["chat"].ttft_s.p95.expect("the load is sustained");
    let relative = (interval.high.unwrap() - interval.mean) / interval.mean;
    assert!(relative <= 0.15 / 1.15, "{relative}");
    let precision = summary.precision.expect("it was asked for");
    let error = precision.figures["use_cases.chat.ttft_s.p95"].expect("far from zero");
    assert!((error - relative / (1.0 - relative)).abs() < 1e-12);
}

#[test]
fn a_cap_that_is_too_low_is_told_with_the_figures_that_missed() {
    let of = "[\"use_cases.chat.ttft_s.p99\", \"use_cases.chat.prompt_tokens_mean\", \
              \"use_cases.chat.preemptions_per_call\"]";
    let summary = run(&format!("{{ precision = \"0.1 %\", of = {of}, max = 12 }}"), 2).summary;
    assert_eq!(summary.replications, 12);
    let warning = &summary.warnings[0];
    assert!(
        warning.starts_with("12 replications do not reach the precision of 0.1 %"),
        "{warning}"
    );
    assert!(warning.contains("use_cases.chat.ttft_s.p99 ("), "{warning}");
    assert!(warning.contains("use_cases.chat.prompt_tokens_mean ("), "{warning}");
    // No call was preempted in any replication: zero, and certain.
    assert!(!warning.contains("preemptions"), "{warning}");
    let precision = summary.precision.expect("it was asked for");
    assert_eq!(precision.figures["use_cases.chat.preemptions_per_call"], Some(0.0));
    assert!(!precision.is_met);
}

#[test]
fn nothing_random_is_precise_at_once() {
    let text = BASE
        .replace("REPLICATIONS", "{ precision = \"1 %\" }")
        .replace("poisson", "constant")
        .replace("{ distribution = \"lognormal\", median = 500, sigma = 0.7 }", "500")
        .replace("{ distribution = \"lognormal\", median = 100, sigma = 0.6 }", "100");
    let loaded = load(&text);
    let summary = replicate(&loaded.scenario, true, |_| {}).summary;
    assert_eq!(summary.replications, 1);
    assert!(summary.precision.expect("it was asked for").is_met);
    assert_eq!(summary.warnings, [""; 0]);
}

/// What is withheld does not get more precise: the first wave is the last.
#[test]
fn an_unstable_load_is_not_run_until_the_cap() {
    let text = BASE
        .replace("REPLICATIONS", "{ precision = \"0.1 %\", of = \"use_cases.chat.ttft_s.mean\" }");
    let text = text.replace("4 /s", "400 /s").replace("40 s", "20 s");
    let loaded = load(&text);
    let summary = replicate(&loaded.scenario, false, |_| {}).summary;
    assert_eq!(summary.pools["a"].stable, Some(false));
    assert_eq!(summary.replications, 16);
    let untested = "the precision asked for was not tested in use_cases.chat.ttft_s.mean";
    assert!(summary.warnings.iter().any(|text| text.starts_with(untested)), "{summary:?}");
}

fn compared(replications: &str) -> Comparison {
    compare(&stopping(replications).with_baseline(), true, |_| {}).comparison
}

#[test]
fn arms_run_until_the_figures_of_each_are_precise() {
    let mut stopped = compared(FIVE_PERCENT);
    for (name, arm) in &mut stopped.arms {
        let precision = arm.precision.take().expect("it was asked for");
        assert!(precision.is_met, "{name}: {precision:?}");
    }
    let counted = compared(&stopped.replications.to_string());
    assert_eq!(json(&stopped), json(&counted));
    // The slower arm waits longer and varies more: it decides.
    let alone = run(FIVE_PERCENT, 2).summary.replications;
    println!("{} replications with an arm, {alone} alone", stopped.replications);
    assert!(stopped.replications >= alone);
}

#[test]
fn a_resolved_scenario_stops_where_it_did() {
    let first = stopping(FIVE_PERCENT);
    let again = parse(&first.resolved_toml, "again", Path::new(""), &Overrides::default()).unwrap();
    assert_eq!(first.resolved_toml, again.resolved_toml);
    assert_eq!(first.scenario.stopping, again.scenario.stopping);
    assert_eq!(again.scenario.replications, 200);
}

fn tokenmill(verb: &str, text: &str, args: &[&str]) -> assert_cmd::assert::Assert {
    Folder::new(text).tokenmill(&[verb, "s.toml", "--no-progress"]).args(args).assert()
}

#[test]
fn the_command_line_asks_for_precision_too() {
    let text = BASE.replace("REPLICATIONS", "3");
    let run = tokenmill("run", &text, &["--precision", "20 %", "--set", "replications.max=64"]);
    run.success().stdout(contains("within 20.0 % of").and(contains("were enough")));
    let run = tokenmill("run", &text, &["--precision", "20 %", "--replications", "4"]);
    run.code(2).stderr(contains("cannot be used with"));
    let validate = tokenmill("validate", &text, &["--precision", "2.5 %"]);
    validate.success().stdout(contains("16 to 512 replications, until figures are within 2.5 %"));
}
