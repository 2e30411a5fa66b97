//! What is told of the arrivals of an episode, apart from those of all of it.

use super::UsdPerMtok;
use super::figures::is_episode;
use super::reduce::Found;
use crate::scenario::Scenario;
use crate::statistics::Interval;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Shortest drain that is told of, as a share of the arrivals.
const DRAIN_MIN: f64 = 0.1;

/// Figures of a pool while calls were arriving.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct PoolArrivals {
    /// Share of time in which replicas were stepping.
    pub utilization: Option<Interval>,
    /// Calls that finished, per second.
    pub finished_calls_per_s: Option<Interval>,
    /// Output tokens per second and GPU.
    pub output_tok_per_s_per_gpu: Option<Interval>,
    /// Prompt tokens per second and GPU.
    pub input_tok_per_s_per_gpu: Option<Interval>,
    /// Output tokens per second seen by one user: 1 / mean ITL.
    pub tok_per_s_per_user: Option<Interval>,
    /// Dollars per million tokens.
    pub usd_per_mtok: UsdPerMtok,
    /// Tokens (input and output) per second and megawatt of provisioned facility power.
    pub tok_per_s_per_mw: Option<Interval>,
}

/// Figures of a use case while calls were arriving.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct UseCaseArrivals {
    /// Calls that finished, per second.
    pub calls_per_s: Option<Interval>,
    /// Runs of its first agent that ended, per second; absent where calls are no agents'.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runs_per_s: Option<Interval>,
}

impl PoolArrivals {
    /// Those of the pool called `pool`; `None` where the scenario is no episode.
    pub(super) fn of(scenario: &Scenario, found: &Found, pool: &str) -> Option<PoolArrivals> {
        let get = |key: &str| found.at(&format!("pools.{pool}.arrivals.{key}"));
        is_episode(scenario).then(|| PoolArrivals {
            utilization: get("utilization"),
            finished_calls_per_s: get("finished_calls_per_s"),
            output_tok_per_s_per_gpu: get("output_tok_per_s_per_gpu"),
            input_tok_per_s_per_gpu: get("input_tok_per_s_per_gpu"),
            tok_per_s_per_user: get("tok_per_s_per_user"),
            usd_per_mtok: UsdPerMtok {
                input: get("usd_per_mtok.input"),
                cached_input: get("usd_per_mtok.cached_input"),
                output: get("usd_per_mtok.output"),
                total: get("usd_per_mtok.total"),
            },
            tok_per_s_per_mw: get("tok_per_s_per_mw"),
        })
    }
}

impl UseCaseArrivals {
    /// Those of the use case called `name`; `None` where the scenario is no episode.
    pub(super) fn of(scenario: &Scenario, found: &Found, name: &str) -> Option<UseCaseArrivals> {
        let get = |key: &str| found.at(&format!("use_cases.{name}.arrivals.{key}"));
        is_episode(scenario).then(|| UseCaseArrivals {
            calls_per_s: get("calls_per_s"),
            runs_per_s: get("runs_per_s"),
        })
    }
}

/// Whether the last answer comes so long after the last arrival that figures of the
/// whole say little of the time in which calls were arriving.
pub fn has_drain(arrivals_s: Option<f64>, drain_s: Option<f64>) -> bool {
    matches!((arrivals_s, drain_s), (Some(arrivals_s), Some(drain_s))
        if arrivals_s > 0.0 && drain_s > DRAIN_MIN * arrivals_s)
}

/// What the reader must know of an episode whose answers end long after its arrivals.
///
/// `figure` tells the figure at a path.
pub(super) fn warning(figure: impl Fn(&str) -> Option<Interval>) -> Option<String> {
    let seconds = |path: &str| figure(path).map(|interval| interval.mean);
    let (arrivals_s, drain_s) = (seconds("arrivals_s"), seconds("drain_s"));
    has_drain(arrivals_s, drain_s).then(|| {
        format!(
            "arrivals last {:.0} s, the last answer comes {:.0} s later: rates, utilization and \
             dollars a token are means over both; those of the arrivals alone stand beside them",
            arrivals_s.unwrap_or_default(),
            drain_s.unwrap_or_default()
        )
    })
}
