//! How a day runs: 24 hourly means, and a broken line that has them.

use crate::kernel::TICKS_PER_SECOND;
use serde::Serialize;

/// Ticks in an hour.
pub const HOUR: u64 = 3_600 * TICKS_PER_SECOND;
/// Ticks between knots: beginnings and middles of hours.
const KNOT: u64 = HOUR / 2;

/// The profile of a day in wall-clock time, with a mean of 1 over 24 hours.
///
/// Each hour has exactly its share of the day: between hours the line passes
/// halfway between their means, and in the middle of an hour it makes up for
/// what that changes. It is never negative, because at the edge of an hour it
/// is at most twice the mean of either. The last hour leads to the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(into = "[f64; 24]")]
pub struct Shape {
    /// Means of the hours.
    hours: [f64; 24],
    /// Values at the knots of the day.
    knots: [f64; 48],
}

impl Shape {
    /// Every hour alike.
    pub const FLAT: Shape = Shape { hours: [1.0; 24], knots: [1.0; 48] };

    /// The shape of 24 hourly means of any scale; `None` unless they are finite
    /// and not negative, and one is above zero.
    pub fn new(hours: &[f64; 24]) -> Option<Shape> {
        let sum: f64 = hours.iter().sum();
        let is_valid = hours.iter().all(|&hour| hour >= 0.0) && sum > 0.0 && sum.is_finite();
        is_valid.then(|| Shape::of(hours.map(|hour| hour * 24.0 / sum)))
    }

    fn of(hours: [f64; 24]) -> Shape {
        let edge = |hour: usize| {
            let (one, other) = (hours[(hour + 23) % 24], hours[hour % 24]);
            ((one + other) / 2.0).min(2.0 * one.min(other))
        };
        let mut knots = [0.0; 48];
        for hour in 0..24 {
            knots[2 * hour] = edge(hour);
            knots[2 * hour + 1] = 2.0 * hours[hour] - (edge(hour) + edge(hour + 1)) / 2.0;
        }
        Shape { hours, knots }
    }

    /// Its value when the wall clock shows `clock` ticks since midnight.
    pub fn at(&self, clock: u64) -> f64 {
        let (knot, rest) = (clock / KNOT, clock % KNOT);
        let value = |knot: u64| self.knots[(knot % 48) as usize];
        value(knot) + (value(knot + 1) - value(knot)) * (rest as f64 / KNOT as f64)
    }

    /// The first knot after `clock`.
    pub fn next_knot(clock: u64) -> u64 {
        (clock / KNOT + 1) * KNOT
    }

    /// Means of the hours.
    pub fn hours(&self) -> &[f64; 24] {
        &self.hours
    }
}

impl From<Shape> for [f64; 24] {
    fn from(shape: Shape) -> [f64; 24] {
        shape.hours
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn hours_have_their_means_and_nothing_is_negative(
            hours in prop::collection::vec(prop_oneof![Just(0.0), 0.0..100.0f64], 24),
        ) {
            let hours: [f64; 24] = hours.try_into().unwrap();
            let Some(shape) = Shape::new(&hours) else { return Ok(()) };
            for hour in 0..24u64 {
                let [begin, middle, end] =
                    [0, 1, 2].map(|half| shape.at(hour * HOUR + half * KNOT));
                let mean = (begin + 2.0 * middle + end) / 4.0;
                prop_assert!((mean - shape.hours()[hour as usize]).abs() < 1e-9);
                prop_assert!(begin >= 0.0 && middle >= -1e-12, "{begin} {middle}");
            }
            let mean = shape.hours().iter().sum::<f64>() / 24.0;
            prop_assert!((mean - 1.0).abs() < 1e-12);
        }
    }

    #[test]
    fn flat_is_flat() {
        assert_eq!(Shape::new(&[7.0; 24]), Some(Shape::FLAT));
        assert_eq!(Shape::new(&[0.0; 24]), None);
        assert_eq!(Shape::new(&[f64::NAN; 24]), None);
        assert_eq!((Shape::next_knot(0), Shape::next_knot(KNOT + 1)), (KNOT, 2 * KNOT));
    }
}
