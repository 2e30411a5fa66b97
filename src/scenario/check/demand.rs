//! Checks how demand varies: users, growth, season, profile, and what cannot be
//! foreseen.

use super::Check;
use super::days::{Course, scaled};
use super::use_case::RATE_MAX;
use crate::catalog::{Profile, week};
use crate::demand::curve::{Curve, DayPlan, Growth, Shape, days};
use crate::demand::variability::{Crowding, DayNoise, Gaps, Law, State, Variability};
use crate::kernel::{Span, Time};
use crate::random::Distribution;
use crate::scenario::raw::{
    RawCause, RawGaps, RawHours, RawProfile, RawState, RawStates, RawTenants, RawUseCase,
    RawVariability,
};
use crate::scenario::tree::{At, nearest};
use crate::scenario::units::Duration;
use crate::scenario::{Arrivals, Demand, Tenants};
use crate::simulation;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::{TimeZone, TimeZoneDatabase};
use std::sync::Arc;

/// Keys that make the rate of arrivals vary.
const KEYS: [&str; 6] = ["time_zone", "growth", "season", "profile", "calendar", "variability"];
/// Where a rate that never varies ends: later than any run.
const FOREVER_S: f64 = 30.0 * 365.0 * 86_400.0;
/// A steady state is kept up until the calls of its window have ended, which they
/// may take as long again for, or this.
const LINGER: Span = simulation::DRAIN_MAX;
/// Shortest times that demand may change in, s: shorter ones are one instant.
const CHANGE_S_MIN: f64 = 1e-3;
pub(super) const SECONDS_PER_DAY: f64 = 86_400.0;

/// Time zero and the end of arrivals.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Horizon {
    pub start: Option<Timestamp>,
    pub is_start_given: bool,
    pub duration: Option<Span>,
}

/// Which keys make the arrivals of a use case vary: those written at `at`, and
/// those that a region adds to `raw`.
pub(super) fn varies(at: &At<'_>, raw: &RawUseCase) -> impl Iterator<Item = &'static str> {
    let added = [
        ("time_zone", raw.time_zone.is_some()),
        ("profile", raw.profile.is_some()),
        ("calendar", raw.calendar.is_some()),
    ];
    KEYS.into_iter().filter(move |key| {
        at.key(key).node.is_some() || added.iter().any(|(name, is_there)| name == key && *is_there)
    })
}

impl Check<'_> {
    /// The rate that users make, if there are any.
    pub(super) fn users(&mut self, at: &At<'_>, raw: &RawUseCase) -> Option<f64> {
        let pair = [at.key("users"), at.key("sessions_per_user_per_day")];
        match (raw.users, raw.sessions_per_user_per_day) {
            (Some(users), Some(sessions)) => {
                let rate = users * sessions / SECONDS_PER_DAY;
                if rate > RATE_MAX {
                    let problem = format!("make {rate:.1e} calls a second");
                    self.wrong(&pair[0], problem, "keep them to a million, or split the use case");
                }
                return Some(rate);
            }
            (Some(_), None) => {
                self.missing(&pair[1], "is missing: users alone call nobody", "add e.g. 0.8");
            }
            (None, Some(_)) => {
                self.missing(&pair[0], "is missing", "add how many users there are");
            }
            (None, None) => {}
        }
        None
    }

    /// The arrivals of a use case whose `steady` ones would come at a constant
    /// rate, as it varies.
    pub(super) fn varying(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        steady: Arrivals,
    ) -> Option<Arrivals> {
        let keys: Vec<&str> = varies(at, raw).collect();
        let (Some(first), rate) = (keys.first(), &steady) else { return Some(steady) };
        let (rate, law) = match rate {
            Arrivals::Poisson { rate } => (*rate, Law::Exponential),
            Arrivals::Constant { rate } => (*rate, Law::Constant),
            Arrivals::ClosedLoop { .. }
            | Arrivals::Trace { .. }
            | Arrivals::Varying(_)
            | Arrivals::Batch(_)
            | Arrivals::Regions(_) => {
                let problem = "makes a rate of arrivals vary, and here is none";
                let fix = "remove it, or write users or arrivals = { process = \"poisson\", ... }";
                self.wrong(&at.key(first), problem, fix);
                return None;
            }
        };
        let zone = self.zone(&at.key("time_zone"), raw.time_zone.as_deref().unwrap_or("UTC"))?;
        let has_days = ["season", "profile", "calendar"].iter().any(|key| keys.contains(key))
            || raw.variability.as_ref().is_some_and(|spec| spec.day_noise.is_some());
        let curve = self.curve(at, raw, &zone, rate, has_days);
        let growth = self.growth(at, raw, &zone);
        let variability = raw.variability.clone().unwrap_or_default();
        let gaps = self.gaps(&at.key("variability").key("gaps"), &variability, law);
        let tenants = self.tenants(&at.key("variability").key("tenants"), &variability);
        let variability = self.variability(&at.key("variability"), &variability);
        let (growth, uncertain) = growth?;
        let demand = Demand {
            curve: Curve { growth, ..curve? },
            zone,
            duration: self.horizon.duration.unwrap_or(Span::ZERO),
            uncertain,
            variability: variability?,
            gaps: gaps?,
            tenants: tenants?,
        };
        self.extent(at, raw, &demand);
        Some(Arrivals::Varying(Arc::new(demand)))
    }

    pub(super) fn zone(&mut self, at: &At<'_>, name: &str) -> Option<TimeZone> {
        let zones = TimeZoneDatabase::bundled();
        match zones.get(name) {
            Ok(zone) => Some(zone),
            Err(_) => {
                let known: Vec<String> =
                    zones.available().map(|zone| zone.as_str().to_owned()).collect();
                let fix = match nearest(name, known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean \"{near}\"?"),
                    None => "write one such as \"America/New_York\"".to_owned(),
                };
                self.wrong(at, "is no time zone of the IANA database", fix);
                None
            }
        }
    }

    /// The curve, growth apart. It needs to know the day where days differ.
    fn curve(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        zone: &TimeZone,
        rate: f64,
        has_days: bool,
    ) -> Option<Curve> {
        let profile = self.profile(&at.key("profile"), raw.profile.as_ref());
        let months = self.season(&at.key("season"), raw.season.as_deref());
        let name = raw.calendar.as_deref().unwrap_or("plain");
        let found = self.catalog.calendar(name);
        let calendar = self.known(&at.key("calendar"), found);
        let end = match self.horizon.duration {
            Some(duration) if has_days => duration + duration.max(LINGER),
            _ => Span::from_seconds(FOREVER_S),
        };
        let (profile, months, calendar) = (profile?, months?, calendar?);
        if !has_days {
            let start = Timestamp::UNIX_EPOCH;
            let mut whole = days(&TimeZone::UTC, start, Time::from_ticks(1));
            whole[0].until = Time::ZERO + end;
            let plan = whole.into_iter().map(|day| DayPlan { day, factor: 1.0, shape: 0 });
            let shapes = Arc::new([Shape::FLAT]);
            return Some(Curve { rate, growth: Vec::new(), days: plan.collect(), shapes });
        }
        let start = self.start_of(at)?;
        let course = Course { profile: &profile, months, calendar: &calendar };
        match course.plan(days(zone, start, Time::ZERO + end)) {
            Ok((plans, shapes)) => {
                let (days, shapes) = (plans.into(), shapes.into());
                Some(Curve { rate, growth: Vec::new(), days, shapes })
            }
            Err(problem) => {
                self.wrong(&at.key("calendar"), problem, "lower the multiples of its days");
                None
            }
        }
    }

    /// The calendar instant of time zero, which something at `at` depends on.
    pub(super) fn start_of(&mut self, at: &At<'_>) -> Option<Timestamp> {
        if self.horizon.start.is_none() && !self.horizon.is_start_given {
            let fix = "add e.g. start = \"2026-11-16T00:00:00Z\" at the top";
            self.wrong(at, "varies with the calendar, and the scenario has no start", fix);
        }
        self.horizon.start
    }

    pub(super) fn profile(&mut self, at: &At<'_>, raw: Option<&RawProfile>) -> Option<Profile> {
        let flat = self.catalog.profile("flat").expect("it is in the catalog");
        match raw {
            None => Some((*flat).clone()),
            Some(RawProfile::Named(name)) => match self.catalog.profile(name) {
                Ok(profile) => Some((*profile).clone()),
                Err(unknown) => self.known(at, Err(unknown)),
            },
            Some(RawProfile::Own(RawHours { weekday, weekend, days })) => {
                let weekday = self.hours(&at.key("weekday"), weekday);
                let weekend = match weekend {
                    Some(hours) => self.hours(&at.key("weekend"), hours),
                    None => weekday,
                };
                let days = match days {
                    Some(days) => self.scaled::<7>(&at.key("days"), days).and_then(week),
                    None => Some([1.0; 7]),
                };
                Some(Profile {
                    weekday: weekday?,
                    weekend: weekend?,
                    days: days?,
                    ..(*flat).clone()
                })
            }
        }
    }

    fn hours(&mut self, at: &At<'_>, hours: &[f64]) -> Option<Shape> {
        self.scaled::<24>(at, hours).and_then(|hours| Shape::new(&hours))
    }

    /// `N` values of which one is above zero.
    fn scaled<const N: usize>(&mut self, at: &At<'_>, values: &[f64]) -> Option<[f64; N]> {
        let Ok(values) = <[f64; N]>::try_from(values) else {
            let problem = format!("has {} values", values.len());
            self.wrong(at, problem, format!("write {N} of them"));
            return None;
        };
        let sum: f64 = values.iter().sum();
        if values.iter().any(|&value| value < 0.0 || !value.is_finite()) {
            self.wrong(at, "has a value that is no demand", "write 0 or more");
        } else if !(sum > 0.0 && sum.is_finite()) {
            self.wrong(at, "has no demand at all", "write a value above 0");
        } else {
            return Some(values);
        }
        None
    }

    fn season(&mut self, at: &At<'_>, months: Option<&[f64]>) -> Option<[f64; 12]> {
        let Some(months) = months else { return Some([1.0; 12]) };
        self.scaled::<12>(at, months).map(scaled)
    }

    /// Causes of growth, and which of them are drawn once a replication.
    #[expect(clippy::type_complexity, reason = "used once")]
    fn growth(
        &mut self,
        at: &At<'_>,
        raw: &RawUseCase,
        zone: &TimeZone,
    ) -> Option<(Vec<Growth>, Vec<(usize, Distribution)>)> {
        let at = at.key("growth");
        let causes = raw.growth.as_ref().map_or(Vec::new(), |growth| growth.causes());
        let places: Vec<At<'_>> = match raw.growth {
            Some(crate::scenario::raw::RawGrowth::Several(_)) => at.entries().collect(),
            _ => vec![at.clone()],
        };
        let (mut growth, mut uncertain) = (Vec::new(), Vec::new());
        for (at, cause) in places.iter().zip(causes) {
            growth.push(match cause {
                RawCause::Compound { rate } => Growth::Doubling { seconds: rate.doubling_s() },
                RawCause::Doubling { every } => {
                    let at = at.key("every");
                    let law = self.distribution(&at, &every)?;
                    let Some(mean) = law.mean().filter(|mean| *mean > 0.0) else {
                        self.wrong(&at, "is no time to double in", "write e.g. \"7.5 months\"");
                        return None;
                    };
                    if !law.is_constant() {
                        uncertain.push((growth.len(), law));
                    }
                    Growth::Doubling { seconds: mean }
                }
                RawCause::Adoption { doubling, ceiling } => {
                    let seconds = self.change(&at.key("doubling"), &doubling)?;
                    Growth::Adoption { seconds, ceiling }
                }
                RawCause::Launch { at: when, factor, ramp } => {
                    let ramp = Span::from_seconds(ramp.map_or(0.0, |ramp| ramp.value));
                    let when = self.instant(&at.key("at"), &when, zone)?;
                    Growth::Step { at: when, factor, ramp }
                }
            });
        }
        Some((growth, uncertain))
    }

    /// A local date, or date and time, as simulated time.
    pub(super) fn instant(&mut self, at: &At<'_>, text: &str, zone: &TimeZone) -> Option<Time> {
        let start = self.start_of(at)?;
        let local = text.parse::<DateTime>().ok().and_then(|at| at.to_zoned(zone.clone()).ok());
        let instant = text.parse::<Timestamp>().ok().or(local.map(|zoned| zoned.timestamp()));
        let Some(instant) = instant else {
            let fix = "write a date such as \"2026-11-27\", or \"2026-11-27T09:00\"";
            self.wrong(at, "is neither a date nor a date and time", fix);
            return None;
        };
        let seconds = (instant.as_nanosecond() - start.as_nanosecond()) as f64 / 1e9;
        if seconds < 0.0 {
            self.wrong(at, "lies before the start of the scenario", "write a later date");
            return None;
        }
        Some(Time::ZERO + Span::from_seconds(seconds))
    }

    /// A time that is not next to nothing.
    fn change(&mut self, at: &At<'_>, time: &Duration) -> Option<f64> {
        if time.value < CHANGE_S_MIN {
            self.wrong(at, "is next to no time", "write a duration such as \"15 min\"");
            return None;
        }
        Some(time.value)
    }

    fn gaps(&mut self, at: &At<'_>, raw: &RawVariability, steady: Law) -> Option<Gaps> {
        let law = match raw.gaps {
            None => steady,
            Some(RawGaps::Exponential {}) => Law::Exponential,
            Some(RawGaps::Gamma { cv }) => Law::Gamma { cv },
            Some(RawGaps::Weibull { shape }) => Law::Weibull { shape },
            Some(RawGaps::Constant {}) => Law::Constant,
        };
        match Gaps::new(law) {
            Ok(gaps) => Some(gaps),
            Err(problem) => {
                self.wrong(at, problem, "write another parameter");
                None
            }
        }
    }

    /// The outer `None` is a mistake.
    fn tenants(&mut self, at: &At<'_>, raw: &RawVariability) -> Option<Option<Tenants>> {
        let Some(RawTenants { count, zipf, on, off }) = raw.tenants.clone() else {
            return Some(None);
        };
        let on_off_s = match (on, off) {
            (None, None) => None,
            (Some(on), Some(off)) => {
                let on = self.change(&at.key("on"), &on);
                Some((on?, self.change(&at.key("off"), &off)?))
            }
            (on, _) => {
                let key = at.key(if on.is_some() { "off" } else { "on" });
                self.missing(&key, "is missing beside the other one", "add e.g. \"2 h\"");
                return None;
            }
        };
        Some(Some(Tenants { count, zipf, on_off_s }))
    }

    fn variability(&mut self, at: &At<'_>, raw: &RawVariability) -> Option<Variability> {
        let day_noise = raw.day_noise.as_ref();
        let day_noise =
            day_noise.map(|raw| DayNoise { cv: raw.cv.0, correlation: raw.correlation });
        let place = at.key("states");
        let mut chains = Vec::new();
        for (at, states) in match &raw.states {
            None => Vec::new(),
            Some(RawStates::One(states)) => vec![(place, states.as_slice())],
            Some(states) => place.entries().zip(states.chains()).collect(),
        } {
            chains.extend(self.states(&at, states)?);
        }
        let crowds = match &raw.crowds {
            None => None,
            Some(raw) => {
                let place = at.key("crowds");
                let every_s = self.change(&place.key("every"), &raw.every);
                let peak = self.distribution(&place.key("peak"), &raw.peak);
                let decay_s = self.change(&place.key("decay"), &raw.decay);
                let (every_s, decay_s) = (every_s?, decay_s?);
                if decay_s > 100.0 * every_s {
                    let fix = "let them come more seldom, or go away faster";
                    self.wrong(&place, "pile up by the hundred", fix);
                }
                Some(Crowding { every_s, peak: peak?, decay_s })
            }
        };
        Some(Variability { day_noise, chains, crowds })
    }

    /// The states of a chain; without any there is none. The outer `None` is a
    /// mistake.
    fn states(&mut self, at: &At<'_>, raw: &[RawState]) -> Option<Option<Vec<State>>> {
        let mut states = Vec::new();
        for (at, raw) in at.entries().zip(raw) {
            let mean_s = self.change(&at.key("mean"), &raw.mean)?;
            states.push(State { factor: raw.factor, mean_s });
        }
        if !states.is_empty() && states.iter().all(|state| state.factor == 0.0) {
            self.wrong(at, "has no state with demand", "write a factor above 0");
            return None;
        }
        if states.len() == 1 {
            self.wrong(at, "has one state to be in", "add another one, or remove it");
            return None;
        }
        Some((!states.is_empty()).then_some(states))
    }

    /// Refuses demand that grows beyond what can be simulated.
    fn extent(&mut self, at: &At<'_>, raw: &RawUseCase, demand: &Demand) {
        let Some(duration) = self.horizon.duration else { return };
        let peak = demand.curve.peak(Time::ZERO, Time::ZERO + duration);
        if peak.is_nan() || peak > RATE_MAX {
            let key = if raw.growth.is_some() { at.key("growth") } else { at.clone() };
            let problem = format!("reaches {peak:.1e} arrivals a second");
            self.wrong(&key, problem, "keep them to a million, or split the use case");
        }
    }
}
