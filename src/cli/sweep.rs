//! `sweep`: one scenario at many points, resumable, whole or a share of it.

use super::columns::columns;
use super::job::Job;
use super::shard::shard;
use super::{Globals, json, tell};
use crate::error::{Error, Mistake, Result};
use crate::report::{self, SweepWriter, sweep_text};
use crate::scenario::Loaded;
use crate::study::sweep::{self, Part, Parts, Plan, Shard};
use clap::Args;
use serde_json::json;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

/// Arguments of `sweep`.
#[derive(Debug, Args)]
pub(super) struct SweepArgs {
    /// The scenario file, with a [sweep] table
    scenario: PathBuf,
    /// Do only share I of N, counted from 0; `auto` asks Slurm, Kubernetes or Open MPI
    #[arg(long, value_name = "I/N|auto")]
    shard: Option<String>,
    /// Go on where an earlier run of the same sweep ended
    #[arg(long)]
    resume: bool,
}

pub(super) fn sweep(args: &SweepArgs, globals: &Globals) -> Result<String> {
    let shard = args.shard.as_deref().map_or(Ok(Shard::WHOLE), shard)?;
    let (loaded, variants) = globals.open(&args.scenario)?;
    let Some(swept) = loaded.sweep.clone() else {
        let fix = "add [sweep] with e.g. \"pool.assistant.replicas\" = [1, 2, 4]";
        return Err(wrong(&args.scenario, "has no [sweep]".to_owned(), fix));
    };
    let job = Job::start(globals)?;
    let points = swept.points;
    let plan = job.compute(points, || Plan::new(&loaded, variants, swept))??;
    let dir = folder(&loaded, globals);
    let (part, progress) = open(args, globals, &loaded, &plan, &dir, shard)?;
    let path = match part.is_finished() {
        true => part.file().to_owned(),
        false => {
            let runs = sweep::left(&plan, &progress).min(u64::from(u32::MAX)) as u32;
            tell(&format!(
                "every finished run is kept in {}; an interrupted sweep goes on with --resume",
                part.file().display()
            ));
            job.carry_out(runs, |done| sweep::run(&plan, progress, part, globals.audit, done))??
                .finish()?
        }
    };
    if shard == Shard::WHOLE {
        return finish(&job, globals, &[path], &dir);
    }
    if globals.json {
        return Ok(json(&json!({ "part": path, "shard": shard.index, "shards": shard.count })));
    }
    let next = format!("when all {} are: tokenmill merge {}", shard.count, dir.display());
    Ok(format!("part {shard} is complete: {}\n{next}\n", path.display()))
}

/// Where the outputs go; known before anything is run.
fn folder(loaded: &Loaded, globals: &Globals) -> PathBuf {
    let scenario = &loaded.scenario;
    globals.out.clone().unwrap_or_else(|| {
        report::sweep_dir(
            Path::new(super::job::OUTPUTS),
            &scenario.name,
            scenario.seed,
            &loaded.hash,
        )
    })
}

/// Begins a part, or goes on with the one that is there.
fn open(
    args: &SweepArgs,
    globals: &Globals,
    loaded: &Loaded,
    plan: &Plan,
    dir: &Path,
    shard: Shard,
) -> Result<(Part, sweep::Progress)> {
    let path = Part::path(dir, shard);
    let mut progress = plan.progress(shard);
    if !path.exists() {
        if args.resume && globals.out.is_none() {
            same_scenario(&args.scenario, loaded, dir)?;
        }
        return Ok((Part::begin(dir, shard, plan.header().clone())?, progress));
    }
    let (part, damaged) = Part::reopen(dir, shard, plan.header().clone(), &mut progress)?;
    if part.is_finished() {
        return Ok((part, progress));
    }
    let (done, left) = (progress.done(), progress.left());
    if !args.resume {
        let problem = match damaged.as_slice() {
            [] => format!("holds {done} of the {} runs of this sweep", done + left),
            lines => lines.join("\n"),
        };
        let fix = "go on with --resume, or start anew in another folder with --out";
        return Err(wrong(&path, problem, fix));
    }
    damaged
        .iter()
        .for_each(|line| tell(&format!("warning: {line}; what it held is computed again")));
    tell(&format!("resuming: {done} of {} runs are done", done + left));
    Ok((part, progress))
}

/// Refuses to resume when the only sweep to resume is of another version of
/// the scenario.
fn same_scenario(file: &Path, loaded: &Loaded, dir: &Path) -> Result<()> {
    let siblings = dir.parent().map(fs::read_dir).and_then(std::result::Result::ok);
    let mut names: Vec<String> = siblings
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with(&format!("sweep-{}-", loaded.scenario.seed)))
        .collect();
    names.sort();
    let Some(name) = names.first() else { return Ok(()) };
    let theirs = name.rsplit('-').next().unwrap_or_default();
    let problem = format!(
        "cannot be resumed: its hash is {}, that of the sweep in {} begins with {theirs}",
        loaded.hash,
        dir.with_file_name(name).display(),
    );
    let fix = "undo the changes to the scenario, or start anew without --resume";
    Err(wrong(file, problem, fix))
}

/// Reduces finished parts and writes everything into `dir`.
pub(super) fn finish(
    job: &Job<'_>,
    globals: &Globals,
    paths: &[PathBuf],
    dir: &Path,
) -> Result<String> {
    let parts = Parts::open(paths)?;
    let header = parts.header().clone();
    let mut writer = SweepWriter::begin(dir, &header)?;
    let tail = parts.reduce(|point| writer.add(&point))?;
    let written = writer.finish(&tail)?;
    job.keep_in(dir, &written.outputs)?;
    if globals.json {
        let path = dir.join("sweep.json");
        let copied = File::open(&path).and_then(|mut file| super::copy(&mut file));
        copied.map_err(|source| Error::Io {
            action: "cannot print",
            path,
            source,
            fix: "read it there",
        })?;
        return Ok(String::new());
    }
    let table = |head: &[String], rows: &[Vec<String>]| {
        columns(&head.iter().map(String::as_str).collect::<Vec<_>>(), rows, 0)
    };
    let text = sweep_text(&header, &written.outline, &tail, table);
    Ok(format!("{text}report: {}\n", dir.join("report.html").display()))
}

fn wrong(path: &Path, problem: String, fix: &str) -> Error {
    Error::Invalid(vec![Mistake {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        value: None,
        problem,
        fix: fix.to_owned(),
    }])
}
