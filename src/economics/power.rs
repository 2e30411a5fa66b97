//! What a pool draws from the grid.

use crate::scenario::Pool;

/// Average over provisioned power of a serving cluster: 0.8, with 0.5 to 0.9
/// published (SemiAnalysis, "AI datacenter energy dilemma": 80 %). An estimate.
pub const AVERAGE_POWER_SHARE: f64 = 0.8;

/// Provisioned facility power of `pool` in watts: IT power of its GPUs with
/// their host share times PUE.
pub fn facility_watts(pool: &Pool) -> Option<f64> {
    Some(pool.watts_per_gpu? * pool.pue * f64::from(pool.gpus()))
}
