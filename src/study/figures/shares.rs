//! What replications contribute to one figure, and what that comes to.
//!
//! Without sections the replications are the sample. With sections their
//! sections are, and the figure itself is still that of whole windows: a
//! quantile of a section is biased where it has few calls, its spread is what
//! is wanted of it (sectioning, Asmussen and Glynn 2007, III.5a).

use super::estimator::{Lack, QUANTILE_MIN, Terms};
use super::figure::{Figure, Share, distributions, jackknife, jackknife_pair};
use crate::metrics::RunRecord;
use crate::statistics::{Interval, Paired, Scale, pooled_quantile, wilson};

/// Shares of one figure, in replication order.
#[derive(Clone, Debug, Default)]
pub struct Shares {
    /// Of whole windows, one a replication.
    whole: Vec<Share>,
    /// Of sections, one list a replication; empty lists without sections.
    sections: Vec<Vec<Share>>,
}

impl Shares {
    /// Adds a replication.
    pub fn push(&mut self, whole: Share, sections: Vec<Share>) {
        self.whole.push(whole);
        self.sections.push(sections);
    }

    /// Adds what `record` contributes to `figure`.
    pub fn add(&mut self, figure: &Figure, record: &RunRecord) {
        self.push(figure.share(record), figure.sections(record));
    }

    /// The figure with its interval, and why it has none if it lacks one for another
    /// reason than that one replication has no spread; `None` when there is nothing to
    /// divide by or to average.
    pub fn interval(&self, terms: &Terms) -> Option<(Interval, Option<Lack>)> {
        let kept = || self.whole.iter().filter(|share| matches!(share, Share::Kept(_)));
        if kept().next().is_some() {
            let of_kept = kept().filter(|share| **share == Share::Kept(true)).count();
            let share = wilson(of_kept as f64, kept().count() as f64, terms.confidence);
            return share.map(|share| (share, None));
        }
        let mean = self.estimate()?;
        let sections = self.flat();
        let units = if sections.is_empty() { &self.whole } else { &sections };
        let none = Interval { mean, low: None, high: None };
        if units.len() < 2 {
            return Some((none, None));
        }
        let stretch = match terms.stretch(units) {
            Ok(stretch) => stretch,
            Err(lack) => return Some((none, Some(lack))),
        };
        let (interval, lack) = spread(units, mean, terms, stretch);
        Some((interval.unwrap_or(none), lack))
    }

    /// The figure of all replications together.
    fn estimate(&self) -> Option<f64> {
        Some(jackknife(self.whole.iter())?.estimate())
    }

    /// The figure minus that of `other`, which must be of the same replications.
    pub fn minus(&self, other: &Shares, confidence: f64) -> Option<Paired> {
        let (ours, theirs) = jackknife_pair(&self.whole, &other.whole)?;
        let whole = ours.minus(&theirs, confidence);
        let (ours, theirs) = (self.flat(), other.flat());
        if ours.is_empty() {
            return Some(whole);
        }
        let (ours, theirs) = jackknife_pair(&ours, &theirs)?;
        let paired = ours.minus(&theirs, confidence);
        Some(Paired { difference: paired.difference.moved_to(whole.difference.mean), ..paired })
    }

    /// The values of the sections of each replication, if it has a value in each.
    pub fn series(&self) -> impl Iterator<Item = Vec<f64>> {
        self.sections.iter().filter_map(|sections| sections.iter().map(Share::value).collect())
    }

    fn flat(&self) -> Vec<Share> {
        self.sections.concat()
    }
}

/// The interval around `mean` that `units`, replications or sections, tell of.
fn spread(
    units: &[Share],
    mean: f64,
    terms: &Terms,
    stretch: f64,
) -> (Option<Interval>, Option<Lack>) {
    let Some((fraction, parts)) = distributions(units.iter()) else {
        let Some(found) = jackknife(units.iter()) else { return (None, None) };
        let found = found.around(mean);
        let interval = found.interval_on(terms.scale, terms.confidence, stretch);
        return (Some(extreme(interval, terms)), None);
    };
    if parts.len() < QUANTILE_MIN {
        let times = QUANTILE_MIN as f64 / units.len() as f64;
        let is_same = parts.iter().all(|part| part.quantiles() == parts[0].quantiles());
        // Where nothing differs nothing has to be told.
        return match is_same && parts.len() > 1 {
            true => (Some(Interval::constant(mean)), None),
            false => (None, Some(Lack::Replications(times.max(1.0)))),
        };
    }
    let found = pooled_quantile(&parts, fraction, terms.confidence, stretch);
    let found = found.expect("there are values");
    let Interval { mean: own, low, high } = found.interval;
    // The whole is not exactly that of its sections.
    let moved = |end: f64| if own > 0.0 { end * (mean / own) } else { end + (mean - own) };
    let interval = Interval { mean, low: low.map(moved), high: high.map(moved) };
    (Some(interval), found.times_more.map(Lack::Replications))
}

/// A share of a queue that no call was in, or all were: with as many independent
/// looks as there were memories the chance of another one is small, not zero.
fn extreme(interval: Interval, terms: &Terms) -> Interval {
    let is_end = interval.mean == 0.0 || interval.mean == 1.0;
    match terms.memories {
        Some(memories) if terms.scale == Scale::Share && is_end => {
            let looks = (memories / 2.0).max(1.0);
            wilson(interval.mean * looks, looks, terms.confidence).unwrap_or(interval)
        }
        _ => interval,
    }
}
