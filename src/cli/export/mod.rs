//! `export`: what a scenario generates or does, as a file for other tools.

mod calls;
mod timeline;

use super::{Globals, blame};
use crate::error::{Error, Mistake, Result};
use clap::{Args, ValueEnum};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// Arguments of `export`.
#[derive(Debug, Args)]
pub(super) struct ExportArgs {
    /// The scenario file; --out names the file to write
    scenario: PathBuf,
    /// Layout of the file
    #[arg(long, value_enum, value_name = "NAME")]
    format: ExportFormat,
    /// Which replication: the first is 0
    #[arg(long, value_name = "N", default_value_t = 0)]
    replication: u32,
    /// mooncake: prompt tokens that one id stands for
    #[arg(long, value_name = "N", default_value_t = 512,
          value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block_tokens: u32,
    /// timeline: simulated time from which on it shows, e.g. "10 min"
    #[arg(long, value_name = "DURATION", default_value = "0 s")]
    from: String,
    /// timeline: simulated time that it shows
    #[arg(long = "for", value_name = "DURATION", default_value = "60 s")]
    length: String,
    /// timeline: largest size of the file; calls that arrive later are left out
    #[arg(long, value_name = "SIZE", default_value = "50 MB")]
    max_size: String,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum ExportFormat {
    /// Generated calls as JSON lines of timestamp (ms), input_length, output_length, hash_ids
    Mooncake,
    /// What happens to calls, for Perfetto or Chrome: JSON of the trace-event format
    Timeline,
}

pub(super) fn export(args: &ExportArgs, globals: &Globals) -> Result<String> {
    let Some(path) = &globals.out else {
        let fix = "name the file to write, e.g. --out calls.jsonl".to_owned();
        return Err(wrong("--out", "says where it goes, and is missing", fix));
    };
    match args.format {
        ExportFormat::Mooncake => calls::export(args, path, globals),
        ExportFormat::Timeline => timeline::export(args, path, globals),
    }
}

fn wrong(argument: &str, problem: &str, fix: String) -> Error {
    let (file, key, problem) = (argument.to_owned(), String::new(), problem.to_owned());
    Error::Invalid(vec![Mistake { file, line: None, key, value: None, problem, fix }])
}

/// Writes a file beside `path` and then renames it, so that nobody sees a part.
/// `write` says what it wrote; where that is not worth it, nothing is left.
fn written<T>(
    path: &Path,
    write: impl FnOnce(&mut BufWriter<File>) -> io::Result<T>,
    is_worth: impl FnOnce(&T) -> bool,
) -> Result<T> {
    let attempt = || {
        if path.is_dir() {
            return Err(io::ErrorKind::IsADirectory.into());
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        fs::create_dir_all(folder)?;
        let workshop = tempfile::Builder::new().prefix(".tokenmill-").tempdir_in(folder)?;
        let made = workshop.path().join("made");
        let mut out = BufWriter::new(File::create(&made)?);
        let written = write(&mut out)?;
        out.flush()?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        if is_worth(&written) {
            fs::rename(&made, path)?;
        }
        Ok(written)
    };
    attempt().map_err(|source| {
        let fix = "name a file in a folder that you may write to";
        blame("--out", Error::Io { action: "cannot write", path: path.into(), source, fix })
    })
}
