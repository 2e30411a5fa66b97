//! Flash crowds: they come at once and go away exponentially.

use super::Crowding;
use crate::kernel::{Span, Time};
use crate::random::{Distribution, Stream};

/// Knots in the time that a crowd takes to fall to 1/e: between them the curve
/// is taken as linear, which makes its number larger by 1 in 3,000.
const KNOTS: f64 = 16.0;
/// Share of the usual rate below which a crowd is gone.
const GONE: f64 = 1e-3;
/// Times in which a crowd falls to 1/e after which it is forgotten by a run that
/// begins then: it may have a ten-thousandth of its peak left.
const FORGOTTEN: f64 = 10.0;

/// A crowd.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flash {
    /// When it comes.
    pub at: Time,
    /// What it adds then, as a multiple of the rate without it.
    pub peak: f64,
    /// Time in which it falls to 1/e, s.
    pub decay_s: f64,
}

impl Flash {
    /// What it adds at `time`.
    pub fn extra(&self, time: Time) -> f64 {
        if time < self.at || time >= self.gone() {
            return 0.0;
        }
        self.peak * libm::exp(-time.since(self.at).seconds() / self.decay_s)
    }

    /// What it adds just before `time`.
    pub fn extra_before(&self, time: Time) -> f64 {
        match time {
            time if time <= self.at => 0.0,
            time if time == self.gone() => GONE.min(self.peak),
            time => self.extra(time),
        }
    }

    /// The first instant after `time` at which its curve bends.
    pub fn next_bend(&self, time: Time) -> Option<Time> {
        let gone = self.gone();
        match time {
            time if time < self.at => Some(self.at),
            time if time >= gone => None,
            time => {
                let step = Span::from_seconds(self.decay_s / KNOTS).max(Span::from_ticks(1));
                let passed = time.since(self.at).ticks() / step.ticks();
                Some((self.at + Span::from_ticks((passed + 1) * step.ticks())).min(gone))
            }
        }
    }

    /// When it is gone.
    pub fn gone(&self) -> Time {
        self.at + Span::from_seconds(self.decay_s * libm::log(self.peak / GONE).max(0.0))
    }
}

/// The crowds of one replication that come at random: a Poisson process.
#[derive(Clone, Debug)]
pub struct Crowds {
    gap_s: Distribution,
    peak: Distribution,
    decay_s: f64,
    stream: Stream,
    /// Those that are there.
    present: Vec<Flash>,
    /// The next one.
    next: Flash,
}

impl Crowds {
    /// Crowds as they are from `from` on; none comes before time zero.
    pub fn new(spec: &Crowding, stream: Stream, from: Time) -> Crowds {
        let before = Span::from_seconds((FORGOTTEN * spec.decay_s).min(from.seconds()));
        let from = Time::from_ticks(from.ticks().saturating_sub(before.ticks()));
        let next = Flash { at: from, peak: 0.0, decay_s: spec.decay_s };
        let mut crowds = Crowds {
            gap_s: Distribution::exponential(spec.every_s).expect("checked by the scenario"),
            peak: spec.peak.clone(),
            decay_s: spec.decay_s,
            stream,
            present: Vec::new(),
            next,
        };
        crowds.next = crowds.draw(from);
        crowds
    }

    fn draw(&mut self, after: Time) -> Flash {
        let gap = Span::from_seconds(self.gap_s.sample(&mut self.stream));
        let peak = self.peak.sample(&mut self.stream).max(0.0);
        Flash { at: after + gap.max(Span::from_ticks(1)), peak, decay_s: self.decay_s }
    }

    /// The first instant after `time` at which the factor bends; times are asked
    /// for in order.
    pub fn next_knot(&mut self, time: Time) -> Time {
        while self.next.at <= time {
            self.present.push(self.next);
            self.next = self.draw(self.next.at);
        }
        self.present.retain(|flash| flash.gone() > time);
        let bends = self.present.iter().filter_map(|flash| flash.next_bend(time));
        bends.fold(self.next.at, Time::min)
    }

    /// The factor at `time`, after its knot was asked for.
    pub fn factor(&self, time: Time) -> f64 {
        1.0 + self.present.iter().map(|flash| flash.extra(time)).sum::<f64>()
    }

    /// The factor just before `time`, a knot or earlier.
    pub fn factor_before(&self, time: Time) -> f64 {
        1.0 + self.present.iter().map(|flash| flash.extra_before(time)).sum::<f64>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_comes_at_once_and_adds_its_peak_times_its_decay() {
        let at = Time::ZERO + Span::from_seconds(100.0);
        let flash = Flash { at, peak: 4.0, decay_s: 600.0 };
        assert_eq!((flash.extra_before(at), flash.extra(at)), (0.0, 4.0));
        let (mut now, mut sum) = (Time::ZERO, 0.0);
        while let Some(until) = flash.next_bend(now) {
            let mean = (flash.extra(now) + flash.extra_before(until)) / 2.0;
            sum += mean * until.since(now).seconds();
            now = until;
        }
        // What is cut off at the end is GONE times the decay.
        let exact = (4.0 - GONE) * 600.0;
        assert!((sum / exact - 1.0).abs() < 4e-4, "{sum} {exact}");
    }
}
