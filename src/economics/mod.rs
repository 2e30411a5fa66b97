//! Cost and power of a factory.

mod cost;
mod power;

pub use cost::usd_per_second;
pub use power::{AVERAGE_POWER_SHARE, facility_watts};
