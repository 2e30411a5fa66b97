//! A stretch of a run as a timeline.

use super::super::Globals;
use super::{ExportArgs, written, wrong};
use crate::error::Result;
use crate::kernel::{Span, Time};
use crate::metrics::Window;
use crate::report::{CALL_BYTES, TimelineWritten, json, write_timeline};
use crate::scenario::units::{BytesKind, DurationKind, Kind, Quantity};
use crate::simulation::{self, Options};
use indicatif::{HumanBytes, HumanCount};
use std::path::Path;

/// Smallest size that can be asked for, bytes.
const SIZE_MIN: f64 = 10_000.0;

pub(super) fn export(args: &ExportArgs, path: &Path, globals: &Globals) -> Result<String> {
    let window = window(args)?;
    let bytes_max = quantity::<BytesKind>("--max-size", &args.max_size)?;
    if bytes_max < SIZE_MIN {
        let problem = format!("{} is too small for a timeline", args.max_size);
        return Err(wrong("--max-size", &problem, "write at least \"10 kB\"".to_owned()));
    }
    let bytes_max = bytes_max as u64;
    let loaded = globals.load(Some(&args.scenario))?;
    let scenario = &loaded.scenario;
    let options = Options { audit: globals.audit, ..Options::default() };
    let calls_max = (bytes_max / CALL_BYTES) as usize;
    let watched = simulation::watch(scenario, args.replication.into(), options, window, calls_max);
    if watched.calls.is_empty() {
        let problem = format!(
            "has no call in the system from {} s to {} s",
            window.from.seconds(),
            window.until.seconds()
        );
        let fix = "choose another stretch of it with --from and --for".to_owned();
        return Err(wrong(&args.scenario.display().to_string(), &problem, fix));
    }
    let write = |out: &mut _| write_timeline(scenario, &watched, bytes_max, out);
    let written = written(path, write, |_| true)?;
    Ok(answer(path, window, &written, globals.json))
}

fn window(args: &ExportArgs) -> Result<Window> {
    let from = quantity::<DurationKind>("--from", &args.from)?;
    let length = quantity::<DurationKind>("--for", &args.length)?;
    if length <= 0.0 {
        let problem = format!("{} is an empty stretch", args.length);
        return Err(wrong("--for", &problem, "write e.g. --for \"60 s\"".to_owned()));
    }
    let from = Time::ZERO + Span::from_seconds(from);
    Ok(Window { from, until: from + Span::from_seconds(length) })
}

/// The value in SI of the quantity that an argument gives.
fn quantity<K: Kind>(argument: &str, text: &str) -> Result<f64> {
    match Quantity::<K>::read(text) {
        Ok(quantity) => Ok(quantity.value),
        Err(error) => Err(wrong(argument, &format!("{text}: {}", error.problem), error.fix)),
    }
}

fn answer(path: &Path, asked: Window, written: &TimelineWritten, as_json: bool) -> String {
    let TimelineWritten { calls, bytes, until, is_cut } = *written;
    if as_json {
        return json(&serde_json::json!({
            "file": path,
            "calls": calls,
            "bytes": bytes,
            "from_s": asked.from.seconds(),
            "until_s": until.seconds(),
            "is_cut": is_cut,
        }));
    }
    let mut text = format!(
        "wrote {}: {} calls from {:.3} s to {:.3} s of simulated time, {}\n",
        path.display(),
        HumanCount(calls),
        asked.from.seconds(),
        until.seconds(),
        HumanBytes(bytes),
    );
    if is_cut {
        text += "note: it ends early, where it has the size that --max-size allows\n";
    }
    text + "open it at https://ui.perfetto.dev or in chrome://tracing\n"
}
