//! Gamma deviates by Marsaglia and Tsang's squeeze (ACM TOMS 26, 2000).
//!
//! Not an inversion: a draw takes a varying number of uniforms (about two), so
//! it is not monotone in the first of them.

use super::normal::normal_quantile;
use super::streams::Stream;

/// A gamma law of given shape, of scale 1.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Gamma {
    d: f64,
    c: f64,
    /// For shapes below 1: a draw of shape + 1 times a uniform to this power.
    boost: Option<f64>,
}

impl Gamma {
    pub(super) fn new(shape: f64) -> Self {
        let (effective, boost) =
            if shape < 1.0 { (shape + 1.0, Some(1.0 / shape)) } else { (shape, None) };
        let d = effective - 1.0 / 3.0;
        Gamma { d, c: 1.0 / (3.0 * libm::sqrt(d)), boost }
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> f64 {
        let draw = self.sample_unboosted(stream);
        match self.boost {
            Some(power) => draw * libm::pow(stream.unit(), power),
            None => draw,
        }
    }

    /// The logarithm of a draw, which is a number however small the draw.
    #[inline]
    pub(super) fn sample_ln(&self, stream: &mut Stream) -> f64 {
        let draw = libm::log(self.sample_unboosted(stream));
        match self.boost {
            Some(power) => draw + power * libm::log(stream.unit()),
            None => draw,
        }
    }

    #[inline]
    fn sample_unboosted(&self, stream: &mut Stream) -> f64 {
        loop {
            let z = normal_quantile(stream.unit());
            let root = 1.0 + self.c * z;
            if root <= 0.0 {
                continue;
            }
            let v = root * root * root;
            let u = stream.unit();
            let square = z * z;
            if u < 1.0 - 0.0331 * square * square
                || libm::log(u) < 0.5 * square + self.d * (1.0 - v + libm::log(v))
            {
                return self.d * v;
            }
        }
    }
}
