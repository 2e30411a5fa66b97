//! Arrivals that are expected of one use case, and the tokens they bring.

use super::brings::{Brings, Estimate, Of};
use crate::demand::Hours;
use crate::demand::curve::Curve;
use crate::demand::variability::Crowding;
use crate::demand::{Process, Source};
use crate::kernel::Time;
use crate::random::Streams;
use crate::scenario::{Arrivals, Demand, Lengths, Scenario, UseCase};
use crate::study::Brought;

/// How much of the forecast is in a number of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upto {
    /// The mean rate.
    Base,
    /// As it varies with hours, days and seasons, and by crowds.
    Variability,
    /// As it grows, too.
    Growth,
}

/// What is expected of one use case.
pub struct Expected<'s> {
    scenario: &'s Scenario,
    at: usize,
    brings: Brings,
    /// What arrivals would bring if no call thought and a run of an agent were one
    /// call; `None`: neither is the case.
    bare: Option<Brings>,
    /// The same with thinking; `None`: there are no agents.
    at_once: Option<Brings>,
    /// Of arrivals that bring what was drawn, not recorded.
    is_drawn: bool,
    /// Arrivals of each region, with their rate without growth where they vary.
    parts: Vec<(&'s Arrivals, Option<Curve>)>,
    /// When arrivals end.
    pub end: Time,
}

impl<'s> Expected<'s> {
    /// What is expected until `end` of the use case at index `at`; `None` of a
    /// closed loop.
    pub fn new(scenario: &'s Scenario, at: usize, end: Time) -> Option<Expected<'s>> {
        let use_case = &scenario.use_cases[at];
        if let Arrivals::ClosedLoop { .. } = use_case.arrivals {
            return None;
        }
        let varied = |arrivals: &Arrivals| match arrivals {
            Arrivals::Varying(demand) => Some(Curve { growth: Vec::new(), ..demand.curve.clone() }),
            _ => None,
        };
        let parts = use_case.arrivals.parts().map(|part| (part, varied(part))).collect();
        let is_drawn = match (&use_case.lengths, &use_case.arrivals) {
            (Lengths::Recorded, _) => false,
            // Every recorded session begins once.
            (Lengths::Replayed(replay), Arrivals::Trace { trace, .. }) => {
                trace.calls != replay.graph.sessions()
            }
            _ => true,
        };
        // A recording counts as far as it is replayed.
        let replayed = || (!is_drawn).then(|| (instants(use_case, scenario), end));
        let brings = count(replayed(), |visit| Brought::each(scenario, at, visit));
        let sessions = brings.count();
        let without_agents = |thinks| {
            count(replayed(), |visit| {
                Brought::each_without_agents(scenario, at, thinks, sessions, visit);
            })
        };
        let has_agents = use_case.crew().is_some();
        let bare = (has_agents || use_case.may_think()).then(|| without_agents(false));
        let at_once = has_agents.then(|| without_agents(true));
        Some(Expected { scenario, at, brings, bare, at_once, is_drawn, parts, end })
    }

    /// Whether any call thinks.
    pub fn thinks(&self) -> bool {
        self.use_case().may_think()
    }

    /// All tokens over the whole horizon at the mean rate, if no call thought and a
    /// run of an agent were one call.
    pub fn base(&self) -> f64 {
        let brings = self.bare.as_ref().unwrap_or(&self.brings);
        brings.mean(Of::All).mean * self.arrivals(Upto::Base)
    }

    /// The same with thinking.
    pub fn reasoned(&self) -> f64 {
        let brings = self.at_once.as_ref().unwrap_or(&self.brings);
        brings.mean(Of::All).mean * self.arrivals(Upto::Base)
    }

    /// The use case.
    pub fn use_case(&self) -> &'s UseCase {
        &self.scenario.use_cases[self.at]
    }

    /// Arrivals over the whole horizon.
    pub fn arrivals(&self, upto: Upto) -> f64 {
        let seconds = self.end.seconds();
        let arrivals = |(arrivals, varied): &(&Arrivals, Option<Curve>)| match (arrivals, varied) {
            (Arrivals::Poisson { rate } | Arrivals::Constant { rate }, _) => rate * seconds,
            (Arrivals::Batch(batch), _) => {
                batch.releases(self.end).count() as f64 * batch.calls_mean
            }
            (Arrivals::Varying(demand), _) if upto == Upto::Base => demand.curve.rate * seconds,
            (Arrivals::Varying(demand), Some(varied)) => {
                let curve = if upto == Upto::Growth { &demand.curve } else { varied };
                expected(demand, curve, Time::ZERO, self.end)
            }
            _ if self.is_drawn => self.replayed().count() as f64,
            _ => self.brings.count(),
        };
        self.parts.iter().map(arrivals).sum()
    }

    /// That of all arrivals over the whole horizon.
    pub fn sum(&self, of: Of, upto: Upto) -> Estimate {
        let arrivals = self.arrivals(upto);
        match self.is_drawn || self.thinks() {
            true => self.brings.mean(of).times(arrivals),
            // All of them were counted.
            false => Estimate { mean: self.brings.mean(of).mean * arrivals, error: 0.0 },
        }
    }

    /// Tokens to be computed of each hour, with growth or without, added to `sums`.
    pub fn add_hours(&self, hours: &Hours, upto: Upto, sums: &mut [f64]) {
        let stretches: Vec<_> = (0..hours.count()).map(|index| hours.at(index)).collect();
        self.add(&stretches, Of::Computed, upto, sums);
    }

    /// What is expected of each of these stretches, with growth or without, added
    /// to `sums`. They are in order and do not overlap.
    pub fn add(&self, stretches: &[(Time, Time)], of: Of, upto: Upto, sums: &mut [f64]) {
        self.parts.iter().for_each(|part| self.add_of(part, stretches, of, upto, sums));
    }

    fn add_of(
        &self,
        (arrivals, varied): &(&Arrivals, Option<Curve>),
        stretches: &[(Time, Time)],
        of: Of,
        upto: Upto,
        sums: &mut [f64],
    ) {
        let mean = self.brings.mean(of).mean;
        let holding = |now: Time| {
            let at = stretches.partition_point(|(_, until)| *until <= now);
            stretches.get(at).is_some_and(|(from, _)| *from <= now).then_some(at)
        };
        match (arrivals, varied) {
            (Arrivals::Poisson { rate } | Arrivals::Constant { rate }, _) => {
                for (sum, (from, until)) in sums.iter_mut().zip(stretches) {
                    *sum += mean * rate * until.since(*from).seconds();
                }
            }
            // Evenly until its deadline: where the troughs are is not known here.
            (Arrivals::Batch(batch), _) => {
                let rate = mean * batch.calls_mean / batch.deadline.seconds();
                for release in batch.releases(self.end) {
                    let due = release + batch.deadline;
                    let first = stretches.partition_point(|(_, until)| *until <= release);
                    let after = stretches.iter().zip(&mut *sums).skip(first);
                    for (&(from, until), sum) in after.take_while(|((from, _), _)| *from < due) {
                        let (from, until) = (from.max(release), until.min(due));
                        *sum += rate * until.since(from).seconds();
                    }
                }
            }
            (Arrivals::Varying(demand), Some(varied)) => {
                let curve = if upto == Upto::Growth { &demand.curve } else { varied };
                for (sum, (from, until)) in sums.iter_mut().zip(stretches) {
                    *sum += mean * expected(demand, curve, *from, *until);
                }
            }
            _ if self.is_drawn => {
                self.replayed().filter_map(holding).for_each(|at| sums[at] += mean);
            }
            _ => {
                let mut instants = instants(self.use_case(), self.scenario);
                let mut now = Time::ZERO;
                Brought::each(self.scenario, self.at, |brought| {
                    now = instants.next(now).expect("an instant for each recorded call");
                    if let Some(at) = holding(now).filter(|_| now < self.end) {
                        sums[at] += of.of(&brought);
                    }
                });
            }
        }
    }

    /// Instants of recorded arrivals within the horizon.
    fn replayed(&self) -> impl Iterator<Item = Time> {
        let mut instants = instants(self.use_case(), self.scenario);
        let (mut now, end) = (Time::ZERO, self.end);
        std::iter::from_fn(move || {
            now = instants.next(now)?;
            (now < end).then_some(now)
        })
    }
}

/// Counts the arrivals that `each` tells of; of a recording those before its end.
fn count(
    mut replayed: Option<(Process, Time)>,
    each: impl FnOnce(&mut dyn FnMut(Brought)),
) -> Brings {
    let mut brings = Brings::default();
    let mut now = Time::ZERO;
    each(&mut |brought| {
        let is_in = replayed.as_mut().is_none_or(|(instants, end)| {
            now = instants.next(now).expect("an instant for each recorded call");
            now < *end
        });
        if is_in {
            brings.add(&brought);
        }
    });
    brings
}

/// The arrivals of `use_case` as they would be simulated.
fn instants(use_case: &UseCase, scenario: &Scenario) -> Process {
    match Source::new(use_case, Streams::new(scenario.seed, 0), Time::ZERO) {
        Source::Open(process) => process,
        Source::Closed(_) | Source::Batch(_) => unreachable!("only recorded instants are asked"),
    }
}

/// Arrivals along `curve`, and in the crowds on top of it.
fn expected(demand: &Demand, curve: &Curve, from: Time, until: Time) -> f64 {
    let crowds = demand.variability.crowds.as_ref();
    let crowded = crowds.map_or(1.0, |crowds| 1.0 + extra(crowds, from, until));
    curve.arrivals(from, until) * crowded
}

/// What crowds add in the mean between two instants, as a multiple of the rate
/// without them: peak x decay / every, once there has been time for them to come.
/// Of crowds whose peak has no mean it is 0.
fn extra(crowds: &Crowding, from: Time, until: Time) -> f64 {
    let (a, b, decay) = (from.seconds(), until.seconds(), crowds.decay_s);
    let peak = crowds.peak.mean().unwrap_or(0.0).max(0.0);
    let absent = decay / (b - a) * (libm::exp(-a / decay) - libm::exp(-b / decay));
    peak * decay / crowds.every_s * (1.0 - absent)
}
