//! On which scale an interval is taken, and intervals of shares.
//!
//! What is measured in a queue is skewed: a time is positive and has its long end
//! above, a share lies between 0 and 1. Student's t on the numbers themselves
//! reaches below zero and misses on the long side. Times are therefore taken on a
//! logarithmic scale, shares with Wilson's score interval (1927).

use super::interval::Interval;
use super::jackknife::Jackknife;
use super::student::student_quantile;

/// The scale on which a figure is symmetric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Its own: it may be negative.
    Linear,
    /// Logarithms: it is never negative.
    Positive,
    /// That of a share, in 0..=1.
    Share,
}

/// How far estimates without one replication each lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Apart {
    /// Variance of the estimate, by the jackknife.
    pub variance: f64,
    /// Degrees of freedom of that variance.
    pub freedom: u32,
}

/// Sum of fourth powers over the squared sum of squares of so many normal values, up
/// to which all degrees of freedom are believed. It is 3 for many and less for few.
const KURTOSIS: f64 = 2.5;

impl Apart {
    /// Of these estimates; `None` for fewer than two.
    ///
    /// A variance that rests on one replication far from all others is known less
    /// well than n - 1 degrees of freedom say. The variance of a variance grows with
    /// the kurtosis k of what it is of, so there are n 2.5 / k - 1 of them, and n - 1
    /// at most (after Satterthwaite 1946).
    pub fn of(without: &[f64]) -> Option<Apart> {
        let &first = without.first().filter(|_| without.len() > 1)?;
        let n = without.len() as f64;
        let most = (without.len() - 1) as u32;
        if without.iter().all(|&value| value == first) {
            return Some(Apart { variance: 0.0, freedom: most });
        }
        let center = without.iter().sum::<f64>() / n;
        let squares = || without.iter().map(|value| (value - center) * (value - center));
        let second: f64 = squares().sum();
        let fourth: f64 = squares().map(|square| square * square).sum();
        // Squares of tiny differences may vanish.
        let freedom = if fourth > 0.0 { KURTOSIS * second * second / fourth - 1.0 } else { 1.0 };
        let freedom = (freedom as u32).clamp(1, most);
        Some(Apart { variance: second * (n - 1.0) / n, freedom })
    }
}

impl Jackknife {
    /// The estimate with its interval on `scale`, `stretch` times as wide there as
    /// the confidence asks for; without ends when one replication cannot tell the
    /// spread.
    pub fn interval_on(&self, scale: Scale, confidence: f64, stretch: f64) -> Interval {
        let mean = self.estimate();
        let Some(apart) = Apart::of(self.without()) else {
            return Interval { mean, low: None, high: None };
        };
        if apart.variance == 0.0 {
            return Interval::constant(mean);
        }
        let times = |apart: &Apart| student_quantile(apart.freedom, confidence) * stretch;
        let half = times(&apart) * libm::sqrt(apart.variance);
        let (low, high) = match scale {
            Scale::Linear => (mean - half, mean + half),
            Scale::Share => score(mean, apart.variance, times(&apart)),
            Scale::Positive => {
                let logarithms: Option<Vec<f64>> = [mean]
                    .iter()
                    .chain(self.without())
                    .map(|&value| (value > 0.0).then(|| libm::log(value)))
                    .collect();
                // Where leaving one out leaves nothing there are no logarithms.
                let apart = logarithms.and_then(|all| Apart::of(&all[1..]));
                match apart {
                    Some(apart) => {
                        let factor = libm::exp(times(&apart) * libm::sqrt(apart.variance));
                        (mean / factor, mean * factor)
                    }
                    None => ((mean - half).max(0.0), mean + half),
                }
            }
        };
        // A logarithm of a number near the largest has no ends.
        let is_known = low.is_finite() && high.is_finite();
        Interval { mean, low: is_known.then_some(low), high: is_known.then_some(high) }
    }
}

/// Wilson's interval of a share of this variance: of p (1 - p) / variance trials, as
/// many as independent ones would tell as much (Korn and Graubard 1998), at so many
/// standard errors.
pub fn score(share: f64, variance: f64, errors: f64) -> (f64, f64) {
    let spread = share * (1.0 - share);
    if spread <= 0.0 {
        return (share, share);
    }
    let weight = errors * errors * variance / spread;
    ends(share, spread, weight)
}

fn ends(share: f64, spread: f64, weight: f64) -> (f64, f64) {
    let center = (share + weight / 2.0) / (1.0 + weight);
    let half = libm::sqrt(weight * spread + weight * weight / 4.0) / (1.0 + weight);
    ((center - half).max(0.0), (center + half).min(1.0))
}

/// Wilson's interval of the chance of which `of` independent trials had `kept`; `None`
/// without trials.
///
/// ```
/// use tokenmill::statistics::wilson;
/// let all = wilson(20.0, 20.0, 0.95).unwrap();
/// assert_eq!((all.mean, all.high), (1.0, Some(1.0)));
/// assert!((all.low.unwrap() - 0.8389).abs() < 5e-5);
/// ```
pub fn wilson(kept: f64, of: f64, confidence: f64) -> Option<Interval> {
    assert!((0.0..=of).contains(&kept), "{kept} of {of}");
    if of == 0.0 {
        return None;
    }
    let share = kept / of;
    let errors = normal_quantile(confidence);
    let (low, high) = ends(share, share * (1.0 - share), errors * errors / of);
    // Rounding must not part the ends from the estimate.
    Some(Interval { mean: share, low: Some(low.min(share)), high: Some(high.max(share)) })
}

/// The z for which a normal variable lies within -z..z with probability
/// `confidence`, in (0, 1), by Newton's method from zero: the probability is concave.
fn normal_quantile(confidence: f64) -> f64 {
    assert!(confidence > 0.0 && confidence < 1.0, "confidence {confidence} is not in (0, 1)");
    let density = |z: f64| libm::sqrt(std::f64::consts::FRAC_2_PI) * libm::exp(-0.5 * z * z);
    let mut z = 0.0;
    loop {
        let next = z + (confidence - libm::erf(z * std::f64::consts::FRAC_1_SQRT_2)) / density(z);
        if next <= z + 1e-15 {
            return z;
        }
        z = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_by_the_book() {
        // Newcombe (1998, table I): 81 of 263, 15 of 148, 0 of 20, 1 of 29.
        for (kept, of, low, high) in [
            (81.0, 263.0, 0.2553, 0.3662),
            (15.0, 148.0, 0.0624, 0.1605),
            (0.0, 20.0, 0.0, 0.1611),
            (1.0, 29.0, 0.0061, 0.1718),
        ] {
            let found = wilson(kept, of, 0.95).unwrap();
            assert_eq!(found.mean, kept / of);
            assert!((found.low.unwrap() - low).abs() < 5e-5, "{kept} of {of}: {found:?}");
            assert!((found.high.unwrap() - high).abs() < 5e-5, "{kept} of {of}: {found:?}");
        }
        assert_eq!(wilson(0.0, 0.0, 0.95), None);
        assert_eq!(wilson(7.0, 7.0, 0.95).unwrap().high, Some(1.0));
    }

    #[test]
    fn normal_quantiles() {
        for (confidence, z) in [(0.95, 1.959_963_985), (0.99, 2.575_829_304), (0.5, 0.674_489_75)] {
            assert!((normal_quantile(confidence) - z).abs() < 1e-8, "{confidence}");
        }
    }

    #[test]
    fn times_are_taken_by_logarithms() {
        // Geometric: leaving out one of 1, 2, 4 leaves means 3, 2.5, 1.5.
        let found = Jackknife::mean(&[1.0, 2.0, 4.0]).unwrap();
        let interval = found.interval_on(Scale::Positive, 0.95, 1.0);
        let logs = [3.0f64.ln(), 2.5f64.ln(), 1.5f64.ln()];
        let center = logs.iter().sum::<f64>() / 3.0;
        let squares: f64 = logs.iter().map(|log| (log - center).powi(2)).sum();
        let factor = (4.302_652_7 * (squares * 2.0 / 3.0).sqrt()).exp();
        assert!((interval.high.unwrap() / (7.0 / 3.0 * factor) - 1.0).abs() < 1e-7);
        assert!((interval.low.unwrap() * factor / (7.0 / 3.0) - 1.0).abs() < 1e-7);
        let wide = found.interval_on(Scale::Positive, 0.95, 2.0);
        assert!((wide.high.unwrap() / (7.0 / 3.0 * factor * factor) - 1.0).abs() < 1e-7);
    }

    #[test]
    fn no_time_is_negative_and_no_share_beyond_its_ends() {
        // Without the last one nothing is left.
        let rare = Jackknife::ratio(&[0.0, 0.0, 0.0, 9.0], &[10.0; 4]).unwrap();
        let [linear, positive, share] = [Scale::Linear, Scale::Positive, Scale::Share]
            .map(|scale| rare.interval_on(scale, 0.95, 1.0));
        assert!(linear.low.unwrap() < 0.0);
        assert_eq!(positive.low, Some(0.0));
        // One cluster: Wilson's interval at the errors of one degree of freedom.
        assert!(share.low.unwrap() > 0.0 && share.high.unwrap() < 1.0, "{share:?}");
        assert!(share.high.unwrap() > linear.high.unwrap().min(0.9), "{share:?} {linear:?}");
        let none = Jackknife::ratio(&[0.0; 4], &[10.0; 4]).unwrap();
        assert_eq!(none.interval_on(Scale::Share, 0.95, 1.0), Interval::constant(0.0));
    }

    #[test]
    fn a_lone_value_is_one_degree_of_freedom() {
        let lone = Apart::of(&[0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0]).unwrap();
        assert_eq!(lone.freedom, 2);
        let two = Apart::of(&[0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0]).unwrap();
        assert_eq!(two.freedom, 7);
        assert_eq!(Apart::of(&[1.0]), None);
    }
}
