//! Recordings whose clock ticks coarsely, replayed as they came and not as they were
//! written down.

mod common;

use common::mean_of;
use std::fmt::Write;
use std::path::Path;
use tokenmill::kernel::TICKS_PER_SECOND;
use tokenmill::random::{Component, Streams};
use tokenmill::scenario::{Arrivals, Loaded, Overrides, parse};
use tokenmill::study::{compare, replicate};

/// Seconds at which calls come by chance, `rate` of them a second for `length_s`.
fn instants(rate: f64, length_s: f64) -> Vec<f64> {
    let mut stream = Streams::new(7, 0).stream(Component::Arrivals, 0, 0);
    let mut now = 0.0;
    let calls = std::iter::from_fn(|| {
        now -= (1.0 - stream.unit()).ln() / rate;
        (now < length_s).then_some(now)
    });
    calls.collect()
}

/// A recording of calls at these seconds, each with a prompt of its own length.
fn csv(instants: &[f64]) -> String {
    let mut text = "at_s,in,out\n".to_owned();
    for (number, at) in instants.iter().enumerate() {
        writeln!(text, "{at:.3},{},100", 800 + number % 200).unwrap();
    }
    text
}

fn replay(csv: &str, keys: &str, more: &str) -> Loaded {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("calls.csv"), csv).unwrap();
    let text = format!(
        "name = \"r\"\n{more}[[pool]]\nname = \"p\"\nmodel = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\n\
         [[use_case]]\nname = \"u\"\ntrace = {{ path = \"calls.csv\", columns = {{ time = \"at_s\", \
         prompt_tokens = \"in\", output_tokens = \"out\" }}{keys} }}\n"
    );
    parse(&text, "s.toml", Path::new(folder.path()), &Overrides::default()).unwrap()
}

fn ttft_s(loaded: &Loaded) -> f64 {
    let summary = replicate(&loaded.scenario, false, |_| {}).summary;
    summary.use_cases["u"].ttft_s.mean.as_ref().unwrap().mean
}

fn ticks(instants: &[f64], tick: f64) -> Vec<f64> {
    instants.iter().map(|at| (at / tick).floor() * tick).collect()
}

fn note(loaded: &Loaded) -> Option<&String> {
    loaded.scenario.warnings.iter().find(|warning| warning.contains("clock ticks"))
}

#[test]
fn calls_of_a_tick_are_spread_over_it() {
    let instants = instants(15.0, 60.0);
    let fine = replay(&csv(&instants), "", "");
    assert!(note(&fine).is_none(), "{:?}", fine.scenario.warnings);
    let expected = ttft_s(&fine);
    for tick in [1.0, 3.0] {
        let coarse = csv(&ticks(&instants, tick));
        let spread = replay(&coarse, "", "");
        let note = note(&spread).expect("a note");
        assert!(note.contains(&format!("every {tick} s")) && note.contains("stamps"), "{note}");
        let found = ttft_s(&spread);
        assert!((found / expected - 1.0).abs() < 0.15, "{tick}: {found}, not {expected}");
        let exact = replay(&coarse, ", stamps = \"exact\"", "");
        assert!(self::note(&exact).is_none());
        assert!(ttft_s(&exact) > 3.0 * expected, "bursts of {tick} s");
    }
}

/// Each call stays in its tick and in the order of the file, with the first at zero.
#[test]
fn calls_keep_their_ticks_and_their_order() {
    let instants = ticks(&instants(15.0, 60.0), 1.0);
    let loaded = replay(&csv(&instants), "", "");
    let Arrivals::Trace { trace, .. } = &loaded.scenario.use_cases[0].arrivals else {
        panic!("a trace")
    };
    let calls: Vec<_> = trace.cursor().collect();
    assert_eq!(calls.len(), instants.len());
    let at = |index: usize| calls[index].at.ticks() as f64 / TICKS_PER_SECOND as f64;
    assert_eq!(at(0), 0.0);
    let mut within = Vec::new();
    for (number, stamp) in instants.iter().enumerate() {
        assert_eq!(calls[number].prompt, 800 + number as u32 % 200);
        // The first call is at zero, wherever it came in its tick.
        let into = at(number) - (stamp - instants[0]);
        assert!((-1.0..1.0).contains(&into), "{number}: {into}");
        within.push(into);
    }
    assert!(calls.is_sorted_by_key(|call| call.at));
    // They fill a second.
    let (mean, error) = mean_of(&within);
    let deviation = error * (within.len() as f64).sqrt();
    assert!((deviation - 1.0 / 12.0_f64.sqrt()).abs() < 0.02, "{mean} {deviation}");
}

/// What is meant to come at once does: few instants, and calls that share none.
#[test]
fn what_says_nothing_of_a_clock_is_taken_as_it_stands() {
    let pair = vec![0.0, 0.0];
    let few: Vec<f64> = (0..80).map(|call| f64::from(call / 8)).collect();
    let regular: Vec<f64> = (0..200).map(f64::from).collect();
    for instants in [pair, few, regular] {
        let loaded = replay(&csv(&instants), "", "");
        assert!(note(&loaded).is_none(), "{:?}", loaded.scenario.warnings);
        let Arrivals::Trace { trace, .. } = &loaded.scenario.use_cases[0].arrivals else {
            panic!("a trace")
        };
        let found: Vec<f64> = trace.cursor().map(|call| call.at.seconds()).collect();
        assert_eq!(found, instants);
    }
}

/// Arms of a comparison read a recording in the same way, each by its own keys, and so do
/// windows.
#[test]
fn comparisons_and_windows_spread_calls_too() {
    let coarse = csv(&ticks(&instants(15.0, 60.0), 1.0));
    let arm = "[[arm]]\nname = \"exact\"\nset = { \"use_case.u.trace.stamps\" = \"exact\" }\n";
    let loaded = replay(&coarse, "", arm);
    let comparison = compare(&loaded.with_baseline(), false, |_| {}).comparison;
    let value = |arm: &str| {
        let figure = &comparison.arms[arm].figures["use_cases.u.ttft_s.mean"];
        figure.value.mean
    };
    assert_eq!(value("baseline"), ttft_s(&replay(&coarse, "", "")));
    assert_eq!(value("exact"), ttft_s(&replay(&coarse, ", stamps = \"exact\"", "")));
    let windows = "duration = \"60 s\"\n[windows]\nchoose = \"worst\"\ncount = 3\nlength = \"20 s\"\n\
                   warm_up = \"1 s\"\n";
    let found = ttft_s(&replay(&coarse, "", windows));
    assert!(found < 2.0 * value("baseline"), "{found}");
}
