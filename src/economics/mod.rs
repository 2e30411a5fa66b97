//! Cost and power of a factory.

mod allocation;
mod cost;
mod power;

pub use allocation::{ByKind, by_kind, shares};
pub use cost::{gpu_usd_per_second, tier_usd_per_second, usd_per_second};
pub use power::{AVERAGE_POWER_SHARE, facility_watts};
