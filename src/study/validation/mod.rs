//! Predictions against measurements: what docs/validation.md reports.
//!
//! Pure: readers take text, studies take what was read, nothing opens a file.
//! - `log`, `replay`: recorded requests of a real server, replayed one by one;
//! - `sweep`, `closed_loop`: published sweeps over concurrency, row by row;
//! - `stages`, `open_loop`: open-loop load on prompts that repeat, experiment by
//!   experiment;
//! - `steps`: single engine steps;
//! - `sensitivity`: how far the answers move when an input is wrong, for a
//!   trace that nobody measured the latency of.
//!
//! No engine constant is fitted here; `constants` holds the ones compared.

mod cells;
mod closed_loop;
mod constants;
mod deviation;
mod engine_args;
mod log;
mod open_loop;
mod replay;
mod sensitivity;
mod stages;
mod steps;
mod sweep;

pub use closed_loop::{Group, SweepError, SweepReport, closed_loop};
pub use constants::Constants;
pub use deviation::{Comparison, Deviation, Errors};
pub use log::{Log, LogText, LoggedCall};
pub use open_loop::{OpenLoopReport, StageError, StageGroup, open_loop};
pub use replay::{Arm, Curves, Replay, replay};
pub use sensitivity::{Sensitivity, Variant, sensitivity};
pub use stages::{Stage, Stages};
pub use steps::{StepErrors, step_errors};
pub use sweep::{Harness, Sweep, SweepRow};
