//! A running simulation allocates nothing per event.
//!
//! A counting allocator compares two horizons of one scenario. What the longer
//! one allocates more may only come from vectors that double as they grow (the
//! exact values of each metric, of which there are four a use case) and from
//! the odd new maximum (calls in flight, buckets of a histogram), never from
//! the number of events. An agent's place has lists of its own (its path, tools and
//! sub-agents), each as long as the longest that it ever had.

// The trait of global allocators is unsafe to implement; this one only counts.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::path::Path;
use tokenmill::kernel::Span;
use tokenmill::metrics::RunRecord;
use tokenmill::scenario::{Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};

struct Counting;

thread_local! {
    /// Allocations and reallocations of this thread; tests run side by side.
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.with(|allocations| allocations.set(allocations.get() + 1));
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Allocations of a run that ends its arrivals after `seconds`, and its record.
fn allocations(scenario: &Scenario, seconds: f64) -> (u64, RunRecord) {
    let scenario = Scenario { duration: Some(Span::from_seconds(seconds)), ..scenario.clone() };
    let before = ALLOCATIONS.with(Cell::get);
    let record = run(&scenario, 0, Options::default());
    (ALLOCATIONS.with(Cell::get) - before, record)
}

/// Runs the scenario for `seconds` and for four times as long.
fn compare(text: &str, seconds: f64) -> RunRecord {
    compare_agents(text, seconds, 0)
}

/// The same with up to `agents` agents at once.
fn compare_agents(text: &str, seconds: f64, agents: u64) -> RunRecord {
    let loaded = parse(text, "allocation.toml", Path::new("."), &Overrides::default());
    let scenario = loaded.unwrap_or_else(|error| panic!("{error}")).scenario;
    let (short, warm) = allocations(&scenario, seconds);
    let (long, record) = allocations(&scenario, 4.0 * seconds);
    let extra = long.saturating_sub(short);
    let events = record.events - warm.events;
    println!("{short} allocations, {extra} more in {events} further events");
    // Two doublings of four samples a use case, and some new maxima.
    let growing = 2 * 4 * scenario.use_cases.len() as u64;
    let maxima = 16 + 2 * agents;
    assert!(extra <= growing + maxima, "{extra} allocations in {events} further events");
    assert!(events > 1_000 * (growing + maxima), "{events} events are too few to tell");
    record
}

#[test]
fn a_counting_allocator_counts() {
    let before = ALLOCATIONS.with(Cell::get);
    std::hint::black_box(vec![1u8; 100]);
    assert_eq!(ALLOCATIONS.with(Cell::get) - before, 1);
}

#[test]
fn one_replica_at_a_steady_load() {
    compare(
        r#"
        name = "chat"
        duration = "1 h"
        [[pool]]
        name = "assistant"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[use_case]]
        name = "chat"
        arrivals = { process = "poisson", rate = "14 /s" }
        prompt_tokens = 1000
        output_tokens = 250
        "#,
        600.0,
    );
}

/// Sessions come and go; what they say is written on paper that is used again.
#[test]
fn sessions_behind_shared_prefixes() {
    let record = compare(
        r#"
        name = "sessions"
        duration = "2 h"
        [[pool]]
        name = "assistant"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = { kv_blocks = 4_000 }
        [[use_case]]
        name = "chat"
        arrivals = { process = "poisson", rate = "1 /s" }
        prefix = [
            { tokens = 500 }, { tokens = 200, groups = 20, zipf = 1.0 },
            { tokens = 100, groups = 5 }, { tokens = 50, groups = 2 },
        ]
        session = { turns = 8, think = { distribution = "uniform", low = "1 s", high = "9 s" } }
        prompt_tokens = 100
        output_tokens = 150
        "#,
        1_800.0,
    );
    let chat = &record.whole.use_cases[0];
    assert!(chat.sessions.completed > 1_000 && chat.cached_tokens > chat.prompt_tokens / 2);
}

/// Two pools, one short of KV blocks, one of two ranks in lockstep; an open and
/// a closed loop.
#[test]
fn several_pools_with_preemption_and_a_closed_loop() {
    let record = compare(
        r#"
        name = "mixed"
        duration = "1 h"
        [[pool]]
        name = "tight"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        replicas = 3
        router = { policy = "power-of-two" }
        engine = { kv_blocks = 1_000, reserve_full_prompt = false, max_num_batched_tokens = 2_048 }
        [[pool]]
        name = "experts"
        model = "qwen3-30b-a3b"
        hardware = "h100-sxm"
        replicas = 2
        data_parallel = 2
        expert_parallel = 2
        [[use_case]]
        name = "chat"
        pool = "tight"
        arrivals = { process = "poisson", rate = "15 /s" }
        prompt_tokens = { distribution = "lognormal", median = 700, sigma = 0.8, max = 8_000 }
        output_tokens = { distribution = "lognormal", median = 190, sigma = 0.7, max = 2_000 }
        [[use_case]]
        name = "loop"
        pool = "experts"
        arrivals = { process = "closed-loop", clients = 64, think = { distribution = "exponential", mean = "2 s" } }
        prompt_tokens = { distribution = "uniform", low = 50, high = 3_000 }
        output_tokens = { distribution = "exponential", mean = 150 }
        "#,
        600.0,
    );
    assert!(
        record.whole.pools[0].preemptions > 1_000,
        "{} preemptions",
        record.whole.pools[0].preemptions
    );
    assert!(record.whole.use_cases.iter().all(|use_case| use_case.calls > 20_000));
}

/// Agents with tools on workers, sub-agents, thinking, compaction, repeated turns and
/// users who give up; on two replicas that are short of blocks.
#[test]
fn agents_with_tools_and_sub_agents() {
    let record = compare_agents(
        r#"
        name = "agents"
        duration = "2 h"
        [[pool]]
        name = "coder"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        replicas = 2
        router = { policy = "session-affinity" }
        engine = { kv_blocks = 8_000 }
        [[tool_pool]]
        name = "w"
        workers = 12
        start_up = "50 ms"
        [[use_case]]
        name = "u"
        agent = "x"
        tools = { t = "w" }
        round_trip = "20 ms"
        arrivals = { process = "closed-loop", clients = 60 }
        [[agent]]
        name = "x"
        session = { runs = 2, gap = { distribution = "exponential", mean = "5 s" } }
        context = { global_tokens = 2_000, group_tokens = 500, groups = 20, message_tokens = 300 }
        turns = { count = { distribution = "uniform", low = 1, high = 12 }, output_tokens = 60 }
        thinking = { probability = 0.3, tokens = 90 }
        limits = { retries = 2, timeout = "15 s", patience = "20 s", deadline = "15 s" }
        compaction = { above_tokens = 8_000, keep_tokens = 400, output_tokens = 100 }
        [agent.tools]
        calls = [0.5, 0.5]
        failure = 0.05
        class = [{ name = "t", latency = { distribution = "exponential", mean = "0.4 s" }, result_tokens = 500 }]
        [agent.children]
        probability = 0.1
        fan_out = [0.5, 0.5]
        agent = "y"
        start = "fork"
        summary_tokens = 50
        [[agent]]
        name = "y"
        context = { message_tokens = 200 }
        turns = { count = 3, output_tokens = 40 }
        "#,
        900.0,
        60,
    );
    let [x, y] = [0, 1].map(|member| &record.whole.use_cases[0].agents[member]);
    assert!(x.done > 2_500 && y.done > 500, "{} and {} runs", x.done, y.done);
    assert!(x.failed > 0 && x.abandoned > 0, "{} failed, {} abandoned", x.failed, x.abandoned);
    assert!(x.counts.compactions > 0 && x.counts.retries > 0 && x.counts.thinking_tokens > 0);
    assert!(record.whole.pools[0].cached_tokens > record.whole.pools[0].input_tokens / 2);
}
