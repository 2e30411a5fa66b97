//! Rates by the hour from a table: CSV with a column of times and one of rates.
//!
//! The names of the columns say what they are: `hour`, `minute`, `time_s` or dates,
//! counted from a date if the name has one (`hour_from_2024-05-12T00:00Z`); `rate`,
//! `req_per_s`, `requests_per_hour`, or `requests` and `count` for how many there
//! were in a row's time. Rows are an hour apart or less, and become hours of the
//! local clock.

use super::rate::Hourly;
use crate::error::Mistake;
use crate::kernel::TICKS_PER_SECOND;
use crate::workload::{Stamps, TimeUnit, date_ticks, fields};
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use std::io::BufRead;

/// Most rows: ten years of minutes.
const ROWS_MAX: usize = 3_653 * 1_440;
/// Highest rate, calls a second, as of scenarios.
const RATE_MAX: f64 = 1e6;
/// Mistakes that are listed.
const MISTAKES_MAX: usize = 10;
/// Share of an hour's rows without which it is not known.
const ENOUGH: f64 = 0.5;
/// Words for a number of calls in a row's time, and for tokens, which no table of rates has.
const COUNTS: [&str; 6] = ["requests", "count", "counts", "calls", "arrivals", "n"];
const TOKENS: [&str; 5] = ["token", "input", "output", "context", "prompt"];

/// How to read a table.
#[derive(Clone, Debug)]
pub struct RateLayout {
    /// Names of the columns of time and rate; found out when absent.
    pub columns: Option<[String; 2]>,
    /// Unit of numeric times; told by the name of their column when absent.
    pub unit: Option<TimeUnit>,
    /// Local time of time 0, where neither the table nor its header has dates.
    pub start: Option<DateTime>,
    /// The zone of the local clock.
    pub zone: TimeZone,
}

/// A table as it was read.
#[derive(Clone, Debug)]
pub struct RateTable {
    /// Rates by the hour.
    pub hourly: Hourly,
    /// Rows.
    pub rows: usize,
    /// Time between rows, s.
    pub step_s: f64,
    /// What was assumed.
    pub notes: Vec<String>,
}

/// What a column of rates counts.
#[derive(Clone, Copy, Debug, PartialEq)]
enum RateUnit {
    /// Calls in so many seconds.
    Per(f64),
    /// Calls in a row's time.
    Row,
}

/// Words of a column's name.
fn words(column: &str) -> Vec<String> {
    let words = column.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// A column's name before "from" or "since", and the date after it.
fn origin(column: &str) -> (&str, Option<&str>) {
    let split = ["from", "since"].iter().find_map(|word| {
        let at = column.to_lowercase().find(word)?;
        let (before, after) = (&column[..at], &column[at + word.len()..]);
        let trim = |c: char| !c.is_alphanumeric();
        Some((before.trim_end_matches(trim), after.trim_start_matches(trim)))
    });
    split.map_or((column, None), |(name, date)| (name, Some(date)))
}

fn is_time(column: &str) -> bool {
    let (name, _) = origin(column);
    let named = |word: &String| ["time", "timestamp", "date", "t"].contains(&word.as_str());
    words(name).iter().any(named) || TimeUnit::told_by(name).is_some()
}

fn rate_unit(column: &str) -> Option<RateUnit> {
    let words = words(column);
    if let Some(at) = words.iter().position(|word| word == "per") {
        let unit = TimeUnit::told_by(words.get(at + 1)?)?;
        return Some(RateUnit::Per(unit.seconds()));
    }
    words.iter().find_map(|word| match word.as_str() {
        "rate" | "rps" | "qps" => Some(RateUnit::Per(1.0)),
        "rpm" | "qpm" => Some(RateUnit::Per(60.0)),
        word if COUNTS.contains(&word) => Some(RateUnit::Row),
        _ => None,
    })
}

/// Whether this is the header of a table of rates.
pub fn is_rates(header: &str) -> bool {
    let columns = fields(header);
    let has_tokens = |column: &str| TOKENS.iter().any(|word| column.to_lowercase().contains(word));
    let time = columns.iter().position(|column| is_time(column));
    let rate = columns
        .iter()
        .enumerate()
        .find(|(at, column)| Some(*at) != time && rate_unit(column).is_some());
    time.is_some() && rate.is_some() && !columns.iter().any(|column| has_tokens(column))
}

/// What the header says.
struct Header {
    at: [usize; 2],
    time: String,
    /// When time 0 is.
    origin: Option<Timestamp>,
    unit: RateUnit,
    is_unit_told: bool,
    count: usize,
}

/// Reads a table; `file` is its name in messages.
pub fn read_rates(
    mut input: impl BufRead,
    file: &str,
    layout: &RateLayout,
) -> Result<RateTable, Vec<Mistake>> {
    let wrong = |line: Option<usize>, value: Option<String>, problem: String, fix: &str| Mistake {
        file: file.to_owned(),
        line,
        key: String::new(),
        value,
        problem,
        fix: fix.to_owned(),
    };
    let mut line = String::new();
    let mut number = 0;
    let mut next = |line: &mut String| {
        line.clear();
        number += 1;
        match input.read_line(line) {
            Ok(0) => Ok(None),
            Ok(_) => Ok(Some(number)),
            Err(error) => {
                Err(vec![wrong(Some(number), None, error.to_string(), "give a readable file")])
            }
        }
    };
    if next(&mut line)?.is_none() {
        return Err(vec![wrong(
            None,
            None,
            "is empty".to_owned(),
            "give a table with rates in it",
        )]);
    }
    let text = line.trim_start_matches('\u{feff}').trim().to_owned();
    let header = Header::read(&text, layout)
        .map_err(|(problem, fix)| vec![wrong(Some(1), Some(text.clone()), problem, fix)])?;
    let unit = layout.unit.or_else(|| TimeUnit::told_by(origin(&header.time).0));
    let mut stamps = Stamps::new(unit);
    let mut rows: Vec<(i128, f64)> = Vec::new();
    let mut mistakes = Vec::new();
    while let Some(number) = next(&mut line)? {
        let text = line.trim();
        if text.is_empty() {
            continue;
        }
        match header.row(text, &mut stamps) {
            Ok(row) if rows.last().is_none_or(|last| last.0 < row.0) => rows.push(row),
            Ok(_) => mistakes.push(wrong(
                Some(number),
                Some(text.to_owned()),
                "is not later than the row before".to_owned(),
                "sort the rows by time, one for each",
            )),
            Err((problem, fix)) => {
                mistakes.push(wrong(Some(number), Some(text.to_owned()), problem, &fix));
            }
        }
        if mistakes.len() >= MISTAKES_MAX || rows.len() > ROWS_MAX {
            break;
        }
    }
    if rows.len() > ROWS_MAX {
        let problem = format!("has more than {ROWS_MAX} rows");
        mistakes.push(wrong(None, None, problem, "take longer rows, such as hours"));
    }
    if !mistakes.is_empty() {
        return Err(mistakes);
    }
    let has_dates = stamps.are_dates();
    finish(&rows, &header, has_dates, layout)
        .map_err(|(problem, fix)| vec![wrong(None, None, problem, fix)])
}

impl Header {
    fn read(text: &str, layout: &RateLayout) -> Result<Header, (String, &'static str)> {
        let columns = fields(text);
        let told: Vec<&str> = columns.iter().map(AsRef::as_ref).collect();
        let at = match &layout.columns {
            Some(names) => names.each_ref().map(|name| columns.iter().position(|c| c == name)),
            None => {
                let time = columns.iter().position(|column| is_time(column));
                let rate = (0..columns.len())
                    .find(|at| Some(*at) != time && rate_unit(&columns[*at]).is_some());
                [time, rate]
            }
        };
        let [Some(time), Some(rate)] = at else {
            let names = match &layout.columns {
                Some(names) => names.clone(),
                None => ["a column of times", "one of rates"].map(str::to_owned),
            };
            let absent = names.iter().zip(at).filter(|(_, at)| at.is_none());
            let absent: Vec<&str> = absent.map(|(name, _)| name.as_str()).collect();
            let problem =
                format!("is a header without {}: it has {}", absent.join(", "), told.join(", "));
            return Err((problem, "name them, e.g. --columns time=hour,rate=req_per_s"));
        };
        let origin = match origin(&columns[time]).1 {
            None => None,
            Some(date) => match date_ticks(date) {
                Some(ticks) => Some(timestamp(ticks)),
                None => {
                    let problem = format!("counts time from `{date}`, which is no date");
                    return Err((problem, "write one such as hour_from_2024-05-12T00:00Z"));
                }
            },
        };
        let told_unit = rate_unit(&columns[rate]);
        Ok(Header {
            at: [time, rate],
            time: columns[time].to_string(),
            origin,
            unit: told_unit.unwrap_or(RateUnit::Per(1.0)),
            is_unit_told: told_unit.is_some()
                && !words(&columns[rate]).contains(&"rate".to_owned()),
            count: columns.len(),
        })
    }

    /// Ticks and the rate of a row.
    fn row(&self, text: &str, stamps: &mut Stamps) -> Result<(i128, f64), (String, String)> {
        let cells = fields(text);
        let fix = || "write a time and a rate in each row".to_owned();
        if cells.len() < self.count.min(self.at[0].max(self.at[1]) + 1) {
            return Err((format!("has {} of {} columns", cells.len(), self.count), fix()));
        }
        let [time, rate] = self.at.map(|at| cells[at].as_ref());
        let ticks = stamps.told(time, &self.time)?;
        match rate.parse::<f64>() {
            Ok(rate) if rate >= 0.0 && rate.is_finite() => Ok((ticks, rate)),
            _ => Err((format!("has the rate `{rate}`, which is none"), fix())),
        }
    }
}

fn timestamp(ticks: i128) -> Timestamp {
    let per_ns = i128::from(TICKS_PER_SECOND / 1_000_000_000);
    Timestamp::from_nanosecond(ticks / per_ns).unwrap_or_default()
}

/// Rows as hours of the local clock.
fn finish(
    rows: &[(i128, f64)],
    header: &Header,
    has_dates: bool,
    layout: &RateLayout,
) -> Result<RateTable, (String, &'static str)> {
    let [first, second, ..] = rows else {
        return Err(("has fewer than two rows".to_owned(), "give rates of a day or more"));
    };
    let step = rows.windows(2).map(|pair| pair[1].0 - pair[0].0).min().expect("two rows");
    let step_s = step as f64 / TICKS_PER_SECOND as f64;
    let _ = second;
    if step_s > 3_600.0 {
        let problem = format!("has rows {} min apart", step_s / 60.0);
        return Err((problem, "give rows for hours, or shorter ones"));
    }
    let seconds = match header.unit {
        RateUnit::Per(seconds) => seconds,
        RateUnit::Row => step_s,
    };
    let most = rows.iter().map(|row| row.1 / seconds).fold(0.0, f64::max);
    if most == 0.0 {
        return Err(("holds no call: all of its rates are 0".to_owned(), "give other rates"));
    }
    if most > RATE_MAX {
        let problem = format!("has a rate of {most:.1e} calls a second");
        return Err((problem, "check the unit of rates, or keep them to a million"));
    }
    let mut notes = Vec::new();
    if !header.is_unit_told {
        notes.push("rates are taken as calls a second".to_owned());
    }
    let origin = header.origin;
    let is_absolute = has_dates || origin.is_some();
    // The local time of a row, in hours since midnight of the first row's day.
    let local = |ticks: i128| -> DateTime {
        match (origin, has_dates) {
            (_, true) => timestamp(ticks).to_zoned(layout.zone.clone()).datetime(),
            (Some(origin), false) => {
                let at =
                    origin.as_nanosecond() + ticks / i128::from(TICKS_PER_SECOND / 1_000_000_000);
                let at = Timestamp::from_nanosecond(at).unwrap_or_default();
                at.to_zoned(layout.zone.clone()).datetime()
            }
            (None, false) => {
                let start = layout.start.unwrap_or(DateTime::constant(2001, 1, 1, 0, 0, 0, 0));
                let ns = (ticks / i128::from(TICKS_PER_SECOND / 1_000_000_000)) as i64;
                start.saturating_add(jiff::SignedDuration::from_nanos(ns))
            }
        }
    };
    if !is_absolute && layout.start.is_none() {
        notes.push(
            "has no dates: time 0 is taken as midnight, and all days of the week as alike; say \
             when it was with --start"
                .to_owned(),
        );
    }
    let begin = local(first.0).date();
    let hour = |at: DateTime| -> usize {
        let days = begin.until((Unit::Day, at.date())).map_or(0, |span| span.get_days());
        days.max(0) as usize * 24 + at.hour() as usize
    };
    let mut sums: Vec<(f64, f64)> = Vec::new();
    for (ticks, rate) in rows {
        let at = hour(local(*ticks));
        if at >= sums.len() {
            sums.resize(at + 1, (0.0, 0.0));
        }
        sums[at].0 += 1.0;
        sums[at].1 += rate / seconds;
    }
    let first_hour = hour(local(first.0));
    let per_hour = 3_600.0 / step_s;
    let known = |(n, sum): &(f64, f64)| (*n >= ENOUGH * per_hour).then(|| sum / n);
    let rates: Vec<Option<f64>> = sums[first_hour..].iter().map(known).collect();
    let date = (is_absolute || layout.start.is_some()).then_some(begin);
    let hourly = Hourly { rates, first_hour, date, chance: 0.0 };
    Ok(RateTable { hourly, rows: rows.len(), step_s, notes })
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;
    use jiff::tz::TimeZoneDatabase;

    fn layout() -> RateLayout {
        RateLayout { columns: None, unit: None, start: None, zone: TimeZone::UTC }
    }

    fn read(text: &str, layout: &RateLayout) -> Result<RateTable, String> {
        read_rates(text.as_bytes(), "t.csv", layout)
            .map_err(|all| all.iter().map(|mistake| format!("{mistake}\n")).collect())
    }

    /// Rows of a table with this header, one for each value.
    fn rows(header: &str, values: impl Iterator<Item = f64>) -> String {
        let row = |(at, value): (usize, f64)| format!("{at},{value}\n");
        format!("{header}\n") + &values.enumerate().map(row).collect::<String>()
    }

    #[test]
    fn headers_are_told_from_those_of_calls() {
        for header in ["hour,rate", "hour_from_2024-05-12T00:00Z,req_per_s", "date,requests"] {
            assert!(is_rates(header), "{header}");
        }
        for header in ["at,input,output", "TIMESTAMP,ContextTokens,GeneratedTokens", "hour", "x,y"]
        {
            assert!(!is_rates(header), "{header}");
        }
    }

    #[test]
    fn units_and_dates_are_told_by_names() {
        let day = || (0..48).map(f64::from);
        let plain = read(&rows("hour,rate", day()), &layout()).unwrap();
        assert_eq!(plain.hourly.rates[5], Some(5.0));
        assert_eq!((plain.hourly.date, plain.notes.len()), (None, 2));
        let dated =
            read(&rows("hour_from_2024-05-12T06:00Z,calls_per_min", day()), &layout()).unwrap();
        assert_eq!(dated.hourly.rates[5], Some(5.0 / 60.0));
        assert_eq!(dated.hourly.date, Some(date(2024, 5, 12)));
        assert_eq!((dated.hourly.first_hour, dated.notes.len()), (6, 0));
        let minutes = read(&rows("minute,requests", (0..180).map(f64::from)), &layout()).unwrap();
        assert_eq!(minutes.hourly.rates.len(), 3);
        assert!((minutes.hourly.rates[0].unwrap() - 29.5 / 60.0).abs() < 1e-12);
        let started = RateLayout { start: Some("2026-03-01T22:00".parse().unwrap()), ..layout() };
        let started = read(&rows("hour,rate", day()), &started).unwrap();
        assert_eq!((started.hourly.first_hour, started.hourly.date), (22, Some(date(2026, 3, 1))));
    }

    #[test]
    fn local_days_have_the_hours_of_the_clock() {
        let zone = TimeZoneDatabase::bundled().get("America/New_York").unwrap();
        let local = RateLayout { zone, ..layout() };
        // Clocks go forward on 2026-03-08 at 2:00.
        let text = rows("hour_from_2026-03-08T05:00Z,rate", (0..30).map(f64::from));
        let found = read(&text, &local).unwrap().hourly;
        assert_eq!((found.first_hour, found.date), (0, Some(date(2026, 3, 8))));
        assert_eq!(found.rates[..4], [Some(0.0), Some(1.0), None, Some(2.0)]);
    }

    #[test]
    fn what_is_wrong_is_named() {
        let refused = |text: &str| read(text, &layout()).unwrap_err();
        assert!(refused("").contains("is empty"));
        let header = refused("a,b\n1,2\n");
        assert!(header.contains("it has a, b") && header.contains("--columns time="), "{header}");
        let table = "hour,rate\n0,1\n1,-2\n1,x\n0,3\n2\n";
        let told = refused(table);
        for line in ["t.csv:3", "t.csv:4", "t.csv:5", "t.csv:6"] {
            assert!(told.contains(line), "{told}");
        }
        assert!(refused("hour,rate\n0,1\n5,1\n").contains("300 min apart"));
        assert!(refused("hour,rate\n0,1\n").contains("fewer than two rows"));
        assert!(refused("hour,rate\n0,0\n1,0\n").contains("all of its rates are 0"));
        assert!(refused("hour,rate\n0,1e7\n1,0\n").contains("1.0e7 calls a second"));
        assert!(refused("hour_from_yesterday,rate\n0,1\n").contains("`yesterday`"));
        assert!(refused("time,rate\n0,1\n1,2\n").contains("unit is not said"));
    }
}
