//! `run`: replications of one scenario.

use super::Globals;
use crate::error::{Error, Result};
use crate::scenario::Loaded;
use clap::Args;
use std::path::PathBuf;

/// Arguments of `run`.
#[derive(Debug, Default, Args)]
pub(super) struct RunArgs {
    /// The scenario file [default: a built-in quickstart]
    scenario: Option<PathBuf>,
}

/// What is to be run, and how.
#[derive(Debug)]
pub struct Request {
    /// The scenario.
    pub loaded: Loaded,
    /// Folder of the outputs, in place of the default.
    pub out: Option<PathBuf>,
    /// Return the summary as JSON in place of tables.
    pub json: bool,
    /// Threads, in place of one a core.
    pub threads: Option<u16>,
    /// Check conservation during the run.
    pub audit: bool,
    /// Show a progress bar where there is a terminal.
    pub progress: bool,
}

impl RunArgs {
    fn request(&self, globals: &Globals) -> Result<Request> {
        Ok(Request {
            loaded: globals.load(self.scenario.as_deref())?,
            out: globals.out.clone(),
            json: globals.json,
            threads: globals.threads,
            audit: globals.audit,
            progress: !globals.no_progress,
        })
    }
}

pub(super) fn run(args: &RunArgs, globals: &Globals) -> Result<String> {
    let request = args.request(globals)?;
    Err(Error::Failed(format!(
        "scenario {} is valid, but this build holds no simulation",
        request.loaded.scenario.name
    )))
}
