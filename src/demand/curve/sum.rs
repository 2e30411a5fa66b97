//! The sum of several curves, such as those of regions in different time zones.

use super::{Curve, Piece};
use crate::kernel::Time;

/// The highest rate of all `curves` together between two instants. Each is linear
/// between the knots of all, so that it is at one of them.
pub fn peak(curves: &[&Curve], from: Time, until: Time) -> f64 {
    let mut pieces: Vec<_> = curves.iter().map(|curve| curve.pieces(from)).collect();
    let mut current: Vec<Option<Piece>> = pieces.iter_mut().map(Iterator::next).collect();
    let (mut now, mut peak) = (from, 0.0_f64);
    while now < until {
        let ends = current.iter().flatten().map(|piece| piece.until);
        let Some(next) = ends.min().map(|next| next.min(until)) else { break };
        let parts = || current.iter().flatten().map(|piece| piece.from(now).until(next));
        let (begins, ends) = parts().fold((0.0, 0.0), |(begins, ends), part| {
            (begins + part.rate_from, ends + part.rate_until)
        });
        peak = peak.max(begins).max(ends);
        for (piece, rest) in current.iter_mut().zip(&mut pieces) {
            if piece.is_some_and(|piece| piece.until <= next) {
                *piece = rest.next();
            }
        }
        now = next;
    }
    peak
}
