//! `merge`: one result from the parts that shards of a sweep left.

use super::Globals;
use super::job::Job;
use crate::error::{Error, Mistake, Result};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Arguments of `merge`.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// The output folder of the sweep, or any folder with all its parts
    dir: PathBuf,
}

pub(super) fn merge(args: &MergeArgs, globals: &Globals) -> Result<String> {
    let job = Job::start(globals)?;
    let inner = args.dir.join("parts");
    let paths = parts(if inner.is_dir() { &inner } else { &args.dir })?;
    let dir = globals.out.clone().unwrap_or_else(|| args.dir.clone());
    fs::create_dir_all(&dir).map_err(|source| Error::Io {
        action: "cannot write",
        path: dir.clone(),
        source,
        fix: "choose a folder you may write to with --out",
    })?;
    super::sweep::finish(&job, globals, &paths, &dir)
}

/// The part files in `folder`, by name.
fn parts(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).map_err(|error| nothing(folder, error.to_string()))?;
    let is_part = |name: &str| name.starts_with("part-") && name.ends_with(".jsonl");
    let mut paths: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().and_then(|name| name.to_str()).is_some_and(is_part))
        .collect();
    paths.sort();
    if paths.is_empty() {
        return Err(nothing(folder, "holds no part of a sweep".to_owned()));
    }
    Ok(paths)
}

fn nothing(folder: &Path, problem: String) -> Error {
    Error::Invalid(vec![Mistake {
        file: folder.display().to_string(),
        line: None,
        key: String::new(),
        value: None,
        problem,
        fix: "give a folder with files part-00000-of-00001.jsonl and so on".to_owned(),
    }])
}
