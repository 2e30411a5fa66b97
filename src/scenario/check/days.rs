//! What each day of a horizon is like: its weekday, its month, its calendar.

use super::Check;
use crate::catalog::{Calendar, Catalog, Profile, RawCalendar, RawDay};
use crate::demand::curve::{Day, DayPlan, Shape};
use crate::scenario::raw::RawScenario;
use crate::scenario::tree::At;
use jiff::civil::{Date, date};
use jiff::{Span, ToSpan};
use std::collections::BTreeMap;

/// Most rows of a CSV file of days.
const ROWS_MAX: usize = 100_000;

/// What makes days differ.
pub(super) struct Course<'a> {
    pub profile: &'a Profile,
    /// Of the mean day of a common year.
    pub months: [f64; 12],
    pub calendar: &'a Calendar,
}

impl Course<'_> {
    /// The plan of these days and the shapes that it names, or why there can be
    /// none.
    pub(super) fn plan(&self, days: Vec<Day>) -> Result<(Vec<DayPlan>, Vec<Shape>), String> {
        let mut shapes = vec![self.profile.weekday, self.profile.weekend];
        let mut scales = BTreeMap::new();
        let mut plans = Vec::with_capacity(days.len());
        for day in days {
            let weekend = u16::from(day.date.weekday().to_monday_zero_offset() >= 5);
            let year = self.year_of(day.date);
            let scale = match scales.get(&year) {
                Some(scale) => *scale,
                None => *scales.entry(year).or_insert(self.scale(year)?),
            };
            let (factor, shape) = match self.calendar.special(day.date) {
                Some(special) => {
                    let shape = special.hours.map_or(weekend, |hours| {
                        let known = shapes.iter().position(|shape| *shape == hours);
                        known.unwrap_or_else(|| {
                            shapes.push(hours);
                            shapes.len() - 1
                        }) as u16
                    });
                    (special.multiple, shape)
                }
                None => (self.plain(day.date) * scale, weekend),
            };
            plans.push(DayPlan { day, factor, shape });
        }
        Ok((plans, shapes))
    }

    /// Demand of a day without a multiple, relative to others of its kind.
    fn plain(&self, date: Date) -> f64 {
        let weekday = date.weekday().to_monday_zero_offset() as usize;
        self.profile.days[weekday] * month_on(&self.months, date) * self.calendar.level(date)
    }

    /// The year whose season a day belongs to: one that began the year before
    /// and is not over, or the one of its own year.
    fn year_of(&self, date: Date) -> i16 {
        let before = date.year() - 1;
        let is_last = self.calendar.season_of(before).is_some_and(|(_, last)| date <= last);
        if is_last { before } else { date.year() }
    }

    /// What plain days of a season are multiplied by, so that its mean day is 1.
    fn scale(&self, year: i16) -> Result<f64, String> {
        let (mut left, mut plain) = (0.0, 0.0);
        let days = self.calendar.season_of(year).into_iter();
        let days = days
            .flat_map(|(first, last)| first.series(1.day()).take_while(move |day| *day <= last));
        for day in days {
            match self.calendar.special(day) {
                Some(special) => left += 1.0 - special.multiple,
                None => {
                    left += 1.0;
                    plain += self.plain(day);
                }
            }
        }
        if plain > 0.0 && left > 0.0 {
            Ok(left / plain)
        } else if plain == 0.0 && left.abs() < 1e-9 {
            Ok(1.0)
        } else {
            let name = &self.calendar.name;
            Err(format!("leaves no demand to the other days of the season of {year} in {name}"))
        }
    }
}

/// Months scaled so that the mean day of a common year is 1.
pub(super) fn scaled(months: [f64; 12]) -> [f64; 12] {
    let day = |day: i64| month_on(&months, date(2026, 1, 1).saturating_add(day.days()));
    let mean = (0..365).map(day).sum::<f64>() / 365.0;
    months.map(|month| month / mean)
}

/// The season on a day: months are met in their middle, linear in between.
fn month_on(months: &[f64; 12], date: Date) -> f64 {
    let middle = |date: Date| f64::from(date.days_in_month()) / 2.0;
    let month = date.month() as usize - 1;
    let passed = f64::from(date.day()) - 0.5 - middle(date);
    let (other, step) = if passed < 0.0 { ((month + 11) % 12, -1) } else { ((month + 1) % 12, 1) };
    let neighbor = date.first_of_month().saturating_add(Span::new().months(step));
    let share = passed.abs() / (middle(date) + middle(neighbor));
    months[month] + (months[other] - months[month]) * share
}

impl Check<'_> {
    /// Adds the scenario's own calendars to `catalog`.
    pub(super) fn calendars(
        &mut self,
        root: &At<'_>,
        catalog: &mut Catalog,
        raw: &mut RawScenario,
    ) {
        for (at, entry) in self.entries::<RawCalendar>(root, "calendar") {
            let added = entry.as_ref().map(|entry| {
                let mut whole = entry.clone();
                if let Some(csv) = &entry.csv {
                    whole.days.extend(self.days_of_csv(&at.key("csv"), csv));
                }
                let mut larger = catalog.clone();
                larger.add_calendar(&whole).map(|_| larger)
            });
            self.own_entry(&at, added, catalog);
            raw.calendar.extend(entry);
        }
    }

    /// The days of a CSV file with columns date and multiple, and perhaps name.
    fn days_of_csv(&mut self, at: &At<'_>, path: &str) -> Vec<RawDay> {
        let mut rows = match csv::Reader::from_path(self.base_dir.join(path)) {
            Ok(reader) => reader,
            Err(error) => {
                self.wrong(at, format!("cannot be read: {error}"), "name a CSV file");
                return Vec::new();
            }
        };
        let head = rows.headers().cloned().unwrap_or_default();
        let column = |name: &str| head.iter().position(|cell| cell.trim() == name);
        let (Some(date), Some(multiple)) = (column("date"), column("multiple")) else {
            let found: Vec<&str> = head.iter().collect();
            let problem = format!("lacks a column date or multiple; it has {}", found.join(", "));
            self.wrong(at, problem, "name the columns in its first line");
            return Vec::new();
        };
        let mut days = Vec::new();
        for row in rows.records().take(ROWS_MAX) {
            let read = row.ok().and_then(|row| {
                let line = row.position().map_or(0, csv::Position::line);
                let day = row.get(date)?.trim().parse::<Date>().ok();
                let factor = row.get(multiple)?.trim().parse::<f64>().ok();
                Some((line, day.zip(factor.filter(|f| (0.0..=1e6).contains(f)))))
            });
            match read {
                Some((_, Some((day, multiple)))) => days.push(RawDay {
                    name: column("name").map(|_| day.to_string()),
                    on: day.to_string(),
                    days: 1,
                    multiple,
                    hours: None,
                }),
                Some((line, None)) => {
                    let problem = format!("has no date and multiple in line {line}");
                    self.wrong(at, problem, "write e.g. 2026-11-27,2.8");
                }
                None => self.wrong(at, "has a line that cannot be read", "mend it"),
            }
        }
        days
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::curve::{HOUR, days};
    use crate::kernel::{Span, Time};
    use jiff::tz::TimeZoneDatabase;

    fn season(year: i16, profile: &str) -> (Vec<DayPlan>, Vec<Shape>) {
        let catalog = Catalog::embedded();
        let zone = TimeZoneDatabase::bundled().get("America/New_York").unwrap();
        let start = date(year, 11, 1).to_zoned(zone.clone()).unwrap().timestamp();
        // 61 days, one of them with 25 hours.
        let end = Time::ZERO + Span::from_seconds((61.0 * 24.0 + 1.0) * 3_600.0);
        let course = Course {
            profile: &catalog.profile(profile).unwrap(),
            months: [1.0; 12],
            calendar: &catalog.calendar("retail-us").unwrap(),
        };
        course.plan(days(&zone, start, end)).unwrap()
    }

    /// From Adobe's spend in 2025: $14.25 billion of 257.8 on one of 61 days, and
    /// $16 million a minute in its two best hours.
    #[test]
    fn cyber_monday_is_what_it_was() {
        for year in 2024..=2030 {
            for profile in ["e-commerce", "chat"] {
                let (plans, shapes) = season(year, profile);
                assert_eq!(plans.len(), 61);
                let mean = plans.iter().map(|plan| plan.factor).sum::<f64>() / 61.0;
                assert!((mean - 1.0).abs() < 1e-12, "{year}: {mean}");
                let top = plans.iter().max_by(|a, b| a.factor.total_cmp(&b.factor)).unwrap();
                assert_eq!(top.factor, 3.37);
                assert_eq!(top.day.date.weekday(), jiff::civil::Weekday::Monday);
                let shape = &shapes[usize::from(top.shape)];
                let evening = (shape.hours()[20] + shape.hours()[21]) / 2.0;
                assert!((evening / 1.62 - 1.0).abs() < 1e-3, "{evening}");
                assert!((evening * top.factor / 5.45 - 1.0).abs() < 0.01);
                assert!((shape.at(21 * HOUR) * top.factor / 5.45 - 1.0).abs() < 0.01);
            }
        }
    }

    #[test]
    fn months_are_met_in_their_middle() {
        let mut months = [1.0; 12];
        months[6] = 3.0;
        let on = |month, day| month_on(&months, date(2026, month, day));
        assert_eq!((on(7, 16), on(5, 10), on(9, 30)), (3.0, 1.0, 1.0));
        // 14.5 of the 30.5 days between the middles of June and July.
        assert!((on(6, 30) - (1.0 + 2.0 * 14.5 / 30.5)).abs() < 1e-12, "{}", on(6, 30));
        let mean = (0..365i64)
            .map(|day| month_on(&scaled(months), date(2026, 1, 1).saturating_add(day.days())))
            .sum::<f64>()
            / 365.0;
        assert!((mean - 1.0).abs() < 1e-12);
    }
}
