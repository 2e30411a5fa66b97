//! Agents in a factory that cannot serve them all.

use super::*;

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
