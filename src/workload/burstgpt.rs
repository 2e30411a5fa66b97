//! BurstGPT: CSV with a header of `Timestamp` (s), `Request tokens` and
//! `Response tokens`, in any order, further columns ignored
//! (<https://github.com/HPMLL/BurstGPT>).
//!
//! A call without response tokens failed. How much of it was served is not
//! recorded, so it is left out and counted.

use super::read::{Builder, Link, Record, next_line};
use super::stamps::{Refused, Stamps, TimeUnit};
use super::table::{Table, fields, text};
use crate::random::entity;
use std::io::BufRead;

/// How the header calls what is read; its documentation and its files differ.
const COLUMNS: [&[&str]; 3] =
    [&["Timestamp", "Timestamp(s)"], &["Request tokens"], &["Response tokens"]];

pub(super) fn read(input: &mut impl BufRead, builder: &mut Builder<'_>) {
    let fix = "check `format` and the first line";
    let Some(table) = Table::open(input, builder, COLUMNS, fix) else { return };
    let mut stamps = Stamps::new(Some(TimeUnit::Seconds));
    let mut bytes = Vec::new();
    while let Some((number, line)) = next_line(input, &mut bytes, builder) {
        match record(line, &table, &mut stamps) {
            Ok(record) if record.output == 0 => builder.tally.failed_calls += 1,
            read => builder.add(number, line, read),
        }
    }
}

fn record(line: &[u8], table: &Table, stamps: &mut Stamps) -> Result<Record, String> {
    let fields = fields(text(line)?);
    let at = stamps.ticks(table.field(&fields, 0)?, &table.names[0]);
    let at = at.map_err(|refused| match refused {
        Refused::Line(problem) | Refused::File(problem, _) => problem,
    })?;
    let session = table.column("Session ID").and_then(|at| fields.get(at));
    let session = session.filter(|name| !name.is_empty());
    Ok(Record {
        link: session.map_or(Link::None, |name| Link::Session(entity(name))),
        at_ticks: Some(at),
        prompt: table.tokens(&fields, 1)?,
        output: table.tokens(&fields, 2)?,
        ..Record::default()
    })
}

#[cfg(test)]
mod tests {
    use crate::kernel::TICKS_PER_SECOND;
    use crate::workload::{Format, ReadOptions, read_trace};

    const HEADER: &str = "Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type\n";

    #[test]
    fn failures_are_left_out_and_counted() {
        let text = format!(
            "{HEADER}5,ChatGPT,472,18,490,Conversation log\n6,GPT-4,30,0,30,API log\n\
             45.5,ChatGPT,1087,230,1317,Conversation log\n"
        );
        let options = ReadOptions { calls_max: Some(2), ..ReadOptions::default() };
        let trace = read_trace(Format::BurstGpt, text.as_bytes(), "t.csv", options).unwrap();
        let calls: Vec<_> = trace.cursor().map(|c| (c.at.ticks(), c.prompt, c.output)).collect();
        let gap = TICKS_PER_SECOND * 81 / 2;
        assert_eq!(calls, [(0, 472, 18), (gap, 1_087, 230)]);
        assert_eq!((trace.failed_calls, trace.raised_calls), (1, 0));
    }

    #[test]
    fn a_file_of_failures_holds_no_call() {
        let text = format!("{HEADER}5,ChatGPT,472,0,472,API log\n");
        let options = ReadOptions::default();
        let refused = read_trace(Format::BurstGpt, text.as_bytes(), "t.csv", options).unwrap_err();
        assert!(refused[0].problem.contains("1 of them failed"), "{}", refused[0].problem);
    }

    #[test]
    fn the_columns_of_sessions_are_no_matter() {
        let text = "Timestamp(s),Session ID,Elapsed time,Model,Request tokens,Response tokens,\
            Total tokens,Log Type\n0,7,2.5,ChatGPT,10,20,30,Conversation log\n";
        let options = ReadOptions::default();
        let trace = read_trace(Format::BurstGpt, text.as_bytes(), "t.csv", options).unwrap();
        assert_eq!(trace.cursor().next().map(|c| (c.prompt, c.output)), Some((10, 20)));
    }
}
