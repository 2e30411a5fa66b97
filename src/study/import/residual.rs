//! What varies around a profile: moments of it, and the processes that are expected
//! to show them.
//!
//! Moments of what is left are biased, because profile and mean are of the same
//! days. So a model is not judged by its own moments but by those that it is
//! expected to show in as many days, after the same subtractions.

use super::burst::Chain;
use super::rate::mean;
use serde::Serialize;

/// Hours of lag in which a residual is compared.
pub const LAGS: usize = 12;
/// A standard deviation that is not worth modelling.
const CV_MIN: f64 = 0.02;
/// What a scenario takes at most.
const CV_MAX: f64 = 1.0;
/// A residual has no more memory than this, h.
const MEMORY_MAX_H: f64 = 48.0;

/// Day-to-day noise.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct DayNoise {
    /// Standard deviation of a day over its mean.
    pub cv: f64,
    /// Correlation of neighboring days.
    pub correlation: f64,
}

/// Mean products of centered values at each lag, over their number.
pub fn autocovariance(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let center = mean(values.iter().copied());
    let product = |lag: usize| {
        let pairs = values.iter().zip(values.iter().skip(lag));
        pairs.map(|(a, b)| (a - center) * (b - center)).sum::<f64>() / n as f64
    };
    (0..LAGS.min(n)).map(product).collect()
}

/// The process whose expected moments within `days` days are nearest to those found,
/// of which `chance` alone makes a part of the variance.
pub fn within_day(found: &[f64], days: usize, chance: f64) -> Option<Chain> {
    let mut found = found.to_vec();
    // The mean profile of so many days takes its share.
    let share = 1.0 - 1.0 / days as f64;
    found[0] -= chance * share * (1.0 - 1.0 / 24.0);
    if found[0] < CV_MIN * CV_MIN {
        return None;
    }
    let times = (0..).map(|k| 0.05 * 1.1f64.powi(k)).take_while(|tau| *tau <= MEMORY_MAX_H);
    let fits = times.map(|tau| {
        let shown = expected(|lag| hourly_mean(lag, 1.0, tau), 24, LAGS);
        let weight = |lag: usize| if lag == 0 { 24.0 * 4.0 } else { (24 - lag) as f64 };
        let sum =
            |of: &dyn Fn(usize) -> f64| (0..LAGS).map(|lag| weight(lag) * of(lag)).sum::<f64>();
        let scale = share * sum(&|lag| shown[lag] * found[lag]);
        let variance = (scale / (share * share * sum(&|lag| shown[lag] * shown[lag]))).max(0.0);
        let off = |lag: usize| found[lag] - share * variance * shown[lag];
        (sum(&|lag| off(lag) * off(lag)), Chain { variance, memory_s: tau * 3_600.0 })
    });
    let best = fits.min_by(|a, b| a.0.total_cmp(&b.0))?.1;
    (best.variance >= CV_MIN * CV_MIN).then_some(best)
}

/// The autocovariance that `n` values with this covariance are expected to show
/// around their own mean.
fn expected(covariance: impl Fn(usize) -> f64, n: usize, lags: usize) -> Vec<f64> {
    let known: Vec<f64> = (0..n).map(covariance).collect();
    let row = |i: usize| (0..n).map(|j| known[i.abs_diff(j)]).sum::<f64>() / n as f64;
    let rows: Vec<f64> = (0..n).map(row).collect();
    let all = mean(rows.iter().copied());
    let shown = |lag: usize| {
        let pairs = (0..n - lag).map(|i| known[lag] - rows[i] - rows[i + lag] + all);
        pairs.sum::<f64>() / n as f64
    };
    (0..lags.min(n)).map(shown).collect()
}

/// Covariance of means over `width` at a lag of so many of them, of what
/// correlates as exp(-t / tau).
pub fn hourly_mean(lag: usize, width: f64, tau: f64) -> f64 {
    let spread = |w: f64| {
        let x = w / tau;
        if x < 1e-3 { w * w * (1.0 - x / 3.0) } else { 2.0 * tau * tau * (x + libm::expm1(-x)) }
    };
    let lag = lag as f64;
    if lag == 0.0 {
        return spread(width) / (width * width);
    }
    let sum = spread((lag + 1.0) * width) + spread((lag - 1.0) * width) - 2.0 * spread(lag * width);
    sum / 2.0 / (width * width)
}

/// The autoregression whose expected moments are nearest to those of days, beside
/// what `within` makes of a day; `free` is the share that days of the week leave.
pub fn day_noise(found: &[f64], n: usize, free: f64, within: Option<Chain>) -> Option<DayNoise> {
    // Beyond a year and more, means no longer bias.
    let n = n.min(500);
    let given = match within {
        None => vec![0.0; found.len()],
        Some(Chain { variance, memory_s }) => {
            let cell = |lag| variance * hourly_mean(lag, 24.0, memory_s / 3_600.0);
            expected(cell, n, found.len())
        }
    };
    let lags = found.len().min(3);
    let fits = (-9..=19).map(|step| {
        let correlation = 0.05 * f64::from(step);
        let shown = expected(|lag| correlation.powi(lag as i32), n, lags);
        let weight = |lag: usize| if lag == 0 { 4.0 } else { 1.0 };
        let sum =
            |of: &dyn Fn(usize) -> f64| (0..lags).map(|lag| weight(lag) * of(lag)).sum::<f64>();
        let wanted = |lag: usize| found[lag] / free - given[lag];
        let variance =
            (sum(&|lag| shown[lag] * wanted(lag)) / sum(&|lag| shown[lag] * shown[lag])).max(0.0);
        let off = |lag: usize| wanted(lag) - variance * shown[lag];
        (sum(&|lag| off(lag) * off(lag)), variance, correlation)
    });
    let (_, variance, correlation) = fits.min_by(|a, b| a.0.total_cmp(&b.0))?;
    let cv = libm::expm1(variance).sqrt().min(CV_MAX);
    (cv >= CV_MIN).then_some(DayNoise { cv, correlation })
}
