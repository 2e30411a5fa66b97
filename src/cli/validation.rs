//! `validation`: recomputes every comparison of docs/validation.md from a
//! folder of measurements.
//!
//! What is in the folder decides what is compared: logs of servers, sweeps over
//! concurrency, open-loop experiments, tables of engine steps, traces without latencies. A file that
//! cannot be compared is named with the reason and does not keep the others
//! from it; only when nothing can be compared is that an error.

mod folder;
mod text;

use super::{Globals, json};
use crate::error::{Error, Mistake, Result};
use crate::report;
use crate::study::validation::{
    Constants, Log, OpenLoopReport, Replay, Sensitivity, Stages, StepErrors, Sweep, SweepReport,
    closed_loop, open_loop, replay, sensitivity, step_errors,
};
use crate::workload::{Format, ReadOptions, read_trace};
use clap::Args;
use folder::{Content, Item};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// Arguments of `validation`.
#[derive(Debug, Args)]
pub(super) struct ValidationArgs {
    /// The folder of measurements; folders below it are searched too
    #[arg(value_name = "DATA-DIR")]
    dir: PathBuf,
    /// At most so many rows of each sweep or open-loop table, evenly spread over it [default: all]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rows: Option<u32>,
}

/// Everything that was compared.
#[derive(Debug, Default, Serialize)]
struct Validation {
    logs: Vec<Replay>,
    steps: Vec<Steps>,
    sweeps: Vec<Sweeps>,
    open_loop: Vec<OpenLoop>,
    traces: Vec<Trace>,
    left_out: Vec<LeftOut>,
}

/// A table of engine steps.
#[derive(Debug, Serialize)]
struct Steps {
    table: String,
    groups: Vec<StepErrors>,
}

/// A sweep under each choice of constants.
#[derive(Debug, Serialize)]
struct Sweeps {
    table: String,
    /// Aggregated closed-loop rows of high confidence.
    rows: usize,
    /// Rows of other kinds, not compared.
    other_rows: usize,
    reports: Vec<SweepReport>,
}

/// Open-loop experiments under each choice of constants.
#[derive(Debug, Serialize)]
struct OpenLoop {
    table: String,
    /// Single stages of high confidence.
    rows: usize,
    /// Rows of other kinds, not compared.
    other_rows: usize,
    reports: Vec<OpenLoopReport>,
}

/// A trace served by a plausible pool.
#[derive(Debug, Serialize)]
struct Trace {
    trace: String,
    #[serde(flatten)]
    sensitivity: Sensitivity,
}

/// What could not be compared, and why.
#[derive(Debug, Serialize)]
struct LeftOut {
    path: String,
    reason: String,
}

pub(super) fn validation(args: &ValidationArgs, globals: &Globals) -> Result<String> {
    if let Some(out) = &globals.out {
        report::ensure_writable(out)?;
    }
    let threads = globals.threads.map_or(0, usize::from);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.map_err(|error| Error::Failed(format!("cannot start threads: {error}")))?;
    let found = pool.install(|| compare(args, globals))?;
    if let Some(out) = &globals.out {
        draw(&found.logs, out)?;
    }
    if globals.json {
        return Ok(json(&serde_json::to_value(&found).expect("comparisons are JSON")));
    }
    Ok(text::text(&found))
}

fn compare(args: &ValidationArgs, globals: &Globals) -> Result<Validation> {
    let items = folder::search(&args.dir)?;
    let mut found = Validation::default();
    let mut mistakes = Vec::new();
    let mut compared = 0;
    for item in &items {
        if !globals.no_progress {
            super::tell(&item.path.display().to_string());
        }
        match found.add(item, args, globals) {
            Ok(()) => compared += 1,
            Err(Error::Invalid(wrong)) => {
                let reasons: Vec<String> = wrong.iter().map(Mistake::to_string).collect();
                let path = item.path.display().to_string();
                found.left_out.push(LeftOut { path, reason: reasons.join("; ") });
                mistakes.extend(wrong);
            }
            Err(error) => return Err(error),
        }
    }
    if compared > 0 {
        return Ok(found);
    }
    if mistakes.is_empty() {
        mistakes.push(folder::nothing(&args.dir));
    }
    Err(Error::Invalid(mistakes))
}

impl Validation {
    /// Compares what `item` holds.
    fn add(&mut self, item: &Item, args: &ValidationArgs, globals: &Globals) -> Result<()> {
        let name = item.path.display().to_string();
        let both = [Constants::Default, Constants::Uncalibrated];
        match item.content {
            Content::Log => {
                let log =
                    folder::with_log(&item.path, |text| Log::parse(text, globals.skip_bad_lines))?;
                self.logs.push(replay(&log, &both)?);
            }
            Content::Steps => {
                let groups = step_errors(folder::open(&item.path)?, &name)?;
                self.steps.push(Steps { table: name, groups });
            }
            Content::Sweep => {
                let Sweep { rows, other_rows } = Sweep::read(folder::open(&item.path)?, &name)?;
                let chosen = spread(&rows, args.rows);
                let constants = [Constants::Default, Constants::Uncalibrated, Constants::PerEngine];
                let reports = constants.map(|constants| closed_loop(&chosen, constants));
                let reports = reports.into_iter().collect::<Result<_>>()?;
                self.sweeps.push(Sweeps { table: name, rows: rows.len(), other_rows, reports });
            }
            Content::OpenLoop => {
                let Stages { rows, other_rows } = Stages::read(folder::open(&item.path)?, &name)?;
                let chosen = spread(&rows, args.rows);
                let [default, plain] = both;
                let reports = [Constants::Asynchronous, default, plain]
                    .map(|constants| open_loop(&chosen, constants));
                let reports = reports.into_iter().collect::<Result<_>>()?;
                self.open_loop.push(OpenLoop {
                    table: name,
                    rows: rows.len(),
                    other_rows,
                    reports,
                });
            }
            Content::Trace => {
                let options = ReadOptions {
                    skip_bad_lines: globals.skip_bad_lines,
                    ..ReadOptions::default()
                };
                let trace = read_trace(Format::Azure, folder::open(&item.path)?, &name, options)
                    .map_err(Error::Invalid)?;
                let sensitivity = sensitivity(&trace)?;
                self.traces.push(Trace { trace: name, sensitivity });
            }
        }
        Ok(())
    }
}

/// At most `most` of `rows`, evenly spread; all without a limit.
fn spread<T: Clone>(rows: &[T], most: Option<u32>) -> Vec<T> {
    let most = most.map_or(rows.len(), |most| rows.len().min(most as usize));
    (0..most).map(|index| rows[index * rows.len() / most].clone()).collect()
}

/// One chart a log, as `validation-<log>.svg` and `.png`.
fn draw(logs: &[Replay], out: &Path) -> Result<()> {
    let unwritable = |source| Error::Io {
        action: "cannot write",
        path: out.to_owned(),
        source,
        fix: "choose a folder you may write to with --out",
    };
    std::fs::create_dir_all(out).map_err(unwritable)?;
    for log in logs {
        let drawing = report::replay_chart(log);
        let stem = out.join(format!("validation-{}", log.log));
        let with = |extension: &str| PathBuf::from(format!("{}.{extension}", stem.display()));
        std::fs::write(with("svg"), report::svg(&drawing)).map_err(unwritable)?;
        report::png(&drawing, &with("png"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_chosen_evenly() {
        let rows: Vec<u32> = (0..10).collect();
        assert_eq!(spread(&rows, Some(4)), [0, 2, 5, 7]);
        assert_eq!(spread(&rows, Some(99)), rows);
        assert_eq!(spread(&rows[..0], None), [0; 0]);
    }
}
