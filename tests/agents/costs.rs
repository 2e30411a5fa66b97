//! What runs cost, and what use cases pay.

use super::*;
use tokenmill::statistics::Interval;
use tokenmill::study::replicate;

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
