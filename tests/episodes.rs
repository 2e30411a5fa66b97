//! Episodes last until their duration and until their last answer, and what happens
//! while calls arrive is told apart from the drain: by hand where a step takes a tenth
//! of a second whatever is in it, and by what must hold of episodes of every kind.

mod common;

use common::{load, on_threads, simulate};
use std::path::Path;
use tokenmill::factory::StepTime;
use tokenmill::metrics::CutOff;
use tokenmill::report::terminal;
use tokenmill::scenario::{Loaded, Overrides, Scenario, open, parse};
use tokenmill::study::seek::{Plan, seek};
use tokenmill::study::{Summary, compare, replicate};

/// A GPU that costs a dollar in a thousand seconds and, with all around it, draws 1.25 kW.
const POOL: &str = r#"
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
price_per_gpu_hour = "$3.60/h"
power_per_gpu = "1 kW"
"#;

/// Three calls: two short ones and, two seconds after the first, one of 100 tokens.
const CALLS: &str = "at_s,in,out\n0.0,200,5\n1.0,200,5\n2.0,200,100\n";

const TRACE: &str = "[[use_case]]\nname = \"u\"\ntrace = { path = \"calls.csv\", columns = { time \
                     = \"at_s\", prompt_tokens = \"in\", output_tokens = \"out\" } }\n";

/// A factory whose steps take a tenth of a second each.
fn slow(mut loaded: Loaded) -> Scenario {
    let steps = StepTime { per_step: 0.1, ..StepTime::default() };
    loaded.scenario.pools[0].step_time = steps;
    loaded.scenario
}

/// The three calls with these lines at the top.
fn recorded(top: &str) -> Scenario {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("calls.csv"), CALLS).unwrap();
    let text = format!("name = \"e\"\n{top}{POOL}{TRACE}");
    slow(parse(&text, "s.toml", folder.path(), &Overrides::default()).unwrap())
}

fn generated(top: &str, use_case: &str) -> Scenario {
    slow(load(&format!(
        "name = \"e\"\n{top}{POOL}[[use_case]]\nname = \"u\"\nprompt_tokens = 200\noutput_tokens = \
         5\n{use_case}\n"
    )))
}

fn summary(scenario: &Scenario) -> Summary {
    replicate(scenario, true, |_| {}).summary
}

#[track_caller]
fn near(found: f64, exact: f64) {
    assert!((found - exact).abs() <= 1e-9 * exact.abs().max(1.0), "{found} is not {exact}");
}

/// Measured seconds, those of them in which calls arrive, and the drain.
#[track_caller]
fn lasts(summary: &Summary, arrivals_s: f64, drain_s: f64) {
    near(summary.arrivals_s.unwrap(), arrivals_s);
    near(summary.drain_s.unwrap(), drain_s);
    near(summary.measured_s, arrivals_s + drain_s);
}

fn drains(summary: &Summary) -> bool {
    summary.warnings.iter().any(|warning| warning.starts_with("arrivals last"))
}

/// Steps end at 0.5 s, 1.5 s and 12 s: ten tokens before the last call comes, at 2 s.
#[test]
fn arrivals_of_a_trace_end_with_its_last_call() {
    let summary = summary(&recorded(""));
    lasts(&summary, 2.0, 10.0);
    let pool = &summary.pools["a"];
    near(pool.utilization.unwrap().mean, 11.0 / 12.0);
    near(pool.output_tok_per_s_per_gpu.unwrap().mean, 110.0 / 12.0);
    // 3 of 110 steps compute prompts, and 2 of the 10 before the last call.
    near(pool.usd_per_mtok.output.unwrap().mean, 0.012 * 107.0 / 110.0 / 110e-6);
    let arrivals = pool.arrivals.as_ref().unwrap();
    near(arrivals.utilization.unwrap().mean, 0.5);
    near(arrivals.finished_calls_per_s.unwrap().mean, 1.0);
    near(arrivals.output_tok_per_s_per_gpu.unwrap().mean, 5.0);
    near(arrivals.input_tok_per_s_per_gpu.unwrap().mean, 200.0);
    near(arrivals.tok_per_s_per_user.unwrap().mean, 10.0);
    near(arrivals.usd_per_mtok.output.unwrap().mean, 0.002 * 0.8 / 10e-6);
    near(arrivals.usd_per_mtok.input.unwrap().mean, 0.002 * 0.2 / 400e-6);
    near(arrivals.usd_per_mtok.total.unwrap().mean, 0.002 / 410e-6);
    near(arrivals.tok_per_s_per_mw.unwrap().mean, 205.0 / 1.25e-3);
    let use_case = &summary.use_cases["u"];
    near(use_case.calls_per_s.unwrap().mean, 3.0 / 12.0);
    near(use_case.usd_per_call.unwrap().mean, 0.012 / 3.0);
    near(use_case.arrivals.as_ref().unwrap().calls_per_s.unwrap().mean, 1.0);
    assert!(drains(&summary), "{:?}", summary.warnings);
}

/// Of the last call 29 of 100 tokens are there at 4.95 s, and the step of the next is half
/// over.
#[test]
fn with_a_duration_they_end_with_it_in_the_middle_of_a_step() {
    let summary = summary(&recorded("duration = \"4.95 s\"\n"));
    lasts(&summary, 4.95, 7.05);
    let arrivals = summary.pools["a"].arrivals.as_ref().unwrap();
    near(arrivals.utilization.unwrap().mean, 3.95 / 4.95);
    near(arrivals.output_tok_per_s_per_gpu.unwrap().mean, 39.0 / 4.95);
    near(arrivals.input_tok_per_s_per_gpu.unwrap().mean, 600.0 / 4.95);
    assert!(drains(&summary));
}

/// The GPU is paid for twenty seconds, in which it has nothing to do for nine.
#[test]
fn a_lull_at_the_end_is_measured_and_paid() {
    let summary = summary(&recorded("duration = \"20 s\"\n"));
    lasts(&summary, 20.0, 0.0);
    let pool = &summary.pools["a"];
    near(pool.utilization.unwrap().mean, 11.0 / 20.0);
    near(pool.arrivals.as_ref().unwrap().utilization.unwrap().mean, 11.0 / 20.0);
    near(summary.use_cases["u"].calls_per_s.unwrap().mean, 3.0 / 20.0);
    near(summary.use_cases["u"].usd_per_call.unwrap().mean, 0.020 / 3.0);
    assert!(!drains(&summary), "{:?}", summary.warnings);
}

/// The only call ends at 4.346 s: less than a tenth of 4 s later, and more than one of 3.9 s.
#[test]
fn a_short_drain_is_not_told() {
    let with = |duration: &str| {
        let arrivals = "arrivals = { process = \"constant\", rate = \"0.26 /s\" }";
        let top = format!("duration = \"{duration}\"\nregime = \"terminating\"\n");
        summary(&generated(&top, arrivals))
    };
    let end = 1.0 / 0.26 + 0.5;
    for (duration, length, is_told) in [("4 s", 4.0, false), ("3.9 s", 3.9, true)] {
        let summary = with(duration);
        assert!((summary.drain_s.unwrap() - (end - length)).abs() < 1e-9);
        assert_eq!(drains(&summary), is_told);
        let text = terminal(&summary);
        assert_eq!(text.contains("While calls arrive"), is_told, "{text}");
        assert_eq!(text.contains(", drain 446 ms"), is_told, "{text}");
    }
}

/// Nothing comes at all, and the GPU is still paid.
#[test]
fn an_episode_without_calls_lasts_as_long_as_it_should() {
    let arrivals = "arrivals = { process = \"poisson\", rate = \"0.000001 /s\" }";
    let summary = summary(&generated("duration = \"30 s\"\nregime = \"terminating\"\n", arrivals));
    lasts(&summary, 30.0, 0.0);
    assert_eq!(summary.use_cases["u"].calls, 0);
    near(summary.pools["a"].utilization.unwrap().mean, 0.0);
}

/// Calls of two clients end at 0.5, 2, 3.5 ... s; the last of `requests` begins half a
/// second before that.
#[test]
fn arrivals_of_a_closed_loop_end_with_its_last_request() {
    let arrivals = |requests: u32| {
        format!(
            "arrivals = {{ process = \"closed-loop\", clients = 2, requests = {requests}, think = \
             \"1 s\" }}"
        )
    };
    let of = |requests| summary(&generated("", &arrivals(requests)));
    lasts(&of(4), 1.5, 0.5);
    lasts(&of(5), 3.0, 0.5);
    assert!(drains(&of(4)));
    // All come at once: there is no time in which calls arrive, and no rate of it.
    let at_once = of(2);
    lasts(&at_once, 0.0, 0.5);
    assert!(!drains(&at_once));
    assert!(at_once.pools["a"].arrivals.as_ref().unwrap().utilization.is_none());
    // Paid for as long as asked.
    lasts(&summary(&generated("duration = \"10 s\"\n", &arrivals(4))), 10.0, 0.0);
}

/// Three turns of half a second and two pauses of ten seconds; the second session begins
/// when the first has ended, and its later turns belong to the drain.
#[test]
fn turns_of_sessions_go_on_in_the_drain() {
    let sessions = "session = { turns = 3, think = \"10 s\" }\narrivals = { process = \
                    \"closed-loop\", clients = 1, requests = 2 }";
    let summary = summary(&generated("", sessions));
    lasts(&summary, 21.5, 21.5);
    let arrivals = summary.pools["a"].arrivals.as_ref().unwrap();
    near(arrivals.finished_calls_per_s.unwrap().mean, 3.0 / 21.5);
    near(summary.use_cases["u"].calls_per_s.unwrap().mean, 6.0 / 43.0);
}

/// What a thousand calls cost is the price of the time between two jobs, over any number
/// of them.
#[test]
fn calls_of_jobs_cost_the_time_between_jobs() {
    for (duration, jobs) in [(100, 1.0), (200, 2.0), (500, 5.0)] {
        let top = format!("duration = \"{duration} s\"\n");
        let batch = "batch = { every = \"100 s\", calls = 50, deadline = \"50 s\" }";
        let summary = summary(&generated(&top, batch));
        lasts(&summary, f64::from(duration), 0.0);
        assert_eq!(summary.use_cases["u"].calls as f64, 50.0 * jobs);
        near(summary.use_cases["u"].usd_per_call.unwrap().mean, 0.1 / 50.0);
    }
    // A job goes on beyond the end of arrivals.
    let batch = "batch = { every = \"100 s\", calls = 50, deadline = \"50 s\", concurrency = 1 }";
    let summary = summary(&generated("duration = \"10 s\"\n", batch));
    lasts(&summary, 10.0, 15.0);
}

/// Both arms, whatever they differ in, are told apart by path.
#[test]
fn studies_see_the_figures_of_arrivals() {
    let arms = "[[arm]]\nname = \"long\"\nset = { \"use_case.u.output_tokens\" = 500 }\n";
    let text = format!(
        "name = \"e\"\nduration = \"60 s\"\nregime = \"terminating\"\nreplications = 2\n{POOL}\
         [[use_case]]\nname = \"u\"\nprompt_tokens = 200\noutput_tokens = 5\narrivals = {{ process \
         = \"poisson\", rate = \"0.5 /s\" }}\n"
    );
    let loaded = load(&format!("{text}{arms}")).with_baseline();
    let comparison = on_threads(2, || compare(&loaded, true, |_| {})).comparison;
    for path in ["drain_s", "pools.a.arrivals.utilization", "use_cases.u.arrivals.calls_per_s"] {
        let figure = &comparison.arms["long"].figures[path];
        let difference = figure.difference.expect("both arms have it").mean;
        assert_eq!(difference > 0.0, !path.ends_with("calls_per_s"), "{path} {difference}");
    }
    let bound = "[seek]\nkey = \"use_case.u.output_tokens\"\nfrom = 10\nto = 5_000\ntolerance = \
                 \"20 %\"\nkeep = [{ metric = \"drain_s\", at_most = \"10 s\" }]\n";
    let text = format!("{text}{bound}");
    let (loaded, variants) = open(&text, "s.toml", Path::new(""), &Overrides::default()).unwrap();
    let plan = Plan::new(&loaded, &variants, loaded.seek.clone().unwrap()).unwrap();
    let found = on_threads(2, || seek(&plan, true, |_| {})).unwrap();
    let answer = found.result.answer.expect("some length keeps it").mean;
    // A token takes some 7 ms, and the last call comes up to two seconds before the end.
    assert!((800.0..3_000.0).contains(&answer), "{answer}");
}

/// The first window of a long horizon is measured as long as it is, and has no drain.
#[test]
fn windows_have_no_drain() {
    let text = format!(
        "name = \"e\"\nstart = \"2026-03-02T00:00:00Z\"\nduration = \"7 days\"\nreplications = 1\n{POOL}[[use_case]]\nname = \"u\"\n\
         prompt_tokens = 200\noutput_tokens = 5\nusers = 3_000\nsessions_per_user_per_day = 2\nprofile \
         = \"chat\"\n[windows]\nchoose = \"weekly-peaks\"\nlength = \"10 min\"\nwarm_up = \
         \"1 min\"\n"
    );
    let summary = summary(&load(&text).scenario);
    near(summary.measured_s, 600.0);
    assert_eq!((summary.arrivals_s, summary.drain_s), (None, None));
    assert!(summary.pools["a"].arrivals.is_none() && summary.use_cases["u"].arrivals.is_none());
}

/// A steady state has no drain either.
#[test]
fn a_steady_state_has_no_drain() {
    let arrivals = "arrivals = { process = \"poisson\", rate = \"1 /s\" }";
    let scenario = generated("duration = \"1 min\"\nwarm_up = \"10 s\"\n", arrivals);
    let summary = summary(&scenario);
    near(summary.measured_s, 50.0);
    assert_eq!((summary.arrivals_s, summary.drain_s), (None, None));
    assert!(simulate(&scenario).whole.arrivals.is_none());
}

/// A run that is cut off while calls arrive has no drain.
#[test]
fn a_run_that_is_cut_off_says_how_long_calls_arrived() {
    let arrivals = "arrivals = { process = \"constant\", rate = \"1_000_000 /s\" }";
    let top = "duration = \"1 h\"\nregime = \"terminating\"\n";
    let record = simulate(&generated(top, arrivals));
    assert_eq!(record.cut_off, Some(CutOff::Calls));
    let arrivals = record.whole.arrivals.as_ref().unwrap();
    assert_eq!(arrivals.window_s, record.whole.window_s);
    assert_eq!(arrivals.pools[0].finished, record.whole.pools[0].finished);
}

/// Shipped episodes of every kind: agents and their tools, replays, regions, traces.
#[test]
fn every_episode_is_whole() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let set = |lines: &[&str]| lines.iter().map(|&line| line.to_owned()).collect::<Vec<String>>();
    for (name, changes) in [
        ("replay-agents", set(&[])),
        ("trace-azure", set(&[])),
        ("trace-mooncake", set(&["duration=\"20 min\""])),
        ("coding-agents", set(&["warm_up=auto", "duration=\"3 min\"", "regime=\"terminating\""])),
        ("three-regions", set(&["duration=\"20 min\""])),
    ] {
        let text = std::fs::read_to_string(shared.join(format!("{name}.toml"))).unwrap();
        let overrides = Overrides { set: changes, ..Overrides::default() };
        let scenario = parse(&text, name, &shared, &overrides).unwrap().scenario;
        let record = simulate(&scenario);
        let duration_s = scenario.duration.map_or(0.0, |duration| duration.seconds());
        let whole = &record.whole;
        let arrivals = whole.arrivals.as_ref().unwrap_or_else(|| panic!("{name} is no episode"));
        assert_eq!(whole.window_s, record.end_s, "{name}");
        assert!(whole.window_s >= duration_s, "{name}: {}", whole.window_s);
        assert!(arrivals.window_s <= whole.window_s, "{name}");
        if duration_s > 0.0 {
            near(arrivals.window_s, duration_s);
        }
        for (pool, part) in whole.pools.iter().zip(&arrivals.pools) {
            assert!(part.busy_s <= pool.busy_s && part.finished <= pool.finished, "{name}");
            assert!(part.output_tokens <= pool.output_tokens && pool.output_tokens > 0, "{name}");
            assert!(part.kv_use_peak <= pool.kv_use_peak, "{name}");
        }
        for (case, part) in whole.use_cases.iter().zip(&arrivals.use_cases) {
            let ended = |record: &tokenmill::metrics::UseCaseRecord| {
                record.agents.iter().map(tokenmill::metrics::AgentRuns::ended).sum::<u64>()
            };
            assert!(part.finished <= case.finished && ended(part) <= ended(case), "{name}");
            assert!(part.itl.count <= case.itl.count, "{name}");
        }
    }
}
