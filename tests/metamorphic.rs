//! Changes of a scenario whose effect on the result is known beforehand.
//!
//! Nobody knows the right latency of a busy pool, but everybody knows what has
//! to happen to it when all clocks run twice as fast.

mod common;

use common::load;
use std::sync::Arc;
use tokenmill::factory::StepTime;
use tokenmill::kernel::{Span, TICKS_PER_SECOND};
use tokenmill::metrics::{RunRecord, UseCaseRecord};
use tokenmill::random::{Component, Streams};
use tokenmill::scenario::{Arrivals, Lengths, Scenario};
use tokenmill::simulation::{Options, run};
use tokenmill::workload::{Trace, TraceCall};

/// Two pools, each with a use case; the second is short of KV blocks.
const TEXT: &str = r#"
    name = "metamorphic"
    duration = "2 min"
    warm_up = "10 s"
    [[pool]]
    name = "first"
    model = "llama-3.1-8b"
    hardware = "h100-sxm"
    replicas = 2
    [[pool]]
    name = "second"
    model = "llama-3.1-8b"
    hardware = "l40s"
    replicas = 3
    engine = { kv_blocks = 400, reserve_full_prompt = false, max_num_batched_tokens = 512 }
    [[use_case]]
    name = "chat"
    pool = "first"
    arrivals = { process = "poisson", rate = "20 /s" }
    prompt_tokens = { distribution = "lognormal", median = 700, sigma = 0.8, max = 8_000 }
    output_tokens = { distribution = "lognormal", median = 190, sigma = 0.7, max = 2_000 }
    [[use_case]]
    name = "long"
    pool = "second"
    arrivals = { process = "poisson", rate = "4 /s" }
    prompt_tokens = { distribution = "lognormal", median = 700, sigma = 0.8, max = 4_000 }
    output_tokens = { distribution = "lognormal", median = 190, sigma = 0.7, max = 2_000 }
"#;

fn scenario() -> Scenario {
    load(TEXT).scenario
}

fn simulate(scenario: &Scenario) -> RunRecord {
    run(
        scenario,
        0,
        Options { warm_up: Span::from_seconds(10.0), audit: true, ..Options::default() },
    )
}

/// Everything measured of a use case, for comparison.
fn text(use_case: &UseCaseRecord) -> String {
    format!("{use_case:?}")
}

/// Step times of whole ticks, each coefficient `factor` ticks times a number.
fn step_time(factor: u64) -> StepTime {
    let seconds = |ticks: u64| (ticks * factor) as f64 / TICKS_PER_SECOND as f64;
    StepTime {
        per_step: seconds(40_000_000),
        per_token: seconds(150_000),
        per_sequence: seconds(20_000),
        per_decode_context: seconds(300),
        per_pair: seconds(3),
        per_prefix: seconds(1),
        ..StepTime::default()
    }
}

/// Both use cases replay a random recording in which each instant is a
/// multiple of `factor` ticks.
fn replayed(factor: u64) -> Scenario {
    let mut scenario = scenario();
    scenario.duration = None;
    scenario.regime = tokenmill::scenario::Regime::Terminating;
    for (at, use_case) in scenario.use_cases.iter_mut().enumerate() {
        let mut stream = Streams::new(5, 0).stream(Component::Arrivals, at as u64, 0);
        let mut at = 0;
        let calls = (0..2_000).map(|_| {
            at += u64::from(stream.below(1_000_000_000)) * factor;
            TraceCall {
                at: Span::from_ticks(at),
                prompt: 1 + stream.below(1_500),
                output: 1 + stream.below(400),
            }
        });
        let trace = Trace::of(0, calls.map(|call| (call, &[][..])));
        use_case.arrivals = Arrivals::Trace { trace: Arc::new(trace), time_scale: 1.0 };
        use_case.lengths = Lengths::Recorded;
    }
    scenario.pools.iter_mut().for_each(|pool| pool.step_time = step_time(factor));
    scenario
}

/// Arrivals and steps twice as fast: every latency is half, to the tick.
#[test]
fn twice_the_speed_halves_all_times() {
    let (slow, fast) = (simulate(&replayed(2)), simulate(&replayed(1)));
    assert_eq!(slow.end_s, 2.0 * fast.end_s);
    assert!(
        slow.whole.pools[1].preemptions > 100,
        "{} preemptions",
        slow.whole.pools[1].preemptions
    );
    for (slow, fast) in slow.whole.use_cases.iter().zip(&fast.whole.use_cases) {
        assert_eq!((slow.calls, slow.preemptions), (fast.calls, fast.preemptions));
        // TPOT is rounded to a tick by itself, and ITL is a histogram.
        for (slow, fast) in
            [(&slow.ttft, &fast.ttft), (&slow.e2e, &fast.e2e), (&slow.queue, &fast.queue)]
        {
            assert!(fast.mean > 0.0 && fast.exact);
            assert_eq!(slow.mean, 2.0 * fast.mean);
            let doubled: Vec<f64> =
                fast.known.quantiles().iter().map(|value| 2.0 * value).collect();
            // Twice a quantile between two values may differ in the last bit.
            let equal = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-15 * a.abs();
            assert!(slow.known.quantiles().iter().zip(&doubled).all(equal));
        }
    }
    for (slow, fast) in slow.whole.pools.iter().zip(&fast.whole.pools) {
        assert_eq!(slow.busy_s, 2.0 * fast.busy_s);
        assert_eq!(slow.output_tokens, fast.output_tokens);
    }
}

/// A pool without traffic, listed last, does not touch the others: the run
/// has the same events at the same ticks.
#[test]
fn an_idle_pool_changes_nothing() {
    let before = scenario();
    let mut after = before.clone();
    let mut idle = before.pools[0].clone();
    idle.name = "idle".to_string();
    idle.replicas = 7;
    after.pools.push(idle);
    let (before, after) = (simulate(&before), simulate(&after));
    assert_eq!(
        (before.digest, before.calls, before.end_s),
        (after.digest, after.calls, after.end_s)
    );
    assert_eq!(
        before.whole.use_cases.iter().map(text).collect::<Vec<_>>(),
        after.whole.use_cases.iter().map(text).collect::<Vec<_>>()
    );
    assert_eq!((after.whole.pools[2].busy_s, after.whole.pools[2].arrived), (0.0, 0));
}

/// With blocks for everybody nobody is preempted, and with few somebody is.
#[test]
fn unlimited_kv_means_no_preemption() {
    let tight = scenario();
    let mut roomy = tight.clone();
    roomy.pools[1].kv.blocks = u32::MAX / 2;
    let (tight, roomy) = (simulate(&tight), simulate(&roomy));
    assert!(tight.whole.pools[1].preemptions > 0);
    assert!(tight.whole.use_cases[1].preemptions > 0);
    assert_eq!([0, 1].map(|pool| roomy.whole.pools[pool].preemptions), [0, 0]);
    assert_eq!(roomy.whole.use_cases[1].preemptions, 0);
    assert!(roomy.whole.use_cases[1].e2e.mean < tight.whole.use_cases[1].e2e.mean);
    // The other pool never notices.
    assert_eq!(text(&tight.whole.use_cases[0]), text(&roomy.whole.use_cases[0]));
}

/// Names of pools are labels: exchanging them changes no event, as long as no
/// router draws from a stream of that name.
#[test]
fn names_of_pools_are_labels() {
    let before = scenario();
    assert!(before.pools.iter().all(|pool| !pool.router.policy.draws()));
    let mut after = before.clone();
    after.pools[0].name = "second".to_string();
    after.pools[1].name = "first".to_string();
    let (before, after) = (simulate(&before), simulate(&after));
    assert_eq!(before.digest, after.digest);
    assert_eq!(format!("{before:?}"), format!("{after:?}"));
}

/// The order in which pools are listed changes no use case and no pool.
#[test]
fn the_order_of_pools_changes_nothing() {
    let before = scenario();
    let mut after = before.clone();
    after.pools.reverse();
    after.use_cases.iter_mut().for_each(|use_case| use_case.pool = 1 - use_case.pool);
    let (before, after) = (simulate(&before), simulate(&after));
    for (before, after) in before.whole.use_cases.iter().zip(&after.whole.use_cases) {
        assert_eq!(text(before), text(after));
    }
    for (before, after) in before.whole.pools.iter().zip(after.whole.pools.iter().rev()) {
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }
}

/// The name of a use case keys its random streams: another name is another
/// sample of the same law.
#[test]
fn names_of_use_cases_are_seeds() {
    let before = scenario();
    let mut after = before.clone();
    after.use_cases[0].name = "other".to_string();
    let (before, after) = (simulate(&before), simulate(&after));
    assert_ne!(text(&before.whole.use_cases[0]), text(&after.whole.use_cases[0]));
    assert_eq!(text(&before.whole.use_cases[1]), text(&after.whole.use_cases[1]));
}
