//! Beta deviates: X / (X + Y) of two gamma deviates.
//!
//! Below a shape of 1 both may be too small for a number, so there their
//! logarithms are compared. Not an inversion; see [`Gamma`].

use super::gamma::Gamma;
use super::streams::Stream;

/// A beta law on 0..1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Beta {
    alpha: f64,
    beta: f64,
    gammas: [Gamma; 2],
}

impl Beta {
    pub(super) fn new(alpha: f64, beta: f64) -> Self {
        Beta { alpha, beta, gammas: [Gamma::new(alpha), Gamma::new(beta)] }
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> f64 {
        let [x, y] = &self.gammas;
        if self.alpha >= 1.0 && self.beta >= 1.0 {
            let (x, y) = (x.sample(stream), y.sample(stream));
            return x / (x + y);
        }
        let (x, y) = (x.sample_ln(stream), y.sample_ln(stream));
        1.0 / (1.0 + libm::exp(y - x))
    }

    pub(super) fn mean(&self) -> f64 {
        self.alpha / (self.alpha + self.beta)
    }
}
