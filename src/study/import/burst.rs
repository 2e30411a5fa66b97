//! Chains of states and a law of gaps that have the dispersion of a trace.
//!
//! The rate m of arrivals is multiplied by independent chains of two states. A
//! chain has a variance a and forgets in a time tau: its factor correlates as
//! a exp(-t / tau). The product of chains correlates as a sum of such terms, one
//! for each set of them, so the variance of the count in a window w is
//!
//! V(w) = R(m w) + m^2 sum_sets A 2 T^2 (w / T - 1 + exp(-w / T)),
//! A = product of a, 1 / T = sum of 1 / tau,
//!
//! where R is the variance of counts that the law of gaps makes at a steady rate.
//! A trace tells the sample variance of n windows, whose expectation is
//! n / (n - 1) (V(w) - V(n w) / n^2): slow chains show less in a short trace, and
//! the fit makes up for it.
//!
//! Chains are sought on a grid of times, then moved freely (Nelder and Mead), to
//! the least mean square of relative errors, in which windows weigh less the fewer
//! a trace has: the variance of n windows is known within sqrt(2 / n) at best, and
//! a tenth is asked for. Another one is worth having if it
//! lowers that by a quarter and there is an error above 2 % to lower; a law of
//! gaps beside the exponential if it lowers it by a quarter again.

use super::counts::Dispersion;
use super::gaps::{GapCounts, GapLaw, RenewalCounts};
use serde::Serialize;

/// Most chains.
const CHAINS_MAX: usize = 3;
/// Times on the grid, from a tenth of the shortest window on, and their ratio.
const GRID_RATIO: f64 = 1.8;
/// Windows that a trace must have for their variance to count.
const WINDOWS_MIN: u64 = 12;
/// What another component has to lower the error to, and the error that is good
/// enough without.
const WORTH: f64 = 0.75;
const GOOD: f64 = 0.02;
/// Relative error that is asked for.
const ASKED: f64 = 0.1;
/// Variance from which on a chain is silent in one of its states.
const SYMMETRIC_MAX: f64 = 0.64;

/// A chain of two states.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Chain {
    /// Variance of its factor, whose mean is 1.
    pub variance: f64,
    /// Time in which it forgets its state, s.
    pub memory_s: f64,
}

impl Chain {
    /// Factor and mean duration, s, of its states.
    pub fn states(&self) -> [(f64, f64); 2] {
        let Chain { variance, memory_s } = *self;
        if variance <= SYMMETRIC_MAX {
            let half = variance.sqrt();
            return [(1.0 - half, 2.0 * memory_s), (1.0 + half, 2.0 * memory_s)];
        }
        let on = 1.0 / (1.0 + variance);
        [(0.0, memory_s / on), (1.0 / on, memory_s / (1.0 - on))]
    }
}

/// What makes the bursts of a trace.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Bursts {
    /// Law of gaps.
    pub gaps: GapLaw,
    /// Chains of states, the fastest first.
    pub chains: Vec<Chain>,
    /// Root mean square of the relative errors of the dispersion.
    pub error: f64,
}

/// What is known besides: a rate and what varies slowly.
#[derive(Clone, Copy, Debug)]
pub struct Setting<'s> {
    /// Calls a second.
    pub rate: f64,
    /// Chains that are there already.
    pub given: &'s [Chain],
}

impl Setting<'_> {
    /// The dispersion that is expected where `like` was found.
    pub fn expected(&self, bursts: &Bursts, renewal: &RenewalCounts, like: &Dispersion) -> f64 {
        let all: Vec<Chain> = self.given.iter().chain(&bursts.chains).copied().collect();
        self.index(&terms(&all), renewal, like)
    }

    /// See [`Setting::expected`]; by the terms of the correlation.
    fn index(&self, terms: &[(f64, f64)], renewal: &RenewalCounts, like: &Dispersion) -> f64 {
        let (w, n) = (like.window_s, like.windows as f64);
        let variance = |w: f64| {
            let drift: f64 = terms.iter().map(|(a, tau)| a * spread(w, *tau)).sum();
            renewal.variance(self.rate * w) + self.rate * self.rate * drift
        };
        let sample = n / (n - 1.0) * (variance(w) - variance(n * w) / (n * n));
        sample / (self.rate * w)
    }
}

/// The variance of the integral over `w` of what correlates as exp(-t / tau).
fn spread(w: f64, tau: f64) -> f64 {
    let x = w / tau;
    if x < 1e-3 {
        // Its series, where the difference would lose all digits.
        return w * w * (1.0 - x / 3.0);
    }
    2.0 * tau * tau * (x + libm::expm1(-x))
}

/// The correlation of a product of chains as a sum: variances and times of all
/// sets of them.
fn terms(chains: &[Chain]) -> Vec<(f64, f64)> {
    let mut terms: Vec<(f64, f64)> = vec![(1.0, 0.0)];
    for chain in chains {
        for (a, inverse) in terms.clone() {
            terms.push((a * chain.variance, inverse + 1.0 / chain.memory_s));
        }
    }
    terms.remove(0);
    terms.into_iter().map(|(a, inverse)| (a, 1.0 / inverse)).collect()
}

/// Fits gaps and chains to the dispersion `found`.
pub fn fit(found: &[Dispersion], gaps: &GapCounts, setting: Setting<'_>) -> Bursts {
    let told = |found: &&Dispersion| {
        found.windows >= WINDOWS_MIN
            && found.mean > 0.0
            && found.variance > 0.0
            && setting.rate * found.window_s >= 0.2
    };
    let found: Vec<Dispersion> = found.iter().filter(told).copied().collect();
    let mut best = Bursts { gaps: GapLaw::Exponential, chains: Vec::new(), error: f64::INFINITY };
    if found.is_empty() {
        return Bursts { error: 0.0, ..best };
    }
    for law in gaps.laws() {
        let renewal = RenewalCounts::new(law);
        let bursts = Fit { found: &found, renewal: &renewal, setting }.chains(law);
        if bursts.error < WORTH * best.error && best.error > GOOD {
            best = bursts;
        }
    }
    best
}

struct Fit<'f> {
    found: &'f [Dispersion],
    renewal: &'f RenewalCounts,
    setting: Setting<'f>,
}

impl Fit<'_> {
    /// As many chains as are worth having.
    fn chains(&self, gaps: GapLaw) -> Bursts {
        let mut best = Bursts { gaps, chains: Vec::new(), error: self.error(&[]) };
        let grid = self.grid();
        for count in 1..=CHAINS_MAX {
            if best.error <= GOOD {
                break;
            }
            let Some(start) = self.search(&grid, count) else { break };
            let chains = self.polish(start);
            let error = self.error(&chains);
            if error > WORTH * best.error {
                break;
            }
            best = Bursts { gaps, chains, error };
        }
        best.chains.sort_by(|a, b| a.memory_s.total_cmp(&b.memory_s));
        best
    }

    fn error(&self, chains: &[Chain]) -> f64 {
        let all: Vec<Chain> = self.setting.given.iter().chain(chains).copied().collect();
        let terms = terms(&all);
        let square = |found: &Dispersion| {
            let off = self.setting.index(&terms, self.renewal, found) / found.index() - 1.0;
            off * off
        };
        let sum: f64 = self.found.iter().map(|found| weight(found) * square(found)).sum();
        (sum / self.found.iter().map(weight).sum::<f64>()).sqrt()
    }

    /// Times that a chain may take to forget: up to half of what was watched.
    fn grid(&self) -> Vec<f64> {
        let shortest = self.found.iter().map(|found| found.window_s).fold(f64::INFINITY, f64::min);
        let whole = |found: &Dispersion| found.window_s * found.windows as f64;
        let longest = self.found.iter().map(whole).fold(0.0, f64::max);
        let mut grid = vec![shortest / 5.0];
        while grid[grid.len() - 1] * GRID_RATIO < longest / 2.0 {
            grid.push(grid[grid.len() - 1] * GRID_RATIO);
        }
        grid
    }

    /// The best chains with times of the grid, their variances by least squares
    /// as if they added up.
    fn search(&self, grid: &[f64], count: usize) -> Option<Vec<Chain>> {
        let mut best: Option<(f64, Vec<Chain>)> = None;
        let mut chosen: Vec<usize> = (0..count).collect();
        if grid.len() < count {
            return None;
        }
        let (columns, wanted) = self.columns(grid);
        loop {
            let picked: Vec<&[f64]> = chosen.iter().map(|&at| columns[at].as_slice()).collect();
            if let Some((variances, square)) = least_squares(&picked, &wanted)
                && best.as_ref().is_none_or(|best| square < best.0)
            {
                let chains = chosen.iter().zip(variances);
                let chain = |(&at, variance)| Chain { variance, memory_s: grid[at] };
                best = Some((square, chains.map(chain).collect()));
            }
            if !advance(&mut chosen, grid.len()) {
                return best.map(|best| best.1);
            }
        }
    }

    /// What a chain of variance 1 with each time of the grid adds to each
    /// dispersion, and what is to be added, both over the dispersion.
    fn columns(&self, grid: &[f64]) -> (Vec<Vec<f64>>, Vec<f64>) {
        let given = terms(self.setting.given);
        let index = |terms: &[(f64, f64)], found: &Dispersion| {
            weight(found).sqrt() * self.setting.index(terms, self.renewal, found) / found.index()
        };
        let without: Vec<f64> = self.found.iter().map(|found| index(&given, found)).collect();
        let column = |&memory_s: &f64| {
            let mut with = given.clone();
            with.push((1.0, memory_s));
            let cells = self.found.iter().zip(&without);
            cells.map(|(found, without)| index(&with, found) - without).collect()
        };
        let wanted = self.found.iter().zip(&without);
        let wanted = wanted.map(|(found, without)| weight(found).sqrt() - without).collect();
        (grid.iter().map(column).collect(), wanted)
    }

    /// Moves variances and times freely to the least error.
    fn polish(&self, start: Vec<Chain>) -> Vec<Chain> {
        let watched = self
            .found
            .iter()
            .map(|found| found.window_s * found.windows as f64)
            .fold(0.0, f64::max);
        let chains = |point: &[f64]| -> Vec<Chain> {
            let chain = |pair: &[f64]| Chain {
                variance: libm::exp(pair[0]).min(1e4),
                memory_s: libm::exp(pair[1]).clamp(1e-3, watched / 2.0),
            };
            point.chunks(2).map(chain).collect()
        };
        let start: Vec<f64> = start
            .iter()
            .flat_map(|chain| [libm::log(chain.variance), libm::log(chain.memory_s)])
            .collect();
        chains(&nelder_mead(start, |point| self.error(&chains(point))))
    }
}

/// How much a relative error counts.
fn weight(found: &Dispersion) -> f64 {
    let windows = found.windows as f64 * found.groups as f64;
    1.0 / (ASKED * ASKED + 2.0 / windows)
}

/// The next choice of ascending numbers below `n`.
fn advance(chosen: &mut [usize], n: usize) -> bool {
    for at in (0..chosen.len()).rev() {
        if chosen[at] + (chosen.len() - at) < n {
            chosen[at] += 1;
            for next in at + 1..chosen.len() {
                chosen[next] = chosen[next - 1] + 1;
            }
            return true;
        }
    }
    false
}

/// Positive weights of `columns` whose sum is nearest to `wanted`, and the
/// square that is left; `None` where a weight would not be positive.
fn least_squares(columns: &[&[f64]], wanted: &[f64]) -> Option<(Vec<f64>, f64)> {
    let k = columns.len();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let mut rows: Vec<Vec<f64>> = columns
        .iter()
        .map(|a| columns.iter().map(|b| dot(a, b)).chain([dot(a, wanted)]).collect())
        .collect();
    for at in 0..k {
        let pivot = (at..k).max_by(|a, b| rows[*a][at].abs().total_cmp(&rows[*b][at].abs()))?;
        rows.swap(at, pivot);
        if rows[at][at].abs() < 1e-12 {
            return None;
        }
        let pivot = rows[at].clone();
        for (_, row) in rows.iter_mut().enumerate().filter(|(number, _)| *number != at) {
            let factor = row[at] / pivot[at];
            row.iter_mut().zip(&pivot).for_each(|(cell, pivot)| *cell -= factor * pivot);
        }
    }
    let weights: Vec<f64> = (0..k).map(|at| rows[at][k] / rows[at][at]).collect();
    if weights.iter().any(|weight| *weight <= 1e-9 || !weight.is_finite()) {
        return None;
    }
    let left = |(row, wanted): (usize, &f64)| {
        let sum: f64 =
            columns.iter().zip(&weights).map(|(column, weight)| column[row] * weight).sum();
        (sum - wanted) * (sum - wanted)
    };
    let square = wanted.iter().enumerate().map(left).sum();
    Some((weights, square))
}

/// The simplex method of Nelder and Mead (1965) from `start`.
fn nelder_mead(start: Vec<f64>, of: impl Fn(&[f64]) -> f64) -> Vec<f64> {
    let n = start.len();
    let mut simplex: Vec<(f64, Vec<f64>)> = vec![(of(&start), start.clone())];
    for at in 0..n {
        let mut corner = start.clone();
        corner[at] += 0.3;
        simplex.push((of(&corner), corner));
    }
    for _ in 0..400 * n {
        simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
        if simplex[n].0 - simplex[0].0 < 1e-9 {
            break;
        }
        let middle: Vec<f64> = (0..n)
            .map(|at| simplex[..n].iter().map(|(_, x)| x[at]).sum::<f64>() / n as f64)
            .collect();
        let along = |by: f64| -> (f64, Vec<f64>) {
            let worst = &simplex[n].1;
            let x: Vec<f64> = middle.iter().zip(worst).map(|(m, w)| m + by * (w - m)).collect();
            (of(&x), x)
        };
        let reflected = along(-1.0);
        let next = if reflected.0 < simplex[0].0 {
            let expanded = along(-2.0);
            if expanded.0 < reflected.0 { expanded } else { reflected }
        } else if reflected.0 < simplex[n - 1].0 {
            reflected
        } else {
            let contracted = along(if reflected.0 < simplex[n].0 { -0.5 } else { 0.5 });
            if contracted.0 < simplex[n].0.min(reflected.0) {
                contracted
            } else {
                let best = simplex[0].1.clone();
                for (value, corner) in &mut simplex[1..] {
                    corner.iter_mut().zip(&best).for_each(|(x, b)| *x = (*x + b) / 2.0);
                    *value = of(corner);
                }
                continue;
            }
        };
        simplex[n] = next;
    }
    simplex.sort_by(|a, b| a.0.total_cmp(&b.0));
    simplex.swap_remove(0).1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn like(window_s: f64, windows: u64) -> Dispersion {
        Dispersion { window_s, windows, groups: 1, variance: 1.0, mean: 1.0 }
    }

    /// What these chains are expected to show in an hour at 5 calls a second.
    fn shown(chains: &[Chain]) -> Vec<Dispersion> {
        let setting = Setting { rate: 5.0, given: &[] };
        let bursts = Bursts { gaps: GapLaw::Exponential, chains: chains.to_vec(), error: 0.0 };
        let renewal = RenewalCounts::new(GapLaw::Exponential);
        [0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0]
            .map(|window| {
                let like = like(window, (3_600.0 / window) as u64);
                let mean = 5.0 * window;
                let variance = mean * setting.expected(&bursts, &renewal, &like);
                Dispersion { mean, variance, ..like }
            })
            .to_vec()
    }

    #[test]
    fn chains_are_found_again_from_the_dispersion_that_they_make() {
        let made =
            [Chain { variance: 0.5, memory_s: 0.7 }, Chain { variance: 0.1, memory_s: 200.0 }];
        for count in 0..=2 {
            let found = shown(&made[2 - count..]);
            let setting = Setting { rate: 5.0, given: &[] };
            let bursts = fit(&found, &GapCounts::default(), setting);
            assert!(bursts.error <= GOOD, "{bursts:?}");
            assert_eq!(bursts.chains.len(), count, "{bursts:?}");
            for (found, made) in bursts.chains.iter().zip(&made[2 - count..]) {
                assert!((found.variance / made.variance - 1.0).abs() < 0.15, "{bursts:?}");
                assert!((found.memory_s / made.memory_s - 1.0).abs() < 0.2, "{bursts:?}");
            }
        }
    }

    #[test]
    fn states_have_the_variance_and_the_memory_of_their_chain() {
        for variance in [0.04, 0.5, 0.7, 1.0, 30.0] {
            let chain = Chain { variance, memory_s: 90.0 };
            let [(low, a), (high, b)] = chain.states();
            let (mean, square) =
                ((low * a + high * b) / (a + b), (low * low * a + high * high * b) / (a + b));
            assert!((mean - 1.0).abs() < 1e-12 && (square - 1.0 - variance).abs() < 1e-9);
            assert!((1.0 / (1.0 / a + 1.0 / b) - 90.0).abs() < 1e-9);
        }
    }
}
