//! How figures, bounds and values of the key are called in text.

use crate::report::figure::{Figure, Measure, grouped};
use crate::study::Unit;
use crate::study::seek::{SeekBound, SeekResult};

/// Keys that people know by another name.
const NAMES: [(&str, &str); 10] = [
    ("ttft_s", "TTFT"),
    ("visible_ttft_s", "visible TTFT"),
    ("tpot_s", "TPOT"),
    ("itl_s", "ITL"),
    ("e2e_s", "end to end"),
    ("queue_s", "queue wait"),
    ("usd_per_mtok", "$/Mtok"),
    ("goodput_fraction", "goodput share"),
    ("cache_hit_fraction", "prompt from cache"),
    ("tok_per_s_per_user", "tokens/s a user"),
];

/// The figure at `path` for people: "TTFT p95 of chat".
pub fn metric(path: &str) -> String {
    let (owner, rest) = match (path.strip_prefix("use_cases."), path.strip_prefix("pools.")) {
        (Some(rest), _) => ("", rest),
        (_, Some(rest)) => ("pool ", rest),
        _ => return path.trim_end_matches("_s").to_owned(),
    };
    // Names may hold dots, keys are one or two words.
    let words = match Unit::of(path) {
        Unit::Seconds | Unit::UsdPerMtok => 2,
        _ => 1,
    };
    let parts: Vec<&str> = rest.split('.').collect();
    let (name, key) = parts.split_at(parts.len().saturating_sub(words));
    let (name, when) = match name {
        [name @ .., "arrivals"] if !name.is_empty() => (name, " while calls arrive"),
        _ => (name, ""),
    };
    let known = |word: &str| {
        let found = NAMES.iter().find(|(known, _)| *known == word);
        found.map_or_else(|| word.replace('_', " "), |(_, name)| (*name).to_owned())
    };
    let key: Vec<String> = key.iter().map(|word| known(word)).collect();
    format!("{}{when} of {owner}{}", key.join(" "), name.join("."))
}

/// How the figure at `path` is shown.
pub fn measure(path: &str) -> Measure {
    match Unit::of(path) {
        Unit::Seconds => Measure::Seconds,
        Unit::Share => Measure::Fraction,
        Unit::PerSecond => Measure::Plain("/s"),
        Unit::TokensPerSecond => Measure::Plain("tok/s"),
        Unit::BytesPerSecond => Measure::Plain("B/s"),
        Unit::UsdPerMtok | Unit::UsdPerHour | Unit::Usd => Measure::Dollars,
        Unit::Number => Measure::Plain(""),
    }
}

/// "at most 800 ms"
pub fn bound(bound: &SeekBound) -> String {
    let show = |limit: f64| Figure::exact(limit, measure(&bound.metric)).plain();
    match (bound.at_most, bound.at_least) {
        (Some(limit), _) => format!("at most {}", show(limit)),
        (_, Some(limit)) => format!("at least {}", show(limit)),
        (None, None) => String::new(),
    }
}

/// A value of the key as it is written in a scenario: "26.4 /s", "250,000".
pub fn written(result: &SeekResult, number: f64) -> String {
    let point = result.points.iter().find(|point| point.number == number);
    match point.and_then(|point| point.value.as_str()) {
        Some(text) => text.to_owned(),
        None if number == libm::floor(number) => grouped(number, 0),
        None => number.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_called_by_names_people_know() {
        assert_eq!(metric("use_cases.chat.ttft_s.p95"), "TTFT p95 of chat");
        assert_eq!(metric("use_cases.a.b.goodput_fraction"), "goodput share of a.b");
        assert_eq!(metric("pools.a.usd_per_mtok.total"), "$/Mtok total of pool a");
        assert_eq!(metric("pools.a.kv_use_mean"), "kv use mean of pool a");
        assert_eq!(metric("drain_s"), "drain");
        let of_arrivals = metric("pools.a.arrivals.utilization");
        assert_eq!(of_arrivals, "utilization while calls arrive of pool a");
        let cost = metric("pools.a.b.arrivals.usd_per_mtok.total");
        assert_eq!(cost, "$/Mtok total while calls arrive of pool a.b");
    }
}
