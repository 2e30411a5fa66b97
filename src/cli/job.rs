//! Carries out a study for a verb: threads, a progress bar, what it took, and
//! the folder of its outputs.

use super::{Globals, blame, tell};
use crate::error::{Error, Result};
use crate::report::{self, Facts, Outputs};
use cpu_time::ProcessTime;
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

/// Where outputs go unless `--out` says otherwise.
pub(super) const OUTPUTS: &str = "outputs";

/// A study under way.
pub(super) struct Job<'a> {
    globals: &'a Globals,
    started_at: jiff::Timestamp,
    wall: Instant,
    cpu: ProcessTime,
    calls: AtomicU64,
    threads: AtomicU32,
}

impl<'a> Job<'a> {
    /// Starts the clock, once it is certain that results can be kept.
    pub fn start(globals: &'a Globals) -> Result<Self> {
        check_folder(globals.out.as_deref().unwrap_or(Path::new(OUTPUTS)))?;
        Ok(Job {
            globals,
            started_at: jiff::Timestamp::now(),
            wall: Instant::now(),
            cpu: ProcessTime::now(),
            calls: AtomicU64::new(0),
            threads: AtomicU32::new(0),
        })
    }

    /// Carries out `study`, which runs `runs` replications, on the threads asked
    /// for; it tells the function it is given the calls of each replication.
    pub fn carry_out<T: Send>(
        &self,
        runs: u32,
        study: impl FnOnce(&(dyn Fn(u64) + Sync)) -> T + Send,
    ) -> Result<T> {
        let bar = self.progress_bar(runs);
        let done = |simulated: u64| {
            let calls = self.calls.fetch_add(simulated, Ordering::Relaxed) + simulated;
            let rate = calls as f64 / self.wall.elapsed().as_secs_f64().max(1e-9);
            bar.set_message(format!("{} calls/s", HumanCount(rate as u64)));
            bar.inc(1);
        };
        let result = self.compute(runs, || study(&done));
        bar.finish_and_clear();
        result
    }

    /// Does `work` of so many pieces on the threads asked for, without a bar.
    pub fn compute<T: Send>(&self, pieces: u32, work: impl FnOnce() -> T + Send) -> Result<T> {
        // More threads than pieces would only wait for each other.
        let threads =
            self.globals.threads.map_or(0, |threads| u32::from(threads).min(pieces) as usize);
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        let pool = pool.map_err(|error| Error::Failed(format!("cannot start threads: {error}")))?;
        self.threads.store(pool.current_num_threads() as u32, Ordering::Relaxed);
        Ok(pool.install(work))
    }

    /// Writes the outputs and says, for people, how fast it went.
    pub fn keep(&self, outputs: &Outputs) -> Result<PathBuf> {
        self.keep_in(&self.folder(outputs), outputs)
    }

    fn folder(&self, outputs: &Outputs) -> PathBuf {
        match &self.globals.out {
            Some(dir) => dir.clone(),
            None => report::default_dir(Path::new(OUTPUTS), &outputs.identity),
        }
    }

    /// As [`Job::keep`], in this folder.
    pub fn keep_in(&self, dir: &Path, outputs: &Outputs) -> Result<PathBuf> {
        let facts = self.facts();
        tell(&speed(&facts));
        report::write(dir, outputs, &facts)
    }

    /// As [`Job::keep`], where nothing was simulated whose speed could be told.
    pub fn leave_as_named(&self, outputs: &Outputs) -> Result<PathBuf> {
        self.leave(&self.folder(outputs), outputs)
    }

    /// As [`Job::keep_in`], where nothing was simulated whose speed could be told.
    pub fn leave(&self, dir: &Path, outputs: &Outputs) -> Result<PathBuf> {
        report::write(dir, outputs, &self.facts())
    }

    /// Hidden where standard error is no terminal.
    fn progress_bar(&self, runs: u32) -> ProgressBar {
        let target = match self.globals.no_progress {
            true => ProgressDrawTarget::hidden(),
            false => ProgressDrawTarget::stderr(),
        };
        let template = "{bar:32} {pos}/{len} runs, {msg}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is well formed");
        ProgressBar::with_draw_target(Some(u64::from(runs)), target).with_style(style)
    }

    fn facts(&self) -> Facts {
        Facts {
            arguments: std::env::args().collect(),
            started_at: self.started_at.to_string(),
            wall_s: self.wall.elapsed().as_secs_f64(),
            cpu_s: self.cpu.elapsed().as_secs_f64(),
            simulated_calls: self.calls.load(Ordering::Relaxed),
            threads: self.threads.load(Ordering::Relaxed),
        }
    }
}

/// An output folder that cannot be written is the user's mistake, found before
/// anything is simulated.
fn check_folder(dir: &Path) -> Result<()> {
    report::ensure_writable(dir).map_err(|error| blame("--out", error))
}

fn speed(facts: &Facts) -> String {
    let per_cpu_s = facts.simulated_calls as f64 / facts.cpu_s.max(1e-9);
    format!(
        "simulated {} calls in {:.2} s ({:.2} CPU-s on {} threads, {} calls per CPU-second)",
        HumanCount(facts.simulated_calls),
        facts.wall_s,
        facts.cpu_s,
        facts.threads,
        HumanCount(per_cpu_s as u64),
    )
}
