//! Opens the recording of a use case.

use super::readings::{Readings, unreadable};
use super::replay::Sessions;
use super::{Check, HORIZON_S_MAX};
use crate::error::Mistake;
use crate::kernel::TICKS_PER_SECOND;
use crate::scenario::Arrivals;
use crate::scenario::raw::{RawFormat, RawStamps, RawTimeUnit, RawTrace, RawTurns};
use crate::scenario::tree::At;
use crate::workload::{
    CsvLayout, Format, ReadOptions, TimeUnit, Trace, Turns, is_unsorted, open_trace, read_trace,
    read_unsorted_trace,
};
use std::path::PathBuf;
use std::sync::Arc;

/// Recordings that were read already.
#[derive(Debug, Default)]
pub(super) struct Traces {
    calls: Readings<Reading, Found>,
    /// Those of sessions.
    pub sessions: Sessions,
}

/// A recording, and its layout.
type Found = (Format, Arc<Trace>);

/// What is read, and how.
#[derive(Clone, Debug, PartialEq)]
struct Reading {
    path: PathBuf,
    format: Option<Format>,
    options: ReadOptions,
    stamps: RawStamps,
}

impl Check<'_> {
    pub(super) fn trace(&mut self, at: &At<'_>, raw: &mut RawTrace) -> Option<Arrivals> {
        let gap_s = raw.session_gap.as_ref().map_or(0.0, |gap| gap.value);
        if gap_s > HORIZON_S_MAX {
            self.wrong(&at.key("session_gap"), "is more than ten years", "write e.g. \"75 s\"");
            return None;
        }
        let reading = Reading {
            path: self.base_dir.join(&raw.path),
            // Columns are named for plain CSV alone, which does not tell itself.
            format: raw.format.map(format).or(raw.columns.as_ref().map(|_| Format::Csv)),
            options: ReadOptions {
                skip_bad_lines: self.skip_bad_lines,
                calls_max: raw.requests,
                block_tokens: raw.block_tokens,
                turns: raw.turns.map(turns),
                session_gap_ticks: (gap_s * TICKS_PER_SECOND as f64 + 0.5) as u64,
                csv: layout(raw),
            },
            stamps: raw.stamps,
        };
        match self.traces.calls.get(&reading, || read(at, &reading)) {
            Ok((format, trace)) => {
                self.suit(at, format, raw);
                self.judge(at, &trace, raw);
                raw.format = Some(raw_format(format));
                Some(Arrivals::Trace { trace, time_scale: raw.time_scale })
            }
            Err(mistakes) => {
                self.mistakes.extend(mistakes);
                None
            }
        }
    }

    /// Objects to keys that say nothing about a recording of this format.
    fn suit(&mut self, at: &At<'_>, format: Format, raw: &RawTrace) {
        let mut unsuited = |key: &str, is_given: bool, suits: &[Format]| {
            if is_given && !suits.contains(&format) {
                let names: Vec<&str> = suits.iter().map(|format| format.name()).collect();
                let problem = format!("says nothing about traces of the format {}", format.name());
                let fix = format!("leave it out; it is for {}", names.join(", "));
                self.wrong(&at.key(key), problem, fix);
            }
        };
        unsuited("session_gap", raw.session_gap.is_some(), &[Format::Weka]);
        unsuited("turns", raw.turns.is_some(), &[Format::Mooncake]);
        unsuited("columns", raw.columns.is_some(), &[Format::Csv]);
        unsuited("time_unit", raw.time_unit.is_some(), &[Format::Csv]);
    }

    fn judge(&mut self, at: &At<'_>, trace: &Trace, raw: &RawTrace) {
        let length_s = trace.length.seconds() * raw.time_scale;
        if length_s > HORIZON_S_MAX {
            let fix = "take fewer calls with `requests`, or a smaller `time_scale`";
            self.wrong(&at.key("time_scale"), "stretches the trace beyond ten years", fix);
        }
        self.tell_contradiction(&raw.path, trace.contradiction);
        if let Some(tick) = trace.spread {
            self.warnings.push(format!(
                "{}: its clock ticks every {} s: the calls of a tick are spread evenly over it; \
                 `stamps = \"exact\"` takes them as they stand",
                raw.path,
                tick.seconds()
            ));
        }
        let counts = [
            (trace.skipped_lines, "broken lines left out"),
            (trace.failed_calls, "calls recorded as failed, without output tokens, left out"),
            (trace.unsorted_calls, "calls stand behind later ones; they were put in order"),
            (
                trace.raised_calls,
                "calls recorded without prompt or output tokens count as one token",
            ),
            (
                trace.too_few_ids,
                "calls have fewer ids than full blocks in their prompts: the rest never hits; \
                 check `block_tokens`",
            ),
            (
                trace.too_many_ids,
                "calls have more ids than blocks in their prompts: the rest is left out; check \
                 `block_tokens`",
            ),
        ];
        counts.iter().for_each(|(calls, what)| self.tell_count(&raw.path, *calls, what));
    }
}

/// Reads a recording, whose format may have to be found out.
fn read(at: &At<'_>, reading: &Reading) -> Result<Found, Vec<Mistake>> {
    let place = at.key("path");
    let unreadable = unreadable(&place);
    let mut input = open_trace(&reading.path).map_err(&unreadable)?;
    let found = match reading.format {
        Some(format) => Some(format),
        None => Format::detect(&mut input).map_err(&unreadable)?,
    };
    let Some(format) = found else {
        let is_empty = input.fill_buf().map_err(&unreadable)?.is_empty();
        let (problem, fix) = match is_empty {
            true => ("is empty", "give a trace with calls in it".to_owned()),
            false => {
                let known = Format::names().collect::<Vec<_>>().join(", ");
                let fix = format!(
                    "check the file, or name its `format`: {known} (the `columns` of other CSV \
                     can be named)"
                );
                ("does not begin like a trace of a known format", fix)
            }
        };
        return Err(vec![place.mistake(problem, fix)]);
    };
    let name = reading.path.display().to_string();
    let mut found = read_trace(format, input, &name, reading.options.clone());
    // As in a cache replay, prompts with ids may be out of order.
    if format.has_prefix_ids() && is_unsorted(&found) {
        let input = open_trace(&reading.path).map_err(&unreadable)?;
        found = read_unsorted_trace(format, input, &name, reading.options.clone());
    }
    let mut trace = found?;
    if let Some(tick) = trace.tick().filter(|_| reading.stamps == RawStamps::Spread) {
        trace = Arc::new(trace.spread_over(tick).map_err(&unreadable)?);
    }
    Ok((format, trace))
}

fn format(raw: RawFormat) -> Format {
    match raw {
        RawFormat::Azure => Format::Azure,
        RawFormat::Bailian => Format::Bailian,
        RawFormat::BurstGpt => Format::BurstGpt,
        RawFormat::Csv => Format::Csv,
        RawFormat::Mooncake => Format::Mooncake,
        RawFormat::Weka => Format::Weka,
    }
}

fn raw_format(format: Format) -> RawFormat {
    match format {
        Format::Azure => RawFormat::Azure,
        Format::Bailian => RawFormat::Bailian,
        Format::BurstGpt => RawFormat::BurstGpt,
        Format::Csv => RawFormat::Csv,
        Format::Mooncake => RawFormat::Mooncake,
        Format::Weka => RawFormat::Weka,
    }
}

/// What the columns of plain CSV are.
fn layout(raw: &RawTrace) -> Option<CsvLayout> {
    let columns = raw.columns.as_ref()?;
    let unit = |unit| match unit {
        RawTimeUnit::Ns => TimeUnit::Nanoseconds,
        RawTimeUnit::Us => TimeUnit::Microseconds,
        RawTimeUnit::Ms => TimeUnit::Milliseconds,
        RawTimeUnit::S => TimeUnit::Seconds,
        RawTimeUnit::Min => TimeUnit::Minutes,
        RawTimeUnit::H => TimeUnit::Hours,
    };
    let names = [&columns.time, &columns.prompt_tokens, &columns.output_tokens];
    Some(CsvLayout { columns: names.map(String::clone), unit: raw.time_unit.map(unit) })
}

fn turns(raw: RawTurns) -> Turns {
    match raw {
        RawTurns::Full => Turns::Full,
        RawTurns::Delta => Turns::Delta,
    }
}
