//! Local days of a time zone, with their clock changes.

use crate::kernel::{TICKS_PER_SECOND, Time};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan, Zoned};
use smallvec::{SmallVec, smallvec};

/// Ticks in a nanosecond.
const PER_NS: i128 = (TICKS_PER_SECOND / 1_000_000_000) as i128;

/// A local day, or what lies of it between the start and the end of a horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    /// Which.
    pub date: Date,
    /// When it begins, or time zero.
    pub from: Time,
    /// When it ends, or the end of the horizon.
    pub until: Time,
    /// Spells between clock changes, the first from `from`.
    pub spells: SmallVec<[Spell; 1]>,
}

/// Time in which the wall clock runs evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spell {
    /// When it begins.
    pub from: Time,
    /// What the wall clock shows then, in ticks since midnight.
    pub clock: u64,
}

/// The local days from `start`, which is time zero, to `end`.
pub fn days(zone: &TimeZone, start: Timestamp, end: Time) -> Vec<Day> {
    let time = |instant: Timestamp| -> Time {
        let ns = (instant.as_nanosecond() - start.as_nanosecond()).max(0);
        Time::from_ticks((ns * PER_NS).min(i128::from(end.ticks())) as u64)
    };
    let mut days = Vec::new();
    let mut now = start.to_zoned(zone.clone());
    loop {
        let Some(next) = tomorrow(&now) else { return days };
        let mut spells: SmallVec<[Spell; 1]> =
            smallvec![Spell { from: time(now.timestamp()), clock: clock(&now) }];
        for change in zone.following(now.timestamp()) {
            if change.timestamp() >= next.timestamp() {
                break;
            }
            let after = change.timestamp().to_zoned(zone.clone());
            // Changes of the zone's name alone do not move the clock.
            let last = spells.last().expect("there is a first one");
            let evenly = last.clock + time(change.timestamp()).since(last.from).ticks();
            if clock(&after) != evenly {
                spells.push(Spell { from: time(change.timestamp()), clock: clock(&after) });
            }
        }
        let until = time(next.timestamp());
        days.push(Day { date: now.date(), from: spells[0].from, until, spells });
        if until >= end {
            return days;
        }
        now = next;
    }
}

/// The beginning of the next local day.
fn tomorrow(now: &Zoned) -> Option<Zoned> {
    now.date().checked_add(1.day()).ok()?.to_zoned(now.time_zone().clone()).ok()
}

fn clock(now: &Zoned) -> u64 {
    let time = now.time();
    let seconds =
        i64::from(time.hour()) * 3_600 + i64::from(time.minute()) * 60 + i64::from(time.second());
    seconds as u64 * TICKS_PER_SECOND + time.subsec_nanosecond() as u64 * PER_NS as u64
}

#[cfg(test)]
mod tests {
    use super::super::shape::HOUR;
    use super::*;
    use crate::kernel::Span;

    fn zone(name: &str) -> TimeZone {
        jiff::tz::TimeZoneDatabase::bundled().get(name).unwrap()
    }

    fn hours(day: &Day) -> u64 {
        day.until.since(day.from).ticks() / HOUR
    }

    #[test]
    fn days_of_clock_changes_have_23_and_25_hours() {
        let end = Time::ZERO + Span::from_seconds(366.0 * 86_400.0);
        for (name, spring, autumn) in [
            ("America/New_York", "2026-03-08", "2026-11-01"),
            ("Europe/Berlin", "2026-03-29", "2026-10-25"),
        ] {
            let start = format!("2026-01-01T00:00[{name}]").parse::<Zoned>().unwrap().timestamp();
            let days = days(&zone(name), start, end);
            assert_eq!(days[0].from, Time::ZERO);
            assert!(days.windows(2).all(|pair| pair[0].until == pair[1].from));
            assert_eq!(days.last().unwrap().until, end);
            for day in &days[..365] {
                let date = day.date.to_string();
                let expected = if date == spring {
                    23
                } else if date == autumn {
                    25
                } else {
                    24
                };
                assert_eq!(
                    (hours(day), day.spells.len() == 1),
                    (expected, expected == 24),
                    "{date}"
                );
            }
            let day = days.iter().find(|day| day.date.to_string() == autumn).unwrap();
            let second = day.spells[1];
            let shown = day.spells[0].clock + second.from.since(day.from).ticks();
            assert_eq!(shown - second.clock, HOUR, "an hour is met twice");
        }
    }

    #[test]
    fn a_horizon_may_begin_and_end_within_days() {
        let start: Timestamp = "2026-11-24T10:15:00Z".parse().unwrap();
        let end = Time::ZERO + Span::from_seconds(86_400.0);
        let days = days(&zone("Asia/Tokyo"), start, end);
        assert_eq!(days.len(), 2);
        assert_eq!(days[0].spells[0].clock, 19 * HOUR + HOUR / 4);
        assert_eq!(hours(&days[0]) + hours(&days[1]), 23);
        assert_eq!(days[1].until, end);
    }
}
