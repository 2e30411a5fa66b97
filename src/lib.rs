//! tokenmill: a discrete-event simulator of an AI factory.
//!
//! Data flow:
//! `scenario.toml -> RawScenario -> Scenario (checked) -> Simulation::run ->
//! RunRecord -> Summary (replications, intervals) -> Report`

pub mod catalog;
pub mod cli;
pub mod demand;
pub mod economics;
pub mod error;
pub mod factory;
pub mod kernel;
pub mod metrics;
pub mod random;
pub mod report;
pub mod scenario;
pub mod simulation;
pub mod statistics;
pub mod study;
pub mod workload;
