//! Statistics of simulation output: intervals, quantiles, warm-up, stability.
//!
//! Knows nothing of AI and nothing of the kernel; works on plain numbers.
//! Transcendentals go through `libm`, sums run in the order given, and counts
//! are integers, so that results compare byte for byte across platforms.

mod histogram;
mod interval;
mod jackknife;
mod known;
mod looks;
mod pooled;
mod quantile;
pub mod queueing;
mod sample;
mod scale;
mod serial;
mod stability;
mod stopping;
mod student;
mod warm_up;

pub use histogram::Histogram;
pub use interval::Interval;
pub use jackknife::{Jackknife, Paired};
pub use known::{CDF_FRACTIONS, KnownDistribution, mixture_quantile, quantile_without_each};
pub use looks::{Memory, windows_memory};
pub use pooled::pooled_quantile;
pub use quantile::{Value, quantile, quantiles};
pub use sample::Sample;
pub use scale::{Scale, wilson};
pub use serial::Serial;
pub use stability::{Drift, Trend, drift};
pub use stopping::{relative_error, waves};
pub use student::student_quantile;
pub use warm_up::{RunTooShort, mser5};
