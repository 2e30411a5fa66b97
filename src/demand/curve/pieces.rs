//! The linear pieces of a curve, in order.

use super::{Curve, DayPlan, Shape, Spell};
use crate::kernel::{Span, Time};

/// A stretch of time in which the rate is linear.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Piece {
    /// When it begins.
    pub from: Time,
    /// When it ends; later.
    pub until: Time,
    /// Arrivals a second at its beginning.
    pub rate_from: f64,
    /// Arrivals a second at its end.
    pub rate_until: f64,
}

impl Piece {
    /// Expected arrivals in it.
    pub fn arrivals(&self) -> f64 {
        (self.rate_from + self.rate_until) / 2.0 * self.until.since(self.from).seconds()
    }

    /// The part of it before `end`, which is after its beginning.
    pub fn until(self, end: Time) -> Piece {
        if self.until <= end {
            return self;
        }
        let share = end.since(self.from).seconds() / self.until.since(self.from).seconds();
        let rate_until = self.rate_from + (self.rate_until - self.rate_from) * share;
        Piece { until: end, rate_until, ..self }
    }

    /// The part of it from `begin` on, which is before its end.
    pub fn from(self, begin: Time) -> Piece {
        let share = begin.since(self.from).seconds() / self.until.since(self.from).seconds();
        let rate_from = self.rate_from + (self.rate_until - self.rate_from) * share;
        Piece { from: begin, rate_from, ..self }
    }

    /// The instant before which `arrivals` of it are expected, at most all of
    /// its own.
    ///
    /// The root of rate_from x + slope x^2 / 2 = arrivals, in the form that
    /// loses nothing where the slope is small.
    #[inline]
    pub fn after(&self, arrivals: f64) -> Time {
        let length = self.until.since(self.from).seconds();
        let slope = (self.rate_until - self.rate_from) / length;
        let square = self.rate_from * self.rate_from + 2.0 * slope * arrivals;
        let seconds = 2.0 * arrivals / (self.rate_from + square.max(0.0).sqrt());
        self.until.min(self.from + Span::from_seconds(seconds))
    }
}

/// A place between two pieces of a curve.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    day: usize,
    spell: usize,
    at: Time,
}

impl Place {
    /// The place of `curve` at `time`.
    pub fn at(curve: &Curve, time: Time) -> Place {
        let day = curve.days.partition_point(|plan| plan.day.until <= time);
        let spell = curve.days.get(day).map_or(0, |plan| {
            plan.day.spells.partition_point(|spell| spell.from <= time).saturating_sub(1)
        });
        Place { day, spell, at: time }
    }

    /// The number of its day, from 0.
    pub fn day(&self) -> usize {
        self.day
    }

    /// The next piece of `curve`, of which this is a place; `None` at its end.
    pub fn next(&mut self, curve: &Curve) -> Option<Piece> {
        let DayPlan { day, factor, shape } = curve.days.get(self.day)?;
        let shape = &curve.shapes[usize::from(*shape)];
        let spell = day.spells[self.spell];
        let spell_ends = day.spells.get(self.spell + 1).map_or(day.until, |next| next.from);
        let from = self.at;
        let knot = spell.time(Shape::next_knot(spell.clock_at(from)));
        let bends = curve.growth.iter().filter_map(|growth| growth.next_bend(from));
        let until = bends.fold(knot.min(spell_ends), Time::min);
        let rate = |clock: u64, growth: f64| curve.rate * factor * growth * shape.at(clock);
        let grown = curve.growth.iter().map(|growth| growth.factor(from)).product();
        let growing = curve.growth.iter().map(|growth| growth.factor_before(until)).product();
        let piece = Piece {
            from,
            until,
            rate_from: rate(spell.clock_at(from), grown),
            rate_until: rate(spell.clock_at(until), growing),
        };
        self.at = until;
        if until == day.until {
            (self.day, self.spell) = (self.day + 1, 0);
        } else if until == spell_ends {
            self.spell += 1;
        }
        Some(piece)
    }
}

impl Spell {
    /// What the wall clock shows at `time`, in ticks since midnight; where the
    /// spell ends with its day that is 24 hours, not 0.
    fn clock_at(&self, time: Time) -> u64 {
        self.clock + time.since(self.from).ticks()
    }

    /// When the wall clock shows `clock`.
    fn time(&self, clock: u64) -> Time {
        self.from + Span::from_ticks(clock - self.clock)
    }
}

/// Iterates over the pieces of a curve.
#[derive(Clone, Debug)]
pub struct Pieces<'a> {
    curve: &'a Curve,
    place: Place,
}

impl<'a> Pieces<'a> {
    pub(super) fn new(curve: &'a Curve, from: Time) -> Pieces<'a> {
        Pieces { curve, place: Place::at(curve, from) }
    }
}

impl Iterator for Pieces<'_> {
    type Item = Piece;

    fn next(&mut self) -> Option<Piece> {
        self.place.next(self.curve)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Growth, HOUR, days};
    use super::*;
    use jiff::tz::TimeZoneDatabase;
    use std::sync::Arc;

    fn curve(zone: &str, start: &str, days_long: f64, shape: Shape) -> Curve {
        let zone = TimeZoneDatabase::bundled().get(zone).unwrap();
        let end = Time::ZERO + Span::from_seconds(days_long * 86_400.0);
        let plans = days(&zone, start.parse().unwrap(), end);
        let plan = |day| DayPlan { day, factor: 1.0, shape: 0 };
        Curve {
            rate: 2.0,
            growth: Vec::new(),
            days: plans.into_iter().map(plan).collect(),
            shapes: Arc::new([shape]),
        }
    }

    fn waves() -> Shape {
        let mut hours = [0.0; 24];
        hours.iter_mut().enumerate().for_each(|(hour, value)| *value = (hour % 7) as f64 + 0.5);
        Shape::new(&hours).unwrap()
    }

    #[test]
    fn pieces_join_and_a_whole_day_has_its_mean() {
        let curve = curve("UTC", "2026-03-01T00:00:00Z", 3.0, waves());
        let pieces: Vec<Piece> = curve.pieces(Time::ZERO).collect();
        assert_eq!(pieces.len(), 3 * 48);
        assert!(pieces.windows(2).all(|p| p[0].until == p[1].from));
        assert!(pieces.windows(2).all(|p| (p[0].rate_until - p[1].rate_from).abs() < 1e-12));
        let total: f64 = pieces.iter().map(Piece::arrivals).sum();
        assert!((total - 2.0 * 3.0 * 86_400.0).abs() < 1e-6, "{total}");
        let half = Time::from_ticks(36 * HOUR);
        let parts = curve.arrivals(Time::ZERO, half) + curve.arrivals(half, curve.end());
        assert!((parts - total).abs() < 1e-6);
    }

    #[test]
    fn clock_changes_skip_an_hour_or_repeat_it() {
        let flat = curve("America/New_York", "2026-03-08T05:00:00Z", 1.0, Shape::FLAT);
        let end = flat.days[0].day.until;
        assert_eq!(flat.arrivals(Time::ZERO, end), 2.0 * 23.0 * 3_600.0);
        // In spring the clock goes from 2 to 3: what demand has between is not met.
        let waves = curve("America/New_York", "2026-03-08T05:00:00Z", 1.0, waves());
        let skipped: f64 =
            waves.pieces(Time::ZERO).take_while(|p| p.from < end).map(|p| p.arrivals()).sum();
        let usual = 2.0 * 86_400.0;
        let h = waves.shapes[0].hours();
        let between = 2.0 * 3_600.0 * h[2];
        assert!((usual - skipped - between).abs() < 1e-6, "{}", usual - skipped);
    }

    #[test]
    fn launches_make_a_knot() {
        let mut curve = curve("UTC", "2026-03-01T00:00:00Z", 1.0, Shape::FLAT);
        let at = Time::from_ticks(10 * HOUR + 7);
        curve.growth = vec![Growth::Step { at, factor: 3.0, ramp: Span::from_ticks(HOUR) }];
        let mean = 2.0 * (10.0 + 2.0 + 39.0) * 3_600.0;
        assert!((curve.arrivals(Time::ZERO, curve.end()) - mean).abs() < 1e-3);
        assert_eq!(curve.peak(Time::ZERO, curve.end()), 6.0);
    }

    #[test]
    fn a_piece_is_inverted_exactly() {
        for (rate_from, rate_until) in [(2.0, 2.0), (0.0, 4.0), (4.0, 0.0), (1.0, 1.0 + 1e-14)] {
            let (from, until) = (Time::from_ticks(HOUR), Time::from_ticks(2 * HOUR));
            let piece = Piece { from, until, rate_from, rate_until };
            assert_eq!(piece.after(0.0), from);
            assert!(until.since(piece.after(piece.arrivals())).seconds() < 1e-4);
            for share in [0.1, 0.5, 0.9] {
                let at = piece.after(piece.arrivals() * share);
                let before = piece.until(at).arrivals();
                assert!((before / piece.arrivals() - share).abs() < 1e-9, "{before}");
            }
        }
    }
}
