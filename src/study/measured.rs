//! One arm of a comparison while its replications run.

use super::compare::{ArmSummary, Difference};
use super::figures::{Figure, Shares, figures};
use super::precision::Precision;
use super::reduce::{Evidence, Found, Stability, give_ups, rejections};
use super::runs::Runs;
use super::windows::{OverloadedWindow, WindowEvidence, overloaded, sentence};
use crate::kernel::Digest;
use crate::scenario::{Arm, Scenario};
use crate::simulation::Options;
use crate::statistics::{Interval, Paired};

/// What the replications of one arm contribute; records are not kept.
pub struct Measured<'a> {
    scenario: &'a Scenario,
    of: Runs<'a>,
    figures: Vec<Figure>,
    /// By figure.
    shares: Vec<Shares>,
    /// By pool, what each replication says of its stability.
    evidence: Vec<Vec<Evidence>>,
    /// What each run of a window says; none without windows.
    windows: Vec<WindowEvidence>,
    /// Calls that were refused, and that were given up, by use case.
    rejected: Vec<u64>,
    given_up: Vec<u64>,
    /// Fold of the digests of all replications.
    pub digest: Digest,
    /// Replications run.
    pub runs: u32,
    window_s: f64,
    /// Calls simulated.
    pub calls: u64,
    /// What all of it comes to.
    found: Found,
}

impl<'a> Measured<'a> {
    /// An arm of which nothing has run.
    pub fn new(scenario: &'a Scenario) -> Self {
        let figures = figures(scenario);
        Measured {
            scenario,
            of: Runs::of(scenario),
            shares: vec![Shares::default(); figures.len()],
            evidence: vec![Vec::new(); scenario.pools.len()],
            windows: Vec::new(),
            rejected: vec![0; scenario.use_cases.len()],
            given_up: vec![0; scenario.use_cases.len()],
            digest: Digest::default(),
            runs: 0,
            window_s: 0.0,
            calls: 0,
            found: Found::from(&[], &[], &[], false),
            figures,
        }
    }

    /// Runs the replications up to number `until` that have not run yet.
    pub fn run_until(&mut self, until: u32, options: Options, done: &(impl Fn(u64) + Sync)) {
        for record in self.of.all(self.runs..until, options, done) {
            for (figure, shares) in self.figures.iter().zip(&mut self.shares) {
                shares.add(figure, &record);
            }
            for (pool, evidence) in self.evidence.iter_mut().enumerate() {
                evidence.push(Evidence::of(&record, pool));
            }
            let windows = self.of.plan.iter().map(|plan| WindowEvidence::all(plan, &record));
            self.windows.extend(windows.flatten());
            for (at, use_case) in record.whole.use_cases.iter().enumerate() {
                self.rejected[at] += use_case.rejected;
                self.given_up[at] += use_case.given_up;
            }
            self.digest.word(record.digest);
            self.runs += 1;
            self.window_s += record.whole.window_s;
            self.calls += record.calls;
        }
        let is_random = self.scenario.is_random();
        self.found = Found::from(&self.figures, &self.shares, &self.stability(), is_random);
    }

    /// Time measured in a replication, mean, s.
    pub fn measured_s(&self) -> f64 {
        self.window_s / f64::from(self.runs)
    }

    fn stability(&self) -> Vec<Stability> {
        let verdict = |evidence: &Vec<Evidence>| Stability::from(self.scenario.regime, evidence);
        self.evidence.iter().map(verdict).collect()
    }

    /// Whether its figures are as precise as its scenario wants them.
    pub fn is_precise(&self) -> bool {
        Precision::of(self.scenario, &self.found).is_some_and(|precision| precision.is_met)
    }

    /// Its figures, and how they differ from those of the baseline.
    pub fn summary(&self, arm: &Arm, baseline: Option<&Measured>, confidence: f64) -> ArmSummary {
        let figures = self.found.iter().map(|(path, value)| {
            let paired = baseline.and_then(|baseline| self.paired(baseline, path, confidence));
            let base = baseline.and_then(|baseline| baseline.found.at(path));
            let relative = paired.zip(base).and_then(|(paired, base)| {
                (base.mean != 0.0).then(|| paired.difference.mean / base.mean)
            });
            let difference = Difference {
                value,
                difference: paired.map(|paired| paired.difference),
                relative,
                variance_reduction: paired.and_then(|paired| paired.variance_reduction),
            };
            (path.to_string(), difference)
        });
        let stability = self.stability();
        let is_unstable = |pool: usize| !stability[pool].is_stable;
        let withheld = self.figures.iter().filter(|fig| fig.is_withheld(is_unstable));
        let unstable = (0..stability.len()).filter(|&pool| is_unstable(pool));
        ArmSummary {
            changes: arm.changes.clone(),
            digest: self.digest.to_string(),
            unstable_pools: unstable.map(|pool| self.scenario.pools[pool].name.clone()).collect(),
            overloaded_windows: self.overloaded().0,
            precision: Precision::of(self.scenario, &self.found),
            withheld: withheld.map(|figure| figure.path.clone()).collect(),
            figures: figures.collect(),
        }
    }

    /// Windows in which a pool cannot keep up, and how many windows there are.
    fn overloaded(&self) -> (Vec<OverloadedWindow>, usize) {
        let pools: Vec<&str> = self.scenario.pools.iter().map(|pool| &*pool.name).collect();
        overloaded(self.scenario.regime, &pools, self.windows.iter())
    }

    /// What the reader must know of it.
    pub fn warnings(&self) -> Vec<String> {
        let names = || self.scenario.use_cases.iter().map(|use_case| use_case.name.as_str());
        let (windows, all) = self.overloaded();
        let mut warnings: Vec<String> = sentence(&windows, all).into_iter().collect();
        warnings.extend(rejections(names().zip(self.rejected.iter().copied())));
        warnings.extend(give_ups(names().zip(self.given_up.iter().copied())));
        warnings.extend(self.found.dependent_sections());
        let pools = self.scenario.pools.iter().map(|pool| pool.name.as_str());
        warnings.extend(self.found.lacking.warnings(pools, &self.stability()));
        let precision = Precision::of(self.scenario, &self.found);
        warnings.extend(precision.iter().flat_map(|it| it.warnings(self.runs, &self.found)));
        warnings
    }

    /// The paired difference of a figure that both arms have and neither withholds.
    fn paired(&self, baseline: &Measured, path: &str, confidence: f64) -> Option<Paired> {
        baseline.found.at(path)?;
        let paired = self.shares(path)?.minus(baseline.shares(path)?, confidence)?;
        // Without randomness one run of each is exact, and so is the difference.
        let is_exact = !self.scenario.is_random() && !baseline.scenario.is_random();
        let exact = || Interval::constant(paired.difference.mean);
        Some(Paired { difference: if is_exact { exact() } else { paired.difference }, ..paired })
    }

    fn shares(&self, path: &str) -> Option<&Shares> {
        let at = self.figures.iter().position(|figure| figure.path == path)?;
        Some(&self.shares[at])
    }
}
