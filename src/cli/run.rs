//! `run`: replications of one scenario, written as tables, charts and a report.

use super::{Globals, blame};
use crate::error::{Error, Result};
use crate::report::{self, Facts, Inputs};
use crate::scenario::Loaded;
use crate::study::{self, Replicated};
use clap::Args;
use cpu_time::ProcessTime;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Where outputs go unless `--out` says otherwise.
const OUTPUTS: &str = "outputs";

/// Arguments of `run`.
#[derive(Debug, Default, Args)]
pub(super) struct RunArgs {
    /// The scenario file [default: a built-in quickstart]
    scenario: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs, globals: &Globals) -> Result<String> {
    let loaded = globals.load(args.scenario.as_deref())?;
    check_folder(globals.out.as_deref().unwrap_or(Path::new(OUTPUTS)))?;
    let clock = Clock::start();
    let result = replicate(&loaded, globals)?;
    let facts = clock.facts(&result, globals);
    eprintln!("{}", speed(&result, &facts));
    let dir = match &globals.out {
        Some(dir) => dir.clone(),
        None => report::default_dir(Path::new(OUTPUTS), &result.summary),
    };
    let inputs = Inputs {
        summary: &result.summary,
        series: &result.series,
        scenario_toml: &loaded.resolved_toml,
        facts: &facts,
    };
    let dir = report::write(&dir, &inputs)?;
    if globals.json {
        let summary = serde_json::to_value(&result.summary).expect("a summary is JSON");
        return Ok(super::json(&summary));
    }
    let page = dir.join("report.html");
    Ok(format!("{}\nreport: {}\n", report::terminal(&result.summary), page.display()))
}

/// An output folder that cannot be written is the user's mistake, found before
/// anything is simulated.
fn check_folder(dir: &Path) -> Result<()> {
    report::ensure_writable(dir).map_err(|error| blame("--out", error))
}

/// Runs all replications on the threads asked for, under a progress bar.
fn replicate(loaded: &Loaded, globals: &Globals) -> Result<Replicated> {
    let runs = study::runs(&loaded.scenario);
    // More threads than runs would only wait for each other.
    let threads = globals.threads.map_or(0, |threads| u32::from(threads).min(runs) as usize);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Failed(format!("cannot start threads: {error}")))?;
    let bar = progress_bar(runs, globals);
    let calls = AtomicU64::new(0);
    let done = |simulated: u64| {
        let calls = calls.fetch_add(simulated, Ordering::Relaxed) + simulated;
        let rate = calls as f64 / bar.elapsed().as_secs_f64().max(1e-9);
        bar.set_message(format!("{} calls/s", indicatif::HumanCount(rate as u64)));
        bar.inc(1);
    };
    let result = pool.install(|| study::replicate(&loaded.scenario, globals.audit, done));
    bar.finish_and_clear();
    Ok(result)
}

/// Hidden where standard error is no terminal.
fn progress_bar(runs: u32, globals: &Globals) -> ProgressBar {
    let target = match globals.no_progress {
        true => ProgressDrawTarget::hidden(),
        false => ProgressDrawTarget::stderr(),
    };
    let template = "{bar:32} {pos}/{len} replications, {msg}, {eta} left";
    let style = ProgressStyle::with_template(template).expect("the template is well formed");
    ProgressBar::with_draw_target(Some(u64::from(runs)), target).with_style(style)
}

/// When the run began, by the wall and by the CPU.
struct Clock {
    started_at: jiff::Timestamp,
    wall: Instant,
    cpu: ProcessTime,
}

impl Clock {
    fn start() -> Self {
        Clock { started_at: jiff::Timestamp::now(), wall: Instant::now(), cpu: ProcessTime::now() }
    }

    fn facts(&self, result: &Replicated, globals: &Globals) -> Facts {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Facts {
            arguments: std::env::args().collect(),
            started_at: self.started_at.to_string(),
            wall_s: self.wall.elapsed().as_secs_f64(),
            cpu_s: self.cpu.elapsed().as_secs_f64(),
            simulated_calls: result.calls,
            threads: globals.threads.map_or_else(|| cores() as u32, u32::from),
        }
    }
}

/// One line on how fast it went; for people, not for scripts.
fn speed(result: &Replicated, facts: &Facts) -> String {
    let per_cpu_s = result.calls as f64 / facts.cpu_s.max(1e-9);
    format!(
        "simulated {} calls in {:.2} s ({:.2} CPU-s on {} threads, {} calls per CPU-second)",
        indicatif::HumanCount(result.calls),
        facts.wall_s,
        facts.cpu_s,
        facts.threads,
        indicatif::HumanCount(per_cpu_s as u64),
    )
}
