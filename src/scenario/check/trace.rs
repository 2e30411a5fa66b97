//! Opens the recording of a use case.

use super::{Check, HORIZON_S_MAX};
use crate::scenario::Arrivals;
use crate::scenario::raw::{RawFormat, RawTrace};
use crate::scenario::tree::At;
use crate::workload::{Format, ReadOptions, Trace, read_trace};
use std::fs::File;
use std::io::{BufReader, ErrorKind};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

/// Recordings that have been read, so that variants of a scenario share them.
#[derive(Debug, Default)]
pub(super) struct Traces(Mutex<Vec<(TraceKey, Arc<Trace>)>>);

/// What a recording was read from, and how.
type TraceKey = (PathBuf, Format, ReadOptions);

impl Traces {
    fn get_or_read<E>(
        &self,
        key: TraceKey,
        read: impl FnOnce() -> Result<Trace, E>,
    ) -> Result<Arc<Trace>, E> {
        // Held while reading, so that no two variants read the same.
        let mut known = self.0.lock().expect("no reader panics");
        if let Some((_, trace)) = known.iter().find(|(other, _)| *other == key) {
            return Ok(trace.clone());
        }
        let trace = Arc::new(read()?);
        known.push((key, trace.clone()));
        Ok(trace)
    }
}

impl Check<'_> {
    pub(super) fn trace(&mut self, at: &At<'_>, raw: &RawTrace) -> Option<Arrivals> {
        let path = self.base_dir.join(&raw.path);
        let opened = File::open(&path).and_then(|file| match file.metadata()?.is_dir() {
            true => Err(ErrorKind::IsADirectory.into()),
            false => Ok(file),
        });
        let file = match opened {
            Ok(file) => file,
            Err(error) => {
                let fix = "give a path relative to the folder of the scenario file";
                self.wrong(&at.key("path"), format!("cannot be read: {error}"), fix);
                return None;
            }
        };
        let format = match raw.format {
            RawFormat::Azure => Format::Azure,
            RawFormat::Mooncake => Format::Mooncake,
        };
        let options = ReadOptions {
            skip_bad_lines: self.skip_bad_lines,
            calls_max: raw.requests,
            block_tokens: raw.block_tokens,
        };
        let name = path.display().to_string();
        let read = || read_trace(format, BufReader::new(file), &name, options);
        match self.traces.get_or_read((path, format, options), read) {
            Ok(trace) => {
                self.judge(at, &trace, raw);
                Some(Arrivals::Trace { trace, time_scale: raw.time_scale })
            }
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                None
            }
        }
    }

    fn judge(&mut self, at: &At<'_>, trace: &Trace, raw: &RawTrace) {
        let length_s = trace.calls.last().map_or(0.0, |call| call.at.seconds()) * raw.time_scale;
        if length_s > HORIZON_S_MAX {
            let fix = "take fewer calls with `requests`, or a smaller `time_scale`";
            self.wrong(&at.key("time_scale"), "stretches the trace beyond ten years", fix);
        }
        if trace.skipped_lines > 0 {
            let lines = trace.skipped_lines;
            self.warnings.push(format!("{}: {lines} broken lines left out", raw.path));
        }
        if trace.raised_calls > 0 {
            self.warnings.push(format!(
                "{}: {} calls recorded without prompt or output tokens count as one token",
                raw.path, trace.raised_calls
            ));
        }
    }
}
