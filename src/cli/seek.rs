//! `seek`: the value of one key at which bounds on figures are just kept.

use super::columns::columns;
use super::job::Job;
use super::{Globals, json};
use crate::error::{Error, Mistake, Result};
use crate::report::{self, seek_over_terminal, seek_terminal};
use crate::scenario::seek::Seek;
use crate::scenario::{Loaded, Variants};
use crate::study::seek::{self, OverPlan, Plan};
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `seek`.
///
/// The scenario's `[seek]` table names the key, the range to look in, and the
/// bounds to keep; --set changes them like any other key.
#[derive(Debug, Args)]
pub(super) struct SeekArgs {
    /// The scenario file, with a [seek] table
    scenario: PathBuf,
}

pub(super) fn seek(args: &SeekArgs, globals: &Globals) -> Result<String> {
    let (loaded, variants) = globals.open(&args.scenario)?;
    let Some(wanted) = loaded.seek.clone() else {
        return Err(Error::Invalid(vec![no_seek(&args.scenario)]));
    };
    if wanted.over.is_some() {
        return seek_over(&loaded, &variants, &wanted, globals);
    }
    let plan = Plan::new(&loaded, &variants, wanted)?;
    let job = Job::start(globals)?;
    let found = job.carry_out(plan.runs_max(), |done| seek::seek(&plan, globals.audit, done))??;
    let dir = job.keep(&report::seek(&found.result, &loaded.resolved_toml))?;
    if globals.json {
        return Ok(json(&found.result));
    }
    let page = dir.join("report.html");
    Ok(format!("{}\nreport: {}\n", seek_terminal(&found.result, table), page.display()))
}

/// The same at each value of the second key.
fn seek_over(
    loaded: &Loaded,
    variants: &Variants,
    wanted: &Seek,
    globals: &Globals,
) -> Result<String> {
    let plan = OverPlan::new(loaded, variants, wanted)?;
    let job = Job::start(globals)?;
    let runs = plan.runs_max();
    let result = job.carry_out(runs, |done| seek::seek_over(&plan, globals.audit, done))??;
    let dir = job.keep(&report::seek_over(&result, &loaded.resolved_toml))?;
    if globals.json {
        return Ok(json(&result));
    }
    let page = dir.join("report.html");
    Ok(format!("{}\nreport: {}\n", seek_over_terminal(&result, table), page.display()))
}

fn table(head: &[String], rows: &[Vec<String>]) -> String {
    columns(&head.iter().map(String::as_str).collect::<Vec<_>>(), rows, 0)
}

fn no_seek(path: &Path) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        line: None,
        key: "seek".to_owned(),
        value: None,
        problem: "is missing: there is nothing to look for".to_owned(),
        fix: "add a [seek] with key, from, to and keep; docs/scenario.md has an example".to_owned(),
    }
}
