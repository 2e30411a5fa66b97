//! Figures of the arrivals of an episode, beside those of the whole.
//!
//! An episode lasts until its last answer. Where the last calls take long after the
//! last of them came, a rate over all of it says how long that was more than how much
//! was done: the same figures of the part in which calls were arriving tell the rest.

use super::{Figure, Share, agents, pool, use_case};
use crate::metrics::Stretch;
use crate::scenario::{Regime, Scenario};

/// Figures of a pool that are told of its arrivals too, in the order of the summary.
const OF_POOLS: [&str; 10] = [
    "utilization",
    "finished_calls_per_s",
    "output_tok_per_s_per_gpu",
    "input_tok_per_s_per_gpu",
    "tok_per_s_per_user",
    "usd_per_mtok.input",
    "usd_per_mtok.cached_input",
    "usd_per_mtok.output",
    "usd_per_mtok.total",
    "tok_per_s_per_mw",
];

/// Whether `scenario` runs as a whole, from its start to its last answer.
pub fn is_episode(scenario: &Scenario) -> bool {
    scenario.regime == Regime::Terminating && scenario.windows.is_none()
}

/// How long calls arrive, and how long the last answer comes after that; none of what
/// is no episode.
pub fn figures(scenario: &Scenario) -> Vec<Figure> {
    if !is_episode(scenario) {
        return Vec::new();
    }
    let seconds = |path: &str, seconds: fn(&Stretch, &Stretch) -> f64| {
        Figure::new(path.to_owned(), move |run| match &run.arrivals {
            Some(arrivals) => Share::Value(seconds(run, arrivals)),
            None => Share::Nothing,
        })
    };
    vec![
        seconds("arrivals_s", |_, arrivals| arrivals.window_s),
        seconds("drain_s", |whole, arrivals| whole.window_s - arrivals.window_s),
    ]
}

/// Those of the use case at index `at`: calls and, of agents, runs that ended.
pub fn figures_of_use_case(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let name = &scenario.use_cases[at].name;
    let mut all = use_case::figures(scenario, at);
    all.extend(agents::figures(scenario, at));
    let of = |key: &str| {
        let agent = scenario.use_cases[at].crew().map(|crew| &crew.members[0].agent.name);
        let owner = match (key, agent) {
            ("runs_per_s", Some(agent)) => format!("use_cases.{name}.agents.{agent}"),
            _ => format!("use_cases.{name}"),
        };
        (format!("{owner}.{key}"), format!("use_cases.{name}.arrivals.{key}"))
    };
    of_arrivals(scenario, all, &["calls_per_s", "runs_per_s"].map(of))
}

/// Those of the pool at index `at`.
pub fn figures_of_pool(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let owner = format!("pools.{}", scenario.pools[at].name);
    let of = |key: &str| (format!("{owner}.{key}"), format!("{owner}.arrivals.{key}"));
    of_arrivals(scenario, pool::figures(scenario, at), &OF_POOLS.map(of))
}

/// Of `all` figures those at the first of each pair of `paths`, of the arrivals and at
/// the second.
fn of_arrivals(scenario: &Scenario, all: Vec<Figure>, paths: &[(String, String)]) -> Vec<Figure> {
    if !is_episode(scenario) {
        return Vec::new();
    }
    let of = |figure: Figure| {
        let (_, path) = paths.iter().find(|(whole, _)| *whole == figure.path)?;
        let pools = figure.steady_on.clone();
        let share = move |run: &Stretch| match &run.arrivals {
            // What comes all at once has no rate.
            Some(arrivals) if arrivals.window_s > 0.0 => figure.share(arrivals),
            _ => Share::Nothing,
        };
        Some(Figure::new(path.clone(), share).steady_on(&pools))
    };
    all.into_iter().filter_map(of).collect()
}
