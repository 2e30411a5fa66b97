//! A figure: one number that a run is asked for, and what each replication
//! contributes to it.
//!
//! Summaries, comparisons, sweeps, stopping rules and goal seeking all name
//! figures by the same paths, which are the keys of summary.json joined by dots
//! (`use_cases.chat.ttft_s.p95`, `pools.assistant.usd_per_mtok.total`). A
//! latency statistic contributes a value a replication, a ratio of totals its
//! numerator and denominator, so that it is averaged as a ratio of sums.

use crate::metrics::Stretch;
use crate::statistics::{Interval, Jackknife};
use serde::{Deserialize, Serialize};

/// What one replication contributes to a figure; in JSON a number, a pair, null.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Share {
    /// A value of its own.
    Value(f64),
    /// Two totals whose ratio is the figure.
    Ratio(f64, f64),
    /// Nothing: there was nothing to measure.
    Nothing,
}

/// One figure of a scenario.
pub struct Figure {
    /// Its path.
    pub path: String,
    /// The pools whose instability withholds it.
    pub steady_on: Vec<usize>,
    share: Box<dyn Fn(&Stretch) -> Share + Send + Sync>,
}

impl Figure {
    /// The figure at `path` to which a replication contributes `share`.
    pub fn new(path: String, share: impl Fn(&Stretch) -> Share + Send + Sync + 'static) -> Figure {
        Figure { path, steady_on: Vec::new(), share: Box::new(share) }
    }

    /// The same figure, withheld where one of the pools at these indices is unstable.
    pub fn steady_on(self, pools: &[usize]) -> Figure {
        Figure { steady_on: pools.to_vec(), ..self }
    }

    /// Whether it is withheld, where `is_unstable` tells of the pool at an index.
    pub fn is_withheld(&self, is_unstable: impl Fn(usize) -> bool) -> bool {
        self.steady_on.iter().any(|&pool| is_unstable(pool))
    }

    /// What `stretch`, a window or one of its sections, contributes.
    pub fn share(&self, stretch: &Stretch) -> Share {
        (self.share)(stretch)
    }
}

/// The figure that replications with these shares add up to, with its
/// confidence interval; `None` when there is nothing to divide by or to average.
pub fn interval(shares: &[Share], confidence: f64) -> Option<Interval> {
    let (tops, bottoms): (Vec<f64>, Vec<f64>) = shares.iter().filter_map(Share::parts).unzip();
    if shares.iter().any(|share| matches!(share, Share::Ratio(..))) {
        return Interval::ratio_at(&tops, &bottoms, confidence);
    }
    Interval::student_at(&tops, confidence)
}

/// Jackknives of two arms over the replications to which both contribute.
pub fn jackknife_pair(first: &[Share], second: &[Share]) -> Option<(Jackknife, Jackknife)> {
    let both = first.iter().zip(second).filter_map(|(a, b)| a.parts().zip(b.parts()));
    let (first, second): (Vec<_>, Vec<_>) = both.unzip();
    let jackknife = |parts: Vec<(f64, f64)>| {
        let (tops, bottoms): (Vec<f64>, Vec<f64>) = parts.into_iter().unzip();
        Jackknife::ratio(&tops, &bottoms)
    };
    jackknife(first).zip(jackknife(second))
}

impl Share {
    /// Two totals whose ratio is the figure; nothing when there is none to divide by.
    pub fn over(numerator: f64, denominator: f64) -> Share {
        if denominator > 0.0 { Share::Ratio(numerator, denominator) } else { Share::Nothing }
    }

    /// As a ratio; a value is over one.
    pub(super) fn parts(&self) -> Option<(f64, f64)> {
        match *self {
            Share::Value(value) => Some((value, 1.0)),
            Share::Ratio(numerator, denominator) => Some((numerator, denominator)),
            Share::Nothing => None,
        }
    }
}
