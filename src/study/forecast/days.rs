//! The days of a horizon: what is expected of each, as its hours add up.

use crate::demand::Hours;
use jiff::civil::Date;
use serde::Serialize;

/// A whole day of the local clock; 24 hours of the horizon where there is no clock.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Day {
    /// Its date, as in "2026-11-30"; `None` without a clock.
    pub date: Option<String>,
    /// When it begins, since time zero.
    pub start_s: f64,
    /// Tokens to be computed, a second.
    pub tokens_per_s: f64,
    /// The same in its quietest hour.
    pub low_hour_tokens_per_s: f64,
    /// The same in its busiest hour.
    pub peak_hour_tokens_per_s: f64,
}

/// The whole days among `hours`, of which `sums` are the tokens.
pub fn days(hours: &Hours, sums: &[f64]) -> Vec<Day> {
    let mut days = Vec::new();
    let mut begin = None;
    for index in 0..=hours.count() {
        let (now, _) = hours.at(index);
        // Which day it is, and whether it begins here.
        let (date, is_midnight) = match hours.local(now) {
            Some(local) => (Some(local.date()), begins(hours, index, local.date())),
            None => (None, index % 24 == 0),
        };
        if !is_midnight {
            continue;
        }
        if let Some((first, date)) = begin {
            days.push(day(hours, sums, first..index, date));
        }
        begin = Some((index, date));
    }
    days
}

/// Whether the hour at `index` is the first of `date`.
fn begins(hours: &Hours, index: usize, date: Date) -> bool {
    let (now, until) = hours.at(index);
    let before = now.ticks().checked_sub(until.since(now).ticks());
    match before {
        Some(ticks) => {
            let before = hours.local(crate::kernel::Time::from_ticks(ticks));
            before.is_some_and(|before| before.date() != date)
        }
        // Of a horizon that begins with the day, there is nothing before.
        None => hours.local(now).is_some_and(|local| local.hour() == 0),
    }
}

fn day(hours: &Hours, sums: &[f64], of: std::ops::Range<usize>, date: Option<Date>) -> Day {
    let sums = &sums[of.clone()];
    let rate = |tokens: f64| tokens / hours.length_s();
    Day {
        date: date.map(|date| date.to_string()),
        start_s: hours.at(of.start).0.seconds(),
        tokens_per_s: rate(sums.iter().sum::<f64>() / sums.len() as f64),
        low_hour_tokens_per_s: rate(sums.iter().copied().fold(f64::INFINITY, f64::min)),
        peak_hour_tokens_per_s: rate(sums.iter().copied().fold(0.0, f64::max)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::curve::HOUR;
    use crate::kernel::Time;
    use jiff::tz::TimeZoneDatabase;

    fn hours(start: Option<&str>, zone: &str, count: u64) -> Hours {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let start = start.map(|start| start.parse().unwrap());
        Hours::new(start, zone, Time::from_ticks(count * HOUR))
    }

    #[test]
    fn days_are_those_of_the_local_clock_and_whole() {
        // From 20:00 on Halloween in New York over the night when clocks go back.
        let hours = hours(Some("2026-11-01T00:00:00Z"), "America/New_York", 4 + 25 + 24 + 23);
        let sums: Vec<f64> = (0..hours.count()).map(|hour| 3_600.0 * hour as f64).collect();
        let days = days(&hours, &sums);
        let dates: Vec<_> = days.iter().map(|day| day.date.as_deref().unwrap()).collect();
        assert_eq!(dates, ["2026-11-01", "2026-11-02"], "the first and the last are cut");
        let first = &days[0];
        assert_eq!(first.start_s, 4.0 * 3_600.0);
        assert_eq!((first.low_hour_tokens_per_s, first.peak_hour_tokens_per_s), (4.0, 28.0));
        assert_eq!(first.tokens_per_s, 16.0, "the mean of 25 hours");
        assert_eq!(days[1].tokens_per_s, 40.5, "the mean of 24");
    }

    #[test]
    fn without_a_clock_days_are_counted_from_the_start() {
        let hours = hours(None, "UTC", 60);
        let days = days(&hours, &[3_600.0; 60]);
        assert_eq!(days.iter().map(|day| day.start_s).collect::<Vec<_>>(), [0.0, 86_400.0]);
        assert!(days.iter().all(|day| day.date.is_none() && day.tokens_per_s == 1.0));
    }
}
