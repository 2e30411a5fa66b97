//! Gaps between calls, freed from the drift of the rate, and laws that fit them.
//!
//! Gaps are taken by the fifty and divided by their mean, so that what is left
//! is how arrivals cluster at once. Gamma and Weibull laws are fitted by maximum
//! likelihood and compared by Kolmogorov's distance. A law is also asked for the
//! variance of the counts that it makes, which is what [`super::burst`] weighs
//! it by.

use crate::random::{Component, Distribution, Streams};
use crate::statistics::Histogram;
use serde::Serialize;
use statrs::function::gamma::{digamma, gamma_lr};

/// Gaps that are divided by their common mean.
const RUN: usize = 50;
/// Part of a mean gap that the histogram counts in.
const UNIT: f64 = 1e6;
/// Gaps drawn to find the variance of counts; beyond this mean count it is a
/// straight line.
const DRAWN: usize = 1 << 18;
const LINE_FROM: f64 = 30.0;

/// Gaps as they pass.
#[derive(Clone, Debug, Default)]
pub struct GapCounts {
    run: Vec<u64>,
    scaled: Histogram,
    /// Sum of the logarithms of scaled gaps, of those above zero.
    logs: f64,
    positive: u64,
}

/// A law of gaps with a mean of 1.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(tag = "distribution", rename_all = "kebab-case")]
pub enum GapLaw {
    /// Independent arrivals.
    Exponential,
    /// By its coefficient of variation.
    Gamma {
        /// Standard deviation over mean.
        cv: f64,
    },
    /// By its shape.
    Weibull {
        /// Shape.
        shape: f64,
    },
}

impl GapCounts {
    /// A gap in ticks.
    pub fn add(&mut self, ticks: u64) {
        self.run.push(ticks);
        if self.run.len() == RUN {
            let mean = self.run.iter().sum::<u64>() as f64 / RUN as f64;
            for gap in self.run.drain(..) {
                let scaled = if mean > 0.0 { gap as f64 / mean } else { 1.0 };
                self.scaled.record((scaled * UNIT).round() as u64);
                if gap > 0 {
                    self.positive += 1;
                    self.logs += libm::log(scaled);
                }
            }
        }
    }

    /// How many gaps were counted.
    pub fn n(&self) -> u64 {
        self.scaled.count()
    }

    /// The laws that can be fitted, the exponential first.
    pub fn laws(&self) -> Vec<GapLaw> {
        let mut laws = vec![GapLaw::Exponential];
        // Gaps of nothing have no likelihood under the others.
        if self.n() >= 500 && self.positive as f64 > 0.98 * self.n() as f64 {
            let cv = self.gamma().powf(-0.5).clamp(0.05, 20.0);
            laws.push(GapLaw::Gamma { cv });
            laws.push(GapLaw::Weibull { shape: self.weibull().clamp(0.15, 20.0) });
        }
        laws
    }

    /// Shape of the gamma law. A gap over the mean of its run is Beta(k, (n - 1) k)
    /// times n, so that this has no bias from dividing by it.
    fn gamma(&self) -> f64 {
        let mean_log = self.logs / self.positive as f64;
        let n = RUN as f64;
        let off = |k: f64| digamma(k) - digamma(n * k) + libm::log(n) - mean_log;
        bisect(off, 1e-4, 1e4)
    }

    /// Shape of the Weibull law.
    fn weibull(&self) -> f64 {
        let bins: Vec<(f64, f64)> = self.bins().filter(|bin| bin.0 > 0.0).collect();
        let mean_log = self.logs / self.positive as f64;
        let off = |shape: f64| {
            let (mut sum, mut with_log) = (0.0, 0.0);
            for (gap, n) in &bins {
                let power = n * libm::pow(*gap, shape);
                sum += power;
                with_log += power * libm::log(*gap);
            }
            with_log / sum - 1.0 / shape - mean_log
        };
        bisect(off, 0.05, 50.0)
    }

    /// Middles of classes and their counts.
    fn bins(&self) -> impl Iterator<Item = (f64, f64)> {
        self.scaled.buckets().map(|(low, high, n)| ((low + high) as f64 / 2.0 / UNIT, n as f64))
    }

    /// Kolmogorov's distance to a law.
    pub fn distance(&self, law: GapLaw) -> f64 {
        let n = self.n() as f64;
        let mut below = 0.0;
        let mut worst: f64 = 0.0;
        for (low, high, count) in self.scaled.buckets() {
            let (low, high) = ((low as f64 - 0.5) / UNIT, (high as f64 + 0.5) / UNIT);
            worst = worst.max((law.below(low.max(0.0)) - below / n).abs());
            below += count as f64;
            worst = worst.max((law.below(high) - below / n).abs());
        }
        worst
    }
}

impl GapLaw {
    /// The distribution function.
    fn below(self, x: f64) -> f64 {
        match self {
            _ if x <= 0.0 => 0.0,
            GapLaw::Exponential => -libm::expm1(-x),
            GapLaw::Gamma { cv } => gamma_lr(1.0 / (cv * cv), x / (cv * cv)),
            GapLaw::Weibull { shape } => {
                -libm::expm1(-libm::pow(x * libm::tgamma(1.0 + 1.0 / shape), shape))
            }
        }
    }

    fn law(self) -> Distribution {
        match self {
            GapLaw::Exponential => Distribution::exponential(1.0),
            GapLaw::Gamma { cv } => Distribution::gamma_mean_cv(1.0, cv),
            GapLaw::Weibull { shape } => Distribution::weibull_mean(shape, 1.0),
        }
        .expect("clamped to what scenarios take")
    }

    /// Squared coefficient of variation, and the third central moment.
    fn moments(self) -> (f64, f64) {
        match self {
            GapLaw::Exponential => (1.0, 2.0),
            GapLaw::Gamma { cv } => (cv * cv, 2.0 * cv * cv * cv * cv),
            GapLaw::Weibull { shape } => {
                let raw = |k: f64| libm::tgamma(1.0 + k / shape);
                let mean = raw(1.0);
                let (second, third) = (raw(2.0) / (mean * mean), raw(3.0) / (mean * mean * mean));
                (second - 1.0, third - 3.0 * second + 2.0)
            }
        }
    }
}

/// The variance of the number of arrivals in which so many are expected.
pub struct RenewalCounts {
    law: GapLaw,
    /// Instants of a long stretch of arrivals.
    instants: Vec<f64>,
    known: std::cell::RefCell<Vec<(f64, f64)>>,
}

impl RenewalCounts {
    /// Counts of arrivals whose gaps have this law.
    pub fn new(law: GapLaw) -> RenewalCounts {
        let mut instants = Vec::new();
        if law != GapLaw::Exponential {
            let mut stream = Streams::new(0, 0).stream(Component::Arrivals, 0, 0);
            let gap = law.law();
            let mut now = 0.0;
            instants.extend((0..DRAWN).map(|_| {
                now += gap.sample(&mut stream);
                now
            }));
        }
        RenewalCounts { law, instants, known: Vec::new().into() }
    }

    /// The variance where `mean` arrivals are expected: of many arrivals by Cox's
    /// line for stationary renewal processes, of few by counting drawn ones.
    pub fn variance(&self, mean: f64) -> f64 {
        if self.law == GapLaw::Exponential {
            return mean;
        }
        let (square, third) = self.law.moments();
        let line = |mean: f64| square * mean + 1.0 / 6.0 + square * square / 2.0 - third / 3.0;
        // The line begins where the process has forgotten its last arrival.
        let from = LINE_FROM * square.max(1.0 / LINE_FROM);
        if mean >= from {
            return line(mean).max(0.0);
        }
        let known = self.known.borrow().iter().find(|known| known.0 == mean).map(|known| known.1);
        known.unwrap_or_else(|| {
            let counted = self.counted(mean);
            self.known.borrow_mut().push((mean, counted));
            counted
        })
    }

    fn counted(&self, mean: f64) -> f64 {
        let end = self.instants.last().copied().unwrap_or(0.0);
        let windows = (end / mean) as u64;
        let (mut sum, mut squares) = (0.0, 0.0);
        let mut at = 0;
        for window in 1..=windows {
            let until = window as f64 * mean;
            let from = at;
            while at < self.instants.len() && self.instants[at] < until {
                at += 1;
            }
            let count = (at - from) as f64;
            sum += count;
            squares += count * count;
        }
        let n = windows as f64;
        squares / n - (sum / n) * (sum / n)
    }
}

/// Where a function that rises or falls throughout crosses zero.
fn bisect(of: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let rises = of(high) > of(low);
    for _ in 0..200 {
        let middle = (low * high).sqrt();
        if (of(middle) > 0.0) == rises { high = middle } else { low = middle }
    }
    (low * high).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::TICKS_PER_SECOND;

    /// Gaps of a law at a rate that drifts between half and twice the mean.
    fn gaps(law: GapLaw) -> GapCounts {
        let mut stream = Streams::new(5, 0).stream(Component::Arrivals, 0, 0);
        let (law, mut counts) = (law.law(), GapCounts::default());
        for number in 0..60_000 {
            let rate = 1.25 + 0.75 * (f64::from(number) / 2_000.0).sin();
            let seconds = law.sample(&mut stream) / rate;
            counts.add((seconds * TICKS_PER_SECOND as f64) as u64);
        }
        counts
    }

    #[test]
    fn laws_are_found_under_a_drifting_rate() {
        let gamma = gaps(GapLaw::Gamma { cv: 1.6 });
        let Some(&fitted @ GapLaw::Gamma { cv }) = gamma.laws().get(1) else {
            panic!("a gamma law")
        };
        assert!((cv / 1.6 - 1.0).abs() < 0.02, "{cv}");
        assert!(gamma.distance(fitted) < 0.02, "{}", gamma.distance(fitted));
        let weibull = gaps(GapLaw::Weibull { shape: 0.7 });
        let Some(&GapLaw::Weibull { shape }) = weibull.laws().get(2) else { panic!("a law") };
        assert!((shape / 0.7 - 1.0).abs() < 0.03, "{shape}");
        assert!(weibull.distance(GapLaw::Exponential) > 0.1);
        let plain = gaps(GapLaw::Exponential);
        assert!(plain.distance(GapLaw::Exponential) < 0.01);
    }

    /// Erlang gaps of two stages: variance t / 2 + (1 - exp(-4 t)) / 8.
    #[test]
    fn the_variance_of_counts_is_that_of_the_renewal_process() {
        let counts = RenewalCounts::new(GapLaw::Gamma { cv: 0.5f64.sqrt() });
        for mean in [0.2, 1.0, 5.0, 100.0] {
            let exact = mean / 2.0 + (1.0 - f64::exp(-4.0 * mean)) / 8.0;
            let found = counts.variance(mean);
            assert!((found / exact - 1.0).abs() < 0.03, "{mean}: {found} for {exact}");
        }
        assert_eq!(RenewalCounts::new(GapLaw::Exponential).variance(7.0), 7.0);
    }
}
