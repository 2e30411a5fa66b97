//! The figures that a run can be asked for: one list for summaries,
//! comparisons, sweeps and everything else that names a figure.

mod agents;
mod estimator;
mod figure;
mod jobs;
mod outcomes;
mod pool;
mod promise;
mod region;
mod shares;
mod tier;
mod unit;
mod use_case;

pub use agents::{part_key, runs as agent_runs};
pub use estimator::{Lack, Terms, memories_of_quantile};
pub use figure::{Figure, Share};
pub use pool::{gaps, served_by};
pub use promise::{ALL as ALL_PROMISES, is_kept};
pub use shares::Shares;
pub use tier::{HBM, has_hits};
pub use unit::Unit;
pub use use_case::latency;

use crate::scenario::{Scenario, UseCase};

/// Paths of all figures of `scenario`, in the order of summary.json.
pub fn figure_paths(scenario: &Scenario) -> Vec<String> {
    figures(scenario).into_iter().map(|figure| figure.path).collect()
}

/// Paths of the figures that most questions are about: mean TTFT, TPOT and
/// end-to-end time of every use case, the time of a run of every agent, dollars a
/// token of every pool.
pub fn headline_figures(scenario: &Scenario) -> Vec<String> {
    const KEYS: [&str; 3] = ["ttft_s.mean", "tpot_s.mean", "e2e_s.mean"];
    let latencies = |name: &String| KEYS.map(|key| format!("use_cases.{name}.{key}"));
    let agents = |use_case: &UseCase| -> Vec<String> {
        let members = use_case.crew().map_or(&[][..], |crew| &crew.members);
        let owner = |name: &str| format!("use_cases.{}.agents.{name}", use_case.name);
        members.iter().map(|member| owner(&member.agent.name) + ".run_s.mean").collect()
    };
    let of_use_case =
        |use_case: &UseCase| latencies(&use_case.name).into_iter().chain(agents(use_case));
    let use_cases = scenario.use_cases.iter().flat_map(of_use_case);
    let costs = scenario.pools.iter().map(|pool| format!("pools.{}.usd_per_mtok.total", pool.name));
    // A pool without a price has no such figure.
    let known = figure_paths(scenario);
    use_cases.chain(costs).filter(|path| known.contains(path)).collect()
}

/// All figures of `scenario`, in the order of summary.json.
pub fn figures(scenario: &Scenario) -> Vec<Figure> {
    let use_cases = (0..scenario.use_cases.len()).flat_map(|at| {
        use_case::figures(scenario, at).into_iter().chain(agents::figures(scenario, at))
    });
    let pools = (0..scenario.pools.len())
        .flat_map(|at| pool::figures(scenario, at).into_iter().chain(tier::figures(scenario, at)));
    let tools =
        (0..scenario.tool_pools.len()).flat_map(|at| agents::figures_of_tools(scenario, at));
    use_cases.chain(pools).chain(tools).collect()
}
