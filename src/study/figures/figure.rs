//! A figure: one number that a run is asked for, and what each replication
//! contributes to it.
//!
//! Summaries, comparisons, sweeps, stopping rules and goal seeking all name
//! figures by the same paths, which are the keys of summary.json joined by dots
//! (`use_cases.chat.ttft_s.p95`, `pools.assistant.usd_per_mtok.total`). A
//! quantile contributes the distribution of a replication, so that it is the quantile of
//! all values; a mean and every other ratio of totals its numerator and denominator, so
//! that it is averaged as a ratio of sums. `estimator` says what they come to.

use crate::metrics::{RunRecord, Stretch};
use crate::statistics::{Jackknife, KnownDistribution, mixture_quantile, quantile_without_each};

/// What one replication contributes to a figure.
#[derive(Clone, Debug, PartialEq)]
pub enum Share {
    /// A value of its own.
    Value(f64),
    /// Two totals whose ratio is the figure.
    Ratio(f64, f64),
    /// Values of which the figure is the quantile at this fraction.
    Quantile(f64, KnownDistribution),
    /// Whether a promise was kept: the figure is the share of replications.
    Kept(bool),
    /// Nothing: there was nothing to measure.
    Nothing,
}

/// One figure of a scenario.
pub struct Figure {
    /// Its path.
    pub path: String,
    /// The pools whose instability withholds it.
    pub steady_on: Vec<usize>,
    share: Measure,
}

/// What a replication contributes, by what it is taken of.
enum Measure {
    /// A window, or a section of one.
    Stretch(Box<dyn Fn(&Stretch) -> Share + Send + Sync>),
    /// A replication with all its windows.
    Record(Box<dyn Fn(&RunRecord) -> Share + Send + Sync>),
}

impl Figure {
    /// The figure at `path` to which a replication contributes `share`.
    pub fn new(path: String, share: impl Fn(&Stretch) -> Share + Send + Sync + 'static) -> Figure {
        Figure { path, steady_on: Vec::new(), share: Measure::Stretch(Box::new(share)) }
    }

    /// As [`Figure::new`], of a replication as a whole: sections contribute nothing.
    pub fn of_records(
        path: String,
        share: impl Fn(&RunRecord) -> Share + Send + Sync + 'static,
    ) -> Figure {
        Figure { path, steady_on: Vec::new(), share: Measure::Record(Box::new(share)) }
    }

    /// The same figure, withheld where one of the pools at these indices is unstable.
    pub fn steady_on(self, pools: &[usize]) -> Figure {
        Figure { steady_on: pools.to_vec(), ..self }
    }

    /// Whether it is withheld, where `is_unstable` tells of the pool at an index.
    pub fn is_withheld(&self, is_unstable: impl Fn(usize) -> bool) -> bool {
        self.steady_on.iter().any(|&pool| is_unstable(pool))
    }

    /// What `record` contributes.
    pub fn share(&self, record: &RunRecord) -> Share {
        match &self.share {
            Measure::Stretch(share) => share(&record.whole),
            Measure::Record(share) => share(record),
        }
    }

    /// What each section of `record` contributes.
    pub fn sections(&self, record: &RunRecord) -> Vec<Share> {
        match &self.share {
            Measure::Stretch(share) => record.sections.iter().map(share).collect(),
            Measure::Record(_) => record.sections.iter().map(|_| Share::Nothing).collect(),
        }
    }
}

/// The jackknife over all `shares` that contribute anything; `None` when there is
/// nothing to divide by or to average.
pub fn jackknife<'s>(shares: impl Iterator<Item = &'s Share> + Clone) -> Option<Jackknife> {
    if let Some((fraction, parts)) = distributions(shares.clone()) {
        let estimate = mixture_quantile(&parts, fraction)?;
        let without = match parts.len() {
            1 => Vec::new(),
            _ => quantile_without_each(&parts, fraction)?,
        };
        return Some(Jackknife::new(estimate, without));
    }
    let (tops, bottoms): (Vec<f64>, Vec<f64>) = shares.filter_map(Share::parts).unzip();
    Jackknife::ratio(&tops, &bottoms)
}

/// The distributions among `shares`, and the fraction of which the figure is the
/// quantile; `None` if there are none.
pub fn distributions<'s>(
    shares: impl Iterator<Item = &'s Share>,
) -> Option<(f64, Vec<&'s KnownDistribution>)> {
    let known = shares.filter_map(|share| match share {
        Share::Quantile(fraction, known) if known.count() > 0 => Some((*fraction, known)),
        _ => None,
    });
    let (fractions, parts): (Vec<f64>, Vec<&KnownDistribution>) = known.unzip();
    Some((*fractions.first()?, parts))
}

/// Jackknives of two arms over the replications to which both contribute.
pub fn jackknife_pair(first: &[Share], second: &[Share]) -> Option<(Jackknife, Jackknife)> {
    let both = first.iter().zip(second);
    let both = both.filter(|(a, b)| ![a, b].iter().any(|share| ***share == Share::Nothing));
    let (first, second): (Vec<&Share>, Vec<&Share>) = both.unzip();
    jackknife(first.into_iter()).zip(jackknife(second.into_iter()))
}

impl Share {
    /// Two totals whose ratio is the figure; nothing when there is none to divide by.
    pub fn over(numerator: f64, denominator: f64) -> Share {
        if denominator > 0.0 { Share::Ratio(numerator, denominator) } else { Share::Nothing }
    }

    /// The quantile at `fraction` of `known`; nothing without values.
    pub fn quantile(fraction: f64, known: &KnownDistribution) -> Share {
        match known.count() {
            0 => Share::Nothing,
            _ => Share::Quantile(fraction, known.clone()),
        }
    }

    /// As a ratio; a value is over one.
    pub(super) fn parts(&self) -> Option<(f64, f64)> {
        match self {
            Share::Value(value) => Some((*value, 1.0)),
            Share::Ratio(numerator, denominator) => Some((*numerator, *denominator)),
            Share::Kept(is_kept) => Some((f64::from(u8::from(*is_kept)), 1.0)),
            Share::Quantile(..) | Share::Nothing => None,
        }
    }

    /// The figure of this replication alone.
    pub(super) fn value(&self) -> Option<f64> {
        match self {
            Share::Quantile(fraction, known) => mixture_quantile(&[known], *fraction),
            _ => self.parts().map(|(top, bottom)| top / bottom),
        }
    }
}
