//! How old a session is when it makes its calls.
//!
//! Sessions that have begun at a constant rate since time zero make, at time t,
//! the share P(age <= t) of the calls that they make in the long run, where age
//! is that of a session at a call of its own, each call as likely as any other.
//! It holds whatever the law of gaps between sessions, since expectations add.
//! Where the lengths of sessions are exponential with mean m and calls are spread
//! over them, the share that is missing is exp(-t / m): after five mean lengths
//! 0.7 %. Sessions of equal length are all there after one, heavy tails take
//! longer than five.

use super::pace::pace_of;
use crate::kernel::Time;
use crate::random::Streams;
use crate::scenario::{Lengths, Scenario};
use crate::study::Mix;
use crate::workload::agent::{self, Dry, Pace, Replay};
use crate::workload::graph::{NEVER, Started};
use crate::workload::{Content, Script, Strand};

/// Calls that are drawn.
const CALLS: usize = 40_000;
/// Most sessions that are drawn, and least.
const SESSIONS: std::ops::Range<u64> = 200..4_000;

/// Ages of sessions at their calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct CallAges {
    /// In order, s.
    ages_s: Vec<f64>,
    /// Sessions that they are of.
    sessions: f64,
    /// Sum of their lengths, s, and of the squares of their numbers of calls.
    length_s: f64,
    squares: f64,
}

impl CallAges {
    /// Those of the sessions of the use case at index `at`; `None`: its calls are
    /// no parts of sessions.
    pub fn of(scenario: &Scenario, at: usize) -> Option<CallAges> {
        let use_case = &scenario.use_cases[at];
        if !use_case.has_sessions() {
            return None;
        }
        let mix = Mix::of_calls(scenario, at);
        if mix.output == 0.0 {
            return None;
        }
        let pace = pace_of(scenario, use_case.pool, &mix);
        let streams = Streams::new(scenario.seed, 0);
        let mut ages = CallAges::default();
        match (&use_case.lengths, use_case.crew()) {
            (Lengths::Replayed(replay), _) => ages.add_recorded(replay, pace),
            (_, Some(crew)) => {
                let (name, cache_hit) = (&use_case.name, use_case.cache_hit);
                let script = agent::Script::new(at as u16, name, crew, cache_hit, streams);
                ages.add_agents(Dry::new(script, pace));
            }
            (_, None) => {
                ages.add_sessions(scenario, at, Script::new(at as u16, use_case, streams), pace);
            }
        }
        ages.ages_s.sort_by(f64::total_cmp);
        Some(ages)
    }

    /// Share of the calls of a session that it makes when it is older than `age_s`.
    pub fn later_than(&self, age_s: f64) -> f64 {
        let sooner = self.ages_s.partition_point(|&age| age <= age_s);
        1.0 - sooner as f64 / self.ages_s.len().max(1) as f64
    }

    /// Share of the calls of a steady state that do not come between two instants
    /// after an empty start, on average over that time.
    pub fn missing(&self, from_s: f64, length_s: f64) -> f64 {
        let first = self.ages_s.partition_point(|&age| age <= from_s);
        let share = |age: &f64| ((age - from_s) / length_s).min(1.0);
        let missing: f64 = self.ages_s[first..].iter().map(share).sum();
        missing / self.ages_s.len().max(1) as f64
    }

    /// The age after which a session makes no more than `share` of its calls, s.
    pub fn quantile_above(&self, share: f64) -> f64 {
        let most = (share * self.ages_s.len() as f64) as usize;
        let at = self.ages_s.len().checked_sub(1 + most);
        at.map_or(0.0, |at| self.ages_s[at])
    }

    /// Mean length of a session, s.
    pub fn mean_length_s(&self) -> f64 {
        self.length_s / self.sessions.max(1.0)
    }

    /// Calls of a session, on average.
    pub fn calls_mean(&self) -> f64 {
        self.ages_s.len() as f64 / self.sessions.max(1.0)
    }

    /// Mean square of the number of calls of a session.
    pub fn calls_mean_square(&self) -> f64 {
        self.squares / self.sessions.max(1.0)
    }

    fn wants_more(&self, begun: u64) -> bool {
        begun < SESSIONS.start || (begun < SESSIONS.end && self.ages_s.len() < CALLS)
    }

    fn end_session(&mut self, calls_before: usize, length_s: f64) {
        let calls = (self.ages_s.len() - calls_before) as f64;
        self.sessions += 1.0;
        self.length_s += length_s;
        self.squares += calls * calls;
    }

    fn add_sessions(&mut self, scenario: &Scenario, at: usize, mut script: Script, pace: Pace) {
        let pool = &scenario.pools[scenario.use_cases[at].pool];
        let mut begun = 0;
        while self.wants_more(begun) {
            let mut session = script.session(begun, Content::new(Strand::NONE));
            let calls_before = self.ages_s.len();
            let mut age_s = 0.0;
            loop {
                let known = if session.turn == 0 { 0 } else { session.history };
                let ask = script.turn(&session);
                if !pool.accepts(ask.prompt, ask.output) {
                    break;
                }
                self.ages_s.push(age_s);
                let computed = f64::from(ask.prompt.saturating_sub(known));
                age_s += pace.first_s
                    + computed * pace.prefill_s
                    + f64::from(ask.output) * pace.decode_s;
                script.answered(&mut session, ask, None);
                if session.is_over() {
                    break;
                }
                age_s += script.think(&session).seconds();
            }
            self.end_session(calls_before, age_s);
            begun += 1;
        }
    }

    fn add_agents(&mut self, mut dry: Dry) {
        let mut begun = 0;
        while self.wants_more(begun) {
            let calls_before = self.ages_s.len();
            let session = dry.session_with(begun, |call| self.ages_s.push(call.age_s));
            self.end_session(calls_before, session.length_s);
            begun += 1;
        }
    }

    fn add_recorded(&mut self, replay: &Replay, pace: Pace) {
        let sessions = replay.graph.sessions();
        // Spread over the recording, which may change as it goes on.
        let step = (sessions / SESSIONS.end).max(1);
        for number in (0..sessions).step_by(step as usize) {
            let calls_before = self.ages_s.len();
            let thread = replay.graph.session(number);
            let length_s = self.add_thread(replay, pace, thread, 0.0, 0.0);
            self.end_session(calls_before, length_s);
        }
    }

    /// A thread that begins at this age of its session, of which the session began at
    /// `origin_s`. Returns when it ends.
    fn add_thread(
        &mut self,
        replay: &Replay,
        pace: Pace,
        thread: u32,
        origin_s: f64,
        began_s: f64,
    ) -> f64 {
        let graph = &replay.graph;
        // Calls that wait for threads, and when these end.
        let mut joins: Vec<(u32, f64)> = Vec::new();
        let mut now_s = began_s;
        let start = |ages: &mut Self, started: &[Started], now_s: f64, joins: &mut Vec<_>| {
            for &Started { thread, join } in started {
                let end_s = ages.add_thread(replay, pace, thread, origin_s, now_s);
                if join != NEVER {
                    joins.push((join, end_s));
                }
            }
        };
        start(self, graph.starts_of(thread), now_s, &mut joins);
        let calls = graph.calls_of(thread);
        for (at, call) in calls.iter().enumerate() {
            let ended = joins.iter().filter(|(join, _)| *join as usize <= at);
            now_s = ended.map(|&(_, end_s)| end_s).fold(now_s, f64::max);
            joins.retain(|(join, _)| *join as usize > at);
            let (now, origin) = (time(now_s), time(origin_s));
            now_s = replay.comes(call, now, origin).since(Time::ZERO).seconds();
            if call.prompt > 0 {
                self.ages_s.push(now_s - origin_s);
                let computed = f64::from(call.prompt - call.known(true).min(call.prompt));
                let takes_s = pace.first_s
                    + computed * pace.prefill_s
                    + f64::from(call.output) * pace.decode_s;
                now_s += takes_s.max(replay.hold(call).seconds());
            }
            start(self, graph.starts_after(call), now_s, &mut joins);
        }
        joins.iter().map(|&(_, end_s)| end_s).fold(now_s, f64::max)
    }
}

fn time(seconds: f64) -> Time {
    Time::ZERO + crate::kernel::Span::from_seconds(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ages(ages_s: &[f64]) -> CallAges {
        CallAges { ages_s: ages_s.to_vec(), sessions: 2.0, length_s: 8.0, squares: 8.0 }
    }

    #[test]
    fn shares_by_hand() {
        let ages = ages(&[0.0, 0.0, 2.0, 6.0]);
        assert_eq!(ages.later_than(1.0), 0.5);
        assert_eq!(ages.later_than(2.0), 0.25);
        assert_eq!(ages.later_than(6.0), 0.0);
        // From 1 to 3: of the call at 2 half the time is missing, of that at 6 all.
        assert_eq!(ages.missing(1.0, 2.0), 0.375);
        assert_eq!(ages.missing(6.0, 1.0), 0.0);
        assert_eq!(ages.quantile_above(0.0), 6.0);
        assert_eq!(ages.quantile_above(0.25), 2.0);
        assert_eq!(ages.mean_length_s(), 4.0);
        assert_eq!(ages.calls_mean(), 2.0);
    }
}
