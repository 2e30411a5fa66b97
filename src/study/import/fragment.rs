//! The use case as text: a part of a scenario whose every key says in a comment
//! where it comes from and how well it fits.

use super::burst::Bursts;
use super::gaps::GapLaw;
use super::lengths::{Lengths, Mixture, Quantiles};
use super::rate::{RateFit, Tenants};
use super::{DispersionFit, LengthFit};

/// Laws that lengths are given by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LengthLaw {
    /// A table of quantiles.
    Empirical,
    /// A mixture of lognormal laws.
    Mixture,
}

/// What a use case needs around it to run, for those who have no scenario yet.
pub const DEFAULT_POOL: &str = "[[pool]]\n\
    name = \"assistant\"\n\
    model = \"llama-3.1-8b\"   # what the calls are for; `tokenmill catalog models` lists them\n\
    hardware = \"h100-sxm\"\n\
    replicas = 1             # tokenmill seek or compare tell how many it takes\n";

/// Windows that the comment on bursts tells, s.
const TOLD_S: [f64; 3] = [1.0, 10.0, 60.0];

/// A use case in the making.
pub struct Fragment {
    name: String,
    head: String,
    lines: Vec<String>,
    /// When the scenario begins, where that matters.
    start: Option<String>,
}

/// What makes arrivals vary.
#[derive(Clone, Copy, Debug, Default)]
pub struct Varying<'v> {
    /// Gaps and states.
    pub bursts: Option<&'v Bursts>,
    /// The course of day and week, and what varies around it.
    pub course: Option<&'v RateFit>,
    /// Its time zone.
    pub zone: Option<&'v str>,
    /// Dispersion, for the comment.
    pub dispersion: &'v [DispersionFit],
}

impl Fragment {
    /// A use case of this name, from `what` is in a file.
    pub fn new(name: &str, file: &str, what: &str) -> Fragment {
        let version = env!("CARGO_PKG_VERSION");
        let head = format!("# From {} ({what}), by tokenmill import {version}.\n", base(file));
        Fragment { name: name.to_owned(), head, lines: Vec::new(), start: None }
    }

    /// A comment, and a key with its value.
    pub fn key(&mut self, comment: &str, key: &str, value: &str) {
        self.lines.push(format!("# {comment}"));
        self.lines.push(format!("{key} = {value}"));
    }

    /// Lets the scenario begin at this instant.
    pub fn start(&mut self, start: &str) {
        self.start = Some(start.to_owned());
    }

    /// Arrivals at a rate, and what makes it vary.
    pub fn arrivals(&mut self, rate: f64, varying: Varying<'_>) {
        let value = format!("{{ process = \"poisson\", rate = \"{} /s\" }}", short(rate));
        self.key("Mean rate.", "arrivals", &value);
        if let Some(fit) = varying.course.filter(|fit| fit.days > 0) {
            self.course(fit, varying.zone);
        }
        let mut comments = Vec::new();
        let told: Vec<&DispersionFit> =
            varying.dispersion.iter().filter(|fit| TOLD_S.contains(&fit.window_s)).collect();
        if !told.is_empty() {
            let list = |of: fn(&DispersionFit) -> f64| {
                told.iter().map(|fit| format!("{:.3}", of(fit))).collect::<Vec<_>>().join(", ")
            };
            let windows: Vec<String> = told.iter().map(|fit| short(fit.window_s)).collect();
            comments.push(format!(
                "Variance over mean of counts in {} s: {} recorded, {} expected of this.",
                windows.join(", "),
                list(|fit| fit.trace),
                list(|fit| fit.model),
            ));
        }
        if let Some(left) = varying.course.and_then(|fit| fit.left.as_ref()) {
            comments.push(format!(
                "Around the profile: within days a variance of {}, {:.2} of it an hour later; \
                 logarithms of days {}, {:.2}.",
                short(left.variance),
                left.correlation[0],
                short(left.day_variance),
                left.day_correlation
            ));
        }
        match variability(varying.bursts, varying.course) {
            Some(value) => {
                let comment = comments.join("\n# ");
                let comment = if comment.is_empty() { "Law of gaps." } else { &comment };
                self.key(comment, "variability", &value);
            }
            None => self.lines.extend(comments.iter().map(|comment| format!("# {comment}"))),
        }
    }

    /// Growth, and the course of day and week.
    fn course(&mut self, fit: &RateFit, zone: Option<&str>) {
        if let Some(zone) = zone {
            self.lines.push(format!("time_zone = {}", quoted(zone)));
        }
        if let Some(percent) = fit.growth_percent_per_month {
            let value = format!("\"{} %/month\"", short(percent));
            self.key("A trend of the days, beyond chance.", "growth", &value);
        }
        let list = |values: &[f64]| {
            values.iter().map(|value| short(*value)).collect::<Vec<_>>().join(", ")
        };
        let mut parts = vec![format!("weekday = [{}]", list(&fit.weekday))];
        parts.extend(fit.weekend.as_ref().map(|hours| format!("weekend = [{}]", list(hours))));
        parts.extend(fit.week.as_ref().map(|days| format!("days = [{}]", list(days))));
        let kind = if fit.is_weekly { "week" } else { "median day" };
        let comment = format!(
            "The {kind} of {} whole day{}; mean absolute error {:.2} % of the peak.",
            fit.days,
            if fit.days == 1 { "" } else { "s" },
            100.0 * fit.error
        );
        self.key(&comment, "profile", &format!("{{ {} }}", parts.join(", ")));
    }

    /// The name of the use case.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Sessions: turns, first prompts, and the time between turns in ms. Says how the
    /// first two are fitted.
    pub fn session(
        &mut self,
        turns: &Lengths,
        opening: &Lengths,
        think_ms: &Lengths,
        law: LengthLaw,
    ) -> [LengthFit; 2] {
        // Laws are written the same as for the keys of their own.
        let mut aside = Fragment::new("", "", "");
        let fits = [
            aside.lengths("turns", turns, LengthLaw::Empirical),
            aside.lengths("opening_tokens", opening, law),
        ];
        let keys = aside.lines.iter().filter(|line| !line.starts_with('#'));
        let mut parts: Vec<String> = keys.cloned().collect();
        if !think_ms.is_empty() {
            let table = think_ms.quantiles();
            let list = |values: Vec<String>| values.join(", ");
            let fractions = list(table.points.iter().map(|point| point.0.to_string()).collect());
            let second = |point: &(f64, f64)| format!("\"{} s\"", short(point.1.max(0.5) / 1e3));
            let values = list(table.points.iter().map(second).collect());
            parts.push(format!(
                "think = {{ distribution = \"quantiles\", fractions = [{fractions}], values = \
                 [{values}] }}"
            ));
        }
        let comment = format!(
            "{} sessions of {} turns in the mean (median {}); first prompts of {} tokens in the \
             mean.",
            short(turns.n),
            short(turns.mean),
            short(turns.quantile(0.5)),
            short(opening.mean)
        );
        self.key(&comment, "session", &format!("{{ {} }}", parts.join(", ")));
        fits
    }

    /// Token lengths that a recording says nothing of.
    pub fn lengths_unknown(&mut self) {
        self.key("Rates say nothing of lengths: set these.", "prompt_tokens", "1000");
        self.lines.push("output_tokens = 250".to_owned());
    }

    /// Arrivals of a recording that does not tell them.
    pub fn arrivals_unknown(&mut self) {
        let value = "{ process = \"poisson\", rate = \"1 /s\" }";
        self.key("The recording does not say when calls came: set this.", "arrivals", value);
    }

    /// Token lengths; says how both laws fit.
    pub fn lengths(&mut self, key: &str, lengths: &Lengths, law: LengthLaw) -> LengthFit {
        let (table, mixture) = (lengths.quantiles(), lengths.mixture().rounded());
        let empirical_distance = lengths.distance(|x| table.below(x));
        let mixture_distance = lengths.distance(|x| mixture.below(x));
        let (value, distance) = match law {
            LengthLaw::Empirical => (quantiles(&table), empirical_distance),
            LengthLaw::Mixture => (mixture_value(&mixture), mixture_distance),
        };
        let comment = format!(
            "Mean {}, median {}, 99th percentile {}; distance (Kolmogorov) {distance:.4} of {}.",
            short(lengths.mean),
            short(lengths.quantile(0.5)),
            short(lengths.quantile(0.99)),
            short(lengths.n),
        );
        self.key(&comment, key, &value);
        LengthFit {
            empirical_distance,
            empirical_points: table.points.len(),
            mixture_distance,
            mixture_parts: mixture.parts.len(),
            ..LengthFit::of(lengths)
        }
    }

    /// The use case, as part of a scenario.
    pub fn text(&self) -> String {
        let mut text = format!("{}[[use_case]]\nname = {}\n", self.head, quoted(&self.name));
        for line in &self.lines {
            text += line;
            text.push('\n');
        }
        text
    }

    /// A scenario of it alone, as long as the recording.
    pub fn scenario(&self, length_s: Option<f64>) -> String {
        let duration = length_s.unwrap_or(600.0).max(1.0);
        let start =
            self.start.as_ref().map_or(String::new(), |start| format!("start = \"{start}\"\n"));
        format!(
            "schema = 1\nname = {}\n{start}duration = \"{} s\"\n\n{DEFAULT_POOL}\n{}",
            quoted(&self.name),
            short(duration),
            self.text()
        )
    }
}

/// What cannot be foreseen, in a scenario; `None` for independent calls at a rate
/// that is known.
fn variability(bursts: Option<&Bursts>, course: Option<&RateFit>) -> Option<String> {
    let mut parts = Vec::new();
    match bursts.map_or(GapLaw::Exponential, |bursts| bursts.gaps) {
        GapLaw::Exponential => {}
        GapLaw::Gamma { cv } => {
            parts.push(format!("gaps = {{ distribution = \"gamma\", cv = {} }}", short(cv)));
        }
        GapLaw::Weibull { shape } => {
            let shape = short(shape);
            parts.push(format!("gaps = {{ distribution = \"weibull\", shape = {shape} }}"));
        }
    }
    if let Some(noise) = course.and_then(|fit| fit.day_noise) {
        let (cv, correlation) = (short(100.0 * noise.cv), short(noise.correlation));
        parts.push(format!("day_noise = {{ cv = \"{cv} %\", correlation = {correlation} }}"));
    }
    if let Some(tenants) = course.and_then(|fit| fit.tenants) {
        let Tenants { count, zipf, on_s, off_s, .. } = tenants;
        let on_off = match (on_s, off_s) {
            (Some(on), Some(off)) => {
                format!(", on = \"{} s\", off = \"{} s\"", short(on), short(off))
            }
            _ => String::new(),
        };
        parts.push(format!("tenants = {{ count = {count}, zipf = {}{on_off} }}", short(zipf)));
    }
    let chain = |chain: &super::Chain| {
        let state = |(factor, mean_s): (f64, f64)| {
            format!("{{ factor = {}, mean = \"{} s\" }}", short(factor), short(mean_s))
        };
        format!("[{}]", chain.states().map(state).join(", "))
    };
    let chains: Vec<String> =
        bursts.map_or(Vec::new(), |bursts| bursts.chains.iter().map(chain).collect());
    match chains.as_slice() {
        [] => {}
        [one] => parts.push(format!("states = {one}")),
        several => parts.push(format!("states = [{}]", several.join(", "))),
    }
    (!parts.is_empty()).then(|| format!("{{ {} }}", parts.join(", ")))
}

fn quantiles(table: &Quantiles) -> String {
    if let [(_, low), (_, high)] = table.points[..]
        && high - low <= 1.0
    {
        return short((low + high) / 2.0);
    }
    let list = |of: fn(&(f64, f64)) -> f64| {
        table.points.iter().map(|point| of(point).to_string()).collect::<Vec<_>>().join(", ")
    };
    let (fractions, values) = (list(|point| point.0), list(|point| point.1));
    format!("{{ distribution = \"quantiles\", fractions = [{fractions}], values = [{values}] }}")
}

fn mixture_value(mixture: &Mixture) -> String {
    let law = |(_, mu, sigma): &(f64, f64, f64)| {
        let median = libm::exp(*mu);
        format!("distribution = \"lognormal\", median = {}, sigma = {sigma}", short(median))
    };
    if let [one] = &mixture.parts[..] {
        return format!("{{ {}, max = {} }}", law(one), short(mixture.max));
    }
    let part =
        |part: &(f64, f64, f64)| format!("{{ weight = {}, of = {{ {} }} }}", part.0, law(part));
    let parts: Vec<String> = mixture.parts.iter().map(part).collect();
    let max = short(mixture.max);
    format!("{{ distribution = \"mixture\", parts = [{}], max = {max} }}", parts.join(", "))
}

impl Mixture {
    /// With parameters as they are written, so that the distance told is theirs.
    fn rounded(self) -> Mixture {
        let part = |(share, mu, sigma): (f64, f64, f64)| {
            let median: f64 = short(libm::exp(mu)).parse().expect("a number");
            ((share * 1e4).round() / 1e4, libm::log(median), (sigma * 1e4).round() / 1e4)
        };
        let mut parts: Vec<_> = self.parts.into_iter().map(part).collect();
        let sum: f64 = parts.iter().map(|part| part.0).sum();
        parts.iter_mut().for_each(|part| part.0 = (part.0 / sum * 1e6).round() / 1e6);
        Mixture { parts, max: self.max }
    }
}

/// A number with four digits, or all of a whole one.
pub fn short(value: f64) -> String {
    if value == 0.0 || (value.fract() == 0.0 && value.abs() < 1e15) {
        return format!("{value}");
    }
    let digits = 3 - libm::floor(libm::log10(value.abs())) as i32;
    if digits <= 0 {
        return format!("{:.0}", value);
    }
    let text = format!("{value:.*}", digits.min(12) as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

/// The last part of a path.
fn base(file: &str) -> String {
    let path = std::path::Path::new(file);
    path.file_name().map_or(file.to_owned(), |name| name.to_string_lossy().into_owned())
}
