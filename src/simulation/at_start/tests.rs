//! Who is under way at time zero, against closed forms.

use super::super::event::Event;
use super::*;
use crate::factory::Replica;
use crate::random::Distribution;
use crate::scenario::{AtStart, Overrides, Scenario, parse};
use crate::simulation::Options;
use std::path::Path;
use std::sync::Arc;

/// A pool that answers at once, and a use case.
fn scenario(use_case: &str) -> Scenario {
    let text = format!(
        "name = \"start\"\nduration = \"1 min\"\n[[pool]]\nname = \"p\"\nmodel = \"llama-3.1-8b\"\n\
         hardware = \"h100-sxm\"\n[[use_case]]\nname = \"u\"\nprompt_tokens = 10\n\
         output_tokens = 2\n{use_case}\n"
    );
    let parsed = parse(&text, "start.toml", Path::new(""), &Overrides::default());
    let mut scenario = parsed.unwrap_or_else(|error| panic!("{error}")).scenario;
    scenario.at_start = at_pace(0.0);
    scenario
}

/// Calls that take so long, in caches that keep everything.
fn at_pace(call_s: f64) -> AtStart {
    let call = Pace { first_s: call_s, prefill_s: 0.0, decode_s: 0.0 };
    let pace = PoolPace { call, keeps: Span::from_seconds(1e9) };
    AtStart::Stationary { pools: Arc::new([pace]) }
}

/// Ages at the start, the turns that come next and the times until them, of the
/// sessions of one replication.
fn under_way(scenario: &Scenario, replication: u64) -> Vec<(f64, u32, f64)> {
    let simulation = Simulation::<Replica>::new(scenario, replication, Options::default());
    let next = |slot| match simulation.slots.event(slot) {
        Event::Turn { session } => {
            let at_s = simulation.pending.due(slot)?.seconds();
            let session = &simulation.sessions[session];
            Some((session.errand.age.seconds(), session.turn, at_s))
        }
        _ => None,
    };
    let found: Vec<_> = (0..simulation.slots.len()).filter_map(next).collect();
    assert_eq!(found.len(), simulation.sessions.len());
    found
}

/// Sessions with `turns` and a pause of `think` between them, one every ten seconds.
fn sessions(turns: Distribution, think: Distribution) -> Scenario {
    let mut scenario = scenario(
        "session = { turns = 1 }\narrivals = { process = \"poisson\", rate = \"0.1 /s\" }",
    );
    let session = scenario.use_cases[0].session.as_mut().expect("it has sessions");
    (session.turns, session.think) = (turns, Some(think));
    scenario
}

fn mean(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let values: Vec<f64> = values.collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// The largest distance of the sample from a law.
fn distance(mut sample: Vec<f64>, law: impl Fn(f64) -> f64) -> f64 {
    sample.sort_by(f64::total_cmp);
    let n = sample.len() as f64;
    let apart = |(at, &value): (usize, &f64)| {
        (law(value) - at as f64 / n).abs().max((law(value) - (at + 1) as f64 / n).abs())
    };
    sample.iter().enumerate().map(apart).fold(0.0, f64::max)
}

/// Kolmogorov's bound at 0.1 % for so many.
fn bound(n: usize) -> f64 {
    1.95 / (n as f64).sqrt()
}

/// Turns that end with probability p each, and exponential pauses, have no memory:
/// ages are exponential with the mean of a pause over p, the next turn is geometric,
/// and until then it is another whole pause. There are as many as a Poisson law of
/// rate times mean length says.
#[test]
fn sessions_without_memory_are_at_any_age_and_turn_alike() {
    let (p, think_s) = (0.2, 50.0);
    let turns: Vec<f64> = (1..150).map(f64::from).collect();
    let weights: Vec<f64> = turns.iter().map(|turn| libm::pow(1.0 - p, turn - 1.0)).collect();
    let turns = Distribution::empirical(&turns, &weights).expect("a law");
    let scenario = sessions(turns, Distribution::exponential(think_s).expect("a law"));
    let replications: Vec<_> = (0..200).map(|number| under_way(&scenario, number)).collect();
    let counts = || replications.iter().map(|found| found.len() as f64);
    let exact = 0.1 * think_s * (1.0 - p) / p;
    let (count, error) = mean(counts());
    assert!((count - exact).abs() < 4.0 * error, "{count} +- {error} for {exact}");
    let dispersion = mean(counts().map(|n| (n - exact) * (n - exact) / exact));
    assert!((dispersion.0 - 1.0).abs() < 4.0 * dispersion.1, "{dispersion:?}");
    let all: Vec<_> = replications.concat();
    let exponential = |mean_s: f64| move |value: f64| 1.0 - libm::exp(-value / mean_s);
    let ages = distance(all.iter().map(|it| it.0).collect(), exponential(think_s / p));
    let rests = distance(all.iter().map(|it| it.2).collect(), exponential(think_s));
    assert!(ages < bound(all.len()) && rests < bound(all.len()), "{ages} {rests}");
    for turn in 1..6 {
        let share = mean(all.iter().map(|it| f64::from(u8::from(it.1 == turn))));
        let exact = p * libm::pow(1.0 - p, f64::from(turn - 1));
        assert!((share.0 - exact).abs() < 4.0 * share.1, "turn {turn}: {share:?} for {exact}");
    }
}

/// Ten turns with pauses of a minute: each turn but the first is the next one alike,
/// and ages are uniform over nine minutes.
#[test]
fn sessions_of_one_length_are_at_each_turn_alike() {
    let constant = |value| Distribution::constant(value).expect("a law");
    let scenario = sessions(constant(10.0), constant(60.0));
    let all: Vec<_> = (0..100).flat_map(|number| under_way(&scenario, number)).collect();
    let (n, exact) = (all.len() as f64, 100.0 * 0.1 * 540.0);
    assert!((n - exact).abs() < 4.0 * exact.sqrt(), "{n} for {exact}");
    let uniform = |length_s: f64| move |value: f64| (value / length_s).clamp(0.0, 1.0);
    let ages = distance(all.iter().map(|it| it.0).collect(), uniform(540.0));
    assert!(ages < bound(all.len()), "{ages}");
    for turn in 1..10 {
        let share = mean(all.iter().map(|it| f64::from(u8::from(it.1 == turn))));
        assert!((share.0 - 1.0 / 9.0).abs() < 4.0 * share.1, "turn {turn}: {share:?}");
    }
    // Each is where its age puts it.
    for &(age_s, turn, at_s) in &all {
        assert!((age_s + at_s - 60.0 * f64::from(turn)).abs() < 1e-6, "{age_s} {turn} {at_s}");
    }
}

/// Calls that take time count: of a cycle of 20 s, 5 s are a call, and whoever waits
/// for one goes on with the pause after it.
#[test]
fn calls_take_their_part_of_a_session() {
    let constant = |value| Distribution::constant(value).expect("a law");
    let mut scenario = sessions(constant(10.0), constant(15.0));
    scenario.at_start = at_pace(5.0);
    let all: Vec<_> = (0..200).flat_map(|number| under_way(&scenario, number)).collect();
    // From the first call to the last lie nine cycles; later ones ask no more.
    let (n, exact) = (all.len() as f64, 200.0 * 0.1 * 180.0);
    assert!((n - exact).abs() < 4.0 * exact.sqrt(), "{n} for {exact}");
    let uniform = |value: f64| (value / 20.0).clamp(0.0, 1.0);
    let rests = distance(all.iter().map(|it| it.2).collect(), uniform);
    assert!(rests < bound(all.len()), "{rests}");
}

/// What was said before comes with its session: prompts go on from there, found in
/// the cache unless the pause is longer than that keeps it.
#[test]
fn history_is_carried_as_long_as_the_cache_keeps_it() {
    let constant = |value| Distribution::constant(value).expect("a law");
    let mut scenario = sessions(constant(10.0), constant(60.0));
    let carried = |scenario: &Scenario| {
        let simulation = Simulation::<Replica>::new(scenario, 0, Options::default());
        let of = |session: &workload::Session| {
            assert_eq!(session.history, 12 * session.turn);
            (session.turn, session.carried)
        };
        simulation.sessions.iter().map(of).collect::<Vec<_>>()
    };
    let kept = carried(&scenario);
    assert!(kept.len() > 20);
    // Full blocks of what was said, but for the last token.
    assert!(kept.iter().all(|&(turn, carried)| carried == (12 * turn - 1) / 16 * 16));
    let call = Pace { first_s: 0.0, prefill_s: 0.0, decode_s: 0.0 };
    let short = PoolPace { call, keeps: Span::from_seconds(59.0) };
    scenario.at_start = AtStart::Stationary { pools: Arc::new([short]) };
    assert!(carried(&scenario).iter().all(|&(_, carried)| carried == 0));
}

/// Clients ask for the first time at any moment of a cycle.
#[test]
fn clients_of_a_closed_loop_are_at_any_phase() {
    let first_calls = |think: &str, call_s: f64| -> Vec<f64> {
        let mut scenario = scenario(&format!(
            "arrivals = {{ process = \"closed-loop\", clients = 2000, think = {think} }}"
        ));
        scenario.at_start = at_pace(call_s);
        scenario.duration = None;
        let simulation = Simulation::<Replica>::new(&scenario, 0, Options::default());
        let client = |client| simulation.pending.due(simulation.slots.client(0, client));
        (0..2_000).map(|at| client(at).expect("it asks").seconds()).collect()
    };
    let uniform = |cycle_s: f64| move |value: f64| (value / cycle_s).clamp(0.0, 1.0);
    let even = distance(first_calls("\"30 s\"", 10.0), uniform(40.0));
    assert!(even < bound(2_000), "{even}");
    let busy = distance(first_calls("\"0 s\"", 10.0), uniform(10.0));
    assert!(busy < bound(2_000), "{busy}");
    let think = "{ distribution = \"exponential\", mean = \"30 s\" }";
    let exponential = |value: f64| 1.0 - libm::exp(-value / 30.0);
    let memoryless = distance(first_calls(think, 0.0), exponential);
    assert!(memoryless < bound(2_000), "{memoryless}");
}
