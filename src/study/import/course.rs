//! Imports rates by the hour: tables of them, and ServeGen's clients.

use super::again::scenario;
use super::burst::{Bursts, Chain};
use super::calls::Question;
use super::fragment::{Fragment, Varying, short};
use super::gaps::GapLaw;
use super::lengths::Lengths;
use super::rate::{Hourly, Left, RateFit, Tenants};
use super::servegen::Clients;
use super::table::RateTable;
use super::{CourseAgain, Imported};
use crate::demand;
use crate::random::{Streams, entity};
use crate::scenario::Arrivals;
use jiff::civil::date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use std::collections::BTreeMap;

/// Replications of the hours of a recording.
const REPLICATIONS: u32 = 40;

/// When a scenario begins whose hours are these: at midnight of the first day, or
/// of any Monday.
fn midnight(hourly: &Hourly, zone: &TimeZone) -> Zoned {
    let date = hourly.date.unwrap_or(date(2026, 1, 5));
    date.to_zoned(zone.clone()).expect("a date of a recording")
}

/// See [`midnight`]; as text.
pub fn start(hourly: &Hourly, zone: &TimeZone) -> String {
    midnight(hourly, zone).timestamp().to_string()
}

/// A use case whose rate runs as a table says.
pub fn import_rates(question: &Question, table: &RateTable) -> Imported {
    let step_s = table.step_s;
    let what = format!("{} rates, one for {} min", table.rows, short(step_s / 60.0));
    let hourly = &table.hourly;
    let course = hourly.fit();
    let fragment = Fragment::new(&question.name, &question.file, &what);
    let mut imported = imported(question, "rates", hourly, course);
    imported.notes.clone_from(&table.notes);
    imported.write(question, hourly, fragment, None, &[Lengths::default(), Lengths::default()]);
    imported
}

/// A use case of ServeGen's clients together: tenants.
pub fn import_clients(question: &Question, clients: &Clients) -> Imported {
    let count = clients.rates.len();
    let what = format!("ServeGen, {count} clients");
    let mut fragment = Fragment::new(&question.name, &question.file, &what);
    let hourly = &clients.hourly;
    let mut course = hourly.fit();
    if let Some(course) = &mut course {
        let (count, zipf) = skew(&clients.rates);
        // Without days to tell how they switch, they are always on.
        course.tenants = Some(match course.tenants {
            Some(tenants) => Tenants::with(count, zipf, tenants.sum),
            None => Tenants::always(count, zipf),
        });
    }
    let is_weibull = clients.laws[1] > clients.laws[0];
    let gaps = match is_weibull {
        true => GapLaw::Weibull { shape: libm::exp(clients.log_shape).clamp(0.15, 20.0) },
        false => GapLaw::Gamma { cv: libm::exp(clients.log_cv).clamp(0.05, 20.0) },
    };
    let bursts = Bursts { gaps, chains: Vec::new(), error: 0.0 };
    let mut imported = imported(question, "servegen", hourly, course);
    let known = 100.0 * clients.calls_with_lengths / clients.calls;
    if known < 99.9 {
        imported.notes.push(format!("lengths are known of {known:.0} % of the calls"));
    }
    imported.notes.push(
        "has no dates: time 0 is taken as midnight, and all days of the week as alike".to_owned(),
    );
    imported.notes.push(format!(
        "the coefficient of variation of a client's gaps is {:.3} in the geometric mean, by calls",
        libm::exp(clients.log_cv)
    ));
    imported.bursts = Some(bursts.clone());
    if let Some(value) = thinking(&clients.thinking) {
        let comment = "Share of output that is thinking, in bins of a percent or wider.";
        fragment.key(comment, "thinking", &value);
    }
    let lengths = [&clients.prompts, &clients.outputs].map(lengths);
    imported.write(question, hourly, fragment, Some(&bursts), &lengths);
    imported
}

/// How many clients there are, and the exponent with which their shares fall, such
/// that the sum of squared shares is theirs.
fn skew(rates: &[f64]) -> (u32, f64) {
    let count = rates.len().min(10_000) as u32;
    let all: f64 = rates.iter().sum();
    let wanted: f64 = rates.iter().map(|rate| (rate / all) * (rate / all)).sum();
    let (mut low, mut high) = (0.0, 10.0);
    for _ in 0..60 {
        let middle = (low + high) / 2.0;
        if Tenants::concentration(count, middle) < wanted { low = middle } else { high = middle }
    }
    (count, ((low + high) * 500.0).round() / 1e3)
}

/// Weighted lengths of at least one token.
fn lengths(weights: &BTreeMap<u32, f64>) -> Lengths {
    let mut bins: Vec<(f64, f64, f64)> = Vec::new();
    for (tokens, calls) in weights {
        let tokens = f64::from((*tokens).max(1));
        match bins.last_mut() {
            Some(last) if last.1 > tokens => last.2 += calls,
            _ => bins.push((tokens - 0.5, tokens + 0.5, *calls)),
        }
    }
    Lengths::of(bins)
}

/// What a scenario says of shares of thinking, in percent.
fn thinking(shares: &BTreeMap<u32, f64>) -> Option<String> {
    let sum: f64 = shares.values().sum();
    let list = |values: Vec<String>| values.join(", ");
    let values = list(shares.keys().map(|percent| short(f64::from(*percent) / 100.0)).collect());
    let weights = list(shares.values().map(|weight| short(weight / sum)).collect());
    (sum > 0.0).then(|| {
        format!(
            "{{ share = {{ distribution = \"empirical\", values = [{values}], weights = \
             [{weights}] }} }}"
        )
    })
}

/// What is known before anything is written.
fn imported(
    question: &Question,
    format: &'static str,
    hourly: &Hourly,
    course: Option<RateFit>,
) -> Imported {
    let known = hourly.rates.iter().flatten();
    let sum: f64 = known.clone().sum();
    let hours = known.count().max(1) as f64;
    Imported {
        file: question.file.clone(),
        format,
        calls: (sum * 3_600.0).round() as u64,
        length_s: Some(3_600.0 * hourly.rates.len() as f64),
        rate_per_s: Some(sum / hours),
        bursts: None,
        gaps: Vec::new(),
        dispersion: Vec::new(),
        course,
        course_again: None,
        prompt_tokens: None,
        output_tokens: None,
        sessions: None,
        correlation: None,
        again: None,
        notes: Vec::new(),
        fragment: String::new(),
        scenario: String::new(),
    }
}

impl Imported {
    /// Writes the use case and simulates its hours.
    fn write(
        &mut self,
        question: &Question,
        hourly: &Hourly,
        mut fragment: Fragment,
        bursts: Option<&Bursts>,
        lengths: &[Lengths; 2],
    ) {
        let course = self.course.clone();
        if course.is_none() {
            self.notes.push("has no whole day: of its course only the mean is told".to_owned());
        } else {
            fragment.start(&start(hourly, &question.zone()));
        }
        let rate = course.as_ref().map_or(self.rate_per_s, |course| Some(course.rate_per_s));
        let zone = question.time_zone.as_ref().map(|zone| zone.0.as_str());
        let varying =
            Varying { bursts, course: course.as_ref(), zone, dispersion: &self.dispersion };
        fragment.arrivals(rate.unwrap_or(0.0), varying);
        self.finish(fragment, lengths, question.lengths);
        self.course_again = again(self, hourly, question.zone());
    }
}

/// Simulates the hours of the use case that `imported` has, as many whole days as
/// `hourly`, and fits them again.
pub fn again(imported: &Imported, hourly: &Hourly, zone: TimeZone) -> Option<CourseAgain> {
    let course = imported.course.as_ref()?;
    let days = (hourly.first_hour + hourly.rates.len()).div_ceil(24);
    let hours = 24 * days;
    let scenario = scenario(&imported.scenario, 3_600.0 * hours as f64);
    let use_case = &scenario.use_cases[0];
    let Arrivals::Varying(demand) = &use_case.arrivals else { return None };
    let begin: Timestamp = midnight(hourly, &zone).timestamp();
    let mut sum: Option<(RateFit, f64)> = None;
    for replication in 0..REPLICATIONS {
        let streams = Streams::new(scenario.seed, replication.into());
        let calls = demand::by_hour(demand, streams, entity(&use_case.name), hours);
        let rates: Vec<Option<f64>> = calls.iter().map(|calls| Some(calls / 3_600.0)).collect();
        let placed = Hourly::local(&rates, begin, &zone);
        let mut simulated = match hourly.date {
            Some(_) => placed,
            None => Hourly { date: None, ..placed },
        };
        // Hours that the recording does not know are not known here either.
        let unknown = |at: &usize| {
            let own = at.checked_sub(hourly.first_hour);
            own.is_none_or(|own| hourly.rates.get(own).is_none_or(Option::is_none))
        };
        for at in (0..simulated.rates.len()).filter(unknown) {
            simulated.rates[at] = None;
        }
        let fit = simulated.fit()?;
        match &mut sum {
            None => sum = Some((fit, 1.0)),
            Some((sum, n)) => {
                sum.add(&fit);
                *n += 1.0;
            }
        }
    }
    let (mut mean, n) = sum?;
    mean.scale(1.0 / n);
    let (found, wanted) = (mean.course(), course.course());
    let off: f64 = found.iter().zip(&wanted).map(|(found, wanted)| (found - wanted).abs()).sum();
    let peak = wanted.iter().copied().fold(0.0, f64::max);
    Some(CourseAgain {
        replications: REPLICATIONS,
        rate_per_s: mean.rate_per_s,
        error: off / wanted.len() as f64 / peak,
        left: mean.left,
    })
}

impl RateFit {
    /// All figures by a function of two.
    fn join(&mut self, other: &RateFit, by: impl Fn(f64, f64) -> f64) {
        let lists =
            |a: &mut [f64], b: &[f64]| a.iter_mut().zip(b).for_each(|(a, b)| *a = by(*a, *b));
        self.rate_per_s = by(self.rate_per_s, other.rate_per_s);
        lists(&mut self.weekday, &other.weekday);
        for (own, other) in [(&mut self.weekend, &other.weekend), (&mut self.week, &other.week)] {
            if let (Some(own), Some(other)) = (own, other) {
                lists(own, other);
            }
        }
        if let (Some(own), Some(other)) = (&mut self.left, &other.left) {
            let Left { variance, correlation, day_variance, day_correlation } = own;
            *variance = by(*variance, other.variance);
            lists(correlation, &other.correlation);
            *day_variance = by(*day_variance, other.day_variance);
            *day_correlation = by(*day_correlation, other.day_correlation);
        }
    }

    fn add(&mut self, other: &RateFit) {
        self.join(other, |a, b| a + b);
    }

    fn scale(&mut self, factor: f64) {
        let own = self.clone();
        self.join(&own, |a, _| a * factor);
    }
}

impl Tenants {
    /// The sum of squared shares of so many tenants with this exponent.
    pub fn concentration(count: u32, zipf: f64) -> f64 {
        let weights = (1..=count).map(|k| libm::pow(f64::from(k), -zipf));
        let (all, squares) = weights.fold((0.0, 0.0), |(a, s), w| (a + w, s + w * w));
        squares / (all * all)
    }

    /// So many tenants whose sum is this process.
    pub fn with(count: u32, zipf: f64, sum: Chain) -> Tenants {
        let shares = Tenants::concentration(count, zipf);
        let on = shares / (shares + sum.variance);
        let (on_s, off_s) = (Some(sum.memory_s / (1.0 - on)), Some(sum.memory_s / on));
        Tenants { count, zipf, on_s, off_s, sum }
    }

    /// So many tenants that never switch off.
    pub fn always(count: u32, zipf: f64) -> Tenants {
        let sum = Chain { variance: 0.0, memory_s: 0.0 };
        Tenants { count, zipf, on_s: None, off_s: None, sum }
    }
}
