//! The fast engine against the oracle, on random factories.
//!
//! Both must produce the same events at the same ticks (the run digest), the
//! same measurements and the same timeline.

mod agents;
mod arrivals;
mod calls;
mod jumps;
mod places;
mod pools;
mod replays;
mod scenarios;

use super::oracle::Oracle;
use super::{Options, Part, Simulation};
use crate::factory::{Call, Replica};
use crate::kernel::{Span, Time};
use crate::metrics::{PoolRecord, RunRecord, SessionsRecord, Stretch, UseCaseRecord};
use crate::scenario::{Arrivals, Lengths, Regime, Scenario};
use crate::workload::{Author, Content, Strand};
use proptest::prelude::*;
use scenarios::{place_agents, scenario};

/// The journal of a run and its record, without the number of events: the
/// oracle has one for every step, and that is the whole point.
fn run<E: crate::factory::Engine>(scenario: &Scenario, warm_up: f64) -> (Journal, RunRecord) {
    run_part::<E>(scenario, warm_up, None)
}

fn run_part<E: crate::factory::Engine>(
    scenario: &Scenario,
    warm_up: f64,
    part: Option<Part>,
) -> (Journal, RunRecord) {
    let options =
        Options { warm_up: Span::from_seconds(warm_up), audit: true, part, ..Options::default() };
    run_on::<E>(scenario, options, None)
}

/// A run in which calls that share no text with others have `texts` texts among
/// them: many compute and decode the same blocks at the same time.
fn run_on<E: crate::factory::Engine>(
    scenario: &Scenario,
    options: Options,
    texts: Option<u64>,
) -> (Journal, RunRecord) {
    let mut simulation = Simulation::<E>::new(scenario, 3, options);
    simulation.texts = texts;
    let end = simulation.run_to_end();
    let journal = std::mem::take(&mut simulation.journal);
    (journal, RunRecord { events: 0, ..simulation.finish(end) })
}

/// One of `texts` texts, for prompt and answer of a call.
pub(super) fn text(call: &Call, texts: u64) -> Content {
    Content::new(Strand::new(u16::MAX, Author::Group, call.key() % texts))
}

type Journal = Vec<(Time, u64, u64)>;

/// The events and the record of the fast engine are the oracle's. Returns the record.
fn fast_equals_slow(
    scenario: &Scenario,
    warm_up: f64,
    texts: Option<u64>,
) -> Result<RunRecord, TestCaseError> {
    let options =
        Options { warm_up: Span::from_seconds(warm_up), audit: true, ..Options::default() };
    let (fast_journal, fast) = run_on::<Replica>(scenario, options, texts);
    let (slow_journal, slow) = run_on::<Oracle>(scenario, options, texts);
    let parting = fast_journal.iter().zip(&slow_journal).position(|(fast, slow)| fast != slow);
    if let Some(at) = parting {
        let before = at.saturating_sub(30);
        for i in before..at + 2 {
            println!("{i} fast {:?} slow {:?}", fast_journal[i], slow_journal[i]);
        }
        prop_assert!(false, "the journals part at {at}");
    }
    prop_assert_eq!(fast_journal.len(), slow_journal.len());
    let record = fast;
    let (fast, slow) = (format!("{record:?}"), format!("{slow:?}"));
    if let Some(at) = fast.bytes().zip(slow.bytes()).position(|(fast, slow)| fast != slow) {
        let part = |text: &str| text[at.saturating_sub(200)..text.len().min(at + 100)].to_owned();
        prop_assert!(false, "the records part: {}\nand {}", part(&fast), part(&slow));
    }
    prop_assert_eq!(fast.len(), slow.len());
    Ok(record)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    /// Jumping over steps changes nothing either where several sequences write the
    /// same text beyond their prompts at the same time.
    #[test]
    fn fast_forward_equals_the_oracle_on_common_texts(
        scenario in scenario(), texts in 1..6u64, spare in proptest::option::of(1..12u32),
    ) {
        let mut scenario = scenario;
        // Without tiers, and with blocks that are known as they are computed, prompts
        // are jumped over: long ones, while others end that decode what they say.
        if let Some(spare) = spare {
            for pool in &mut scenario.pools {
                pool.offload.clear();
                pool.engine.max_num_batched_tokens = pool.engine.max_num_seqs + spare;
                let rules = pool.engine.prefix_cache.iter_mut();
                rules.for_each(|rules| rules.dedup_in_flight = true);
            }
        }
        fast_equals_slow(&scenario, 0.0, Some(texts))?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// The part of the horizon that is all of it is a run of it: the same events,
    /// and of an episode those up to the end of its window.
    #[test]
    fn the_part_that_is_all_is_the_whole(scenario in scenario(), warm_up in prop_oneof![Just(0.0), 0.0..1.0f64]) {
        let is_steady = scenario.regime == Regime::Steady;
        let warm_up = if is_steady { warm_up } else { 0.0 };
        let length = scenario.duration.unwrap() - Span::from_seconds(warm_up);
        let part = Part { from: Time::ZERO, length };
        let (whole, whole_record) = run::<Replica>(&scenario, warm_up);
        let (events, record) = run_part::<Replica>(&scenario, warm_up, Some(part));
        let common = if is_steady { whole.len() } else { events.len() };
        prop_assert_eq!(&events[..], &whole[..common]);
        if is_steady {
            prop_assert_eq!(record.digest, whole_record.digest);
            prop_assert_eq!(record.whole.window_s, whole_record.whole.window_s);
        }
    }

    /// Jumping over steps changes nothing, to the last bit.
    #[test]
    fn fast_forward_equals_the_oracle(scenario in scenario(), warm_up in prop_oneof![Just(0.0), 0.0..1.0f64]) {
        fast_equals_slow(&scenario, warm_up, None)?;
    }

    /// Dividing the window changes nothing of the whole, and the sections add up
    /// to it.
    #[test]
    fn sections_are_the_whole_divided(scenario in scenario(), warm_up in prop_oneof![Just(0.0), 0.0..1.0f64]) {
        let undivided = Scenario { sections: 1, ..scenario.clone() };
        let ((_, divided), (_, undivided)) =
            (run::<Replica>(&scenario, warm_up), run::<Replica>(&undivided, warm_up));
        prop_assert_eq!(divided.digest, undivided.digest);
        prop_assert_eq!(format!("{:?}", divided.whole), format!("{:?}", undivided.whole));
        prop_assert!(undivided.sections.is_empty());
        let whole = &divided.whole;
        let counts = |stretch: &Stretch| -> Vec<u64> {
            let of_calls = |case: &UseCaseRecord| {
                let UseCaseRecord { calls, finished, good, .. } = *case;
                let UseCaseRecord { rejected, given_up, called_off, .. } = *case;
                let UseCaseRecord { prompt_tokens, cached_tokens, output_tokens, .. } = *case;
                let latencies = [&case.ttft, &case.tpot, &case.itl, &case.e2e, &case.queue];
                let lengths = [prompt_tokens, cached_tokens, output_tokens, case.preemptions];
                let lost = [rejected, given_up, called_off];
                let SessionsRecord { began, completed, aborted, turns } = case.sessions;
                [calls, finished, good, began, completed, aborted, turns]
                    .into_iter()
                    .chain(lost)
                    .chain(lengths)
                    .chain(latencies.map(|latency| latency.count))
                    .collect::<Vec<_>>()
            };
            let of_pool = |pool: &PoolRecord| {
                let PoolRecord { arrived, finished, preemptions, .. } = *pool;
                let PoolRecord { input_tokens, cached_tokens, output_tokens, .. } = *pool;
                [arrived, finished, preemptions, input_tokens, cached_tokens, output_tokens]
            };
            let calls = stretch.use_cases.iter().flat_map(of_calls);
            calls.chain(stretch.pools.iter().flat_map(of_pool)).collect()
        };
        if scenario.sections > 1 && divided.cut_off.is_none() {
            prop_assert_eq!(divided.sections.len(), scenario.sections as usize);
            let sum = divided.sections.iter().map(counts).reduce(|sum, more| {
                sum.iter().zip(more).map(|(a, b)| a + b).collect()
            });
            prop_assert_eq!(sum.unwrap(), counts(whole));
            for (at, pool) in whole.pools.iter().enumerate() {
                let sections = || divided.sections.iter().map(|section| (section, &section.pools[at]));
                let near = |found: f64, exact: f64| (found - exact).abs() < 1e-9 * exact.max(1.0);
                let mean = |level: fn(&PoolRecord) -> f64| {
                    let areas = sections().map(|(section, pool)| level(pool) * section.window_s);
                    areas.sum::<f64>() / whole.window_s
                };
                prop_assert!(near(sections().map(|(_, pool)| pool.busy_s).sum(), pool.busy_s));
                prop_assert!(near(sections().map(|(_, pool)| pool.saved_s).sum(), pool.saved_s));
                prop_assert!(near(mean(|pool| pool.running_mean), pool.running_mean));
                prop_assert!(near(mean(|pool| pool.waiting_mean), pool.waiting_mean));
                let peak = sections().map(|(_, pool)| pool.kv_use_peak).fold(0.0, f64::max);
                prop_assert_eq!(peak, pool.kv_use_peak);
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    /// Nor does jumping over steps where an episode lasts longer than its calls, or has no
    /// duration; counting what happens while calls arrive changes nothing of all of it.
    #[test]
    fn episodes_last_until_their_duration_and_their_last_answer(
        scenario in scenario(), seconds in prop_oneof![Just(None), (0.0..20.0f64).prop_map(Some)],
    ) {
        let regime = Regime::Terminating;
        let duration = seconds.map(|s| Span::from_seconds(s) + Span::from_ticks(1));
        let mut scenario = Scenario { duration, regime, sections: 1, ..scenario };
        if duration.is_none() {
            // Each ends by itself.
            for use_case in &mut scenario.use_cases {
                if !use_case.ends_by_itself() {
                    let (clients, requests) = (3, Some(20));
                    use_case.arrivals = Arrivals::ClosedLoop { clients, requests, think: None };
                }
            }
        }
        let record = fast_equals_slow(&scenario, 0.0, None)?;
        let whole = &record.whole;
        let arrivals = whole.arrivals.as_ref().expect("it is an episode");
        prop_assert_eq!(whole.window_s, record.end_s);
        prop_assert!(arrivals.window_s <= whole.window_s);
        if let (Some(duration), None) = (duration, record.cut_off) {
            prop_assert_eq!(arrivals.window_s, duration.seconds());
            prop_assert!(whole.window_s >= duration.seconds());
        }
        for (pool, part) in whole.pools.iter().zip(&arrivals.pools) {
            prop_assert!(part.busy_s <= pool.busy_s * (1.0 + 1e-12));
            prop_assert!(part.output_tokens <= pool.output_tokens);
            prop_assert!(part.input_tokens <= pool.input_tokens);
        }
    }

    /// The fast engine is the oracle with a random recording, a few sessions of it at a time or jobs of them,
    /// beside other use cases and over tiers.
    #[test]
    fn replays_are_the_same_step_by_step(
        mut scenario in scenario(),
        replay in replays::replay(),
        trip in proptest::option::of(0..400_000_000u64),
        site in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let pools = scenario.pools.len();
        let first = &mut scenario.use_cases[0];
        let site = place_agents(first, pools, trip, site);
        first.lengths = Lengths::Replayed(replays::with_site(replay, site));
        if !matches!(first.arrivals, Arrivals::Batch(_)) {
            first.arrivals = Arrivals::ClosedLoop { clients: 3, requests: Some(9), think: None };
        }
        (first.thinking, first.session, first.prefix) = (None, None, Vec::new());
        scenario.use_cases.truncate(2);
        let fast = fast_equals_slow(&scenario, 0.0, None)?;
        if fast.cut_off.is_none() && scenario.regime == Regime::Terminating {
            let sessions = &fast.whole.use_cases[0].sessions;
            prop_assert_eq!(sessions.began, sessions.completed + sessions.aborted);
        }
    }
}
