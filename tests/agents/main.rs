//! Agents through the whole program: what a run comes to, what it waits for, how
//! it ends.

mod costs;
mod load;
mod traces;

use std::path::Path;
use tokenmill::kernel::Span;
use tokenmill::metrics::{AgentRuns, Part, RunRecord};
use tokenmill::scenario::{Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};

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
