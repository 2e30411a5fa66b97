//! Whether load grows without bound: a drift test on the number in system.
//!
//! Every replication gives the number in system at equal intervals over the
//! measured window. The load is called unstable when both hold:
//!
//! 1. *It is no accident.* The mean least-squares slope exceeds three of its
//!    standard errors under the worst case that is still stable in the long
//!    run: a driftless random walk. Over a window T such a walk of variance v a
//!    second has slopes of variance 6 v / (5 T) (Durlauf and Phillips 1988);
//!    v is taken from the increments between 16 sections of all replications.
//!    A load that returns to its mean has far less.
//! 2. *It matters.* Growth over the window exceeds twice the square root
//!    of the arrivals in it. Random arrivals alone spread as that root, and so
//!    does a start-up ramp; a true overload grows in proportion to arrivals and
//!    gets past the root once the window is long enough.
//!
//! Measured on M/M/1 after a warm-up of a fifth of the window from empty (the
//! test below, fixed seeds), share of verdicts "unstable":
//!
//! | load | 0.8 | 0.9 | 0.95 | 1.05 | 1.2 |
//! |---|---|---|---|---|---|
//! | 1 replication of 10,000 arrivals | 0 | 0 | 0 | 0.49 | 1 |
//! | 8 replications of 3,000 arrivals | 0 | 0 | 0 | 0.80 | 1 |
//!
//! An overload of 5 % is therefore found from some 30,000 arrivals in all, one
//! of 20 % from 3,000; below that the verdict "stable" means "not seen".

use serde::{Deserialize, Serialize};

/// What one replication says of growth.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Trend {
    /// Least-squares growth of the number in system, per second.
    pub slope: f64,
    /// Variance per second of the random walk with its increments.
    pub walk_per_s: f64,
    /// Length of the window it was read from, s.
    pub window_s: f64,
}

/// What [`drift`] found.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Drift {
    /// Mean growth of the number in system, per second. Where the load is
    /// unstable, arrivals minus this is the rate that can be sustained.
    pub slope: f64,
    /// Its standard error if the number in system were a random walk.
    pub error: f64,
    /// Whether load does not grow without bound.
    pub stable: bool,
}

const SECTIONS: usize = 16;
const ERRORS_MIN: f64 = 3.0;
const ROOTS_MIN: f64 = 2.0;

impl Trend {
    /// Reads counts taken every `spacing_s` seconds over the measured window.
    /// `None` when there are fewer than 17, too few to tell anything.
    pub fn of(counts: &[f64], spacing_s: f64) -> Option<Trend> {
        (counts.len() > SECTIONS).then(|| Trend {
            slope: least_squares(counts) / spacing_s,
            walk_per_s: walk_variance(counts) / spacing_s,
            window_s: (counts.len() - 1) as f64 * spacing_s,
        })
    }
}

/// Tests the number in system of all replications for growth; see the module
/// text. `arrivals_per_s` is the arrival rate. `None` without any trend.
pub fn drift(trends: &[Trend], arrivals_per_s: f64) -> Option<Drift> {
    if trends.is_empty() {
        return None;
    }
    let n = trends.len() as f64;
    let mean = |of: fn(&Trend) -> f64| trends.iter().map(of).sum::<f64>() / n;
    let window_s = mean(|trend| trend.window_s);
    let slope = mean(|trend| trend.slope);
    let error = libm::sqrt(1.2 * mean(|trend| trend.walk_per_s) / window_s / n);
    let is_significant = slope > ERRORS_MIN * error;
    let is_material = slope * window_s > ROOTS_MIN * libm::sqrt(arrivals_per_s * window_s);
    Some(Drift { slope, error, stable: !(is_significant && is_material) })
}

/// Slope of the least-squares line, per step.
fn least_squares(series: &[f64]) -> f64 {
    let n = series.len() as f64;
    let center = 0.5 * (n - 1.0);
    let moment: f64 = series.iter().enumerate().map(|(i, y)| (i as f64 - center) * y).sum();
    moment * 12.0 / (n * (n * n - 1.0))
}

/// Variance per step of the random walk that has the increments of this series
/// over [`SECTIONS`] sections, its drift left out.
fn walk_variance(series: &[f64]) -> f64 {
    let steps = series.len() - 1;
    let at = |section: usize| series[section * steps / SECTIONS];
    let drift = (at(SECTIONS) - at(0)) / SECTIONS as f64;
    let squares: f64 = (0..SECTIONS)
        .map(|section| {
            let off = at(section + 1) - at(section) - drift;
            off * off
        })
        .sum();
    squares / (SECTIONS - 1) as f64 * SECTIONS as f64 / steps as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};
    use rayon::prelude::*;

    /// Number in system of M/M/1 with unit service rate, `spacing_s` apart.
    fn mm1(load: f64, trial: u64, warm_up_s: f64, counts: usize, spacing_s: f64) -> Vec<f64> {
        let mut stream = Streams::new(11, trial).stream(Component::Arrivals, 0, 0);
        let (mut now, mut in_system) = (0.0, 0u32);
        let mut series = Vec::with_capacity(counts);
        while series.len() < counts {
            let rate = load + f64::from(u32::from(in_system > 0));
            now += -libm::log(stream.unit()) / rate;
            while series.len() < counts && warm_up_s + series.len() as f64 * spacing_s < now {
                series.push(f64::from(in_system));
            }
            if stream.unit() * rate < load {
                in_system += 1;
            } else {
                in_system -= 1;
            }
        }
        series
    }

    /// Share of `trials` studies that call this load unstable.
    fn alarms(load: f64, replications: u64, arrivals: f64, trials: u64) -> f64 {
        let spacing_s = arrivals / load / 200.0;
        let is_alarm = |trial: u64| {
            let trends: Vec<Trend> = (trial * replications..(trial + 1) * replications)
                .map(|seed| mm1(load, seed, 0.2 * arrivals / load, 201, spacing_s))
                .filter_map(|counts| Trend::of(&counts, spacing_s))
                .collect();
            !drift(&trends, load).unwrap().stable
        };
        let alarms = (0..trials).into_par_iter().filter(|&trial| is_alarm(trial)).count();
        alarms as f64 / trials as f64
    }

    #[test]
    fn false_alarms_and_power_are_as_documented() {
        let rates = |replications, arrivals, trials| {
            [0.8, 0.9, 0.95, 1.05, 1.2].map(|load| alarms(load, replications, arrivals, trials))
        };
        assert_eq!(rates(1, 10_000.0, 100), [0.0, 0.0, 0.0, 0.49, 1.0]);
        assert_eq!(rates(8, 3_000.0, 20), [0.0, 0.0, 0.0, 0.8, 1.0]);
    }

    #[test]
    fn slope_and_error_by_hand() {
        // A line: the slope is exact and a walk without noise has no error.
        let line: Vec<f64> = (0..33).map(|i| 5.0 + 3.0 * f64::from(i)).collect();
        let found = drift(&[Trend::of(&line, 2.0).unwrap()], 0.5).unwrap();
        assert!((found.slope - 1.5).abs() < 1e-12 && found.error.abs() < 1e-12, "{found:?}");
        assert!(!found.stable);
        // Increments of +1 and -1 every 2 s: variance 16/15 a section of 2 s.
        let zigzag: Vec<f64> = (0..17).map(|i| f64::from(i % 2)).collect();
        let trend = Trend::of(&zigzag, 2.0).unwrap();
        let found = drift(&[trend, trend], 0.5).unwrap();
        let error = (1.2 * (16.0 / 15.0 / 2.0) / 32.0 / 2.0f64).sqrt();
        assert!(found.slope.abs() < 1e-12 && (found.error - error).abs() < 1e-12, "{found:?}");
        assert!(found.stable);
        assert_eq!(Trend::of(&[0.0; 16], 1.0), None);
        assert_eq!(drift(&[], 1.0), None);
    }
}
