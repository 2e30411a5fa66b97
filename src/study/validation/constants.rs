//! The engine constants that are compared: what a step takes beyond the GPU's
//! predicted time, and what a client sees beyond the engine.

use serde::Serialize;
use std::fmt;

/// A choice of engine constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Constants {
    /// Those of a scenario that says nothing.
    Default,
    /// The GPU's predicted time and nothing else.
    Uncalibrated,
    /// Those of a scenario that says nothing, less the host's time: an engine
    /// that schedules asynchronously spends it while the GPU computes.
    Asynchronous,
    /// Constants of each engine, fitted to the published sweeps themselves;
    /// what is left of the error after calibration, not a test.
    PerEngine,
}

impl Constants {
    /// Keys of `[pool.engine]` that state them, one a line; `engine` is the
    /// name of the serving software.
    pub(super) fn toml(self, engine: &str) -> String {
        let keys =
            |scale: f64, ms: f64| format!("step_scale = {scale:?}\nstep_overhead = \"{ms} ms\"\n");
        match self {
            Constants::Default => String::new(),
            Constants::Uncalibrated => keys(1.0, 0.0),
            Constants::Asynchronous => "step_overhead = \"0 ms\"\n".to_owned(),
            Constants::PerEngine => {
                let (scale, overhead_ms, _) = fitted(engine);
                keys(scale, overhead_ms)
            }
        }
    }

    /// What the client's side adds to TTFT, s.
    pub(super) fn client_s(self, engine: &str) -> f64 {
        match self {
            Constants::Default | Constants::Uncalibrated | Constants::Asynchronous => 0.0,
            Constants::PerEngine => fitted(engine).2 / 1e3,
        }
    }
}

impl fmt::Display for Constants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Constants::Default => "default",
            Constants::Uncalibrated => "uncalibrated",
            Constants::Asynchronous => "asynchronous",
            Constants::PerEngine => "per engine",
        })
    }
}

/// Step scale, host ms a step and client ms a call, fitted to the aggregated
/// rows of the AIConfigurator `silicon_sample.csv` sweeps; they hold for the
/// harness of those sweeps and nowhere else.
fn fitted(engine: &str) -> (f64, f64, f64) {
    match engine {
        "vllm" => (1.175, 0.0, 40.0),
        "trtllm" => (1.125, 0.0, 60.0),
        "sglang" => (1.0, 3.5, 250.0),
        _ => (1.0, 0.0, 0.0),
    }
}
