//! Zipf's law on 1..=n by rejection-inversion (Hörmann and Derflinger 1996).
//!
//! Cost does not depend on n: about 1.1 uniforms, each with one or two
//! logarithms and exponentials. `rand_distr::Zipf` draws from the same law but
//! calls the platform's power function.

use super::streams::Stream;

/// P(k) proportional to k^-exponent, k in 1..=n.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Zipf {
    n: f64,
    exponent: f64,
    /// The integral of the density's hat at its two ends.
    first: f64,
    last: f64,
    /// Draws this close below their integer are accepted at once.
    shortcut: f64,
}

impl Zipf {
    pub(super) fn new(n: u64, exponent: f64) -> Self {
        let n = n as f64;
        let shortcut =
            2.0 - integral_inverse(integral(2.5, exponent) - density(2.0, exponent), exponent);
        Zipf {
            n,
            exponent,
            first: integral(1.5, exponent) - 1.0,
            last: integral(n + 0.5, exponent),
            shortcut,
        }
    }

    #[inline]
    pub(super) fn sample(&self, stream: &mut Stream) -> f64 {
        loop {
            let u = self.last + stream.unit() * (self.first - self.last);
            let x = integral_inverse(u, self.exponent);
            let k = (x + 0.5).floor().clamp(1.0, self.n);
            if k - x <= self.shortcut
                || u >= integral(k + 0.5, self.exponent) - density(k, self.exponent)
            {
                return k;
            }
        }
    }

    pub(super) fn mean(&self) -> f64 {
        harmonic(self.n, self.exponent - 1.0) / harmonic(self.n, self.exponent)
    }
}

#[inline]
fn density(x: f64, exponent: f64) -> f64 {
    libm::exp(-exponent * libm::log(x))
}

/// The integral of the density from 1 to `x`: (x^(1-e) - 1) / (1-e), or ln x.
#[inline]
fn integral(x: f64, exponent: f64) -> f64 {
    let log = libm::log(x);
    let t = (1.0 - exponent) * log;
    let ratio = if t.abs() > 1e-8 { libm::expm1(t) / t } else { 1.0 + 0.5 * t };
    ratio * log
}

#[inline]
fn integral_inverse(u: f64, exponent: f64) -> f64 {
    let t = (u * (1.0 - exponent)).max(-1.0);
    let ratio = if t.abs() > 1e-8 { libm::log1p(t) / t } else { 1.0 - 0.5 * t };
    libm::exp(ratio * u)
}

/// The sum of k^-s for k in 1..=n: 100 terms, then Euler-Maclaurin.
fn harmonic(n: f64, s: f64) -> f64 {
    const DIRECT: f64 = 100.0;
    let power = |k: f64| density(k, s);
    let mut sum = 0.0;
    let mut k = 1.0;
    while k <= n.min(DIRECT) {
        sum += power(k);
        k += 1.0;
    }
    if n > DIRECT {
        let (a, b) = (power(DIRECT), power(n));
        let slope = |k: f64, at: f64| -s * at / k;
        let third = |k: f64, at: f64| -s * (s + 1.0) * (s + 2.0) * at / (k * k * k);
        sum += integral(n, s) - integral(DIRECT, s) + 0.5 * (b - a);
        sum += (slope(n, b) - slope(DIRECT, a)) / 12.0;
        sum -= (third(n, b) - third(DIRECT, a)) / 720.0;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harmonic_numbers_agree_with_their_sums() {
        for s in [-1.0, -0.2, 0.0, 0.8, 1.0, 2.5] {
            let sum: f64 = (1..=10_000).rev().map(|k| density(f64::from(k), s)).sum();
            assert!((harmonic(10_000.0, s) / sum - 1.0).abs() < 1e-12, "{s}");
        }
    }
}
