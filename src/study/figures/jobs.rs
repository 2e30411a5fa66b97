//! Figures of batch jobs.

use super::{Figure, Share};
use crate::kernel::TICKS_PER_SECOND;
use crate::metrics::JobsRecord;
use crate::scenario::{Arrivals, Scenario};

type Ticks = fn(&JobsRecord) -> u128;

/// The figures of the jobs of the use case at index `at`; none where it has none.
pub fn figures(scenario: &Scenario, at: usize) -> Vec<Figure> {
    let use_case = &scenario.use_cases[at];
    if !matches!(use_case.arrivals, Arrivals::Batch(_)) {
        return Vec::new();
    }
    let path = |key: &str| format!("use_cases.{}.jobs.{key}", use_case.name);
    // A job that is not done is not done on time.
    let on_time = Figure::new(path("on_time_fraction"), move |run| {
        let jobs = &run.use_cases[at].jobs;
        Share::over(jobs.on_time as f64, (jobs.done + jobs.unfinished) as f64)
    });
    let mean = |key: &str, ticks: Ticks| {
        Figure::new(path(key), move |run| {
            let jobs = &run.use_cases[at].jobs;
            Share::over(ticks(jobs) as f64 / TICKS_PER_SECOND as f64, jobs.done as f64)
        })
    };
    vec![
        on_time,
        mean("makespan_s.mean", |jobs| jobs.makespan),
        mean("lateness_s.mean", |jobs| jobs.lateness),
    ]
}
