//! What arrivals cost: `cargo bench --bench demand`.
//!
//! Ten million arrivals of a retailer's season, drawn and dropped: a plain
//! Poisson process, the curve alone, the curve with day noise, states, crowds
//! and bursts, and the same shared by tenants. Figures are CPU time of the
//! thread; the peak resident set is that of this process so far, and has to
//! stay where it was.

mod support;

use std::fs;
use std::hint::black_box;
use support::{Quartiles, cpu_seconds, interleave, scenario, table};
use tokenmill::demand::Source;
use tokenmill::kernel::Time;
use tokenmill::random::Streams;
use tokenmill::scenario::Scenario;

/// Arrivals drawn in one repetition.
const ARRIVALS: u32 = 10_000_000;
/// Repetitions.
const TURNS: usize = 5;

const CURVE: &str = "time_zone = \"America/New_York\"\nprofile = \"e-commerce\"\ncalendar = \
    \"retail-us\"\ngrowth = \"9.7 %/month\"\nseason = [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1.2, 1.3]\n";
const WEATHER: &str = "day_noise = { cv = 0.15, correlation = 0.3 }, states = [{ factor = 1, mean = \
    \"2 h\" }, { factor = 3, mean = \"10 min\" }], crowds = { every = \"5 days\", peak = 3, decay = \
    \"15 min\" }, gaps = { distribution = \"gamma\", cv = 1.4 }";

/// 4 arrivals a second, over enough days for all of them.
fn demand(lines: &str) -> Scenario {
    scenario(&format!(
        "name = \"demand\"\nstart = \"2026-11-01T04:00:00Z\"\nduration = \"61 days\"\n[[pool]]\n\
         name = \"a\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n[[use_case]]\nname = \
         \"shop\"\nprompt_tokens = 500\noutput_tokens = 50\narrivals = {{ process = \"poisson\", \
         rate = \"4 /s\" }}\n{lines}"
    ))
}

/// Nanoseconds an arrival.
fn draw(scenario: &Scenario) -> f64 {
    let draw = || {
        let (mut drawn, mut replication) = (0, 0);
        while drawn < ARRIVALS {
            let streams = Streams::new(1, replication);
            let Source::Open(mut process) =
                Source::new(&scenario.use_cases[0], streams, Time::ZERO)
            else {
                unreachable!("an open source")
            };
            let mut now = Time::ZERO;
            while let (Some(next), true) = (process.next(now), drawn < ARRIVALS) {
                now = black_box(next);
                drawn += 1;
            }
            replication += 1;
        }
    };
    cpu_seconds(draw).0 * 1e9 / f64::from(ARRIVALS)
}

/// Largest resident set of this process so far, MB.
fn peak_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse::<f64>().ok()).expect("a count") / 1e3
}

fn main() {
    let tenants = "tenants = { count = 100, zipf = 1.2, on = \"6 h\", off = \"2 h\" }";
    let rows = [
        ("Poisson", demand("")),
        ("curve", demand(CURVE)),
        ("curve and weather", demand(&format!("{CURVE}variability = {{ {WEATHER} }}"))),
        (
            "curve, weather, 100 tenants",
            demand(&format!("{CURVE}variability = {{ {WEATHER}, {tenants} }}")),
        ),
    ];
    let before = peak_mb();
    let mut arms: Vec<Box<dyn FnMut() -> f64>> = rows
        .iter()
        .map(|(_, scenario)| Box::new(move || draw(scenario)) as Box<dyn FnMut() -> f64>)
        .collect();
    let costs = interleave(TURNS, &mut arms);
    let lines: Vec<Vec<String>> = rows
        .iter()
        .zip(&costs)
        .map(|((name, _), ns)| vec![(*name).to_owned(), Quartiles::of(ns).text(0)])
        .collect();
    table(&["demand", "ns an arrival"], &lines);
    println!("peak memory: {before:.1} MB before the first arrival, {:.1} MB after", peak_mb());
}
