//! Sweeps: one scenario at many points, each run many times.
//!
//! `design` turns axes into points, `plan` checks every point and orders the
//! work, `desk` gives it out and `runner` does it on all threads, `line` and
//! `part` keep what each finished run contributes on disk, and `reduce` reads
//! that back point by point. Nothing passes from a run to its reduction except through a part, so
//! a sweep that was interrupted, or split over machines, ends with the bytes of
//! one that was not. Memory grows by some 40 bytes a point beyond what is drawn
//! (benches/RESULTS.md).

mod design;
mod desk;
mod line;
mod outline;
mod packed;
mod part;
mod plan;
mod ready;
mod reduce;
mod runner;
mod whole;

pub use line::{AxisLine, Header};
pub use outline::{Axes, Outline, PointOutline, UseCaseOutline};
pub use part::{Part, Shard};
pub use plan::{Plan, Progress};
pub use reduce::{Parts, PointSummary, Tail};
pub use runner::{left, run};
pub use whole::sweep;
