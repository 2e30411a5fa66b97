//! Calls that nobody waits for any more leave their engine, and what that frees.

use std::path::Path;
use tokenmill::kernel::Span;
use tokenmill::metrics::RunRecord;
use tokenmill::scenario::{Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};
use tokenmill::study::replicate;

/// One replica that serves one call at a time; an agent, and a caller behind it.
fn scenario(agent: &str, caller: &str) -> Scenario {
    let text = format!(
        r#"
        name = "aborts"
        [[pool]]
        name = "p"
        model = "llama-3.1-8b"
        hardware = "b200-sxm"
        engine = {{ max_num_seqs = 1 }}
        [[use_case]]
        name = "agents"
        agent = "x"
        arrivals = {{ process = "closed-loop", clients = 1, requests = 1 }}
        {caller}
        {agent}
        "#
    );
    parse(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap().scenario
}

/// Somebody with a single call, which comes when the agent's is being served.
const CALLER: &str = r#"
    [[use_case]]
    name = "caller"
    arrivals = { process = "closed-loop", clients = 1, requests = 1 }
    round_trip = "20 ms"
    prompt_tokens = 100
    output_tokens = 10
"#;

/// An agent whose answers take much longer than it waits.
fn impatient(limits: &str) -> String {
    format!(
        r#"
        [[agent]]
        name = "x"
        context = {{ message_tokens = 1_000 }}
        turns = {{ count = 1, output_tokens = 4_000 }}
        limits = {{ {limits} }}
        "#
    )
}

fn measured(scenario: &Scenario) -> RunRecord {
    run(scenario, 0, Options { warm_up: Span::ZERO, audit: true, ..Options::default() })
}

/// The call leaves with the step that is under way, and whoever waited comes in.
#[test]
fn a_call_that_is_given_up_makes_room_at_the_next_step() {
    let record = measured(&scenario(&impatient("timeout = \"1 s\", retries = 0"), CALLER));
    let [agents, caller] = &record.whole.use_cases[..] else { panic!("two use cases") };
    assert_eq!((agents.calls, agents.given_up, agents.called_off), (0, 1, 0));
    assert_eq!(agents.agents[0].failed, 1);
    let waited_s = caller.queue.mean;
    assert!((0.99..1.01).contains(&waited_s), "waited {waited_s} s");
    // One token a step: a second's worth of them, not four thousand.
    let sampled = record.whole.pools[0].output_tokens;
    assert!((100..500).contains(&sampled), "{sampled} tokens");
}

/// Repeating a call finds the prompt of the one before, whose blocks stay in the cache.
#[test]
fn what_was_computed_before_stays_in_the_cache() {
    let record = measured(&scenario(&impatient("timeout = \"1 s\", retries = 3"), CALLER));
    assert_eq!(record.whole.use_cases[0].given_up, 4);
    let pool = &record.whole.pools[0];
    // Four times 1,000 tokens and the caller's 100; three prompts were there but for their
    // last token, which is always computed, and those in its block.
    assert_eq!((pool.input_tokens, pool.cached_tokens), (4_100, 3 * 992));
}

/// A patient agent is served to its end, and the caller waits for that.
#[test]
fn a_call_that_is_waited_for_is_served() {
    let record = measured(&scenario(&impatient("timeout = \"1000 s\""), CALLER));
    let [agents, caller] = &record.whole.use_cases[..] else { panic!("two use cases") };
    assert_eq!((agents.calls, agents.given_up, agents.called_off), (1, 0, 0));
    assert!(caller.queue.mean > 5.0, "waited {} s", caller.queue.mean);
}

/// The first of two sub-agents is enough: the call of the other leaves, is no broken
/// promise, and is paid for as far as it came.
#[test]
fn answers_that_are_not_needed_any_more_are_called_off() {
    let agents = r#"
        [[agent]]
        name = "x"
        context = { message_tokens = 100 }
        turns = { count = 2, output_tokens = 10 }
        children = { probability = 1.0, fan_out = [0.0, 1.0], agent = "y", join = "first", summary_tokens = 5 }
        [[agent]]
        name = "y"
        context = { message_tokens = 100 }
        turns = { count = 1, output_tokens = 500 }
    "#;
    let scenario = scenario(agents, "slo = { e2e_p95 = \"1000 s\" }");
    let record = measured(&scenario);
    let [calls] = &record.whole.use_cases[..] else { panic!("one use case") };
    // Both sub-agents were asked for at once; one waited until the other had ended.
    assert_eq!((calls.calls, calls.given_up, calls.called_off, calls.good), (3, 0, 1, 3));
    let [x, y] = &calls.agents[..] else { panic!("two agents") };
    assert_eq!((x.done, y.done, y.abandoned), (1, 1, 1));
    let pool = &record.whole.pools[0];
    assert_eq!(x.spent.work, [pool.work.use_cases[0].all()]);
    let summary = replicate(&scenario, false, |_| {}).summary;
    let goodput = summary.use_cases["agents"].goodput_fraction.as_ref().unwrap();
    assert_eq!(goodput.mean, 1.0);
}

/// Promises count calls that were given up as never answered, and a warning names them.
#[test]
fn given_up_calls_are_told_and_break_promises() {
    let slo = "slo = { e2e_p95 = \"1000 s\" }";
    let agent = impatient("timeout = \"1 s\", retries = 1");
    let summary = replicate(&scenario(&agent, slo), false, |_| {}).summary;
    let agents = &summary.use_cases["agents"];
    assert_eq!((agents.calls, agents.given_up), (0, 2));
    assert_eq!(agents.goodput_fraction.as_ref().map(|share| share.mean), Some(0.0));
    assert_eq!(agents.slo_met, Some(false));
    let [told] = &summary.warnings[..] else { panic!("{:?}", summary.warnings) };
    assert!(told.contains("2 calls were given up"), "{told}");
}

/// Runs pay for what their calls were served until they left, and for nothing else.
#[test]
fn dollars_of_given_up_runs_are_those_of_their_pool() {
    for limits in ["timeout = \"1 s\", retries = 2", "patience = \"1500 ms\""] {
        let record = measured(&scenario(&impatient(limits), ""));
        let pool = &record.whole.pools[0];
        let spent = &record.whole.use_cases[0].agents[0].spent.work;
        assert_eq!(*spent, [pool.work.use_cases[0].all()], "{limits}");
    }
}
