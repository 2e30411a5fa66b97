//! Bounds, and how surely a point keeps them.

use crate::scenario::seek::Side;
use crate::statistics::Interval;
use crate::study::figures::Unit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A bound on a figure.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// Path of the figure.
    pub metric: String,
    /// What it is measured in.
    pub unit: Unit,
    /// Which side is bounded.
    pub side: Side,
    /// The bound, in SI units.
    pub limit: f64,
}

/// How surely a point keeps its bounds, the least sure first.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The whole interval of a figure lies beyond its bound, or there is no such figure.
    SurelyMissed,
    /// An estimate lies beyond its bound, but no whole interval does.
    Missed,
    /// An estimate has no interval, because there is too little to tell how far off it
    /// is, or it is withheld because nobody knows whether its pool is steady.
    NotKnown,
    /// All estimates lie within their bounds, but not all whole intervals.
    Kept,
    /// The whole intervals of all figures lie within their bounds.
    SurelyKept,
}

impl Condition {
    /// What the figure with this interval makes of the bound; a figure that is
    /// absent or withheld, because its pool is unstable, misses it. Unless it
    /// `may_lack` one, a figure without interval is not known.
    pub fn verdict(&self, figure: Option<Interval>, may_lack: bool) -> Verdict {
        let Some(Interval { mean, low, high }) = figure else { return Verdict::SurelyMissed };
        let keeps = |value: f64| match self.side {
            Side::AtMost => value <= self.limit,
            Side::AtLeast => value >= self.limit,
        };
        let ends = low.zip(high).map(|(low, high)| [keeps(low), keeps(high)]);
        match (keeps(mean), ends) {
            (_, None) if !may_lack => Verdict::NotKnown,
            (true, Some([true, true])) => Verdict::SurelyKept,
            (true, _) => Verdict::Kept,
            (false, Some([false, false])) => Verdict::SurelyMissed,
            (false, _) => Verdict::Missed,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_keeps_a_bound_wholly_partly_or_not() {
        let condition =
            |side| Condition { metric: "m".to_owned(), unit: Unit::Number, side, limit: 10.0 };
        let (most, least) = (condition(Side::AtMost), condition(Side::AtLeast));
        let verdicts = |mean: f64, half: f64| {
            let (low, high) = (Some(mean - half), Some(mean + half));
            let interval = Some(Interval { mean, low, high });
            [most.verdict(interval, false), least.verdict(interval, false)]
        };
        use Verdict::*;
        assert_eq!(verdicts(8.0, 1.0), [SurelyKept, SurelyMissed]);
        assert_eq!(verdicts(9.5, 1.0), [Kept, Missed]);
        assert_eq!(verdicts(10.5, 1.0), [Missed, Kept]);
        assert_eq!(verdicts(12.0, 1.0), [SurelyMissed, SurelyKept]);
        assert_eq!(verdicts(10.0, 0.0), [SurelyKept, SurelyKept]);
        assert_eq!(most.verdict(None, false), SurelyMissed);
        let alone = Some(Interval { mean: 8.0, low: None, high: None });
        assert_eq!([most.verdict(alone, true), least.verdict(alone, true)], [Kept, Missed]);
        assert_eq!([most.verdict(alone, false), least.verdict(alone, false)], [NotKnown; 2]);
        // What is not known may be kept, but does not count as kept.
        assert!(SurelyMissed < Missed && Missed < NotKnown && NotKnown < Kept);
        assert!(Kept < SurelyKept);
    }
}
