//! `compare`: the arms of a scenario against it, on common random numbers.

use super::Globals;
use super::job::Job;
use crate::error::{Error, Mistake, Result};
use crate::report::{self, json};
use crate::study;
use clap::Args;
use std::path::{Path, PathBuf};

/// Arguments of `compare`.
///
/// The arms are the scenario's `[[arm]]` tables; each names the keys it changes.
#[derive(Debug, Args)]
pub(super) struct CompareArgs {
    /// The scenario file, with an [[arm]] for each what-if
    scenario: PathBuf,
}

pub(super) fn compare(args: &CompareArgs, globals: &Globals) -> Result<String> {
    let loaded = globals.load(Some(&args.scenario))?;
    if loaded.arms.is_empty() {
        return Err(Error::Invalid(vec![no_arms(&args.scenario)]));
    }
    let arms = loaded.with_baseline();
    let job = Job::start(globals)?;
    let compared = job
        .carry_out(study::compare_runs(&arms), |done| study::compare(&arms, globals.audit, done))?;
    let comparison = &compared.comparison;
    let dir = job.keep(&report::comparison(comparison, &loaded.resolved_toml))?;
    if globals.json {
        return Ok(json(comparison));
    }
    let page = dir.join("report.html");
    Ok(format!("{}\nreport: {}\n", report::comparison_terminal(comparison), page.display()))
}

fn no_arms(path: &Path) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        line: None,
        key: "arm".to_owned(),
        value: None,
        problem: "is missing: there is nothing to compare".to_owned(),
        fix: "add an [[arm]] with a name and set = { \"pool.NAME.replicas\" = 4 }".to_owned(),
    }
}
