//! How the rate of arrivals varies that can be known beforehand: a mean rate
//! times what growth, the day and the hour make of it.
//!
//! The rate is linear between the knots of the curve: beginnings and middles of
//! local hours, clock changes, and bends of growth. It jumps at midnight
//! where days differ, and nowhere else but at launches and clock changes. So it
//! is integrated exactly, and inverted exactly by a square root. Growth within
//! an hour is taken as linear, which a doubling every day would make wrong by
//! 1e-4.

mod day;
mod growth;
mod pieces;
mod shape;
mod sum;

pub use day::{Day, Spell, days};
pub use growth::Growth;
pub use pieces::{Piece, Pieces, Place};
pub use shape::{HOUR, Shape};
pub use sum::peak;

use crate::kernel::Time;
use std::sync::Arc;

/// The rate of arrivals over a horizon.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// Arrivals a second where every factor is 1.
    pub rate: f64,
    /// Causes of growth.
    pub growth: Vec<Growth>,
    /// Local days, one after the other, from time zero to the end.
    pub days: Arc<[DayPlan]>,
    /// Profiles that days follow.
    pub shapes: Arc<[Shape]>,
}

/// A day and what it is like.
#[derive(Clone, Debug, PartialEq)]
pub struct DayPlan {
    /// The day.
    pub day: Day,
    /// Its demand as a multiple of the mean day's.
    pub factor: f64,
    /// Index of its profile.
    pub shape: u16,
}

impl Curve {
    /// When it ends.
    pub fn end(&self) -> Time {
        self.days.last().map_or(Time::ZERO, |plan| plan.day.until)
    }

    /// Its linear pieces from `from` on.
    pub fn pieces(&self, from: Time) -> Pieces<'_> {
        Pieces::new(self, from)
    }

    /// Expected arrivals from `from` until `until`.
    pub fn arrivals(&self, from: Time, until: Time) -> f64 {
        self.pieces(from)
            .take_while(|piece| piece.from < until)
            .map(|piece| piece.until(until).arrivals())
            .sum()
    }

    /// The highest rate from `from` until `until`.
    pub fn peak(&self, from: Time, until: Time) -> f64 {
        self.pieces(from)
            .take_while(|piece| piece.from < until)
            .map(|piece| piece.until(until))
            .fold(0.0, |peak: f64, piece| peak.max(piece.rate_from).max(piece.rate_until))
    }
}
