//! Whether 95 % intervals hold the truth 95 times of 100: M/M/1 on the kernel,
//! a hundred-fold and more repeated, its intervals made by the functions that
//! make those of every study.
//!
//! Of 400 repetitions of an exact interval 92 to 98 % hold the truth with a
//! probability of 0.99 (binomial). Slow, so run by
//! `cargo test --release --test closed_forms coverage -- --ignored --nocapture`.

use super::*;
use tokenmill::statistics::{Serial, relative_error, waves};
use tokenmill::study::{Summary, replicate as study};

const REPETITIONS: u64 = 400;
const LOAD: f64 = 0.8;
const CONFIDENCE: f64 = 0.95;
/// A sojourn that is long, s.
const LONG_S: f64 = 10.0;

/// One run of M/M/1, the calls of its first tenth left out.
fn mm1_run(calls: u32, name: &str, run: u64) -> Tally {
    Line::run(&[station(exponential(1.0), 1)], LOAD, calls, Streams::new(entity(name), run))
}

/// The truths: mean and 95th percentile of the sojourn, share of long ones.
fn truths() -> [f64; 3] {
    let p95 = queueing::mm1_sojourn_quantile(LOAD, 1.0, 0.95);
    [queueing::mm1_sojourn(LOAD, 1.0), p95, (-LONG_S * (1.0 - LOAD)).exp()]
}

/// Mean, 95th percentile, long ones and all of these sojourns.
fn figures(sojourns: &[f64]) -> [f64; 4] {
    let long = sojourns.iter().filter(|sojourn| **sojourn > LONG_S).count() as f64;
    let p95 = quantile(&mut sojourns.to_vec(), 0.95).expect("there are sojourns");
    [mean(sojourns), p95, long, sojourns.len() as f64]
}

fn column<const N: usize>(rows: &[[f64; N]], at: usize) -> Vec<f64> {
    rows.iter().map(|row| row[at]).collect()
}

fn holds(interval: &Interval, truth: f64) -> bool {
    interval.low.expect("an interval") <= truth && truth <= interval.high.expect("an interval")
}

/// Share of repetitions whose intervals hold each truth.
fn coverage<const N: usize>(
    what: [&str; N],
    truths: [f64; N],
    repeat: impl Fn(u64) -> [Interval; N] + Sync,
) -> [f64; N] {
    let found: Vec<[Interval; N]> = (0..REPETITIONS).into_par_iter().map(&repeat).collect();
    std::array::from_fn(|at| {
        let held = found.iter().filter(|intervals| holds(&intervals[at], truths[at])).count();
        let share = held as f64 / REPETITIONS as f64;
        println!(
            "{}: {:.1} % of {REPETITIONS} intervals hold {:.4}",
            what[at],
            share * 100.0,
            truths[at]
        );
        share
    })
}

#[track_caller]
fn check_coverage(shares: &[f64]) {
    assert!(shares.iter().all(|share| (0.92..=0.98).contains(share)), "{shares:?}");
}

#[test]
#[ignore = "slow: by flag, and once a week in .ci/run"]
fn coverage_of_replications() {
    const RUNS: u64 = 12;
    let what = ["replications, mean", "replications, p95", "replications, long (jackknife)"];
    check_coverage(&coverage(what, truths(), |repetition| {
        let runs = (repetition * RUNS..(repetition + 1) * RUNS)
            .map(|run| figures(&mm1_run(10_000, "coverage of replications", run).sojourns));
        let runs: Vec<[f64; 4]> = runs.collect();
        [
            Interval::student_at(&column(&runs, 0), CONFIDENCE).unwrap(),
            Interval::student_at(&column(&runs, 1), CONFIDENCE).unwrap(),
            Interval::ratio_at(&column(&runs, 2), &column(&runs, 3), CONFIDENCE).unwrap(),
        ]
    }));
}

/// The sojourns of a run by equal sections of the time in which calls arrived.
fn sections(tally: &Tally, count: usize) -> Vec<Vec<f64>> {
    let (first, last) = (tally.arrived[0], tally.arrived[tally.arrived.len() - 1]);
    let mut sections = vec![Vec::new(); count];
    for (sojourn, arrived) in tally.sojourns.iter().zip(&tally.arrived) {
        let at = ((arrived - first) / (last - first) * count as f64) as usize;
        sections[at.min(count - 1)].push(*sojourn);
    }
    sections
}

#[test]
#[ignore = "slow: by flag, and once a week in .ci/run"]
fn coverage_of_sections() {
    const SECTIONS: usize = 20;
    let what = ["sections, mean", "sections, p95", "sections, long (jackknife)"];
    let alarms = std::sync::atomic::AtomicU64::new(0);
    check_coverage(&coverage(what, truths(), |repetition| {
        let tally = mm1_run(120_000, "coverage of sections", repetition);
        let whole = figures(&tally.sojourns);
        let parts: Vec<[f64; 4]> = sections(&tally, SECTIONS).iter().map(|s| figures(s)).collect();
        let serial = Serial::of(&[column(&parts, 0)]).expect("they vary");
        alarms.fetch_add(serial.is_significant().into(), std::sync::atomic::Ordering::Relaxed);
        let ratio = Interval::ratio_at(&column(&parts, 2), &column(&parts, 3), CONFIDENCE);
        [
            Interval::sectioned(whole[0], &column(&parts, 0), CONFIDENCE),
            Interval::sectioned(whole[1], &column(&parts, 1), CONFIDENCE),
            ratio.unwrap().moved_to(whole[2] / whole[3]),
        ]
    }));
    println!("sections called dependent: {} of {REPETITIONS}", alarms.into_inner());
}

/// Stopping where an interval happens to be narrow costs a little coverage.
#[test]
#[ignore = "slow: by flag, and once a week in .ci/run"]
fn coverage_of_sequential_stopping() {
    const MAX: u32 = 512;
    for precision in [0.10, 0.05] {
        let runs = std::sync::atomic::AtomicU64::new(0);
        let what = [&*format!("until within {} %, mean", precision * 100.0)];
        let name = format!("coverage of stopping {precision}");
        let [share] = coverage(what, [truths()[0]], |repetition| {
            let mut means = Vec::new();
            for wave in waves(16, MAX) {
                let run =
                    |run| mean(&mm1_run(4_000, &name, repetition * u64::from(MAX) + run).sojourns);
                means.extend((means.len() as u64..u64::from(wave)).map(run));
                let interval = Interval::student_at(&means, CONFIDENCE).unwrap();
                if relative_error(&interval).is_some_and(|error| error <= precision) {
                    break;
                }
            }
            runs.fetch_add(means.len() as u64, std::sync::atomic::Ordering::Relaxed);
            [Interval::student_at(&means, CONFIDENCE).unwrap()]
        });
        println!("replications: {:.1} on average", runs.into_inner() as f64 / REPETITIONS as f64);
        assert!((0.92..=0.98).contains(&share), "{precision}: {share}");
    }
}

const FACTORY: &str = r#"
name = "coverage"
warm_up = "20 s"
[[pool]]
name = "a"
model = "llama-3.1-8b"
hardware = "h100-sxm"
engine = { max_num_seqs = 16 }
[[use_case]]
name = "chat"
arrivals = { process = "poisson", rate = "9 /s" }
prompt_tokens = { distribution = "lognormal", median = 300, sigma = 0.7 }
output_tokens = { distribution = "lognormal", median = 80, sigma = 0.6 }
slo = { ttft_p95 = "30 ms" }
"#;

/// The whole way, from a scenario to its summary. There is no closed form: the
/// mean of all repetitions is the truth, known twenty times better than by any.
#[test]
#[ignore = "slow: by flag, and once a week in .ci/run"]
fn coverage_of_whole_studies() {
    let repeat = |head: &str, seed: u64| -> [Interval; 4] {
        let text = format!("seed = {}\n{head}{FACTORY}", seed + 1);
        let Summary { use_cases, pools, .. } =
            study(&common::load(&text).scenario, false, |_| {}).summary;
        let chat = &use_cases["chat"];
        let figures = [chat.e2e_s.mean, chat.e2e_s.p95, chat.goodput_fraction];
        let [mean, p95, good] = figures.map(|figure| figure.expect("the load is sustained"));
        [mean, p95, good, pools["a"].usd_per_mtok.total.expect("a price")]
    };
    for (name, head) in [
        ("12 replications", "duration = \"80 s\"\nreplications = 12\n"),
        ("20 sections", "duration = \"1020 s\"\nreplications = 1\nsections = 20\n"),
    ] {
        let all: Vec<[Interval; 4]> =
            (0..REPETITIONS).into_par_iter().map(|seed| repeat(head, seed)).collect();
        let truths = std::array::from_fn(|at| {
            all.iter().map(|intervals| intervals[at].mean).sum::<f64>() / REPETITIONS as f64
        });
        let keys = ["mean end to end", "p95 end to end", "goodput", "$/Mtok"];
        let what = keys.map(|key| format!("a study of {name}, {key}"));
        let what = std::array::from_fn(|at| what[at].as_str());
        check_coverage(&coverage(what, truths, |repetition| all[repetition as usize]));
    }
}
