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
