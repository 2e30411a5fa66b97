//! Intervals from one long run: its sections tell the spread that replications
//! would have told.

mod common;

use common::load;
use predicates::str::contains;
use std::path::Path;
use tokenmill::scenario::{Overrides, Scenario, open};
use tokenmill::statistics::Interval;
use tokenmill::study::{Summary, compare, replicate, sweep};

/// A pool at about 70 % of what it can do.
const BASE: &str = r#"
name = "sections"
seed = 9
duration = "420 s"
warm_up = "20 s"
replications = 1
sections = 20

[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 16 }

[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "10 /s" }
prompt_tokens = { distribution = "lognormal", median = 300, sigma = 0.7 }
output_tokens = { distribution = "lognormal", median = 80, sigma = 0.6 }
slo = { ttft_p95 = "30 ms" }

[[arm]]
name = "slower"
set = { "pool.a.engine.step_scale" = 1.1 }
"#;

fn scenario(changes: &[(&str, &str)]) -> Scenario {
    let mut text = BASE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    load(&text).scenario
}

fn run(changes: &[(&str, &str)]) -> Summary {
    replicate(&scenario(changes), true, |_| {}).summary
}

/// Figures by path, those of chance only.
fn figures(summary: &Summary) -> Vec<(&'static str, Interval)> {
    let (chat, pool) = (&summary.use_cases["chat"], &summary.pools["a"]);
    let all = [
        ("TTFT mean", chat.ttft_s.mean),
        ("TPOT mean", chat.tpot_s.mean),
        ("E2E mean", chat.e2e_s.mean),
        ("E2E p95", chat.e2e_s.p95),
        ("ITL mean", chat.itl_s.mean),
        ("calls/s", chat.calls_per_s),
        ("output tokens", chat.output_tokens_mean),
        ("goodput", chat.goodput_fraction),
        ("running", pool.running_mean),
        ("KV in use", pool.kv_use_mean),
        ("output per GPU", pool.output_tok_per_s_per_gpu),
        ("$/Mtok", pool.usd_per_mtok.total),
    ];
    all.map(|(name, interval)| (name, interval.expect("the load is sustained"))).to_vec()
}

fn half(interval: &Interval) -> f64 {
    interval.high.expect("an interval") - interval.mean
}

/// Twenty sections of 20 s tell what twenty replications of 20 s tell: the same
/// means, within both intervals, and intervals of about the same width.
#[test]
fn sections_and_replications_agree() {
    let sectioned = run(&[]);
    let apart = [("420 s", "40 s"), ("replications = 1", "replications = 20")];
    let replicated = run(&[&apart[..], &[("sections = 20", "sections = 1")]].concat());
    let mut ratios = Vec::new();
    for ((name, one), (_, many)) in figures(&sectioned).into_iter().zip(figures(&replicated)) {
        let ratio = half(&one) / half(&many);
        println!(
            "{name}: {:.4} ± {:.4}, {:.4} ± {:.4}",
            one.mean,
            half(&one),
            many.mean,
            half(&many)
        );
        // Two standard errors of each, added in squares, twice.
        let apart = (one.mean - many.mean).abs();
        assert!(apart < 2.0 * half(&one).hypot(half(&many)), "{name}: {one:?} {many:?}");
        // The spread of 20 values is known to a factor of 1.4 or so each.
        assert!((0.4..2.5).contains(&ratio), "{name}: {ratio}");
        ratios.push(ratio);
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    println!("widths, sections over replications: {mean:.2} on average");
    assert!((0.7..1.4).contains(&mean), "{mean}");
    assert_eq!(sectioned.warnings, [""; 0]);
}

#[test]
fn sections_change_no_figure_but_only_its_interval() {
    let (sectioned, whole) = (run(&[]), run(&[("sections = 20", "sections = 1")]));
    assert_eq!(sectioned.digest, whole.digest);
    for ((name, with), (_, without)) in figures(&sectioned).into_iter().zip(figures(&whole)) {
        assert_eq!(with.mean, without.mean, "{name}");
        assert!(with.high.is_some() && without.high.is_none(), "{name}");
    }
    let lonely = |summary: &Summary| summary.notes.iter().any(|note| note.contains("no interval"));
    assert!(lonely(&whole) && !lonely(&sectioned));
}

#[test]
fn sections_that_remember_each_other_are_told() {
    // On a busy pool many calls take longer than a section.
    let busy = [("sections = 20", "sections = 100"), ("= 0.6", "= 1.2")];
    let summary = run(&busy);
    let warning = summary.warnings.iter().find(|text| text.starts_with("sections are too short"));
    let warning = warning.unwrap_or_else(|| panic!("{:?}", summary.warnings));
    assert!(warning.contains("use_cases.chat.e2e_s.mean"), "{warning}");
}

/// Sections and replications together are one sample, and a comparison is
/// paired section by section.
#[test]
fn sections_go_with_replications_and_arms() {
    let changes = [("replications = 1", "replications = 3"), ("420 s", "120 s")];
    let both = run(&changes);
    assert!(half(&both.use_cases["chat"].e2e_s.mean.unwrap()) > 0.0);
    let mut text = BASE.to_owned();
    changes.iter().for_each(|(from, to)| text = text.replace(from, to));
    let loaded = load(&text);
    let comparison = compare(&loaded.with_baseline(), true, |_| {}).comparison;
    let base = comparison.arms["baseline"].figures["use_cases.chat.e2e_s.p95"];
    let slower = comparison.arms["slower"].figures["use_cases.chat.e2e_s.p95"];
    let difference = slower.difference.unwrap();
    assert!((difference.mean - (slower.value.mean - base.value.mean)).abs() < 1e-12);
    assert!(difference.low.unwrap() > 0.0, "{difference:?}");
    let reduction = comparison.arms["slower"].figures["use_cases.chat.tpot_s.mean"];
    assert!(reduction.variance_reduction.unwrap() > 2.0, "{reduction:?}");
}

/// A sweep keeps the sections of its runs on disk and finds what a run finds.
#[test]
fn a_sweep_takes_its_intervals_over_sections() {
    let text = BASE.replace("420 s", "120 s") + "[sweep]\n\"pool.a.replicas\" = [1, 2]\n";
    let (loaded, variants) = open(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    let alone = replicate(&loaded.scenario, true, |_| {}).summary;
    let plan = sweep::Plan::new(&loaded, variants, loaded.sweep.clone().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut points = Vec::new();
    let each = |point| {
        points.push(point);
        Ok(())
    };
    sweep::sweep(&plan, folder.path(), true, &|_| {}, each).unwrap();
    let (chat, pool) = (&alone.use_cases["chat"], &alone.pools["a"]);
    for (path, figure) in [
        ("use_cases.chat.e2e_s.p95", chat.e2e_s.p95),
        ("use_cases.chat.goodput_fraction", chat.goodput_fraction),
        ("pools.a.usd_per_mtok.total", pool.usd_per_mtok.total),
    ] {
        assert!(half(&figure.unwrap()) > 0.0);
        assert_eq!(Some(points[0].figures[path]), figure, "{path}");
        assert!(half(&points[1].figures[path]) > 0.0, "{path}");
    }
}

#[test]
fn an_episode_has_no_sections() {
    let folder = tempfile::tempdir().unwrap();
    let text = BASE.replace("seed = 9", "seed = 9\nregime = \"terminating\"");
    std::fs::write(folder.path().join("s.toml"), text).unwrap();
    let mut command = assert_cmd::Command::cargo_bin("tokenmill").unwrap();
    command.current_dir(folder.path()).args(["run", "s.toml"]);
    command.assert().code(2).stderr(contains("s.toml:8: sections = 20: divides an episode"));
}
