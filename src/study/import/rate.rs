//! The course of day and week, and what varies around it, from rates by the hour.
//!
//! A day is its mean times a profile. Profiles are medians over days, so that a
//! day off does not bend them; of fewer than three days they are means. With a date
//! and a whole week, days of the week differ, and weekends have a profile of
//! their own. What is left is taken apart by time: within a day as an on/off
//! process of tenants that forgets in some hours, from day to day as
//! an autoregression, over a month or more as growth.

use super::burst::Chain;
use super::residual::{DayNoise, LAGS, autocovariance, day_noise, within_day};
use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan, Unit};
use serde::Serialize;

/// Days from which on what varies around the profile is told, and growth.
const NOISE_DAYS: usize = 6;
const GROWTH_DAYS: usize = 28;
/// Standard errors that growth must be away from nothing.
const GROWTH_SCORE: f64 = 4.0;
/// Zipf exponent of tenants and the most of them.
const ZIPF: f64 = 1.2;
const TENANTS_MAX: u32 = 50;

/// Rates by the hour of the local clock.
#[derive(Clone, Debug, Default)]
pub struct Hourly {
    /// Calls a second in each hour; `None` where it is not known.
    pub rates: Vec<Option<f64>>,
    /// What the clock shows in the first.
    pub first_hour: usize,
    /// The day of the first, where it is known.
    pub date: Option<Date>,
    /// Variance of a rate over its square from chance alone.
    pub chance: f64,
}

/// What hourly rates come to.
#[derive(Clone, Debug, Serialize)]
pub struct RateFit {
    /// Whole days.
    pub days: usize,
    /// Whether days of the week are known and differ.
    pub is_weekly: bool,
    /// Mean rate, calls a second.
    pub rate_per_s: f64,
    /// Hourly profile with a mean of 1; of Mondays to Fridays where weekends differ.
    pub weekday: Vec<f64>,
    /// That of weekends.
    pub weekend: Option<Vec<f64>>,
    /// Days from Monday to Sunday, with a mean of 1.
    pub week: Option<Vec<f64>>,
    /// Mean absolute error of the profile over its peak: of the 168 hours of the
    /// mean week, or of the 24 of the median day.
    pub error: f64,
    /// Growth a month, where it is beyond chance, percent.
    pub growth_percent_per_month: Option<f64>,
    /// Day-to-day noise.
    pub day_noise: Option<DayNoise>,
    /// On/off tenants.
    pub tenants: Option<Tenants>,
    /// Moments of what is left, as found.
    pub left: Option<Left>,
}

/// Tenants that switch on and off.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Tenants {
    /// How many.
    pub count: u32,
    /// Exponent of their shares.
    pub zipf: f64,
    /// Mean time of activity, s; always when absent.
    pub on_s: Option<f64>,
    /// Mean time of silence, s.
    pub off_s: Option<f64>,
    /// Variance and memory of the sum of them.
    pub sum: Chain,
}

/// Moments of what a profile leaves.
#[derive(Clone, Debug, Serialize)]
pub struct Left {
    /// Variance within days.
    pub variance: f64,
    /// Correlation within days, by hours of lag from 1.
    pub correlation: Vec<f64>,
    /// Variance of the logarithm of days.
    pub day_variance: f64,
    /// Correlation of neighboring days.
    pub day_correlation: f64,
}

/// A whole day: its date or number, and its hours.
struct Day {
    number: usize,
    weekday: Option<Weekday>,
    mean: f64,
    hours: [f64; 24],
}

impl Hourly {
    /// Hours that follow each other from `start` on, put on the local clock of
    /// `zone`: an hour that it skips is not known, two of the same name are one.
    pub fn local(rates: &[Option<f64>], start: Timestamp, zone: &TimeZone) -> Hourly {
        let clock = |at: usize| {
            let passed = SignedDuration::from_hours(at as i64);
            start.saturating_add(passed).expect("a date").to_zoned(zone.clone()).datetime()
        };
        let begin = clock(0);
        let hour = |at: DateTime| {
            let days = begin.date().until((Unit::Day, at.date()));
            let days = days.map_or(0, |span| span.get_days());
            days.max(0) as usize * 24 + at.hour() as usize
        };
        let first_hour = hour(begin);
        let mut sums: Vec<(f64, f64)> = Vec::new();
        for (number, rate) in rates.iter().enumerate() {
            let at = hour(clock(number)) - first_hour;
            sums.resize(sums.len().max(at + 1), (0.0, 0.0));
            if let Some(rate) = rate {
                sums[at] = (sums[at].0 + 1.0, sums[at].1 + rate);
            }
        }
        let known = |(n, sum): &(f64, f64)| (*n > 0.0).then(|| sum / n);
        let rates = sums.iter().map(known).collect();
        Hourly { rates, first_hour, date: Some(begin.date()), chance: 0.0 }
    }

    /// Whole days, of which none is empty.
    fn days(&self) -> Vec<Day> {
        let skipped = (24 - self.first_hour) % 24;
        let first = usize::from(skipped > 0);
        let days = self.rates.get(skipped..).unwrap_or_default().chunks_exact(24).enumerate();
        days.filter_map(|(number, hours)| {
            let hours: Vec<f64> = hours.iter().copied().collect::<Option<_>>()?;
            let hours: [f64; 24] = hours.try_into().expect("24 of them");
            let mean = hours.iter().sum::<f64>() / 24.0;
            let number = number + first;
            let date = self.date.and_then(|date| date.checked_add((number as i64).days()).ok());
            (mean > 0.0).then_some(Day { number, weekday: date.map(Date::weekday), mean, hours })
        })
        .collect()
    }

    /// Fits all of it; `None` without a whole day.
    pub fn fit(&self) -> Option<RateFit> {
        let days = self.days();
        if days.is_empty() {
            return None;
        }
        let is_weekly = (0..7).all(|weekday| days.iter().any(|day| day.is(weekday)));
        let (shapes, week) = match is_weekly {
            false => (vec![shape(&days.iter().collect::<Vec<_>>())], None),
            true => {
                let (ends, others): (Vec<&Day>, Vec<&Day>) =
                    days.iter().partition(|day| day.is_weekend());
                (vec![shape(&others), shape(&ends)], Some(week(&days)))
            }
        };
        let rate = match is_weekly {
            false => mean(days.iter().map(|day| day.mean)),
            true => {
                mean((0..7).map(|w| mean(days.iter().filter(|day| day.is(w)).map(|day| day.mean))))
            }
        };
        let of = |day: &Day| {
            (&shapes[usize::from(is_weekly && day.is_weekend())], day.factor(week.as_ref()))
        };
        let error = error(&days, rate, &of, is_weekly);
        let mut fit = RateFit {
            days: days.len(),
            is_weekly,
            rate_per_s: rate,
            error,
            growth_percent_per_month: None,
            day_noise: None,
            tenants: None,
            left: None,
            weekday: shapes[0].to_vec(),
            weekend: shapes.get(1).map(|shape| shape.to_vec()),
            week: week.map(|week| week.to_vec()),
        };
        self.around(&days, &of, &mut fit);
        Some(fit)
    }

    /// What varies around the profile.
    fn around<'s>(
        &self,
        days: &[Day],
        of: &impl Fn(&Day) -> (&'s [f64; 24], f64),
        fit: &mut RateFit,
    ) {
        let weeks = if fit.is_weekly { days.len() / 7 } else { days.len() };
        if days.len() < NOISE_DAYS || weeks < 2 {
            return;
        }
        let (growth, logs) = detrended(days, of);
        fit.growth_percent_per_month = growth;
        let within = within(days, of);
        let chain = within_day(&within, days.len(), self.chance);
        fit.tenants = chain.map(Tenants::of);
        // A profile of days of the week takes a share of what varies with it.
        let free = if fit.is_weekly { 1.0 - 1.0 / weeks as f64 } else { 1.0 };
        let found = autocovariance(&logs);
        fit.day_noise = day_noise(&found, logs.len(), free, chain);
        let correlation = |lag: usize| within[lag] / within[0];
        fit.left = Some(Left {
            variance: within[0],
            correlation: (1..LAGS).map(correlation).collect(),
            day_variance: found[0],
            day_correlation: found[1] / found[0],
        });
    }
}

impl RateFit {
    /// Every hour alike, as far as a scenario writes it.
    pub fn flat() -> RateFit {
        RateFit {
            days: 0,
            is_weekly: false,
            rate_per_s: 0.0,
            weekday: Vec::new(),
            weekend: None,
            week: None,
            error: 0.0,
            growth_percent_per_month: None,
            day_noise: None,
            tenants: None,
            left: None,
        }
    }

    /// Rates of the 168 hours of a week, or of the 24 of a day, over their mean.
    pub fn course(&self) -> Vec<f64> {
        let weekend = self.weekend.as_ref().unwrap_or(&self.weekday);
        let Some(week) = &self.week else { return self.weekday.clone() };
        let day = |(day, factor): (usize, &f64)| {
            let hours = if day >= 5 { weekend } else { &self.weekday };
            hours.iter().map(|hour| hour * factor).collect::<Vec<f64>>()
        };
        week.iter().enumerate().flat_map(day).collect()
    }
}

impl Day {
    fn is(&self, weekday: i8) -> bool {
        self.weekday.is_some_and(|own| own.to_monday_zero_offset() == weekday)
    }

    fn is_weekend(&self) -> bool {
        self.is(5) || self.is(6)
    }

    /// What its day of the week makes of it.
    fn factor(&self, week: Option<&[f64; 7]>) -> f64 {
        match (week, self.weekday) {
            (Some(week), Some(weekday)) => week[weekday.to_monday_zero_offset() as usize],
            _ => 1.0,
        }
    }
}

pub(super) fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (n, sum) = values.fold((0.0, 0.0), |(n, sum), value| (n + 1.0, sum + value));
    sum / n
}

/// The middle of values, or the mean of fewer than three.
fn middle(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len();
    match n {
        0..=2 => mean(values.into_iter()),
        _ if n % 2 == 1 => values[n / 2],
        _ => (values[n / 2 - 1] + values[n / 2]) / 2.0,
    }
}

/// The profile of days, with a mean of 1.
fn shape(days: &[&Day]) -> [f64; 24] {
    let hour = |h: usize| middle(days.iter().map(|day| day.hours[h] / day.mean).collect());
    let hours: [f64; 24] = std::array::from_fn(hour);
    let scale = 24.0 / hours.iter().sum::<f64>();
    hours.map(|hour| hour * scale)
}

/// Days from Monday to Sunday, all of which are there.
fn week(days: &[Day]) -> [f64; 7] {
    let day = |weekday: usize| {
        middle(days.iter().filter(|day| day.is(weekday as i8)).map(|day| day.mean).collect())
    };
    let days: [f64; 7] = std::array::from_fn(day);
    let scale = 7.0 / days.iter().sum::<f64>();
    days.map(|day| day * scale)
}

/// Mean absolute error of the profile over its peak.
fn error<'s>(
    days: &[Day],
    rate: f64,
    of: &impl Fn(&Day) -> (&'s [f64; 24], f64),
    is_weekly: bool,
) -> f64 {
    let mut off = 0.0;
    let mut peak: f64 = 0.0;
    let kinds = if is_weekly { 7 } else { 1 };
    for kind in 0..kinds {
        let alike: Vec<&Day> = days.iter().filter(|day| !is_weekly || day.is(kind)).collect();
        let (shape, factor) = of(alike[0]);
        for (hour, fitted) in shape.iter().enumerate() {
            // A median day has no scale of its own.
            let found = match is_weekly {
                true => mean(alike.iter().map(|day| day.hours[hour])),
                false => {
                    rate * middle(alike.iter().map(|day| day.hours[hour] / day.mean).collect())
                }
            };
            off += (rate * factor * fitted - found).abs();
            peak = peak.max(found);
        }
    }
    off / (24.0 * f64::from(kinds)) / peak
}

/// Growth in percent a month where it is beyond chance, and the logarithms of days
/// freed from it, from the day of the week and from their mean.
fn detrended<'s>(
    days: &[Day],
    of: &impl Fn(&Day) -> (&'s [f64; 24], f64),
) -> (Option<f64>, Vec<f64>) {
    let n = days.len() as f64;
    let logs: Vec<f64> = days.iter().map(|day| libm::log(day.mean / of(day).1)).collect();
    let center = mean(logs.iter().copied());
    let at = |day: &Day| day.number as f64;
    let middle = mean(days.iter().map(at));
    let spread: f64 = days.iter().map(|day| (at(day) - middle) * (at(day) - middle)).sum();
    let pairs = days.iter().zip(&logs);
    let slope =
        pairs.clone().map(|(day, log)| (at(day) - middle) * (log - center)).sum::<f64>() / spread;
    let left: Vec<f64> =
        pairs.map(|(day, log)| log - center - slope * (at(day) - middle)).collect();
    let moments = autocovariance(&left);
    let kept = (moments[1] / moments[0]).clamp(0.0, 0.9);
    // Neighbors that go together tell less than so many days.
    let variance = moments[0] * n / (n - 2.0) * (1.0 + kept) / (1.0 - kept);
    let is_told =
        days.len() >= GROWTH_DAYS && slope.abs() > GROWTH_SCORE * (variance / spread).sqrt();
    if !is_told {
        return (None, logs.iter().map(|log| log - center).collect());
    }
    (Some(100.0 * libm::expm1(slope * 365.25 / 12.0)), left)
}

/// The autocovariance of what is left within days: centered by day and by hour,
/// pairs of one day.
fn within<'s>(days: &[Day], of: &impl Fn(&Day) -> (&'s [f64; 24], f64)) -> Vec<f64> {
    let left = days.iter().map(|day| {
        let shape = of(day).0;
        let ratio = |h: usize| {
            if shape[h] > 0.0 { day.hours[h] / (day.mean * shape[h]) - 1.0 } else { 0.0 }
        };
        let ratios: [f64; 24] = std::array::from_fn(ratio);
        autocovariance(&ratios)
    });
    let left: Vec<Vec<f64>> = left.collect();
    (0..LAGS).map(|lag| mean(left.iter().map(|day| day[lag]))).collect()
}

impl Tenants {
    /// Tenants whose sum is this process: of all numbers of them the one with which
    /// they are active half of the time, most nearly.
    fn of(sum: Chain) -> Tenants {
        let off = |count: &u32| {
            let shares = Tenants::concentration(*count, ZIPF);
            (shares / (shares + sum.variance) - 0.5).abs()
        };
        let count = (1..=TENANTS_MAX).min_by(|a, b| off(a).total_cmp(&off(b))).expect("some");
        Tenants::with(count, ZIPF, sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Distribution, Streams};
    use crate::study::import::residual::hourly_mean;
    use jiff::civil::date;

    /// Rates of whole days: a cosine by the hour, weekends at half, growth, and an
    /// autoregression of hours and of days.
    fn rates(days: usize, growth: f64, hours: (f64, f64), noise: (f64, f64), seed: u64) -> Hourly {
        let normal = Distribution::normal(0.0, 1.0).unwrap();
        let mut streams = [0, 1].map(|k| Streams::new(seed, 0).stream(Component::DayNoise, 0, k));
        let mut state = [0, 1].map(|k| normal.sample(&mut streams[k]));
        let mut rates = Vec::new();
        for day in 0..days {
            let spread = (1.0 - noise.1 * noise.1).sqrt();
            state[0] = noise.1 * state[0] + spread * normal.sample(&mut streams[0]);
            // The first day is a Monday.
            let week = if day % 7 >= 5 { 0.5 } else { 1.2 };
            let level = 10.0 * week * (noise.0 * state[0] + growth * day as f64).exp();
            for hour in 0..24 {
                let spread = (1.0 - hours.1 * hours.1).sqrt();
                state[1] = hours.1 * state[1] + spread * normal.sample(&mut streams[1]);
                let shape = 1.0 - 0.6 * (f64::from(hour) / 24.0 * std::f64::consts::TAU).cos();
                rates.push(Some(level * shape * (1.0 + hours.0 * state[1])));
            }
        }
        Hourly { rates, first_hour: 0, date: Some(date(2026, 1, 5)), chance: 0.0 }
    }

    #[test]
    fn a_week_is_found_exactly_where_nothing_varies() {
        let mut hourly = rates(14, 0.0, (0.0, 0.0), (0.0, 0.0), 1);
        let fit = hourly.fit().unwrap();
        assert!(fit.is_weekly && fit.error < 1e-12 && fit.tenants.is_none(), "{fit:?}");
        assert!(fit.day_noise.is_none() && fit.growth_percent_per_month.is_none());
        assert!((fit.rate_per_s - 10.0).abs() < 1e-9);
        let week = fit.week.unwrap();
        assert!((week[0] / week[6] - 2.4).abs() < 1e-9, "{week:?}");
        assert!((fit.weekday[12] / fit.weekday[0] - 4.0).abs() < 1e-9);
        // A first day cut off, an hour unknown, and no date.
        hourly.rates.drain(..5);
        (hourly.first_hour, hourly.date) = (5, None);
        hourly.rates[60] = None;
        let fit = hourly.fit().unwrap();
        assert!(!fit.is_weekly && fit.days == 12 && fit.week.is_none());
        assert!((fit.weekday[12] / fit.weekday[0] - 4.0).abs() < 1e-9);
        assert!(Hourly { rates: vec![Some(1.0); 23], ..Hourly::default() }.fit().is_none());
    }

    #[test]
    fn growth_is_told_where_it_is_beyond_chance() {
        let fit = rates(56, 0.01, (0.1, 0.5), (0.05, 0.3), 2).fit().unwrap();
        let percent = fit.growth_percent_per_month.unwrap();
        assert!((percent / 35.6 - 1.0).abs() < 0.15, "{percent}");
        let fit = rates(56, 0.0, (0.1, 0.5), (0.2, 0.6), 3).fit().unwrap();
        assert_eq!(fit.growth_percent_per_month, None);
    }

    /// Over many recordings of nine weeks, moments are told nearly without bias; the
    /// correlation of days comes out low by a tenth.
    #[test]
    fn what_varies_is_found_in_the_mean() {
        let (mut variance, mut cv, mut correlation) = (0.0, 0.0, 0.0);
        const N: u64 = 60;
        for seed in 0..N {
            let hourly = rates(63, 0.0, (0.2, 0.7), (0.15, 0.6), 100 + seed);
            let fit = Hourly { date: None, ..hourly.clone() };
            let mut flat = fit;
            // Without dates, weekends must not be there.
            for (at, rate) in flat.rates.iter_mut().enumerate() {
                let week = if at / 24 % 7 >= 5 { 0.5 } else { 1.2 };
                *rate = rate.map(|rate| rate / week);
            }
            let fit = flat.fit().unwrap();
            let tenants = fit.tenants.unwrap();
            variance += tenants.sum.variance * hourly_mean(0, 1.0, tenants.sum.memory_s / 3_600.0);
            cv += fit.day_noise.map_or(0.0, |noise| noise.cv);
            correlation += fit.day_noise.map_or(0.0, |noise| noise.correlation);
        }
        let n = N as f64;
        let (variance, cv, correlation) = (variance / n, cv / n, correlation / n);
        println!("{variance} {cv} {correlation}");
        assert!((variance / 0.04 - 1.0).abs() < 0.1, "{variance}");
        assert!((cv / 0.15 - 1.0).abs() < 0.12, "{cv}");
        assert!((correlation - 0.6).abs() < 0.15, "{correlation}");
    }

    #[test]
    fn tenants_have_the_variance_and_memory_of_their_sum() {
        for variance in [0.005, 0.06, 0.5, 3.0] {
            let sum = Chain { variance, memory_s: 5_400.0 };
            let Tenants { count, zipf, on_s, off_s, .. } = Tenants::of(sum);
            let (on_s, off_s) = (on_s.unwrap(), off_s.unwrap());
            let weights: Vec<f64> = (1..=count).map(|k| f64::from(k).powf(-zipf)).collect();
            let all: f64 = weights.iter().sum();
            let of_one = off_s / on_s;
            let found: f64 = weights.iter().map(|w| (w / all).powi(2) * of_one).sum();
            assert!((found / variance - 1.0).abs() < 1e-9);
            assert!((1.0 / (1.0 / on_s + 1.0 / off_s) - 5_400.0).abs() < 1e-6);
        }
    }
}
