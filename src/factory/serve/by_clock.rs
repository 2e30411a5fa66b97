//! By the clock: all calls of the world go where it is nearest to a given hour.
//!
//! At noon this follows the sun, as work does that is passed on to whoever is at
//! the desk, and as load does that is to be near solar power ("follow the
//! renewables", Liu, Lin, Wierman, Low and Andrew 2011, Geographical load
//! balancing with renewables). At midnight it follows the moon, to pools whose own
//! users sleep and where power and cooling are cheap. Wall clocks are local
//! time, daylight saving included.

use crate::demand::Clock;
use crate::kernel::{TICKS_PER_SECOND, Time};

const DAY: u64 = 86_400 * TICKS_PER_SECOND;

/// The site on whose clock it is nearest to `hour`, in ticks since midnight; of
/// equals the nearer one.
pub fn choose(now: Time, hour: u64, near: &[usize], clocks: &[Clock]) -> usize {
    let distance = |site: usize| {
        let past = (clocks[site].at(now) + DAY - hour) % DAY;
        past.min(DAY - past)
    };
    // The first of equals.
    near.iter().copied().min_by_key(|&site| distance(site)).expect("a site at least")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Span;
    use jiff::Timestamp;
    use jiff::tz::TimeZoneDatabase;

    /// The site that all calls go to at an instant, by the hour that is followed.
    fn chosen(start: &str, zones: &[&str], hour: u64, after_h: f64) -> usize {
        let start: Timestamp = start.parse().unwrap();
        let now = Time::ZERO + Span::from_seconds(after_h * 3_600.0);
        let zone = |name: &&str| TimeZoneDatabase::bundled().get(name).unwrap();
        let clocks: Vec<Clock> = zones
            .iter()
            .map(|name| Clock::new(&zone(name), start, now + Span::from_seconds(1.0)))
            .collect();
        let near: Vec<usize> = (0..zones.len()).collect();
        choose(now, hour * 3_600 * TICKS_PER_SECOND, &near, &clocks)
    }

    const ZONES: [&str; 3] = ["America/New_York", "Europe/Berlin", "Asia/Singapore"];

    /// Noon is at 17, 11 and 4 UTC in winter; the sun is handed on halfway.
    #[test]
    fn the_sun_and_the_moon_are_followed_by_the_hour() {
        let at = |hour| {
            let by_hour = |h: u32| chosen("2026-01-12T00:00:00Z", &ZONES, hour, f64::from(h) + 0.6);
            (0..24).map(|h| by_hour(h).to_string()).collect::<String>()
        };
        // From 22:30 Singapore, from 7:30 Berlin, from 14:00 New York.
        assert_eq!(at(12), "222222211111110000000022");
        assert_eq!(at(0), "110000000022222222211111");
    }

    /// In the weeks between the clock changes of both sides of the Atlantic the
    /// hand-over between them is half an hour earlier.
    #[test]
    fn clock_changes_move_the_hand_over() {
        let zones = &ZONES[..2];
        let at = |start: &str, h: f64| chosen(start, zones, 12, h);
        // Winter: noon at 17 and 11 UTC, handed over at 14.
        assert_eq!([at("2026-03-05T00:00:00Z", 13.9), at("2026-03-05T00:00:00Z", 14.1)], [1, 0]);
        // New York has changed on 8 March: noon at 16 UTC, handed over at 13:30.
        assert_eq!(
            [
                at("2026-03-01T00:00:00Z", 8.0 * 24.0 + 13.4),
                at("2026-03-01T00:00:00Z", 8.0 * 24.0 + 13.6)
            ],
            [1, 0]
        );
        // Both have, on 29 March: noon at 16 and 10, handed over at 13.
        assert_eq!(
            [
                at("2026-03-01T00:00:00Z", 29.0 * 24.0 + 12.9),
                at("2026-03-01T00:00:00Z", 29.0 * 24.0 + 13.1)
            ],
            [1, 0]
        );
    }
}
