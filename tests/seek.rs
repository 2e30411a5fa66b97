//! Goal seeking: the answer is the closed form's, the brute force's and the
//! same on any number of threads; every mistake is named.

#[path = "report/checks.rs"]
mod checks;
mod common;

use checks::{assert_balanced, assert_readable};
use common::{Folder, on_threads};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;
use std::fs;
use std::path::Path;
use tokenmill::report::{self, Artifact};
use tokenmill::scenario::{Overrides, open};
use tokenmill::statistics::Interval;
use tokenmill::study::replicate;
use tokenmill::study::seek::{Outcome, OverPlan, Plan, SeekResult, Verdict, seek, seek_over};

/// A pool small enough for a debug build, without its `[seek]`.
const BASE: &str = r#"name = "s"
replications = 4
duration = "40 s"
warm_up = "5 s"

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 16 }

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "8 /s" }
prompt_tokens = { distribution = "lognormal", median = 400, sigma = 0.9 }
output_tokens = 60

"#;

const LOAD: &str = r#"[seek]
key = "use_case.chat.arrivals.rate"
from = "2 /s"
to = "60 /s"
tolerance = "2 %"
keep = [{ metric = "use_cases.chat.ttft_s.p95", at_most = "300 ms" }]
"#;

const REPLICAS: &str = r#"[seek]
key = "pool.a.replicas"
from = 1
to = 9
[[seek.keep]]
metric = "use_cases.chat.ttft_s.p95"
at_most = "150 ms"
[[seek.keep]]
metric = "use_cases.chat.tpot_s.p95"
at_most = "20 ms"
"#;

fn sought(text: &str) -> SeekResult {
    sought_with(text, &[])
}

/// What is found with these changes to the scenario.
fn sought_with(text: &str, set: &[&str]) -> SeekResult {
    let set = set.iter().map(|&change| change.to_owned()).collect();
    let overrides = Overrides { set, ..Overrides::default() };
    let (loaded, variants) =
        open(text, "s.toml", Path::new(""), &overrides).unwrap_or_else(|error| panic!("{error}"));
    let plan = Plan::new(&loaded, &variants, loaded.seek.clone().unwrap());
    let plan = plan.unwrap_or_else(|error| panic!("{error}"));
    seek(&plan, false, |_| {}).unwrap_or_else(|error| panic!("{error}")).result
}

/// One call at a time, each a single step of the same length: M/D/1.
const SERVER: &str = r#"name = "server"
replications = 12
duration = "400 s"
warm_up = "20 s"

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 1, step_overhead = "100 ms" }

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "2 /s" }
prompt_tokens = 500
output_tokens = 1

[seek]
key = "use_case.chat.arrivals.rate"
from = "0.5 /s"
to = "30 /s"
tolerance = "0.2 %"
keep = [{ metric = "use_cases.chat.queue_s.mean", at_most = "100 ms" }]
"#;

/// The arrival rate at which the mean wait of M/D/1 is `wait_s`: Pollaczek and
/// Khinchine's W = r S^2 / (2 (1 - r S)), solved for r.
fn rate_at(wait_s: f64, service_s: f64) -> f64 {
    2.0 * wait_s / (service_s * service_s + 2.0 * wait_s * service_s)
}

/// The length of the step.
fn service_s() -> f64 {
    let text = SERVER.replace("\"poisson\"", "\"constant\"").replace("= 12", "= 1");
    let (loaded, _) = open(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    let summary = replicate(&loaded.scenario, true, |_| {}).summary;
    let e2e = summary.use_cases["chat"].e2e_s.mean.expect("it is served");
    assert_eq!(e2e.low, e2e.high, "nothing is random");
    e2e.mean
}

#[test]
fn the_load_of_a_single_server_is_that_of_the_closed_form() {
    let exact = rate_at(0.1, service_s());
    let result = sought(SERVER);
    let Interval { mean, low, high } = result.answer.unwrap();
    let (low, high) = (low.unwrap(), high.unwrap());
    println!("found {mean} /s, {low} to {high}, exact {exact:.4} /s, S {} s", service_s());
    assert_eq!(result.outcome, Outcome::Largest);
    assert!(low < exact && exact < high);
    assert!((mean / exact - 1.0).abs() < 0.02);
    assert!((high - low) / exact < 0.08, "the interval is not idle");
}

/// How many of so many studies with other random numbers hold the closed form.
fn covered(studies: u32) -> usize {
    let exact = rate_at(0.1, service_s());
    let covers = |seed: &u32| {
        let seed = format!("seed={seed}");
        let set = [&seed, "replications=6", "duration=\"80 s\"", "seek.tolerance=\"1 %\""];
        let answer = sought_with(SERVER, &set).answer.unwrap();
        answer.low.is_none_or(|low| low <= exact) && answer.high.is_none_or(|high| exact <= high)
    };
    let covered = (1..=studies).filter(covers).count();
    println!("{covered} of {studies} intervals hold {exact:.4} /s");
    covered
}

#[test]
fn intervals_hold_the_closed_form_as_often_as_they_say() {
    // At 95 % fewer than 21 of 24 has a chance of 3 %, and the seeds are fixed.
    assert!(covered(24) >= 21);
}

#[test]
#[ignore = "400 studies"]
fn intervals_of_many_studies_hold_the_closed_form_as_often_as_they_say() {
    assert!(covered(400) >= 368);
}

#[test]
fn the_cost_of_a_token_falls_with_the_load_and_the_smallest_load_is_found() {
    let text = SERVER
        .replace("\"poisson\"", "\"constant\"")
        .replace("replications = 12\n", "")
        .replace("400 s", "4000 s")
        .replace(
            "{ metric = \"use_cases.chat.queue_s.mean\", at_most = \"100 ms\" }",
            "{ metric = \"pools.a.usd_per_mtok.total\", at_most = \"$0.80/Mtok\" }",
        );
    let (loaded, _) = open(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    let pool = &loaded.scenario.pools[0];
    let usd_per_s = pool.gpu_hour.usd.unwrap() / 3600.0;
    let exact = usd_per_s / (501.0 * 0.80 / 1e6);
    let result = sought(&text);
    let answer = result.answer.unwrap();
    println!("found {} to {} /s, exact {exact:.4} /s", answer.low.unwrap(), answer.mean);
    assert_eq!(result.outcome, Outcome::Smallest);
    // Nothing is random: the interval is the last bracket. One call more or
    // less of the 3,230 in the window moves the crossing by a third of a thousandth.
    assert_eq!(answer.high, Some(answer.mean));
    assert!(answer.low.unwrap() < exact * 1.001 && exact < answer.mean * 1.001);
    assert!((answer.mean / exact - 1.0).abs() < 0.004);
}

#[test]
fn the_fewest_replicas_are_those_of_trying_every_number() {
    let text = format!("{BASE}{REPLICAS}").replace("8 /s", "55 /s");
    let result = sought(&text);
    let (loaded, variants) = open(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    let plan = Plan::new(&loaded, &variants, loaded.seek.clone().unwrap()).unwrap();
    assert_eq!(plan.confidence(), 0.975);
    let [ttft, tpot] = [&result.keep[0], &result.keep[1]].map(|bound| bound.at_most.unwrap());
    // By the estimates, and by either end of intervals that are a little too
    // narrow for two bounds: what these do not tell, the wider ones cannot.
    let kept = |replicas: u32| -> [bool; 2] {
        let set = vec![format!("pool.a.replicas={replicas}")];
        let overrides = Overrides { set, ..Overrides::default() };
        let (loaded, _) = open(&text, "s.toml", Path::new(""), &overrides).unwrap();
        let summary = replicate(&loaded.scenario, false, |_| {}).summary;
        let chat = &summary.use_cases["chat"];
        let [a, b] = [chat.ttft_s.p95, chat.tpot_s.p95];
        let all = |of: fn(Interval) -> f64| {
            a.is_some_and(|a| of(a) <= ttft) && b.is_some_and(|b| of(b) <= tpot)
        };
        [all(|figure| figure.mean), all(|figure| figure.high.unwrap())]
    };
    let tried: Vec<[bool; 2]> = (1..=9).map(kept).collect();
    let fewest = |which: usize| tried.iter().position(|kept| kept[which]).unwrap() as f64 + 1.0;
    let answer = result.answer.unwrap();
    println!("{tried:?}: {answer:?} from {} values", result.points.len());
    assert_eq!(result.outcome, Outcome::Smallest);
    assert_eq!(answer.mean, fewest(0));
    assert!(answer.mean > 1.0 && answer.mean < 9.0);
    assert!(answer.low.unwrap() <= answer.mean && answer.high.unwrap() >= fewest(1));
    assert!(result.points.len() < 9, "{} values", result.points.len());
}

#[test]
fn what_holds_everywhere_nowhere_or_only_between_is_said() {
    let bound = |keep: &str| {
        let result = sought(&format!(
            "{BASE}[seek]\nkey = \"use_case.chat.arrivals.rate\"\n\
            from = \"2 /s\"\nto = \"80 /s\"\nkeep = [{keep}]\n"
        ));
        assert_eq!(result.answer, None);
        assert_eq!(result.points.len(), 3);
        result
    };
    let easy = bound("{ metric = \"use_cases.chat.prompt_tokens_mean\", at_least = 10 }");
    assert_eq!(easy.outcome, Outcome::Everywhere);
    let hard = bound("{ metric = \"use_cases.chat.ttft_s.mean\", at_most = \"1 us\" }");
    assert_eq!(hard.outcome, Outcome::Nowhere);
    // Little load is dear, much load is slow.
    let opposed = "{ metric = \"pools.a.usd_per_mtok.total\", at_most = \"$0.10/Mtok\" }, \
                   { metric = \"use_cases.chat.ttft_s.p95\", at_most = \"800 ms\" }";
    let opposed = bound(opposed);
    let misses = |point: usize, bound: usize| {
        opposed.points[point].bounded[bound]
            .is_none_or(|f| f.mean > opposed.keep[bound].at_most.unwrap())
    };
    assert!(misses(0, 0) && !misses(0, 1) && !misses(2, 0) && misses(2, 1));
    assert!(matches!(opposed.outcome, Outcome::Nowhere | Outcome::Unordered));
    // An overload withholds the latency, which misses the bound for sure.
    assert_eq!(opposed.points[2].unstable_pools, ["a"]);
    assert_eq!(opposed.points[2].verdict, Verdict::SurelyMissed);
}

#[test]
fn every_value_is_the_run_of_that_scenario_and_the_answer_is_what_the_figures_say() {
    let result = sought(&format!("{BASE}{LOAD}"));
    let answer = result.answer.unwrap();
    let at = |number: f64| result.points.iter().find(|point| point.number == number).unwrap();
    assert!(at(answer.mean).bounded[0].unwrap().mean <= 0.3);
    assert!(at(answer.low.unwrap()).bounded[0].unwrap().high.unwrap() <= 0.3);
    assert_eq!(at(answer.high.unwrap()).verdict, Verdict::SurelyMissed);
    let next = result.points.iter().find(|point| point.number > answer.mean).unwrap();
    assert!(next.number <= answer.mean * 1.021, "{} after {}", next.number, answer.mean);
    assert!(next.verdict < Verdict::Kept);
    let point = at(answer.mean);
    let set = vec![format!("use_case.chat.arrivals.rate={}", point.value)];
    let overrides = Overrides { set, ..Overrides::default() };
    let text = format!("{BASE}{LOAD}");
    let (loaded, _) = open(&text, "s.toml", Path::new(""), &overrides).unwrap();
    let summary = replicate(&loaded.scenario, false, |_| {}).summary;
    assert_eq!(point.digest, summary.digest);
    assert_eq!(point.bounded[0], summary.use_cases["chat"].ttft_s.p95);
    assert_eq!(point.figures["use_cases.chat.ttft_s.p95"], point.bounded[0].unwrap());
}

#[test]
fn threads_change_nothing() {
    let json = |threads| {
        let result = on_threads(threads, || sought(&format!("{BASE}{LOAD}")));
        let outputs = report::seek(&result, "");
        let texts = outputs.artifacts.into_iter().filter_map(|artifact| match artifact {
            Artifact::Text(_, text) => Some(text),
            Artifact::Made(..) | Artifact::Chart(_) => None,
        });
        texts.collect::<Vec<_>>()
    };
    let once = json(1);
    assert!(once.len() >= 3);
    for threads in [2, 16] {
        assert!(json(threads) == once, "{threads} threads");
    }
}

#[test]
fn one_replication_finds_a_value_without_interval() {
    let result = sought_with(&format!("{BASE}{LOAD}"), &["replications=1"]);
    let answer = result.answer.unwrap();
    assert_eq!((answer.low, answer.high), (None, None));
    assert!(result.warnings.iter().any(|warning| warning.contains("no interval")));
}

#[test]
fn pages_and_charts_are_readable_whatever_was_found() {
    let nowhere = LOAD.replace("300 ms", "1 us");
    let overloaded = LOAD.replace("\"2 /s\"", "\"200 /s\"").replace("60 /s", "400 /s");
    let both = format!(
        "{LOAD}{}",
        REPLICAS.split_once("[[").map(|(_, keep)| format!("[[{keep}")).unwrap()
    );
    let both = both
        .replace("keep = [{ metric = \"use_cases.chat.ttft_s.p95\", at_most = \"300 ms\" }]\n", "");
    for seek in [LOAD, REPLICAS, &nowhere, &overloaded, &both] {
        let result = sought_with(&format!("{BASE}{seek}"), &["duration=\"20 s\""]);
        let outputs = report::seek(&result, "<seed> = 7\n");
        for artifact in outputs.artifacts {
            match artifact {
                Artifact::Text("report.html", page) => assert_balanced(&page),
                Artifact::Chart(chart) => assert_readable(&chart.drawing),
                Artifact::Text(..) | Artifact::Made(..) => {}
            }
        }
    }
}

#[test]
fn a_user_reads_the_answer_and_scripts_do() {
    let study = Folder::new(&format!("{BASE}{LOAD}"));
    let seek = study.tokenmill(&["seek", "s.toml", "--no-progress"]).assert().success();
    let text = String::from_utf8(seek.get_output().stdout.clone()).unwrap();
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let sentence = "The largest use_case.chat.arrivals.rate that keeps TTFT p95 of chat at most";
    assert!(words.contains(sentence), "{text}");
    assert!(words.contains(", 95 % interval 1") && text.contains("  answer\n"), "{text}");
    let folder = text.lines().find_map(|line| line.strip_prefix("report: ")).unwrap();
    let folder = study.path(folder);
    let folder = folder.parent().unwrap();
    let files =
        ["seek.json", "manifest.json", "scenario.toml", "charts/seek.svg", "charts/seek.png"];
    files.iter().for_each(|name| assert!(folder.join(name).is_file(), "{name}"));
    let again = study.tokenmill(&["seek", "s.toml", "--json", "--threads", "1", "--out", "again"]);
    let printed = { again }.assert().success().get_output().stdout.clone();
    assert!(printed == fs::read(folder.join("seek.json")).unwrap());
    let parsed: Value = serde_json::from_slice(&printed).unwrap();
    assert_eq!(parsed["outcome"], "largest");
    assert_eq!(parsed["unit"], "/s");
    for name in ["report.html", "charts/seek.svg", "charts/seek.png", "scenario.toml"] {
        let same = fs::read(folder.join(name)).unwrap()
            == fs::read(study.path("again").join(name)).unwrap();
        assert!(same, "{name}");
    }
    // The scenario as resolved asks the same question.
    let resolved = study.tokenmill(&["seek", "again/scenario.toml", "--json", "--out", "third"]);
    assert!({ resolved }.assert().success().get_output().stdout == printed);
    study
        .tokenmill(&["validate", "s.toml"])
        .assert()
        .success()
        .stdout(contains("seek: use_case.chat.arrivals.rate from 2 /s to 60 /s, 1 bound"));
}

#[test]
fn a_bound_that_is_never_met_is_an_answer_and_not_a_failure() {
    let study = Folder::new(&format!("{BASE}{}", LOAD.replace("300 ms", "1 us")));
    let seek = study.tokenmill(&["seek", "s.toml", "--no-progress"]).assert().success();
    seek.stdout(contains("No value of use_case.chat.arrivals.rate looked at keeps"));
    let study =
        Folder::new(&format!("{BASE}{}", LOAD.replace("300 ms", "1 h").replace("60 /s", "3 /s")));
    let seek = study.tokenmill(&["seek", "s.toml", "--no-progress"]).assert().success();
    seek.stdout(contains("Every value of use_case.chat.arrivals.rate looked at keeps"));
}

/// What is said of this `[seek]`, by the study and by `validate`.
fn mistakes(seek: &str) -> String {
    let study = Folder::new(&format!("{BASE}[seek]\n{seek}\n"));
    let output =
        study.tokenmill(&["seek", "s.toml"]).assert().code(2).stdout("").get_output().clone();
    let entries = fs::read_dir(study.path(".")).unwrap().count();
    assert_eq!(entries, 1, "nothing is written");
    let checked = study.tokenmill(&["validate", "s.toml"]).assert().code(2).get_output().clone();
    assert_eq!(checked.stderr, output.stderr);
    String::from_utf8(output.stderr).unwrap()
}

#[test]
fn bad_seeks_are_told_with_their_lines() {
    let key = |key: &str| {
        format!(
            "key = \"{key}\"\nfrom = 1\nto = 4\nkeep = [{{ metric = \"use_cases.chat.ttft_s.p95\", at_most = \"1 s\" }}]"
        )
    };
    let range = |range: &str| {
        format!(
            "key = \"pool.a.replicas\"\n{range}\nkeep = [{{ metric = \"use_cases.chat.ttft_s.p95\", at_most = \"1 s\" }}]"
        )
    };
    let keep = |keep: &str| format!("key = \"pool.a.replicas\"\nfrom = 1\nto = 4\nkeep = [{keep}]");
    let all = [
        String::new(),
        key("pool.a.replcas"),
        key("pool.b.replicas"),
        key("pool.a.router.policy"),
        key("replications"),
        key("use_case.chat.arrivals.rate"),
        range("from = 4\nto = 1"),
        range("from = 2\nto = 2"),
        range("from = 0\nto = 4"),
        range("from = 1\nto = 2_000_000"),
        range("from = 1.0\nto = 4.5"),
        range("from = 1\nto = \"4 /s\""),
        range("from = \"many\"\nto = [4]"),
        range("from = 1\nto = 4\ntolerance = \"80 %\"\nsteps = 3"),
        key("pool.a.tensor_parallel"),
        keep(""),
        keep("{ metric = \"use_cases.chat.ttft.p95\", at_most = \"1 s\" }"),
        keep("{ metric = \"use_cases.chat.ttft_s.p95\" }"),
        keep("{ at_most = 3 }"),
        keep(
            "{ metric = \"use_cases.chat.ttft_s.p95\", at_most = 1 }, { metric = \"pools.a.utilization\", at_least = 70 }",
        ),
        keep("{ metric = \"use_cases.chat.ttft_s.p95\", at_most = \"1 s\", at_least = \"2 s\" }"),
        keep(
            "{ metric = \"pools.a.utilization\", at_most = 0.5 }, { metric = \"pools.a.utilization\", at_least = 0.7 }",
        ),
    ];
    let told = all.map(|seek| format!("{seek}\n{}", mistakes(&seek)));
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_scenario_without_a_seek_is_told_how_to_write_one() {
    let study = Folder::new(BASE);
    let told =
        contains("s.toml: seek: is missing").and(contains("[seek] with key, from, to and keep"));
    study.tokenmill(&["seek", "s.toml"]).assert().code(2).stderr(told);
}

/// [`LOAD`] at each value of a second key.
const OVER: &str = r#"over = { "pool.a.replicas" = [1, 2] }
"#;

#[test]
fn a_seek_over_a_second_key_is_a_seek_at_each_of_its_values() {
    let load = LOAD.replace("60 /s", "90 /s").replace("2 %", "10 %");
    let text = format!("{BASE}{load}{OVER}");
    let short = Overrides { set: vec!["duration=20 s".to_owned()], ..Overrides::default() };
    let (loaded, variants) = open(&text, "s.toml", Path::new(""), &short).unwrap();
    let plan = OverPlan::new(&loaded, &variants, loaded.seek.as_ref().unwrap()).unwrap();
    let all = seek_over(&plan, false, |_| {}).unwrap();
    let answers: Vec<f64> = all.seeks.iter().map(|at| at.seek.answer.unwrap().mean).collect();
    assert!(answers.is_sorted_by(|a, b| a < b), "more replicas hold more load: {answers:?}");
    for at in &all.seeks {
        let set = format!("pool.a.replicas={}", at.value);
        let alone = sought_with(&format!("{BASE}{load}"), &[&set, "duration=20 s"]);
        assert_eq!((at.seek.answer, &at.seek.digest), (alone.answer, &alone.digest));
    }
    let outputs = report::seek_over(&all, &loaded.resolved_toml);
    let page = outputs.artifacts.iter().find_map(|artifact| match artifact {
        Artifact::Text("report.html", page) => Some(page),
        _ => None,
    });
    let page = page.expect("it has a page");
    assert_balanced(page);
    assert_eq!(page.matches("<tr>").count(), 1 + answers.len(), "a head and a row a value");
}

#[test]
fn a_seek_over_a_second_key_prints_a_row_a_value() {
    let study = Folder::new(&format!("{BASE}{REPLICAS}"));
    let over = "seek.over={ \"use_case.chat.arrivals.rate\" = [\"8 /s\", \"600 /s\"] }";
    let args = ["seek", "s.toml", "--set", over, "--replications", "2", "--set", "duration=12 s"];
    let told = contains("rate").and(contains("8 /s")).and(contains("none kept"));
    study.tokenmill(&args).assert().success().stdout(told);
}

#[test]
fn bad_second_keys_are_told_with_their_lines() {
    let load = LOAD.trim_start_matches("[seek]\n");
    let over = |over: &str| format!("{load}over = {{ {over} }}");
    let all = [
        over(""),
        over("\"pool.a.replicas\" = [1], \"seed\" = [1]"),
        over("\"use_case.chat.arrivals.rate\" = [\"2 /s\"]"),
        over("\"pool.a.replicas\" = []"),
        over("\"pool.a.replicas\" = 3"),
        over("\"pool.b.replicas\" = [1, 2]"),
        over("\"pool.a.replicas\" = [1, 0]"),
        over("\"name\" = [\"a\", \"b\"]"),
    ];
    let told = all.map(|seek| format!("{seek}\n{}", mistakes(&seek)));
    insta::assert_snapshot!(told.join("\n"));
}
