//! What a pool costs while it stands there, busy or not.

use crate::scenario::{Offload, Pool};

/// Dollars a second for all GPUs of `pool`, if a GPU-hour has a price, and for
/// its tiers, where theirs is known.
pub fn usd_per_second(pool: &Pool) -> Option<f64> {
    let tiers = pool.offload.iter().filter_map(|tier| tier_usd_per_second(pool, tier));
    Some(gpu_usd_per_second(pool)? + tiers.sum::<f64>())
}

/// Dollars a second for all GPUs of `pool` alone.
pub fn gpu_usd_per_second(pool: &Pool) -> Option<f64> {
    Some(pool.gpu_hour.usd? * f64::from(pool.gpus()) / 3600.0)
}

/// Dollars a second for `tier` of `pool`, if it has a price: what it costs to
/// buy, spread evenly over its years, used or not.
pub fn tier_usd_per_second(pool: &Pool, tier: &Offload) -> Option<f64> {
    Some(tier.tier.price?.usd_per_hour(tier.bytes_for(pool)) / 3600.0)
}
