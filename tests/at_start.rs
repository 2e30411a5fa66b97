//! Runs that begin in a stationary state: who is under way at time zero.

mod common;

use common::{load, mean_of};
use tokenmill::kernel::Span;
use tokenmill::metrics::RunRecord;
use tokenmill::scenario::Scenario;
use tokenmill::simulation::{Options, run};

const POOL: &str = r#"
    [[pool]]
    name = "gpu"
    model = "llama-3.1-8b"
    hardware = "h100-sxm"
    replicas = 4
    router = { policy = "session-affinity" }
"#;

/// `head` decides how it starts; short prompts on a pool that is nearly idle.
fn scenario(head: &str, use_case: &str) -> Scenario {
    let text = format!(
        "name = \"start\"\nwarm_up = \"0 s\"\n{head}\n{POOL}\n[[use_case]]\nname = \"u\"\n{use_case}"
    );
    load(&text).scenario
}

fn stationary(duration: &str, use_case: &str) -> Scenario {
    let head = format!("duration = \"{duration}\"\nsessions_at_start = \"stationary\"");
    scenario(&head, use_case)
}

fn empty(duration: &str, use_case: &str) -> Scenario {
    scenario(&format!("duration = \"{duration}\""), use_case)
}

fn runs(scenario: &Scenario, replications: u64) -> Vec<RunRecord> {
    let options = Options { audit: true, ..Options::default() };
    (0..replications).map(|replication| run(scenario, replication, options)).collect()
}

/// Calls a second that arrive, in each replication.
fn rates(scenario: &Scenario, replications: u64) -> Vec<f64> {
    let rate = |record: &RunRecord| record.whole.use_cases[0].calls as f64 / record.whole.window_s;
    runs(scenario, replications).iter().map(rate).collect()
}

const CHAT: &str = r#"
    arrivals = { process = "poisson", rate = "0.4 /s" }
    prompt_tokens = 100
    output_tokens = 20
    session = { turns = 10, think = { distribution = "exponential", mean = "60 s" } }
"#;

/// In the first minute of ten-minute sessions there are as many calls as in any
/// other; without the option there are a fifth of them.
#[test]
fn sessions_call_at_their_rate_from_the_first_minute_on() {
    let (mean, error) = mean_of(&rates(&stationary("1 min", CHAT), 60));
    assert!((mean - 4.0).abs() < 4.0 * error && error < 0.2, "{mean} +- {error}");
    let (mean, error) = mean_of(&rates(&empty("1 min", CHAT), 60));
    assert!(mean + 4.0 * error < 1.2, "{mean} +- {error}");
}

/// Who is under way calls as those do who come later, in all that a run shows: what the
/// cache has, how long calls wait, and what they take. Two minutes are as good as
/// forty of which the first twenty are left out.
#[test]
fn a_short_run_shows_what_a_long_one_does() {
    let chat = |rate: &str| {
        format!(
            r#"
            arrivals = {{ process = "poisson", rate = "{rate}" }}
            prompt_tokens = {{ distribution = "exponential", mean = 400 }}
            output_tokens = {{ distribution = "exponential", mean = 150 }}
            session = {{ turns = 10, think = {{ distribution = "exponential", mean = "40 s" }} }}
            "#
        )
    };
    let use_case = chat("1.5 /s");
    let short = runs(&stationary("2 min", &use_case), 12);
    let long = empty("24 min", &use_case);
    let options = Options { warm_up: Span::from_seconds(960.0), ..Options::default() };
    let long: Vec<RunRecord> = (0..3).map(|number| run(&long, number, options)).collect();
    type Figure = fn(&RunRecord) -> f64;
    let figures: [(&str, Figure); 5] = [
        ("calls", |run| run.whole.use_cases[0].calls as f64 / run.whole.window_s),
        ("hits", |run| {
            let calls = &run.whole.use_cases[0];
            calls.cached_tokens as f64 / calls.prompt_tokens as f64
        }),
        ("mean TTFT", |run| run.whole.use_cases[0].ttft.mean),
        ("p95 TTFT", |run| run.whole.use_cases[0].ttft.quantiles[2]),
        ("turns", |run| {
            let sessions = &run.whole.use_cases[0].sessions;
            sessions.turns as f64 / (sessions.completed as f64)
        }),
    ];
    for (name, figure) in figures {
        let (one, error) = mean_of(&short.iter().map(figure).collect::<Vec<_>>());
        let (other, other_error) = mean_of(&long.iter().map(figure).collect::<Vec<_>>());
        println!("{name}: {one} +- {error}, {other} +- {other_error}");
        let apart = 4.0 * (error * error + other_error * other_error).sqrt();
        assert!((one - other).abs() <= apart, "{name}: {one} +- {error}, {other} +- {other_error}");
    }
}

const AGENT: &str = r#"
    agent = "x"
    arrivals = { process = "poisson", rate = "0.2 /s" }
    [[agent]]
    name = "x"
    context = { message_tokens = 100 }
    turns = { count = 8, output_tokens = 10 }
    session = { runs = 3, gap = { distribution = "exponential", mean = "120 s" } }
    [agent.tools]
    calls = [1.0]
    class = [{ name = "t", latency = { distribution = "exponential", mean = "10 s" }, result_tokens = 50 }]
"#;

/// Three runs of eight turns with tools and pauses take some eight minutes.
#[test]
fn agents_call_at_their_rate_from_the_first_minute_on() {
    let (mean, error) = mean_of(&rates(&stationary("1 min", AGENT), 60));
    assert!((mean - 4.8).abs() < 4.0 * error && error < 0.3, "{mean} +- {error}");
    let (mean, error) = mean_of(&rates(&empty("1 min", AGENT), 60));
    assert!(mean + 4.0 * error < 1.5, "{mean} +- {error}");
}

/// Clients with sessions between long pauses are at any place of their cycle.
#[test]
fn clients_with_sessions_ask_at_their_rate_at_once() {
    let clients = r#"
        arrivals = { process = "closed-loop", clients = 60, think = "100 s" }
        prompt_tokens = 100
        output_tokens = 20
        session = { turns = 5, think = { distribution = "exponential", mean = "50 s" } }
    "#;
    let (mean, error) = mean_of(&rates(&stationary("30 s", clients), 40));
    // Five calls in 300 s and what they take.
    assert!((mean - 1.0).abs() < 4.0 * error + 0.005 && error < 0.05, "{mean} +- {error}");
    let (mean, _) = mean_of(&rates(&empty("30 s", clients), 40));
    assert!(mean > 2.0, "{mean}");
}

/// Arrivals after the start are the same whether or not anybody is under way.
#[test]
fn later_sessions_are_the_same() {
    let began = |scenario: &Scenario| runs(scenario, 1)[0].whole.use_cases[0].sessions.began;
    assert_eq!(began(&stationary("10 min", CHAT)), began(&empty("10 min", CHAT)));
}

/// The option says what it does, and objects to other words.
#[test]
fn the_option_is_checked() {
    let plain = "arrivals = { process = \"poisson\", rate = \"1 /s\" }\nprompt_tokens = 10\n\
                 output_tokens = 2";
    let warnings = stationary("1 min", plain).warnings;
    assert!(warnings.iter().any(|warning| warning.contains("changes nothing")), "{warnings:?}");
    assert!(stationary("1 min", CHAT).warnings.is_empty());
    let text = format!("name = \"s\"\nsessions_at_start = \"full\"\n{POOL}");
    let parsed =
        tokenmill::scenario::parse(&text, "s.toml", std::path::Path::new(""), &Default::default());
    let error = parsed.expect_err("no such word").to_string();
    assert!(error.contains("sessions_at_start") && error.contains("stationary"), "{error}");
}
