//! What a pool costs while it stands there, busy or not.

use crate::scenario::Pool;

/// Dollars a second for all GPUs of `pool`, if a GPU-hour has a price.
pub fn usd_per_second(pool: &Pool) -> Option<f64> {
    Some(pool.gpu_hour.usd? * f64::from(pool.gpus()) / 3600.0)
}
