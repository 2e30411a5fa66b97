//! Arrivals whose rate follows a curve, and the weather around it.
//!
//! In operational time, the integral of the rate, gaps have a mean of 1; each
//! arrival is found by inverting that integral, which is exact within a piece.

use super::curve::{Curve, Piece, Place};
use super::variability::{Gaps, Weather};
use crate::kernel::{Span, Time};
use crate::random::Stream;
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug)]
pub struct Varying {
    curve: Arc<Curve>,
    /// Share of the curve's rate that arrives here.
    share: f64,
    gaps: Arc<Gaps>,
    stream: Stream,
    weather: Weather,
    place: Place,
    /// What is left of the piece of the curve, and its day.
    rest: Option<(Piece, usize)>,
    /// The part of it in work, its arrivals, and those passed.
    piece: Piece,
    expected: f64,
    passed: f64,
    is_first: bool,
}

impl Varying {
    /// `share` of the arrivals of `curve` from `from` on.
    pub fn new(
        curve: Arc<Curve>,
        share: f64,
        gaps: Arc<Gaps>,
        stream: Stream,
        weather: Weather,
        from: Time,
    ) -> Varying {
        let place = Place::at(&curve, from);
        let piece = Piece { from, until: from, rate_from: 0.0, rate_until: 0.0 };
        Varying {
            curve,
            share,
            gaps,
            stream,
            weather,
            place,
            rest: None,
            piece,
            expected: 0.0,
            passed: 0.0,
            is_first: true,
        }
    }

    /// Adds the arrivals that are expected in each hour, given the weather, to
    /// `hours`: what remains when arrivals themselves are no matter of chance.
    pub fn by_hour(mut self, hours: &mut [f64]) {
        let hour = |time: Time| (time.seconds() / 3_600.0) as usize;
        while self.turn().is_some() && hour(self.piece.from) < hours.len() {
            let mut piece = self.piece;
            while piece.until > piece.from {
                let at = hour(piece.from);
                let end = Time::ZERO + Span::from_seconds(3_600.0 * (at + 1) as f64);
                let here = piece.until(end);
                let Some(sum) = hours.get_mut(at) else { return };
                *sum += here.arrivals();
                if here.until == piece.until {
                    break;
                }
                piece = piece.from(here.until);
            }
        }
    }

    /// The curve.
    pub fn curve(&self) -> Arc<Curve> {
        self.curve.clone()
    }

    /// Its rate now as a multiple of the curve's; 0 where that has ended.
    pub fn factor(&self) -> f64 {
        let mut now = self.clone();
        let day = now.place.day();
        let Some(piece) = now.place.next(&now.curve) else { return 0.0 };
        let even = Piece { rate_from: 1.0, rate_until: 1.0, ..piece };
        now.weather.over(even, day).rate_from * self.share
    }

    /// Goes on to the next piece.
    fn turn(&mut self) -> Option<()> {
        let (whole, day) = match self.rest.take() {
            Some(rest) => rest,
            None => {
                let day = self.place.day();
                (self.place.next(&self.curve)?, day)
            }
        };
        let mut piece = self.weather.over(whole, day);
        if piece.until < whole.until {
            self.rest = Some((whole.from(piece.until), day));
        }
        piece.rate_from *= self.share;
        piece.rate_until *= self.share;
        self.expected = piece.arrivals();
        self.piece = piece;
        Some(())
    }
}

/// Arrivals in order; they end with the curve.
impl Iterator for Varying {
    type Item = Time;

    #[inline]
    fn next(&mut self) -> Option<Time> {
        let gap = match self.is_first {
            true => self.gaps.first(&mut self.stream),
            false => self.gaps.next(&mut self.stream),
        };
        self.is_first = false;
        self.passed += gap;
        while self.passed >= self.expected {
            self.passed -= self.expected;
            self.turn()?;
        }
        Some(self.piece.after(self.passed))
    }
}
