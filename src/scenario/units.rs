//! Quantities as users write them: a number and a unit in one string.
//!
//! Every kind of quantity is a table of units and what each is worth in SI, so
//! a wrong unit can be answered with the list of right ones. Durations may be
//! sums ("2 h 30 min"). A bare number is refused wherever a unit could be
//! meant; a duration parser from a crate would not take "1.5 days", and none
//! covers the rest.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use std::borrow::Cow;
use std::marker::PhantomData;

/// A unit's name and its worth in the SI unit of its kind.
pub type Unit = (&'static str, f64);

/// A kind of quantity.
pub trait Kind {
    /// What it is, for messages: "duration".
    const NAME: &'static str;
    /// How it is written, in its quotes.
    const EXAMPLE: &'static str;
    /// Its units; the first is the SI unit.
    const UNITS: &'static [Unit];
    /// Other names of them, taken but not advertised.
    const ALIASES: &'static [Unit] = &[];
    /// Whether a dollar sign leads.
    const DOLLARS: bool = false;
    /// Whether several terms may be summed.
    const SUM: bool = false;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $alias:ident { $($item:ident: $value:expr),* $(,)? })*) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq)]
            pub enum $kind {}
            impl Kind for $kind { $(kinds!(@item $item $value);)* }
            $(#[$doc])*
            pub type $alias = Quantity<$kind>;
        )*
        /// Reads `text` as a quantity of the kind named `kind` (its [`Kind::NAME`]).
        pub fn read_kind(kind: &str, text: &str) -> Option<Result<f64, UnitError>> {
            $(if kind == $kind::NAME { return Some(read::<$kind>(text)); })*
            None
        }
        /// How a quantity of the kind named `kind` is written.
        pub fn example(kind: &str) -> &'static str {
            $(if kind == $kind::NAME { return $kind::EXAMPLE; })*
            ""
        }
    };
    (@item name $value:expr) => { const NAME: &'static str = $value; };
    (@item example $value:expr) => { const EXAMPLE: &'static str = $value; };
    (@item units $value:expr) => { const UNITS: &'static [Unit] = &$value; };
    (@item aliases $value:expr) => { const ALIASES: &'static [Unit] = &$value; };
    (@item dollars $value:expr) => { const DOLLARS: bool = $value; };
    (@item sum $value:expr) => { const SUM: bool = $value; };
}

kinds! {
    /// A length of time, in seconds.
    DurationKind = Duration {
        name: "duration", example: "\"15 min\"", sum: true,
        units: [
            ("s", 1.0), ("ns", 1e-9), ("us", 1e-6), ("ms", 1e-3), ("min", 60.0), ("h", 3_600.0),
            ("days", 86_400.0), ("weeks", 604_800.0), ("months", 2_628_000.0),
            ("years", 31_536_000.0),
        ],
        aliases: [
            ("sec", 1.0), ("second", 1.0), ("seconds", 1.0), ("µs", 1e-6), ("minute", 60.0),
            ("minutes", 60.0), ("hour", 3_600.0), ("hours", 3_600.0), ("d", 86_400.0),
            ("day", 86_400.0), ("week", 604_800.0), ("month", 2_628_000.0), ("year", 31_536_000.0),
        ],
    }
    /// Events per second.
    RateKind = Rate {
        name: "rate", example: "\"2 /s\"",
        units: [("/s", 1.0), ("/min", 1.0 / 60.0), ("/h", 1.0 / 3_600.0), ("/day", 1.0 / 86_400.0)],
    }
    /// A percentage a period; in periods of itself, see [`GrowthRate::doubling_s`].
    GrowthRateKind = GrowthRate {
        name: "growth rate", example: "\"9.7 %/month\"",
        units: [("%/month", 0.01), ("%/year", 0.01), ("%/week", 0.01), ("%/day", 0.01)],
    }
    /// Tokens per second.
    TokenRateKind = TokenRate {
        name: "token rate", example: "\"30 tok/s\"", units: [("tok/s", 1.0), ("tok/min", 1.0 / 60.0)],
    }
    /// An amount of memory, in bytes; GB is decimal, GiB is binary.
    BytesKind = Bytes {
        name: "memory size", example: "\"80 GB\"",
        units: [
            ("B", 1.0), ("kB", 1e3), ("MB", 1e6), ("GB", 1e9), ("TB", 1e12), ("PB", 1e15),
            ("KiB", 1024.0), ("MiB", 1_048_576.0), ("GiB", 1_073_741_824.0),
            ("TiB", 1_099_511_627_776.0),
        ],
    }
    /// Bytes per second.
    BandwidthKind = Bandwidth {
        name: "bandwidth", example: "\"3.35 TB/s\"",
        units: [
            ("B/s", 1.0), ("kB/s", 1e3), ("MB/s", 1e6), ("GB/s", 1e9), ("TB/s", 1e12),
            ("GiB/s", 1_073_741_824.0),
        ],
    }
    /// Electric power, in watts.
    PowerKind = Power {
        name: "power", example: "\"1370 W\"", units: [("W", 1.0), ("kW", 1e3), ("MW", 1e6)],
    }
    /// Dollars per hour.
    HourPriceKind = HourPrice {
        name: "price per hour", example: "\"$1.20/h\"", dollars: true,
        units: [("/h", 1.0), ("/hour", 1.0), ("/day", 1.0 / 24.0)],
    }
    /// Dollars per million tokens.
    TokenPriceKind = TokenPrice {
        name: "price per million tokens", example: "\"$0.90/Mtok\"", dollars: true,
        units: [("/Mtok", 1.0), ("/ktok", 1e3)],
    }
    /// Dollars.
    MoneyKind = Money {
        name: "amount of money", example: "\"$0.02\"", dollars: true, units: [("", 1.0)],
    }
    /// A part of one.
    PercentKind = Percent {
        name: "percentage", example: "\"90 %\"", units: [("%", 0.01)],
    }
}

/// A number with its unit, as written.
#[derive(Debug)]
pub struct Quantity<K> {
    /// In SI units.
    pub value: f64,
    text: String,
    kind: PhantomData<K>,
}

impl GrowthRate {
    /// Time in which compound growth at this rate doubles, s; infinite at zero.
    /// A month is a twelfth of 365 days.
    pub fn doubling_s(&self) -> f64 {
        let (_, unit) = split_number(self.text.trim());
        let period = unit.trim().trim_start_matches("%/");
        let period_s =
            Duration::read(&format!("1 {period}")).map_or(f64::NAN, |period| period.value);
        period_s * std::f64::consts::LN_2 / libm::log1p(self.value)
    }
}

/// What is wrong with a quantity and what would be right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitError {
    /// What is wrong.
    pub problem: String,
    /// What would be right.
    pub fix: String,
}

impl<K: Kind> Quantity<K> {
    /// Reads a quantity.
    pub fn read(text: &str) -> Result<Self, UnitError> {
        Ok(Self { value: read::<K>(text)?, text: text.to_owned(), kind: PhantomData })
    }
}

impl<K> Quantity<K> {
    /// The quantity as written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

impl<K> Clone for Quantity<K> {
    fn clone(&self) -> Self {
        Self { value: self.value, text: self.text.clone(), kind: PhantomData }
    }
}

impl<K> PartialEq for Quantity<K> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<K> Serialize for Quantity<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Quantity<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).map_err(|e| de::Error::custom(format!("{}; {}", e.problem, e.fix)))
    }
}

impl<K: Kind> schemars::JsonSchema for Quantity<K> {
    fn schema_name() -> Cow<'static, str> {
        K::NAME.into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "examples": [K::EXAMPLE.trim_matches('"')],
            "x-quantity": K::NAME,
        })
    }
}

/// Reads `text` as a sum of numbers with units (one term unless the kind sums).
fn read<K: Kind>(text: &str) -> Result<f64, UnitError> {
    let fix = || format!("write a {} such as {}", K::NAME, K::EXAMPLE);
    let error = |problem: String| Err(UnitError { problem, fix: fix() });
    let mut rest = text.trim();
    let mut total = 0.0;
    let mut terms = 0;
    while terms == 0 || (K::SUM && !rest.is_empty()) {
        if K::DOLLARS {
            let Some(amount) = rest.strip_prefix('$') else {
                return error("has no dollar sign".into());
            };
            rest = amount.trim_start();
        }
        let (digits, tail) = split_number(rest);
        let Ok(number) = digits.replace('_', "").parse::<f64>() else {
            return error("does not start with a number".into());
        };
        if !number.is_finite() {
            return error("is too large a number".into());
        }
        if number < 0.0 {
            return error("must not be negative".into());
        }
        let (unit, tail) = if K::SUM { split_unit(tail) } else { (tail.trim(), "") };
        total += number * worth::<K>(unit)?;
        rest = tail.trim_start_matches([' ', ',']);
        terms += 1;
    }
    if total.is_finite() { Ok(total) } else { error("is too large a number".into()) }
}

fn worth<K: Kind>(unit: &str) -> Result<f64, UnitError> {
    if let Some((_, worth)) = K::UNITS.iter().chain(K::ALIASES).find(|(name, _)| *name == unit) {
        return Ok(*worth);
    }
    let problem = match unit {
        "" => "has no unit".to_owned(),
        _ => format!("`{unit}` is not a unit of a {}", K::NAME),
    };
    let names: Vec<&str> = K::UNITS.iter().map(|(name, _)| *name).collect();
    let fix = match names.as_slice() {
        [""] => format!("write it without a unit, e.g. {}", K::EXAMPLE),
        names => format!("units are {}, e.g. {}", names.join(", "), K::EXAMPLE),
    };
    Err(UnitError { problem, fix })
}

/// Splits a leading decimal number off; the number may be empty.
pub(super) fn split_number(text: &str) -> (&str, &str) {
    let bytes = text.as_bytes();
    let digits = |mut at: usize| {
        while at < bytes.len() && (bytes[at].is_ascii_digit() || bytes[at] == b'_') {
            at += 1;
        }
        at
    };
    let mut end = digits(usize::from(text.starts_with(['-', '+'])));
    if bytes.get(end) == Some(&b'.') {
        end = digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let exponent = digits(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
        }
    }
    text.split_at(end)
}

/// Splits the unit from the terms that follow it.
fn split_unit(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    let end = text
        .find(|c: char| c.is_ascii_digit() || c.is_whitespace() || matches!(c, ',' | '-' | '+'))
        .unwrap_or(text.len());
    text.split_at(end)
}

/// A part of one: a number from 0 to 1, or a percentage such as "90 %".
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fraction(pub f64);

impl Serialize for Fraction {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0)
    }
}

impl<'de> Deserialize<'de> for Fraction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Percent(Percent),
        }
        Ok(Fraction(match Either::deserialize(deserializer)? {
            Either::Number(number) => number,
            Either::Percent(percent) => percent.value,
        }))
    }
}

impl schemars::JsonSchema for Fraction {
    fn schema_name() -> Cow<'static, str> {
        "fraction".into()
    }
    fn inline_schema() -> bool {
        true
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "anyOf": [
            { "type": "number", "minimum": 0, "maximum": 1 },
            { "type": "string", "x-quantity": PercentKind::NAME, "maximum": 1 },
        ] })
    }
}

/// A duration of about so many seconds, rounded up to two digits or so, as it may be
/// written: "48 min".
pub fn duration(seconds: f64) -> String {
    let (unit, worth) = match seconds {
        s if s <= 120.0 => ("s", 1.0),
        s if s <= 7_200.0 => ("min", 60.0),
        s if s <= 172_800.0 => ("h", 3_600.0),
        _ => ("days", 86_400.0),
    };
    // What is whole but for rounding stays.
    let count = (seconds / worth - 1e-9).ceil().max(0.0);
    format!("{count:.0} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> f64 {
        Duration::read(text).unwrap().value
    }

    #[test]
    fn durations_are_sums_of_terms() {
        assert_eq!(seconds("800 ms"), 0.8);
        assert_eq!(seconds("15min"), 900.0);
        assert_eq!(seconds("2 h 30 min"), 9_000.0);
        assert_eq!(seconds("2h30min"), 9_000.0);
        assert_eq!(seconds("1.5 days"), 129_600.0);
        assert_eq!(seconds("1e3 s"), 1_000.0);
        assert_eq!(seconds("0.4 ms"), 0.4e-3);
        assert_eq!(seconds("21 days"), 21.0 * 86_400.0);
    }

    #[test]
    fn other_kinds() {
        assert_eq!(Rate::read("120 /min").unwrap().value, 2.0);
        assert_eq!(Rate::read("2/s").unwrap().value, 2.0);
        assert_eq!(Bytes::read("80 GB").unwrap().value, 80e9);
        assert_eq!(Bytes::read("80GiB").unwrap().value, 85_899_345_920.0);
        assert_eq!(HourPrice::read("$1.20/h").unwrap().value, 1.2);
        assert_eq!(TokenPrice::read("$ 0.90 /Mtok").unwrap().value, 0.9);
        assert_eq!(Power::read("2.1 kW").unwrap().value, 2_100.0);
        assert_eq!(TokenRate::read("30 tok/s").unwrap().value, 30.0);
        assert_eq!(Percent::read("50 %").unwrap().value, 0.5);
        assert_eq!(Bandwidth::read("3 TB/s").unwrap().value, 3e12);
        assert_eq!(read_kind("rate", "1_000 /s"), Some(Ok(1_000.0)));
        assert_eq!(read_kind("color", "1 /s"), None);
    }

    #[test]
    fn growth_rates_compound() {
        let days = |text: &str| GrowthRate::read(text).unwrap().doubling_s() / 86_400.0;
        assert!((days("100 %/year") - 365.0).abs() < 1e-9);
        // Doubling every 7.5 months is 9.68 % a month.
        assert!((days("9.682 %/month") / (365.0 / 12.0) - 7.5).abs() < 1e-3);
        assert_eq!(days("0 %/day"), f64::INFINITY);
    }

    #[test]
    fn a_wrong_unit_is_answered_with_the_right_ones() {
        let error = Bytes::read("80 GBs").unwrap_err();
        assert_eq!(error.problem, "`GBs` is not a unit of a memory size");
        assert!(error.fix.contains("kB, MB, GB, TB"), "{}", error.fix);
        assert!(error.fix.contains("\"80 GB\""), "{}", error.fix);
    }

    #[test]
    fn what_is_not_a_quantity() {
        let problem = |text: &str| Duration::read(text).unwrap_err().problem;
        assert_eq!(problem("5"), "has no unit");
        assert_eq!(problem("-5 s"), "must not be negative");
        assert_eq!(problem("nan s"), "does not start with a number");
        assert_eq!(problem("inf s"), "does not start with a number");
        assert_eq!(problem(""), "does not start with a number");
        assert_eq!(problem("5 s x"), "does not start with a number");
        assert_eq!(problem("1e999 s"), "is too large a number");
        assert_eq!(problem("2 moons"), "`moons` is not a unit of a duration");
        assert_eq!(HourPrice::read("1.20/h").unwrap_err().problem, "has no dollar sign");
        assert_eq!(
            Rate::read("2 /s 3 /s").unwrap_err().problem,
            "`/s 3 /s` is not a unit of a rate"
        );
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            for kind in ["duration", "rate", "memory size", "price per hour"] {
                let _ = read_kind(kind, &text);
            }
        }
    }
}
