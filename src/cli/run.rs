//! `run`: replications of one scenario, written as tables, charts and a report.

use super::Globals;
use super::job::Job;
use crate::error::Result;
use crate::report::{self, json};
use crate::study;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `run`.
#[derive(Debug, Default, Args)]
pub(super) struct RunArgs {
    /// The scenario file [default: a built-in quickstart]
    scenario: Option<PathBuf>,
}

pub(super) fn run(args: &RunArgs, globals: &Globals) -> Result<String> {
    let loaded = globals.load(args.scenario.as_deref())?;
    let scenario = &loaded.scenario;
    let job = Job::start(globals)?;
    let result = job
        .carry_out(study::runs(scenario), |done| study::replicate(scenario, globals.audit, done))?;
    let dir = job.keep(&report::run(&result.summary, &result.series, &loaded.resolved_toml))?;
    if globals.json {
        return Ok(json(&result.summary));
    }
    let page = dir.join("report.html");
    Ok(format!("{}\nreport: {}\n", report::terminal(&result.summary), page.display()))
}
