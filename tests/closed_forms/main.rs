//! The kernel, the random streams and the statistics against queueing theory.
//!
//! Plain servers are built on the pending set and simulated; their figures must
//! equal the closed forms. Fixed seeds, 24 replications; a figure passes when
//! the exact value lies within four standard errors and the half-width of its
//! 95 % interval is below 2 %, so that a broad interval cannot pass. Sizes are
//! chosen for half-widths of 1.5-1.8 %. Little's law is checked on every run,
//! as an identity of integers. `-- --nocapture` prints what was found.

mod agents;
#[path = "../common/mod.rs"]
mod common;
mod coverage;
mod line;

use line::{Area, Line, Station, Tally, station};
use rayon::prelude::*;
use statrs::distribution::{ChiSquared, ContinuousCDF};
use std::collections::VecDeque;
use std::f64::consts::{E, TAU};
use tokenmill::kernel::{PendingSet, Slot, SlotHeap, Span, Time};
use tokenmill::random::{Component, Distribution, Stream, Streams, entity};
use tokenmill::statistics::{Interval, quantile, queueing, student_quantile};

const REPLICATIONS: u64 = 24;

/// Runs all replications and gives one list of values a figure. The name seeds
/// them, so that no two models share their luck.
fn replicate<const N: usize>(
    name: &str,
    run: impl Fn(Streams) -> [f64; N] + Sync,
) -> [Vec<f64>; N] {
    let runs: Vec<[f64; N]> = (0..REPLICATIONS)
        .into_par_iter()
        .map(|replication| run(Streams::new(entity(name), replication)))
        .collect();
    std::array::from_fn(|figure| runs.iter().map(|run| run[figure]).collect())
}

/// The pass rule.
#[track_caller]
fn check(what: &str, values: &[f64], exact: f64) {
    let interval = Interval::student(values).unwrap();
    let half = interval.high.unwrap() - interval.mean;
    let errors = (interval.mean - exact) / half * student_quantile(values.len() as u32 - 1, 0.95);
    println!(
        "{what}: {:.6} +- {:.2} %, exact {exact:.6}, {errors:+.2} standard errors",
        interval.mean,
        100.0 * half / interval.mean
    );
    assert!(errors.abs() < 4.0, "{what}: {errors:.1} standard errors from {exact}");
    assert!(half < 0.02 * exact.abs(), "{what}: the interval is too wide");
}

fn exponential(mean: f64) -> Distribution {
    Distribution::exponential(mean).unwrap()
}

/// Mean 1, sigma 1: squared coefficient of variation e - 1.
fn lognormal() -> Distribution {
    Distribution::lognormal_mean_cv(1.0, (E - 1.0).sqrt()).unwrap()
}

fn span(law: &Distribution, stream: &mut Stream) -> Span {
    Span::from_seconds(law.sample(stream))
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn mm1() {
    let stations = [station(exponential(1.0), 1)];
    let [wait, sojourn, queue, p99] = replicate("M/M/1", |streams| {
        let mut tally = Line::run(&stations, 0.8, 300_000, streams);
        let sojourn = mean(&tally.sojourns);
        let p99 = quantile(&mut tally.sojourns, 0.99).unwrap();
        [tally.mean_wait(), sojourn, tally.queue_length, p99]
    });
    check("M/M/1 wait", &wait, queueing::mm1_wait(0.8, 1.0));
    check("M/M/1 sojourn", &sojourn, queueing::mm1_sojourn(0.8, 1.0));
    check("M/M/1 queue length", &queue, 3.2);
    check("M/M/1 p99 sojourn", &p99, queueing::mm1_sojourn_quantile(0.8, 1.0, 0.99));
}

#[test]
fn md1() {
    let stations = [station(Distribution::constant(1.0).unwrap(), 1)];
    let [wait] =
        replicate("M/D/1", |streams| [Line::run(&stations, 0.8, 60_000, streams).mean_wait()]);
    check("M/D/1 wait", &wait, queueing::md1_wait(0.8, 1.0));
}

#[test]
fn mg1_lognormal() {
    let stations = [station(lognormal(), 1)];
    let [wait] =
        replicate("M/G/1", |streams| [Line::run(&stations, 0.8, 200_000, streams).mean_wait()]);
    check("M/G/1 wait", &wait, queueing::mg1_wait(0.8, 1.0, E - 1.0));
}

/// Mean wait, share of calls that wait, and share that wait more than 1 s.
fn mmc(servers: u32, load: f64, calls: u32) -> [Vec<f64>; 3] {
    let stations = [station(exponential(1.0), servers)];
    replicate(&format!("M/M/{servers}"), |streams| {
        let tally = Line::run(&stations, load, calls, streams);
        let share =
            |t: f64| tally.waits.iter().filter(|wait| **wait > t).count() as f64 / tally.calls;
        [tally.mean_wait(), share(0.0), share(1.0)]
    })
}

#[test]
fn mm4() {
    let [wait, waiting, long] = mmc(4, 3.2, 200_000);
    check("M/M/4 wait", &wait, queueing::mmc_wait(3.2, 1.0, 4));
    check("M/M/4 waiting", &waiting, queueing::erlang_c(4, 3.2));
    check("M/M/4 wait above 1 s", &long, queueing::mmc_wait_exceeds(3.2, 1.0, 4, 1.0));
}

#[test]
fn mm8() {
    let [wait, waiting, _] = mmc(8, 6.4, 300_000);
    check("M/M/8 wait", &wait, queueing::mmc_wait(6.4, 1.0, 8));
    check("M/M/8 waiting", &waiting, queueing::erlang_c(8, 6.4));
}

#[test]
fn mm64() {
    let [_, waiting, _] = mmc(64, 57.6, 200_000);
    check("M/M/64 waiting", &waiting, queueing::erlang_c(64, 57.6));
}

/// Long memory and a share of calls that do not wait at all: 2 % takes 58
/// million calls.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes a minute without optimization")]
fn mm64_wait() {
    let [wait, _, _] = mmc(64, 57.6, 2_400_000);
    check("M/M/64 wait", &wait, queueing::mmc_wait(57.6, 1.0, 64));
}

fn loss(servers: u32, room: usize, load: f64, calls: u32) -> Vec<f64> {
    let stations = [Station { service: exponential(1.0), servers, room }];
    let [loss] = replicate(&format!("loss {servers}"), |streams| {
        let tally = Line::run(&stations, load, calls, streams);
        [tally.lost / tally.calls]
    });
    loss
}

#[test]
fn erlang_b() {
    check("Erlang B, 5", &loss(5, 0, 3.0, 20_000), queueing::erlang_b(5, 3.0));
    check("Erlang B, 64", &loss(64, 0, 57.6, 140_000), queueing::erlang_b(64, 57.6));
}

#[test]
fn mm1k_loss() {
    check("M/M/1/8 loss", &loss(1, 7, 0.8, 100_000), queueing::mm1k_loss(0.8, 8));
}

#[test]
fn tandem() {
    let services = [1.0, 0.8, 0.5];
    let stations = services.map(|service| station(exponential(service), 1));
    let [sojourn, in_system] = replicate("tandem", |streams| {
        let tally = Line::run(&stations, 0.8, 30_000, streams);
        [mean(&tally.sojourns), tally.in_system]
    });
    check("tandem sojourn", &sojourn, queueing::tandem_sojourn(0.8, &services));
    check("tandem in system", &in_system, 0.8 * queueing::tandem_sojourn(0.8, &services));
}

/// Processor sharing: all calls in the server progress at 1 / their number.
///
/// `work` is what a call that was there from the start has received; a call
/// leaves when it reaches its own mark. Returns (size, sojourn) of each call
/// after the warm-up, in seconds.
fn share(size: &Distribution, rate: f64, calls: u32, streams: Streams) -> Vec<(f64, f64)> {
    let gap = exponential(1.0 / rate);
    let mut arrivals = streams.stream(Component::Arrivals, 0, 0);
    let mut sizes = streams.stream(Component::Output, 0, 0);
    let mut pending = PendingSet::new(2);
    let mut marks = SlotHeap::new(1 << 14);
    let mut free: Vec<Slot> = (0..1 << 14).rev().collect();
    let mut inside = vec![(0, Span::ZERO, Time::ZERO); 1 << 14];
    let (mut work, mut last, mut number) = (0, Time::ZERO, 0);
    let (mut area, mut sojourn_ticks, mut done) = (Area::default(), 0, Vec::new());
    pending.schedule(0, Time::ZERO + span(&gap, &mut arrivals));
    while let Some((now, event)) = pending.pop() {
        work += now.since(last).ticks() / (marks.len() as u64).max(1);
        last = now;
        if event == 0 {
            let slot = free.pop().expect("a bounded number in system");
            let size = span(size, &mut sizes);
            marks.insert(slot, work + size.ticks(), 0);
            inside[slot as usize] = (number, size, now);
            area.change(now, 1);
            number += 1;
            if number < calls {
                pending.schedule(0, now + span(&gap, &mut arrivals));
            }
        } else {
            let (mark, slot) = marks.pop().expect("a departing call");
            work = mark; // up to rounding it is there already
            free.push(slot);
            let (number, size, arrived) = inside[slot as usize];
            let sojourn = now.since(arrived);
            area.change(now, -1);
            sojourn_ticks += u128::from(sojourn.ticks());
            if number >= calls / 10 {
                done.push((size.seconds(), sojourn.seconds()));
            }
        }
        match marks.peek() {
            Some((mark, _)) => {
                let left = mark.saturating_sub(work) * marks.len() as u64;
                pending.schedule(1, now + Span::from_ticks(left));
            }
            None => pending.cancel(1),
        }
    }
    assert_eq!(area.ticks, sojourn_ticks, "Little's law");
    done
}

#[test]
fn processor_sharing_is_insensitive_to_the_law_of_sizes() {
    for (name, law) in [("exponential", exponential(1.0)), ("lognormal", lognormal())] {
        let figures: [Vec<f64>; 2] = replicate(name, |streams| {
            let calls = share(&law, 0.8, 90_000, streams);
            // Sojourns are proportional to sizes: the slope over sizes around x.
            [1.0, 5.0].map(|x| {
                let near = calls.iter().filter(|(size, _)| (size / x - 1.0).abs() < 0.25);
                let (sizes, sojourns): (Vec<f64>, Vec<f64>) = near.copied().unzip();
                x * mean(&sojourns) / mean(&sizes)
            })
        });
        check(&format!("sharing, {name}, size 1"), &figures[0], queueing::ps_sojourn(0.8, 1.0));
        check(&format!("sharing, {name}, size 5"), &figures[1], queueing::ps_sojourn(0.8, 5.0));
    }
}

/// Clients who think, ask one server, and think again; slot 0 is the server.
fn closed_loop(clients: u32, seconds: f64, streams: Streams) -> [f64; 2] {
    let (think, service) = (exponential(10.0), exponential(1.0));
    let mut thinking = streams.stream(Component::Think, 0, 0);
    let mut serving = streams.stream(Component::Output, 0, 0);
    let mut pending = PendingSet::new(clients + 1);
    for client in 1..=clients {
        pending.schedule(client, Time::ZERO + span(&think, &mut thinking));
    }
    let mut queue: VecDeque<(Slot, Time)> = VecDeque::new();
    let start = Time::ZERO + Span::from_seconds(500.0);
    let end = start + Span::from_seconds(seconds);
    let (mut answers, mut response_s) = (0.0, 0.0);
    while let Some((now, slot)) = pending.pop().filter(|(now, _)| *now < end) {
        if slot == 0 {
            let (client, asked) = queue.pop_front().expect("a busy server");
            if now >= start {
                answers += 1.0;
                response_s += now.since(asked).seconds();
            }
            pending.schedule(client, now + span(&think, &mut thinking));
        } else {
            queue.push_back((slot, now));
        }
        if !queue.is_empty() && pending.due(0).is_none() {
            pending.schedule(0, now + span(&service, &mut serving));
        }
    }
    [answers / seconds, response_s / answers]
}

#[test]
fn a_closed_loop() {
    let [throughput, response] =
        replicate("closed loop", |streams| closed_loop(20, 6_000.0, streams));
    let exact = queueing::closed_loop(20, 10.0, 1.0);
    check("closed loop throughput", &throughput, exact.0);
    check("closed loop response", &response, exact.1);
}

#[test]
fn thinning_gives_a_poisson_process_of_the_right_rate() {
    const DAYS: u32 = 1000;
    const HOUR_S: f64 = 3600.0;
    let mut stream = Streams::new(2026, 0).stream(Component::Arrivals, 0, 0);
    let candidates = exponential(HOUR_S / 18.0);
    let (mut by_hour, mut by_day) = ([0.0; 24], vec![0.0; DAYS as usize]);
    let mut now = Time::ZERO;
    loop {
        now += span(&candidates, &mut stream);
        let hours = now.seconds() / HOUR_S;
        if hours >= 24.0 * f64::from(DAYS) {
            break;
        }
        if 18.0 * stream.unit() < 10.0 * (1.0 + 0.8 * (TAU * hours / 24.0).sin()) {
            by_hour[hours as usize % 24] += 1.0;
            by_day[hours as usize / 24] += 1.0;
        }
    }
    check("calls a day", &by_day, 240.0);
    let primitive = |hour: f64| -8.0 * 24.0 / TAU * (TAU * hour / 24.0).cos();
    let expected = |hour: usize| {
        f64::from(DAYS) * (10.0 + primitive(hour as f64 + 1.0) - primitive(hour as f64))
    };
    let by_hour = by_hour.iter().enumerate().map(|(hour, &n)| (n, expected(hour)));
    assert_chi_square(by_hour, 24.0);
    // Days of a Poisson process vary as the root of their mean.
    let mean = mean(&by_day);
    assert_chi_square(by_day.iter().map(|&n| (n, mean)), f64::from(DAYS - 1));
}

/// Neither too far from the expected counts nor too close to them.
fn assert_chi_square(counts: impl Iterator<Item = (f64, f64)>, freedom: f64) {
    let statistic: f64 = counts.map(|(n, expected)| (n - expected).powi(2) / expected).sum();
    let p = ChiSquared::new(freedom).unwrap().cdf(statistic);
    println!("chi-square {statistic:.1} with {freedom} degrees of freedom: p {p:.3}");
    assert!((0.001..0.999).contains(&p), "{statistic} with {freedom} degrees of freedom");
}
