//! The Azure LLM inference trace: CSV with a header of `TIMESTAMP`,
//! `ContextTokens` and `GeneratedTokens`, in any order, further columns
//! ignored (<https://github.com/Azure/AzurePublicDataset>).
//!
//! Time stamps have up to nine decimals and may carry a zone; without one they
//! are taken as UTC. Only their differences matter.

use super::read::{Builder, Record, next_line, shorten};
use crate::kernel::TICKS_PER_SECOND;
use jiff::{Timestamp, civil::DateTime};
use std::borrow::Cow;
use std::io::BufRead;

const COLUMNS: [&str; 3] = ["TIMESTAMP", "ContextTokens", "GeneratedTokens"];
const TICKS_PER_NANOSECOND: i128 = TICKS_PER_SECOND as i128 / 1_000_000_000;

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    let mut bytes = Vec::new();
    let Some((number, header)) = next_line(input, &mut bytes, builder) else { return };
    let columns = match columns(header) {
        Ok(columns) => columns,
        Err(problem) => {
            let fix = "check `format` and the first line";
            return builder.fault(Some(number), Some(shorten(header)), problem, fix);
        }
    };
    while let Some((number, line)) = next_line(input, &mut bytes, builder) {
        builder.add(number, line, record(line, columns));
    }
}

/// Where the header has each of [`COLUMNS`], or which of them it lacks.
fn columns(header: &[u8]) -> Result<[usize; 3], String> {
    let header = String::from_utf8_lossy(header);
    let names = fields(&header);
    let found = COLUMNS.map(|name| names.iter().position(|column| column == name));
    if let [Some(time), Some(prompt), Some(output)] = found {
        return Ok([time, prompt, output]);
    }
    let absent = COLUMNS.iter().zip(found).filter(|(_, found)| found.is_none());
    let absent: Vec<&str> = absent.map(|(name, _)| *name).collect();
    let known: Vec<&str> = names.iter().map(Cow::as_ref).filter(|n| COLUMNS.contains(n)).collect();
    let known = if known.is_empty() { "none of its columns".to_owned() } else { known.join(", ") };
    Err(format!("is a header without {}: it has {known}", absent.join(", ")))
}

fn record(line: &[u8], columns: [usize; 3]) -> Result<Record, String> {
    let line = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let fields = fields(line);
    let field = |which: usize| {
        let field = fields.get(columns[which]).map(Cow::as_ref);
        field.ok_or_else(|| format!("has no {}", COLUMNS[which]))
    };
    Ok(Record {
        at_ticks: Some(ticks(field(0)?)?),
        prompt: tokens(field(1)?, COLUMNS[1])?,
        output: tokens(field(2)?, COLUMNS[2])?,
        ..Record::default()
    })
}

/// The fields of a line. Quoted ones, which hardly any trace has, take the
/// slow path through a CSV reader.
fn fields(line: &str) -> Vec<Cow<'_, str>> {
    if !line.contains('"') {
        return line.split(',').map(|field| Cow::Borrowed(field.trim())).collect();
    }
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .trim(csv::Trim::All)
        .from_reader(line.as_bytes());
    let record = reader.records().next().and_then(Result::ok).unwrap_or_default();
    record.iter().map(|field| Cow::Owned(field.to_owned())).collect()
}

fn ticks(text: &str) -> Result<i128, String> {
    let utc = || text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let instant = text.parse::<Timestamp>().ok().or_else(|| Some(utc()?.timestamp()));
    let instant = instant.ok_or_else(|| {
        format!("TIMESTAMP `{text}` is not a date and time such as 2023-11-16 18:15:46.6805900")
    })?;
    Ok(instant.as_nanosecond() * TICKS_PER_NANOSECOND)
}

fn tokens(text: &str, column: &str) -> Result<u32, String> {
    text.parse().map_err(|_| format!("{column} `{text}` is not a number of tokens such as 374"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Format, ReadOptions, Trace, read_trace};
    use std::sync::Arc;

    fn calls(trace: &Arc<Trace>) -> Vec<(u64, u32, u32)> {
        trace.cursor().map(|call| (call.at.ticks(), call.prompt, call.output)).collect()
    }

    fn read(text: &str, skip_bad_lines: bool) -> Result<Arc<Trace>, String> {
        let options = ReadOptions { skip_bad_lines, ..ReadOptions::default() };
        read_trace(Format::Azure, text.as_bytes(), "t.csv", options)
            .map_err(|mistakes| mistakes.iter().map(|m| format!("{m}\n")).collect())
    }

    const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens\n";

    #[test]
    fn seven_decimals_zones_and_no_final_newline() {
        let text = format!(
            "{HEADER}2023-11-16 18:00:00.6805900,374,44\n2023-11-16 18:00:01.6805901,5,6\r\n\
             2023-11-16 20:00:02.6805900+02:00,7,8"
        );
        let trace = read(&text, false).unwrap();
        let second = TICKS_PER_SECOND;
        assert_eq!(calls(&trace), [(0, 374, 44), (second + 1_000, 5, 6), (2 * second, 7, 8)]);
        assert_eq!(trace.block_tokens, 0);
    }

    #[test]
    fn broken_lines_are_all_named_or_all_counted() {
        let text = format!(
            "{HEADER}2023-11-16 18:00:00,374,44\nyesterday,1,2\n2023-11-16 18:00:02,-3,2\n\
             2023-11-16 18:00:03,4\n2023-11-16 17:00:00,4,5\n\n2023-11-16 18:00:05,0,0\n\nx,1,1\n"
        );
        insta::assert_snapshot!(read(&text, false).unwrap_err());
        let trace = read(&text, true).unwrap();
        assert_eq!((trace.calls, trace.skipped_lines, trace.raised_calls), (2, 5, 1));
        assert_eq!(calls(&trace)[1], (5 * TICKS_PER_SECOND, 1, 1));
    }

    #[test]
    fn what_spreadsheets_make_of_it() {
        let text = "\u{feff}\"TIMESTAMP\",note,\"ContextTokens\",\"GeneratedTokens\"\r\n\
            \"2023-11-16 18:00:00\",\"a, \"\"b\"\"\",\"10\",20,\r\n2023-11-16 18:00:01,,3,4\r\n";
        let trace = read(text, false).unwrap();
        assert_eq!(calls(&trace), [(0, 10, 20), (TICKS_PER_SECOND, 3, 4)]);
        let open = read(&format!("{HEADER}\"2023-11-16 18:00:00,1,2\n"), false).unwrap_err();
        assert!(open.contains("t.csv:2"), "{open}");
    }

    #[test]
    fn empty_and_foreign_files() {
        assert!(read("", false).unwrap_err().contains("t.csv: is empty"));
        assert!(read(HEADER, false).unwrap_err().contains("t.csv: is empty"));
        let foreign = read("a,b\n1,2\n", true).unwrap_err();
        assert!(foreign.contains("t.csv:1: `a") && foreign.contains("TIMESTAMP"), "{foreign}");
    }
}
