//! What the runs of agents cost: dollars and joules, sub-agents and tools included.
//!
//! Every pool is shared among those whose calls it serves by the GPU time that they
//! took (see [`crate::economics::shares`]), and every tool pool by the time of its
//! slots, idle time included in both. So what is spent on all runs adds up to what the factory costs.

use super::agents::runs;
use super::{Figure, Share};
use crate::economics::{AVERAGE_POWER_SHARE, facility_watts, shares, usd_per_second};
use crate::kernel::TICKS_PER_SECOND;
use crate::metrics::{AgentRuns, Spent, Stretch};
use crate::scenario::{Pool, Scenario, ToolPool};

/// What each pool and each tool pool takes a second, in one unit.
#[derive(Clone)]
struct PerSecond {
    pools: Vec<f64>,
    tools: Vec<f64>,
}

/// Figures at `owner` of the member at index `member` of the crew of the use case at
/// index `at`. There are none in dollars where one of its pools has no price, nor in
/// joules where the power of one is unknown; tool pools without add nothing.
pub fn figures(scenario: &Scenario, owner: &str, at: usize, member: usize) -> Vec<Figure> {
    let used = scenario.use_cases[at].pools();
    let usd = |tools: &ToolPool| tools.usd_per_hour.unwrap_or(0.0) / 3600.0;
    let watts = |tools: &ToolPool| tools.watts.unwrap_or(0.0);
    let mean_watts = |pool: &Pool| Some(facility_watts(pool)? * AVERAGE_POWER_SHARE);
    let units = [
        ("usd", PerSecond::of(scenario, used, usd_per_second, usd)),
        ("joules", PerSecond::of(scenario, used, mean_watts, watts)),
    ];
    let mut figures = Vec::new();
    for (unit, per_second) in units {
        let Some(per_second) = per_second else { continue };
        let figure = |key: &str, spent: fn(&AgentRuns) -> (&Spent, u64)| {
            let per_second = per_second.clone();
            let share = move |run: &Stretch| {
                let Some(runs) = runs(run, at, member) else { return Share::Nothing };
                let (spent, over) = spent(runs);
                Share::over(per_second.sum(run, at, spent), over as f64)
            };
            Figure::new(format!("{owner}.{unit}_per_{key}"), share).steady_on(used)
        };
        figures.push(figure("run", |runs| (&runs.spent_on_done, runs.done)));
        figures.push(figure("success", |runs| (&runs.spent, runs.in_time)));
    }
    figures
}

impl PerSecond {
    /// `None` where that of one of the pools at `used` is unknown.
    fn of(
        scenario: &Scenario,
        used: &[usize],
        pool: impl Fn(&Pool) -> Option<f64>,
        worker: impl Fn(&ToolPool) -> f64,
    ) -> Option<PerSecond> {
        let each = scenario.pools.iter().enumerate();
        let known = |(at, spec)| if used.contains(&at) { pool(spec) } else { Some(0.0) };
        let tools = scenario.tool_pools.iter();
        Some(PerSecond {
            pools: each.map(known).collect::<Option<_>>()?,
            tools: tools.map(|tools| worker(tools) * f64::from(tools.workers)).collect(),
        })
    }

    /// What `spent`, of runs of the use case at index `use_case`, comes to in a window.
    fn sum(&self, run: &Stretch, use_case: usize, spent: &Spent) -> f64 {
        let share = |own: f64, all: f64| if all > 0.0 { own / all } else { 0.0 };
        let pools = spent.work.iter().enumerate().map(|(at, &grains)| {
            let work = &run.pools[at].work;
            let of_use_case = share(grains as f64, work.use_cases[use_case].all() as f64);
            self.pools[at] * run.window_s * shares(work)[use_case] * of_use_case
        });
        let tools = spent.tools.iter().enumerate().map(|(at, &ticks)| {
            let own = ticks as f64 / TICKS_PER_SECOND as f64;
            self.tools[at] * run.window_s * share(own, run.tool_pools[at].busy_s)
        });
        pools.chain(tools).sum()
    }
}
