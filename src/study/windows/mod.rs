//! Windows of a long horizon: which are simulated, from when on, and what they
//! stand for.
//!
//! Stretches of the horizon are ranked by the tokens that they are expected to
//! ask for. Each window is a run of its own that begins a warm-up before it, with
//! the demand of that time, in an empty factory. What varies from day to day and
//! how demand grows is the same in all windows of a replication, as in a run of
//! the whole horizon; everything else is drawn for each window by itself, so a
//! window does not depend on which others are chosen.

mod horizon;
mod overload;
mod summary;
mod warm_up;

pub use horizon::{Candidate, Horizon};
pub use overload::{OverloadedWindow, WindowEvidence, overloaded, sentence};
pub use summary::{HorizonSeries, HorizonSummary, WindowSummary, summarize};
pub use warm_up::WarmUpTime;

use crate::kernel::{Span, Time};
use crate::metrics::{RunRecord, Timeline, WindowRecord};
use crate::random::{Component, Stream, Streams};
use crate::scenario::{Choice, Scenario, Windows};
use crate::simulation::{self, Options, Part};
use crate::statistics::Trend;
use crate::study::reduce::{Evidence, counts};
use crate::study::steady::Expectations;

/// The windows of a scenario, ready to run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What was asked for.
    pub windows: Windows,
    /// What they are chosen from.
    pub horizon: Horizon,
    /// What is simulated before each and not measured.
    pub warm_up: WarmUpTime,
    /// By pool, the warm-up that its sessions need, s; `None`: it is long enough.
    needs_s: Vec<Option<f64>>,
    seed: u64,
    /// Candidates by their index, in order of time; unless they are drawn.
    chosen: Vec<usize>,
}

impl Plan {
    /// The windows of `scenario`; `None` where all of the horizon is to run.
    pub fn of(scenario: &Scenario) -> Option<Plan> {
        let windows = scenario.windows.clone()?;
        let horizon = Horizon::of(scenario, &windows);
        let expectations = Expectations::of(scenario);
        let warm_up = WarmUpTime::of(scenario, &windows, &horizon, &expectations);
        let length_s = windows.length.seconds();
        let needs_s =
            |pool| expectations.needs_s(scenario, pool, warm_up.length.seconds(), length_s);
        let needs_s = (0..scenario.pools.len()).map(needs_s).collect();
        let chosen = match windows.choice {
            Choice::WeeklyPeaks => horizon.weekly_peaks(),
            Choice::Worst(count) => horizon.worst(count as usize),
            Choice::Random(_) => Vec::new(),
            Choice::At(_) => (0..horizon.candidates.len()).collect(),
        };
        Some(Plan { windows, horizon, warm_up, needs_s, seed: scenario.seed, chosen })
    }

    /// What `record`, of a window or of all of them, says of the pool at index `pool`. A
    /// window that begins within the warm-up of the horizon's own beginning is as the
    /// horizon has it.
    pub fn evidence(&self, record: &RunRecord, pool: usize) -> Evidence {
        let needs_s = self.needs_s[pool];
        Evidence { is_of_windows: true, needs_s, ..Evidence::of(record, pool) }
    }

    /// Candidates that a replication runs, in order of time.
    pub fn chosen(&self, replication: u64) -> Vec<usize> {
        match self.windows.choice {
            Choice::Random(count) => {
                let streams = Streams::new(self.seed, replication);
                let mut stream = streams.stream(Component::Windows, 0, 0);
                drawn(self.horizon.candidates.len() as u32, count, &mut stream)
            }
            _ => self.chosen.clone(),
        }
    }

    /// Runs the candidate at this index.
    pub fn run(
        &self,
        scenario: &Scenario,
        candidate: usize,
        replication: u64,
        audit: bool,
    ) -> WindowRecord {
        let Candidate { from, length, .. } = self.horizon.candidates[candidate];
        let begin = from.ticks().saturating_sub(self.warm_up.length.ticks());
        let begin = Time::from_ticks(begin);
        let part = Some(Part { from: begin, length });
        let warm_up = from.since(begin);
        let options = Options { warm_up, audit, part, ..Options::default() };
        let mut run = simulation::run(scenario, replication, options);
        let growth = (0..scenario.pools.len()).map(|pool| growth(&run, pool)).collect();
        run.timeline = Timeline::new(scenario.pools.len(), Span::from_ticks(1));
        WindowRecord { from, run, growth }
    }

    /// A replication, from all its windows in order.
    pub fn replication(&self, windows: Vec<WindowRecord>) -> RunRecord {
        RunRecord::of_windows(windows, self.warm_up.length)
    }
}

/// How the number of calls in a pool grew over the window, and from the beginning
/// of the warm-up on.
fn growth(run: &RunRecord, pool: usize) -> [Option<Trend>; 2] {
    let interval_s = run.timeline.interval().seconds();
    let before = (run.window_from_s / interval_s) as usize;
    let all = counts(run, pool);
    [Trend::of(all.get(before..).unwrap_or(&[]), interval_s), Trend::of(&all, interval_s)]
}

/// `count` of the numbers below `all` without replacement, each set as likely as
/// any other, in order (Floyd's algorithm, Bentley and Floyd 1987).
fn drawn(all: u32, count: u32, stream: &mut Stream) -> Vec<usize> {
    let mut drawn = std::collections::BTreeSet::new();
    for last in all - count..all {
        let number = stream.below(last + 1) as usize;
        if !drawn.insert(number) {
            drawn.insert(last as usize);
        }
    }
    drawn.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_drawn_as_often_as_any_other() {
        let mut counts = [0u32; 7];
        for replication in 0..7_000 {
            let mut stream = Streams::new(3, replication).stream(Component::Windows, 0, 0);
            let numbers = drawn(7, 3, &mut stream);
            assert!(numbers.len() == 3 && numbers.windows(2).all(|pair| pair[0] < pair[1]));
            numbers.iter().for_each(|&number| counts[number] += 1);
        }
        // 3,000 each, with a standard deviation of 41.
        assert!(counts.iter().all(|count| (2_835..3_165).contains(count)), "{counts:?}");
        let mut stream = Streams::new(3, 0).stream(Component::Windows, 0, 0);
        assert_eq!(drawn(4, 4, &mut stream), [0, 1, 2, 3]);
    }
}
