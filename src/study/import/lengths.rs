//! Token lengths: their histogram, laws that fit it, and how well.
//!
//! A length is a whole number, and a draw is rounded to one: a law with the
//! distribution function F gives n with F(n + 1/2) - F(n - 1/2). So laws are
//! compared with the histogram at halves, where both are known exactly.

use crate::random::normal_quantile;
use crate::statistics::Histogram;
use std::collections::BTreeMap;

/// Most different lengths that are counted one by one; beyond, they are known
/// within 0.4 %.
const EXACT_MAX: usize = 1 << 16;
/// Most points of a table of quantiles.
const POINTS_MAX: usize = 64;
/// How far a table of quantiles may be off, as a share of all calls, and as a
/// share of those beyond.
const TOLERANCE: (f64, f64) = (0.004, 0.05);
/// Share of calls that no table has to be right about.
const LEAST: f64 = 4e-4;
/// Most parts of a mixture, and the least spread of a part.
const PARTS_MAX: usize = 4;
const SIGMA_MIN: f64 = 0.02;
/// Rounds of expectation and maximization.
const ROUNDS: usize = 400;

/// Counts of lengths as they pass.
#[derive(Clone, Debug, Default)]
pub struct LengthCounts {
    exact: BTreeMap<u32, u64>,
    coarse: Option<Histogram>,
}

impl LengthCounts {
    /// Adds a length, `n` times.
    pub fn add(&mut self, tokens: u32, n: u64) {
        if let Some(coarse) = &mut self.coarse {
            return coarse.record_n(tokens.into(), n);
        }
        *self.exact.entry(tokens).or_default() += n;
        if self.exact.len() > EXACT_MAX {
            let mut coarse = Histogram::new();
            let exact = std::mem::take(&mut self.exact);
            exact.into_iter().for_each(|(tokens, n)| coarse.record_n(tokens.into(), n));
            self.coarse = Some(coarse);
        }
    }

    /// What was counted.
    pub fn table(&self) -> Lengths {
        let bins: Vec<(f64, f64, f64)> = match &self.coarse {
            Some(coarse) => coarse
                .buckets()
                .map(|(low, high, n)| (low as f64 - 0.5, high as f64 + 0.5, n as f64))
                .collect(),
            None => self
                .exact
                .iter()
                .map(|(&tokens, &n)| (f64::from(tokens) - 0.5, f64::from(tokens) + 0.5, n as f64))
                .collect(),
        };
        Lengths::of(bins)
    }
}

/// The distribution of a length: bins with the share of calls up to their upper
/// edge.
#[derive(Clone, Debug, Default)]
pub struct Lengths {
    /// How many calls, or their weight.
    pub n: f64,
    /// Mean.
    pub mean: f64,
    /// Lower and upper edge, weight.
    bins: Vec<(f64, f64, f64)>,
    /// Weight up to the upper edge of each, over the whole.
    below: Vec<f64>,
}

impl Lengths {
    /// Lengths by ascending bins: lower edge, upper edge, weight.
    pub fn of(bins: Vec<(f64, f64, f64)>) -> Lengths {
        let n: f64 = bins.iter().map(|bin| bin.2).sum();
        let mean = bins.iter().map(|(low, high, n)| (low + high) / 2.0 * n).sum::<f64>() / n;
        let mut sum = 0.0;
        let below = bins.iter().map(|bin| {
            sum += bin.2;
            sum / n
        });
        Lengths { n, mean, below: below.collect(), bins }
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.bins.is_empty()
    }

    /// The length that a share `fraction` of calls is at most.
    pub fn quantile(&self, fraction: f64) -> f64 {
        let at = self.below.partition_point(|below| *below < fraction - 1e-12);
        let (low, high, _) = self.bins[at.min(self.bins.len() - 1)];
        (low + high) / 2.0
    }

    /// Greatest length.
    pub fn max(&self) -> f64 {
        self.bins.last().map_or(1.0, |(_, high, _)| high - 0.5)
    }

    /// Kolmogorov's distance to a law with this distribution function, of which
    /// draws are rounded and at least 1.
    pub fn distance(&self, law: impl Fn(f64) -> f64) -> f64 {
        let law = |x: f64| if x < 1.0 { 0.0 } else { law(x) };
        let mut before = 0.0;
        let mut worst: f64 = 0.0;
        for ((low, high, _), below) in self.bins.iter().zip(&self.below) {
            worst = worst.max((law(*low) - before).abs()).max((law(*high) - below).abs());
            before = *below;
        }
        worst
    }

    /// Kolmogorov's distance to other lengths.
    pub fn distance_to(&self, other: &Lengths) -> f64 {
        let below = |x: f64| {
            let at = other.bins.partition_point(|bin| bin.1 <= x);
            if at == 0 { 0.0 } else { other.below[at - 1] }
        };
        self.distance(below)
    }

    /// A table of quantiles that is nowhere farther off than 0.4 % of all calls, or
    /// twice that if it needs too many points.
    pub fn quantiles(&self) -> Quantiles {
        let mut corners = vec![(0.0, self.bins[0].0)];
        let mut before = 0.0;
        for ((low, high, _), below) in self.bins.iter().zip(&self.below) {
            if corners.last().is_some_and(|corner| corner.1 < *low) {
                corners.push((before, *low));
            }
            corners.push((*below, *high));
            before = *below;
        }
        corners.last_mut().expect("there are bins").0 = 1.0;
        let mut looser = 1.0;
        loop {
            let points = simplify(&corners, looser, (1.0 / self.n).max(LEAST));
            if points.len() <= POINTS_MAX || looser > 1e3 {
                return Quantiles { points };
            }
            looser *= 1.5;
        }
    }

    /// The mixture of lognormal laws of which the Bayesian information criterion
    /// thinks best.
    pub fn mixture(&self) -> Mixture {
        let logs = self.logs();
        let n = self.n;
        let fits = (1..=PARTS_MAX).map(|parts| {
            let (mixture, likelihood) = expect_and_maximize(&logs, parts);
            let free = (3 * parts - 1) as f64;
            (mixture, free * libm::log(n) - 2.0 * likelihood)
        });
        let best = fits.min_by(|a, b| a.1.total_cmp(&b.1)).expect("several").0;
        Mixture { max: self.max(), ..best }
    }

    /// Logarithms of lengths with their weights, at most some thousand.
    fn logs(&self) -> Vec<(f64, f64)> {
        let mut logs: Vec<(f64, f64)> = Vec::new();
        let mut until = 0.0;
        for (low, high, n) in &self.bins {
            let middle = ((low + high) / 2.0).max(1.0);
            if middle < until
                && let Some(last) = logs.last_mut()
            {
                let sum = last.1 + n;
                last.0 += (libm::log(middle) - last.0) * n / sum;
                last.1 = sum;
                continue;
            }
            until = middle * 1.004;
            logs.push((libm::log(middle), *n));
        }
        logs
    }
}

/// A table of quantiles: fractions and values, joined by straight lines.
#[derive(Clone, Debug, PartialEq)]
pub struct Quantiles {
    /// Ascending from fraction 0 to 1.
    pub points: Vec<(f64, f64)>,
}

impl Quantiles {
    /// The distribution function.
    pub fn below(&self, x: f64) -> f64 {
        let right = self.points.partition_point(|point| point.1 <= x);
        match (right.checked_sub(1).map(|left| self.points[left]), self.points.get(right)) {
            (None, _) => 0.0,
            (_, None) => 1.0,
            (Some((from, low)), Some((to, high))) => from + (to - from) * (x - low) / (high - low),
        }
    }
}

/// Corners of a broken line such that those left out are within the tolerance of
/// the line through the others (Ramer, Douglas and Peucker).
fn simplify(corners: &[(f64, f64)], looser: f64, least: f64) -> Vec<(f64, f64)> {
    let mut keep = vec![false; corners.len()];
    let last = corners.len() - 1;
    (keep[0], keep[last]) = (true, true);
    let mut open = vec![(0, last)];
    while let Some((from, to)) = open.pop() {
        let ((f0, x0), (f1, x1)) = (corners[from], corners[to]);
        let mut worst = (1.0, 0);
        for (at, &(f, x)) in corners.iter().enumerate().take(to).skip(from + 1) {
            let line = if x1 > x0 { f0 + (f1 - f0) * (x - x0) / (x1 - x0) } else { f1 };
            let tail = TOLERANCE.1 * (1.0 - f);
            let allowed = looser * tail.clamp(least, TOLERANCE.0.max(least));
            let off = (f - line).abs() / allowed;
            if off > worst.0 {
                worst = (off, at);
            }
        }
        if worst.1 > 0 {
            keep[worst.1] = true;
            open.extend([(from, worst.1), (worst.1, to)]);
        }
    }
    let kept = corners.iter().zip(keep).filter(|(_, keep)| *keep).map(|(corner, _)| *corner);
    rounded(kept)
}

/// Points as they are written: fractions in steps of 1e-6, which ascend even where
/// the line is upright.
fn rounded(points: impl Iterator<Item = (f64, f64)>) -> Vec<(f64, f64)> {
    let steps = |fraction: f64| (fraction * 1e6).round() as u32;
    let mut points: Vec<(u32, f64)> = points.map(|(f, value)| (steps(f), value)).collect();
    for at in 1..points.len() {
        points[at].0 = points[at].0.max(points[at - 1].0 + 1);
    }
    let mut most = 1_000_000;
    for point in points.iter_mut().rev() {
        point.0 = point.0.min(most);
        most = point.0.saturating_sub(1);
    }
    points.into_iter().map(|(steps, value)| (f64::from(steps) / 1e6, value)).collect()
}

/// A mixture of lognormal laws, cut off at the greatest length seen.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Mixture {
    /// Share, logarithm of the median, deviation of the logarithm.
    pub parts: Vec<(f64, f64, f64)>,
    /// Draws above become this.
    pub max: f64,
}

impl Mixture {
    /// The distribution function.
    pub fn below(&self, x: f64) -> f64 {
        if x >= self.max {
            return 1.0;
        }
        let log = libm::log(x);
        self.parts.iter().map(|(share, mu, sigma)| share * phi((log - mu) / sigma)).sum()
    }
}

/// The normal distribution function.
fn phi(z: f64) -> f64 {
    libm::erfc(-z / std::f64::consts::SQRT_2) / 2.0
}

/// Fits `parts` normal laws to weighted logarithms; also the log-likelihood.
fn expect_and_maximize(logs: &[(f64, f64)], parts: usize) -> (Mixture, f64) {
    let total: f64 = logs.iter().map(|log| log.1).sum();
    let mean = logs.iter().map(|(x, n)| x * n).sum::<f64>() / total;
    let square = logs.iter().map(|(x, n)| (x - mean) * (x - mean) * n).sum::<f64>() / total;
    let sigma = square.sqrt().max(SIGMA_MIN);
    // Parts begin where a normal law is cut in equal shares.
    let start = |k: usize| {
        let z = normal_quantile((k as f64 + 0.5) / parts as f64);
        (1.0 / parts as f64, mean + sigma * z, sigma / parts as f64)
    };
    let mut laws: Vec<(f64, f64, f64)> = (0..parts).map(start).collect();
    laws.iter_mut().for_each(|law| law.2 = law.2.max(SIGMA_MIN));
    let mut likelihood = f64::NEG_INFINITY;
    let mut shares = vec![0.0; parts];
    for _ in 0..ROUNDS {
        let mut sums = vec![(0.0, 0.0, 0.0); parts];
        let mut sum = 0.0;
        for (x, n) in logs {
            let mut density = 0.0;
            for (share, (weight, mu, sigma)) in shares.iter_mut().zip(&laws) {
                let z = (x - mu) / sigma;
                *share = weight / sigma * libm::exp(-z * z / 2.0);
                density += *share;
            }
            let density = density.max(f64::MIN_POSITIVE);
            sum += n * libm::log(density);
            for (share, sums) in shares.iter().zip(&mut sums) {
                let part = n * share / density;
                *sums = (sums.0 + part, sums.1 + part * x, sums.2 + part * x * x);
            }
        }
        for (law, (n, x, square)) in laws.iter_mut().zip(&sums) {
            if *n > 1e-9 * total {
                let mu = x / n;
                let variance = (square / n - mu * mu).max(SIGMA_MIN * SIGMA_MIN);
                *law = (n / total, mu, variance.sqrt());
            } else {
                law.0 = 0.0;
            }
        }
        if sum - likelihood < 1e-7 * total {
            likelihood = sum;
            break;
        }
        likelihood = sum;
    }
    likelihood -= total * libm::log(2.0 * std::f64::consts::PI) / 2.0;
    laws.retain(|law| law.0 > 1e-6);
    laws.sort_by(|a, b| a.1.total_cmp(&b.1));
    (Mixture { parts: laws, max: f64::INFINITY }, likelihood)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Distribution, Streams};

    fn drawn(law: &Distribution, n: u32) -> Lengths {
        let mut stream = Streams::new(1, 0).stream(Component::Prompt, 0, 0);
        let mut counts = LengthCounts::default();
        (0..n).for_each(|_| counts.add(law.sample_tokens(&mut stream), 1));
        counts.table()
    }

    fn two_kinds() -> Distribution {
        let parts = [(0.3, 40.0, 0.4), (0.7, 2_000.0, 0.6)];
        let part =
            |(share, median, sigma)| (share, Distribution::lognormal(median, sigma).unwrap());
        Distribution::mixture(parts.map(part).to_vec()).unwrap()
    }

    #[test]
    fn a_mixture_is_found_again() {
        let lengths = drawn(&two_kinds(), 40_000);
        let mixture = lengths.mixture();
        assert_eq!(mixture.parts.len(), 2, "{mixture:?}");
        let (share, mu, sigma) = mixture.parts[0];
        assert!((share - 0.3).abs() < 0.01, "{mixture:?}");
        assert!((mu - 40f64.ln()).abs() < 0.02 && (sigma - 0.4).abs() < 0.02, "{mixture:?}");
        // The 1 % point of the distance of 40,000 draws to their own law.
        assert!(lengths.distance(|x| mixture.below(x)) < 1.63 / 200.0);
    }

    #[test]
    fn a_table_of_quantiles_stays_within_its_tolerance() {
        let atoms = Distribution::empirical(&[1.0, 7.0, 8.0, 4_096.0], &[5.0, 3.0, 1.0, 1.0]);
        for law in [two_kinds(), atoms.unwrap()] {
            let lengths = drawn(&law, 20_000);
            let table = lengths.quantiles();
            assert!(table.points.len() <= POINTS_MAX);
            let distance = lengths.distance(|x| table.below(x));
            assert!(distance <= TOLERANCE.0 + 1e-6, "{distance}");
            // What is drawn from it has the quantiles of the lengths.
            let again = drawn(&Distribution::quantiles(&table.points).unwrap(), 20_000);
            for fraction in [0.1, 0.5, 0.9, 0.99] {
                let ratio = again.quantile(fraction) / lengths.quantile(fraction);
                assert!((ratio - 1.0).abs() < 0.06, "{fraction}: {ratio}");
            }
        }
    }

    #[test]
    fn many_lengths_are_counted_in_classes() {
        let mut counts = LengthCounts::default();
        (0..200_000u32).for_each(|tokens| counts.add(tokens + 1, 1));
        assert!(counts.exact.is_empty());
        let table = counts.table();
        assert!((table.quantile(0.5) / 100_000.0 - 1.0).abs() < 0.005);
        assert!((table.mean / 100_000.5 - 1.0).abs() < 1e-3);
    }
}
