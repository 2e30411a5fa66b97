//! CSV whose columns the scenario names: any log of calls with a header.

use super::read::{Builder, Record, next_line, shorten};
use super::stamps::{Refused, Stamps, TimeUnit};
use super::table::{Columns, Table, fields, text, told_of};
use std::io::BufRead;

/// What the columns of a CSV file are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CsvLayout {
    /// Names of the columns of the time, the prompt tokens and the output tokens.
    pub columns: Columns<String>,
    /// Unit of numeric time stamps; told by the name of their column when absent.
    pub unit: Option<TimeUnit>,
}

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    let Some(layout) = builder.options.csv.clone() else { return ask(input, builder) };
    let names = layout.columns.each_ref().map(|name| [name.as_str()]);
    let columns = names.each_ref().map(|name| name.as_slice());
    let fix = "name the columns of this file in `columns` (import: --columns)";
    let Some(table) = Table::open(input, builder, columns, fix) else { return };
    let mut stamps = Stamps::new(layout.unit.or_else(|| TimeUnit::told_by(&table.names[0])));
    let mut bytes = Vec::new();
    while let Some((number, line)) = next_line(input, &mut bytes, builder) {
        match record(line, &table, &mut stamps) {
            Ok(record) => builder.add(number, line, Ok(record)),
            Err(Refused::Line(problem)) => builder.add(number, line, Err(problem)),
            Err(Refused::File(problem, fix)) => {
                return builder.fault(Some(number), Some(shorten(line)), problem, &fix);
            }
        }
    }
}

/// Nobody said what the columns are.
fn ask(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    let mut bytes = Vec::new();
    let Some((number, header)) = next_line(input, &mut bytes, builder) else { return };
    let problem = format!("is CSV whose columns are not named: it has {}", told_of(header));
    let fix = "write e.g. `columns = { time = \"arrival\", prompt_tokens = \"input\", \
               output_tokens = \"output\" }`";
    builder.fault(Some(number), Some(shorten(header)), problem, fix);
}

fn record(line: &[u8], table: &Table, stamps: &mut Stamps) -> Result<Record, Refused> {
    let fields = fields(text(line).map_err(Refused::Line)?);
    let tokens = |which| table.tokens(&fields, which).map_err(Refused::Line);
    let (prompt, output) = (tokens(1)?, tokens(2)?);
    let at = stamps.ticks(table.field(&fields, 0).map_err(Refused::Line)?, &table.names[0])?;
    Ok(Record { at_ticks: Some(at), prompt, output, ..Record::default() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::TICKS_PER_SECOND;
    use crate::workload::{Format, ReadOptions, read_trace};

    fn read(
        text: &str,
        time: &str,
        unit: Option<TimeUnit>,
    ) -> Result<Vec<(u64, u32, u32)>, String> {
        let columns = [time, "in", "out"].map(str::to_owned);
        let csv = Some(CsvLayout { columns, unit });
        let options = ReadOptions { csv, ..ReadOptions::default() };
        let trace = read_trace(Format::Csv, text.as_bytes(), "t.csv", options);
        let trace = trace.map_err(|mistakes| mistakes[0].to_string())?;
        Ok(trace.cursor().map(|call| (call.at.ticks(), call.prompt, call.output)).collect())
    }

    #[test]
    fn stamps_are_dates_or_numbers() {
        let expected = [(0, 10, 20), (TICKS_PER_SECOND, 30, 40)];
        let dates = "out,who,in,at\n20,x,10,2026-01-05T09:00:00+01:00\n\
                     40,\"a, b\",30.0,2026-01-05T08:00:01Z\n";
        assert_eq!(read(dates, "at", None).unwrap(), expected);
        let numbers = "at,in,out\n250,10,20\n1250.0,30,40\n";
        assert_eq!(read(numbers, "at", Some(TimeUnit::Milliseconds)).unwrap(), expected);
        let told = numbers.replace("at,", "at_ms,");
        assert_eq!(read(&told, "at_ms", None).unwrap(), expected);
        let asked = read(numbers, "at", None).unwrap_err();
        assert!(asked.contains("t.csv:2") && asked.contains("`time_unit`"), "{asked}");
    }

    #[test]
    fn columns_that_are_missing_are_named_with_those_found() {
        let missing = read("at,input,out\n1,2,3\n", "when", None).unwrap_err();
        assert!(missing.contains("without when, in: it has at, input, out"), "{missing}");
        let options = ReadOptions::default();
        let unnamed = read_trace(Format::Csv, &b"at,input,out\n1,2,3\n"[..], "t.csv", options);
        let unnamed = unnamed.unwrap_err()[0].to_string();
        assert!(unnamed.contains("it has at, input, out"), "{unnamed}");
    }
}
