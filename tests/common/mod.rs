//! What tests share: scenarios from text, runs, folders, the shared data.

// Each test is a crate of its own and uses some of it.
#![allow(dead_code)]

pub mod recordings;

use assert_cmd::Command;
use rayon::ThreadPoolBuilder;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tokenmill::demand::Source;
use tokenmill::kernel::Time;
use tokenmill::metrics::RunRecord;
use tokenmill::random::Streams;
use tokenmill::scenario::{Loaded, Overrides, Scenario, parse};
use tokenmill::simulation::{Options, run};

/// The scenario that `text` makes; panics with its mistakes.
#[track_caller]
pub fn load(text: &str) -> Loaded {
    let loaded = parse(text, "s.toml", Path::new(""), &Overrides::default());
    loaded.unwrap_or_else(|error| panic!("{error}"))
}

/// The first replication, audited.
pub fn simulate(scenario: &Scenario) -> RunRecord {
    run(scenario, 0, Options { audit: true, ..Options::default() })
}

/// Arrivals of the use case at index `at` before the end of the duration.
pub fn arrivals(scenario: &Scenario, at: usize, replication: u64) -> Vec<Time> {
    let streams = Streams::new(scenario.seed, replication);
    let Source::Open(mut process) = Source::new(&scenario.use_cases[at], streams, Time::ZERO)
    else {
        panic!("an open source")
    };
    let end = Time::ZERO + scenario.duration.expect("it has one");
    let mut now = Time::ZERO;
    std::iter::from_fn(|| {
        now = process.next(now)?;
        (now < end).then_some(now)
    })
    .collect()
}

/// Mean and standard error.
pub fn mean_of(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean) * (value - mean)).sum();
    (mean, (squares / (n - 1.0) / n).sqrt())
}

/// What `work` gives on so many threads.
pub fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build().expect("threads");
    pool.install(work)
}

/// A place below the folder of shared measurements and traces; where that is not
/// at hand, none, and the test says that it was skipped.
pub fn shared(path: &str) -> Option<PathBuf> {
    let Some(shared) = std::env::var_os("TOKENMILL_SHARED") else {
        eprintln!("skipped: TOKENMILL_SHARED is not set");
        return None;
    };
    Some(Path::new(&shared).join(path))
}

/// A folder with `s.toml`, which holds some text.
pub struct Folder(TempDir);

impl Folder {
    pub fn new(text: &str) -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        folder.write(text);
        folder
    }

    /// Puts another text in its place.
    pub fn write(&self, text: &str) {
        std::fs::write(self.path("s.toml"), text).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The program, in this folder.
    pub fn tokenmill(&self, arguments: &[&str]) -> Command {
        let mut command = Command::cargo_bin("tokenmill").expect("the binary is built");
        command.current_dir(self.0.path()).args(arguments);
        command
    }
}
