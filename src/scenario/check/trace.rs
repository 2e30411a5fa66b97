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

/// Recordings that were read already, by everything that tells two readings
/// apart; variants of a scenario share them.
#[derive(Debug, Default)]
pub(super) struct Traces(Mutex<Vec<(Reading, Arc<Trace>)>>);

/// Path, format, calls at most, tokens a block.
type Reading = (PathBuf, Format, Option<u64>, u32);

impl Traces {
    /// The trace of this reading, read by `read` if it is new.
    fn get<E>(
        &self,
        reading: Reading,
        read: impl FnOnce() -> Result<Trace, E>,
    ) -> Result<Arc<Trace>, E> {
        // Held while reading, so that two variants do not read at once.
        let mut known = self.0.lock().expect("no reader panics");
        if let Some((_, trace)) = known.iter().find(|(other, _)| *other == reading) {
            return Ok(trace.clone());
        }
        let trace = Arc::new(read()?);
        known.push((reading, trace.clone()));
        Ok(trace)
    }
}

impl Check<'_> {
    pub(super) fn trace(&mut self, at: &At<'_>, raw: &RawTrace) -> Option<Arrivals> {
        let path = self.base_dir.join(&raw.path);
        let format = match raw.format {
            RawFormat::Azure => Format::Azure,
            RawFormat::Mooncake => Format::Mooncake,
        };
        let options = ReadOptions {
            skip_bad_lines: self.skip_bad_lines,
            calls_max: raw.requests,
            block_tokens: Some(raw.block_tokens),
            ..ReadOptions::default()
        };
        let reading = (path.clone(), format, raw.requests, raw.block_tokens);
        let trace = self.traces.get(reading, || {
            let opened = File::open(&path).and_then(|file| match file.metadata()?.is_dir() {
                true => Err(ErrorKind::IsADirectory.into()),
                false => Ok(file),
            });
            let file = opened.map_err(|error| {
                let fix = "give a path relative to the folder of the scenario file";
                vec![at.key("path").mistake(format!("cannot be read: {error}"), fix)]
            })?;
            let name = path.display().to_string();
            read_trace(format, BufReader::new(file), &name, options)
        });
        match trace {
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
        if trace.strands.is_contradictory() {
            self.warnings.push(format!(
                "{}: some ids follow several others, so each is taken for another block there",
                raw.path
            ));
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
