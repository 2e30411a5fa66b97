//! `import`: a use case that generates calls like those of a trace.

mod text;

use super::{Globals, blame, json};
use crate::error::{Error, Mistake, Result};
use crate::study::import::{
    Imported, LengthLaw, Question, RateLayout, import_calls, import_clients, import_rates,
    is_folder_of_clients, is_rates, read_clients, read_rates,
};
use crate::workload::{CsvLayout, Format, ReadOptions, TimeUnit, Turns, open_trace};
use clap::{Args, ValueEnum};
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::fs;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};

/// Arguments of `import`.
#[derive(Debug, Args)]
pub(super) struct ImportArgs {
    /// The trace, packed with gzip, Zstandard or not, or a folder of ServeGen's clients;
    /// --out names the file for the use case
    #[arg(value_name = "TRACE")]
    trace: PathBuf,
    /// Layout of the trace [default: told by its first record]
    #[arg(long, value_name = "NAME", value_parser = FORMATS)]
    format: Option<String>,
    /// Columns of other CSV, e.g. time=arrival,prompt_tokens=input,output_tokens=output,
    /// or time=hour,rate=req_per_s of a table of rates
    #[arg(long, value_name = "LIST")]
    columns: Option<String>,
    /// Unit of numeric time stamps of other CSV [default: told by the name of their column]
    #[arg(long, value_name = "UNIT", value_parser = UNITS)]
    time_unit: Option<String>,
    /// Local time at which a trace without dates has its time 0, e.g. 2026-01-05T09:00
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Time zone of days and hours, e.g. America/New_York [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What later turns of a session carry: `full` prompts, or the `delta` to the
    /// turn before [default: told by their first blocks]
    #[arg(long, value_enum, value_name = "NAME")]
    turns: Option<TurnsName>,
    /// Prompt tokens that one id stands for [default: as the format or the file says]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=65_536))]
    block_tokens: Option<u32>,
    /// Laws for token lengths: a table of quantiles, or lognormal laws mixed
    #[arg(long, value_enum, value_name = "NAME", default_value = "empirical")]
    lengths: LengthsName,
    /// Name of the use case [default: that of the file]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Read the first calls only
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Take turns of sessions for single calls
    #[arg(long)]
    no_sessions: bool,
    /// Write a whole scenario that runs as it is, with a pool to be replaced
    #[arg(long)]
    scenario: bool,
}

const FORMATS: [&str; 8] =
    ["azure", "mooncake", "weka", "bailian", "burstgpt", "csv", "rates", "servegen"];
const UNITS: [&str; 6] = ["ns", "us", "ms", "s", "min", "h"];

/// Longest name of a use case.
const NAME_MAX: usize = 64;

/// What kind of recording there is.
enum Kind {
    Calls(Format),
    Rates,
    Clients,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum TurnsName {
    Full,
    Delta,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum LengthsName {
    Empirical,
    Mixture,
}

pub(super) fn import(args: &ImportArgs, globals: &Globals) -> Result<String> {
    if let Some(name) = &args.name
        && !is_usable(name)
    {
        let problem = "is not a usable name".to_owned();
        let fix = "use up to 64 letters, digits, `-` and `_`, a letter or digit first".to_owned();
        return Err(Error::Invalid(vec![mistake("--name", Some(name.clone()), problem, fix)]));
    }
    let columns = args.columns.as_deref().map(columns).transpose()?;
    let start = args.start.as_deref().map(start).transpose()?;
    let time_zone = args.time_zone.as_deref().map(zone).transpose()?;
    let kind = kind(args, columns.as_ref())?;
    let unit = args.time_unit.as_deref().and_then(TimeUnit::named);
    let question = Question {
        name: args.name.clone().unwrap_or_else(|| name_of(&args.trace)),
        file: args.trace.display().to_string(),
        format: if let Kind::Calls(format) = kind { format } else { Format::Csv },
        options: options(args, globals, columns.as_ref(), unit),
        lengths: match args.lengths {
            LengthsName::Empirical => LengthLaw::Empirical,
            LengthsName::Mixture => LengthLaw::Mixture,
        },
        ignores_sessions: args.no_sessions,
        start,
        time_zone,
    };
    let open = || open_trace(&args.trace).map_err(|error| vec![unreadable(&args.trace, &error)]);
    let imported = match kind {
        Kind::Calls(_) => import_calls(&question, open),
        Kind::Rates => {
            let columns = match columns {
                Some(Columns::Rates(columns)) => Some(columns),
                _ => None,
            };
            let layout = RateLayout { columns, unit, start, zone: question.zone() };
            open()
                .and_then(|input| read_rates(input, &question.file, &layout))
                .map(|table| import_rates(&question, &table))
        }
        Kind::Clients => {
            read_clients(&args.trace).map(|clients| import_clients(&question, &clients))
        }
    };
    finish(args, globals, &imported.map_err(Error::Invalid)?)
}

/// Writes the use case and answers.
fn finish(args: &ImportArgs, globals: &Globals, imported: &Imported) -> Result<String> {
    let made = if args.scenario { &imported.scenario } else { &imported.fragment };
    if let Some(path) = &globals.out {
        write(path, made).map_err(|source| {
            let fix = "name a file in a folder that you may write to";
            blame("--out", Error::Io { action: "cannot write", path: path.clone(), source, fix })
        })?;
    }
    if globals.json {
        return Ok(json(&serde_json::to_value(imported).expect("an answer is JSON")));
    }
    let mut text = text::text(imported);
    match &globals.out {
        Some(path) => text += &format!("\nwrote {}\n", path.display()),
        None => text += &format!("\n{made}"),
    }
    Ok(text)
}

/// Writes beside `path` and then renames, so that nobody sees a part.
fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if path.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    fs::create_dir_all(folder)?;
    let mut made = tempfile::Builder::new().prefix(".tokenmill-").tempfile_in(folder)?;
    made.write_all(text.as_bytes())?;
    made.as_file().sync_all()?;
    made.persist(path).map_err(|error| error.error)?;
    Ok(())
}

/// Whether a use case may be called so.
fn is_usable(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    name.starts_with(|c: char| c.is_ascii_alphanumeric())
        && name.len() <= NAME_MAX
        && name.chars().all(plain)
}

/// A name for the use case: that of the file up to its first dot.
fn name_of(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.split('.').next().unwrap_or_default();
    let kept = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = stem.chars().map(kept).take(NAME_MAX).collect();
    match name.trim_matches('-') {
        "" => "imported".to_owned(),
        name => name.to_owned(),
    }
}

/// What is named, or told by the first record.
fn kind(args: &ImportArgs, columns: Option<&Columns>) -> Result<Kind> {
    match args.format.as_deref() {
        Some("rates") => return Ok(Kind::Rates),
        Some("servegen") => return Ok(Kind::Clients),
        Some(name) => return Ok(Kind::Calls(Format::named(name).expect("one of the names"))),
        None if args.trace.is_dir() && is_folder_of_clients(&args.trace) => {
            return Ok(Kind::Clients);
        }
        None => {}
    }
    match columns {
        Some(Columns::Calls(_)) => return Ok(Kind::Calls(Format::Csv)),
        Some(Columns::Rates(_)) => return Ok(Kind::Rates),
        None => {}
    }
    let wrong = |error: std::io::Error| Error::Invalid(vec![unreadable(&args.trace, &error)]);
    let mut input = open_trace(&args.trace).map_err(wrong)?;
    if let Some(format) = Format::detect(&mut input).map_err(wrong)? {
        return Ok(Kind::Calls(format));
    }
    let head = input.fill_buf().map_err(wrong)?;
    let is_empty = head.is_empty();
    let head = String::from_utf8_lossy(head);
    let head = head.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    if is_rates(head) {
        return Ok(Kind::Rates);
    }
    let (problem, fix) = match is_empty {
        true => ("is empty".to_owned(), "give a trace with calls in it".to_owned()),
        false => (
            "does not begin like a trace of a known format".to_owned(),
            format!(
                "check the file, or name it with --format: {}; for other CSV say which columns \
                 are which: --columns time=arrival,prompt_tokens=input,output_tokens=output",
                FORMATS.join(", ")
            ),
        ),
    };
    Err(Error::Invalid(vec![mistake(&args.trace.display().to_string(), None, problem, fix)]))
}

fn options(
    args: &ImportArgs,
    globals: &Globals,
    columns: Option<&Columns>,
    unit: Option<TimeUnit>,
) -> ReadOptions {
    let csv = match columns {
        Some(Columns::Calls(columns)) => Some(CsvLayout { columns: columns.clone(), unit }),
        _ => None,
    };
    ReadOptions {
        skip_bad_lines: globals.skip_bad_lines,
        calls_max: args.requests,
        block_tokens: args.block_tokens,
        turns: args.turns.map(|turns| match turns {
            TurnsName::Full => Turns::Full,
            TurnsName::Delta => Turns::Delta,
        }),
        session_gap_ticks: 0,
        csv,
    }
}

/// A local date, or date and time.
fn start(text: &str) -> Result<DateTime> {
    text.parse::<DateTime>().map_err(|_| {
        let fix = "write e.g. --start 2026-01-05 or --start 2026-01-05T09:00".to_owned();
        let problem = "is neither a date nor a date and time".to_owned();
        Error::Invalid(vec![mistake("--start", Some(text.to_owned()), problem, fix)])
    })
}

fn zone(name: &str) -> Result<(String, TimeZone)> {
    match TimeZoneDatabase::bundled().get(name) {
        Ok(zone) => Ok((name.to_owned(), zone)),
        Err(_) => {
            let problem = "is no time zone of the IANA database".to_owned();
            let fix = "write one such as America/New_York".to_owned();
            let value = Some(name.to_owned());
            Err(Error::Invalid(vec![mistake("--time-zone", value, problem, fix)]))
        }
    }
}

/// Names of columns.
enum Columns {
    /// Time, prompt tokens, output tokens.
    Calls([String; 3]),
    /// Time and rate.
    Rates([String; 2]),
}

/// Reads `time=a,prompt_tokens=b,output_tokens=c`, or `time=a,rate=b`.
fn columns(text: &str) -> Result<Columns> {
    let keys = ["time", "prompt_tokens", "output_tokens", "rate"];
    let wrong = |problem: String| {
        let fix = "write e.g. --columns time=arrival,prompt_tokens=input,output_tokens=output, or \
                   time=hour,rate=req_per_s for a table of rates";
        let value = Some(text.to_owned());
        Error::Invalid(vec![mistake("--columns", value, problem, fix.to_owned())])
    };
    let mut found: [Option<String>; 4] = Default::default();
    for part in text.split(',') {
        let Some((key, column)) = part.split_once('=') else {
            return Err(wrong(format!("has `{}`, which names no column", part.trim())));
        };
        let Some(at) = keys.iter().position(|known| *known == key.trim()) else {
            let known = keys.join(", ");
            return Err(wrong(format!("has `{}`, which is none of {known}", key.trim())));
        };
        if found[at].replace(column.trim().to_owned()).is_some() {
            return Err(wrong(format!("names `{}` twice", keys[at])));
        }
    }
    match found {
        [Some(time), None, None, Some(rate)] => Ok(Columns::Rates([time, rate])),
        [Some(time), Some(prompt), Some(output), None] => {
            Ok(Columns::Calls([time, prompt, output]))
        }
        [_, prompt, output, Some(_)] if prompt.is_some() || output.is_some() => {
            Err(wrong("names columns of calls and one of rates".to_owned()))
        }
        found => {
            let is_rates = found[3].is_some();
            let asked = if is_rates { vec![0, 3] } else { vec![0, 1, 2] };
            let absent = asked.into_iter().filter(|at| found[*at].is_none());
            let absent: Vec<&str> = absent.map(|at| keys[at]).collect();
            Err(wrong(format!("does not say which column is {}", absent.join(", "))))
        }
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> Mistake {
    let fix = "give the path of a trace file".to_owned();
    mistake(&path.display().to_string(), None, format!("cannot be read: {error}"), fix)
}

fn mistake(file: &str, value: Option<String>, problem: String, fix: String) -> Mistake {
    Mistake { file: file.to_owned(), line: None, key: String::new(), value, problem, fix }
}
