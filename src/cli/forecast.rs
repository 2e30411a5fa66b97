//! `forecast`: expected tokens and the peak hour of a scenario, in closed form.

use super::columns::columns;
use super::job::Job;
use super::{Globals, json};
use crate::error::Result;
use crate::report::{self, forecast_terminal};
use crate::study::forecast::forecast as expect;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `forecast`.
///
/// Nothing is simulated: these are the calls and tokens that the scenario offers,
/// whether or not its pools can serve them.
#[derive(Debug, Args)]
pub(super) struct ForecastArgs {
    /// The scenario file
    scenario: PathBuf,
}

pub(super) fn forecast(args: &ForecastArgs, globals: &Globals) -> Result<String> {
    let loaded = globals.load(Some(&args.scenario))?;
    let job = Job::start(globals)?;
    let forecast = job.compute(1, || expect(&loaded.scenario))?;
    let dir = job.leave_as_named(&report::forecast(&forecast, &loaded.resolved_toml))?;
    if globals.json {
        return Ok(json(&forecast));
    }
    let page = dir.join("report.html");
    let table = |head: &[String], rows: &[Vec<String>]| {
        columns(&head.iter().map(String::as_str).collect::<Vec<_>>(), rows, 1)
    };
    Ok(format!("{}\nreport: {}\n", forecast_terminal(&forecast, table), page.display()))
}
