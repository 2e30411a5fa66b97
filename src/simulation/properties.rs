//! The fast engine against the oracle, on random factories.
//!
//! Both must produce the same events at the same ticks (the run digest), the
//! same measurements and the same timeline.

mod agents;
mod jumps;
mod replays;

use super::oracle::Oracle;
use super::{Options, Part, Simulation};
use crate::catalog::{Catalog, GpuHour, Per, Scope, Tier, Transfer};
use crate::demand::Clock;
use crate::factory::{
    CacheRules, Call, Eviction, Experts, KvPlan, Parallelism, Policy, Replica, Routing, Serve,
    StepTime, Writing,
};
use crate::kernel::{Span, TICKS_PER_SECOND, Time};
use crate::metrics::{PoolRecord, RunRecord, SessionsRecord, Stretch, UseCaseRecord};
use crate::random::Distribution;
use crate::scenario::{
    Arrivals, Batch, Engine, Lengths, Offload, Origin, Origins, Pool, Regime, Releases, Scenario,
    Segment, Sessions, Slo, Thinking, ThinkingAmount, Thinks, UseCase, WarmUp,
};
use crate::workload::{Author, Content, Strand, Trace, TraceCall};
use jiff::Timestamp;
use jiff::tz::TimeZoneDatabase;
use proptest::prelude::*;
use std::sync::Arc;

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
    let options = Options { warm_up: Span::from_seconds(warm_up), audit: true, part };
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

fn step_time() -> impl Strategy<Value = StepTime> {
    let per = |max: f64| prop_oneof![1 => Just(0.0), 4 => 0.0..max];
    let experts = (per(1e-5), 1..40usize).prop_map(|(per_group_token, size)| Experts {
        per_group_token,
        weights: (0..size).map(|n| 1e-3 * (1.0 - 0.8f64.powi(n as i32))).collect(),
    });
    (
        (1e-4..1e-2, per(1e-5), per(1e-5), per(1e-6), per(1e-6), per(1e-8), per(1e-8), per(1e-7)),
        proptest::option::of(experts),
        proptest::option::weighted(0.4, 1..300u32),
        proptest::option::weighted(0.4, 0.1..3.0),
    )
        .prop_map(
            |(
                (step, token, sequence, context, windowed, pair, pair_w, prefix),
                experts,
                window,
                decode_scale,
            )| {
                StepTime {
                    per_step: step,
                    per_token: token,
                    per_sequence: sequence,
                    per_decode_context: context,
                    per_decode_context_windowed: windowed,
                    per_pair: pair,
                    per_pair_windowed: pair_w,
                    per_prefix: prefix,
                    experts,
                    window,
                    decode_scale,
                }
            },
        )
}

fn eviction() -> impl Strategy<Value = Eviction> {
    prop_oneof![
        2 => Just(Eviction::Lru),
        1 => Just(Eviction::Lfu),
        1 => Just(Eviction::S3Fifo),
        1 => (0.0..0.5).prop_map(|ttl| Eviction::Ttl { ttl: Span::from_seconds(ttl) }),
        1 => Just(Eviction::CostAware),
        2 => (0.001..0.5).prop_map(|hold| Eviction::AgentHold { hold: Span::from_seconds(hold) }),
    ]
}

fn engine() -> impl Strategy<Value = Engine> {
    let rules = (eviction(), any::<bool>(), any::<bool>()).prop_map(
        |(eviction, dedup_in_flight, cache_decoded)| CacheRules {
            eviction,
            dedup_in_flight,
            cache_decoded,
        },
    );
    let cache = proptest::option::weighted(0.8, rules);
    (1..24u32, 0..200u32, any::<bool>(), prop_oneof![Just(0.0), 0.0..0.2], cache).prop_map(
        |(max_num_seqs, spare, reserve_full_prompt, kv_watermark, prefix_cache)| Engine {
            max_num_seqs,
            max_num_batched_tokens: max_num_seqs + spare,
            max_model_len: 2000,
            reserve_full_prompt,
            kv_watermark,
            prefix_cache,
            step_scale: 1.0,
            decode_scale: 1.0,
            step_overhead: Span::ZERO,
        },
    )
}

fn router() -> impl Strategy<Value = Routing> {
    let policy = prop_oneof![
        Just(Policy::RoundRobin),
        Just(Policy::LeastLoaded),
        Just(Policy::PowerOfTwo),
        (0.0..3.0, prop_oneof![Just(0.0), 0.0..1.0]).prop_map(|(overlap_weight, temperature)| {
            Policy::KvAware { overlap_weight, temperature }
        }),
        Just(Policy::SessionAffinity),
        (1.0..2.0).prop_map(|spill_over| Policy::PrefixAffinity { spill_over }),
    ];
    let delay = prop_oneof![Just(Span::ZERO), (0.0..1.0).prop_map(Span::from_seconds)];
    (policy, delay).prop_map(|(policy, signal_delay)| Routing { policy, signal_delay })
}

/// Tiers of a few blocks to many, on links from slower to faster than computing.
fn offload() -> impl Strategy<Value = Vec<Offload>> {
    let per = prop_oneof![Just(Per::Gpu), Just(Per::Replica), Just(Per::All)];
    let bandwidth = || (5.0..10.0f64).prop_map(|digits| 10f64.powf(digits));
    let latency = prop_oneof![Just(0.0), 0.0..1e-3];
    let efficiency = prop_oneof![Just(vec![(1.0, 0.8)]), Just(vec![(5e3, 0.2), (1e5, 0.7)])];
    let transfer = (per, bandwidth(), bandwidth(), latency, efficiency).prop_map(
        |(per, read_bandwidth, write_bandwidth, latency_s, efficiency)| Transfer {
            per,
            read_bandwidth,
            write_bandwidth,
            latency_s,
            efficiency,
        },
    );
    let scope =
        prop_oneof![Just(Scope::Rank), Just(Scope::Replica), Just(Scope::Pool), Just(Scope::All)];
    let policy =
        prop_oneof![Just(Writing::WriteThrough), Just(Writing::WriteBack), Just(Writing::OnEvict)];
    let tier = (transfer, scope, policy, 1..400u64);
    proptest::collection::vec(tier, 0..4).prop_map(|tiers| {
        let offload = |(at, (transfer, scope, policy, blocks)): (usize, (_, _, _, u64))| Offload {
            tier: Arc::new(Tier {
                // Tiers of one place are shared by pools, if they are shared by all.
                name: format!("tier-{at}"),
                aliases: Vec::new(),
                title: String::new(),
                scope,
                transfer,
                carrier: None,
                capacity_per_gpu: None,
                price: None,
                origins: Vec::new(),
            }),
            capacity_bytes: blocks * BLOCK_BYTES,
            policy,
            scope,
            sharers: 1,
        };
        tiers.into_iter().enumerate().map(offload).collect()
    })
}

const BLOCK_BYTES: u64 = 1000;

fn pool() -> impl Strategy<Value = Pool> {
    let kv = (1..33u32, 10..150u32, 1..4u64).prop_map(|(block_tokens, blocks, size)| KvPlan {
        block_bytes: size * BLOCK_BYTES / 2,
        ..KvPlan::fixed(block_tokens, blocks)
    });
    (step_time(), engine(), router(), 1..4u32, 1..4u32, kv, offload()).prop_map(
        |(step_time, engine, router, replicas, data, kv, offload)| Pool {
            name: String::new(),
            // Names only: what the engine sees of them is in `step_time` and `kv`.
            model: Catalog::embedded().model("llama-3.1-8b").unwrap(),
            hardware: Catalog::embedded().hardware("h100-sxm").unwrap(),
            precision: "bf16".parse().unwrap(),
            region: None,
            replicas,
            parallelism: Parallelism { tensor: 1, data, expert: 1 },
            router,
            // Without a cache there is nothing that tiers could be offered.
            offload: if engine.prefix_cache.is_some() { offload } else { Vec::new() },
            engine,
            kv,
            step_time,
            gpu_hour: GpuHour { usd: None, origin: String::new(), is_estimate: false },
            watts_per_gpu: None,
            pue: 1.0,
        },
    )
}

fn arrivals() -> impl Strategy<Value = Arrivals> {
    let think = || Distribution::exponential(0.05).unwrap();
    prop_oneof![
        (0.5..200.0).prop_map(|rate| Arrivals::Poisson { rate }),
        (0.5..200.0).prop_map(|rate| Arrivals::Constant { rate }),
        (1..40u32, any::<bool>()).prop_map(move |(clients, thinks)| Arrivals::ClosedLoop {
            clients,
            requests: Some(150),
            think: thinks.then(think),
        }),
        batch().prop_map(|batch| Arrivals::Batch(Arc::new(batch))),
    ]
}

/// Jobs that overlap and yield, are pressed, or never yield.
fn batch() -> impl Strategy<Value = Batch> {
    let span = |low: f64, high: f64| (low..high).prop_map(Span::from_seconds);
    let concurrency = proptest::option::of(1..30u32);
    let rush = proptest::option::of(span(0.0, 1.0));
    (span(0.2, 2.0), tokens(40.0), span(0.1, 3.0), 0.05..1.5f64, concurrency, rush).prop_map(
        |(every, calls, deadline, fill, concurrency, rush)| Batch {
            releases: Releases::Every(every),
            calls,
            deadline,
            fill,
            concurrency,
            rush,
            jobs: 1,
            calls_mean: 1.0,
            calls_per_s: 1.0,
        },
    )
}

fn tokens(max: f64) -> impl Strategy<Value = Distribution> {
    prop_oneof![
        (1.0..max).prop_map(|tokens| Distribution::constant(tokens.round()).unwrap()),
        (1.0..max).prop_map(move |high| Distribution::uniform(1.0, high + 1.0).unwrap()),
        (0.1..1.5f64).prop_map(move |sigma| Distribution::lognormal(max / 4.0, sigma).unwrap()),
    ]
}

/// Groups few enough to meet again, and segments that end within blocks.
fn prefix() -> impl Strategy<Value = Vec<Segment>> {
    let segment = (tokens(80.0), 1..5u32, prop_oneof![Just(0.0), 0.0..2.0], any::<bool>());
    let segment = segment.prop_map(|(tokens, groups, zipf, has_name)| Segment {
        name: has_name.then(|| "shared".to_owned()),
        owner: 0,
        tokens,
        groups,
        zipf,
    });
    proptest::collection::vec(segment, 0..4)
}

fn sessions() -> impl Strategy<Value = Option<Sessions>> {
    let think = || Distribution::exponential(0.05).unwrap();
    let opening = || Distribution::uniform(1.0, 90.0).unwrap();
    let drawn = (1..5u32, any::<bool>(), any::<bool>());
    let sessions = drawn.prop_map(move |(most, thinks, opens)| Sessions {
        opening: opens.then(opening),
        turns: Distribution::uniform(0.5, f64::from(most) + 0.5).unwrap(),
        think: thinks.then(think),
    });
    proptest::option::of(sessions)
}

/// Calls that think now and then, some up to a token before their end.
fn thinking() -> impl Strategy<Value = Thinking> {
    let amount = prop_oneof![
        tokens(80.0).prop_map(ThinkingAmount::Tokens),
        (0.0..1.2).prop_map(|share| ThinkingAmount::Share(Distribution::constant(share).unwrap())),
        Just(ThinkingAmount::Share(Distribution::uniform(0.0, 1.0).unwrap())),
    ];
    let often = (0.0..=1.0).prop_map(|probability| Thinks::Often { probability });
    let above = (0.0..1.0).prop_map(|threshold| Thinks::Above {
        threshold,
        difficulty: Distribution::uniform(0.0, 1.0).unwrap(),
    });
    let budget = proptest::option::of(0..120u32);
    (prop_oneof![often, above], amount, budget, any::<bool>())
        .prop_map(|(when, amount, budget, is_kept)| Thinking { when, amount, budget, is_kept })
}

/// A recording whose prompts share blocks of `block_tokens` tokens.
fn trace() -> impl Strategy<Value = Trace> {
    let ids = proptest::collection::vec(0..3u64, 0..12);
    let call = (0..200_000_000u64, 1..400u32, 1..120u32, ids);
    (proptest::collection::vec(call, 1..120), 1..64u32).prop_map(|(calls, block_tokens)| {
        let mut at = Span::ZERO;
        let call = |(gap, prompt, output, ids): &(u64, u32, u32, Vec<u64>)| {
            at = at + Span::from_ticks(*gap);
            (TraceCall { at, prompt: *prompt, output: *output }, ids.clone())
        };
        let calls: Vec<_> = calls.iter().map(call).collect();
        Trace::of(block_tokens, calls.iter().map(|(call, ids)| (*call, ids.as_slice())))
    })
}

/// A use case by itself: its name, its pool and whose prefix it shares come later.
fn use_case() -> impl Strategy<Value = UseCase> {
    let drawn = (arrivals(), tokens(400.0), tokens(120.0), sessions());
    let drawn = drawn.prop_map(|(arrivals, prompt, output, session)| {
        // Jobs have no users who would go on.
        let session = session.filter(|_| !matches!(arrivals, Arrivals::Batch(_)));
        (arrivals, Lengths::Drawn { prompt, output }, session)
    });
    let recorded = trace().prop_map(|trace| {
        let arrivals = Arrivals::Trace { trace: Arc::new(trace), time_scale: 1.0 };
        (arrivals, Lengths::Recorded, None)
    });
    let asked = prop_oneof![4 => drawn, 1 => recorded];
    let cache_hit = proptest::option::weighted(0.2, 0.0..=1.0);
    let thinking = proptest::option::of(thinking());
    (asked, thinking, prefix(), cache_hit).prop_map(|(asked, thinking, prefix, cache_hit)| {
        let (arrivals, lengths, session) = asked;
        UseCase {
            name: String::new(),
            pool: 0,
            origins: None,
            arrivals,
            lengths,
            thinking,
            prefix,
            session,
            cache_hit,
            slo: Slo::default(),
            price: None,
        }
    })
}

/// A policy, the shares of users, and how far pools are, in ticks of a hundredth of
/// a second.
fn places() -> impl Strategy<Value = (Serve, Vec<f64>, u64)> {
    let serve = prop_oneof![
        Just(Serve::Home),
        (0..24u64).prop_map(|hour| Serve::ByClock { hour: hour * 3_600 * TICKS_PER_SECOND }),
        (0.05..1.0).prop_map(|fill| Serve::Overflow { fill }),
    ];
    (serve, proptest::collection::vec(0.1..1.0f64, 1..4), 0..50u64)
}

/// Users of several regions, who may be served in any of the pools, the first of
/// which is at `pool`.
fn origins(pool: usize, pools: usize, (serve, shares, far): (Serve, Vec<f64>, u64)) -> Origins {
    let sites: Vec<usize> = (0..pools).map(|at| (pool + at) % pools).collect();
    let sum: f64 = shares.iter().sum();
    let origin = |(at, share): (usize, &f64)| {
        let trip = |site: usize| Span::from_ticks(far * (site + at) as u64 * TICKS_PER_SECOND / 99);
        let mut near: Vec<usize> = (0..sites.len()).collect();
        near.sort_by_key(|&site| trip(site));
        let round_trips = (0..sites.len()).map(trip).collect();
        Origin { region: format!("region-{at}"), share: share / sum, round_trips, near }
    };
    let zones = ["America/New_York", "Europe/Berlin", "Asia/Singapore"].into_iter().cycle();
    let clock = |zone: &str| {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        Clock::new(&zone, Timestamp::UNIX_EPOCH, Time::ZERO + Span::from_seconds(9.0))
    };
    Origins {
        regions: shares.iter().enumerate().map(origin).collect(),
        serve,
        clocks: zones.take(pools).map(clock).collect(),
        expected: vec![1.0 / pools as f64; pools],
        pools: sites,
    }
}

/// Users of one place, a round trip of so many ticks away.
fn one_place(pool: usize, ticks: u64) -> Origins {
    let round_trips = vec![Span::from_ticks(ticks)];
    Origins {
        pools: vec![pool],
        regions: vec![Origin { region: String::new(), share: 1.0, round_trips, near: vec![0] }],
        serve: Serve::Home,
        clocks: Vec::new(),
        expected: vec![1.0],
    }
}

fn by_region(rate: f64, origins: &Origins) -> Arrivals {
    let arrivals =
        |origin: &Origin| (origin.region.clone(), Arrivals::Poisson { rate: rate * origin.share });
    Arrivals::Regions(origins.regions.iter().map(arrivals).collect())
}

prop_compose! {
    fn scenario()(
        pools in proptest::collection::vec(pool(), 1..3),
        use_cases in proptest::collection::vec(
            (use_case(), any::<prop::sample::Index>(), proptest::option::of(places())),
            1..4,
        ),
        crew in proptest::option::weighted(0.5, agents::crew()),
        tool_pool in agents::tool_pool(),
        agent_trip in proptest::option::of(1..400_000_000u64),
        seed in any::<u64>(),
        steady in any::<bool>(),
        sections in prop_oneof![Just(1), 2..9u32],
    ) -> Scenario {
        let mut pools = pools;
        for (at, pool) in pools.iter_mut().enumerate() {
            pool.name = format!("pool-{at}");
        }
        let mut use_cases: Vec<UseCase> = use_cases
            .into_iter()
            .map(|(use_case, pool, places)| {
                let pool = pool.index(pools.len());
                let origins = places.map(|places| Arc::new(origins(pool, pools.len(), places)));
                let arrivals = match (use_case.arrivals, &origins) {
                    (Arrivals::Poisson { rate }, Some(origins)) => by_region(rate, origins),
                    (other, _) => other,
                };
                UseCase { pool, origins, arrivals, ..use_case }
            })
            .collect();
        // Sessions of agents take the place of calls.
        if let Some(crew) = crew
            && use_cases[0].origins.is_none()
            && matches!(
                use_cases[0].arrivals,
                Arrivals::Poisson { .. } | Arrivals::Constant { .. } | Arrivals::ClosedLoop { .. }
            )
        {
            let pool = use_cases[0].pool;
            let crew = agents::with_pools(crew, pool, pools.len());
            let [first, ..] = &mut use_cases[..] else { unreachable!("there is one") };
            first.lengths = Lengths::Agents(crew);
            (first.thinking, first.session, first.prefix) = (None, None, Vec::new());
            first.origins = agent_trip.map(|ticks| Arc::new(one_place(pool, ticks)));
        }
        for (at, use_case) in use_cases.iter_mut().enumerate() {
            use_case.name = format!("use-case-{at}");
            use_case.prefix.iter_mut().for_each(|segment| segment.owner = at as u16);
        }
        // Others may begin as the first does.
        let (first, others) = use_cases.split_first_mut().unwrap();
        for other in others {
            if let (Some(own), Some(first)) = (other.prefix.first_mut(), first.prefix.first())
                && own.name.is_some()
            {
                *own = first.clone();
            }
        }
        Scenario {
            name: "random".to_string(),
            seed,
            replications: 1,
            stopping: None,
            start: None,
            duration: Some(Span::from_seconds(2.0)),
            regime: if steady { Regime::Steady } else { Regime::Terminating },
            warm_up: WarmUp::Auto,
            sections: if steady { sections } else { 1 },
            pools,
            tool_pools: vec![tool_pool],
            use_cases,
            windows: None,
            warnings: Vec::new(),
        }
    }
}

/// The events and the record of the fast engine are the oracle's.
fn fast_equals_slow(
    scenario: &Scenario,
    warm_up: f64,
    texts: Option<u64>,
) -> Result<(), TestCaseError> {
    let options = Options { warm_up: Span::from_seconds(warm_up), audit: true, part: None };
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
    let (fast, slow) = (format!("{fast:?}"), format!("{slow:?}"));
    if let Some(at) = fast.bytes().zip(slow.bytes()).position(|(fast, slow)| fast != slow) {
        let part = |text: &str| text[at.saturating_sub(200)..text.len().min(at + 100)].to_owned();
        prop_assert!(false, "the records part: {}\nand {}", part(&fast), part(&slow));
    }
    prop_assert_eq!(fast.len(), slow.len());
    Ok(())
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

    /// The same with a random recording, a few sessions of it at a time, beside the other
    /// use cases. Tiers have tests of their own, and their oracle is slow.
    #[test]
    fn replays_are_the_same_step_by_step(mut scenario in scenario(), replay in replays::replay()) {
        scenario.pools.iter_mut().for_each(|pool| pool.offload.clear());
        let (pool, pools) = (scenario.use_cases[0].pool, scenario.pools.len());
        let first = &mut scenario.use_cases[0];
        first.lengths = Lengths::Replayed(replays::with_pools(replay, pool, pools));
        first.arrivals = Arrivals::ClosedLoop { clients: 3, requests: Some(9), think: None };
        (first.thinking, first.session, first.prefix) = (None, None, Vec::new());
        first.origins = None;
        scenario.use_cases.truncate(2);
        let (fast_journal, fast) = run::<Replica>(&scenario, 0.0);
        let (slow_journal, slow) = run::<Oracle>(&scenario, 0.0);
        prop_assert_eq!(fast_journal, slow_journal);
        prop_assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
        let sessions = &fast.whole.use_cases[0].sessions;
        if fast.cut_off.is_none() && scenario.regime == Regime::Terminating {
            prop_assert_eq!(sessions.began, sessions.completed + sessions.aborted);
        }
    }
}
