//! A quantile of the values of all replications together, and its interval.
//!
//! The mean over replications of their own quantiles is biased where each holds
//! few busy spells: most replications see none of the rare long ones that make the
//! tail, and more replications only narrow the interval around the wrong value. The
//! quantile of all values pooled has no such bias.
//!
//! Its interval turns around that of a share (Woodruff 1952): x may be the quantile
//! at p if the interval of the share of values above x holds 1 - p. The error of the
//! share is found by the jackknife over replications at every x by itself, so the
//! upper end, where few replications have values at all, lies further out.

use super::interval::Interval;
use super::known::{KnownDistribution, highest, mixture_quantile};
use super::scale::{Apart, score};
use super::student::student_quantile;

/// Steps of the way to the upper end, and halvings of the last one.
const STEPS: u32 = 48;
const HALVINGS: u32 = 24;

/// A quantile of pooled values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PooledQuantile {
    /// The quantile; without ends if one replication cannot tell the spread, or if
    /// the tail holds too little to say how high it may be.
    pub interval: Interval,
    /// How many times the replications there are would hold enough; only where they
    /// do not.
    pub times_more: Option<f64>,
}

/// The quantile at `fraction` of all `parts`, one a replication, with an interval that
/// is `stretch` times as wide as `confidence` asks for; `None` without values.
pub fn pooled_quantile(
    parts: &[&KnownDistribution],
    fraction: f64,
    confidence: f64,
    stretch: f64,
) -> Option<PooledQuantile> {
    let there: Vec<&KnownDistribution> =
        parts.iter().copied().filter(|part| part.count() > 0).collect();
    let mean = mixture_quantile(&there, fraction)?;
    let known = |interval| PooledQuantile { interval, times_more: None };
    if there.len() < 2 {
        return Some(known(Interval { mean, low: None, high: None }));
    }
    if there.iter().all(|part| part.quantiles() == there[0].quantiles()) {
        return Some(known(Interval::constant(mean)));
    }
    let tail = Tail { parts: &there, confidence, stretch };
    let above = 1.0 - fraction;
    let low = halved(0.0, mean, |value| tail.ends(value).0 <= above);
    let high = tail.high(mean, above);
    let highest = highest(&there);
    let times_more = high.is_none().then(|| tail.ends(highest * (1.0 - 1e-9)).1 / above);
    let low = high.map(|_| low);
    Some(PooledQuantile { interval: Interval { mean, low, high }, times_more })
}

/// Shares of values beyond a value.
struct Tail<'a> {
    parts: &'a [&'a KnownDistribution],
    confidence: f64,
    stretch: f64,
}

impl Tail<'_> {
    /// The interval of the share above `value`.
    fn ends(&self, value: f64) -> (f64, f64) {
        let above = |part: &&KnownDistribution| part.count() as f64 * (1.0 - part.share(value));
        let tops: Vec<f64> = self.parts.iter().map(above).collect();
        let (top, bottom) = (
            tops.iter().sum::<f64>(),
            self.parts.iter().map(|part| part.count() as f64).sum::<f64>(),
        );
        let share = (top / bottom).min(1.0);
        let without = self.parts.iter().zip(&tops);
        let without: Vec<f64> =
            without.map(|(part, own)| (top - own) / (bottom - part.count() as f64)).collect();
        let apart = Apart::of(&without).expect("several replications");
        let errors = student_quantile(apart.freedom, self.confidence) * self.stretch;
        score(share, apart.variance, errors)
    }

    /// The least value from `mean` on above which surely less than `above` lies; `None`
    /// if there is none.
    fn high(&self, mean: f64, above: f64) -> Option<f64> {
        let highest = highest(self.parts);
        let is_beyond = |value: f64| self.ends(value).1 < above;
        // Above the greatest value there is nothing, which says nothing.
        let step = libm::pow(highest / mean.max(highest * 1e-9), 1.0 / f64::from(STEPS));
        let at = |step_: u32| mean.max(highest * 1e-9) * libm::pow(step, f64::from(step_));
        let first = (1..STEPS).find(|&index| is_beyond(at(index)))?;
        let from = if first == 1 { mean } else { at(first - 1) };
        Some(halved(from, at(first), is_beyond))
    }
}

/// About the least value between `low` and `high`, which is, that is `enough`.
fn halved(low: f64, high: f64, enough: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (low, high);
    for _ in 0..HALVINGS {
        let middle = low + (high - low) / 2.0;
        if enough(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    high
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Stream, Streams};
    use crate::statistics::known::tests::known;

    fn exponential(stream: &mut Stream) -> f64 {
        -libm::log(stream.unit())
    }

    /// Replications of `count` independent exponential values each.
    fn independent(seed: u64, replications: u64, count: u32) -> Vec<KnownDistribution> {
        let one = |replication| {
            let mut stream = Streams::new(seed, replication).stream(Component::Arrivals, 0, 0);
            known(&mut (0..count).map(|_| exponential(&mut stream)).collect::<Vec<_>>())
        };
        (0..replications).map(one).collect()
    }

    #[test]
    fn independent_values_have_the_interval_of_order_statistics() {
        // 8 x 2,000 values: the 95th percentile of 16,000 has, by the binomial law
        // of ranks, a standard error of sqrt(0.05 / 0.95 / 16,000) = 0.00181 / 0.05.
        let error = (0.95f64 / 0.05 / 16_000.0).sqrt();
        let widths: Vec<f64> = (0..40)
            .map(|seed| {
                let parts = independent(seed, 8, 2_000);
                let parts: Vec<&KnownDistribution> = parts.iter().collect();
                let found = pooled_quantile(&parts, 0.95, 0.95, 1.0).unwrap().interval;
                assert!((found.mean - 20f64.ln()).abs() < 5.0 * error, "{found:?}");
                found.high.unwrap() - found.low.unwrap()
            })
            .collect();
        let width = widths.iter().sum::<f64>() / 40.0;
        let expected = 2.0 * 2.3646 * error;
        assert!((width / expected - 1.0).abs() < 0.15, "{width} {expected}");
    }

    #[test]
    fn what_one_replication_alone_has_seen_may_be_longer() {
        let mut stream = Streams::new(1, 0).stream(Component::Arrivals, 0, 0);
        let mut usual = || known(&mut (0..500).map(|_| stream.unit()).collect::<Vec<_>>());
        let mut all: Vec<KnownDistribution> = (0..7).map(|_| usual()).collect();
        // One of eight has a spell of 60 long values: 1.5 % of all.
        let mut spell: Vec<f64> = (0..440).map(|i| f64::from(i) / 440.0).collect();
        spell.extend((0..60).map(|i| 10.0 + f64::from(i)));
        all.push(known(&mut spell));
        let parts: Vec<&KnownDistribution> = all.iter().collect();
        let found = |fraction| pooled_quantile(&parts, fraction, 0.95, 1.0).unwrap();
        // The median is known; how long the worst hundredth is nobody can tell.
        let median = found(0.5).interval;
        assert!(median.high.unwrap() < 0.56 && median.low.unwrap() > 0.45, "{median:?}");
        let p99 = found(0.99);
        assert!(p99.interval.mean > 10.0);
        match p99.interval.high {
            None => assert!(p99.times_more.unwrap() > 1.0),
            Some(high) => assert!(high > 50.0, "{p99:?}"),
        }
    }

    #[test]
    fn few_values_have_no_tail() {
        let parts = independent(3, 8, 10);
        let parts: Vec<&KnownDistribution> = parts.iter().collect();
        let found = pooled_quantile(&parts, 0.99, 0.95, 1.0).unwrap();
        assert_eq!((found.interval.low, found.interval.high), (None, None));
        // Some 400 independent values are needed for an upper end of the last hundredth.
        let times = found.times_more.unwrap();
        assert!((2.0..60.0).contains(&times), "{times}");
    }

    #[test]
    fn degenerate_samples() {
        let seven = known(&mut [7.0; 9]);
        let none = KnownDistribution::default();
        assert_eq!(pooled_quantile(&[&none, &none], 0.5, 0.95, 1.0), None);
        let lone = pooled_quantile(&[&seven, &none], 0.5, 0.95, 1.0).unwrap().interval;
        assert_eq!((lone.mean, lone.low), (7.0, None));
        let same = pooled_quantile(&[&seven, &seven], 0.5, 0.95, 1.0).unwrap().interval;
        assert_eq!(same, Interval::constant(7.0));
        let zero = known(&mut [0.0; 9]);
        let found = pooled_quantile(&[&zero, &zero, &seven], 0.1, 0.95, 1.0).unwrap().interval;
        assert_eq!(found.mean, 0.0);
    }
}
