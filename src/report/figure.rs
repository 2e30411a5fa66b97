//! A figure as people read it: value, uncertainty and unit at readable scale.
//!
//! 0.2123 s with an interval from 0.195 to 0.23 reads "212 ± 18 ms". The unit
//! and the decimals follow from three significant digits of the mean, so that
//! both ends of an interval line up with it. Rounding is that of `format!`,
//! which is exact and the same on every platform.

use crate::statistics::Interval;

/// What a number measures, and with that how it is scaled and labelled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// Seconds, shown in ns, us, ms, s, min, h or d.
    Seconds,
    /// A share in 0..=1, shown in percent.
    Fraction,
    /// A difference of two shares, shown in hundredths: "1.2 points".
    Points,
    /// Dollars.
    Dollars,
    /// Megawatts, shown in W, kW or MW.
    Megawatts,
    /// Anything else, with its unit as it stands ("tok/s").
    Plain(&'static str),
}

/// A formatted figure: its parts, to be put together as the place demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Figure {
    prefix: &'static str,
    mean: String,
    half: Option<String>,
    ends: Option<(String, String)>,
    unit: &'static str,
}

impl Figure {
    /// Formats an interval.
    pub fn of(interval: &Interval, measure: Measure) -> Figure {
        Figure::of_size(interval, measure, 0.0)
    }

    /// Formats an interval with no more digits than a value of `size_min` has.
    pub fn of_size(interval: &Interval, measure: Measure, size_min: f64) -> Figure {
        let half = match (interval.low, interval.high) {
            (Some(low), Some(high)) => {
                Some(f64::max(interval.mean - low, high - interval.mean).max(0.0))
            }
            _ => None,
        };
        let size = f64::max(interval.mean.abs(), half.unwrap_or(0.0)).max(size_min);
        let scale = Scale::of(size, measure);
        let decimals = decimals(size * scale.factor, measure);
        let show = |value: f64| grouped(value * scale.factor, decimals);
        Figure {
            prefix: scale.prefix,
            mean: show(interval.mean),
            half: half
                .filter(|&half| half > 0.0)
                .map(|half| at_least_one_step(half * scale.factor, decimals)),
            ends: interval
                .low
                .zip(interval.high)
                .filter(|(low, high)| low < high)
                .map(|(low, high)| (show(low), show(high))),
            unit: scale.unit,
        }
    }

    /// Formats a number that has no interval.
    pub fn exact(value: f64, measure: Measure) -> Figure {
        Figure::of(&Interval { mean: value, low: None, high: None }, measure)
    }

    /// "212 ms".
    pub fn plain(&self) -> String {
        self.with_unit(self.prefixed())
    }

    /// "212 ± 18 ms", or "212 ms" where no spread is known or there is none.
    pub fn plus_minus(&self) -> String {
        match &self.half {
            Some(half) => self.with_unit(format!("{} ± {half}", self.prefixed())),
            None => self.plain(),
        }
    }

    /// "195 to 230 ms", where a spread is known.
    pub fn range(&self) -> Option<String> {
        let (low, high) = self.ends.as_ref()?;
        Some(self.with_unit(format!("{0}{low} to {0}{high}", self.prefix)))
    }

    /// A difference, with its sign: "+212 ms", "-$0.03".
    pub fn signed(&self) -> String {
        self.with_unit(self.signed_mean())
    }

    /// A difference with its sign and spread: "-$0.03 ± 0.01".
    pub fn signed_plus_minus(&self) -> String {
        match &self.half {
            Some(half) => self.with_unit(format!("{} ± {half}", self.signed_mean())),
            None => self.signed(),
        }
    }

    /// The mean with what leads it; a sign comes first.
    fn prefixed(&self) -> String {
        match self.mean.strip_prefix('-') {
            Some(size) => format!("-{}{size}", self.prefix),
            None => format!("{}{}", self.prefix, self.mean),
        }
    }

    fn signed_mean(&self) -> String {
        let prefix = self.prefix;
        let is_zero = self.mean.chars().all(|c| matches!(c, '0' | '.'));
        match self.mean.strip_prefix('-') {
            Some(size) => format!("-{prefix}{size}"),
            None if is_zero => format!("{prefix}{}", self.mean),
            None => format!("+{prefix}{}", self.mean),
        }
    }

    fn with_unit(&self, number: String) -> String {
        if self.unit.is_empty() { number } else { format!("{number} {}", self.unit) }
    }
}

struct Scale {
    factor: f64,
    prefix: &'static str,
    unit: &'static str,
}

impl Scale {
    fn of(size: f64, measure: Measure) -> Scale {
        let (factor, prefix, unit) = match measure {
            Measure::Seconds => {
                let (factor, unit) = seconds(size);
                (factor, "", unit)
            }
            Measure::Fraction => (100.0, "", "%"),
            Measure::Points => (100.0, "", "points"),
            Measure::Dollars => (1.0, "$", ""),
            Measure::Megawatts => match round3(size * 1e6) {
                watts if watts < 1e3 => (1e6, "", "W"),
                watts if watts < 1e6 => (1e3, "", "kW"),
                _ => (1.0, "", "MW"),
            },
            Measure::Plain(unit) => (1.0, "", unit),
        };
        Scale { factor, prefix, unit }
    }
}

/// Factor from seconds to the unit in which `size` reads best, and that unit.
fn seconds(size: f64) -> (f64, &'static str) {
    match round3(size) {
        0.0 => (1e3, "ms"),
        s if s < 1e-6 => (1e9, "ns"),
        s if s < 1e-3 => (1e6, "µs"),
        s if s < 1.0 => (1e3, "ms"),
        s if s < 600.0 => (1.0, "s"),
        s if s < 36_000.0 => (1.0 / 60.0, "min"),
        s if s < 864_000.0 => (1.0 / 3600.0, "h"),
        _ => (1.0 / 86_400.0, "d"),
    }
}

/// `value` to three significant digits.
fn round3(value: f64) -> f64 {
    format!("{value:.2e}").parse().unwrap_or(value)
}

/// Decimals that show three significant digits of `size`, at most nine.
fn decimals(size: f64, measure: Measure) -> usize {
    if size == 0.0 || !size.is_finite() {
        return 0;
    }
    // Near 100 % the interesting digits are those of what is missing.
    if measure == Measure::Fraction && size > 99.0 && size < 100.0 {
        return 2;
    }
    let text = format!("{size:.2e}");
    let exponent: i32 = text.split_once('e').and_then(|(_, e)| e.parse().ok()).unwrap_or(0);
    (2 - exponent).clamp(0, 9) as usize
}

/// A half-width never reads as zero unless it is: "<0.01".
fn at_least_one_step(half: f64, decimals: usize) -> String {
    let text = grouped(half, decimals);
    let rounds_to_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    match decimals {
        _ if !rounds_to_zero => text,
        0 => "<1".into(),
        _ => format!("<0.{:0>decimals$}", 1),
    }
}

/// `value` with fixed decimals and commas between thousands.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    if !value.is_finite() {
        return text;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        // "-0.00" is zero.
        Some(rest) if rest.chars().all(|c| matches!(c, '0' | '.')) => ("", rest),
        Some(rest) => ("-", rest),
        None => ("", text.as_str()),
    };
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut out = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(mean: f64, half: f64) -> Interval {
        Interval { mean, low: Some(mean - half), high: Some(mean + half) }
    }

    #[test]
    fn figures_read_at_three_significant_digits() {
        let read = |mean, half, measure| Figure::of(&interval(mean, half), measure).plus_minus();
        assert_eq!(read(0.2123, 0.0178, Measure::Seconds), "212 ± 18 ms");
        assert_eq!(read(1.2345, 0.05, Measure::Seconds), "1.23 ± 0.05 s");
        assert_eq!(read(0.99996, 0.001, Measure::Seconds), "1.00 ± <0.01 s");
        assert_eq!(read(2e-5, 1e-6, Measure::Seconds), "20.0 ± 1.0 µs");
        assert_eq!(read(3e-9, 0.0, Measure::Seconds), "3.00 ns");
        assert_eq!(read(0.0, 0.0, Measure::Seconds), "0 ms");
        assert_eq!(read(7200.0, 60.0, Measure::Seconds), "120 ± 1 min");
        assert_eq!(read(0.713, 0.012, Measure::Fraction), "71.3 ± 1.2 %");
        assert_eq!(read(0.99974, 0.0001, Measure::Fraction), "99.97 ± 0.01 %");
        assert_eq!(read(1.0, 0.0, Measure::Fraction), "100 %");
        assert_eq!(read(0.314, 0.004, Measure::Dollars), "$0.314 ± 0.004");
        assert_eq!(read(-0.314, 0.004, Measure::Dollars), "-$0.314 ± 0.004");
        assert_eq!(read(12_345.6, 78.0, Measure::Plain("tok/s")), "12,346 ± 78 tok/s");
        assert_eq!(read(0.0123, 0.0, Measure::Megawatts), "12.3 kW");
        assert_eq!(read(500.0, 0.2, Measure::Plain("")), "500 ± <1");
    }

    #[test]
    fn one_replication_has_no_spread_to_show() {
        let figure = Figure::exact(0.25, Measure::Seconds);
        assert_eq!(figure.plus_minus(), "250 ms");
        assert_eq!(figure.range(), None);
    }

    #[test]
    fn ranges_carry_the_unit_once_and_the_currency_twice() {
        let seconds = Figure::of(&interval(0.2125, 0.0175), Measure::Seconds);
        assert_eq!(seconds.range().as_deref(), Some("195 to 230 ms"));
        let dollars = Figure::of(&interval(0.31, 0.02), Measure::Dollars);
        assert_eq!(dollars.range().as_deref(), Some("$0.290 to $0.330"));
    }

    #[test]
    fn differences_carry_their_sign_before_the_currency() {
        let read = |mean, half, measure| Figure::of(&interval(mean, half), measure).signed();
        assert_eq!(read(0.012, 0.001, Measure::Seconds), "+12.0 ms");
        assert_eq!(read(-0.03, 0.01, Measure::Dollars), "-$0.0300");
        assert_eq!(read(-0.012, 0.0, Measure::Points), "-1.20 points");
        assert_eq!(read(0.0, 0.0, Measure::Points), "0 points");
        let spread = Figure::of(&interval(-0.03, 0.01), Measure::Dollars);
        assert_eq!(spread.signed_plus_minus(), "-$0.0300 ± 0.0100");
    }

    #[test]
    fn thousands_are_grouped_and_negative_zero_is_zero() {
        assert_eq!(grouped(1_234_567.0, 0), "1,234,567");
        assert_eq!(grouped(-1234.5, 1), "-1,234.5");
        assert_eq!(grouped(-0.001, 2), "0.00");
        assert_eq!(grouped(f64::INFINITY, 0), "inf");
    }
}
