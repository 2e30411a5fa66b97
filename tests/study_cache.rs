//! What docs/study-cache.md says of its two scenarios stays true: a higher hit
//! rate is never slower and never needs more replicas, more memory finds more,
//! and a mean hit rate does not tell the tail.
//!
//! Shorter than on the page, so figures differ from those there; common random
//! numbers keep their order.

use std::path::Path;
use tokenmill::scenario::{Loaded, Overrides, Variants, open_file};
use tokenmill::study::seek::{OverPlan, SeekAt, seek_over};
use tokenmill::study::{Summary, UseCaseSummary, replicate};

const WHAT_IF: &str = "cache-what-if.toml";
const TIERS: &str = "cache-tiers.toml";

fn opened(name: &str, set: &[String]) -> (Loaded, Variants) {
    // Pauses of half a minute at most: sessions are over, and others under way, in time.
    let short = [
        "duration=14 min",
        "warm_up=5 min",
        "replications=2",
        "use_case.coding-agent.session.think={ distribution = \"lognormal\", median = \"1 s\", sigma = 2.0, max = \"30 s\" }",
    ]
    .map(str::to_owned);
    let set = short.iter().chain(set).cloned().collect();
    let overrides = Overrides { set, ..Overrides::default() };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios").join(name);
    open_file(&path, &overrides).unwrap_or_else(|error| panic!("{error}"))
}

fn run(name: &str, set: &[String]) -> Summary {
    let summary = replicate(&opened(name, set).0.scenario, false, |_| {}).summary;
    let pool = &summary.pools["agents"];
    assert_eq!(pool.stable, Some(true), "{set:?}: {:?}", pool.doubt);
    summary
}

fn p95(use_case: &UseCaseSummary) -> f64 {
    use_case.ttft_s.p95.expect("calls were measured").mean
}

#[test]
fn both_scenarios_have_the_same_calls() {
    let use_cases = [WHAT_IF, TIERS].map(|name| {
        let mut use_cases = opened(name, &[]).0.scenario.use_cases;
        use_cases.iter_mut().for_each(|use_case| use_case.cache_hit = None);
        format!("{use_cases:?}")
    });
    assert_eq!(use_cases[0], use_cases[1]);
}

#[test]
fn a_higher_hit_rate_is_faster_for_agents_and_for_their_neighbor() {
    let rates = [0.0, 0.5, 0.8, 0.9, 0.99];
    let p95 = rates.map(|rate| {
        let set = [
            format!("use_case.coding-agent.cache_hit={rate}"),
            "use_case.coding-agent.arrivals.rate=0.08 /s".to_owned(),
            "warm_up=12 min".to_owned(),
            "duration=24 min".to_owned(),
        ];
        let summary = run(WHAT_IF, &set);
        ["coding-agent", "chat"].map(|name| p95(&summary.use_cases[name]))
    });
    for use_case in [0, 1] {
        let falling = p95.is_sorted_by(|a, b| a[use_case] > b[use_case]);
        assert!(falling, "{p95:?}");
    }
    // Prefill is what is left of it: a tenth of the prompt takes a tenth of the time.
    let share = p95[3][0] / p95[0][0];
    assert!((0.08..0.14).contains(&share), "{share}");
}

#[test]
fn a_higher_hit_rate_needs_fewer_replicas_and_makes_tokens_cheaper() {
    let set = [
        "seek.over={ \"use_case.coding-agent.cache_hit\" = [0.5, 0.8, 0.9, 0.95] }".to_owned(),
        "seek.to=24".to_owned(),
    ];
    let (loaded, variants) = opened(WHAT_IF, &set);
    let plan = OverPlan::new(&loaded, &variants, loaded.seek.as_ref().unwrap()).unwrap();
    let found = seek_over(&plan, false, |_| {}).unwrap();
    let needed = |at: &SeekAt| {
        let answer = at.seek.answer.expect("some number of replicas is enough").mean;
        let point = at.seek.points.iter().find(|point| point.number == answer).unwrap();
        [answer, point.figures["pools.agents.usd_per_mtok.total"].mean]
    };
    let needed: Vec<[f64; 2]> = found.seeks.iter().map(needed).collect();
    assert!(needed.is_sorted_by(|a, b| a[0] >= b[0] && a[1] >= b[1]), "{needed:?}");
    assert!(needed[0][0] >= 2.5 * needed[2][0], "half against nine tenths: {needed:?}");
}

#[test]
fn more_memory_finds_more_and_a_mean_hit_rate_hides_the_tail() {
    let sized = |hbm: u32, dram: u32| {
        let set = [
            format!("pool.agents.engine.kv_memory={hbm} GB"),
            format!("pool.agents.offload.host-dram.capacity={dram} GB"),
        ];
        run(TIERS, &set)
    };
    // Sessions are young after 4 minutes: all of them fit into the largest size.
    let sizes = [sized(12, 60), sized(20, 60), sized(20, 250)];
    let agents = sizes.each_ref().map(|summary| &summary.use_cases["coding-agent"]);
    let hit = agents.map(|agents| agents.cache_hit_fraction.expect("there is a cache").mean);
    assert!(hit.is_sorted_by(|a, b| a < b), "{hit:?}");
    assert!(p95(agents[2]) < p95(agents[0]), "{:?}", agents.map(p95));
    let given = format!("use_case.coding-agent.cache_hit={}", hit[1]);
    let given = run(TIERS, &[given, "pool.agents.engine.kv_memory=20 GB".to_owned()]);
    let given = &given.use_cases["coding-agent"];
    let p50 = |use_case: &UseCaseSummary| use_case.ttft_s.p50.unwrap().mean;
    assert!(p50(given) > p50(agents[1]) && p95(given) < p95(agents[1]), "{given:?}");
}
