//! Time stamps of CSV traces: dates with times, or numbers in some unit.
//!
//! A number does not say its unit. It is stated, or told by the name of its
//! column (`arrival_ms`, `Timestamp(s)`); else it is asked for. A trace has one
//! unit: a date among numbers is refused, and so is a number that counts from
//! 1970 in another unit than the first does.

use crate::kernel::TICKS_PER_SECOND;
use jiff::{Timestamp, civil::DateTime};

/// Unit of numeric time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum TimeUnit {
    Nanoseconds,
    Microseconds,
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
}

use TimeUnit::{Hours, Microseconds, Milliseconds, Minutes, Nanoseconds, Seconds};

/// Units from short to long, as a scenario writes them, and other names that
/// columns have for them.
const NAMES: [(TimeUnit, &str, &[&str]); 6] = [
    (Nanoseconds, "ns", &["nanos", "nsec", "nanosecond", "nanoseconds"]),
    (Microseconds, "us", &["µs", "micros", "usec", "microsecond", "microseconds"]),
    (Milliseconds, "ms", &["millis", "msec", "millisecond", "milliseconds"]),
    (Seconds, "s", &["sec", "secs", "second", "seconds"]),
    (Minutes, "min", &["mins", "minute", "minutes"]),
    (Hours, "h", &["hr", "hrs", "hour", "hours"]),
];

const TICKS_PER_NANOSECOND: i128 = TICKS_PER_SECOND as i128 / 1_000_000_000;
/// Seconds since 1970 from 2001 to 2103: nobody counts so many from a start.
const EPOCH_S: std::ops::Range<f64> = 1.0e9..4.2e9;
/// Beyond this a float with an exponent is no time in any unit.
const NUMBER_MAX: f64 = 1e20;

impl TimeUnit {
    /// Its name in scenarios.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(unit, ..)| *unit == self).expect("all have names").1
    }

    /// The unit called `name`.
    pub fn named(name: &str) -> Option<TimeUnit> {
        NAMES.iter().find(|(_, known, _)| *known == name).map(|(unit, ..)| *unit)
    }

    /// How long it is, s.
    pub fn seconds(self) -> f64 {
        self.ticks() as f64 / TICKS_PER_SECOND as f64
    }

    fn ticks(self) -> i128 {
        match self {
            Nanoseconds => TICKS_PER_NANOSECOND,
            Microseconds => 1_000 * TICKS_PER_NANOSECOND,
            Milliseconds => 1_000_000 * TICKS_PER_NANOSECOND,
            Seconds => TICKS_PER_SECOND as i128,
            Minutes => 60 * TICKS_PER_SECOND as i128,
            Hours => 3_600 * TICKS_PER_SECOND as i128,
        }
    }

    /// The unit at the end of a column's name.
    pub fn told_by(column: &str) -> Option<TimeUnit> {
        let column = column.to_lowercase();
        let last = column.split(|c: char| !c.is_alphanumeric()).rfind(|word| !word.is_empty())?;
        let is_it = |(_, name, others): &&(TimeUnit, &str, &[&str])| {
            *name == last || others.contains(&last)
        };
        NAMES.iter().find(is_it).map(|(unit, ..)| *unit)
    }

    /// The unit in which a number looks like a time since 1970.
    fn since_1970(number: f64) -> Option<TimeUnit> {
        let units = [(Seconds, 1.0), (Milliseconds, 1e3), (Microseconds, 1e6), (Nanoseconds, 1e9)];
        units
            .into_iter()
            .find(|(_, per_s)| EPOCH_S.contains(&(number / per_s)))
            .map(|(unit, _)| unit)
    }
}

/// What the first stamp of a file was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Date,
    /// A number, counted from 1970 or from elsewhere.
    Number {
        since_1970: bool,
    },
}

/// Why a stamp is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The line is broken.
    Line(String),
    /// The whole file is misunderstood: what is wrong with it, and what helps.
    File(String, String),
}

/// Reads the time stamps of a file.
#[derive(Debug)]
pub struct Stamps {
    unit: Option<TimeUnit>,
    first: Option<Kind>,
}

impl Stamps {
    /// Stamps in this unit, where it is known.
    pub fn new(unit: Option<TimeUnit>) -> Self {
        Stamps { unit, first: None }
    }

    /// Whether the first stamp was a date.
    pub fn are_dates(&self) -> bool {
        self.first == Some(Kind::Date)
    }

    /// Ticks of the stamp `text` from the column called `column`, or what is wrong
    /// with it and what helps.
    pub fn told(&mut self, text: &str, column: &str) -> Result<i128, (String, String)> {
        self.ticks(text, column).map_err(|refused| match refused {
            Refused::Line(problem) => (problem, "write one time in each row".to_owned()),
            Refused::File(problem, fix) => (problem, fix),
        })
    }

    /// Ticks of the stamp `text` from the column called `column`.
    pub(super) fn ticks(&mut self, text: &str, column: &str) -> Result<i128, Refused> {
        let Some(number) = number(text) else { return self.date(text, column) };
        if self.first == Some(Kind::Date) {
            let problem = format!("{column} `{text}` is a number, the first is a date and time");
            return Err(Refused::Line(problem));
        }
        let looks = TimeUnit::since_1970(number);
        let Some(unit) = self.unit else { return Err(ask(text, column, looks)) };
        let since_1970 = looks == Some(unit);
        if let Some(finer) = looks.filter(|looks| looks.ticks() < unit.ticks()) {
            let what = format!("{column} `{text}` looks like {} since 1970", finer.name());
            return Err(match self.first {
                None => Refused::File(
                    format!("{what}, not like {}", unit.name()),
                    format!("write `time_unit = \"{0}\"` (import: --time-unit {0})", finer.name()),
                ),
                Some(_) => Refused::Line(format!("{what}, others are in {}", unit.name())),
            });
        }
        if let (Some(Kind::Number { since_1970: true }), Some(coarser), false) =
            (self.first, looks, since_1970)
        {
            return Err(Refused::Line(format!(
                "{column} `{text}` looks like {} since 1970, others are in {}",
                coarser.name(),
                unit.name()
            )));
        }
        self.first = self.first.or(Some(Kind::Number { since_1970 }));
        Ok(ticks(text, number, unit))
    }

    fn date(&mut self, text: &str, column: &str) -> Result<i128, Refused> {
        let instant = date(text).ok_or_else(|| {
            let example = match self.first {
                Some(Kind::Number { .. }) => "number such as 12.5",
                _ => "date and time such as 2023-11-16 18:15:46.6805900",
            };
            Refused::Line(format!("{column} `{text}` is not a {example}"))
        })?;
        if matches!(self.first, Some(Kind::Number { .. })) {
            let problem = format!("{column} `{text}` is a date and time, the first is a number");
            return Err(Refused::Line(problem));
        }
        self.first = Some(Kind::Date);
        Ok(instant)
    }
}

/// Asks for the unit of a number.
fn ask(text: &str, column: &str, looks: Option<TimeUnit>) -> Refused {
    let problem = format!("{column} `{text}` is a number whose unit is not said");
    let names: Vec<String> = NAMES.iter().map(|(_, name, _)| format!("\"{name}\"")).collect();
    Refused::File(
        problem,
        match looks {
            Some(unit) => {
                let name = unit.name();
                format!(
                    "write `time_unit = \"{name}\"` (import: --time-unit {name}) if it is {name} \
                     since 1970, as it looks"
                )
            }
            None => format!("write `time_unit` (import: --time-unit), one of {}", names.join(", ")),
        },
    )
}

/// Ticks since 1970 of a date with a time; one without a zone is in UTC.
pub fn date(text: &str) -> Option<i128> {
    let utc = || text.parse::<DateTime>().ok()?.to_zoned(jiff::tz::TimeZone::UTC).ok();
    let instant = text.parse::<Timestamp>().ok().or_else(|| Some(utc()?.timestamp()))?;
    Some(instant.as_nanosecond() * TICKS_PER_NANOSECOND)
}

fn number(text: &str) -> Option<f64> {
    // "inf" and "nan" are numbers to the parser.
    let is_numeric = text.ends_with(|c: char| c.is_ascii_digit() || c == '.');
    text.parse().ok().filter(|number: &f64| is_numeric && number.abs() <= NUMBER_MAX)
}

/// `text` is `number` of `unit`. Whole units do not pass through a float, which
/// is too coarse for nanoseconds since 1970.
fn ticks(text: &str, number: f64, unit: TimeUnit) -> i128 {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let part = match fraction {
        "" => Some(0.0),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            format!("0.{digits}").parse::<f64>().ok()
        }
        _ => None,
    };
    let (Ok(units), Some(part)) = (whole.parse::<i128>(), part) else {
        return (number * unit.ticks() as f64).round() as i128;
    };
    let part = (part * unit.ticks() as f64 + 0.5) as i128;
    let sign = if whole.starts_with('-') { -1 } else { 1 };
    units * unit.ticks() + sign * part
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i128 = TICKS_PER_SECOND as i128;

    #[test]
    fn numbers_keep_every_digit_in_any_unit() {
        let of = |text: &str, unit| Stamps::new(Some(unit)).ticks(text, "t").unwrap();
        assert_eq!(of("1700000000123456789", Nanoseconds), 1_700_000_000_123_456_789 * 10);
        assert_eq!(of("1700000000.25", Seconds), 1_700_000_000 * SECOND + SECOND / 4);
        assert_eq!(of("-0.5", Seconds), -SECOND / 2);
        assert_eq!(of("1.5e3", Milliseconds), SECOND * 3 / 2);
        assert_eq!(of("2", Minutes), 120 * SECOND);
        assert_eq!(of("7.", Microseconds), 70_000);
    }

    #[test]
    fn columns_tell_units_at_their_end() {
        let cases = [
            ("Timestamp(s)", Some(Seconds)),
            ("arrival_time_ms", Some(Milliseconds)),
            ("Start [µs]", Some(Microseconds)),
            ("start time in nanoseconds", Some(Nanoseconds)),
            ("timestamp", None),
            ("items", None),
            ("", None),
        ];
        for (column, unit) in cases {
            assert_eq!(TimeUnit::told_by(column), unit, "{column}");
        }
    }

    #[test]
    fn units_that_are_mixed_are_refused() {
        let line = |stamps: &mut Stamps, text: &str| match stamps.ticks(text, "t") {
            Err(Refused::Line(problem)) => problem,
            other => panic!("{text}: {other:?}"),
        };
        let mut numbers = Stamps::new(Some(Seconds));
        numbers.ticks("1700000000", "t").unwrap();
        assert!(line(&mut numbers, "1700000001000").contains("looks like ms since 1970"));
        assert!(line(&mut numbers, "2023-11-16 18:00:00").contains("the first is a number"));
        let mut fine = Stamps::new(Some(Milliseconds));
        fine.ticks("1700000000000", "t").unwrap();
        assert!(line(&mut fine, "1700000001").contains("looks like s since 1970"));
        let mut dates = Stamps::new(None);
        dates.ticks("2023-11-16T18:00:00Z", "t").unwrap();
        assert!(line(&mut dates, "12.5").contains("the first is a date"));
        // From a start of its own, a count of nanoseconds passes all of these.
        let mut own = Stamps::new(Some(Nanoseconds));
        for text in ["1700000000", "1700000001000", "1700000001000000"] {
            own.ticks(text, "t").unwrap();
        }
    }

    #[test]
    fn a_unit_that_cannot_be_told_is_asked_for() {
        let file = |unit, text: &str| match Stamps::new(unit).ticks(text, "t") {
            Err(Refused::File(problem, fix)) => problem + "; " + &fix,
            other => panic!("{text}: {other:?}"),
        };
        assert!(file(None, "0").contains("\"ns\", \"us\", \"ms\", \"s\", \"min\", \"h\""));
        assert!(file(None, "1700000000000").contains("`time_unit = \"ms\"`"));
        assert!(file(Some(Seconds), "1700000000000").contains("not like s"));
    }
}
