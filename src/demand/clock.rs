//! What the wall clock of a time zone shows, at any instant of a horizon.

use crate::kernel::{TICKS_PER_SECOND, Time};
use jiff::Timestamp;
use jiff::tz::TimeZone;

/// Ticks in a nanosecond, and in a day of 24 hours.
const PER_NS: i128 = (TICKS_PER_SECOND / 1_000_000_000) as i128;
const DAY: u64 = 86_400 * TICKS_PER_SECOND;

/// A wall clock. Looking at it costs a search among its changes, two a year.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// When it begins to run evenly, and what it shows then, in ticks since midnight.
    spells: Vec<(Time, u64)>,
}

impl Clock {
    /// The clock of `zone` from `start`, which is time zero, to `end`.
    pub fn new(zone: &TimeZone, start: Timestamp, end: Time) -> Clock {
        let shown = |instant: Timestamp| -> u64 {
            let time = instant.to_zoned(zone.clone()).time();
            let midnight = jiff::civil::Time::midnight();
            let ns = time.duration_since(midnight).as_nanos();
            (ns * PER_NS) as u64
        };
        let mut spells = vec![(Time::ZERO, shown(start))];
        for change in zone.following(start) {
            let instant = change.timestamp();
            let ticks = (instant.as_nanosecond() - start.as_nanosecond()) * PER_NS;
            if ticks >= i128::from(end.ticks()) {
                break;
            }
            spells.push((Time::from_ticks(ticks as u64), shown(instant)));
        }
        Clock { spells }
    }

    /// What it shows at `now`, in ticks since midnight.
    #[inline]
    pub fn at(&self, now: Time) -> u64 {
        let after = self.spells.partition_point(|&(from, _)| from <= now);
        let (from, shown) = self.spells[after - 1];
        (shown + now.since(from).ticks()) % DAY
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Span;
    use jiff::tz::TimeZoneDatabase;

    #[test]
    fn a_clock_shows_local_time_through_its_changes() {
        let start: Timestamp = "2026-01-15T10:15:30Z".parse().unwrap();
        for name in ["America/New_York", "Europe/Berlin", "Asia/Kolkata", "UTC"] {
            let zone = TimeZoneDatabase::bundled().get(name).unwrap();
            let end = Time::ZERO + Span::from_seconds(800.0 * 86_400.0);
            let clock = Clock::new(&zone, start, end);
            for hours in (0..800 * 24).step_by(5) {
                let now = Time::ZERO + Span::from_seconds(3_600.0 * f64::from(hours));
                let local =
                    (start + jiff::SignedDuration::from_hours(hours.into())).to_zoned(zone.clone());
                let seconds = i64::from(local.hour()) * 3_600
                    + i64::from(local.minute()) * 60
                    + i64::from(local.second());
                assert_eq!(clock.at(now), seconds as u64 * TICKS_PER_SECOND, "{name} {local}");
            }
        }
    }
}
