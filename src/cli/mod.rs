//! The command line: one file a verb.
//!
//! A verb returns the text for standard output, so that printing, broken pipes
//! and exit codes are settled here once. Progress and errors go to standard
//! error.

mod cache;
mod catalog;
mod columns;
mod compare;
mod export;
mod forecast;
mod import;
mod init;
mod job;
mod merge;
mod run;
mod schema;
mod seek;
mod shard;
mod steptime;
mod sweep;
mod validate;
mod validation;

use crate::error::{Error, Mistake, Result};
use crate::report::json;
use crate::scenario::{self, Loaded, Overrides, Variants};
use clap::{Args, Parser, Subcommand};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Exit code after Ctrl-C, as shells report it.
const INTERRUPTED: i32 = 130;

/// The scenario that runs when none is named.
pub const QUICKSTART: &str = include_str!("../../scenarios/quickstart.toml");

/// A discrete-event simulator of AI factories.
#[derive(Debug, Parser)]
#[command(name = "tokenmill", version, about, arg_required_else_help = false)]
struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    verb: Option<Verb>,
}

/// Options that every verb takes.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Options of all verbs")]
pub struct Globals {
    /// Print one JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    /// Write outputs to this folder
    #[arg(long, global = true, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Root seed, in place of the scenario's
    #[arg(long, global = true, value_name = "N")]
    seed: Option<u64>,
    /// Replications, in place of the scenario's
    #[arg(long, global = true, value_name = "N")]
    replications: Option<u32>,
    /// Replications until figures are within this share of the truth, e.g. "2 %"
    #[arg(long, global = true, value_name = "SHARE", conflicts_with = "replications")]
    precision: Option<String>,
    /// Simulate the whole horizon, whatever the scenario's [windows] say
    #[arg(long, global = true)]
    full_horizon: bool,
    /// Threads to use [default: one a core]
    #[arg(long, global = true, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=4096))]
    threads: Option<u16>,
    /// Change a key of the scenario, e.g. pool.assistant.replicas=4
    #[arg(long, global = true, value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Show no progress bar
    #[arg(long, global = true)]
    no_progress: bool,
    /// Check conservation of calls, tokens, blocks and time during the run
    #[arg(long, global = true)]
    audit: bool,
    /// Leave broken lines of traces out and count them
    #[arg(long, global = true)]
    skip_bad_lines: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Simulate a scenario: tables, charts, report
    Run(run::RunArgs),
    /// Compare the arms of a scenario with it: paired what-if differences
    Compare(compare::CompareArgs),
    /// Expected tokens and the peak hour, layer by layer, in closed form
    Forecast(forecast::ForecastArgs),
    /// Simulate a scenario at the points of its [sweep]: resumable, in shards if asked
    Sweep(sweep::SweepArgs),
    /// Find the value of a key at which bounds are just kept: the [seek] of a scenario
    Seek(seek::SeekArgs),
    /// Join the parts that shards of a sweep left
    Merge(merge::MergeArgs),
    /// Check a scenario and print what it resolves to
    Validate(validate::ValidateArgs),
    /// Write a commented scenario to start from
    Init(init::InitArgs),
    /// Replay a trace through a prefix cache, without time: hits by capacity, miss-ratio curve
    Cache(cache::CacheArgs),
    /// Write the calls that a scenario generates as a trace: --format mooncake --out FILE
    Export(export::ExportArgs),
    /// Turn a trace into a use case: rate, bursts and lengths, and how well they fit
    Import(import::ImportArgs),
    /// Look up hardware, models, memory tiers, demand profiles, calendars and reasoning
    Catalog(catalog::CatalogArgs),
    /// Latency of one engine step
    Steptime(steptime::SteptimeArgs),
    /// Compare with measurements: every figure of docs/validation.md
    Validation(validation::ValidationArgs),
    /// Print the JSON schema of scenario files
    Schema,
}

impl Globals {
    fn overrides(&self) -> Overrides {
        Overrides {
            set: self.set.clone(),
            seed: self.seed,
            replications: self.replications,
            precision: self.precision.clone(),
            full_horizon: self.full_horizon,
            skip_bad_lines: self.skip_bad_lines,
        }
    }

    /// The checked scenario at `path`, and what checks variants of it.
    fn open(&self, path: &Path) -> Result<(Loaded, Variants)> {
        scenario::open_file(path, &self.overrides())
    }

    /// The checked scenario at `path`, or the quickstart.
    fn load(&self, path: Option<&Path>) -> Result<Loaded> {
        match path {
            Some(path) => scenario::load(path, &self.overrides()),
            None => {
                let file = "the built-in quickstart";
                scenario::parse(QUICKSTART, file, Path::new(""), &self.overrides())
            }
        }
    }
}

/// Runs the program on the process's arguments.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    // Results appear whole, by a rename, so there is nothing to tidy up.
    let interrupted = ctrlc::set_handler(|| std::process::exit(INTERRUPTED));
    interrupted.expect("no other handler is set");
    let printed = execute(cli).and_then(|text| print(&text));
    match printed {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            for line in error.to_string().lines() {
                tell(&format!("error: {line}"));
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn execute(cli: Cli) -> Result<String> {
    let globals = &cli.globals;
    match cli.verb.unwrap_or_else(|| Verb::Run(run::RunArgs::default())) {
        Verb::Run(args) => run::run(&args, globals),
        Verb::Compare(args) => compare::compare(&args, globals),
        Verb::Forecast(args) => forecast::forecast(&args, globals),
        Verb::Sweep(args) => sweep::sweep(&args, globals),
        Verb::Seek(args) => seek::seek(&args, globals),
        Verb::Merge(args) => merge::merge(&args, globals),
        Verb::Validate(args) => validate::validate(&args, globals),
        Verb::Init(args) => init::init(&args, globals),
        Verb::Cache(args) => cache::cache(&args, globals),
        Verb::Export(args) => export::export(&args, globals),
        Verb::Import(args) => import::import(&args, globals),
        Verb::Catalog(args) => catalog::catalog(&args, globals),
        Verb::Steptime(args) => steptime::steptime(&args, globals),
        Verb::Validation(args) => validation::validation(&args, globals),
        Verb::Schema => Ok(schema::schema()),
    }
}

/// Copies a file to standard output; a reader that closes the pipe early has
/// read enough.
fn copy(file: &mut std::fs::File) -> std::io::Result<()> {
    match std::io::copy(file, &mut std::io::stdout().lock()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

/// A line on standard error; that nobody reads it is no reason to stop.
fn tell(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// A reader that closes the pipe early has read enough.
fn print(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Error::Io {
            action: "cannot write",
            path: PathBuf::from("standard output"),
            source: error,
            fix: "check where it is redirected to",
        }),
        _ => Ok(()),
    }
}

/// A path that cannot be used is the mistake of whoever gave it as `argument`;
/// a full disk is nobody's.
fn blame(argument: &str, error: Error) -> Error {
    match error {
        Error::Io { action, path, source, fix } if source.kind() != ErrorKind::StorageFull => {
            Error::Invalid(vec![Mistake {
                file: argument.to_owned(),
                line: None,
                key: String::new(),
                value: Some(path.display().to_string()),
                problem: format!("{action}: {source}"),
                fix: fix.to_owned(),
            }])
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_quickstart_is_valid() {
        Globals::default().load(None).unwrap();
    }
}
