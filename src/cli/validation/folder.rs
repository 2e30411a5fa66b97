//! Finds measurements in a folder: by what the files hold, not by their names.

use crate::error::{Error, Mistake, Result};
use crate::study::validation::LogText;
use flate2::read::MultiGzDecoder;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// How far below the folder is searched.
const DEPTH_MAX: usize = 4;
/// Ending of packed tables.
const PACKED: &str = ".gz";
/// Longest header line of a table, bytes.
const HEADER_MAX: u64 = 64 << 10;

/// Something that can be compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Item {
    pub path: PathBuf,
    pub content: Content,
}

/// What a file or folder holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// A folder with `meta.json` and `requests.jsonl`.
    Log,
    /// A table of engine steps.
    Steps,
    /// A table of sweeps over concurrency.
    Sweep,
    /// A table of open-loop experiments.
    OpenLoop,
    /// A trace in Azure's format.
    Trace,
}

/// Columns that tell what a table is.
const HEADERS: [(Content, &[&str]); 4] = [
    (Content::Steps, &["phase", "batch_per_dp", "new_tokens", "context", "latency_ms"]),
    (
        Content::Sweep,
        &["arrival_kind", "arrival_value", "isl_mean", "osl_mean", "ttft_ms", "tpot_ms"],
    ),
    (
        Content::OpenLoop,
        &["arrival_kind", "arrival_value", "e2e_mean_ms", "ttft_mean_ms", "itl_mean_ms", "notes"],
    ),
    (Content::Trace, &["TIMESTAMP", "ContextTokens", "GeneratedTokens"]),
];

/// Everything below `dir` that can be compared, in the order of paths.
pub(super) fn search(dir: &Path) -> Result<Vec<Item>> {
    let mut items = Vec::new();
    walk(dir, 0, &mut items)?;
    Ok(items)
}

fn walk(dir: &Path, depth: usize, items: &mut Vec<Item>) -> Result<()> {
    let failed = |source| unreadable(dir, source);
    let entries = fs::read_dir(dir).map_err(failed)?;
    let paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>();
    let mut paths = paths.map_err(failed)?;
    paths.sort();
    if ["meta.json", "requests.jsonl"].iter().all(|name| dir.join(name).is_file()) {
        items.push(Item { path: dir.to_owned(), content: Content::Log });
        return Ok(());
    }
    for path in paths {
        if path.is_dir() {
            if depth < DEPTH_MAX {
                walk(&path, depth + 1, items)?;
            }
        } else if let Some(content) = classify(&path)? {
            items.push(Item { path, content });
        }
    }
    Ok(())
}

fn classify(path: &Path) -> Result<Option<Content>> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unpacked = name.strip_suffix(PACKED).unwrap_or(&name);
    // A table that lies there packed and unpacked is compared once.
    let is_copy = unpacked != name && path.with_file_name(unpacked).exists();
    if !unpacked.ends_with(".csv") || is_copy {
        return Ok(None);
    }
    let mut header = Vec::new();
    let read = open(path)?.take(HEADER_MAX).read_until(b'\n', &mut header);
    read.map_err(|source| unreadable(path, source))?;
    let header = String::from_utf8_lossy(&header);
    let columns: Vec<&str> =
        header.trim_start_matches('\u{feff}').split(',').map(str::trim).collect();
    let known = HEADERS.iter().find(|(_, needed)| needed.iter().all(|name| columns.contains(name)));
    Ok(known.map(|(content, _)| *content))
}

/// Opens a table; one that is packed is unpacked on the way.
pub(super) fn open(path: &Path) -> Result<Box<dyn BufRead>> {
    let file = File::open(path).map_err(|source| unreadable(path, source))?;
    Ok(match path.to_string_lossy().ends_with(PACKED) {
        true => Box::new(BufReader::new(MultiGzDecoder::new(file))),
        false => Box::new(BufReader::new(file)),
    })
}

/// Hands the texts of the log in `folder` to `read`.
pub(super) fn with_log<T>(folder: &Path, read: impl FnOnce(LogText<'_>) -> Result<T>) -> Result<T> {
    let text = |name: &str| {
        let path = folder.join(name);
        let bytes = fs::read(&path).map_err(|source| unreadable(&path, source))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (meta, requests) = (text("meta.json")?, text("requests.jsonl")?);
    let cluster_file = cluster_file(folder)?;
    let cluster = cluster_file.as_deref().map(|file| Ok((file, text(file)?))).transpose()?;
    let whole = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    read(LogText {
        name: &whole.file_name().unwrap_or_default().to_string_lossy(),
        folder,
        meta: &meta,
        requests: &requests,
        cluster: cluster.as_ref().map(|(file, text)| (*file, text.as_str())),
    })
}

/// The description of the cluster beside a log: `*cluster_config.json`.
fn cluster_file(folder: &Path) -> Result<Option<String>> {
    let entries = fs::read_dir(folder).map_err(|source| unreadable(folder, source))?;
    let mut names: Vec<String> =
        entries.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    Ok(names.into_iter().find(|name| name.ends_with("cluster_config.json")))
}

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Invalid(vec![mistake(
        path,
        format!("cannot be read: {source}"),
        "give a folder of measurements that can be read",
    )])
}

/// Says that there is nothing to compare in `dir`.
pub(super) fn nothing(dir: &Path) -> Mistake {
    mistake(
        dir,
        "holds no measurements".to_owned(),
        "give a folder with logs (meta.json and requests.jsonl), sweeps, open-loop experiments, \
         step tables or Azure traces (CSV); docs/validation.md names them",
    )
}

fn mistake(path: &Path, problem: String, fix: &str) -> Mistake {
    Mistake {
        file: path.display().to_string(),
        line: None,
        key: String::new(),
        value: None,
        problem,
        fix: fix.to_owned(),
    }
}
