//! The horizon that windows are chosen from: equal stretches of it, and what is
//! expected in each.

use crate::demand::Hours;
use crate::kernel::{Span, Time};
use crate::scenario::{Choice, Scenario, Windows, shared_zone};
use crate::study::forecast::brings::Of;
use crate::study::forecast::expected::{Expected, Upto};
use crate::study::forecast::horizon;
use jiff::{Timestamp, Zoned};

/// Days of a week, in ticks.
const WEEK: u64 = 7 * 24 * crate::demand::curve::HOUR;
/// Integrals of equal stretches differ by rounding.
const EQUAL: f64 = 1e-9;

/// A stretch of the horizon that may be a window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Candidate {
    /// When it begins.
    pub from: Time,
    /// How long it is.
    pub length: Span,
    /// Expected tokens to compute in it, of the pool that ranks or of all pools.
    pub tokens: f64,
    /// Its place among all by these, from 1; equal ones in order of time.
    pub rank: usize,
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Horizon {
    clock: Hours,
    /// When it ends.
    pub end: Time,
    /// Expected tokens to compute in all of it, of the pool that ranks or of all.
    pub tokens: f64,
    /// Expected calls in all of it, by pool.
    pub calls: Vec<f64>,
    /// In order of time.
    pub candidates: Vec<Candidate>,
    /// Expected calls of each candidate, by pool.
    pub calls_of: Vec<Vec<f64>>,
    /// Expected tokens to compute of each hour, whatever the length of windows.
    pub hours: (Hours, Vec<f64>),
}

impl Horizon {
    /// The horizon of `scenario`, divided as `windows` ask.
    pub fn of(scenario: &Scenario, windows: &Windows) -> Horizon {
        let end = horizon(scenario).expect("checked: something has a rate");
        let start = scenario.start.as_ref();
        let start = start.map(|start| start.parse::<Timestamp>().expect("checked"));
        let zone = shared_zone(scenario.use_cases.iter().map(|each| &each.arrivals));
        let clock = Hours::of_length(windows.length, start, zone.clone(), end);
        let stretches: Vec<(Time, Time)> = match &windows.choice {
            Choice::At(begins) => {
                begins.iter().map(|begin| (*begin, *begin + windows.length)).collect()
            }
            _ => (0..clock.count()).map(|index| clock.at(index)).collect(),
        };
        let hours = Hours::new(start, zone, end);
        let by_hour: Vec<(Time, Time)> = (0..hours.count()).map(|hour| hours.at(hour)).collect();
        let mut found = Horizon {
            clock,
            end,
            tokens: 0.0,
            calls: vec![0.0; scenario.pools.len()],
            candidates: Vec::new(),
            calls_of: vec![vec![0.0; stretches.len()]; scenario.pools.len()],
            hours: (hours.clone(), vec![0.0; hours.count()]),
        };
        let mut tokens = vec![0.0; stretches.len()];
        for (at, use_case) in scenario.use_cases.iter().enumerate() {
            let Some(expected) = Expected::new(scenario, at, end) else { continue };
            for &pool in use_case.pools() {
                // Regions may be served elsewhere at other hours; this is the mean.
                let share = use_case.expected_at(pool);
                let add = |stretches: &[(Time, Time)], of: Of, sums: &mut [f64]| {
                    let mut own = vec![0.0; stretches.len()];
                    expected.add(stretches, of, Upto::Growth, &mut own);
                    sums.iter_mut().zip(own).for_each(|(sum, own)| *sum += share * own);
                };
                found.calls[pool] += share * expected.sum(Of::Calls, Upto::Growth).mean;
                add(&stretches, Of::Calls, &mut found.calls_of[pool]);
                if windows.pool.is_none_or(|ranking| ranking == pool) {
                    found.tokens += share * expected.sum(Of::Computed, Upto::Growth).mean;
                    add(&stretches, Of::Computed, &mut tokens);
                    add(&by_hour, Of::Computed, &mut found.hours.1);
                }
            }
        }
        found.candidates = ranked(&stretches, &tokens);
        found
    }

    /// Expected tokens to compute in a second of the horizon.
    pub fn mean_tokens_per_s(&self) -> f64 {
        self.tokens / self.end.seconds()
    }

    /// What the local clock shows at `time`.
    pub fn local(&self, time: Time) -> Option<Zoned> {
        self.clock.local(time)
    }

    /// The same as text: "2026-11-30T20:00:00-05:00".
    pub fn local_text(&self, time: Time) -> Option<String> {
        let local = self.local(time)?;
        Some(local.timestamp().display_with_offset(local.offset()).to_string())
    }

    /// Whether some candidates ask for more than others.
    pub fn varies(&self) -> bool {
        let tokens = || self.candidates.iter().map(|candidate| candidate.tokens);
        let most = tokens().fold(0.0, f64::max);
        tokens().any(|tokens| tokens < most * (1.0 - EQUAL))
    }

    /// Of each week the candidate with most tokens. Weeks begin on Monday on the
    /// local clock; without a clock, they are counted from time zero.
    pub fn weekly_peaks(&self) -> Vec<usize> {
        let mut peaks: Vec<usize> = Vec::new();
        let mut last = None;
        for (at, candidate) in self.candidates.iter().enumerate() {
            let week = Some(self.week(candidate.from));
            match peaks.last_mut().filter(|_| week == last) {
                None => peaks.push(at),
                Some(peak) if candidate.rank < self.candidates[*peak].rank => *peak = at,
                Some(_) => {}
            }
            last = week;
        }
        peaks
    }

    /// Candidates that begin in the same week as the one at `index`.
    pub fn of_week(&self, index: usize) -> usize {
        let week = self.week(self.candidates[index].from);
        let holds = |candidate: &&Candidate| self.week(candidate.from) == week;
        let near = (WEEK / self.candidates[index].length.ticks().max(1)) as usize + 2;
        let from = index.saturating_sub(near);
        let until = (index + near).min(self.candidates.len());
        self.candidates[from..until].iter().filter(holds).count()
    }

    /// The `count` candidates with most tokens, in order of time.
    pub fn worst(&self, count: usize) -> Vec<usize> {
        (0..self.candidates.len()).filter(|&at| self.candidates[at].rank <= count).collect()
    }

    /// A number that instants of the same week share.
    fn week(&self, time: Time) -> i64 {
        match self.local(time) {
            Some(local) => {
                let date = local.date().iso_week_date();
                i64::from(date.year()) * 100 + i64::from(date.week())
            }
            None => (time.ticks() / WEEK) as i64,
        }
    }
}

fn ranked(stretches: &[(Time, Time)], tokens: &[f64]) -> Vec<Candidate> {
    let mut order: Vec<usize> = (0..tokens.len()).collect();
    order.sort_by(|&a, &b| tokens[b].total_cmp(&tokens[a]));
    // Of those that differ by rounding alone, the first in time comes first.
    for group in order.chunk_by_mut(|&a, &b| tokens[a] - tokens[b] <= EQUAL * tokens[a].abs()) {
        group.sort_unstable();
    }
    let mut ranks = vec![0; tokens.len()];
    order.iter().enumerate().for_each(|(rank, &at)| ranks[at] = rank + 1);
    let candidate = |(at, (from, until)): (usize, &(Time, Time))| Candidate {
        from: *from,
        length: until.since(*from),
        tokens: tokens[at],
        rank: ranks[at],
    };
    stretches.iter().enumerate().map(candidate).collect()
}
