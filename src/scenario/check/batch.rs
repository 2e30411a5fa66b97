//! Checks batch jobs: when they come, how large they are, when they must be done.

use super::Check;
use super::demand::SECONDS_PER_DAY;
use super::use_case::RATE_MAX;
use crate::demand::curve::days;
use crate::kernel::{Span, Time};
use crate::scenario::raw::{RawBatch, RawUseCase};
use crate::scenario::tree::At;
use crate::scenario::{Arrivals, Batch, Releases};
use jiff::civil;
use std::sync::Arc;

/// Shortest time from one job to the next, and to a deadline.
const SHORTEST_S: f64 = 1.0;
/// Most calls of a job.
const CALLS_MAX: f64 = 1e9;
/// Jobs that are counted where jobs have no end, which is refused.
const FALLBACK_JOBS: u64 = 1;

impl Check<'_> {
    /// Jobs in place of arrivals.
    pub(super) fn batch(&mut self, at: &At<'_>, raw: &RawUseCase) -> Option<Arrivals> {
        let batch = raw.batch.as_ref()?;
        let beside = [
            ("regions", "are where users are, and jobs have none"),
            ("serve", "chooses among regions of users, and jobs have none"),
            ("round_trip", "is the way of a user, and jobs have none"),
        ];
        for (key, problem) in beside {
            if at.key(key).node.is_some() {
                self.wrong(&at.key(key), problem, "remove it, or the batch");
            }
        }
        let varying = super::demand::varies(at, raw).find(|key| *key != "time_zone");
        if let Some(key) = varying {
            let fix = "remove it; jobs of varying size have a distribution of `calls`";
            self.wrong(&at.key(key), "makes a rate of arrivals vary, and jobs have none", fix);
        }
        let place = at.key("batch");
        let releases = self.releases(&place, batch, raw.time_zone.as_deref().unwrap_or("UTC"));
        let calls = self.distribution(&place.key("calls"), &batch.calls)?;
        let mean = calls.expected();
        if !(1.0..=CALLS_MAX).contains(&mean) {
            self.wrong(&place.key("calls"), "is no number of calls", "write one from 1 to 1e9");
            return None;
        }
        let deadline = self.not_shorter(&place.key("deadline"), batch.deadline.value);
        let fill = self.fill(&place.key("fill"), batch.fill);
        let rush = batch.rush.as_ref().map(|rush| Span::from_seconds(rush.value));
        if rush.zip(deadline).is_some_and(|(rush, deadline)| rush > deadline) {
            let problem = "is longer than the deadline";
            self.wrong(&place.key("rush"), problem, "shorten it: at most, a job never yields");
        }
        let releases = releases?;
        let jobs = self.jobs(&releases);
        let length_s = self.horizon.duration.map_or(SECONDS_PER_DAY, Span::seconds);
        let calls_per_s = jobs as f64 * mean / length_s;
        if calls_per_s > RATE_MAX {
            let problem = format!("make {calls_per_s:.1e} calls a second");
            self.wrong(&place.key("calls"), problem, "keep them to a million");
        }
        let (deadline, fill, concurrency) = (deadline?, fill?, batch.concurrency);
        let calls_mean = mean;
        let batch = Batch {
            releases,
            calls,
            deadline,
            fill,
            concurrency,
            rush,
            jobs,
            calls_mean,
            calls_per_s,
        };
        Some(Arrivals::Batch(Arc::new(batch)))
    }

    fn not_shorter(&mut self, at: &At<'_>, seconds: f64) -> Option<Span> {
        if seconds < SHORTEST_S {
            self.wrong(at, "is shorter than a second", "write a duration such as \"8 h\"");
            return None;
        }
        Some(Span::from_seconds(seconds))
    }

    fn releases(&mut self, at: &At<'_>, batch: &RawBatch, zone: &str) -> Option<Releases> {
        let place = at.key("at");
        match (&batch.at, &batch.every) {
            (None, Some(every)) => {
                self.not_shorter(&at.key("every"), every.value).map(Releases::Every)
            }
            (Some(_), Some(_)) => {
                self.wrong(&place, "is given beside every", "keep one of the two");
                None
            }
            (None, None) => {
                let fix = "add at = \"02:00\", a date, or every = \"6 h\"";
                self.wrong(at, "does not say when jobs come", fix);
                None
            }
            (Some(text), None) => {
                let zone = self.zone(&at.key("time_zone"), zone)?;
                let Ok(time) = text.parse::<civil::Time>() else {
                    let once = self.instant(&place, text, &zone)?;
                    return Some(Releases::At(vec![once]));
                };
                let start = self.start_of(&place)?;
                let end = self.horizon.duration.unwrap_or(Span::from_seconds(SECONDS_PER_DAY));
                // A time that clocks skip is met when they have.
                let local = days(&zone, start, Time::ZERO + end).into_iter().filter_map(|day| {
                    let at = day.date.at(time.hour(), time.minute(), time.second(), 0);
                    let instant = at.to_zoned(zone.clone()).ok()?.timestamp();
                    let ns = instant.as_nanosecond() - start.as_nanosecond();
                    (ns >= 0).then(|| Time::ZERO + Span::from_seconds(ns as f64 / 1e9))
                });
                Some(Releases::At(local.filter(|at| *at < Time::ZERO + end).collect()))
            }
        }
    }

    /// Jobs before arrivals end.
    fn jobs(&self, releases: &Releases) -> u64 {
        match (releases, self.horizon.duration) {
            (Releases::Every(every), Some(duration)) => duration.ticks().div_ceil(every.ticks()),
            (Releases::Every(_), None) => FALLBACK_JOBS,
            (Releases::At(instants), duration) => {
                let end = duration.map_or(Time::MAX, |duration| Time::ZERO + duration);
                instants.iter().filter(|&&at| at < end).count() as u64
            }
        }
    }
}
