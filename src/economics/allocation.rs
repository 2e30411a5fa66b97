//! Who pays for a pool.
//!
//! The GPU time that a pool stepped is shared among use cases in proportion to what
//! each would have taken alone in the same steps, which is its own work and the rest
//! of every step that it had a sequence in; but nobody pays less than its own work.
//! So what steps save by serving several at once is shared too, and nobody pays for
//! others: a use case pays at least what it adds and at most what it would alone
//! (proportional sharing within the core; H. P. Young, "Cost Allocation: Methods,
//! Principles, Applications", 1985). Within a use case, kinds of tokens and calls
//! are told apart by own work and an equal part of the rest a sequence.

use crate::factory::{Ledger, UseCaseWork};

/// What is paid for: computing prompts, reading and fetching what a cache had, and
/// decoding.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct ByKind {
    /// Prompt tokens that were computed, again after preemptions included.
    pub input: f64,
    /// Prompt tokens found in a cache.
    pub cached_input: f64,
    /// Output tokens.
    pub output: f64,
}

/// The part of a pool's cost that each use case pays; they add up to 1, or to 0 where
/// nothing was served.
pub fn shares(work: &Ledger) -> Vec<f64> {
    let own: Vec<f64> = work.use_cases.iter().map(|case| case.own as f64).collect();
    let alone = |case: &UseCaseWork| (case.own as i128 + case.rest) as f64;
    let alone: Vec<f64> = work.use_cases.iter().map(alone).collect();
    let all = own.iter().sum::<f64>() + work.rest as f64;
    // Those who would pay less than their own work in proportion to the others.
    let mut pays_own = vec![false; own.len()];
    let factor = loop {
        let of = |values: &[f64], which: bool| -> f64 {
            let chosen = values.iter().zip(&pays_own).filter(|(_, pays_own)| **pays_own == which);
            chosen.map(|(value, _)| value).sum()
        };
        let among = of(&alone, false);
        let factor = if among > 0.0 { (all - of(&own, true)) / among } else { 0.0 };
        let below = |at: &usize| !pays_own[*at] && alone[*at] * factor < own[*at];
        let found: Vec<usize> = (0..own.len()).filter(below).collect();
        if found.is_empty() || found.len() == pays_own.iter().filter(|pays| !**pays).count() {
            break factor;
        }
        found.into_iter().for_each(|at| pays_own[at] = true);
    };
    let paid = (0..own.len()).map(|at| if pays_own[at] { own[at] } else { alone[at] * factor });
    let paid: Vec<f64> = paid.collect();
    let sum: f64 = paid.iter().sum();
    paid.iter().map(|paid| if sum > 0.0 { paid / sum } else { 0.0 }).collect()
}

/// The part of a pool's cost that each kind of token takes; they add up to 1, or to 0
/// where nothing was served.
pub fn by_kind(work: &Ledger) -> ByKind {
    let mut sum = ByKind::default();
    for (case, share) in work.use_cases.iter().zip(shares(work)) {
        let all = case.all() as f64;
        if all > 0.0 {
            sum.input += share * case.computed as f64 / all;
            sum.cached_input += share * case.cached as f64 / all;
            sum.output += share * case.output as f64 / all;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Own work, and the rest of steps that each had sequences in, of all `rest`.
    fn ledger(cases: &[(u128, i128)], rest: i128) -> Ledger {
        let mut ledger = Ledger::new(cases.len(), 1);
        for (case, &(own, rest)) in ledger.use_cases.iter_mut().zip(cases) {
            (case.own, case.rest) = (own, rest);
        }
        ledger.rest = rest;
        ledger
    }

    fn near(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        let off = found.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(off < 1e-12, "{found:?} {expected:?}");
    }

    #[test]
    fn who_is_alone_pays_all() {
        near(&shares(&ledger(&[(10, 90)], 90)), &[1.0]);
        near(&shares(&ledger(&[(0, 0), (7, 13), (0, 0)], 13)), &[0.0, 1.0, 0.0]);
        near(&shares(&ledger(&[(0, 0)], 0)), &[0.0]);
    }

    #[test]
    fn time_is_shared_as_it_would_be_taken_alone() {
        // 10 + 90 and 40 + 90 alone, 140 together.
        near(&shares(&ledger(&[(10, 90), (40, 90)], 90)), &[100.0 / 230.0, 130.0 / 230.0]);
        // Never in the same step: each pays what it took.
        near(&shares(&ledger(&[(10, 40), (30, 20)], 60)), &[0.5, 0.5]);
    }

    #[test]
    fn nobody_pays_less_than_its_own_work() {
        // In proportion the first would pay 110 x 220 / 310 = 78 of its 100.
        let cases = [(100, 10), (0, 100), (10, 90)];
        let found = shares(&ledger(&cases, 110));
        let paid = |part: f64| part / 220.0;
        near(&found, &[paid(100.0), paid(60.0), paid(60.0)]);
    }
}
