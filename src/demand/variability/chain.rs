//! States that demand changes between: a Markov-modulated rate.
//!
//! Two states, one of them silent, are an on/off source.

use crate::kernel::{Span, Time};
use crate::random::{Distribution, Stream};

/// A state of demand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct State {
    /// The rate in it, relative to the other states.
    pub factor: f64,
    /// How long it lasts in the mean, s; exponentially distributed.
    pub mean_s: f64,
}

/// The states of one replication. From each state all others follow with the
/// same probability; factors are scaled to a mean of 1 over time.
#[derive(Clone, Debug)]
pub struct Chain {
    states: Vec<State>,
    stream: Stream,
    state: usize,
    until: Time,
}

impl Chain {
    /// Begins in the steady state: states are as likely as the time that they
    /// take. A lone state lasts forever.
    pub fn new(states: &[State], mut stream: Stream, from: Time) -> Chain {
        let time: f64 = states.iter().map(|state| state.mean_s).sum();
        let mean = states.iter().map(|state| state.factor * state.mean_s).sum::<f64>() / time;
        let scaled = states.iter().map(|state| State { factor: state.factor / mean, ..*state });
        let mut left = stream.unit() * time;
        let mut state = 0;
        while state + 1 < states.len() && left > states[state].mean_s {
            left -= states[state].mean_s;
            state += 1;
        }
        let mut chain = Chain { states: scaled.collect(), stream, state, until: from };
        chain.until = chain.end(from);
        chain
    }

    /// The factor at `time`, and when it changes; times are asked for in order.
    pub fn at(&mut self, time: Time) -> (f64, Time) {
        while self.until <= time {
            let other = self.stream.below(self.states.len() as u32 - 1) as usize;
            self.state = if other < self.state { other } else { other + 1 };
            self.until = self.end(self.until);
        }
        (self.states[self.state].factor, self.until)
    }

    fn end(&mut self, from: Time) -> Time {
        if self.states.len() == 1 {
            return Time::MAX;
        }
        let law = Distribution::exponential(self.states[self.state].mean_s).expect("checked");
        // A state lasts a tick at least, so that time goes on.
        from + Span::from_seconds(law.sample(&mut self.stream)).max(Span::from_ticks(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};

    #[test]
    fn the_mean_over_time_is_one() {
        let states = [(0.0, 30.0), (1.0, 60.0), (5.0, 10.0)];
        let states = states.map(|(factor, mean_s)| State { factor, mean_s });
        let stream = Streams::new(1, 0).stream(Component::States, 1, 0);
        let mut chain = Chain::new(&states, stream, Time::ZERO);
        let end = Time::ZERO + Span::from_seconds(3e6);
        let (mut now, mut sum, mut silent) = (Time::ZERO, 0.0, 0.0);
        while now < end {
            let (factor, until) = chain.at(now);
            let length = until.min(end).since(now).seconds();
            sum += factor * length;
            silent += if factor == 0.0 { length } else { 0.0 };
            now = until;
        }
        // 90,000 changes: standard errors of about .01 and .002.
        assert!((sum / 3e6 - 1.0).abs() < 0.04, "{}", sum / 3e6);
        assert!((silent / 3e6 - 0.3).abs() < 0.008, "{}", silent / 3e6);
    }

    #[test]
    fn it_begins_in_the_steady_state() {
        let states = [State { factor: 0.0, mean_s: 3.0 }, State { factor: 1.0, mean_s: 1.0 }];
        let begins = |replication| {
            let stream = Streams::new(1, replication).stream(Component::States, 1, 0);
            Chain::new(&states, stream, Time::ZERO).at(Time::ZERO).0
        };
        let on = (0..10_000).filter(|&replication| begins(replication) > 0.0).count();
        assert!((2_330..2_670).contains(&on), "{on}");
        assert_eq!((0..100).map(begins).fold(0.0, f64::max), 4.0);
    }
}
