//! Tiers below HBM: what they bring, and when they are rightly left alone.

mod common;

use common::load;
use std::path::Path;
use tokenmill::kernel::TICKS_PER_SECOND;
use tokenmill::metrics::{PoolRecord, RunRecord, UseCaseRecord};
use tokenmill::scenario::{Overrides, parse};

fn simulate(text: &str) -> RunRecord {
    common::simulate(&load(text).scenario)
}

fn calls(record: &RunRecord) -> &UseCaseRecord {
    &record.whole.use_cases[0]
}

fn pool(record: &RunRecord) -> &PoolRecord {
    &record.whole.pools[0]
}

/// Two agents in step, each with turns of 1,600 tokens and answers of 17, on
/// `blocks` KV blocks of 16 tokens.
fn two_agents(blocks: u32, turns: u32, offload: &str) -> RunRecord {
    simulate(&format!(
        r#"
        name = "two"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = {{ kv_blocks = {blocks} }}
        {offload}
        [[use_case]]
        name = "agent"
        arrivals = {{ process = "closed-loop", clients = 2, requests = 2 }}
        session = {{ turns = {turns}, think = "10 s" }}
        prompt_tokens = 1600
        output_tokens = 17
        "#
    ))
}

const DRAM: &str = "offload = [{ tier = \"host-dram\" }]";

/// By hand. After a turn each agent has 1,600 + 17 - 1 tokens of KV: 101 blocks,
/// both together 202 of 210. The second turn of the first agent hits its 101 and
/// needs 203, so that 94 of the other's are evicted. Those come back from host
/// memory over PCIe: 94 blocks of 16 x 131,072 bytes at 0.8 x 64 GB/s after 10 us.
#[test]
fn what_was_evicted_comes_back_over_the_link() {
    let record = two_agents(210, 2, DRAM);
    let (calls, tier) = (calls(&record), &pool(&record).tiers[0]);
    let bytes = 94 * 16 * 131_072_u64;
    assert_eq!((calls.calls, tier.hit_tokens, tier.read_bytes), (4, 94 * 16, bytes));
    let seconds = 10e-6 + bytes as f64 / (0.8 * 64e9);
    let ticks = (seconds * TICKS_PER_SECOND as f64).round() as u128;
    assert_eq!(calls.ttft_parts.fetch, ticks);
    // Nothing else could step meanwhile: the GPU waited, and somebody pays for it.
    let held = pool(&record).work.held_s() * TICKS_PER_SECOND as f64;
    assert_eq!(held.round() as u128, ticks);
    assert_eq!(pool(&record).used_s(), pool(&record).busy_s + pool(&record).work.held_s());
    // Both agents hit all of their first turn's blocks, wherever those were.
    assert_eq!(calls.cached_tokens, 2 * 101 * 16);
    assert_eq!(calls.tier_tokens, [94 * 16, 0, 0, 0]);
    // Each block was written once: 202 of the first turns, then what was added.
    let last = (2 * (1600 + 17) - 1) / 16;
    assert_eq!(tier.written_bytes, 2 * last * 16 * 131_072);
    // Without the tier the 94 blocks are computed anew.
    let without = two_agents(210, 2, "");
    assert_eq!(self::calls(&without).cached_tokens, (101 + 7) * 16);
    let (fast, slow) = (&calls.ttft, &self::calls(&without).ttft);
    assert!(fast.mean < slow.mean, "TTFT {} against {}", fast.mean, slow.mean);
}

/// The three parts of TTFT add up to it, to the tick.
#[test]
fn queue_fetch_and_prefill_add_up_to_ttft() {
    let record = simulate(&agents(DRAM));
    let (calls, parts) = (calls(&record), calls(&record).ttft_parts);
    assert!(parts.queue > 0 && parts.fetch > 0 && parts.prefill > 0, "{parts:?}");
    let all = (parts.queue + parts.fetch + parts.prefill) as f64;
    let ttft = calls.ttft.mean * TICKS_PER_SECOND as f64 * calls.calls as f64;
    assert!((all / ttft - 1.0).abs() < 1e-12, "{all} against {ttft}");
    let queue = parts.queue as f64 / TICKS_PER_SECOND as f64 / calls.calls as f64;
    assert!((queue / calls.queue.mean - 1.0).abs() < 1e-12);
    // Each cached token came from somewhere.
    let pool = pool(&record);
    assert!(pool.tiers[0].hit_tokens > 0 && pool.tiers[0].hit_tokens < pool.cached_tokens);
}

/// A dozen agents whose contexts are several times what HBM holds.
fn agents(offload: &str) -> String {
    format!(
        r#"
        name = "agents"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = {{ kv_blocks = 4_000 }}
        {offload}
        [[tier]]
        name = "attic"
        base = "local-nvme"
        transfer = {{ per = "gpu", read_gb_per_s = 0.05, write_gb_per_s = 0.05, latency_us = 100.0 }}
        [[use_case]]
        name = "agent"
        arrivals = {{ process = "closed-loop", clients = 12, requests = 24 }}
        session = {{ turns = 8, think = {{ distribution = "exponential", mean = "10 s" }} }}
        prompt_tokens = 2000
        output_tokens = 100
        "#
    )
}

#[test]
fn host_memory_shortens_ttft_and_a_slow_disk_is_left_alone() {
    let without = simulate(&agents(""));
    let with = simulate(&agents(DRAM));
    let (slow, fast) = (calls(&without).ttft.mean, calls(&with).ttft.mean);
    assert!(fast < 0.5 * slow, "TTFT {fast} s with host memory, {slow} s without");
    // 50 MB/s bring a token in 2.6 ms; computing it takes 0.03 ms.
    let disk = simulate(&agents("offload = [{ tier = \"attic\" }]"));
    let tier = &pool(&disk).tiers[0];
    assert_eq!((tier.hit_tokens, tier.read_bytes, tier.read_s), (0, 0, 0.0));
    assert!(tier.written_bytes > 0, "it was offered blocks all the same");
    assert_eq!(disk.digest, without.digest, "nothing else has changed");
}

/// Host memory that keeps what HBM drops adds to it; written through it repeats
/// what HBM has, and is worth only what it is larger.
#[test]
fn an_exclusive_tier_adds_its_size_to_hbm() {
    let tier = |policy: &str| {
        let tier = "tier = \"host-dram\", capacity = \"8.4 GB\"";
        let record = simulate(&agents(&format!("offload = [{{ {tier}, policy = \"{policy}\" }}]")));
        pool(&record).cached_tokens
    };
    let (none, through, on_evict) =
        (pool(&simulate(&agents(""))).cached_tokens, tier("write-through"), tier("on-evict"));
    assert!(on_evict > through && through >= none, "{on_evict}, {through}, {none}");
}

#[test]
fn tiers_cost_what_they_say_and_a_summary_tells_all() {
    let text = agents("replicas = 2\noffload = [{ tier = \"host-dram\", capacity = \"500 GB\" }]");
    let loaded = load(&text);
    let summary = tokenmill::study::replicate(&loaded.scenario, false, |_| {}).summary;
    let pool = &summary.pools["gpu"];
    let [hbm, dram] = ["hbm", "host-dram"].map(|tier| &pool.tiers[tier]);
    assert_eq!(hbm.capacity_bytes, 2.0 * 4_000.0 * 16.0 * 131_072.0);
    assert_eq!(dram.capacity_bytes, 1e12);
    // 1,000 GB at $13.8 over 4 years.
    let usd = dram.usd_per_hour.unwrap();
    assert!((usd - 1000.0 * 13.8 / (4.0 * 8760.0)).abs() < 1e-9, "{usd}");
    let gpus = 2.0 * 1.17;
    let total = summary.total.usd_per_hour.unwrap().mean;
    assert!((total - gpus - usd).abs() < 1e-9, "{total}");
    let [saved, net] = [dram.saved_usd_per_hour, dram.net_usd_per_hour].map(|i| i.unwrap().mean);
    assert!(saved > 0.0 && (saved - usd - net).abs() < 1e-9, "{saved} less {usd} is not {net}");
    let shares = [hbm.hit_fraction, dram.hit_fraction].map(|share| share.unwrap().mean);
    let all = pool.cache_hit_fraction.unwrap().mean;
    assert!((shares[0] + shares[1] - all).abs() < 1e-12, "{shares:?} and {all}");
    let use_case = &summary.use_cases["agent"];
    // What a use case hits, by tier: a hit is made of whole blocks of 16 tokens.
    let figures = |tier: &str| {
        let hits = &use_case.tiers[tier];
        [hits.hit_fraction, hits.hit_tokens_mean, hits.hit_blocks_mean].map(|i| i.unwrap().mean)
    };
    let [hbm, dram] = ["hbm", "host-dram"].map(figures);
    assert!(hbm[1] > 0.0 && dram[1] > 0.0, "{hbm:?} and {dram:?}");
    let all = use_case.cache_hit_fraction.unwrap().mean;
    assert!((hbm[0] + dram[0] - all).abs() < 1e-12, "{hbm:?} and {dram:?} of {all}");
    for hits in [hbm, dram] {
        assert!((hits[1] / 16.0 - hits[2]).abs() < 1e-9, "{hits:?}");
        let prompt = use_case.prompt_tokens_mean.unwrap().mean;
        assert!((hits[1] / prompt - hits[0]).abs() < 1e-12, "{hits:?}");
    }
    let mean = |of: Option<&tokenmill::study::Mean>| of.unwrap().mean.unwrap().mean;
    let parts = use_case.queue_s.mean.unwrap().mean
        + mean(use_case.fetch_s.as_ref())
        + mean(Some(&use_case.prefill_s));
    assert!((parts / use_case.ttft_s.mean.unwrap().mean - 1.0).abs() < 1e-9);
    assert!(summary.notes.iter().any(|note| note.contains("over 4 years add $0.39 an hour")));
}

#[test]
fn tiers_of_all_kinds_run_together() {
    for scope in ["rank", "replica", "pool", "all"] {
        for policy in ["write-through", "write-back", "on-evict"] {
            let near = format!("tier = \"host-dram\", capacity = \"9 GB\", policy = \"{policy}\"");
            let far = "tier = \"cmx\", capacity = \"90 GB\", policy = \"on-evict\"";
            let offload = format!("offload = [{{ {near}, scope = \"{scope}\" }}, {{ {far} }}]");
            let record = simulate(&agents(&format!("replicas = 2\n{offload}")));
            assert_eq!(calls(&record).calls, 24 * 8, "{scope}, {policy}");
            assert!(pool(&record).tiers[0].hit_tokens > 0, "{scope}, {policy}");
        }
    }
}

/// Two pools, the second as `large` says, that share 100 GB of context memory and
/// a prefix of 3,200 tokens: five calls at `small`, then three at `large`.
fn sharing(large: &str) -> String {
    format!(
        r#"
        name = "sharing"
        duration = "400 s"
        regime = "terminating"
        [[pool]]
        name = "small"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = {{ kv_blocks = 300 }}
        offload = [{{ tier = "cmx", capacity = "100 GB" }}]
        [[pool]]
        name = "large"
        hardware = "h100-sxm"
        offload = [{{ tier = "cmx", capacity = "100 GB" }}]
        {large}
        [[use_case]]
        name = "first"
        pool = "small"
        prefix = [{{ name = "rules", tokens = 3200 }}]
        arrivals = {{ process = "constant", rate = "1 /min" }}
        prompt_tokens = 100
        output_tokens = 10
        [[use_case]]
        name = "second"
        pool = "large"
        prefix = [{{ name = "rules", tokens = 3200 }}]
        arrivals = {{ process = "constant", rate = "0.5 /min" }}
        prompt_tokens = 100
        output_tokens = 10
        "#
    )
}

/// Whatever HBM each pool has, one finds in the shared tier what the other
/// wrote, once: it then has the blocks itself.
#[test]
fn pools_of_different_capacity_find_each_others_blocks_in_the_tier_they_share() {
    let rules = 3_200 / 16 * 16;
    for blocks in [250, 4_000] {
        let large = format!("model = \"llama-3.1-8b\"\nengine = {{ kv_blocks = {blocks} }}");
        let record = simulate(&sharing(&large));
        let [first, second] = [0, 1].map(|at| &record.whole.use_cases[at]);
        assert_eq!((first.calls, second.calls), (6, 3), "{blocks} blocks");
        assert_eq!((first.cached_tokens, first.tier_tokens[0]), (5 * rules, 0));
        assert_eq!((second.cached_tokens, second.tier_tokens[0]), (3 * rules, rules));
        let [small, large] = [0, 1].map(|at| &record.whole.pools[at].tiers[0]);
        assert_eq!((small.read_bytes, large.read_bytes), (0, rules * 131_072));
        // Each writes its own questions; the rules are there when the second comes.
        let own = |calls: u64| calls * (3_300 / 16 * 16 - rules) * 131_072;
        assert_eq!(large.written_bytes, own(second.calls));
        assert_eq!(small.written_bytes, own(first.calls) + rules * 131_072);
    }
}

/// KV blocks of another model, or of another size, are of no use.
#[test]
fn pools_of_other_models_share_a_tier_but_no_blocks() {
    let big = "model = \"llama-3.1-70b\"\nprecision = \"fp8\"\ntensor_parallel = 4";
    let wide = "model = \"llama-3.1-8b\"\nengine = { block_tokens = 32 }";
    for large in [big, wide] {
        let record = simulate(&sharing(large));
        let second = &record.whole.use_cases[1];
        assert_eq!((second.calls, second.tier_tokens[0]), (3, 0), "{large}");
        assert!(second.cached_tokens > 0, "its own blocks are found in its HBM");
    }
    let other = sharing("model = \"llama-3.1-8b\"").replacen("100 GB", "90 GB", 1);
    let error = parse(&other, "s.toml", Path::new("."), &Overrides::default()).unwrap_err();
    let error = error.to_string();
    let place = "s.toml:14: pool.large.offload.cmx.capacity = \"100 GB\": another pool that shares";
    assert!(error.contains(place), "{error}");
}
