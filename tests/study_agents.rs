//! What docs/study-agents.md says of its scenario stays true: dividing work among
//! workers shortens it and makes it cheaper, misses slow decoding more than
//! prefill, load makes tasks cheap and slow, and overhead counts once a turn.
//!
//! Shorter than on the page, so figures differ from those there; common random
//! numbers keep their order.

use std::path::Path;
use tokenmill::scenario::{Overrides, load};
use tokenmill::study::{AgentSummary, Summary, replicate};

fn run(set: &[&str]) -> Summary {
    let short = ["duration=30 min", "warm_up=10 min", "replications=3"];
    let set = short.iter().chain(set).map(|&set| set.to_owned()).collect();
    let overrides = Overrides { set, ..Overrides::default() };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/agentic-latency.toml");
    let loaded = load(&path, &overrides).unwrap_or_else(|error| panic!("{error}"));
    replicate(&loaded.scenario, false, |_| {}).summary
}

fn agent<'s>(summary: &'s Summary, use_case: &str, agent: &str) -> &'s AgentSummary {
    &summary.use_cases[use_case].agents[agent]
}

fn mean_s(agent: &AgentSummary) -> f64 {
    agent.run_s.mean.expect("the load is sustained").mean
}

fn part_s(agent: &AgentSummary, part: &str) -> f64 {
    agent.path[part].mean.expect("the load is sustained").mean
}

fn usd(agent: &AgentSummary) -> f64 {
    agent.usd_per_run.expect("GPUs have a price").mean
}

#[test]
fn workers_shorten_a_task_and_make_it_cheaper() {
    let team = |workers: usize| {
        let chances = (1..=workers).map(|count| if count == workers { "1" } else { "0" });
        let chances: Vec<&str> = chances.collect();
        let fan_out = format!("agent.lead.children.fan_out=[{}]", chances.join(","));
        let turns = format!("agent.worker.turns.count={}", 32 / workers);
        run(&[&fan_out, &turns])
    };
    let teams = [1, 4, 16].map(team);
    let [one, four, sixteen] = [0, 1, 2].map(|at| agent(&teams[at], "team", "lead"));
    assert!(mean_s(one) > 2.4 * mean_s(four) && mean_s(four) > 1.6 * mean_s(sixteen));
    assert!(mean_s(one) < 8.0 * mean_s(sixteen), "stragglers keep it below the workers");
    assert!(usd(one) > usd(four) && usd(four) > usd(sixteen));
    assert!(part_s(sixteen, "straggler_s") > 0.5 * mean_s(sixteen));
    assert_eq!(part_s(one, "straggler_s"), 0.0);
}

#[test]
fn misses_slow_decoding_more_than_prefill() {
    let [half, most] = ["0.5", "0.98"].map(|hit| {
        let set = ["solo", "team"].map(|name| format!("use_case.{name}.cache_hit={hit}"));
        run(&[&set[0], &set[1]])
    });
    let [half, most] = [&half, &most].map(|summary| agent(summary, "solo", "solo"));
    let more = |part: &str| part_s(half, part) - part_s(most, part);
    assert!(more("prefill_s") > 3.0, "{}", more("prefill_s"));
    assert!(more("decode_s") > 5.0 * more("prefill_s"), "{}", more("decode_s"));
    // Other runs end in the measured time.
    assert!((part_s(half, "tool_s") / part_s(most, "tool_s") - 1.0).abs() < 0.05);
}

#[test]
fn load_makes_tasks_cheap_and_slow_and_a_wide_replica_fast() {
    let rate = |rate: &str, replica: &[&str]| {
        let rate = format!("use_case.solo.arrivals.rate={rate} /s");
        run(&[&[rate.as_str()], replica].concat())
    };
    let [idle, busy] = [rate("0.05", &[]), rate("0.6", &[])];
    let [idle, busy] = [&idle, &busy].map(|summary| agent(summary, "solo", "solo"));
    assert!(mean_s(busy) > 1.4 * mean_s(idle) && usd(busy) < usd(idle) / 3.5);
    let wide = ["pool.agents.tensor_parallel=8", "pool.agents.replicas=1"];
    let wide = rate("0.05", &wide);
    assert!(mean_s(agent(&wide, "solo", "solo")) < 0.9 * mean_s(idle));
}

#[test]
fn a_round_trip_counts_once_a_turn() {
    let far = run(&["use_case.solo.round_trip=100 ms"]);
    assert!((part_s(agent(&far, "solo", "solo"), "network_s") - 1.2).abs() < 1e-9);
}

/// Decoding by itself: prompts take what they took, tools too.
#[test]
fn faster_decoding_is_faster_decoding() {
    let [plain, faster] = ["1", "0.9"].map(|scale| {
        let set = format!("pool.agents.engine.decode_scale={scale}");
        run(&[set.as_str()])
    });
    let [plain, faster] = [&plain, &faster].map(|summary| agent(summary, "solo", "solo"));
    let ratio = |part: &str| part_s(faster, part) / part_s(plain, part);
    assert!((0.85..0.93).contains(&ratio("decode_s")), "{}", ratio("decode_s"));
    assert!((0.95..1.05).contains(&ratio("prefill_s")), "{}", ratio("prefill_s"));
    assert!((ratio("tool_s") - 1.0).abs() < 0.03, "{}", ratio("tool_s"));
}
