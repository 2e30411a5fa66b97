//! Agents on a factory that nobody else uses, against closed forms: what loops,
//! forks, workers and a cache that forgets make of random parts.
//!
//! Laws with a mean or a median of 1 are taken in units of 1,000 s, so that model
//! calls, some 10 ms each, take no time to speak of beside them. A figure passes when
//! the exact value lies within four standard errors of what runs came to, and these
//! are small enough to tell.

use rayon::prelude::*;
use statrs::distribution::{Continuous, ContinuousCDF, Normal};
use std::path::Path;
use tokenmill::kernel::Span;
use tokenmill::metrics::{AgentRuns, Part, RunRecord};
use tokenmill::scenario::{Overrides, parse};
use tokenmill::simulation::{Options, run};
use tokenmill::statistics::quantile;

/// Ticks of the unit of time of these tests.
const UNIT: f64 = 1e13;

const EXPONENTIAL: &str = r#"{ distribution = "exponential", mean = "1_000 s" }"#;
const WEIBULL: &str = r#"{ distribution = "weibull", shape = 0.5, mean = "1_000 s" }"#;

fn lognormal(median: f64, sigma: f64) -> String {
    let median = 1e3 * median;
    format!(r#"{{ distribution = "lognormal", median = "{median} s", sigma = {sigma} }}"#)
}

/// `sessions` of agent x on one GPU, `clients` at a time, with more of the pool and of
/// the use case.
fn simulate(
    [clients, sessions]: [u32; 2],
    [pool, use_case]: [&str; 2],
    agents: &str,
    seed: u64,
) -> RunRecord {
    let text = format!(
        r#"
        name = "closed-forms"
        seed = {seed}
        [[pool]]
        name = "p"
        model = "llama-3.1-8b"
        hardware = "b200-sxm"
        {pool}
        [[use_case]]
        name = "u"
        agent = "x"
        arrivals = {{ process = "closed-loop", clients = {clients}, requests = {sessions} }}
        {use_case}
        {agents}
        "#
    );
    let scenario = parse(&text, "s.toml", Path::new(""), &Overrides::default());
    let scenario = scenario.unwrap_or_else(|error| panic!("{error}")).scenario;
    run(&scenario, 0, Options { warm_up: Span::ZERO, ..Options::default() })
}

/// An agent whose turns, but the last, wait for tools of one class.
fn waiting(name: &str, turns: &str, calls: &str, latency: &str) -> String {
    format!(
        r#"
        [[agent]]
        name = "{name}"
        context = {{ message_tokens = 1 }}
        turns = {{ count = {turns}, output_tokens = 1 }}
        tools = {{ calls = {calls}, class = [{{ name = "t", latency = {latency}, result_tokens = 1 }}] }}
        "#
    )
}

/// Chances of 1, 2, ... that leave `count` alone.
fn always(count: usize) -> String {
    let mut chances = vec![0.0; count];
    chances[count - 1] = 1.0;
    format!("{chances:?}")
}

/// An agent that starts `count` sub-agents, each of which waits for one tool.
fn forking(count: usize, join: &str, latency: &str) -> String {
    format!(
        r#"
        [[agent]]
        name = "x"
        context = {{ message_tokens = 1 }}
        turns = {{ count = 2, output_tokens = 1 }}
        [agent.children]
        probability = 1.0
        fan_out = {}
        agent = "y"
        join = {join}
        summary_tokens = 1
        {}
        "#,
        always(count),
        waiting("y", "2", "[1.0]", latency)
    )
}

fn runs(record: &RunRecord) -> &AgentRuns {
    &record.whole.use_cases[0].agents[0]
}

/// What each run took, ascending.
fn latencies(runs: &AgentRuns) -> Vec<f64> {
    assert!(runs.latency.is_exact(), "quantiles are order statistics");
    let last = (runs.done - 1) as f64;
    let fractions: Vec<f64> = (0..runs.done).map(|at| at as f64 / last).collect();
    let ticks = runs.latency.clone().quantiles(&fractions).expect("runs ended");
    ticks.iter().map(|ticks| ticks / UNIT).collect()
}

/// What runs took.
struct Moments {
    mean: f64,
    variance: f64,
    /// Standard errors of the mean and of the variance.
    errors: [f64; 2],
}

impl Moments {
    fn of(latencies: &[f64]) -> Moments {
        let n = latencies.len() as f64;
        let mean = latencies.iter().sum::<f64>() / n;
        let central = |power| latencies.iter().map(|x| (x - mean).powi(power)).sum::<f64>() / n;
        let (variance, fourth) = (central(2), central(4));
        let errors = [(variance / n).sqrt(), ((fourth - variance * variance) / n).sqrt()];
        Moments { mean, variance, errors }
    }
}

/// The pass rule; the error may be up to `most` of what is exact.
#[track_caller]
fn check(what: &str, found: f64, error: f64, exact: f64, most: f64) {
    let errors = (found - exact) / error;
    println!(
        "{what}: {found:.5} +- {:.2} %, exact {exact:.5}, {errors:+.2} errors",
        1e2 * error / exact
    );
    assert!(errors.abs() < 4.0, "{what}: {found}, {errors:.1} standard errors from {exact}");
    assert!(error < most * exact, "{what}: {error} is too wide to tell");
}

/// E[max] of what runs waited for.
#[track_caller]
fn check_mean(what: &str, record: &RunRecord, exact: f64) {
    let found = Moments::of(&latencies(runs(record)));
    check(what, found.mean, found.errors[0], exact, 0.05);
}

fn harmonic(n: usize) -> f64 {
    (1..=n).map(|i| 1.0 / i as f64).sum()
}

/// E[max] of k: m H_k for exponential ones; for Weibull ones with shape 1/2 and lognormal
/// ones from the literature, as in the tests of programs without a factory.
#[test]
fn forks_wait_for_the_last() {
    let mut cases: Vec<(String, String, usize, f64)> = Vec::new();
    for count in [2, 3, 5, 10] {
        cases.push(("exponential".into(), EXPONENTIAL.into(), count, harmonic(count)));
    }
    for (count, mean) in [(2, 1.75), (3, 2.3611), (5, 3.3386), (10, 5.0643)] {
        cases.push(("Weibull 0.5".into(), WEIBULL.into(), count, mean));
    }
    for (sigma, means) in [
        (0.5, [1.4463, 1.8954, 2.2575]),
        (1.0, [2.5069, 4.0699, 5.6211]),
        (1.5, [5.2707, 10.0548, 15.6671]),
    ] {
        for (count, mean) in [2, 5, 10].into_iter().zip(means) {
            cases.push((format!("lognormal {sigma}"), lognormal(1.0, sigma), count, mean));
        }
    }
    let told = |(at, (law, latency, count, exact)): (usize, &(String, String, usize, f64))| {
        // As many tools of one turn, or as many sub-agents with a tool each.
        let tools = waiting("x", "2", &always(*count), latency);
        let record = simulate([32, 2_500], [""; 2], &tools, at as u64);
        check_mean(&format!("{law}, {count} tools"), &record, *exact);
        if *count == 5 {
            let forks = forking(*count, "\"all\"", latency);
            let record = simulate([32, 1_500], [""; 2], &forks, at as u64);
            check_mean(&format!("{law}, {count} sub-agents"), &record, *exact);
        }
    };
    cases.par_iter().enumerate().for_each(told);
}

/// The k-th of n exponential ones: m (H_n - H_(n-k)).
#[test]
fn a_join_waits_for_the_kth() {
    for (enough, count, join) in [(1, 2, "\"first\""), (3, 5, "{ at_least = 3 }")] {
        let record = simulate([32, 2_000], [""; 2], &forking(count, join, EXPONENTIAL), 1);
        let exact = harmonic(count) - harmonic(count - enough);
        check_mean(&format!("{enough} of {count}"), &record, exact);
    }
}

/// k exponential tasks on c workers: m ((k - c) / c + H_c).
#[test]
fn tasks_share_workers() {
    for (tasks, workers, exact) in [(10, 4, 3.5833), (6, 2, 3.5), (5, 1, 5.0)] {
        let agents = format!(
            "{}\n[[tool_pool]]\nname = \"w\"\nworkers = {workers}",
            waiting("x", "2", &always(tasks), EXPONENTIAL)
        );
        let record = simulate([1, 2_000], ["", "tools = { t = \"w\" }"], &agents, 1);
        let what = format!("{tasks} on {workers}");
        let c = workers as usize;
        let formula = (tasks - c) as f64 / c as f64 + harmonic(c);
        assert!((formula - exact).abs() < 1e-4, "{formula}");
        check_mean(&what, &record, formula);
    }
}

/// Median, log-sd, mean and variance of the tools of the loops below, those of 5 s in
/// units of 1,000 s.
const MEDIAN: f64 = 5.0;
const SIGMA: f64 = 0.7;

fn mean_and_variance() -> [f64; 2] {
    let mean = MEDIAN * (SIGMA * SIGMA / 2.0).exp();
    [mean, mean * mean * ((SIGMA * SIGMA).exp() - 1.0)]
}

/// p99 of the sum of n lognormals, taken as a lognormal with the sum's mean and variance
/// (Fenton-Wilkinson), and its log-sd.
fn fenton_wilkinson(n: f64) -> (f64, f64) {
    let [mean, variance] = mean_and_variance();
    let sigma_squared = (1.0 + n * variance / (n * mean).powi(2)).ln();
    let z = Normal::standard().inverse_cdf(0.99);
    let sigma = sigma_squared.sqrt();
    (n * mean * (z * sigma - sigma_squared / 2.0).exp(), sigma)
}

/// E[L] = n E[X], sd sqrt(n), and percentiles that do not add: the p99 of 10 and of 50
/// tools in turn is 43 and 32 % of 10 and 50 times that of one.
#[test]
fn tools_in_turn_add_up() {
    let [mean, variance] = mean_and_variance();
    // p99 of the sum, by convolution on a grid of 2^22 points.
    for (n, runs_made, p99, approximate) in
        [(1, 8_000, 25.4797, 25.5), (10, 5_000, 111.519, 110.2), (50, 2_500, 413.921, 412.0)]
    {
        let agents = waiting("x", &(n + 1).to_string(), "[1.0]", &lognormal(MEDIAN, SIGMA));
        let record = simulate([32, runs_made], [""; 2], &agents, 1);
        let (mut latencies, n) = (latencies(runs(&record)), f64::from(n));
        let found = Moments::of(&latencies);
        check(&format!("mean of {n}"), found.mean, found.errors[0], n * mean, 0.01);
        check(&format!("variance of {n}"), found.variance, found.errors[1], n * variance, 0.11);
        let own = quantile(&mut latencies, 0.99).expect("runs ended");
        // The spread of its rank over the density there, as of a lognormal.
        let (formula, sigma) = fenton_wilkinson(n);
        let normal = Normal::standard();
        let density = normal.pdf(normal.inverse_cdf(0.99)) / (sigma * p99);
        let error = (0.99 * 0.01 / f64::from(runs_made)).sqrt() / density;
        check(&format!("p99 of {n}"), own, error, p99, 0.03);
        // Exact for one, and 1.2 and 0.5 % too short for 10 and 50.
        assert!((formula / approximate - 1.0).abs() < 1e-3, "{formula}");
        assert!((-0.012..1e-4).contains(&(formula / p99 - 1.0)), "{formula} {p99}");
    }
}

/// Var = E[n] Var(X) + Var(n) E[X]^2 for a random number of tools.
#[test]
fn a_random_number_of_tools_adds_its_own_variance() {
    let [mean, variance] = mean_and_variance();
    // 5 or 20 tools: 12.5 in the mean, variance 7.5^2.
    let turns = r#"{ distribution = "empirical", values = [6, 21], weights = [1, 1] }"#;
    let agents = waiting("x", turns, "[1.0]", &lognormal(MEDIAN, SIGMA));
    let record = simulate([32, 4_000], [""; 2], &agents, 1);
    let found = Moments::of(&latencies(runs(&record)));
    check("mean", found.mean, found.errors[0], 12.5 * mean, 0.02);
    let exact = 12.5 * variance + 7.5 * 7.5 * mean * mean;
    check("variance", found.variance, found.errors[1], exact, 0.05);
}

/// A cache that forgets after 300 s, and pauses of which q are longer:
/// E[F] = C0 + (n - 1) (1 - q) g + q (T - C0) tokens are computed.
#[test]
fn a_cache_that_forgets_computes_again() {
    const RUNS: u32 = 10;
    const SESSIONS: u32 = 1_500;
    // Answers of one token have no KV; prompts are whole blocks.
    let (first, growth) = (8_000.0, 800.0);
    let agents = format!(
        r#"
        [[agent]]
        name = "x"
        context = {{ session_tokens = 7_201, message_tokens = 799 }}
        turns = {{ count = 1, output_tokens = 1 }}
        [agent.session]
        runs = {RUNS}
        gap = {{ distribution = "lognormal", median = "86 s", sigma = 2.094 }}
        "#
    );
    let pool = "engine = { eviction = { policy = \"ttl\", ttl = \"300 s\" } }";
    let record = simulate([20, SESSIONS], [pool, ""], &agents, 1);
    let counts = runs(&record).counts;
    let n = f64::from(RUNS);
    let sessions = f64::from(SESSIONS);
    let prompt = n * first + growth * n * (n - 1.0) / 2.0;
    assert_eq!(counts.prompt_tokens as f64, sessions * prompt);
    let q = Normal::standard().sf((300.0f64 / 86.0).ln() / 2.094);
    assert!((q - 0.275).abs() < 5e-4, "{q}");
    let exact = first + (n - 1.0) * (1.0 - q) * growth + q * (prompt - first);
    // Each pause is long or not, apart from the others.
    let variance: f64 = (1..RUNS)
        .map(|k| first + f64::from(k) * growth - growth)
        .map(|again| q * (1.0 - q) * again * again)
        .sum();
    let found = (counts.prompt_tokens - counts.cached_tokens) as f64 / sessions;
    check("computed tokens", found, (variance / sessions).sqrt(), exact, 0.02);
}

/// The chance that none of n tools exceeds the 99th percentile of one is 0.99^n.
#[test]
fn many_calls_meet_the_tail() {
    // Tools that take a thousandth as long, or 1 % of the time a thousand times so.
    let latency =
        r#"{ distribution = "empirical", values = ["1 s", "1_000 s"], weights = [99, 1] }"#;
    for (n, sessions, exact) in [(10, 2_000, 0.904), (50, 1_500, 0.605)] {
        let agents = waiting("x", &(n + 1).to_string(), "[1.0]", latency);
        let record = simulate([32, sessions], [""; 2], &agents, 2);
        let runs = runs(&record);
        let quick = latencies(runs).into_iter().filter(|latency| *latency < 0.5).count();
        let share = quick as f64 / runs.done as f64;
        let formula = 0.99f64.powi(n);
        assert!((formula - exact).abs() < 1e-3, "{formula}");
        let error = (formula * (1.0 - formula) / runs.done as f64).sqrt();
        check(&format!("none of {n}"), share, error, formula, 0.03);
        assert_eq!(runs.whole().ticks[Part::Sandbox as usize], 0, "no tool waits");
    }
}
