//! The runs of a scenario: of its whole horizon, or of windows of it.

use super::windows::Plan;
use crate::metrics::{RunRecord, WindowRecord};
use crate::scenario::Scenario;
use crate::simulation::{self, Options};
use crate::study::reduce::{Evidence, Stability};
use crate::study::steady::Expectations;
use rayon::prelude::*;
use std::ops::Range;

/// A scenario, and which parts of it run.
pub struct Runs<'s> {
    /// The scenario.
    pub scenario: &'s Scenario,
    /// Its windows; `None`: all of it runs.
    pub plan: Option<Plan>,
    /// What its runs are held to.
    pub expectations: Expectations,
}

impl<'s> Runs<'s> {
    /// Those of `scenario`, whose windows are chosen here.
    pub fn of(scenario: &'s Scenario) -> Runs<'s> {
        let plan = Plan::of(scenario);
        // Windows have their own.
        let expectations = match plan {
            Some(_) => Expectations::none(scenario),
            None => Expectations::of(scenario),
        };
        Runs { scenario, plan, expectations }
    }

    /// The verdict on each pool by these replications.
    pub fn stability(&self, records: &[RunRecord]) -> Vec<Stability> {
        let verdict = |pool: usize| {
            let evidence = records.iter().map(|record| self.evidence(record, pool));
            Stability::from(self.scenario.regime, &evidence.collect::<Vec<_>>())
        };
        (0..self.scenario.pools.len()).map(verdict).collect()
    }

    /// What `record` says of the pool at index `pool`.
    pub fn evidence(&self, record: &RunRecord, pool: usize) -> Evidence {
        evidence(self.scenario, self.plan.as_ref(), &self.expectations, record, pool)
    }

    /// Runs these replications on the current rayon pool; their records in order.
    /// `done` is told the calls of each run.
    pub fn all(
        &self,
        replications: Range<u32>,
        options: Options,
        done: &(impl Fn(u64) + Sync),
    ) -> Vec<RunRecord> {
        let Some(plan) = &self.plan else {
            let one = |replication| {
                let record = simulation::run(self.scenario, u64::from(replication), options);
                done(record.calls);
                record
            };
            return replications.into_par_iter().map(one).collect();
        };
        let each = |replication: u32| {
            let chosen = plan.chosen(u64::from(replication));
            chosen.into_iter().map(move |candidate| (u64::from(replication), candidate))
        };
        let tasks: Vec<(u64, usize)> = replications.clone().flat_map(each).collect();
        let one = |&(replication, candidate): &(u64, usize)| {
            let window = plan.run(self.scenario, candidate, replication, options.audit);
            done(window.run.calls);
            window
        };
        let mut windows = tasks.par_iter().map(one).collect::<Vec<WindowRecord>>().into_iter();
        let whole = |replication: u32| {
            let count = plan.chosen(u64::from(replication)).len();
            plan.replication(windows.by_ref().take(count).collect())
        };
        replications.map(whole).collect()
    }
}

/// What `record`, a replication of `scenario` or of its windows, says of the pool at
/// index `pool`.
pub fn evidence(
    scenario: &Scenario,
    plan: Option<&Plan>,
    expectations: &Expectations,
    record: &RunRecord,
    pool: usize,
) -> Evidence {
    match plan {
        Some(plan) => plan.evidence(record, pool),
        None => expectations.evidence(scenario, record, pool),
    }
}

/// Runs one replication of `scenario`, its windows one after the other.
pub fn run_one(
    scenario: &Scenario,
    plan: Option<&Plan>,
    replication: u64,
    options: Options,
) -> RunRecord {
    let Some(plan) = plan else { return simulation::run(scenario, replication, options) };
    let run = |candidate| plan.run(scenario, candidate, replication, options.audit);
    plan.replication(plan.chosen(replication).into_iter().map(run).collect())
}

/// Runs of a replication of `scenario`, at most.
pub fn runs_a_replication(scenario: &Scenario) -> u32 {
    scenario.windows.as_ref().map_or(1, |windows| windows.count_max)
}
