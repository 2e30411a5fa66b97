//! Batch jobs: they fill troughs, give way, and keep their deadlines if they can.

mod common;

use common::{load, simulate};
use tokenmill::kernel::{Span, Time};
use tokenmill::metrics::{RunRecord, UseCaseRecord};
use tokenmill::scenario::{Arrivals, Scenario};
use tokenmill::study::forecast::forecast;
use tokenmill::study::replicate;

/// One pool of 16 sequences, these lines on top and these use cases.
fn pool(top: &str, use_cases: &str) -> Scenario {
    let text = format!(
        "name = \"b\"\nstart = \"2026-03-07T05:00:00Z\"\n{top}\n[[pool]]\nname = \"a\"\nmodel = \
         \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nengine = {{ max_num_seqs = 16 }}\n{use_cases}"
    );
    load(&text).scenario
}

fn job(lines: &str) -> String {
    format!("[[use_case]]\nname = \"job\"\nprompt_tokens = 600\noutput_tokens = 100\n{lines}\n")
}

const CHAT: &str = "[[use_case]]\nname = \"chat\"\nprompt_tokens = 500\noutput_tokens = 100\n";

/// A chat that is busy for two hours around noon and nearly idle else.
fn chat() -> String {
    format!(
        "{CHAT}users = 30_000\nsessions_per_user_per_day = 2\nprofile = {{ weekday = [1, 1, 1, 1, 1, 1, 1, 1, \
         1, 1, 1, 12, 12, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1] }}\n"
    )
}

fn of<'r>(record: &'r RunRecord, scenario: &Scenario, name: &str) -> &'r UseCaseRecord {
    let at = scenario.use_cases.iter().position(|case| case.name == name).unwrap();
    &record.whole.use_cases[at]
}

fn most(record: &RunRecord) -> u32 {
    record.timeline.pool(0).iter().map(|point| point.running + point.waiting).max().unwrap()
}

#[test]
fn a_job_by_itself_keeps_its_pool_as_full_as_it_may() {
    let run = |batch: &str| {
        let scenario = pool("duration = \"1 h\"", &job(batch));
        let record = simulate(&scenario);
        let of_job = of(&record, &scenario, "job").clone();
        assert_eq!((of_job.calls, of_job.jobs.done, of_job.jobs.on_time), (3_000, 1, 1));
        (most(&record), of_job.jobs.makespan as f64 / 1e10, of_job.e2e.mean)
    };
    let batch = |keys: &str| {
        format!(
            "batch = {{ at = \"2026-03-07T05:00:00Z\", calls = 3_000, deadline = \"1 h\", {keys} }}"
        )
    };
    let (most, makespan, e2e) = run(&batch("fill = 0.5"));
    assert_eq!(most, 8);
    // Little's law: as many calls as fit, each as long as it takes.
    assert!((makespan / (3_000.0 * e2e / 8.0) - 1.0).abs() < 0.01, "{makespan} {e2e}");
    let (most, makespan, e2e) = run(&batch("fill = 1, concurrency = 3"));
    assert_eq!(most, 3);
    assert!((makespan / (3_000.0 * e2e / 3.0) - 1.0).abs() < 0.01, "{makespan} {e2e}");
}

#[test]
fn jobs_fill_the_trough_and_hardly_slow_the_chat() {
    let day = "duration = \"24 h\"";
    let batch =
        job("batch = { every = \"30 h\", calls = 60_000, deadline = \"24 h\", fill = 0.5 }");
    let (alone, both) = (pool(day, &chat()), pool(day, &(chat() + &batch)));
    let (before, after) = (simulate(&alone), simulate(&both));
    let (quiet, busy) = (of(&before, &alone, "chat"), of(&after, &both, "chat"));
    assert_eq!(quiet.calls, busy.calls);
    let jobs = of(&after, &both, "job").jobs;
    assert_eq!((jobs.released, jobs.done, jobs.on_time, jobs.unfinished), (1, 1, 1, 0));
    // Twice the tokens from the same GPU in a day.
    let tokens = |record: &RunRecord| record.whole.pools[0].output_tokens as f64;
    assert!(tokens(&after) > 1.9 * tokens(&before), "{} {}", tokens(&after), tokens(&before));
    // A step with a prompt of the job in it is the price: 600 tokens, some 25 ms.
    let p95 = |case: &UseCaseRecord| case.ttft.quantiles[2];
    assert!(p95(busy) < p95(quiet) + 0.05, "{} {}", p95(busy), p95(quiet));
    // One that does not yield lets the chat wait for the hour or two that it takes.
    let rash =
        job("batch = { every = \"30 h\", calls = 60_000, deadline = \"24 h\", rush = \"24 h\", \
                    concurrency = 200 }");
    let rash = pool(day, &(chat() + &rash));
    let hurt = simulate(&rash);
    let p99 = |case: &UseCaseRecord| case.ttft.quantiles[3];
    let waits = p99(of(&hurt, &rash, "chat"));
    assert!(waits > p99(busy) + 1.0, "{waits} {}", p99(busy));
}

#[test]
fn a_job_yields_to_a_queue_until_its_deadline_is_near() {
    // The chat fills the pool by itself, so that there is never room.
    let crowd = format!("{CHAT}arrivals = {{ process = \"closed-loop\", clients = 40 }}\n");
    let run = |rush: &str| {
        let batch =
            format!("batch = {{ every = \"2 h\", calls = 100, deadline = \"20 min\"{rush} }}");
        let scenario = pool(
            "duration = \"25 min\"\nregime = \"terminating\"",
            &(crowd.clone() + &job(&batch)),
        );
        let record = simulate(&scenario);
        let jobs = of(&record, &scenario, "job").jobs;
        (jobs.makespan as f64 / 1e10 / 60.0, jobs.on_time)
    };
    let (makespan, on_time) = run(", rush = \"3 min\"");
    assert!(makespan > 17.0 && makespan < 20.0 && on_time == 1, "{makespan}");
    // Of its own pace nothing is known before any call ended: it waits for the crowd
    // to leave.
    let (makespan, on_time) = run("");
    assert!(makespan > 25.0 && on_time == 0, "{makespan}");
}

#[test]
fn the_nearest_deadline_goes_first() {
    let late = job("batch = { every = \"9 h\", calls = 500, deadline = \"5 h\" }");
    let soon = late.replace("\"job\"", "\"soon\"").replace("5 h", "1 h");
    let scenario = pool("duration = \"2 h\"", &(late + &soon));
    let record = simulate(&scenario);
    let ends = |name: &str| of(&record, &scenario, name).jobs.makespan;
    // The other one gets only what is left at the end.
    assert!(ends("soon") * 19 < ends("job") * 10, "{} {}", ends("soon"), ends("job"));
}

#[test]
fn jobs_are_released_by_the_local_clock() {
    // New York changes its clocks on 8 March at 2:00, an hour that this day lacks.
    let lines = "time_zone = \"America/New_York\"\nbatch = { at = \"02:30\", calls = 5, deadline = \"1 h\" }";
    let scenario = pool("duration = \"3 days\"", &job(lines));
    let Arrivals::Batch(batch) = &scenario.use_cases[0].arrivals else { panic!("a batch") };
    let hours: Vec<f64> = batch
        .releases(Time::ZERO + Span::from_seconds(1e9))
        .map(|at| at.seconds() / 3_600.0)
        .collect();
    assert_eq!(hours, [2.5, 26.5, 49.5]);
    let record = simulate(&scenario);
    assert_eq!(of(&record, &scenario, "job").jobs.released, 3);
    assert_eq!((of(&record, &scenario, "job").calls, scenario.is_random()), (15, false));
}

#[test]
fn a_job_that_is_too_large_is_late_and_named() {
    let lines = "batch = { every = \"1 h\", calls = { distribution = \"uniform\", low = 3_000, high = 5_000 }, \
                 deadline = \"60 s\", fill = 1 }";
    let mut scenario = pool("duration = \"90 min\"", &job(lines));
    scenario.replications = 2;
    let summary = replicate(&scenario, true, |_| {}).summary;
    let jobs = summary.use_cases["job"].jobs.as_ref().unwrap();
    assert_eq!((jobs.released, jobs.done, jobs.late, jobs.unfinished), (4, 4, 4, 0));
    let mean = |value: Option<tokenmill::statistics::Interval>| value.unwrap().mean;
    let (makespan, lateness) = (mean(jobs.makespan_s.mean), mean(jobs.lateness_s.mean));
    assert!((makespan - lateness - 60.0).abs() < 1e-6, "{makespan} {lateness}");
    assert_eq!(mean(jobs.on_time_fraction), 0.0);
    let named = "use case job: 4 of 4 jobs missed their deadline";
    assert!(summary.warnings.iter().any(|text| text.starts_with(named)), "{:?}", summary.warnings);
    // Sizes are drawn by job, and are those of the forecast.
    let calls = summary.use_cases["job"].calls as f64 / 4.0;
    assert!((3_000.0..5_000.0).contains(&calls) && scenario.is_random(), "{calls}");
    let expected = forecast(&scenario).total.unwrap().calls.mean;
    assert!((expected - 8_000.0).abs() < 1e-6, "{expected}");
}

#[test]
fn calls_that_can_never_be_served_do_not_hold_a_job() {
    let lines = "prompt_tokens = 600\noutput_tokens = 100\n";
    let long = job("batch = { every = \"1 h\", calls = 50, deadline = \"1 h\" }")
        .replace(lines, "prompt_tokens = 200_000\noutput_tokens = 100\n");
    let scenario = pool("duration = \"30 min\"", &long);
    let record = simulate(&scenario);
    let case = of(&record, &scenario, "job");
    assert_eq!((case.calls, case.rejected, case.jobs.done, case.jobs.makespan), (0, 50, 1, 0));
}

#[test]
fn a_job_is_done_wherever_there_is_room() {
    let second = "[[pool]]\nname = \"b\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nengine = { \
                  max_num_seqs = 16 }\n";
    let batch =
        "pool = [\"a\", \"b\"]\nbatch = { every = \"9 h\", calls = 2_000, deadline = \"1 h\" }";
    let scenario = pool("duration = \"1 h\"", &(second.to_owned() + &job(batch)));
    let record = simulate(&scenario);
    let [a, b] = [0, 1].map(|at| record.whole.pools[at].finished);
    assert_eq!(a + b, 2_000);
    assert!(a.abs_diff(b) < 100, "{a} {b}");
}

/// A job of runs of these turns, with these tools and limits.
fn runs(batch: &str, agent: &str) -> String {
    format!(
        "[[use_case]]\nname = \"job\"\nagent = \"x\"\n{batch}\n[[agent]]\nname = \"x\"\ncontext = {{ \
         global_tokens = 320, message_tokens = 200 }}\n{agent}\n"
    )
}

const FIVE_TURNS: &str = "turns = { count = 5, output_tokens = 40 }";

/// An agent that uses no tools has always one call in the system.
#[test]
fn agents_of_a_job_keep_its_pool_as_full_as_it_may() {
    let run = |keys: &str| {
        let batch =
            format!("batch = {{ every = \"9 h\", calls = 400, deadline = \"1 h\", {keys} }}");
        let scenario = pool("duration = \"1 h\"", &runs(&batch, FIVE_TURNS));
        let record = simulate(&scenario);
        let case = of(&record, &scenario, "job").clone();
        assert_eq!((case.calls, case.sessions.completed), (2_000, 400));
        assert_eq!((case.jobs.done, case.jobs.on_time), (1, 1));
        assert_eq!(case.agents[0].done, 400);
        let run_s = case.agents[0].latency.mean().unwrap() / 1e10;
        (most(&record), case.jobs.makespan as f64 / 1e10, run_s)
    };
    for (keys, at_once) in [("fill = 0.5", 8), ("fill = 1, concurrency = 3", 3)] {
        let (most, makespan, run_s) = run(keys);
        assert_eq!(most, at_once);
        // Little's law: as many runs as fit, each as long as it takes.
        let little = 400.0 * run_s / f64::from(at_once);
        assert!((makespan / little - 1.0).abs() < 0.02, "{makespan} {little}");
    }
}

/// While tools run an agent holds no place in the pool, and is one of the job's all the
/// same.
#[test]
fn agents_that_wait_for_tools_count_among_those_of_a_job() {
    let agent = "turns = { count = 3, output_tokens = 20 }\ntools = { calls = [1.0], class = [{ name = \"t\", \
                 latency = \"30 s\", result_tokens = 50 }] }";
    let makespan = |concurrency: u32| {
        let batch = format!(
            "batch = {{ every = \"9 h\", calls = 120, deadline = \"5 h\", concurrency = {concurrency} }}"
        );
        let scenario = pool("duration = \"1 h\"", &runs(&batch, agent));
        let record = simulate(&scenario);
        let case = of(&record, &scenario, "job");
        assert_eq!((case.calls, case.sessions.completed), (360, 120));
        case.jobs.makespan as f64 / 1e10
    };
    // Two tool calls a run, hardly anything else.
    for (concurrency, rounds) in [(10, 12.0), (40, 3.0), (120, 1.0)] {
        let found = makespan(concurrency);
        assert!((1.0..1.06).contains(&(found / (rounds * 60.0))), "{concurrency}: {found}");
    }
}

/// Nobody waits for a job: its agents have one run each, and no patience to lose.
#[test]
fn agents_of_a_job_have_no_user() {
    let agent = "turns = { count = 4, output_tokens = 20 }\nsession = { runs = 5, gap = \"1 h\" }\n\
                 limits = { patience = \"10 s\" }\ntools = { calls = [1.0], class = [{ name = \"t\", latency = \
                 \"20 s\", result_tokens = 50 }] }";
    let batch = "batch = { every = \"9 h\", calls = 16, deadline = \"1 h\" }";
    let scenario = pool("duration = \"1 h\"", &runs(batch, agent));
    let record = simulate(&scenario);
    let case = of(&record, &scenario, "job");
    assert_eq!((case.agents[0].done, case.agents[0].abandoned, case.calls), (16, 0, 64));
    let makespan = case.jobs.makespan as f64 / 1e10;
    assert!((60.0..70.0).contains(&makespan), "{makespan}");
    // The forecast knows.
    let expected = forecast(&scenario).total.unwrap().calls.mean;
    assert!((expected - 64.0).abs() < 1e-9, "{expected}");
}

#[test]
fn agents_of_a_job_give_way_to_users() {
    let day = "duration = \"24 h\"";
    let helpers = format!(
        "{FIVE_TURNS}\nchildren = {{ probability = 0.3, fan_out = [0.0, 1.0], agent = \"y\", summary_tokens = 40 }}\n\
         [[agent]]\nname = \"y\"\ncontext = {{ message_tokens = 100 }}\nturns = {{ count = 2, output_tokens = 40 }}"
    );
    let job = |keys: &str| {
        runs(
            &format!("batch = {{ every = \"30 h\", calls = 5_000, deadline = \"24 h\", {keys} }}"),
            &helpers,
        )
    };
    let (alone, both) = (pool(day, &chat()), pool(day, &(chat() + &job("fill = 0.5"))));
    let rash = pool(day, &(chat() + &job("rush = \"24 h\", concurrency = 200")));
    let [(quiet, _), (busy, jobs), (hurt, _)] = [&alone, &both, &rash].map(|scenario| {
        let record = simulate(scenario);
        let jobs = record.whole.use_cases.last().unwrap().jobs;
        (of(&record, scenario, "chat").clone(), jobs)
    });
    assert_eq!((jobs.done, jobs.on_time), (1, 1));
    let p99 = |case: &UseCaseRecord| case.ttft.quantiles[3];
    let longest = |case: &UseCaseRecord| *case.ttft.known.quantiles().last().unwrap();
    // Sub-agents and further turns do not look for room: the chat waits a step or two.
    assert!(p99(&busy) < p99(&quiet) + 0.05, "{} {}", p99(&busy), p99(&quiet));
    assert!(longest(&hurt) > longest(&busy) + 1.0, "{} {}", longest(&hurt), longest(&busy));
}

#[test]
fn agents_that_can_never_be_served_do_not_hold_a_job() {
    let agent = "turns = { count = 2, output_tokens = 40 }".to_owned();
    let batch = "batch = { every = \"9 h\", calls = 50, deadline = \"1 h\" }";
    let text = runs(batch, &agent).replace("message_tokens = 200 ", "message_tokens = 200_000 ");
    let scenario = pool("duration = \"30 min\"", &text);
    let record = simulate(&scenario);
    let case = of(&record, &scenario, "job");
    assert_eq!((case.calls, case.rejected, case.agents[0].failed), (0, 50, 50));
    assert_eq!((case.jobs.done, case.jobs.makespan), (1, 0));
    // Nor do those whose tools fail again and again.
    let tools = "limits = { retries = 0 }\ntools = { failure = 0.9, calls = [1.0], class = [{ name = \"t\", latency \
                 = \"3 s\", result_tokens = 5 }] }";
    let batch = "batch = { every = \"9 h\", calls = 50, deadline = \"1 h\", concurrency = 1 }";
    let scenario = pool("duration = \"30 min\"", &runs(batch, &format!("{agent}\n{tools}")));
    let record = simulate(&scenario);
    let case = of(&record, &scenario, "job");
    assert_eq!((case.jobs.done, case.agents[0].failed + case.agents[0].done), (1, 50));
    assert!(case.agents[0].failed > 30, "{}", case.agents[0].failed);
}

/// Turns follow each other on one pool, where their context is.
#[test]
fn an_agent_of_a_job_stays_where_it_began() {
    let second = "[[pool]]\nname = \"b\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nengine = { \
                  max_num_seqs = 16 }\n";
    let batch = |pools: &str, calls: u32| {
        format!(
            "pool = [{pools}]\nbatch = {{ every = \"9 h\", calls = {calls}, deadline = \"1 h\" }}"
        )
    };
    let record = |pools: &str, calls: u32| {
        let scenario = pool(
            "duration = \"1 h\"",
            &(second.to_owned() + &runs(&batch(pools, calls), FIVE_TURNS)),
        );
        let record = simulate(&scenario);
        (of(&record, &scenario, "job").clone(), [0, 1].map(|at| record.whole.pools[at].finished))
    };
    let ((one, _), (two, [a, b])) = (record("\"a\"", 400), record("\"a\", \"b\"", 400));
    assert_eq!((a + b, a % 5), (2_000, 0));
    assert!(a.abs_diff(b) < 200, "{a} {b}");
    assert!(two.jobs.makespan * 10 < one.jobs.makespan * 6);
    // But for what is global to its kind, which the second pool computes once more.
    assert_eq!(one.prompt_tokens, two.prompt_tokens);
    assert!(
        one.cached_tokens - two.cached_tokens <= 320,
        "{} {}",
        one.cached_tokens,
        two.cached_tokens
    );
    // A small one is not all in the pool that is named first.
    let (_, [a, b]) = record("\"a\", \"b\"", 6);
    assert_eq!([a, b], [15, 15]);
}

#[test]
fn recorded_sessions_may_be_the_items_of_a_job() {
    let folder = tempfile::tempdir().unwrap();
    let call = |t: f64, n: u32| {
        format!(
            "{{\"t\": {t}, \"in\": {n}, \"out\": 9, \"hash_ids\": [1], \"think_time\": 2, \"stop\": \"end_turn\"}}"
        )
    };
    let line =
        format!("{{\"block_size\": 64, \"requests\": [{}, {}]}}\n", call(0.0, 80), call(3.0, 90));
    std::fs::write(folder.path().join("t.jsonl"), line.repeat(2)).unwrap();
    let text = "name = \"b\"\nduration = \"1 h\"\n[[pool]]\nname = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \
                \"h100-sxm\"\n[[use_case]]\nname = \"job\"\nreplay = { path = \"t.jsonl\" }\nbatch = { every = \
                \"9 h\", calls = 30, deadline = \"1 h\", concurrency = 10 }\n";
    let scenario = tokenmill::scenario::parse(text, "s.toml", folder.path(), &Default::default())
        .unwrap()
        .scenario;
    let record = simulate(&scenario);
    let case = of(&record, &scenario, "job");
    assert_eq!((case.calls, case.sessions.completed, case.jobs.done), (60, 30, 1));
    // Three rounds of ten, each with a pause of two seconds.
    let makespan = case.jobs.makespan as f64 / 1e10;
    assert!((6.0..6.8).contains(&makespan), "{makespan}");
    let expected = forecast(&scenario).total.unwrap().calls.mean;
    assert!((expected - 60.0).abs() < 1e-9, "{expected}");
}

/// Sessions of a job take turns as sessions of users do, each where it began.
#[test]
fn a_job_may_have_sessions() {
    let second = "[[pool]]\nname = \"b\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nengine = { \
                  max_num_seqs = 16 }\n";
    let of_pools = |pools: &str, session: &str| {
        let lines = format!(
            "pool = [{pools}]\nsession = {{ turns = 4{session} }}\nbatch = {{ every = \"9 h\", calls = 200, \
             deadline = \"1 h\", fill = 0.5 }}"
        );
        let scenario = pool("duration = \"1 h\"", &(second.to_owned() + &job(&lines)));
        let record = simulate(&scenario);
        let case = of(&record, &scenario, "job").clone();
        assert_eq!((case.calls, case.sessions.completed, case.jobs.done), (800, 200, 1));
        let expected = forecast(&scenario).total.unwrap();
        assert_eq!(
            (expected.calls.mean, expected.input_tokens.mean),
            (800.0, case.prompt_tokens as f64)
        );
        (case, most(&record), [0, 1].map(|at| record.whole.pools[at].finished))
    };
    // A turn follows the other at once: eight sessions are eight calls.
    let (at_once, most, _) = of_pools("\"a\"", "");
    assert_eq!(most, 8);
    // Contexts grow by 700 tokens a turn; blocks of 16 are found.
    assert_eq!(at_once.prompt_tokens, 200 * (600 + 1_300 + 2_000 + 2_700));
    assert_eq!(at_once.cached_tokens, 200 * (688 + 1_392 + 2_096));
    let (two, _, [a, b]) = of_pools("\"a\", \"b\"", "");
    assert_eq!((two.cached_tokens, a % 4, a + b), (at_once.cached_tokens, 0, 800));
    assert!(a.abs_diff(b) < 80, "{a} {b}");
    // With pauses, which leave room for others, 16 are under way.
    let (paused, ..) = of_pools("\"a\"", ", think = \"20 s\"");
    let makespan = paused.jobs.makespan as f64 / 1e10;
    assert!((780.0..900.0).contains(&makespan), "{makespan}");
}
