//! Same scenario, seed and version: same bytes, whatever the machine is doing.
//!
//! The scenarios of tests/golden cover every policy and kind of load. Each is
//! run twice on 1, 2 and 16 threads, and its digest is compared with the one on
//! record in tests/golden/digests.txt, so that debug and release builds, other
//! machines and later versions are all held to the same values. A digest that
//! should change is changed by hand: the test prints the new file.

mod common;

use common::on_threads;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use tokenmill::scenario::{Overrides, Scenario, load};
use tokenmill::study::replicate;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

/// The scenarios, by file name.
fn scenarios() -> Vec<(String, Scenario)> {
    let files =
        fs::read_dir(golden()).expect("a folder").map(|entry| entry.expect("a file").path());
    let mut paths: Vec<PathBuf> = files
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .collect();
    paths.sort();
    let read = |path: &PathBuf| {
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let loaded = load(path, &Overrides::default());
        (name, loaded.unwrap_or_else(|error| panic!("{error}")).scenario)
    };
    paths.iter().map(read).collect()
}

/// Everything a run writes that has to be the same, as bytes, and its digest.
#[derive(PartialEq)]
struct Written {
    digest: String,
    summary: String,
    series: String,
}

fn written(scenario: &Scenario, threads: usize) -> Written {
    let replicated = on_threads(threads, || replicate(scenario, true, |_| {}));
    Written {
        digest: replicated.summary.digest.clone(),
        summary: serde_json::to_string(&replicated.summary).expect("JSON"),
        series: serde_json::to_string(&replicated.series).expect("JSON"),
    }
}

#[test]
fn threads_and_repetition_change_nothing() {
    for (name, scenario) in scenarios() {
        let once = written(&scenario, 1);
        for threads in [1, 2, 16] {
            let again = written(&scenario, threads);
            assert_eq!(once.digest, again.digest, "{name} on {threads} threads");
            assert_eq!(once.summary, again.summary, "{name} on {threads} threads");
            assert!(once.series == again.series, "{name} on {threads} threads: series differ");
        }
    }
}

#[test]
fn seed_and_replications_change_the_digest() {
    let (_, scenario) = scenarios().remove(0);
    let digest = written(&scenario, 2).digest;
    let reseeded = Scenario { seed: scenario.seed + 1, ..scenario.clone() };
    let longer = Scenario { replications: scenario.replications + 1, ..scenario };
    assert_ne!(written(&reseeded, 2).digest, digest);
    assert_ne!(written(&longer, 2).digest, digest);
}

#[test]
fn digests_are_those_on_record() {
    let mut actual = String::new();
    for (name, scenario) in scenarios() {
        writeln!(actual, "{name} {}", written(&scenario, 2).digest).expect("a string grows");
    }
    let recorded = fs::read_to_string(golden().join("digests.txt")).unwrap_or_default();
    assert!(
        actual == recorded,
        "tests/golden/digests.txt should read, if that is meant:\n{actual}"
    );
}
