//! The hours of a horizon, or other equal stretches, as a wall clock counts them.

use super::curve::HOUR;
use crate::kernel::{Span, TICKS_PER_SECOND, Time};
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

const DAY: u64 = 24 * HOUR;

/// Whole hours within a horizon; the horizon as one where it holds none.
#[derive(Clone, Debug)]
pub struct Hours {
    clock: Option<(Timestamp, TimeZone)>,
    from: Time,
    length: Span,
    count: usize,
}

impl Hours {
    /// Hours of `zone` from `start`, which is time zero, to `end`. Without a start
    /// they are counted from time zero.
    pub fn new(start: Option<Timestamp>, zone: TimeZone, end: Time) -> Hours {
        let hours = Hours::of_length(Span::from_ticks(HOUR), start, zone, end);
        match hours.count {
            0 => Hours { from: Time::ZERO, length: end.since(Time::ZERO), count: 1, ..hours },
            _ => hours,
        }
    }

    /// Whole stretches of `length`, one after the other, from the first instant at
    /// which the local clock shows a multiple of it since midnight: midnight where
    /// they are whole days, a full hour where they do not divide a day.
    pub fn of_length(length: Span, start: Option<Timestamp>, zone: TimeZone, end: Time) -> Hours {
        let unit = match length.ticks() {
            ticks if ticks.is_multiple_of(DAY) => DAY,
            ticks if DAY.is_multiple_of(ticks) => ticks,
            _ => HOUR,
        };
        let clock = start.map(|start| (start, zone));
        let from = clock.as_ref().map_or(Time::ZERO, |(start, zone)| {
            let now = start.to_zoned(zone.clone()).time();
            let minutes = i64::from(now.hour()) * 60 + i64::from(now.minute());
            let past = (minutes * 60 + i64::from(now.second())) as u64 * TICKS_PER_SECOND
                + now.subsec_nanosecond() as u64 * (TICKS_PER_SECOND / 1_000_000_000);
            Time::from_ticks((unit - past % unit) % unit)
        });
        let count = end.ticks().saturating_sub(from.ticks()) / length.ticks();
        Hours { clock, from, length, count: count as usize }
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.count
    }

    /// How long each is, s.
    pub fn length_s(&self) -> f64 {
        self.length.seconds()
    }

    /// How long each is.
    pub fn length(&self) -> Span {
        self.length
    }

    /// From when until when the one at `index` goes.
    pub fn at(&self, index: usize) -> (Time, Time) {
        let from = Time::from_ticks(self.from.ticks() + index as u64 * self.length.ticks());
        (from, from + self.length)
    }

    /// Which one holds `time`, if any does.
    pub fn holding(&self, time: Time) -> Option<usize> {
        let since = time.ticks().checked_sub(self.from.ticks())?;
        let index = (since / self.length.ticks()) as usize;
        (index < self.count).then_some(index)
    }

    /// What the wall clock shows at `time`.
    pub fn local(&self, time: Time) -> Option<Zoned> {
        let (start, zone) = self.clock.as_ref()?;
        let ns = time.ticks() / (TICKS_PER_SECOND / 1_000_000_000);
        let instant = start.as_nanosecond() + i128::from(ns);
        Some(Timestamp::from_nanosecond(instant).ok()?.to_zoned(zone.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::tz::TimeZoneDatabase;

    #[test]
    fn hours_begin_when_the_local_clock_says_so() {
        let zone = TimeZoneDatabase::bundled().get("Asia/Kolkata").unwrap();
        let start = "2026-03-01T00:00:00Z".parse().ok();
        let end = Time::from_ticks(3 * HOUR);
        let hours = Hours::new(start, zone.clone(), end);
        assert_eq!((hours.count(), hours.at(0).0), (2, Time::from_ticks(HOUR / 2)));
        assert_eq!(
            hours.local(hours.at(1).0).unwrap().to_string(),
            "2026-03-01T07:00:00+05:30[Asia/Kolkata]"
        );
        assert_eq!(hours.holding(Time::ZERO), None);
        assert_eq!(hours.holding(Time::from_ticks(2 * HOUR)), Some(1));
        assert_eq!(hours.holding(hours.at(1).1), None);
        let short = Hours::new(start, zone, Time::from_ticks(HOUR / 4));
        assert_eq!((short.count(), short.length_s()), (1, 900.0));
        assert_eq!(short.at(0), (Time::ZERO, Time::from_ticks(HOUR / 4)));
    }
}
