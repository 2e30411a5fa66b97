//! What replications contribute to one figure, and what that comes to.
//!
//! Without sections the replications are the sample. With sections their
//! sections are, and the figure itself is still that of whole windows: a
//! quantile of a section is biased where it has few calls, its spread is what
//! is wanted of it (sectioning, Asmussen and Glynn 2007, III.5a).

use super::figure::{Figure, Share, interval, jackknife_pair};
use crate::metrics::RunRecord;
use crate::statistics::{Interval, Paired};

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
        let sections = record.sections.iter().map(|section| figure.share(section)).collect();
        self.push(figure.share(&record.whole), sections);
    }

    /// The figure with its interval; `None` when there is nothing to divide by
    /// or to average.
    pub fn interval(&self, confidence: f64) -> Option<Interval> {
        let whole = interval(&self.whole, confidence)?;
        let sections = self.flat();
        if sections.is_empty() {
            return Some(whole);
        }
        let (values, denominators): (Vec<f64>, Vec<f64>) =
            sections.iter().filter_map(Share::parts).unzip();
        let is_ratio = sections.iter().any(|share| matches!(share, Share::Ratio(..)));
        Some(match is_ratio {
            true => match Interval::ratio_at(&values, &denominators, confidence) {
                Some(spread) => spread.moved_to(whole.mean),
                None => Interval { low: None, high: None, ..whole },
            },
            false => Interval::sectioned(whole.mean, &values, confidence),
        })
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
        let value = |share: &Share| share.parts().map(|(top, bottom)| top / bottom);
        self.sections.iter().filter_map(move |sections| sections.iter().map(value).collect())
    }

    fn flat(&self) -> Vec<Share> {
        self.sections.concat()
    }
}
