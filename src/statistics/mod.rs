//! Statistics of simulation output: intervals, quantiles, warm-up, stability.
//!
//! Knows nothing of AI and nothing of the kernel; works on plain numbers.

mod interval;

pub use interval::Interval;
