//! The output folder of a run, written whole or not at all.
//!
//! All files are made in a temporary folder beside their place and then
//! renamed. A new folder appears in one rename. In a folder that exists the
//! manifest goes first and comes back last, so a folder with a manifest is
//! complete; files that are not the run's own are left alone.
//!
//! Every file but `manifest.json` follows from scenario, seed and version, and
//! compares byte for byte between equal runs.

use super::charts::{Chart, png, svg};
use crate::error::{Error, Result};
use serde::Serialize;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// What a study leaves behind.
pub struct Outputs {
    /// Which study it was.
    pub identity: Identity,
    /// Its files, the manifest apart.
    pub artifacts: Vec<Artifact>,
}

/// Names a study; equal identities leave equal bytes.
#[derive(Clone, Debug, Serialize)]
pub struct Identity {
    /// Version of tokenmill.
    pub version: String,
    /// Name of the scenario.
    pub scenario: String,
    /// Root seed.
    pub seed: u64,
    /// Replications of each point or arm.
    pub replications: u32,
    /// Fold of every event, 16 hexadecimal digits.
    pub digest: String,
}

/// One file, or the two files of a chart.
pub enum Artifact {
    /// A text at this path within the folder.
    Text(&'static str, String),
    /// A file made already on the same disk, to be moved to this path within
    /// the folder.
    Made(&'static str, PathBuf),
    /// A chart, as `charts/NAME.svg` and `charts/NAME.png`.
    Chart(Chart),
}

/// How a run went on this machine, this time; nothing else may depend on it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Facts {
    /// The command line.
    pub arguments: Vec<String>,
    /// When it started, RFC 3339.
    pub started_at: String,
    /// Elapsed time, s.
    pub wall_s: f64,
    /// Processor time of all threads, s.
    pub cpu_s: f64,
    /// Calls simulated, warm-up included, all replications together.
    pub simulated_calls: u64,
    /// Threads that replications were spread over.
    pub threads: u32,
}

/// `manifest.json`.
#[derive(Serialize)]
struct Manifest<'a> {
    schema: u32,
    #[serde(flatten)]
    identity: &'a Identity,
    #[serde(flatten)]
    facts: &'a Facts,
}

const MANIFEST: &str = "manifest.json";

/// `<base>/<scenario>/<seed>-<first 8 of digest>`, with a name fit for a path.
pub fn default_dir(base: &Path, identity: &Identity) -> PathBuf {
    let digest: String = identity.digest.chars().take(8).collect();
    base.join(path_name(&identity.scenario)).join(format!("{}-{digest}", identity.seed))
}

/// `<base>/<scenario>/sweep-<seed>-<first 8 of the scenario's hash>`: known
/// before anything is run, so that a sweep can be resumed.
pub fn sweep_dir(base: &Path, scenario: &str, seed: u64, hash: &str) -> PathBuf {
    let hash: String = hash.chars().take(8).collect();
    base.join(path_name(scenario)).join(format!("sweep-{seed}-{hash}"))
}

/// `name` with everything but letters, digits, '-', '_' and '.' replaced by
/// '-'; never empty, hidden, or a name that a system reserves.
fn path_name(name: &str) -> String {
    const LENGTH_MAX: usize = 60;
    let is_fit = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String =
        name.chars().take(LENGTH_MAX).map(|c| if is_fit(c) { c } else { '-' }).collect();
    let name = name.trim_matches(['.', '-']);
    let stem = name.split('.').next().unwrap_or("").to_ascii_lowercase();
    let has_number = |device| {
        stem.strip_prefix(device).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    let is_reserved = matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || has_number("com")
        || has_number("lpt");
    match name {
        "" => "scenario".into(),
        _ if is_reserved => format!("{name}-scenario"),
        _ => name.into(),
    }
}

/// Checks, before hours of simulation, that files can be made in `dir` or
/// where it would be created. Leaves nothing behind.
pub fn ensure_writable(dir: &Path) -> Result<()> {
    let existing = absolute(dir)?.ancestors().find(|a| a.exists()).map(Path::to_path_buf);
    let existing = existing.unwrap_or_else(|| PathBuf::from("/"));
    workshop(&existing).map_err(|source| unwritable(dir, source))?;
    Ok(())
}

/// Writes all files into `dir` and returns it.
pub fn write(dir: &Path, outputs: &Outputs, facts: &Facts) -> Result<PathBuf> {
    let target = absolute(dir)?;
    let is_new = !target.exists();
    let beside = if is_new { target.parent().unwrap_or(Path::new("/")) } else { &target };
    let failed = |source| unwritable(dir, source);
    fs::create_dir_all(beside).map_err(failed)?;
    let workshop = workshop(beside).map_err(failed)?;
    // An inner folder, because the workshop itself is private to its owner.
    let made = workshop.path().join("run");
    make(&made, outputs, facts)?;
    let renamed = if is_new { fs::rename(&made, &target) } else { replace(&made, &target) };
    // Another run may have made the folder meanwhile.
    renamed.or_else(|_| replace(&made, &target)).map_err(failed)?;
    Ok(dir.to_path_buf())
}

/// A temporary folder that goes when it is dropped.
pub(super) fn workshop(beside: &Path) -> io::Result<TempDir> {
    tempfile::Builder::new().prefix(".tokenmill-").tempdir_in(beside)
}

/// Makes all files in `dir`, which must not exist.
fn make(dir: &Path, outputs: &Outputs, facts: &Facts) -> Result<()> {
    let folder = dir.join("charts");
    fs::create_dir_all(&folder).map_err(|source| unwritable(&folder, source))?;
    let manifest = Manifest { schema: 1, identity: &outputs.identity, facts };
    put(&dir.join(MANIFEST), &json(&manifest))?;
    for artifact in &outputs.artifacts {
        match artifact {
            Artifact::Text(path, text) => put(&dir.join(path), text)?,
            Artifact::Made(path, from) => {
                let path = dir.join(path);
                fs::rename(from, &path).map_err(|source| unwritable(&path, source))?;
            }
            Artifact::Chart(chart) => {
                put(&folder.join(chart.name).with_extension("svg"), &svg(&chart.drawing))?;
                png(&chart.drawing, &folder.join(chart.name).with_extension("png"))?;
            }
        }
    }
    Ok(())
}

fn put(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).map_err(|source| unwritable(path, source))
}

/// A document for people and scripts.
pub fn json(document: &impl Serialize) -> String {
    serde_json::to_string_pretty(document).expect("results are JSON") + "\n"
}

/// Moves the files of `made` over those in `target`, the manifest last.
fn replace(made: &Path, target: &Path) -> io::Result<()> {
    match fs::remove_file(target.join(MANIFEST)) {
        Err(problem) if problem.kind() != io::ErrorKind::NotFound => return Err(problem),
        _ => {}
    }
    fs::create_dir_all(target.join("charts"))?;
    for folder in ["charts", ""] {
        let mut names: Vec<PathBuf> = fs::read_dir(made.join(folder))?
            .map(|entry| Ok(Path::new(folder).join(entry?.file_name())))
            .collect::<io::Result<_>>()?;
        names.retain(|name| made.join(name).is_file() && name != Path::new(MANIFEST));
        for name in names {
            fs::rename(made.join(&name), target.join(&name))?;
        }
    }
    fs::rename(made.join(MANIFEST), target.join(MANIFEST))
}

fn absolute(dir: &Path) -> Result<PathBuf> {
    std::path::absolute(dir).map_err(|source| unwritable(dir, source))
}

pub(super) fn unwritable(path: &Path, source: io::Error) -> Error {
    let fix = match source.kind() {
        io::ErrorKind::StorageFull => "free some space or choose another folder with --out",
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file is in the way; remove it or choose another folder with --out"
        }
        _ => "choose a folder you may write to with --out",
    };
    Error::Io { action: "cannot write", path: path.into(), source, fix }
}

#[cfg(test)]
mod tests {
    use super::path_name;

    #[test]
    fn scenario_names_become_safe_path_names() {
        for (name, path) in [
            ("holiday-peak", "holiday-peak"),
            ("a/b\\c: d?", "a-b-c--d"),
            ("../../etc", "etc"),
            ("..", "scenario"),
            ("", "scenario"),
            ("NUL", "NUL-scenario"),
            ("com1.x", "com1.x-scenario"),
            ("Spitze im März", "Spitze-im-März"),
        ] {
            assert_eq!(path_name(name), path);
        }
        assert_eq!(path_name(&"ä".repeat(500)).chars().count(), 60);
    }
}
