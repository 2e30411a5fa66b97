//! How a figure is estimated from what replications contribute, and when it has an
//! interval: the one place that says so.
//!
//! | contribution | estimate | interval |
//! |---|---|---|
//! | a value | mean | jackknife over replications |
//! | two totals | ratio of sums | jackknife over replications |
//! | a distribution | quantile of the values of all replications | Woodruff's, of the jackknife |
//! | whether a promise was kept | share of replications | Wilson's |
//!
//! The jackknife is taken on the scale of the figure: logarithms of what is positive,
//! the score of shares. A figure of a queue has no interval while windows hold too few
//! *memories*, times in which the number of calls in a pool forgets itself, for such
//! an interval to hold. How many it takes was measured on M/M/1, M/H2/1, M/D/1 and the
//! factory at 70 to 97 % load (docs/statistics.md).

use super::figure::Share;
use super::unit::Unit;
use crate::statistics::Scale;

/// Fewest replications, or sections, that a quantile has an interval from.
pub const QUANTILE_MIN: usize = 4;
/// Memories, all windows together, that intervals of means and shares need, and those
/// of quantiles up to the median.
const MEMORIES: f64 = 200.0;
const MEMORIES_OF_MEDIAN: f64 = 100.0;
/// Memories that lie beyond a quantile.
const MEMORIES_BEYOND: f64 = 10.0;
/// How much wider an interval is where there are just enough memories, less one. A
/// study that passes by a small margin is more often one that saw too few long queues
/// and so takes its memory for short, than one that saw too many.
const MARGIN: f64 = 0.75;

/// What an interval of a figure is taken from, beside the shares.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// The scale of the figure.
    pub scale: Scale,
    /// Its confidence.
    pub confidence: f64,
    /// Memories of the pools it depends on, all windows together; `None`: it depends
    /// on none, or nothing is known of them.
    pub memories: Option<f64>,
}

/// Why a figure has no interval.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lack {
    /// Windows hold too few memories: how many times as many it takes.
    Memories(f64),
    /// There are too few replications, or calls in them: how many times as many
    /// replications it takes.
    Replications(f64),
}

impl Terms {
    /// Those of the figure at `path`.
    pub fn of(path: &str, confidence: f64, memories: Option<f64>) -> Terms {
        Terms { scale: scale_of(path), confidence, memories }
    }

    /// How many times as wide an interval of these shares is for want of memories;
    /// or how many times as many it takes.
    pub fn stretch(&self, shares: &[Share]) -> Result<f64, Lack> {
        let Some(memories) = self.memories else { return Ok(1.0) };
        let needed = shares.iter().map(needs).fold(0.0, f64::max);
        if memories < needed {
            return Err(Lack::Memories(needed / memories.max(1e-9)));
        }
        let narrow = needed / memories;
        Ok(1.0 + MARGIN * narrow * narrow)
    }
}

/// Memories that an interval takes.
fn needs(share: &Share) -> f64 {
    match share {
        Share::Value(_) | Share::Ratio(..) => MEMORIES,
        Share::Quantile(fraction, _) => memories_of_quantile(*fraction),
        // Replications are independent, whatever happens in them.
        Share::Kept(_) | Share::Nothing => 0.0,
    }
}

/// Memories that an interval of the quantile at `fraction` takes.
pub fn memories_of_quantile(fraction: f64) -> f64 {
    match fraction {
        median if median <= 0.5 => MEMORIES_OF_MEDIAN,
        tail => f64::max(MEMORIES, MEMORIES_BEYOND / (1.0 - tail).max(1e-6)),
    }
}

fn scale_of(path: &str) -> Scale {
    match Unit::of(path) {
        _ if path.ends_with(".net_usd_per_hour") => Scale::Linear,
        Unit::Share => Scale::Share,
        _ => Scale::Positive,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::KnownDistribution;

    #[test]
    fn scales_are_those_of_units() {
        assert_eq!(scale_of("use_cases.a.ttft_s.p95"), Scale::Positive);
        assert_eq!(scale_of("use_cases.a.goodput_fraction"), Scale::Share);
        assert_eq!(scale_of("pools.a.usd_per_mtok.total"), Scale::Positive);
        assert_eq!(scale_of("pools.a.tiers.dram.net_usd_per_hour"), Scale::Linear);
    }

    #[test]
    fn the_tail_needs_most() {
        let of = |memories, share: Share| Terms::of("x_s.p95", 0.95, memories).stretch(&[share]);
        let quantile = |fraction| Share::Quantile(fraction, KnownDistribution::default());
        assert_eq!(of(None, quantile(0.99)), Ok(1.0));
        assert_eq!(of(Some(500.0), quantile(0.99)), Err(Lack::Memories(1000.0 / 500.0)));
        assert_eq!(of(Some(200.0), quantile(0.95)), Ok(1.75));
        assert_eq!(of(Some(199.0), quantile(0.9)), Err(Lack::Memories(200.0 / 199.0)));
        assert_eq!(of(Some(200.0), quantile(0.5)), Ok(1.0 + 0.75 / 4.0));
        assert_eq!(of(Some(150.0), Share::Ratio(1.0, 2.0)), Err(Lack::Memories(200.0 / 150.0)));
        assert_eq!(of(Some(1.0), Share::Kept(true)), Ok(1.0));
    }
}
