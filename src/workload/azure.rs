//! The Azure LLM inference trace: CSV with a header of `TIMESTAMP`,
//! `ContextTokens` and `GeneratedTokens`, in any order, further columns
//! ignored (<https://github.com/Azure/AzurePublicDataset>).
//!
//! Time stamps have up to nine decimals and may carry a zone; without one they
//! are taken as UTC. Only their differences matter.

use super::read::{Builder, Record, next_line};
use super::stamps::date;
use super::table::{Table, fields, text};
use std::io::BufRead;

const COLUMNS: [&[&str]; 3] = [&["TIMESTAMP"], &["ContextTokens"], &["GeneratedTokens"]];

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    let fix = "check `format` and the first line";
    let Some(table) = Table::open(input, builder, COLUMNS, fix) else { return };
    let mut bytes = Vec::new();
    while let Some((number, line)) = next_line(input, &mut bytes, builder) {
        builder.add(number, line, record(line, &table));
    }
}

fn record(line: &[u8], table: &Table) -> Result<Record, String> {
    let fields = fields(text(line)?);
    let at = table.field(&fields, 0)?;
    let at_ticks = date(at).ok_or_else(|| {
        format!("TIMESTAMP `{at}` is not a date and time such as 2023-11-16 18:15:46.6805900")
    })?;
    Ok(Record {
        at_ticks: Some(at_ticks),
        prompt: table.tokens(&fields, 1)?,
        output: table.tokens(&fields, 2)?,
        ..Record::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::kernel::TICKS_PER_SECOND;
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
