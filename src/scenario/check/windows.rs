//! Checks which windows of the horizon are simulated.

use super::Check;
use crate::demand::Hours;
use crate::kernel::{Span, Time};
use crate::scenario::raw::{Auto, RawChoose, RawScenario, RawWarmUp, RawWindows};
use crate::scenario::tree::{At, suggest};
use crate::scenario::units::Duration;
use crate::scenario::{Arrivals, Choice, Regime, Scenario, Windows, shared_zone};
use crate::study::forecast::horizon;

/// Length of a window unless another is written.
const LENGTH: &str = "1 h";
/// Shortest window, s: a shorter one holds next to nothing.
const LENGTH_S_MIN: f64 = 1.0;
/// Most hours that are ranked.
const HOURS_MAX: usize = 1_000_000;

impl Check<'_> {
    /// Puts the windows of `raw` into `scenario`, which is complete but for them.
    pub(super) fn windows(
        &mut self,
        root: &At<'_>,
        scenario: &mut Scenario,
        raw: &mut RawScenario,
    ) {
        let at = root.key("windows");
        let Some(written) = &mut raw.windows else { return };
        let seconds =
            written.length.get_or_insert(Duration::read(LENGTH).expect("a duration")).value;
        if seconds < LENGTH_S_MIN {
            self.wrong(&at.key("length"), "is next to no time", "write e.g. \"1 h\"");
            return;
        }
        if !self.suits_windows(&at, scenario, written) {
            return;
        }
        let Some(end) = horizon(scenario) else { return };
        let length = Span::from_seconds(seconds);
        let zone = shared_zone(scenario.use_cases.iter().map(|each| &each.arrivals));
        let hours = Hours::of_length(length, self.horizon.start, zone.clone(), end);
        if hours.count() > HOURS_MAX {
            let problem = format!("divides the horizon into {} windows", hours.count());
            self.wrong(&at.key("length"), problem, "write a longer one, such as \"1 h\"");
            return;
        }
        let warm_up = match written.warm_up.get_or_insert(RawWarmUp::Auto(Auto::Auto)) {
            RawWarmUp::Auto(_) => None,
            RawWarmUp::Fixed(warm_up) => Some(Span::from_seconds(warm_up.value)),
        };
        if warm_up.is_some_and(|warm_up| Time::ZERO + warm_up >= end) {
            let fix = "shorten it, or write \"auto\"";
            self.wrong(&at.key("warm_up"), "is as long as the horizon", fix);
        }
        let pool = written.pool.clone().and_then(|name| self.pool_named(&at, scenario, &name));
        let choice = match &written.at {
            Some(begins) => self.instants(&at.key("at"), begins, &zone, length, end),
            None => self.choice(&at, written, &hours),
        };
        let Some(choice) = choice else { return };
        let count_max = match &choice {
            Choice::WeeklyPeaks => (end.seconds() / (7.0 * 86_400.0)).ceil() as u32 + 1,
            Choice::Worst(count) | Choice::Random(count) => *count,
            Choice::At(begins) => begins.len() as u32,
        };
        scenario.windows = Some(Windows { choice, length, warm_up, pool, count_max });
    }

    /// Whether the scenario is one that has windows.
    fn suits_windows(&mut self, at: &At<'_>, scenario: &Scenario, raw: &RawWindows) -> bool {
        let before = self.mistakes.len();
        if scenario.regime == Regime::Steady {
            let problem = "chooses parts of a steady state, which is the same at all times";
            let fix = "remove it and shorten `duration`, or let demand vary";
            self.wrong(at, problem, fix);
        }
        let ends = |arrivals: &Arrivals| {
            matches!(arrivals, Arrivals::ClosedLoop { requests: Some(_), .. })
        };
        if let Some(use_case) = scenario.use_cases.iter().find(|each| ends(&each.arrivals)) {
            let problem = format!(
                "needs to know when calls come, and the clients of `{}` stop after so many `requests`",
                use_case.name
            );
            self.wrong(at, problem, "remove `requests`, or the windows");
        }
        let is_closed = |arrivals: &Arrivals| matches!(arrivals, Arrivals::ClosedLoop { .. });
        let is_known = scenario.use_cases.iter().any(|each| !is_closed(&each.arrivals));
        if !is_known && !scenario.use_cases.is_empty() {
            let problem = "needs a rate of arrivals that is known beforehand";
            self.wrong(at, problem, "add a use case that is no closed loop");
        }
        match (raw.choose, &raw.at) {
            (None, None) => {
                let fix = "write choose = \"weekly-peaks\", \"worst\" or \"random\", or at = [...]";
                self.missing(&at.key("choose"), "is missing", fix);
            }
            (Some(_), Some(_)) => {
                let problem = "is given beside `choose`, which chooses others";
                self.wrong(&at.key("at"), problem, "remove one of them");
            }
            _ => {}
        }
        if let (Some(_), true) = (raw.count, raw.choose.is_none_or(counts_itself)) {
            let problem = "is how many windows are the worst or random, and here is neither";
            self.wrong(&at.key("count"), problem, "remove it");
        }
        self.mistakes.len() == before
    }

    fn pool_named(&mut self, at: &At<'_>, scenario: &Scenario, name: &str) -> Option<usize> {
        let found = scenario.pools.iter().position(|pool| pool.name == name);
        if found.is_none() {
            let names: Vec<&str> = scenario.pools.iter().map(|pool| pool.name.as_str()).collect();
            let fix = suggest(name, names.iter().copied());
            self.wrong(&at.key("pool"), "is no pool of this scenario", fix);
        }
        let has_rate = |pool: usize| {
            let mut use_cases =
                scenario.use_cases.iter().filter(|each| each.pools().contains(&pool));
            use_cases.any(|each| !matches!(each.arrivals, Arrivals::ClosedLoop { .. }))
        };
        if found.is_some_and(|pool| !has_rate(pool)) {
            let problem = "serves nothing whose rate is known beforehand";
            self.wrong(&at.key("pool"), problem, "name another pool");
        }
        found
    }

    fn choice(&mut self, at: &At<'_>, raw: &RawWindows, hours: &Hours) -> Option<Choice> {
        let choose = raw.choose?;
        if hours.count() == 0 {
            let problem = "is longer than the horizon, or than what its clock leaves of it";
            self.wrong(&at.key("length"), problem, "shorten it, or lengthen `duration`");
            return None;
        }
        if counts_itself(choose) {
            return Some(Choice::WeeklyPeaks);
        }
        let Some(count) = raw.count else {
            let fix = "add how many windows, e.g. count = 10";
            self.missing(&at.key("count"), "is missing", fix);
            return None;
        };
        if count as usize > hours.count() {
            let problem = format!("is more windows than the horizon holds: {}", hours.count());
            let fix = "lower it, or remove the windows to simulate the whole horizon";
            self.wrong(&at.key("count"), problem, fix);
            return None;
        }
        Some(match choose {
            RawChoose::Worst => Choice::Worst(count),
            RawChoose::Random | RawChoose::WeeklyPeaks => Choice::Random(count),
        })
    }

    /// The instants at which windows begin, in order.
    fn instants(
        &mut self,
        at: &At<'_>,
        begins: &[String],
        zone: &jiff::tz::TimeZone,
        length: Span,
        end: Time,
    ) -> Option<Choice> {
        let before = self.mistakes.len();
        if begins.is_empty() {
            let fix = "name when windows begin, e.g. at = [\"2026-11-27T20:00\"]";
            self.wrong(at, "has no window in it", fix);
        }
        let mut found: Vec<(Time, &String)> = Vec::new();
        for (place, text) in at.entries().zip(begins) {
            let Some(begin) = self.instant(&place, text, zone) else { continue };
            if begin + length > end {
                let problem = "does not end within the horizon";
                self.wrong(&place, problem, "write an earlier one, or lengthen `duration`");
            }
            let overlaps =
                |(other, _): &&(Time, &String)| begin < *other + length && *other < begin + length;
            if let Some((_, other)) = found.iter().find(overlaps) {
                let problem = format!("overlaps the window at {other}");
                self.wrong(&place, problem, "keep them apart, so that no call counts twice");
            }
            found.push((begin, text));
        }
        let mut begins: Vec<Time> = found.into_iter().map(|(begin, _)| begin).collect();
        begins.sort();
        (self.mistakes.len() == before).then_some(Choice::At(begins))
    }
}

/// Whether there are as many windows as there are.
fn counts_itself(choose: RawChoose) -> bool {
    choose == RawChoose::WeeklyPeaks
}
