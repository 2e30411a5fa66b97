//! What is known before a run, held to closed forms and to runs.

use super::{CallAges, Expectations, Settling};
use crate::scenario::{self, Scenario};
use crate::study::{Summary, replicate};
use std::path::Path;

/// A scenario with one small pool, of this head and these use cases.
fn scenario(head: &str, use_cases: &str) -> Scenario {
    let text = format!(
        "name = \"t\"\n{head}\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\n\
         hardware = \"h100-sxm\"\n{use_cases}"
    );
    let loaded = scenario::parse(&text, "t.toml", Path::new(""), &scenario::Overrides::default());
    loaded.unwrap_or_else(|error| panic!("{error}\n{text}")).scenario
}

fn run(head: &str, use_cases: &str) -> Summary {
    replicate(&scenario(head, use_cases), true, |_| {}).summary
}

fn chat(rate: &str, turns: &str, think: &str) -> String {
    format!(
        "[[use_case]]\nname = \"chat\"\narrivals = {{ process = \"poisson\", rate = \"{rate}\" }}\n\
         session = {{ turns = {turns}, think = {think} }}\nprompt_tokens = 100\noutput_tokens = 2\n\
         slo = {{ ttft_p95 = \"10 s\" }}\n"
    )
}

/// P(sum of k exponential times of mean 1 > x).
fn erlang_above(k: u32, x: f64) -> f64 {
    let terms = (0..k).scan(1.0, |term, j| {
        let now = *term;
        *term *= x / f64::from(j + 1);
        Some(now)
    });
    terms.sum::<f64>() * (-x).exp()
}

#[test]
fn ages_of_calls_are_those_of_closed_forms() {
    // Answers take some 10 ms, pauses a hundred seconds.
    let even = scenario("duration = \"1 h\"", &chat("1 /s", "5", "\"100 s\""));
    let ages = CallAges::of(&even, 0).unwrap();
    for (age_s, later) in [(0.0, 0.8), (99.0, 0.8), (150.0, 0.6), (399.0, 0.2), (401.0, 0.0)] {
        assert!((ages.later_than(age_s) - later).abs() < 1e-9, "{age_s}");
    }
    assert!((ages.mean_length_s() - 400.0).abs() < 1.0, "{}", ages.mean_length_s());
    assert_eq!((ages.calls_mean(), ages.calls_mean_square()), (5.0, 25.0));
    // From 0 s to 400 s the calls at 0, 100, ... 400 s are missing for 0 to all of it.
    assert!((ages.missing(0.0, 400.0) - 0.5).abs() < 1e-3, "{}", ages.missing(0.0, 400.0));

    let think = "{ distribution = \"exponential\", mean = \"100 s\" }";
    let random = scenario("duration = \"1 h\"", &chat("1 /s", "5", think));
    let ages = CallAges::of(&random, 0).unwrap();
    for x in [0.5, 2.0, 5.0] {
        let expected = (1..5).map(|k| erlang_above(k, x)).sum::<f64>() / 5.0;
        // 8,000 sessions: a standard error below half a point.
        assert!((ages.later_than(100.0 * x) - expected).abs() < 0.015, "{x}: {expected}");
    }
    let needs_s = Settling::Sessions(ages.clone()).needs_s();
    assert!(ages.later_than(needs_s) < 0.007_01 && ages.later_than(0.95 * needs_s) > 0.008);
}

/// The calls that come from an empty start, as a share of those of the long run, in runs
/// and as known before them.
fn shares(head: &str, use_cases: &str, length_s: f64) -> (f64, f64, f64) {
    let scenario = scenario(head, use_cases);
    let ages = CallAges::of(&scenario, 0).unwrap();
    let rate = scenario.use_cases[0].arrivals.mean_rate();
    let counts: Vec<f64> = (0..scenario.replications)
        .map(|number| {
            let options = crate::simulation::Options::default();
            let record = crate::simulation::run(&scenario, number.into(), options);
            record.whole.pools[0].arrived as f64 / (rate * ages.calls_mean() * length_s)
        })
        .collect();
    let n = counts.len() as f64;
    let mean = counts.iter().sum::<f64>() / n;
    let error = counts.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / (n - 1.0) / n;
    (mean, error.sqrt(), 1.0 - ages.missing(0.0, length_s))
}

#[test]
fn calls_of_sessions_come_as_their_ages_tell() {
    let head = "duration = \"5 min\"\nwarm_up = \"0 s\"\nreplications = 24";
    let think = "{ distribution = \"lognormal\", median = \"60 s\", sigma = 1.0 }";
    let (mean, error, known) = shares(head, &chat("1 /s", "6", think), 300.0);
    assert!(error < 0.02 && (mean - known).abs() < 4.0 * error, "{mean} +- {error}, {known}");
    assert!((0.4..0.8).contains(&known), "{known}");
}

#[test]
fn calls_of_agents_come_as_their_ages_tell() {
    let head = "duration = \"10 min\"\nwarm_up = \"0 s\"\nreplications = 24";
    let agent = "[[use_case]]\nname = \"dev\"\nagent = \"coding-agent\"\n\
                 arrivals = { process = \"poisson\", rate = \"0.02 /s\" }\ncache_hit = 0.9\n";
    let (mean, error, known) = shares(head, agent, 600.0);
    assert!(error < 0.1 && (mean - known).abs() < 4.0 * error, "{mean} +- {error}, {known}");
    assert!(known < 0.8, "{known}");
}

#[test]
fn a_run_shorter_than_its_sessions_is_no_result() {
    let short = run("duration = \"10 min\"\nreplications = 4", &chat("0.4 /s", "10", "\"60 s\""));
    let pool = &short.pools["a"];
    assert_eq!(pool.stable, None);
    let doubt = pool.doubt.as_deref().unwrap();
    assert!(doubt.contains("duration = \"19 min\""), "{doubt}");
    assert!(
        short.warnings[0].contains("not known to be in a steady state"),
        "{:?}",
        short.warnings
    );
    let chat_of = |summary: &Summary| summary.use_cases["chat"].clone();
    assert!(chat_of(&short).ttft_s.p95.is_none() && chat_of(&short).slo_met.is_none());

    let long = run("duration = \"20 min\"\nreplications = 4", &chat("0.4 /s", "10", "\"60 s\""));
    assert_eq!(long.pools["a"].stable, Some(true), "{:?}", long.warnings);
    assert!((530.0..570.0).contains(&long.warm_up_s), "{}", long.warm_up_s);
    assert_eq!(chat_of(&long).slo_met, Some(true));
    // A warm-up of the user's that is too short is told, too.
    let given = run(
        "duration = \"20 min\"\nwarm_up = \"1 min\"\nreplications = 4",
        &chat("0.4 /s", "10", "\"60 s\""),
    );
    assert_eq!(given.pools["a"].stable, None);
}

#[test]
fn clients_who_begin_together_part_before_they_are_measured() {
    let clients = "[[use_case]]\nname = \"bench\"\n\
                   arrivals = { process = \"closed-loop\", clients = 40 }\n\
                   prompt_tokens = { distribution = \"lognormal\", median = 1500, sigma = 0.5 }\n\
                   output_tokens = { distribution = \"lognormal\", median = 60, sigma = 0.7 }\n";
    let found = run("duration = \"3 min\"\nreplications = 6", clients);
    let long = run("duration = \"5 min\"\nwarm_up = \"2 min\"\nreplications = 6", clients);
    let p99 = |summary: &Summary| summary.use_cases["bench"].ttft_s.p99.unwrap().mean;
    assert_eq!(found.pools["a"].stable, Some(true), "{:?}", found.warnings);
    assert!(found.warm_up_s > 5.0, "{}", found.warm_up_s);
    assert!((p99(&found) / p99(&long) - 1.0).abs() < 0.1, "{} {}", p99(&found), p99(&long));
    let none = run("duration = \"3 min\"\nwarm_up = \"0 s\"\nreplications = 6", clients);
    assert_eq!(none.pools["a"].stable, None, "{:?}", none.warnings);
}

#[test]
fn an_overload_too_short_to_show_is_not_known() {
    let flood = |rate: &str| {
        format!(
            "[[use_case]]\nname = \"u\"\narrivals = {{ process = \"poisson\", rate = \"{rate}\" }}\n\
             prompt_tokens = 1000\noutput_tokens = 400\n"
        )
    };
    let head = "duration = \"8 s\"\nwarm_up = \"0 s\"\nreplications = 2";
    let short = run(head, &flood("70 /s"));
    assert_ne!(short.pools["a"].stable, Some(true), "{:?}", short.warnings);
    assert!(short.use_cases["u"].ttft_s.p95.is_none());
    let calm = run(head, &flood("4 /s"));
    assert_eq!(calm.pools["a"].stable, Some(true), "{:?}", calm.warnings);
}

#[test]
fn an_episode_needs_no_warm_up() {
    let episode = scenario(
        "duration = \"10 min\"\nregime = \"terminating\"",
        &chat("0.4 /s", "10", "\"60 s\""),
    );
    assert!(Expectations::of(&episode).slowest().is_none());
    assert_eq!(replicate(&episode, false, |_| {}).summary.pools["a"].stable, Some(true));
}

/// The calls a second that windows of agents bring, measured and expected, and whether
/// that is a result.
fn windows_of_agents(windows: &str) -> (f64, f64, Option<bool>) {
    let head = format!(
        "start = \"2026-03-02T00:00:00Z\"\nduration = \"3 days\"\nreplications = 4\n[windows]\nchoose = \"random\"\ncount = 2\n\
         length = \"1 h\"\n{windows}"
    );
    let support = "[[use_case]]\nname = \"s\"\nagent = \"rag-search\"\nusers = 1_000\n\
                   sessions_per_user_per_day = 1.0\ngrowth = \"1 %/month\"\n";
    let summary = run(&head, support);
    let expected: f64 = summary.windows.iter().map(|it| it.expected_calls_per_s).sum::<f64>()
        / summary.windows.len() as f64;
    let measured = summary.use_cases["s"].calls_per_s.unwrap().mean;
    (measured, expected, summary.pools["a"].stable)
}

#[test]
fn windows_know_agents() {
    let (measured, expected, stable) = windows_of_agents("");
    assert_eq!(stable, Some(true));
    assert!((measured / expected - 1.0).abs() < 0.3, "{measured} for {expected}");
    let (.., stable) = windows_of_agents("warm_up = \"1 s\"");
    assert_eq!(stable, None);
}
