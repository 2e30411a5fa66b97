//! tokenmill: a discrete-event simulator of an AI factory.
//!
//! Data flow:
//! `scenario.toml -> RawScenario -> Scenario (checked) -> simulation::run ->
//! RunRecord -> Summary (replications, intervals) -> report`
//!
//! | room | what it is for |
//! |---|---|
//! | [`scenario`] | what the user writes, checked |
//! | [`catalog`] | hardware and models, each value with its source |
//! | [`random`] | streams by key, samplers |
//! | [`kernel`] | time, pending events, arenas: knows nothing of AI |
//! | [`demand`] | when work arrives |
//! | [`workload`] | what arrives |
//! | [`factory`] | what serves it: step time, replicas, KV blocks, routers |
//! | [`simulation`] | the event loop, its audit and its oracle |
//! | [`metrics`] | what a run measures |
//! | [`economics`] | cost and power |
//! | [`statistics`] | intervals, quantiles, warm-up, stability |
//! | [`study`] | replications, comparisons, sweeps, goal seek, cache replays, validation |
//! | [`report`] | terminal, charts, pages, output folders |
//! | [`cli`] | one file a verb |
//!
//! ```
//! use std::path::Path;
//! use tokenmill::scenario::{Overrides, parse};
//!
//! let text = r#"
//!     name = "example"
//!     duration = "2 min"
//!     warm_up = "20 s"
//!     replications = 4
//!     [[pool]]
//!     name = "assistant"
//!     model = "llama-3.1-8b"
//!     hardware = "h100-sxm"
//!     [[use_case]]
//!     name = "chat"
//!     arrivals = { process = "poisson", rate = "5 /s" }
//!     prompt_tokens = 1000
//!     output_tokens = 250
//! "#;
//! let loaded = parse(text, "example.toml", Path::new(""), &Overrides::default())?;
//! let result = tokenmill::study::replicate(&loaded.scenario, false, |_calls| {});
//! let ttft = result.summary.use_cases["chat"].ttft_s.p95.expect("the load is sustained");
//! assert!(ttft.low.unwrap() < ttft.mean && ttft.mean < 1.0);
//! # Ok::<(), tokenmill::error::Error>(())
//! ```

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
