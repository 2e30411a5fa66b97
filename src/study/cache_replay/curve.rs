//! What LRU misses, by capacity: the curve that says how much cache is enough.

use super::distances::Distances;
use super::prompts::Totals;
use serde::Serialize;

/// Capacities of a curve in each factor of ten.
const PER_DECADE: f64 = 60.0;

/// Misses by capacity, for one time to live.
#[derive(Clone, Debug, Serialize)]
pub struct MissCurve {
    /// Time to live, s; `None` forever.
    pub ttl_s: Option<f64>,
    /// From one block to all that differ, evenly on a logarithmic scale.
    pub points: Vec<CurvePoint>,
}

/// One capacity.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct CurvePoint {
    /// Blocks.
    pub capacity_blocks: u64,
    /// Share of the blocks that are not found.
    pub miss_blocks_fraction: f64,
    /// Share of the prompt tokens that are not found.
    pub miss_tokens_fraction: f64,
}

impl MissCurve {
    /// The curve for time to live number `ttl` of `distances`.
    pub(super) fn new(
        distances: &Distances,
        ttl: usize,
        ttl_s: Option<f64>,
        totals: &Totals,
    ) -> Self {
        let miss = |hits: u64, all: u64| 1.0 - hits as f64 / all.max(1) as f64;
        let point = |capacity| {
            let hits = distances.hits(Some(capacity), ttl);
            CurvePoint {
                capacity_blocks: capacity,
                miss_blocks_fraction: miss(hits.blocks, totals.blocks),
                miss_tokens_fraction: miss(hits.tokens, totals.tokens),
            }
        };
        MissCurve { ttl_s, points: grid(distances.unique_blocks()).map(point).collect() }
    }
}

/// Whole numbers from 1 to `last`, evenly spread on a logarithmic scale.
fn grid(last: u64) -> impl Iterator<Item = u64> {
    let mut next = 1;
    let mut step = 0_i32;
    std::iter::from_fn(move || {
        let now = next;
        while now < last && next <= now {
            step += 1;
            let at = libm::exp10(f64::from(step) / PER_DECADE);
            next = (libm::round(at) as u64).min(last);
        }
        if now == last {
            next = u64::MAX;
        }
        (now <= last).then_some(now)
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn grids_begin_with_one_and_end_with_all() {
        let grid = |last| super::grid(last).collect::<Vec<u64>>();
        assert_eq!(grid(0), [0; 0]);
        assert_eq!(grid(1), [1]);
        assert_eq!(grid(3), [1, 2, 3]);
        let long = grid(1_000_000);
        assert_eq!((long[0], long[long.len() - 1]), (1, 1_000_000));
        assert!(long.windows(2).all(|pair| pair[0] < pair[1]) && long.len() < 361);
    }
}
