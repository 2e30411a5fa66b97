//! Agents through the whole program: what a run comes to, what it waits for, how
//! it ends.

use std::path::Path;
use tokenmill::kernel::Span;
use tokenmill::metrics::{AgentRuns, Part, RunRecord};
use tokenmill::scenario::{Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};
use tokenmill::statistics::Interval;
use tokenmill::study::forecast::forecast;
use tokenmill::study::replicate;

/// A scenario of one use case on one GPU with room for everything.
fn scenario(use_case: &str, agents: &str) -> Scenario {
    lasting("", use_case, agents)
}

/// The same with more at the top.
fn lasting(top: &str, use_case: &str, agents: &str) -> Scenario {
    on("", top, use_case, agents)
}

/// The same with more of the pool.
fn on(pool: &str, top: &str, use_case: &str, agents: &str) -> Scenario {
    let text = format!(
        r#"
        name = "agents"
        {top}
        [[pool]]
        name = "p"
        model = "llama-3.1-8b"
        hardware = "b200-sxm"
        engine = {{ max_model_len = 131_072 }}
        {pool}
        [[use_case]]
        name = "u"
        agent = "x"
        {use_case}
        {agents}
        "#
    );
    parse(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap().scenario
}

fn measured(scenario: &Scenario, replication: u64) -> RunRecord {
    run(scenario, replication, Options { warm_up: Span::ZERO, audit: true, ..Options::default() })
}

fn runs(record: &RunRecord, member: usize) -> &AgentRuns {
    &record.whole.use_cases[0].agents[member]
}

fn seconds(runs: &AgentRuns, part: Part) -> f64 {
    runs.whole().ticks[part as usize] as f64 / 1e10
}

const ONE: &str = r#"arrivals = { process = "closed-loop", clients = 1, requests = 1 }"#;

/// A loop of turns hits its own context, all but what is not of a full block.
#[test]
fn a_loop_of_twenty_turns_comes_to_its_closed_form() {
    let agent = r#"
        [[agent]]
        name = "x"
        context = { message_tokens = 20_000 }
        turns = { count = 20, output_tokens = 250 }
        tools = { calls = [1.0], class = [{ name = "t", latency = "2 s", result_tokens = 1_250 }] }
    "#;
    let record = measured(&scenario(ONE, agent), 0);
    let runs = runs(&record, 0);
    let counts = runs.counts;
    assert_eq!((runs.done, counts.calls, counts.turns, counts.tools), (1, 20, 20, 19));
    // Prompts of 16-token blocks, decoded KV kept: 641,104 of 685,000 tokens.
    assert_eq!((counts.prompt_tokens, counts.cached_tokens), (685_000, 641_104));
    assert_eq!(seconds(runs, Part::Tool), 38.0);
    let parts: u128 = runs.whole().ticks.iter().sum();
    assert_eq!(parts, runs.latency.sum(), "parts add up to the latency");
    assert_eq!(runs.by_turn.len(), 20);
}

/// A turn's wait for sub-agents is the path of the last, and stragglers from the
/// first end on.
#[test]
fn waiting_for_sub_agents_takes_over_their_path() {
    let agents = r#"
        [[agent]]
        name = "x"
        context = { message_tokens = 100 }
        turns = { count = 2, output_tokens = 10 }
        children = { probability = 1.0, fan_out = [0.0, 0.0, 1.0], agent = "y", summary_tokens = 50 }
        [[agent]]
        name = "y"
        context = { global_tokens = 320, message_tokens = 10 }
        turns = { count = 2, output_tokens = 5 }
        [agent.tools]
        calls = [1.0]
        class = [{ name = "t", latency = { distribution = "uniform", low = "10 s", high = "20 s" }, result_tokens = 5 }]
    "#;
    let record = measured(&scenario(ONE, agents), 0);
    let (parent, children) = (runs(&record, 0), runs(&record, 1));
    assert_eq!((parent.done, children.done, parent.counts.children), (1, 3, 3));
    assert_eq!(parent.counts.calls, 2 + 3 * 2);
    let tool = seconds(parent, Part::Tool);
    let straggling = seconds(parent, Part::Straggler);
    assert!((10.0..20.0).contains(&tool) && straggling > 0.0, "{tool} {straggling}");
    // The longest wait for a tool, or a little more in the last sub-agent.
    let longest = children.latency.quantile(1.0).unwrap() / 1e10;
    assert!((tool + straggling - longest).abs() < 1.0, "{tool} + {straggling}, {longest}");
    // Siblings that are spawned at once compute what is global to their kind once.
    assert_eq!(children.counts.cached_tokens % 16, 0);
    assert!(children.counts.cached_tokens >= 2 * 320 + 3 * 320);
}

/// `fork` starts with all that the parent has said.
#[test]
fn a_fork_hits_the_context_of_its_parent() {
    let agents = |start: &str| {
        format!(
            r#"
            [[agent]]
            name = "x"
            context = {{ message_tokens = 3_200 }}
            turns = {{ count = 2, output_tokens = 10 }}
            [agent.children]
            probability = 1.0
            fan_out = [0.0, 1.0]
            agent = "y"
            start = "{start}"
            summary_tokens = 50
            [[agent]]
            name = "y"
            context = {{ global_tokens = 320, message_tokens = 10 }}
            turns = {{ count = 1, output_tokens = 5 }}
            "#
        )
    };
    let forked = measured(&scenario(ONE, &agents("fork")), 0);
    let counts = runs(&forked, 1).counts;
    assert_eq!((counts.prompt_tokens, counts.cached_tokens), (2 * 3_220, 2 * 3_200));
    let spawned = measured(&scenario(ONE, &agents("spawn")), 0);
    let counts = runs(&spawned, 1).counts;
    // The second finds what the first, side by side with it, computes.
    assert_eq!((counts.prompt_tokens, counts.cached_tokens), (2 * 330, 320));
}

/// N agents that think and queue for one worker are the machine-repair model.
#[test]
fn tools_on_one_worker_are_the_machine_repair_model() {
    // Model calls take no time to speak of beside the tools.
    let use_case = r#"
        arrivals = { process = "closed-loop", clients = 20 }
        tools = { t = "w" }
    "#;
    let agents = r#"
        [[tool_pool]]
        name = "w"
        workers = 1
        [[agent]]
        name = "x"
        context = { message_tokens = 1 }
        turns = { count = 2, output_tokens = 1 }
        [agent.session]
        runs = 50_000
        gap = { distribution = "exponential", mean = "1_000 s" }
        [agent.tools]
        calls = [1.0]
        class = [{ name = "t", latency = { distribution = "exponential", mean = "100 s" }, result_tokens = 1 }]
        [agent.compaction]
        above_tokens = 1_000
        keep_tokens = 10
        output_tokens = 1
    "#;
    let scenario = lasting("duration = \"3_000_000 s\"", use_case, agents);
    let (mut rates, mut waits) = (Vec::new(), Vec::new());
    for replication in 0..12 {
        let options = Options { warm_up: Span::from_seconds(2e5), ..Options::default() };
        let record = run(&scenario, replication, options);
        let pool = record.whole.tool_pools[0];
        rates.push(100.0 * pool.calls as f64 / pool.window_s);
        let runs = runs(&record, 0);
        let at_tools = seconds(runs, Part::Tool) + seconds(runs, Part::Sandbox);
        waits.push(at_tools / runs.done as f64 / 100.0);
    }
    let close = |values: &[f64], expected: f64| {
        let n = values.len() as f64;
        let mean = values.iter().sum::<f64>() / n;
        let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let error = (variance / n).sqrt();
        assert!((mean - expected).abs() < 4.0 * error, "{mean} +- {error} against {expected}");
        assert!(error < 0.02 * expected, "{error} is too wide to tell");
    };
    close(&rates, 0.998131);
    close(&waits, 10.037451);
}

/// Runs that take too long are given up and counted, sessions with them.
#[test]
fn overload_ends_in_runs_that_are_given_up() {
    let agents = r#"
        [[agent]]
        name = "x"
        context = { message_tokens = 4_000 }
        turns = { count = 8, output_tokens = 400 }
        tools = { calls = [1.0], class = [{ name = "t", latency = "1 s", result_tokens = 2_000 }] }
        limits = { patience = "60 s", timeout = "20 s", retries = 3, deadline = "8 s" }
    "#;
    let use_case = r#"arrivals = { process = "poisson", rate = "30 /s" }"#;
    let top = "duration = \"200 s\"\nregime = \"terminating\"";
    let scenario = lasting(top, use_case, agents);
    let record = measured(&scenario, 0);
    let runs = runs(&record, 0);
    let sessions = record.whole.use_cases[0].sessions;
    assert!(runs.abandoned + runs.failed > 100, "{} {}", runs.abandoned, runs.failed);
    assert!(runs.in_time <= runs.done);
    assert_eq!(sessions.began, runs.ended());
    assert_eq!(sessions.began, sessions.completed + sessions.aborted);
    assert_eq!(record.cut_off, None);
}

/// Tools that fail repeat their turn; what is repeated too often ends the run.
#[test]
fn failures_are_repeated_up_to_a_limit() {
    let agents = |retries: u32| {
        format!(
            r#"
            [[agent]]
            name = "x"
            context = {{ message_tokens = 100 }}
            turns = {{ count = 5, output_tokens = 10 }}
            limits = {{ retries = {retries} }}
            [agent.tools]
            calls = [1.0]
            failure = 0.3
            class = [{{ name = "t", latency = "10 ms", result_tokens = 50 }}]
            "#
        )
    };
    let use_case = r#"arrivals = { process = "closed-loop", clients = 8, requests = 2_000 }"#;
    let record = measured(&scenario(use_case, &agents(1_000)), 0);
    let all = runs(&record, 0);
    assert_eq!((all.done, all.failed), (2_000, 0));
    // Each of four turns is repeated .3 / .7 times in the mean.
    let repeated = all.counts.retries as f64 / 2_000.0;
    assert!((repeated - 4.0 * 0.3 / 0.7).abs() < 0.15, "{repeated}");
    assert_eq!(all.counts.calls, all.counts.turns + all.counts.retries);
    let record = measured(&scenario(use_case, &agents(0)), 0);
    let some = runs(&record, 0);
    let share = some.failed as f64 / 2_000.0;
    assert!((share - (1.0 - 0.7f64.powi(4))).abs() < 0.045, "{share}");
}

/// Compaction is an extra call, after which the session's own context is new.
#[test]
fn a_compaction_costs_a_call_and_the_cache_behind_the_prefix() {
    let agents = r#"
        [[agent]]
        name = "x"
        context = { global_tokens = 1_600, message_tokens = 400 }
        turns = { count = 12, output_tokens = 100 }
        tools = { calls = [1.0], class = [{ name = "t", latency = "1 s", result_tokens = 900 }] }
        compaction = { above_tokens = 8_000, keep_tokens = 400, output_tokens = 300 }
    "#;
    let record = measured(&scenario(ONE, agents), 0);
    let runs = runs(&record, 0);
    let counts = runs.counts;
    // 2,000 + 7 x 1,000 is beyond 8,000; so it is once more five turns later.
    assert_eq!((counts.turns, counts.compactions, counts.calls), (12, 1, 13));
    assert_eq!(counts.output_tokens, 12 * 100 + 300);
}

/// Half of the round trip passes before a call is at its pool, half after its last token.
#[test]
fn every_call_of_a_run_takes_its_round_trip() {
    let agents = r#"
        [[agent]]
        name = "x"
        context = { message_tokens = 400 }
        turns = { count = 6, output_tokens = 40 }
        [agent.children]
        probability = 1.0
        fan_out = [1.0]
        agent = "y"
        order = "sequence"
        summary_tokens = 9
        [[agent]]
        name = "y"
        context = { message_tokens = 50 }
        turns = { count = 2, output_tokens = 8 }
    "#;
    let told = |line: &str| {
        let record = measured(&scenario(&format!("{ONE}\n{line}"), agents), 0);
        let runs = runs(&record, 0);
        (runs.counts, runs.whole().ticks, runs.latency.sum())
    };
    let (counts, here, at_once) = told("");
    let (same, there, far) = told("round_trip = \"33 ms\"");
    assert_eq!(counts, same);
    // Six turns, and two of a sub-agent after each but the last.
    let trips = (6 + 5 * 2) * 330_000_000;
    let network = Part::Network as usize;
    assert_eq!((here[network], there[network]), (0, trips));
    assert_eq!((here[..network].to_vec(), at_once + trips), (there[..network].to_vec(), far));
}

/// A prompt that is too long is refused at the pool, and its agent hears of it half a
/// way later; a call may also be called off on its way there or back.
#[test]
fn calls_end_badly_on_the_network_too() {
    let agents = |message: u32, limits: &str| {
        format!(
            r#"
            [[agent]]
            name = "x"
            context = {{ message_tokens = {message} }}
            turns = {{ count = 2, output_tokens = 10 }}
            limits = {{ {limits} }}
            "#
        )
    };
    let told = |message: u32, limits: &str| {
        let use_case = format!("{ONE}\nround_trip = \"10 s\"");
        let record = measured(&scenario(&use_case, &agents(message, limits)), 0);
        let runs = runs(&record, 0);
        (runs.done, runs.failed, record.calls, record.end_s)
    };
    assert_eq!(told(200_000, "retries = 3"), (0, 1, 1, 10.0));
    // Called off on the way there: each is served for nobody, since the pool hears of it
    // 2 s after the call itself. The last was sent at 6 s.
    let (done, failed, calls, end_s) = told(100, "retries = 3, timeout = \"2 s\"");
    assert_eq!((done, failed, calls, end_s), (0, 1, 4, 13.0));
    // Called off on the way back.
    let (done, failed, calls, end_s) = told(100, "retries = 1, timeout = \"9 s\"");
    assert_eq!((done, failed, calls), (0, 1, 2));
    assert!((18.0..19.5).contains(&end_s), "{end_s}");
    assert_eq!(told(100, "retries = 0, timeout = \"11 s\"").0, 1);
}

/// Where nobody is in anybody's way, a millisecond more a call is as many milliseconds
/// as there are calls on the path, to the tick, however many are added.
#[test]
fn a_millisecond_a_call_is_one_for_each_call_on_the_path() {
    const MS: u128 = 10_000_000;
    let agents = r#"
        [[agent]]
        name = "x"
        context = { message_tokens = { distribution = "exponential", mean = 900 } }
        turns = { count = { distribution = "uniform", low = 1, high = 30 }, output_tokens = 80 }
        thinking = { probability = 0.3, tokens = 90 }
        limits = { retries = 50 }
        [agent.tools]
        calls = [0.5, 0.5]
        failure = 0.1
        class = [{ name = "t", latency = { distribution = "exponential", mean = "1 s" }, result_tokens = 700 }]
    "#;
    let at = |trip_ms: u128| {
        let use_case = format!(
            "arrivals = {{ process = \"closed-loop\", clients = 1, requests = 60 }}\n\
             round_trip = \"{trip_ms} ms\""
        );
        let record = measured(&scenario(&use_case, agents), 0);
        let runs = runs(&record, 0);
        let median = runs.latency.quantile(0.5).unwrap();
        (runs.latency.sum(), runs.whole().ticks[Part::Network as usize], runs.counts.calls, median)
    };
    let (sum, network, calls, median) = at(40);
    assert!(calls > 600, "{calls}");
    assert_eq!(network, 40 * MS * u128::from(calls), "all calls are on the path");
    for more_ms in [1, 50, 400] {
        let (later, .., same_calls, later_median) = at(40 + more_ms);
        assert_eq!((later - sum, same_calls), (more_ms * MS * u128::from(calls), calls));
        let median_calls = (later_median - median) / (more_ms * MS) as f64;
        // Of an even number of runs the median is half way between two.
        assert!(more_ms > 1 || (2.0 * median_calls).fract() == 0.0, "{median_calls}");
    }
}

/// What runs cost is what the factory costs, if nobody else uses it.
#[test]
fn the_cost_of_runs_adds_up_to_that_of_the_factory() {
    let text = r#"
        name = "outcomes"
        replications = 3
        [[pool]]
        name = "large"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        replicas = 2
        [[pool]]
        name = "small"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[tool_pool]]
        name = "w"
        workers = 3
        start_up = "100 ms"
        price = "$2.40/h"
        power = "500 W"
        [[use_case]]
        name = "u"
        agent = "x"
        pool = "large"
        pools = { y = "small" }
        tools = { t = "w" }
        arrivals = { process = "closed-loop", clients = 6, requests = 40 }
        [[agent]]
        name = "x"
        context = { message_tokens = { distribution = "exponential", mean = 300 } }
        turns = { count = 3, output_tokens = 60 }
        children = { probability = 0.7, fan_out = [0.0, 1.0], agent = "y", summary_tokens = 50 }
        limits = { deadline = "16 s" }
        [agent.tools]
        calls = [0.5, 0.5]
        class = [{ name = "t", latency = { distribution = "exponential", mean = "3 s" }, result_tokens = 90 }]
        [[agent]]
        name = "y"
        context = { message_tokens = 50 }
        turns = { count = 2, output_tokens = 30 }
    "#;
    let scenario = parse(text, "s.toml", Path::new(""), &Overrides::default()).unwrap().scenario;
    let summary = replicate(&scenario, false, |_| {}).summary;
    let [x, y] = ["x", "y"].map(|name| &summary.use_cases["u"].agents[name]);
    let mean = |figure: &Option<Interval>| figure.as_ref().unwrap().mean;
    let near = |found: f64, expected: f64| {
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    };
    let (runs, seconds) = (x.runs as f64, 3.0 * summary.measured_s);
    let usd_per_s = (mean(&summary.total.usd_per_hour) + 3.0 * 2.4) / 3600.0;
    near(mean(&x.usd_per_run) * runs, usd_per_s * seconds);
    let watts = mean(&summary.total.mean_mw) * 1e6 + 3.0 * 500.0;
    near(mean(&x.joules_per_run) * runs, watts * seconds);
    let in_time = mean(&x.success_fraction);
    assert!((0.1..0.9).contains(&in_time), "{in_time}");
    near(mean(&x.usd_per_success) * in_time, mean(&x.usd_per_run));
    near(mean(&x.joules_per_success) * in_time, mean(&x.joules_per_run));
    // The helpers are all that the small pool serves; they use no tools.
    let small_s = scenario.pools[1].gpu_hour.usd.unwrap() / 3600.0 * seconds;
    near(mean(&y.usd_per_run) * y.runs as f64, small_s);
    // Calls of the use case are all that both pools serve; they pay for no workers.
    let use_case = &summary.use_cases["u"];
    let pools_s = mean(&summary.total.usd_per_hour) / 3600.0 * seconds;
    near(mean(&use_case.usd_per_call) * use_case.calls as f64, pools_s);
}

/// What the calls of all use cases cost is what the pools cost, wherever sub-agents run
/// and whoever else is there.
#[test]
fn use_cases_pay_for_the_pools_that_they_call_on() {
    let text = r#"
        name = "shared"
        replications = 2
        [[pool]]
        name = "large"
        model = "llama-3.1-70b"
        hardware = "h200-sxm"
        tensor_parallel = 4
        [[pool]]
        name = "small"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[pool]]
        name = "idle"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [[use_case]]
        name = "agents"
        agent = "x"
        pool = "large"
        pools = { y = "small" }
        arrivals = { process = "closed-loop", clients = 4, requests = 30 }
        [[use_case]]
        name = "calls"
        pool = "small"
        arrivals = { process = "closed-loop", clients = 2, requests = 50 }
        prompt_tokens = 700
        output_tokens = 40
        [[agent]]
        name = "x"
        context = { message_tokens = { distribution = "exponential", mean = 300 } }
        turns = { count = 3, output_tokens = 60 }
        children = { probability = 0.7, fan_out = [1.0], agent = "y", summary_tokens = 50 }
        [[agent]]
        name = "y"
        context = { message_tokens = 50 }
        turns = { count = 2, output_tokens = 30 }
    "#;
    let scenario = parse(text, "s.toml", Path::new(""), &Overrides::default()).unwrap().scenario;
    let summary = replicate(&scenario, false, |_| {}).summary;
    let usd = |name: &str| {
        let use_case = &summary.use_cases[name];
        use_case.usd_per_call.as_ref().unwrap().mean * use_case.calls as f64
    };
    let pool_usd = |at: usize| {
        let pool = &scenario.pools[at];
        let usd_per_s = pool.gpu_hour.usd.unwrap() * f64::from(pool.parallelism.tensor) / 3600.0;
        usd_per_s * summary.measured_s * 2.0
    };
    // Nobody pays for the pool that nobody calls on.
    let (found, expected) = (usd("agents") + usd("calls"), pool_usd(0) + pool_usd(1));
    assert!((found / expected - 1.0).abs() < 1e-9, "{found} {expected}");
    // The large pool serves agents alone, and they have a part of the small one.
    assert!(usd("agents") > pool_usd(0) && usd("calls") < pool_usd(1));
}

/// A run that is alone takes what it would take alone: calls, tools with their
/// start-up, helpers one after the other, round trips, prompts of several chunks.
#[test]
fn nothing_is_amplified_where_nobody_waits() {
    let agents = |clients: u32| {
        let text = format!(
            r#"
            name = "alone"
            [[pool]]
            name = "p"
            model = "gpt-oss-120b"
            hardware = "h100-sxm"
            tensor_parallel = 4
            engine = {{ max_num_batched_tokens = 512 }}
            [[tool_pool]]
            name = "w"
            workers = 1
            start_up = "300 ms"
            [[use_case]]
            name = "u"
            agent = "x"
            tools = {{ t = "w" }}
            round_trip = "20 ms"
            arrivals = {{ process = "closed-loop", clients = {clients}, requests = 20 }}
            [[agent]]
            name = "x"
            session = {{ runs = 2, gap = "1 s" }}
            context = {{ message_tokens = {{ distribution = "exponential", mean = 900 }} }}
            turns = {{ count = 5, output_tokens = 300 }}
            thinking = {{ probability = 0.5, tokens = 90 }}
            limits = {{ retries = 50 }}
            compaction = {{ above_tokens = 6_000, keep_tokens = 100, output_tokens = 80 }}
            [agent.tools]
            calls = [1.0]
            failure = 0.1
            class = [{{ name = "t", latency = {{ distribution = "exponential", mean = "1 s" }}, result_tokens = 700 }}]
            [agent.children]
            probability = 0.5
            fan_out = [0.5, 0.5]
            order = "sequence"
            start = "spawn"
            agent = "y"
            summary_tokens = 50
            [[agent]]
            name = "y"
            context = {{ message_tokens = 200 }}
            turns = {{ count = 2, output_tokens = 30 }}
            "#
        );
        let scenario = parse(&text, "s.toml", Path::new(""), &Overrides::default());
        measured(&scenario.unwrap().scenario, 1)
    };
    let alone = agents(1);
    let amplified = |record: &RunRecord| {
        let runs = runs(record, 0);
        assert_eq!(runs.done, 40);
        runs.latency.sum() as f64 / runs.alone_ticks as f64
    };
    let found = amplified(&alone);
    assert!((found - 1.0).abs() < 1e-6, "{found}");
    // The second clock does not hear of others.
    let crowded = agents(10);
    let found = amplified(&crowded);
    assert!(found > 1.5, "{found}");
    let [one, ten] = [&alone, &crowded].map(|record| runs(record, 0).alone_ticks as f64);
    assert!((one / ten - 1.0).abs() < 1e-6, "{one} {ten}");
}

/// An arm that changes what tools take leaves what agents say alone.
#[test]
fn arms_see_the_same_agents() {
    let agents = |latency: &str| {
        format!(
            r#"
            [[agent]]
            name = "coding-agent"
            base = "coding-agent"
            [[agent]]
            name = "x"
            base = "coding-agent"
            [agent.tools]
            calls = [0.82, 0.12, 0.06]
            class = [{{ name = "shell", latency = {latency}, result_tokens = 400 }}]
            "#
        )
    };
    let use_case = r#"arrivals = { process = "closed-loop", clients = 3, requests = 12 }"#;
    let counts = |latency: &str| {
        let record = measured(&scenario(use_case, &agents(latency)), 0);
        let counts = runs(&record, 0).counts;
        (counts.calls, counts.prompt_tokens, counts.output_tokens, counts.tools, counts.children)
    };
    assert_eq!(counts("\"1 s\""), counts("\"9 s\""));
}

/// Agents on two replicas that keep conversations together hit as if there were one:
/// what each said, compaction apart, lies where its next call goes. Forks go where
/// their parents are, whose context they share.
#[test]
fn a_conversation_stays_on_its_replica() {
    let agent = |start: &str| {
        format!(
            r#"
        [[agent]]
        name = "x"
        context = {{ message_tokens = 2_000 }}
        turns = {{ count = 6, output_tokens = 100 }}
        tools = {{ calls = [1.0], class = [{{ name = "t", latency = "2 s", result_tokens = 400 }}] }}
        children = {{ probability = 0.3, fan_out = [1], agent = "y", start = "{start}", summary_tokens = 50 }}
        [[agent]]
        name = "y"
        context = {{ message_tokens = 200 }}
        turns = {{ count = 4, output_tokens = 100 }}
        "#
        )
    };
    let hits = |router: &str, replicas: u32, start: &str| {
        let pool = format!("replicas = {replicas}\n router = {{ policy = \"{router}\" }}");
        let top = "duration = \"10 min\"\nregime = \"terminating\"";
        let arrivals = r#"arrivals = { process = "poisson", rate = "0.5 /s" }"#;
        let record = measured(&on(&pool, top, arrivals, &agent(start)), 0);
        let pool = &record.whole.pools[0];
        (pool.cached_tokens, pool.input_tokens)
    };
    for start in ["spawn", "fork"] {
        let one = hits("session-affinity", 1, start);
        assert_eq!(hits("session-affinity", 2, start), one, "{start}");
        let scattered = hits("round-robin", 2, start);
        assert!(scattered.0 < one.0 * 9 / 10, "{start}: {scattered:?} {one:?}");
    }
}

/// A crowd of agents with helpers and tools that fail now and then.
fn crowd(top: &str, arrivals: &str, limits: &str) -> RunRecord {
    let agents = format!(
        r#"
        [[agent]]
        name = "x"
        context = {{ message_tokens = 4_000 }}
        turns = {{ count = 8, output_tokens = 400 }}
        children = {{ probability = 0.2, fan_out = [0.5, 0.5], agent = "y", summary_tokens = 50 }}
        limits = {{ {limits} }}
        [agent.tools]
        calls = [1.0]
        failure = 0.05
        class = [{{ name = "t", latency = "1 s", result_tokens = 2_000 }}]
        [[agent]]
        name = "y"
        context = {{ message_tokens = 2_000 }}
        turns = {{ count = 2, output_tokens = 200 }}
        "#
    );
    measured(&lasting(top, &format!("arrivals = {{ {arrivals} }}"), &agents), 0)
}

const PATIENT: &str = "retries = 50";
const IMPATIENT: &str = r#"patience = "60 s", timeout = "20 s", retries = 3, deadline = "30 s""#;

/// Most calls that the pool had at any time that was looked at.
fn most_calls(record: &RunRecord) -> u32 {
    let points = record.timeline.pool(0).iter();
    points.map(|point| point.running + point.waiting).max().expect("the run was looked at")
}

/// In a closed loop the next call exists only when the last has been answered: ten
/// times the agents ask for no more than is served, and wait.
#[test]
fn in_a_closed_loop_slow_serving_slows_demand() {
    let clients = |clients: u32| {
        let arrivals = format!("process = \"closed-loop\", clients = {clients}");
        let record = crowd("duration = \"300 s\"\nregime = \"terminating\"", &arrivals, PATIENT);
        // An agent waits for one call, or for those of at most two helpers.
        assert!(most_calls(&record) <= 2 * clients, "{}", most_calls(&record));
        let runs = runs(&record, 0);
        assert_eq!((runs.failed, runs.abandoned, record.cut_off), (0, 0, None));
        let began = record.whole.use_cases[0].sessions.began;
        assert_eq!(began, runs.done);
        (began, runs.latency.mean().expect("runs ended") / 1e10)
    };
    let [few, many] = [clients(40), clients(400)];
    assert!(many.1 > 5.0 * few.1, "{} s against {} s", many.1, few.1);
    // In five minutes the few begin a run after the other, the many their first.
    assert!(few.0 >= 4 * 40 && many.0 == 400, "{} and {} sessions", few.0, many.0);
}

/// Ten times what the pool can serve: users give up and are counted, and neither
/// agents nor calls pile up beyond what patience and retries allow.
#[test]
fn ten_times_the_load_does_not_spiral() {
    let served = |clients: u32| {
        let arrivals = format!("process = \"closed-loop\", clients = {clients}");
        let record = crowd("duration = \"300 s\"\nwarm_up = \"0 s\"", &arrivals, PATIENT);
        runs(&record, 0).done as f64 / record.whole.window_s
    };
    let capacity = [20, 40, 80].map(served).into_iter().fold(0.0, f64::max);
    let open = |load: f64, top: &str| {
        let arrivals = format!("process = \"poisson\", rate = \"{:.4} /s\"", load * capacity);
        crowd(top, &arrivals, IMPATIENT)
    };
    let episode = |seconds: u32| {
        let record = open(10.0, &format!("duration = \"{seconds} s\"\nregime = \"terminating\""));
        let (runs, sessions) = (runs(&record, 0), record.whole.use_cases[0].sessions);
        // All that began has ended, by its rules.
        assert_eq!(record.cut_off, None);
        assert_eq!(sessions.began, runs.ended());
        assert_eq!(sessions.began, sessions.completed + sessions.aborted);
        assert!(runs.failed + runs.abandoned > runs.ended() / 2, "{}", runs.abandoned);
        assert!(runs.in_time <= runs.done);
        record
    };
    let light = open(0.2, "duration = \"300 s\"\nregime = \"terminating\"");
    let calls_a_session =
        |record: &RunRecord| record.calls as f64 / record.whole.use_cases[0].sessions.began as f64;
    let [short, long] = [100, 400].map(episode);
    // Repeated calls do not multiply: a session that is not served asks less often than
    // one that is, however long the overload lasts.
    for record in [&short, &long] {
        assert!(calls_a_session(record) < calls_a_session(&light));
    }
    // Who is there at any time began within the last minute.
    let record = open(10.0, "duration = \"400 s\"\nwarm_up = \"0 s\"\nsections = 10");
    let mut live = 0;
    let in_a_minute = 60.0 * 10.0 * capacity;
    for section in &record.sections {
        let sessions = section.use_cases[0].sessions;
        live += sessions.began;
        live -= sessions.completed + sessions.aborted;
        assert!((live as f64) < in_a_minute + 4.0 * in_a_minute.sqrt(), "{live} of {in_a_minute}");
    }
    assert_eq!(record.sections.len(), 10);
}

/// A recording of calls may tell when sessions of agents begin, whatever its lengths.
#[test]
fn sessions_begin_at_the_instants_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let rows = "t,p,o\n0,100,10\n7,200,20\n7,300,30\n40,400,40\n";
    std::fs::write(folder.path().join("t.csv"), rows).unwrap();
    let text = r#"
        name = "agents"
        [[pool]]
        name = "p"
        model = "llama-3.1-8b"
        hardware = "b200-sxm"
        [[use_case]]
        name = "u"
        agent = "x"
        [use_case.trace]
        path = "t.csv"
        format = "csv"
        columns = { time = "t", prompt_tokens = "p", output_tokens = "o" }
        time_unit = "s"
        [[agent]]
        name = "x"
        context = { message_tokens = 700 }
        turns = { count = 3, output_tokens = 20 }
        tools = { calls = [1.0], class = [{ name = "t", latency = "10 s", result_tokens = 50 }] }
    "#;
    let scenario = parse(text, "s.toml", folder.path(), &Overrides::default()).unwrap().scenario;
    let record = measured(&scenario, 0);
    let use_case = &record.whole.use_cases[0];
    assert_eq!((use_case.sessions.began, use_case.sessions.completed), (4, 4));
    assert_eq!(runs(&record, 0).counts.prompt_tokens, 4 * (700 + 770 + 840));
    // The last begins 40 seconds after the first, and has two tools.
    assert!((60.0..62.0).contains(&record.end_s), "{}", record.end_s);
    let figures = forecast(&scenario).total.unwrap();
    assert_eq!(figures.calls.mean, 12.0);
}

/// So it may of recorded sessions, which begin in the order of their file, and then again.
#[test]
fn recorded_sessions_begin_at_the_instants_of_a_trace() {
    let folder = tempfile::tempdir().unwrap();
    let session = |calls: usize| {
        let call =
            r#"{"t": 0, "in": 80, "out": 9, "hash_ids": [1], "think_time": 1, "stop": "tool_use"}"#;
        format!("{{\"block_size\": 64, \"requests\": [{}]}}\n", vec![call; calls].join(", "))
    };
    std::fs::write(folder.path().join("s.jsonl"), session(1) + &session(3)).unwrap();
    let record = |rows: &str| {
        std::fs::write(folder.path().join("t.csv"), format!("t,p,o\n{rows}")).unwrap();
        let text = r#"
            name = "recorded"
            [[pool]]
            name = "p"
            model = "llama-3.1-8b"
            hardware = "b200-sxm"
            [[use_case]]
            name = "u"
            replay = { path = "s.jsonl" }
            [use_case.trace]
            path = "t.csv"
            format = "csv"
            columns = { time = "t", prompt_tokens = "p", output_tokens = "o" }
            time_unit = "s"
        "#;
        let loaded = parse(text, "s.toml", folder.path(), &Overrides::default()).unwrap();
        let figures = forecast(&loaded.scenario).total.unwrap();
        (measured(&loaded.scenario, 0), figures.calls.mean)
    };
    let (two, expected) = record("0,1,1\n30,1,1\n");
    assert_eq!((two.whole.use_cases[0].calls, expected), (4, 4.0));
    assert!((32.0..33.0).contains(&two.end_s), "{}", two.end_s);
    // Of five, three are the first again; the forecast takes the mean of both.
    let (five, expected) = record("0,1,1\n5,1,1\n10,1,1\n15,1,1\n20,1,1\n");
    assert_eq!((five.whole.use_cases[0].calls, expected), (9, 10.0));
    assert_eq!(five.whole.use_cases[0].sessions.completed, 5);
}
