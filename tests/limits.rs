//! Where a run meets a limit it says so, and blames nobody else.

mod common;

use common::load;
use tokenmill::scenario::Scenario;
use tokenmill::study::{Summary, replicate};

/// Two calls a second of 200 tokens in and 40 out on one small replica.
const POOL: &str = r#"
name = "limits"
duration = "2 min"
warm_up = "20 s"
replications = 2
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
"#;

fn scenario(rest: &str) -> Scenario {
    load(&format!("{POOL}{rest}")).scenario
}

fn run(rest: &str) -> Summary {
    replicate(&scenario(rest), true, |_| {}).summary
}

#[test]
fn an_empty_rank_takes_what_fits_whatever_the_watermark() {
    let summary = run(r#"
        engine = { kv_blocks = 100, kv_watermark = 0.5 }
        [[use_case]]
        name = "long"
        arrivals = { process = "closed-loop", clients = 1, requests = 20 }
        prompt_tokens = 900
        output_tokens = 10
    "#);
    assert_eq!((summary.use_cases["long"].calls, summary.use_cases["long"].rejected), (40, 0));
}

#[test]
fn calls_that_can_never_fit_count_against_goodput_and_promises() {
    let summary = run(r#"
        engine = { max_model_len = 1000 }
        [[use_case]]
        name = "mixed"
        arrivals = { process = "constant", rate = "4 /s" }
        prompt_tokens = { distribution = "empirical", values = [100, 5000], weights = [1, 1] }
        output_tokens = 10
        slo = { ttft_p95 = "10 s" }
    "#);
    let mixed = &summary.use_cases["mixed"];
    let goodput = mixed.goodput_fraction.unwrap().mean;
    let accepted = mixed.calls as f64 / (mixed.calls + mixed.rejected) as f64;
    assert!((goodput - accepted).abs() < 1e-12 && (0.4..0.6).contains(&goodput), "{goodput}");
    assert_eq!(mixed.slo_met, Some(false));
    // Capacity and offered load speak of the calls that are served.
    let offered = summary.pools["a"].offered_calls_per_s.unwrap();
    assert!((1.9..2.1).contains(&offered), "{offered}");
    assert!(summary.warnings.iter().any(|warning| warning.contains("rejected")));
}

#[test]
fn an_overloaded_pool_does_not_taint_its_neighbour() {
    // So few sequences that none is preempted, which the closed form knows nothing of.
    let summary = run(r#"
        engine = { max_num_seqs = 256 }
        [[pool]]
        name = "b"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[use_case]]
        name = "flood"
        pool = "a"
        arrivals = { process = "poisson", rate = "200 /s" }
        prompt_tokens = 1000
        output_tokens = 250
        [[use_case]]
        name = "calm"
        pool = "b"
        arrivals = { process = "poisson", rate = "2 /s" }
        prompt_tokens = 1000
        output_tokens = 250
    "#);
    assert_eq!(summary.pools["a"].stable, Some(false));
    assert_eq!(summary.pools["b"].stable, Some(true));
    assert!(summary.use_cases["flood"].ttft_s.mean.is_none());
    assert!(summary.use_cases["calm"].ttft_s.mean.is_some());
    assert!(summary.warnings[0].contains("pool a is unstable"), "{:?}", summary.warnings);
    // What it completes under flood is what the closed form says it can do.
    let sustained = summary.pools["a"].sustainable_calls_per_s.unwrap().mean;
    let capacity = summary.pools["a"].capacity_calls_per_s.unwrap();
    assert!((sustained / capacity - 1.0).abs() < 0.05, "{sustained} of {capacity}");
}

#[test]
fn the_last_calls_of_a_window_finish_under_load() {
    // Long answers, a short window after a long warm-up: were arrivals to stop with the window, its
    // last calls would decode in an ever smaller batch.
    let rest = r#"
        [[use_case]]
        name = "long"
        arrivals = { process = "constant", rate = "2 /s" }
        prompt_tokens = 100
        output_tokens = 3000
    "#;
    let mut short = scenario(rest);
    short.duration = Some(tokenmill::kernel::Span::from_seconds(720.0));
    short.warm_up =
        tokenmill::scenario::WarmUp::Fixed(tokenmill::kernel::Span::from_seconds(600.0));
    let summary = replicate(&short, true, |_| {}).summary;
    let long = &summary.use_cases["long"];
    let (tpot, itl) = (long.tpot_s.mean.unwrap().mean, long.itl_s.mean.unwrap().mean);
    // In a steady state each call sees the mean gap.
    assert!((tpot / itl - 1.0).abs() < 0.005, "TPOT {tpot}, ITL {itl}");
}

#[test]
#[cfg_attr(debug_assertions, ignore = "two million calls take a debug build a while")]
fn an_episode_that_is_cut_off_says_so_and_withholds_its_figures() {
    let mut crowd = scenario(
        r#"
        [[use_case]]
        name = "crowd"
        arrivals = { process = "closed-loop", clients = 10, requests = 100 }
        prompt_tokens = 10
        output_tokens = 2
    "#,
    );
    // Beyond the calls that a run keeps at once; no scenario file can ask for it.
    if let tokenmill::scenario::Arrivals::ClosedLoop { clients, requests, .. } =
        &mut crowd.use_cases[0].arrivals
    {
        (*clients, *requests) = (2_000_100, None);
    }
    crowd.replications = 1;
    let summary = replicate(&crowd, false, |_| {}).summary;
    assert!(summary.warnings[0].contains("cut off"), "{:?}", summary.warnings);
    assert!(summary.use_cases["crowd"].ttft_s.mean.is_none());
}

#[test]
fn simulated_time_ends_after_ten_years() {
    let mut slow = scenario(
        r#"
        [[use_case]]
        name = "slow"
        arrivals = { process = "closed-loop", clients = 1, requests = 1000, think = "300 days" }
        prompt_tokens = 10
        output_tokens = 2
    "#,
    );
    slow.duration = None;
    let summary = replicate(&slow, true, |_| {}).summary;
    assert!(summary.warnings[0].contains("ten years"), "{:?}", summary.warnings);
    assert!(summary.use_cases["slow"].calls < 40);
}
