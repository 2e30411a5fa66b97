//! Calendars: days that are unlike others, and the TOML they are read from.

use super::origin::{Checker, Confidence, Problem};
use crate::demand::curve::Shape;
use jiff::ToSpan;
use jiff::civil::{Date, Weekday, date};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Names of months, for rules.
const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
/// Names of weekdays, for rules.
const WEEKDAYS: [(&str, Weekday); 7] = [
    ("monday", Weekday::Monday),
    ("tuesday", Weekday::Tuesday),
    ("wednesday", Weekday::Wednesday),
    ("thursday", Weekday::Thursday),
    ("friday", Weekday::Friday),
    ("saturday", Weekday::Saturday),
    ("sunday", Weekday::Sunday),
];
/// How a rule is written, for messages.
const RULES: &str = "write a date (\"2026-11-27\"), a day of every year (\"12-25\") or a rule \
                     (\"4th thursday of november + 1 day\")";

/// The embedded file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CalendarFile {
    pub(super) calendar: Vec<RawCalendar>,
}

/// A calendar as written.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawCalendar {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: Option<String>,
    /// The part of the year that multiples are of; the whole year when absent.
    pub season: Option<RawSeason>,
    /// What days without a multiple are like, relative to each other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<RawLevel>,
    /// Days with a demand of their own.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<RawDay>,
    /// A CSV file with columns date and multiple, relative to the scenario file.
    pub csv: Option<String>,
    /// Where its values were read.
    pub source: Option<String>,
    /// How far to trust them.
    pub confidence: Option<Confidence>,
}

/// A part of the year.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawSeason {
    /// First day, e.g. "11-01".
    pub from: String,
    /// Last day, e.g. "12-31".
    pub until: String,
}

/// What days of a part of the year are like.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawLevel {
    /// First day: a date, a day of every year, or a rule.
    pub from: String,
    /// Last day.
    pub until: String,
    /// Demand relative to other days.
    #[schemars(range(min = 0, max = 1e6))]
    pub level: f64,
}

/// A day with a demand of its own.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RawDay {
    /// Name, for people.
    pub name: Option<String>,
    /// When: a date, a day of every year, or a rule.
    pub on: String,
    /// How many days it lasts.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 366))]
    pub days: u16,
    /// Its demand as a multiple of the mean day of the season.
    #[schemars(range(min = 0, max = 1e6))]
    pub multiple: f64,
    /// 24 hours of its own, of any scale.
    pub hours: Option<Vec<f64>>,
}

fn one() -> u16 {
    1
}

/// Days that are unlike others.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Calendar {
    /// Name.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// First and last day of the season, in any year.
    pub season: (Rule, Rule),
    /// Spells and what their days are like.
    pub levels: Vec<(Rule, Rule, f64)>,
    /// Days of their own.
    pub days: Vec<Special>,
    /// Where its values were read.
    pub source: String,
    /// How far to trust them.
    pub confidence: Confidence,
}

/// A day with a demand of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Special {
    /// Name, for people.
    pub name: String,
    /// When.
    pub on: Rule,
    /// How many days it lasts.
    pub days: u16,
    /// Its demand as a multiple of the mean day of the season.
    pub multiple: f64,
    /// Hours of its own.
    pub hours: Option<Shape>,
}

/// When something is, year by year.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "String")]
pub enum Rule {
    /// Once.
    Once(Date),
    /// On the same day of every year.
    Yearly {
        /// From 1.
        month: i8,
        /// From 1.
        day: i8,
    },
    /// On a weekday of a month, and so many days later.
    Weekday {
        /// From 1; -1 is the last.
        nth: i8,
        /// Which.
        weekday: Weekday,
        /// From 1.
        month: i8,
        /// Days later.
        later: i16,
    },
}

impl Rule {
    /// Its day in `year`.
    pub fn in_year(self, year: i16) -> Option<Date> {
        match self {
            Rule::Once(date) => Some(date).filter(|date| date.year() == year),
            Rule::Yearly { month, day } => Date::new(year, month, day).ok(),
            Rule::Weekday { nth, weekday, month, later } => {
                let day = date(year, month, 1).nth_weekday_of_month(nth, weekday).ok()?;
                day.checked_add(i64::from(later).days()).ok()
            }
        }
    }
}

impl FromStr for Rule {
    type Err = ();

    fn from_str(text: &str) -> Result<Rule, ()> {
        if let Ok(date) = text.trim().parse::<Date>() {
            return Ok(Rule::Once(date));
        }
        if let Some((month, day)) = text.trim().split_once('-')
            && let (Ok(month), Ok(day)) = (month.parse(), day.parse())
        {
            // A leap year has all days.
            return Date::new(2024, month, day).map(|_| Rule::Yearly { month, day }).map_err(drop);
        }
        let text = text.to_lowercase();
        let (rule, later) = match text.find([' ']).and_then(|_| text.find(['+', '-'])) {
            Some(at) => {
                let sign = if text[at..].starts_with('-') { -1 } else { 1 };
                let words: Vec<&str> = text[at + 1..].split_whitespace().collect();
                let [count, "day" | "days"] = words[..] else { return Err(()) };
                (&text[..at], sign * count.parse::<i16>().map_err(drop)?)
            }
            None => (text.as_str(), 0),
        };
        let words: Vec<&str> = rule.split_whitespace().collect();
        let [nth, weekday, "of", month] = words[..] else { return Err(()) };
        let nth = match nth {
            "1st" | "first" => 1,
            "2nd" | "second" => 2,
            "3rd" | "third" => 3,
            "4th" | "fourth" => 4,
            "last" => -1,
            _ => return Err(()),
        };
        let weekday = WEEKDAYS.iter().find(|(name, _)| *name == weekday).ok_or(())?.1;
        let month = MONTHS.iter().position(|name| *name == month).ok_or(())? as i8 + 1;
        Ok(Rule::Weekday { nth, weekday, month, later })
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Rule::Once(date) => date.fmt(f),
            Rule::Yearly { month, day } => write!(f, "{month:02}-{day:02}"),
            Rule::Weekday { nth, weekday, month, later } => {
                let nth = match nth {
                    1 => "1st",
                    2 => "2nd",
                    3 => "3rd",
                    4 => "4th",
                    _ => "last",
                };
                let known = WEEKDAYS.iter().find(|(_, known)| *known == weekday);
                let weekday = known.map_or("", |(name, _)| name);
                write!(f, "{nth} {weekday} of {}", MONTHS[month as usize - 1])?;
                match later {
                    0 => Ok(()),
                    later if later < 0 => write!(f, " - {} days", -later),
                    later => write!(f, " + {later} days"),
                }
            }
        }
    }
}

impl From<Rule> for String {
    fn from(rule: Rule) -> String {
        rule.to_string()
    }
}

impl RawCalendar {
    /// The calendar, or everything that is wrong with it; its CSV apart.
    pub fn check(&self) -> Result<Calendar, Vec<Problem>> {
        let mut checker = Checker::default();
        let mut rule = |key: &str, text: &str| {
            text.parse().unwrap_or_else(|()| {
                checker.report(key, format!("`{text}` is no day"), RULES);
                Rule::Yearly { month: 1, day: 1 }
            })
        };
        let season = match &self.season {
            Some(season) => {
                (rule("season.from", &season.from), rule("season.until", &season.until))
            }
            None => (Rule::Yearly { month: 1, day: 1 }, Rule::Yearly { month: 12, day: 31 }),
        };
        let mut levels = Vec::new();
        for raw in &self.levels {
            levels.push((rule("levels", &raw.from), rule("levels", &raw.until), raw.level));
        }
        let ons: Vec<Rule> = self.days.iter().map(|raw| rule("days", &raw.on)).collect();
        let days = self.days.iter().zip(ons).map(|(raw, on)| Special {
            name: raw.name.clone().unwrap_or_else(|| raw.on.clone()),
            on,
            days: raw.days,
            multiple: raw.multiple,
            hours: raw.hours.as_ref().and_then(|hours| {
                let shape = <&[f64; 24]>::try_from(hours.as_slice()).ok().and_then(Shape::new);
                if shape.is_none() {
                    let problem = format!("the hours of {} are no hours of a day", raw.on);
                    let fix = "write 24 numbers of at least 0, one of them above";
                    checker.report("days.hours", problem, fix);
                }
                shape
            }),
        });
        let calendar = Calendar {
            name: self.name.clone(),
            title: self.title.clone().unwrap_or_else(|| self.name.clone()),
            season,
            levels,
            days: days.collect(),
            source: self.source.clone().unwrap_or_else(|| "scenario".to_owned()),
            confidence: self.confidence.unwrap_or(Confidence::Medium),
        };
        if checker.problems.is_empty() { Ok(calendar) } else { Err(checker.problems) }
    }
}

impl Calendar {
    /// The day of its own that `date` is, if it is one.
    pub fn special(&self, date: Date) -> Option<&Special> {
        self.days.iter().rev().find(|special| {
            // A spell may reach into the next year, and days before a day into the last.
            let years = [date.year() - 1, date.year(), date.year() + 1];
            let begins = years.map(|year| special.on.in_year(year));
            begins.into_iter().flatten().any(|begin| {
                begin <= date && date < begin.saturating_add(i64::from(special.days).days())
            })
        })
    }

    /// What a day without a multiple is like.
    pub fn level(&self, date: Date) -> f64 {
        let holds = |(from, until, _): &&(Rule, Rule, f64)| within(date, *from, *until);
        self.levels.iter().rev().find(holds).map_or(1.0, |(.., level)| *level)
    }

    /// First and last day of the season that begins in `year`.
    pub fn season_of(&self, year: i16) -> Option<(Date, Date)> {
        let first = self.season.0.in_year(year)?;
        let last = self.season.1.in_year(year).filter(|last| *last >= first);
        Some((first, last.or_else(|| self.season.1.in_year(year + 1))?))
    }
}

/// Whether `date` lies in a spell, which may lead over the end of a year.
fn within(date: Date, from: Rule, until: Rule) -> bool {
    let year = date.year();
    match (from.in_year(year), until.in_year(year)) {
        (Some(from), Some(until)) if from <= until => (from..=until).contains(&date),
        (from, until) => {
            from.is_some_and(|from| from <= date) || until.is_some_and(|until| date <= until)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;

    #[test]
    fn holidays_fall_on_their_dates() {
        let calendar = Catalog::embedded().calendar("retail-us").unwrap();
        let cyber_mondays = [
            (2024, 12, 2),
            (2025, 12, 1),
            (2026, 11, 30),
            (2027, 11, 29),
            (2028, 11, 27),
            (2029, 11, 26),
            (2030, 12, 2),
        ];
        for (year, month, day) in cyber_mondays {
            let monday = date(year, month, day);
            let names = [4, 3, 2, 1, 0].map(|before: i64| {
                let day = monday.saturating_sub(before.days());
                calendar.special(day).map_or("", |special| special.name.as_str())
            });
            assert_eq!(names[0], "Thanksgiving", "{year}");
            assert_eq!((names[1], names[4]), ("Black Friday", "Cyber Monday"), "{year}");
            assert!(calendar.special(monday.tomorrow().unwrap()).is_none());
            let thanksgiving = monday.saturating_sub(4.days());
            assert_eq!(thanksgiving.weekday(), Weekday::Thursday);
            assert!((22..=28).contains(&thanksgiving.day()));
        }
    }

    #[test]
    fn rules_are_read_or_refused() {
        let day = |text: &str, year| text.parse::<Rule>().unwrap().in_year(year);
        assert_eq!(day("2026-11-27", 2026), Some(date(2026, 11, 27)));
        assert_eq!(day("2026-11-27", 2027), None);
        assert_eq!(day("12-25", 2030), Some(date(2030, 12, 25)));
        assert_eq!(day("2-29", 2028), Some(date(2028, 2, 29)));
        assert_eq!(day("2-29", 2026), None);
        assert_eq!(day("last Monday of May", 2026), Some(date(2026, 5, 25)));
        assert_eq!(day("1st sunday of january - 1 day", 2026), Some(date(2026, 1, 3)));
        for text in
            ["2026-11-27", "02-29", "last monday of may", "4th thursday of november + 4 days"]
        {
            assert_eq!(text.parse::<Rule>().unwrap().to_string(), text);
        }
        for wrong in [
            "",
            "13-01",
            "5th monday of may",
            "last mayday of may",
            "2026-02-30",
            "x - 1 day",
            "last monday of may + 1 week",
            "11-31",
        ] {
            assert!(wrong.parse::<Rule>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn spells_may_lead_over_the_end_of_the_year() {
        let raw = RawCalendar {
            name: "x".to_owned(),
            title: None,
            season: Some(RawSeason { from: "12-15".to_owned(), until: "1-10".to_owned() }),
            levels: vec![RawLevel {
                from: "12-20".to_owned(),
                until: "1-6".to_owned(),
                level: 2.0,
            }],
            days: Vec::new(),
            csv: None,
            source: None,
            confidence: None,
        };
        let calendar = raw.check().unwrap();
        let levels = [(12, 19), (12, 20), (12, 31), (1, 1), (1, 6), (1, 7)]
            .map(|(month, day)| calendar.level(date(2026, month, day)));
        assert_eq!(levels, [1.0, 2.0, 2.0, 2.0, 2.0, 1.0]);
        assert_eq!(calendar.season_of(2026), Some((date(2026, 12, 15), date(2027, 1, 10))));
    }
}
