//! Arrivals before the start of a run, the latest first: who may still be there.
//!
//! They are drawn from streams of their own, so that no arrival after the start
//! changes. A rate that varies has, before the start, the values that its curve has
//! there, and before the curve begins the first of them; what varies around the
//! curve is taken to have been as it is at the start. Recordings have nothing before
//! their beginning.

use super::curve::{Curve, HOUR, Piece};
use super::variability::{Gaps, Law};
use super::{Keys, sources};
use crate::kernel::Time;
use crate::random::{Component, Stream, Streams, entity};
use crate::scenario::{Arrivals, UseCase};
use std::sync::Arc;

/// An arrival before the start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PastArrival {
    /// Seconds from it to the start.
    pub age_s: f64,
    /// Its region, where arrivals tell; else the first.
    pub region: u16,
    /// Its number, if it is one of a recording.
    pub number: Option<u64>,
}

/// The arrivals of one use case; see the module.
#[derive(Clone, Debug)]
pub struct Past {
    /// A process for each region, and its next arrival.
    regions: Vec<(Process, Option<PastArrival>)>,
}

#[derive(Clone, Debug)]
enum Process {
    /// The age of the next of those that come like clockwork, and the time between two.
    Clockwork {
        age_s: f64,
        every_s: f64,
    },
    /// At a rate that is always the same.
    Poisson {
        rate: f64,
        age_s: f64,
        stream: Stream,
    },
    Varying(Box<Varying>),
    /// Ages of recorded arrivals that are left, in the order of the recording.
    Recorded(Vec<f64>),
    Nobody,
}

/// A rate that follows a curve backwards.
#[derive(Clone, Debug)]
struct Varying {
    curve: Arc<Curve>,
    /// The rate as a multiple of the curve's.
    factor: f64,
    gaps: Gaps,
    stream: Stream,
    from: Time,
    /// Pieces of the curve that are left, the earliest first; those before `begun` are
    /// still to be read.
    pieces: Vec<Piece>,
    begun: Time,
    /// Expected arrivals of the last piece that have been passed.
    passed: f64,
    is_first: bool,
    /// Seconds that have been passed before the curve begins.
    before_s: f64,
}

impl Past {
    /// The arrivals of `use_case` before `from`; none of closed loops and of jobs.
    pub fn new(use_case: &UseCase, streams: Streams, from: Time) -> Past {
        let shared = entity(&use_case.name);
        let mut past: Vec<Process> = Vec::new();
        match &use_case.arrivals {
            Arrivals::Regions(regions) => past.extend(regions.iter().map(|(region, arrivals)| {
                let own = entity(&format!("{}@{region}", use_case.name));
                Process::new(arrivals, streams, Keys { own, shared }, from)
            })),
            arrivals => {
                past.push(Process::new(arrivals, streams, Keys { own: shared, shared }, from));
            }
        }
        let begin = |(region, mut process): (u16, Process)| {
            let next = process.next(region);
            (process, next)
        };
        Past { regions: (0..).zip(past).map(begin).collect() }
    }
}

impl Past {
    /// Fewest and most arrivals that [`Past::while_anybody_lasts`] goes back.
    const MIN: u64 = 256;
    const MAX: u64 = 4_000_000;

    /// Tells of arrivals, each with the number of later ones, until the start is farther
    /// away than the longest of them lasts, as `visit` tells in seconds; of those that
    /// last until the start, fewer than one is then missed in the mean. It ends the walk
    /// with `None`.
    pub fn while_anybody_lasts(self, mut visit: impl FnMut(u64, PastArrival) -> Option<f64>) {
        let mut longest_s = 0.0f64;
        for (later, arrival) in (0..Self::MAX).zip(self) {
            if later >= Self::MIN && arrival.age_s > longest_s {
                return;
            }
            let Some(length_s) = visit(later, arrival) else { return };
            longest_s = longest_s.max(length_s);
        }
    }
}

impl Iterator for Past {
    type Item = PastArrival;

    fn next(&mut self) -> Option<PastArrival> {
        let due = self.regions.iter().enumerate();
        let due = due.filter_map(|(at, (_, next))| Some(((*next)?, at)));
        let (arrival, at) = due.min_by(|one, other| one.0.age_s.total_cmp(&other.0.age_s))?;
        let (process, next) = &mut self.regions[at];
        *next = process.next(arrival.region);
        Some(arrival)
    }
}

impl Process {
    fn new(arrivals: &Arrivals, streams: Streams, keys: Keys, from: Time) -> Process {
        let stream = streams.stream(Component::AtStart, keys.own, 0);
        match arrivals {
            Arrivals::Poisson { rate } => Process::Poisson { rate: *rate, age_s: 0.0, stream },
            Arrivals::Constant { rate } => {
                // One at the very start is yet to come in a run that begins later, and
                // of no age in one that begins with the clock.
                let passed = (from.seconds() * rate).floor();
                let age_s = (from.seconds() - passed / rate).max(0.0);
                Process::Clockwork { age_s, every_s: 1.0 / rate }
            }
            Arrivals::Varying(demand) => {
                let sources = sources(demand, streams, keys, from);
                let factor = sources.iter().map(|source| source.factor()).sum();
                // Many customers together are as good as independent arrivals.
                let gaps = match sources.len() {
                    1 => demand.gaps.clone(),
                    _ => Gaps::new(Law::Exponential).expect("a law with a mean of 1"),
                };
                let curve = sources[0].curve();
                let pieces = Vec::new();
                Process::Varying(Box::new(Varying {
                    curve,
                    factor,
                    gaps,
                    stream,
                    from,
                    pieces,
                    begun: from,
                    passed: 0.0,
                    is_first: true,
                    before_s: 0.0,
                }))
            }
            Arrivals::Trace { trace, time_scale } => {
                let mut cursor = trace.cursor();
                let at_s = std::iter::from_fn(|| Some(cursor.next()?.at.seconds() * time_scale));
                let at_s = at_s.take_while(|&at_s| at_s < from.seconds());
                Process::Recorded(at_s.map(|at_s| from.seconds() - at_s).collect())
            }
            Arrivals::ClosedLoop { .. } | Arrivals::Batch(_) => Process::Nobody,
            Arrivals::Regions(_) => unreachable!("no process of one region"),
        }
    }

    fn next(&mut self, region: u16) -> Option<PastArrival> {
        let mut number = None;
        let age_s = match self {
            Process::Clockwork { age_s, every_s } => {
                let age = *age_s;
                *age_s += *every_s;
                age
            }
            Process::Poisson { rate, age_s, stream } => {
                *age_s -= libm::log(stream.unit()) / *rate;
                *age_s
            }
            Process::Varying(varying) => varying.next()?,
            Process::Recorded(ages_s) => {
                let age_s = ages_s.pop()?;
                number = Some(ages_s.len() as u64);
                age_s
            }
            Process::Nobody => return None,
        };
        Some(PastArrival { age_s, region, number })
    }
}

impl Varying {
    /// The age of the next arrival; `None` where there was no demand.
    fn next(&mut self) -> Option<f64> {
        // Gaps are drawn in operational time, in which the expected rate is 1; seen
        // backwards a renewal process is one as well.
        let gap = match std::mem::take(&mut self.is_first) {
            true => self.gaps.first(&mut self.stream),
            false => self.gaps.next(&mut self.stream),
        };
        self.passed += gap;
        loop {
            if self.pieces.is_empty() && self.begun > Time::ZERO {
                self.read();
            }
            let Some(piece) = self.pieces.last() else { break };
            let expected = piece.arrivals() * self.factor;
            if self.passed < expected {
                let at = piece.after((expected - self.passed) / self.factor);
                return Some(self.from.since(at).seconds());
            }
            self.passed -= expected;
            self.pieces.pop();
        }
        let first = self.curve.pieces(Time::ZERO).next()?;
        let rate = first.rate_from * self.factor;
        self.before_s += std::mem::take(&mut self.passed) / rate;
        let age_s = self.from.seconds() + self.before_s;
        age_s.is_finite().then_some(age_s)
    }

    /// Reads the pieces of the hour before those that have been read.
    fn read(&mut self) {
        let until = self.begun;
        self.begun = Time::from_ticks(until.ticks().saturating_sub(HOUR));
        let pieces = self.curve.pieces(self.begun).take_while(|piece| piece.from < until);
        self.pieces.extend(pieces.map(|piece| piece.until(until)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::curve::{DayPlan, Growth, Shape, days};
    use crate::demand::variability::Variability;
    use crate::kernel::Span;
    use crate::scenario::Demand;
    use jiff::Timestamp;
    use jiff::tz::TimeZone;

    fn demand(rate: f64, growth: Vec<Growth>) -> Arrivals {
        let end = Time::ZERO + Span::from_seconds(2.0 * 86_400.0);
        let plan = |day| DayPlan { day, factor: 1.0, shape: 0 };
        let mut hours = [1.0; 24];
        hours.iter_mut().enumerate().for_each(|(hour, value)| *value = 1.0 + hour as f64);
        let days = days(&TimeZone::UTC, Timestamp::UNIX_EPOCH, end).into_iter().map(plan);
        let shapes = Arc::new([Shape::new(&hours).expect("a shape")]);
        Arrivals::Varying(Arc::new(Demand {
            curve: Curve { rate, growth, days: days.collect(), shapes },
            zone: TimeZone::UTC,
            duration: Span::from_seconds(86_400.0),
            uncertain: Vec::new(),
            variability: Variability::default(),
            gaps: Gaps::new(Law::Exponential).expect("a law"),
            tenants: None,
        }))
    }

    fn ages(arrivals: &Arrivals, from_s: f64, until_s: f64, replication: u64) -> Vec<f64> {
        let from = Time::ZERO + Span::from_seconds(from_s);
        let streams = Streams::new(5, replication);
        let mut process = Process::new(arrivals, streams, Keys { own: 7, shared: 7 }, from);
        let ages = std::iter::from_fn(|| Some(process.next(0)?.age_s));
        ages.take_while(|&age_s| age_s < until_s).collect()
    }

    /// Hour by hour before the start there are as many as the curve says, and before
    /// its beginning as at its beginning.
    #[test]
    fn a_curve_is_followed_backwards() {
        let arrivals = demand(0.02, Vec::new());
        let Arrivals::Varying(demand) = &arrivals else { unreachable!() };
        let (from_s, replications) = (9.0 * 3_600.0 + 900.0, 400);
        let mut counts = [0u32; 12];
        for replication in 0..replications {
            for age_s in ages(&arrivals, from_s, 12.0 * 3_600.0, replication) {
                counts[(age_s / 3_600.0) as usize] += 1;
            }
        }
        let first = demand.curve.pieces(Time::ZERO).next().expect("a piece").rate_from;
        for (hour, count) in counts.into_iter().enumerate() {
            let time = |age: f64| Time::ZERO + Span::from_seconds(from_s - age * 3_600.0);
            let (later, earlier) = (hour as f64, hour as f64 + 1.0);
            let begun = demand.curve.arrivals(time(earlier), time(later));
            let before_s = (earlier * 3_600.0 - from_s.max(later * 3_600.0)).max(0.0);
            let exact = f64::from(replications as u32) * (begun + before_s * first);
            let apart = (f64::from(count) - exact).abs();
            assert!(apart < 4.5 * exact.sqrt(), "{hour}: {count} for {exact}");
        }
    }

    /// Clockwork goes on backwards from wherever a run begins.
    #[test]
    fn clockwork_has_the_phase_of_its_clock() {
        let arrivals = Arrivals::Constant { rate: 0.5 };
        assert_eq!(ages(&arrivals, 0.0, 5.0, 0), [0.0, 2.0, 4.0]);
        assert_eq!(ages(&arrivals, 7.5, 5.0, 0), [1.5, 3.5]);
    }

    /// Gaps between past arrivals are exponential, whatever the start.
    #[test]
    fn poisson_arrivals_have_exponential_gaps() {
        let arrivals = Arrivals::Poisson { rate: 2.0 };
        let ages = ages(&arrivals, 100.0, 20_000.0, 0);
        let n = ages.len() as f64;
        assert!((n - 40_000.0).abs() < 4.5 * 200.0, "{n}");
        let short = ages.windows(2).filter(|pair| pair[1] - pair[0] < 0.5).count() as f64;
        let share = 1.0 - libm::exp(-1.0);
        assert!((short / n - share).abs() < 4.5 * (share * (1.0 - share) / n).sqrt());
    }
}
